//! What was filled before is known again, and nothing else is taken for it, whatever others did on the target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{
    ANNA, MODERN, aim, aim_with, assert_holds, assert_same, import, inbox, journal, of_held,
    of_mails, program_for, targets, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};

#[test]
fn a_mailbox_goes_where_it_went_before_though_a_better_place_is_there_by_now() {
    let mails = realistic(171, 3);
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .listed("Gesendete Elemente", '/', &["\\Sent"], true, &mails)
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let before = targets(&program);
    server.edit(|mailboxes| {
        mailboxes.push(FakeMailbox::new("Sent Items").attributes("\\Sent"));
    });
    import(&program, &[]).code(0);
    assert_eq!(targets(&program), before);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_holds(&server, "Sent Items", &[]);
}

#[test]
fn a_copy_of_a_mailbox_that_a_user_deleted_is_not_taken_for_it() {
    let mails = realistic(172, 4);
    let dovecot = Dovecot::simple();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("Box", &mails)
        .complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    on_b.create("Copy");
    on_b.append("Copy", &mails);
    on_b.delete("Box");
    import(&program, &[])
        .code(0)
        .says("was deleted on the target");
    assert_eq!(targets(&program)["Box"], "Box");
    assert_same("Copy", &of_held(&on_b.mailbox("Copy")), &of_mails(&mails));
}

#[test]
fn where_the_configuration_says_another_place_a_deleted_mailbox_is_made_there() {
    let mails = realistic(173, 4);
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("Box", &mails)
        .complete();
    let goes_to = |name: &str| {
        let more = json!({"folder_map": {"Box": name}});
        aim_with(&program, &server.endpoint(), &[(ANNA, PASSWORD)], &more);
    };
    goes_to("Old");
    import(&program, &[]).code(0);
    server.edit(|mailboxes| mailboxes.retain(|one| one.name != b"Old"));
    import(&program, &[])
        .code(0)
        .says("was deleted on the target");
    assert_eq!(totals(&program, ["new"]), [0]);
    goes_to("New");
    import(&program, &[]).code(0);
    assert_holds(&server, "New", &mails);
}

#[test]
fn a_mailbox_that_the_target_does_not_list_was_not_deleted() {
    let mails = realistic(174, 3);
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .list_lines(&[br#"* LIST () "/" INBOX"#])
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("Hidden", &mails)
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let output = import(&program, &[]);
    output.code(0);
    assert!(!output.stdout.contains("deleted"), "{}", output.describe());
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 4]);
}

#[test]
fn what_a_user_deleted_stays_deleted_where_only_the_opened_mailbox_says_which_it_is() {
    let mails = realistic(175, 4);
    let server = inbox(MODERN)
        .uidvalidity_when_opened(|said, _| Some(said + 7))
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    server.edit(|mailboxes| {
        mailboxes[0].messages.remove(1);
    });
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
    let left = [&mails[..1], &mails[2..]].concat();
    assert_holds(&server, "INBOX", &left);
}

