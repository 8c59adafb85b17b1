//! Which mailbox goes where: by use, by name, by the configuration; and what a dry run tells of it.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ANNA, MODERN, aim, aim_with, assert_holds, entry, import, inbox, targets, totals};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::{Reader, assert_unchanged};
use crate::kit::run::tempdir::tree;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

/// A target whose special mailboxes have names of their own.
fn outlook() -> FakeServer {
    FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ ID NAMESPACE UIDPLUS MULTIAPPEND SPECIAL-USE")
        .mailbox(FakeMailbox::new("INBOX"))
        .mailbox(FakeMailbox::new("Sent Items").attributes("\\Sent"))
        .mailbox(FakeMailbox::new("Deleted Items").attributes("\\Trash"))
        .mailbox(FakeMailbox::new("Junk E-mail").attributes("\\Junk"))
        .mailbox(FakeMailbox::new("Drafts").attributes("\\Drafts"))
        .start()
}

#[test]
fn special_mailboxes_go_where_their_use_is() {
    let server = outlook();
    let mails: Vec<[Mail; 1]> = ["sent", "trash", "junk", "drafts", "other"]
        .map(|name| [Mail::simple(name)])
        .to_vec();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &[])
        // By attribute, whatever they are called; by well-known names where there is none.
        .listed("Raus", '/', &["\\HasNoChildren", "\\Sent"], true, &mails[0])
        .mailbox("Papierkorb", &mails[1])
        .listed("Spam", '/', &[], true, &mails[2])
        .listed("Entwürfe", '/', &["\\Drafts"], true, &mails[3])
        .mailbox("Kunden", &mails[4])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    let expected = [
        ("INBOX", "INBOX"),
        ("Raus", "Sent Items"),
        ("Papierkorb", "Deleted Items"),
        ("Spam", "Junk E-mail"),
        ("Entwürfe", "Drafts"),
        ("Kunden", "Kunden"),
    ];
    assert_eq!(
        mapped,
        expected
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into()
    );
    assert_holds(&server, "Sent Items", &mails[0]);
    assert_holds(&server, "Deleted Items", &mails[1]);
    assert_holds(&server, "Junk E-mail", &mails[2]);
    assert_holds(&server, "Drafts", &mails[3]);
    assert_eq!(server.mailboxes().len(), 6);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
}

#[test]
fn two_mailboxes_of_one_use_do_not_become_one() {
    let server = outlook();
    let program = Program::new();
    Handmade::new(&program)
        .listed(
            "Sent",
            '/',
            &["\\Sent"],
            true,
            &[Mail::simple("by attribute")],
        )
        .mailbox("Gesendet", &[Mail::simple("by name")])
        .mailbox("Sent Items", &[Mail::simple("by the same name")])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    // `targets` fails if any two share one.
    let mapped = targets(&program);
    assert_eq!(mapped["Sent"], "Sent Items", "{mapped:#?}");
    assert_holds(&server, "Sent Items", &[Mail::simple("by attribute")]);
    assert_eq!(totals(&program, ["new"]), [3]);
}

#[test]
fn the_configuration_wins_over_everything() {
    let server = outlook();
    let program = Program::new();
    Handmade::new(&program)
        .listed("Sent", '/', &["\\Sent"], true, &[Mail::simple("sent")])
        .mailbox("Alt/2019", &[Mail::simple("old")])
        .mailbox("Größe", &[Mail::simple("umlaut")])
        .complete();
    let map =
        json!({"folder_map": {"Sent": "Archive/Sent of old", "Alt/2019": "Ä", "Größe": "Drafts"}});
    aim_with(&program, &server.endpoint(), &[(ANNA, PASSWORD)], &map);
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    assert_eq!(mapped["Sent"], "Archive/Sent of old");
    assert_eq!(mapped["Alt/2019"], "Ä");
    assert_eq!(mapped["Größe"], "Drafts");
    assert_holds(&server, "Archive/Sent of old", &[Mail::simple("sent")]);
    assert_holds(&server, "Ä", &[Mail::simple("old")]);
    assert_holds(&server, "Drafts", &[Mail::simple("umlaut")]);
    assert_holds(&server, "Sent Items", &[]);
}

