//! The second run and all later ones: only what is new is fetched, and nothing that was there is lost.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ANNA, program_for, total};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::archive::{ArchivedMailbox, assert_archive_equals_server};
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};

const MODERN: &str = "IMAP4rev1 LITERAL+ ID NAMESPACE UIDPLUS CONDSTORE LIST-EXTENDED LIST-STATUS";

fn files_below(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn changes_on_the_server_are_followed_and_nothing_is_deleted() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(20, 30));
    dovecot.seed(ANNA, "Old name", &realistic(21, 5));
    dovecot.seed(ANNA, "To be deleted", &realistic(22, 4));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    let export = || {
        program.export(&["--report", "report.json"]).code(0);
    };
    export();
    assert_eq!(total(&program, "new"), 39);
    let first = program.archive(ANNA).mailbox("INBOX");

    export();
    assert_eq!(
        ["new", "unchanged", "flags_changed", "vanished", "failed"].map(|n| total(&program, n)),
        [0, 39, 0, 0, 0]
    );

    let fresh = ["one more", "and another"].map(Mail::simple);
    reader.append("INBOX", &fresh);
    reader.store("INBOX", "3", "FLAGS", "\\Flagged $Later");
    reader.expunge("INBOX", "5,7:8");
    export();
    assert_eq!(
        ["new", "flags_changed", "vanished"].map(|n| total(&program, n)),
        [2, 1, 3]
    );
    let archive = program.archive(ANNA);
    assert_archive_equals_server(&archive, &reader.mailboxes());
    let vanished = archive.mailbox("INBOX").dir.join(".vanished");
    assert_eq!(files_below(&vanished).len(), 6);
    let moved = fs::read(vanished.join("u0000000005.eml")).expect("the vanished message");
    assert_eq!(moved, first.messages[&5].bytes);

    reader.rename("Old name", "New name");
    reader.delete("To be deleted");
    export();
    let archive = program.archive(ANNA);
    assert_archive_equals_server(&archive, &reader.mailboxes());
    let away = archive.dir.join(".vanished-mailboxes");
    let names = files_below(&away);
    assert_eq!(names.len(), 2, "{names:?}");
    let deleted = names.iter().find(|name| name.starts_with("To be deleted"));
    let deleted = ArchivedMailbox::read(away.join(deleted.expect("the deleted mailbox")));
    assert_eq!(deleted.messages.len(), 4);
}

#[test]
fn a_changed_uidvalidity_keeps_the_old_mail_and_fetches_all_anew() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "Box", &realistic(23, 6));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program.export(&[]).code(0);
    let old = reader.mailbox("Box").uidvalidity.expect("a UIDVALIDITY");
    // The same name, other mail, the same UIDs.
    reader.delete("Box");
    reader.create("Box");
    reader.append("Box", &["alpha", "beta"].map(Mail::simple));
    let new = reader.mailbox("Box").uidvalidity.expect("a UIDVALIDITY");
    assert_ne!(old, new);
    program.export(&[]).code(0).warns("UIDVALIDITY changed");
    let archive = program.archive(ANNA);
    assert_archive_equals_server(&archive, &reader.mailboxes());
    let superseded = archive
        .mailbox("Box")
        .dir
        .join(format!(".superseded-{old}"));
    assert_eq!(files_below(&superseded).len(), 12);
}

/// What the mailbox of this number is called; the first is INBOX.
fn called(number: u64) -> String {
    match number {
        0 => "INBOX".to_owned(),
        _ => format!("Box {number}"),
    }
}

#[test]
fn nothing_new_costs_no_command_per_mailbox() {
    let mut options = FakeServer::options()
        .capabilities(MODERN)
        .counting_round_trips(Duration::from_millis(200));
    for number in 0..12 {
        let name = called(number);
        options = options.mailbox(FakeMailbox::new(name).mails(&realistic(number, 3)));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.forget();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "unchanged"), 36);
    assert_eq!(server.commands_named("EXAMINE"), [""; 0]);
    assert_eq!(server.commands_named("UID FETCH"), [""; 0]);
    assert!(server.round_trips() <= 5, "{}", server.transcript());

    // One flag changes: that mailbox is looked at, the others are not.
    server.edit(|mailboxes| {
        mailboxes[7].highestmodseq += 1;
        mailboxes[7].messages[1].flags = "\\Seen".to_owned();
    });
    server.forget();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "flags_changed"), 1);
    assert_eq!(server.commands_named("EXAMINE").len(), 1);
    let fetches = server.commands_named("UID FETCH");
    assert!(
        fetches.len() == 1 && !fetches[0].contains("BODY"),
        "{fetches:?}"
    );
}