#[test]
fn lines_of_the_journal_that_cannot_be_read_are_told_and_no_others() {
    let mails = realistic(176, 3);
    let server = inbox(MODERN).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let output = import(&program, &[]);
    assert!(!output.stdout.contains("journal"), "{}", output.describe());
    let path = journal(&program);
    let text = std::fs::read_to_string(&path).expect("the journal");
    std::fs::write(&path, format!("{text}{{\"event\":\n")).expect("a broken line");
    import(&program, &[])
        .code(0)
        .says("1 line of the journal cannot be read");
    assert_eq!(totals(&program, ["new"]), [0]);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn a_mailbox_that_the_archive_lost_is_told_only_where_it_is_meant() {
    let mails = realistic(177, 3);
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .mailbox("Work", &mails)
        .complete();
    std::fs::remove_dir_all(archive.mailbox_dir("Work")).expect("removed");
    aim(&program, &server.endpoint());
    import(&program, &[]).code(1).says("Work");
    let output = import(&program, &["--folder", "INBOX"]);
    output.code(0);
    assert!(!output.stdout.contains("Work"), "{}", output.describe());
    assert_holds(&server, "INBOX", &mails);
}

/// Import and validation find it all where it is, and leave it there.
fn is_all_there(program: &Program, places: &[(&str, &str)], messages: u64) {
    for arguments in [&["--dry-run"][..], &[]] {
        import(program, arguments).code(0);
        assert_eq!(totals(program, ["new", "unchanged"]), [0, messages]);
        let mapped = targets(program);
        for (name, to) in places {
            assert_eq!(mapped[*name], *to, "{mapped:#?}");
        }
    }
    let validate = ["--mode", "validate", "--deep", "--imapsync", "never"];
    program.run(validate).code(0);
}

#[test]
fn a_renamed_mailbox_is_known_again_though_another_has_its_name_now() {
    let mails = realistic(178, 9);
    let dovecot = Dovecot::simple();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("One", &mails[1..4])
        .mailbox("Two", &mails[4..6])
        .mailbox("Three", &mails[6..])
        .complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    // One and Two change places, and something new is where Three was.
    on_b.rename("One", "Between");
    on_b.rename("Two", "One");
    on_b.rename("Between", "Two");
    on_b.rename("Three", "Old");
    on_b.create("Three");
    on_b.append("Three", &mails[..1]);
    let places = [("One", "Two"), ("Two", "One"), ("Three", "Old")];
    is_all_there(&program, &places, 9);
    for (name, mails) in [
        ("Two", &mails[1..4]),
        ("One", &mails[4..6]),
        ("Old", &mails[6..]),
        ("Three", &mails[..1]),
    ] {
        assert_same(name, &of_held(&on_b.mailbox(name)), &of_mails(mails));
    }
}

#[test]
fn mailboxes_that_changed_places_are_known_again_where_all_have_one_uidvalidity() {
    let mails = realistic(179, 6);
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("One", &mails[1..4])
        .mailbox("Two", &mails[4..])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    server.edit(|mailboxes| {
        for mailbox in mailboxes.iter_mut().skip(1) {
            let is_one = mailbox.name == b"One";
            mailbox.name = if is_one {
                b"Two".to_vec()
            } else {
                b"One".to_vec()
            };
        }
    });
    is_all_there(&program, &[("One", "Two"), ("Two", "One")], 6);
    assert_holds(&server, "Two", &mails[1..4]);
    assert_holds(&server, "One", &mails[4..]);
}

/// It is made on the next connection, by the name that was found then.
#[test]
fn a_mailbox_whose_second_name_a_connection_died_of_is_filled_in_the_same_run() {
    let cut_once = AtomicBool::new(true);
    let server = inbox(MODERN)
        .on_create(|name| (name == "cur").then(|| "NO [CANNOT] Invalid mailbox name".to_owned()))
        .on_command(move |command| {
            let is_second = command.name == "CREATE" && command.text().contains("%63ur");
            let cut = is_second && cut_once.swap(false, Ordering::SeqCst);
            cut.then(|| Reply::Close(Vec::new()))
        })
        .start();
    let mails = [Mail::simple("one"), Mail::simple("two")];
    let program = program_for(&server, "cur", &mails);
    import(&program, &["--imap-timeout", "1"]).code(0);
    assert_holds(&server, "%63ur", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
}

#[test]
fn a_look_at_the_newest_message_that_connections_die_of_is_done_without() {
    let shut = Arc::new(AtomicBool::new(false));
    let is_shut = Arc::clone(&shut);
    let server = inbox(MODERN)
        .on_command(move |command| {
            let dies = is_shut.load(Ordering::SeqCst) && command.text().contains("UID FETCH");
            dies.then(|| Reply::Close(Vec::new()))
        })
        .start();
    let mails = [Mail::simple("one"), Mail::simple("two")];
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    shut.store(true, Ordering::SeqCst);
    import(&program, &["--imap-timeout", "1"]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
    shut.store(false, Ordering::SeqCst);
    assert_holds(&server, "INBOX", &mails);
}