#[test]
fn an_entry_of_the_configuration_that_matches_no_mailbox_is_told_with_the_nearest_name() {
    let server = outlook();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("Sent Items", &[Mail::simple("sent")])
        .mailbox("Projects/2024", &[Mail::simple("project")])
        .complete();
    let map = json!({"folder_map": {"Sent items": "Gesendet", "2024": "Old", "Nirgends": "X"}});
    aim_with(&program, &server.endpoint(), &[(ANNA, PASSWORD)], &map);
    for arguments in [&["--dry-run"][..], &[]] {
        import(&program, arguments)
            .code(0)
            .says("no mailbox is called \"Sent items\"")
            .says("is \"Sent Items\" meant?")
            .says("is \"Projects/2024\" meant?")
            .says("no mailbox is called \"Nirgends\"");
        let warnings = super::report(&program)["warnings"].as_array().map(Vec::len);
        assert_eq!(warnings, Some(3));
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let b = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        special_use: true,
        ..DovecotOptions::default()
    });
    let on_b = Reader::new(&b.plain(), ANNA, PASSWORD);
    let mails = realistic(110, 12);
    on_b.append("INBOX", &mails[..5]);
    let before = on_b.mailboxes();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .listed("Gesendet", '/', &["\\Sent"], true, &realistic(111, 3))
        .mailbox("Work/2024", &realistic(112, 4))
        .mailbox("dotted.name", &realistic(113, 2))
        .mailbox("Mapped", &realistic(114, 1))
        .complete();
    let map = json!({"folder_map": {"Mapped": "INBOX.Elsewhere"}});
    aim_with(&program, &b.imaps(), &[(ANNA, PASSWORD)], &map);
    let files = tree(&archive.dir);
    let output = import(&program, &["--dry-run"]);
    output.code(0);
    let told: BTreeSet<(String, String)> = targets(&program).into_iter().collect();
    for (from, to, why) in [
        ("INBOX", "INBOX", "same name"),
        ("Gesendet", "INBOX.Sent", "special"),
        ("Work/2024", "INBOX.Work.2024", "delimiter"),
        ("Work/2024", "INBOX.Work.2024", "prefix"),
        ("dotted.name", "", "sanitised"),
        ("Mapped", "INBOX.Elsewhere", "folder_map"),
    ] {
        assert!(
            to.is_empty() || told.contains(&(from.to_owned(), to.to_owned())),
            "{told:#?}"
        );
        let line = output
            .stdout
            .lines()
            .find(|line| line.contains(from) && line.contains(to));
        let line =
            line.unwrap_or_else(|| panic!("no line on {from} → {to}\n{}", output.describe()));
        assert!(line.contains(why), "{why:?} is missing in {line:?}");
    }
    let new = |mailbox: &str| entry(&program, mailbox)["new"].as_u64();
    assert_eq!(new("INBOX"), Some(7));
    assert_eq!(new("Gesendet"), Some(3));
    assert_eq!(totals(&program, ["new", "unchanged"]), [17, 5]);
    assert_unchanged(&before, &on_b.mailboxes());
    assert_eq!(tree(&archive.dir), files, "the archive changed");

    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [17, 5]);
    let done: BTreeSet<(String, String)> = targets(&program).into_iter().collect();
    assert_eq!(done, told, "it did not do what it told");
}

#[test]
fn the_sources_own_prefix_is_taken_off() {
    let mails = realistic(115, 3);
    let server = |prefix: &str| {
        FakeServer::options()
            .capabilities("IMAP4rev1 LITERAL+ ID NAMESPACE UIDPLUS")
            .namespace(&format!("((\"{prefix}\" \"/\")) NIL NIL"))
            .mailbox(FakeMailbox::new("INBOX"))
    };
    let source = server("Mail/")
        .mailbox(FakeMailbox::new("Mail/Sent").mails(&mails))
        .mailbox(FakeMailbox::new("Mail/Projects/2024").mails(&mails))
        .start();
    let program = Program::new();
    program.config(&source.endpoint(), &[(ANNA, PASSWORD)]);
    program.export(&["--output-dir", "exported"]).code(0);
    assert_eq!(source.commands_named("NAMESPACE").len(), 1);
    for (prefix, sent, project) in [
        ("Mail/", "Mail/Sent", "Mail/Projects/2024"),
        ("", "Sent", "Projects/2024"),
        ("INBOX/", "INBOX/Sent", "INBOX/Projects/2024"),
    ] {
        let target = server(prefix).start();
        aim(&program, &target.endpoint());
        for arguments in [&["--dry-run"][..], &[], &[]] {
            let from = ["--input-dir", "exported"];
            import(&program, &[&from[..], arguments].concat()).code(0);
            let told = targets(&program);
            assert_eq!(told["Mail/Sent"], sent);
            assert_eq!(told["Mail/Projects/2024"], project);
        }
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_holds(&target, sent, &mails);
    }
}

