//! The second import and all later ones append nothing, whatever the target offers and whatever became of the journal.

use std::fs;

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, import, inbox, journal, of_held, of_mails,
    program_for, reader, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::{Reader, assert_unchanged};
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

#[test]
fn nothing_is_appended_twice_with_the_journal_and_without() {
    let mails: Vec<Mail> = realistic(60, 250);
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..200])
        .mailbox("Work/2024", &mails[200..])
        .complete();
    let dovecot = Dovecot::simple();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    assert_eq!(
        totals(&program, ["mailboxes", "new", "unchanged", "failed"]),
        [2, 250, 0, 0]
    );
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let held = on_b.mailboxes();

    import(&program, &[]).code(0);
    assert_eq!(
        totals(&program, ["new", "unchanged", "failed"]),
        [0, 250, 0]
    );
    assert_unchanged(&held, &on_b.mailboxes());

    fs::remove_file(journal(&program)).expect("remove the journal");
    import(&program, &[]).code(0);
    assert_eq!(
        totals(&program, ["new", "unchanged", "failed"]),
        [0, 250, 0]
    );
    assert_unchanged(&held, &on_b.mailboxes());
    // The journal is there again, and says it all: the next run reads no inventory.
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 250]);
}

#[test]
fn every_kind_of_append_brings_everything_once() {
    let mails: Vec<Mail> = realistic(61, 130)
        .into_iter()
        .zip(0_u64..)
        .map(|(mail, number)| mail.at(1_500_000_000 + number).flagged("\\Seen $a"))
        .collect();
    for capabilities in [
        MODERN,
        "IMAP4rev1 LITERAL+ MULTIAPPEND",
        "IMAP4rev1 LITERAL- MULTIAPPEND UIDPLUS",
        "IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE",
        "IMAP4rev1 LITERAL- UIDPLUS",
        "IMAP4rev1 MULTIAPPEND",
        "IMAP4rev1 UIDPLUS",
        "IMAP4rev1",
    ] {
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_eq!(
            totals(&program, ["new", "failed"]),
            [130, 0],
            "{capabilities}"
        );
        assert_holds(&server, "INBOX", &mails);

        server.forget();
        import(&program, &[]).code(0);
        assert_eq!(
            totals(&program, ["new", "unchanged"]),
            [0, 130],
            "{capabilities}"
        );
        assert_eq!(server.commands_named("APPEND"), [""; 0], "{capabilities}");

        fs::remove_file(journal(&program)).expect("remove the journal");
        import(&program, &[]).code(0);
        assert_eq!(
            totals(&program, ["new", "unchanged"]),
            [0, 130],
            "{capabilities}"
        );
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn a_message_deleted_on_the_target_does_not_come_back() {
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+", "IMAP4rev1"] {
        let mut mails = realistic(62, 20);
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        server.edit(|mailboxes| {
            mailboxes[0].messages.remove(7);
        });
        mails.remove(7);
        import(&program, &[]).code(0);
        assert_eq!(
            totals(&program, ["new", "failed"]),
            [0, 0],
            "{capabilities}"
        );
        assert_holds(&server, "INBOX", &mails);

        // All of them, and the mailbox is empty as on the first day.
        server.edit(|mailboxes| mailboxes[0].messages.clear());
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &[]);
    }
}

#[test]
fn a_mailbox_that_was_made_anew_is_filled_again() {
    let mails = realistic(63, 12);
    let dovecot = Dovecot::simple();
    let program = Program::new();
    Handmade::new(&program).mailbox("Box", &mails).complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let old = on_b.mailbox("Box").uidvalidity;
    on_b.delete("Box");
    on_b.create("Box");
    assert_ne!(on_b.mailbox("Box").uidvalidity, old);
    import(&program, &[]).code(0);
    assert_same("Box", &of_held(&on_b.mailbox("Box")), &of_mails(&mails));
}

#[test]
fn a_mailbox_that_a_user_deleted_is_not_made_again_and_brought_back_when_asked_for() {
    let mails = realistic(65, 12);
    let dovecot = Dovecot::simple();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..3])
        .mailbox("Box", &mails)
        .complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    on_b.delete("Box");
    for arguments in [&["--dry-run"][..], &[], &[]] {
        let output = import(&program, arguments);
        output.code(0).says("was deleted on the target");
        assert_eq!(totals(&program, ["new", "failed"]), [0, 0]);
        assert!(!on_b.mailboxes().iter().any(|one| one.name == "Box"));
    }
    let resync = [
        "--mode",
        "validate",
        "--resync-missing",
        "--no-connectivity-test",
    ];
    program.run(resync).code(0);
    assert_same("Box", &of_held(&on_b.mailbox("Box")), &of_mails(&mails));
    assert_eq!(on_b.mailbox("INBOX").messages.len(), 3);
    import(&program, &[]).code(0);
    assert_same("Box", &of_held(&on_b.mailbox("Box")), &of_mails(&mails));
}

