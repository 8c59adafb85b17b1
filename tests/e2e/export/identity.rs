//! Whose messages the archive holds, where UIDVALIDITY moves or the server is another one: content decides.

use super::{ANNA, program_for, total};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeMessage, FakeOptions, FakeServer};

fn uids(program: &Program, mailbox: &str) -> Vec<u32> {
    let archive = program.archive(ANNA);
    archive.mailbox(mailbox).messages.keys().copied().collect()
}

/// Message files in the account's directory, wherever.
fn message_files(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let count = |path: std::path::PathBuf| {
        if path.is_dir() {
            message_files(&path)
        } else {
            usize::from(path.extension().is_some_and(|end| end == "eml"))
        }
    };
    entries
        .map(|entry| count(entry.expect("an entry").path()))
        .sum()
}

/// Mailboxes of many kinds on a server that says another UIDVALIDITY at each opening.
fn moving() -> FakeOptions {
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(90, 5)))
        .mailbox(FakeMailbox::new("Large").mails(&realistic(91, 1100)))
        .mailbox(FakeMailbox::new("Empty"))
        .mailbox(FakeMailbox::new("One").mails(&realistic(92, 1)))
}

#[test]
fn a_uidvalidity_that_moves_makes_no_mailbox_anew() {
    let server = moving()
        .uidvalidity_when_opened(|_, openings| Some(1000 + u32::try_from(openings).expect("few")))
        .start();
    let program = program_for(&server);
    let first = program.export(&[]);
    first.code(0).says("the same mailbox, kept as it is");
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5]);
    assert_eq!(uids(&program, "Large").len(), 1100);
    let archive = program.archive(ANNA);
    let kept = archive.mailbox("INBOX").meta["uidvalidity"].clone();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 0);
    // Said once, and new mail comes as ever.
    server.edit(|mailboxes| {
        let mail = Mail::simple("new");
        mailboxes[0].messages.push(FakeMessage::of(6, &mail));
    });
    let third = program.export(&["--report", "report.json"]);
    third.code(0);
    assert!(!third.stdout.contains("kept as it is"), "{}", third.stdout);
    assert_eq!(total(&program, "new"), 1);
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5, 6]);
    assert_eq!(message_files(&archive.dir), 5 + 1100 + 1 + 1);
    assert_eq!(archive.mailbox("INBOX").meta["uidvalidity"], kept);
    // Nor does the audit call it another one, the empty mailbox included.
    program.run(["--mode", "audit"]).code(0);
}

#[test]
fn another_mailbox_under_another_uidvalidity_is_fetched_anew() {
    // The same dates and sizes, other bytes; then other dates.
    let others: [fn(&mut FakeMessage); 2] = [
        |message| {
            let other = message.body.iter().rev().copied().collect();
            message.body = std::sync::Arc::new(other);
        },
        |message| "\"01-Feb-2001 00:00:00 +0000\"".clone_into(&mut message.internaldate),
    ];
    for other in others {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(93, 4)))
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        server.edit(|mailboxes| {
            mailboxes[0].uidvalidity = 2;
            mailboxes[0].messages.iter_mut().for_each(other);
        });
        program.export(&[]).code(0).says("UIDVALIDITY changed");
        let inbox = program.archive(ANNA).mailbox("INBOX");
        assert_eq!(inbox.meta["uidvalidity"], 2);
        let held = server.mailbox("INBOX");
        for message in &held.messages {
            assert_eq!(inbox.messages[&message.uid].bytes, *message.body);
        }
        assert_eq!(message_files(&inbox.dir.join(".superseded-1")), 4);
    }
}

#[test]
fn nothing_of_one_server_passes_for_anothers() {
    let modern = "IMAP4rev1 LITERAL+ CONDSTORE LIST-EXTENDED LIST-STATUS";
    let reversed = |mails: &[Mail]| -> Vec<Mail> {
        let reverse = |mail: &Mail| Mail {
            bytes: mail.bytes.iter().rev().copied().collect(),
            ..mail.clone()
        };
        mails.iter().map(reverse).collect()
    };
    let longer = |mails: &[Mail]| -> Vec<Mail> {
        let more = |mail: &Mail| Mail {
            bytes: [&mail.bytes[..], b"more\r\n"].concat(),
            ..mail.clone()
        };
        mails.iter().map(more).collect()
    };
    for capabilities in ["IMAP4rev1", modern] {
        let (inbox, old) = (realistic(94, 12), realistic(95, 3));
        let serve = |inbox: &[Mail], old: &[Mail]| {
            FakeServer::options()
                .capabilities(capabilities)
                .mailbox(FakeMailbox::new("INBOX").mails(inbox))
                .mailbox(FakeMailbox::new("Old").mails(old))
                .start()
        };
        let first = serve(&inbox, &old);
        let second = serve(&reversed(&inbox), &longer(&old));
        let program = program_for(&first);
        program.export(&[]).code(0);
        program.config(&second.endpoint(), &[(ANNA, PASSWORD)]);
        // A part first: the rest must not pass for the second server's afterwards.
        program.export(&["--folder", "Old"]).code(0);
        program.export(&[]).code(0);
        let archive = program.archive(ANNA);
        for name in ["INBOX", "Old"] {
            let mailbox = archive.mailbox(name);
            for message in &second.mailbox(name).messages {
                assert_eq!(
                    mailbox.messages[&message.uid].bytes, *message.body,
                    "{capabilities} {name}"
                );
            }
        }
        assert_eq!(message_files(&archive.dir), 30, "nothing is lost either");
    }
}