#[test]
fn a_prefix_learnt_from_a_refusal_is_known_to_later_plans() {
    let mails = realistic(116, 3);
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .delimiter('.')
        .mailbox(FakeMailbox::new("INBOX"))
        .on_create(|name| {
            let outside = !name.starts_with("INBOX.");
            outside.then(|| {
                "NO Mailbox name should probably be prefixed with: INBOX. (0.001 secs)".to_owned()
            })
        })
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .mailbox("Empty", &[]);
    let archive = archive.complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_eq!(targets(&program)["Empty"], "INBOX.Empty");
    let validated = ["--mode", "validate", "--no-connectivity-test", "-q"];
    program.run(validated).code(0);
    archive.mailbox("Later", &mails).complete();
    import(&program, &["--dry-run"]).code(0);
    assert_eq!(targets(&program)["Empty"], "INBOX.Empty");
    assert_eq!(targets(&program)["Later"], "INBOX.Later");
}

#[test]
fn a_dry_run_sends_no_command_that_changes() {
    let server = outlook();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("A/B", &realistic(115, 4))
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &["--dry-run"]).code(0);
    for name in [
        "CREATE",
        "SUBSCRIBE",
        "APPEND",
        "STORE",
        "UID STORE",
        "SELECT",
    ] {
        assert_eq!(
            server.commands_named(name),
            [""; 0],
            "{}",
            server.transcript()
        );
    }
}

#[test]
fn views_are_not_imported_a_second_time() {
    let mails = realistic(116, 20);
    let only_there = Mail::simple("in the view only");
    let server = inbox(MODERN).start();
    let program = Program::new();
    let all = [&mails[..], std::slice::from_ref(&only_there)].concat();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..12])
        .mailbox("Work", &mails[12..])
        .listed("All Mail", '/', &["\\All"], true, &all)
        .listed("Starred", '/', &["\\Flagged"], true, &mails[3..6])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails[..12]);
    assert_holds(&server, "Work", &mails[12..]);
    let bodies: usize = server
        .mailboxes()
        .iter()
        .map(|mailbox| mailbox.messages.len())
        .sum();
    assert_eq!(
        bodies, 21,
        "the message that is in the view only, and no other, comes from the view"
    );
    let note = entry(&program, "Starred")["note"].to_string();
    assert!(note.contains("view"), "{note}");
}

#[test]
fn filters_choose_mailboxes_by_their_names_in_the_archive() {
    let server = outlook();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &[Mail::simple("inbox")])
        .mailbox("Work/2024", &[Mail::simple("a")])
        .mailbox("Work/2025", &[Mail::simple("b")])
        .complete();
    aim(&program, &server.endpoint());
    import(
        &program,
        &["--folder", "Work*", "--exclude-folder", "*2025"],
    )
    .code(0);
    assert_eq!(
        targets(&program).into_keys().collect::<Vec<_>>(),
        ["Work/2024"]
    );
    assert_holds(&server, "INBOX", &[]);
    assert_holds(&server, "Work/2024", &[Mail::simple("a")]);
    import(&program, &["--account", "nobody@*"])
        .code(2)
        .warns("nobody@*");
}

#[test]
fn what_went_somewhere_once_goes_there_again_whatever_the_target_has_by_now() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .listed(
            "Gesendete Elemente",
            '/',
            &["\\Sent"],
            true,
            &realistic(1, 3),
        )
        .mailbox("Sent", &realistic(2, 2))
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let before = targets(&program);
    assert_eq!(totals(&program, ["new", "unchanged"]), [5, 0]);
    // Now the target itself marks one of them as the place for what is sent.
    server.edit(|mailboxes| {
        for mailbox in mailboxes
            .iter_mut()
            .filter(|mailbox| mailbox.name == b"Sent")
        {
            mailbox.attributes = "\\Sent".to_owned();
        }
    });
    import(&program, &[]).code(0);
    assert_eq!(targets(&program), before);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 5]);
    // A filter changes nothing of where the others go.
    import(&program, &["--folder", "Sent"]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
}