#[test]
fn mail_that_comes_for_a_deleted_mailbox_is_not_passed_over_in_silence() {
    let mails = realistic(66, 6);
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let archive = |count: usize| {
        Handmade::new(&program)
            .mailbox("INBOX", &mails[..3])
            .mailbox("Box", &mails[..count])
            .complete()
    };
    let dir = archive(4).dir;
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    on_b.delete("Box");
    for mailbox in ["INBOX", "Box"] {
        fs::remove_dir_all(dir.join(mailbox)).expect("remove the old archive");
    }
    archive(6);
    let output = import(&program, &[]);
    output.code(1).says("2 messages that came since");
    let validate = ["--mode", "validate", "--no-connectivity-test"];
    let output = program.run(validate);
    output.code(1).says("with 4 messages");
    output.says("2 messages are missing");
}

#[test]
fn what_the_target_has_of_its_own_stays_and_what_it_has_of_ours_is_not_sent() {
    let mails = realistic(64, 30);
    let own = [
        Mail::simple("its own"),
        Mail::simple("its own too").flagged("\\Seen"),
    ];
    let there = [&own[..], &mails[10..20]].concat();
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&there))
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [20, 10]);
    assert_holds(&server, "INBOX", &[&own[..], &mails].concat());
}

#[test]
fn one_archive_goes_to_several_targets() {
    let mails = realistic(65, 15);
    let start = || {
        let options = FakeServer::options().capabilities(MODERN);
        options.mailbox(FakeMailbox::new("INBOX")).start()
    };
    let (first, second) = (start(), start());
    let program = program_for(&first, "INBOX", &mails);
    import(&program, &[]).code(0);
    aim(&program, &second.endpoint());
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [15]);
    assert_holds(&second, "INBOX", &mails);
    aim(&program, &first.endpoint());
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 15]);
    assert_holds(&first, "INBOX", &mails);
}

#[test]
fn more_mail_in_the_archive_is_brought_later() {
    let mails = realistic(66, 25);
    let server = inbox(MODERN).start();
    let program = program_for(&server, "INBOX", &mails[..10]);
    import(&program, &[]).code(0);
    fs::remove_dir_all(program.path("exported").join(ANNA).join("INBOX")).expect("clear");
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [15, 10]);
    assert_holds(&server, "INBOX", &mails);
    assert_eq!(reader(&server).mailboxes().len(), 1);
}

#[test]
fn without_uidplus_the_new_uids_are_found_and_twins_that_come_later_are_two() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+")
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(70, 3)))
        .start();
    let mail = Mail::simple("twin");
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &[mail.clone(), Mail::simple("other")])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let lines = fs::read_to_string(journal(&program)).expect("the journal");
    let known: Vec<(u64, u64)> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter_map(|line| Some((line["uid"].as_u64()?, line["to_uid"].as_u64()?)))
        .collect();
    assert_eq!(known, [(1, 4), (2, 5)]);

    // The same message once more on the source: it is not the one that is there.
    fs::remove_dir_all(program.archive(ANNA).dir.join("INBOX")).expect("remove the old archive");
    Handmade::new(&program)
        .mailbox("INBOX", &[mail.clone(), Mail::simple("other"), mail])
        .complete();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [1, 2]);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 6);
}

#[test]
fn flags_that_changed_in_the_archive_follow_unless_the_user_changed_them() {
    let mails: Vec<Mail> = (0..6)
        .map(|number| Mail::simple(&format!("mail {number}")).flagged("\\Flagged"))
        .collect();
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let change = |uid: u32, flags: &str| {
        Handmade::edit(&archive.file("INBOX", uid, "json"), |sidecar| {
            sidecar["flags"] = flags.into();
        });
    };
    change(1, "\\Seen \\Flagged");
    change(2, "\\Seen \\Flagged");
    change(3, "\\Answered $done");
    change(4, "\\Seen");
    // The last of them was answered on the new server meanwhile.
    reader(&server).store("INBOX", "4", "+FLAGS", "\\Answered");
    import(&program, &["--no-flag-updates"]).code(0);
    assert_eq!(server.mailbox("INBOX").messages[0].flags, "\\Flagged");
    let connections = server.connections();
    import(&program, &[]).code(0);
    assert_eq!(server.connections(), connections + 1);
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 3]);
    let mut expected = mails.clone();
    for (number, flags) in [
        (0, "\\Seen \\Flagged"),
        (1, "\\Seen \\Flagged"),
        (2, "\\Answered $done"),
        (3, "\\Flagged \\Answered"),
    ] {
        expected[number] = mails[number].clone().flagged(flags);
    }
    assert_holds(&server, "INBOX", &expected);
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 0]);
    assert_eq!(server.commands_named("UID STORE").len(), 0);
}