#[test]
fn a_server_that_only_moved_is_not_fetched_again() {
    let mails = realistic(96, 40);
    let serve = || {
        FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&mails))
            .start()
    };
    let (first, second) = (serve(), serve());
    let program = program_for(&first);
    program.export(&[]).code(0);
    program.config(&second.endpoint(), &[(ANNA, PASSWORD)]);
    program
        .export(&["--report", "report.json"])
        .code(0)
        .warns("the archive was exported from");
    assert_eq!(total(&program, "new"), 0);
    assert_eq!(total(&program, "unchanged"), 40);
    assert_eq!(message_files(&program.archive(ANNA).dir), 40);
}

#[test]
fn a_body_far_shorter_than_announced_is_asked_for_again_and_told() {
    let short = Mail::simple("short");
    let length = short.bytes.len();
    for (second, announced) in [
        (realistic(97, 1).remove(0), 480_000),
        (short, 2 * length + 101),
    ] {
        let mut mails = realistic(97, 4);
        mails[1] = second;
        let mut mailbox = FakeMailbox::new("INBOX").mails(&mails);
        mailbox.messages[1].size = Some(announced.to_string());
        let server = FakeServer::options().mailbox(mailbox).start();
        let program = program_for(&server);
        program.export(&[]).code(0).says("short-body");
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4]);
        let bodies = |fetch: &&String| fetch.contains("UID FETCH 2 (") && fetch.contains("BODY");
        let fetches = server.commands_named("UID FETCH");
        assert_eq!(fetches.iter().filter(bodies).count(), 1, "{fetches:?}");
        let sidecar = &program.archive(ANNA).mailbox("INBOX").messages[&2].sidecar;
        assert_eq!(sidecar["rfc822_size"], announced);
    }
    // Sizes that are always estimates are no reason to worry.
    let mut mailbox = FakeMailbox::new("INBOX").mails(&realistic(98, 4));
    for message in &mut mailbox.messages {
        message.size = Some("480000".to_owned());
    }
    let server = FakeServer::options().mailbox(mailbox).start();
    let program = program_for(&server);
    let output = program.export(&[]);
    output.code(0).says("its sizes are estimates");
    assert!(!output.stdout.contains("short-body"));
}

#[test]
fn most_of_an_account_vanishing_is_told_and_comes_back() {
    let names = ["INBOX", "Sent", "Work"];
    let all: Vec<FakeMailbox> = (100..)
        .zip(names)
        .map(|(seed, name)| FakeMailbox::new(name).mails(&realistic(seed, 3)))
        .collect();
    let mut options = FakeServer::options();
    for mailbox in &all {
        options = options.mailbox(mailbox.clone());
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.edit(|mailboxes| mailboxes.truncate(1));
    program.export(&[]).code(1).says("most-vanished");
    let archive = program.archive(ANNA);
    assert_eq!(message_files(&archive.dir), 9, "nothing is lost");
    assert_eq!(archive.state()["complete"], true);
    program.export(&[]).code(0);
    // There again under its UIDVALIDITY: not fetched a second time.
    server.edit(|mailboxes| mailboxes.clone_from(&all));
    server.forget();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 0);
    assert_eq!(message_files(&archive.dir), 9);
    assert_eq!(uids(&program, "Sent"), [1, 2, 3]);
}

#[test]
fn an_inbox_that_is_gone_is_told_and_comes_back() {
    let inbox = FakeMailbox::new("INBOX").mails(&realistic(112, 3));
    let server = FakeServer::options()
        .mailbox(inbox.clone())
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(113, 2)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.edit(|mailboxes| drop(mailboxes.remove(0)));
    program
        .export(&[])
        .code(1)
        .says("INBOX is gone from the server, with 3 messages");
    let archive = program.archive(ANNA);
    assert_eq!(message_files(&archive.dir), 5, "nothing is lost");
    program.export(&[]).code(0);
    server.edit(|mailboxes| mailboxes.push(inbox.clone()));
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 0);
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3]);
}

#[test]
fn most_of_a_large_mailbox_vanishing_is_told_unless_it_is_emptied_often() {
    for (attributes, code) in [("", 1), ("\\Trash", 0)] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(110, 3)))
            .mailbox(
                FakeMailbox::new("Large")
                    .attributes(attributes)
                    .mails(&realistic(111, 120)),
            )
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        server.edit(|mailboxes| mailboxes[1].messages.truncate(10));
        program.export(&[]).code(code);
        let large = program.archive(ANNA).mailbox("Large");
        assert_eq!(large.messages.len(), 10);
        assert_eq!(message_files(&large.dir), 120);
    }
}