#[test]
fn a_second_import_goes_by_directories_and_not_by_names_that_look_the_same() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("Work", &["one", "two"].map(Mail::simple))
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    // A copy of a mailbox's directory is a mailbox of its own.
    let copy = archive.dir.join("Work copy");
    std::fs::create_dir(&copy).expect("create");
    for entry in std::fs::read_dir(archive.mailbox_dir("Work")).expect("read") {
        let from = entry.expect("an entry").path();
        let to = copy.join(from.file_name().expect("a name"));
        std::fs::copy(&from, &to).expect("copy");
    }
    for _ in 0..2 {
        import(&program, &["--allow-incomplete"]);
        super::assert_holds(&server, "Work", &["one", "two"].map(Mail::simple));
        super::assert_holds(&server, "Work (2)", &["one", "two"].map(Mail::simple));
    }
    assert_eq!(server.mailboxes().len(), 3);
}

#[test]
fn where_mail_and_mailboxes_exclude_each_other_every_run_gives_the_same_names() {
    let dovecot = Dovecot::start(DovecotOptions {
        extra_config: "mail_location = mbox:~/mbox:INBOX=~/inbox\n".to_owned(),
        ..DovecotOptions::default()
    });
    let program = Program::new();
    let mails = ["one", "two"].map(Mail::simple);
    Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .mailbox("A", &mails)
        .mailbox("A/B", &mails)
        .mailbox("A/B/C", &mails)
        .complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let first = targets(&program);
    for journal_is_there in [true, false] {
        if !journal_is_there {
            std::fs::remove_file(super::journal(&program)).expect("remove the journal");
        }
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(targets(&program), first);
    }
}

#[test]
fn a_mailbox_that_was_renamed_on_the_target_is_known_again() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    // The last one has nothing but ASCII.
    let mails = [realistic(96, 39), vec![Mail::simple("plain")]].concat();
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..5])
        .mailbox("Projects", &mails)
        .complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    on_b.rename("Projects", "Old projects");
    // What its user deleted there does not come back either.
    let first = on_b.mailbox("Old projects").messages[0].uid.to_string();
    on_b.expunge("Old projects", &first);
    for _ in 0..2 {
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(targets(&program)["Projects"], "Old projects");
        assert_eq!(on_b.mailbox("Old projects").messages.len(), 39);
    }
    assert_eq!(on_b.mailboxes().len(), 2);
}

#[test]
fn a_mailbox_with_the_number_of_one_that_is_gone_and_other_mail_is_not_that_one_renamed() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(97, 8);
    Handmade::new(&program)
        .mailbox("INBOX", &mails[..2])
        .mailbox("Work", &mails[2..5])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    // Its user deleted it, and has others of the same UIDVALIDITY: some servers give one to all.
    server.edit(|mailboxes| {
        let work = mailboxes.iter_mut().find(|one| one.name == b"Work");
        let work = work.expect("made by the import");
        let mut other = FakeMailbox::new("Other").mails(&mails[5..]);
        other.uidvalidity = work.uidvalidity;
        let mut empty = FakeMailbox::new("Empty");
        empty.uidvalidity = work.uidvalidity;
        *work = other;
        mailboxes.push(empty);
    });
    for _ in 0..2 {
        let output = import(&program, &[]);
        output.code(0).says("was deleted on the target");
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(targets(&program)["Work"], "Work");
        assert_holds(&server, "Other", &mails[5..]);
    }
}

#[test]
fn a_name_that_is_refused_for_what_it_is_becomes_one_that_can_be_read_back() {
    let server = inbox(MODERN)
        .on_create(|name| (name == "cur").then(|| "NO [CANNOT] Invalid mailbox name".to_owned()))
        .start();
    let program = super::program_for(&server, "cur", &[Mail::simple("one")]);
    for _ in 0..2 {
        import(&program, &[]).code(0);
        assert_eq!(targets(&program)["cur"], "%63ur");
        assert_holds(&server, "%63ur", &[Mail::simple("one")]);
    }
}