#[test]
fn a_first_run_waits_once_for_all_mailboxes() {
    let mut options = FakeServer::options()
        .capabilities(MODERN)
        .counting_round_trips(Duration::from_millis(200));
    for number in 0..10 {
        let name = called(number);
        options = options.mailbox(FakeMailbox::new(name).mails(&realistic(number, 20)));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 200);
    assert!(server.round_trips() <= 9, "{}", server.transcript());
}

#[test]
fn a_first_look_at_many_mailboxes_is_a_few_round_trips() {
    let mut options = FakeServer::options()
        .capabilities(MODERN)
        .counting_round_trips(Duration::from_millis(200));
    for number in 0..60 {
        let messages = if number % 2 == 0 { 0 } else { 2 };
        let name = called(number);
        options = options.mailbox(FakeMailbox::new(name).mails(&realistic(number, messages)));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 60);
    assert_eq!(server.commands_named("EXAMINE").len(), 60);
    assert!(server.round_trips() <= 5, "{}", server.transcript());
}

#[test]
fn a_server_without_mod_sequences_is_asked_for_flags() {
    let mails = realistic(24, 5);
    let server = FakeServer::options()
        .capabilities("IMAP4rev1")
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.edit(|mailboxes| mailboxes[0].messages[4].flags = "\\Answered".to_owned());
    server.forget();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "flags_changed"), 1);
    let sidecar = &program.archive(ANNA).mailbox("INBOX").messages[&5].sidecar;
    assert_eq!(sidecar["flags"], "\\Answered");
    let bodies = server.commands_named("UID FETCH");
    assert!(
        bodies.iter().all(|fetch| !fetch.contains("BODY")),
        "{bodies:?}"
    );
}

#[test]
fn mail_that_arrives_between_listing_and_reading_costs_nothing() {
    let first_look = Arc::new(AtomicBool::new(true));
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(25, 5)))
        .on_command(move |command| {
            let early = command.name == "LIST" && first_look.swap(false, Ordering::SeqCst);
            early.then(|| {
                Reply::Raw(
                    b"* LIST () \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 1 HIGHESTMODSEQ 1)\r\n\
                      {tag} OK done\r\n"
                        .to_vec(),
                )
            })
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let archive = program.archive(ANNA);
    let there: Vec<u32> = archive.mailbox("INBOX").messages.keys().copied().collect();
    assert!(there == [1, 2, 3] || there == [1, 2, 3, 4, 5], "{there:?}");
    assert_eq!(archive.state()["complete"], true);
    program.export(&[]).code(0);
    let there = program.archive(ANNA).mailbox("INBOX").messages.len();
    assert_eq!(there, 5);
}

#[test]
fn mail_that_arrives_all_the_time_disturbs_no_run() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(26, 400));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let done = AtomicBool::new(false);
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                reader.append("INBOX", &["late", "later"].map(Mail::simple));
            }
        });
        for _ in 0..3 {
            program.export(&[]).code(0);
            let archived = program.archive(ANNA).mailbox("INBOX").messages.len();
            assert!(archived >= 400, "{archived}");
        }
        done.store(true, Ordering::SeqCst);
    });
    program.export(&[]).code(0);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());
}

#[test]
fn a_damaged_archive_is_mended_from_the_server() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(27, 8));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX").dir;
    // What a killed run, or a careless hand, may leave.
    fs::remove_file(inbox.join("u0000000002.json")).expect("remove");
    fs::remove_file(inbox.join("u0000000003.eml")).expect("remove");
    fs::remove_file(inbox.join("u0000000004.eml")).expect("remove");
    fs::remove_file(inbox.join("u0000000004.json")).expect("remove");
    fs::write(inbox.join(".incoming-1-1"), "half a message").expect("write");
    program.export(&[]).code(0);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());

    // A sidecar that cannot be read is found when flags have changed.
    fs::write(inbox.join("u0000000007.json"), "{").expect("write");
    reader.store("INBOX", "7", "+FLAGS", "\\Flagged");
    program.export(&[]).code(0);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());

    // Without the state nothing is believed that its digest does not prove.
    fs::remove_file(program.archive(ANNA).dir.join("export-state.json")).expect("remove");
    fs::write(inbox.join("u0000000005.eml"), "rubbish").expect("write");
    fs::write(inbox.join("u0000000006.json"), "{").expect("write");
    program.export(&[]).code(0);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());
}
