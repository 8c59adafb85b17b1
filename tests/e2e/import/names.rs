//! Names that the target has in another form, refuses or takes for another one; parents; subscriptions.

use std::sync::Mutex;

use super::{ANNA, assert_same, program_for};
use super::{MODERN, aim, assert_holds, entry, import, of_held, of_mails, reader, targets, totals};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout};
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer, Reply};

fn with_inbox(capabilities: &str) -> FakeOptions {
    let options = FakeServer::options().capabilities(capabilities);
    options.mailbox(FakeMailbox::new("INBOX"))
}

/// Without NAMESPACE, the first refusal teaches the prefix.
#[test]
fn the_prefix_is_learnt_from_a_refusal() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX").delimited_by('.'))
        .on_create(|name| {
            let below = name.starts_with("INBOX.");
            (!below).then(|| {
                "NO Client tried to access nonexistent namespace. (Mailbox name should probably be \
                 prefixed with: INBOX.)"
                    .to_owned()
            })
        })
        .start();
    let mails = realistic(120, 3);
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &[])
        .mailbox("Work/2024", &mails)
        .mailbox("Later", &mails[..1])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    assert_eq!(mapped["Work/2024"], "INBOX.Work.2024", "{mapped:#?}");
    assert_eq!(mapped["Later"], "INBOX.Later", "{mapped:#?}");
    assert_holds(&server, "INBOX.Work.2024", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
}

/// Blanks at the end are left out, and what is longer than twelve characters is cut.
pub(super) fn trimmed_and_cut(name: &str) -> String {
    let cut: String = name.chars().take(12).collect();
    cut.trim_end().to_owned()
}

#[test]
fn what_the_target_makes_of_a_name_is_believed_and_two_that_become_one_are_told_apart() {
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+ UIDPLUS OBJECTID", "IMAP4rev1"] {
        let server = with_inbox(capabilities).calling(trimmed_and_cut).start();
        let program = Program::new();
        let names = [
            "Plan",
            "Plan ",
            "Correspondence 2023",
            "Correspondence 2024",
            "Alone ",
            "Empty ",
        ];
        let mails: Vec<Mail> = names.iter().map(|name| Mail::simple(name)).collect();
        let mut archive = Handmade::new(&program);
        for (name, mail) in names.iter().zip(&mails) {
            let is_empty = *name == "Empty ";
            let mails = if is_empty {
                &[][..]
            } else {
                std::slice::from_ref(mail)
            };
            archive = archive.mailbox(name, mails);
        }
        archive.complete();
        aim(&program, &server.endpoint());
        import(&program, &[]).code(0);
        let mapped = targets(&program);
        assert_eq!(mapped["Plan"], "Plan");
        assert_eq!(mapped["Plan "], "Plan (2)");
        assert_eq!(mapped["Alone "], "Alone");
        assert_eq!(mapped["Correspondence 2023"], "Corresponden");
        for (name, mail) in names.iter().zip(&mails).take(5) {
            assert_holds(&server, &mapped[*name], std::slice::from_ref(mail));
        }
        let note = entry(&program, "Plan ")["note"].to_string();
        assert!(note.contains("for this and for \\\"Plan\\\""), "{note}");
        server.forget();
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 5]);
        assert_eq!(targets(&program), mapped, "{capabilities}");
        assert_eq!(server.commands_named("CREATE"), [""; 0], "{capabilities}");
        let validate = ["--mode", "validate", "--no-connectivity-test", "-q"];
        program.run(validate).code(0);
    }
}

/// A dash at the end of the name is not seen.
fn undashed(name: &str) -> String {
    name.trim_end_matches('-').to_owned()
}

/// Lists these names, and every name that was made, though some are of one mailbox.
pub(super) fn listing_what_was_made(options: FakeOptions, before: &[&str]) -> FakeOptions {
    let before = before.iter().map(|name| (*name).to_owned());
    let made = Mutex::new(before.collect::<Vec<String>>());
    options.calling(undashed).on_command(move |command| {
        let arguments = command.arguments();
        let name = arguments.last();
        let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
        let mut made = made.lock().expect("no test panics here");
        match command.name.as_str() {
            "CREATE" => made.extend(name),
            "LIST" => {
                let wanted = name.unwrap_or_default();
                let is_shown = |one: &&String| wanted.contains('*') || **one == wanted;
                let mut lines: String = made
                    .iter()
                    .filter(is_shown)
                    .map(|one| format!("* LIST () \"/\" \"{one}\"\r\n"))
                    .collect();
                lines.push_str("{tag} OK done\r\n");
                return Some(Reply::Raw(lines.into_bytes()));
            }
            _ => {}
        }
        None
    })
}

/// The target lists two names and opens one mailbox by either: neither LIST nor MAILBOXID tells.
#[test]
fn two_names_of_one_mailbox_are_found_out_as_one_grows_by_what_the_other_gets() {
    for capabilities in ["IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND", "IMAP4rev1"] {
        for is_listed in [true, false] {
            let options = with_inbox(capabilities);
            let server = if is_listed {
                let options = options.mailbox(FakeMailbox::new("Plan"));
                let options = options.mailbox(FakeMailbox::new("Other"));
                listing_what_was_made(options, &["INBOX", "Plan", "Plan-", "Other"])
            } else {
                listing_what_was_made(options, &["INBOX"])
            };
            let server = server.start();
            let mails = realistic(126, 8);
            let program = Program::new();
            Handmade::new(&program)
                .mailbox("INBOX", &mails[..1])
                .mailbox("Plan", &mails[1..4])
                .mailbox("Plan-", &mails[4..6])
                .mailbox("Other", &mails[6..])
                .complete();
            aim(&program, &server.endpoint());
            import(&program, &[]).code(0);
            let mapped = targets(&program);
            let apart = mapped["Plan-"].clone();
            assert_eq!(apart, "Plan (2)", "{mapped:#?}");
            for (name, mails) in [
                ("Plan", &mails[1..4]),
                (&apart, &mails[4..6]),
                ("Other", &mails[6..]),
            ] {
                assert_holds(&server, name, mails);
            }
            let note = entry(&program, "Plan-")["note"].to_string();
            assert!(note.contains("for this and for \\\"Plan\\\""), "{note}");
            import(&program, &[]).code(0);
            assert_eq!(totals(&program, ["new", "unchanged"]), [0, 8]);
            assert_eq!(targets(&program)["Plan-"], apart);
        }
    }
}

#[test]
fn refused_names_are_made_acceptable_and_that_is_said() {
    let server = with_inbox(MODERN)
        .on_create(|name| {
            let odd = name.contains(['*', '#', '^']) || name.ends_with(' ');
            odd.then(|| "NO [CANNOT] Character not allowed in mailbox name".to_owned())
        })
        .start();
    let mails = [Mail::simple("a"), Mail::simple("b"), Mail::simple("c")];
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("hash#tag", &mails[..1])
        .mailbox("star*", &mails[1..2])
        .mailbox("plain", &mails[2..])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    assert_eq!(mapped["plain"], "plain");
    for (name, mail) in [("hash#tag", &mails[..1]), ("star*", &mails[1..2])] {
        assert_ne!(mapped[name], name);
        assert_holds(&server, &mapped[name], mail);
        let shown = entry(&program, name).to_string();
        assert!(
            shown.contains("sanitised") || shown.contains("refuse"),
            "{shown}"
        );
    }
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_eq!(targets(&program), mapped);
}

/// Import, import again, validate: all mail is there, under names that stay, and that is told.
fn stays(program: &Program, refused: &[&str], messages: u64) {
    import(program, &[]).code(0);
    let mapped = targets(program);
    for name in refused {
        assert_ne!(mapped[*name], *name);
        let note = entry(program, name)["note"].to_string();
        assert!(note.contains("the target refuses the name"), "{note}");
    }
    import(program, &[]).code(0);
    assert_eq!(totals(program, ["new", "unchanged"]), [0, messages]);
    assert_eq!(targets(program), mapped);
    import(program, &["--dry-run"]).code(0);
    assert_eq!(targets(program), mapped);
    let validate = ["--mode", "validate", "--deep", "--imapsync", "never"];
    program
        .run(validate.iter().chain(&["--report", "report.json"]))
        .code(0);
    assert_codes(program, &[]);
    assert_eq!(targets(program), mapped);
}

#[test]
fn names_that_dovecot_refuses_for_what_they_are_get_others_and_keep_them() {
    let dovecot = Dovecot::start(DovecotOptions::default());
    // On the wire it is twice as long, and longer than a file's name can be.
    let long = "&".repeat(180);
    let below = format!("{long}/below");
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("cur", &[Mail::simple("one")])
        .mailbox("cur/tmp", &[Mail::simple("two")])
        .mailbox("Work/new", &[])
        .mailbox(&long, &[Mail::simple("three")])
        .mailbox(&below, &[Mail::simple("four")])
        .complete();
    aim(&program, &dovecot.imaps());
    stays(&program, &["cur", "cur/tmp", "Work/new", &long, &below], 4);
    let mapped = targets(&program);
    assert_eq!(mapped["cur"], "%63ur");
    assert_eq!(mapped["cur/tmp"], "%63ur/%74mp");
    assert_eq!(mapped["Work/new"], "Work/%6Eew");
    assert_eq!(mapped[&below], format!("{}/below", mapped[&long]));
}

#[test]
fn a_limit_of_names_is_found_out_by_refusal() {
    for words in ["NO [CANNOT] Mailbox name too long", "NO [CANNOT] no"] {
        let server = with_inbox(MODERN)
            .on_create(move |name| {
                let is_long = name.split('/').any(|level| level.len() > 100);
                is_long.then(|| words.to_owned())
            })
            .start();
        let program = Program::new();
        // They differ behind the limit.
        let (one, other) = (
            format!("{}1", "x".repeat(150)),
            format!("{}2", "x".repeat(150)),
        );
        Handmade::new(&program)
            .mailbox(&one, &[Mail::simple("one")])
            .mailbox(&other, &[Mail::simple("two")])
            .complete();
        aim(&program, &server.endpoint());
        stays(&program, &[&one, &other], 2);
        let mapped = targets(&program);
        assert_holds(&server, &mapped[&one], &[Mail::simple("one")]);
        assert_holds(&server, &mapped[&other], &[Mail::simple("two")]);
    }
}

#[test]
fn a_limit_of_thirty_bytes_is_found_out_though_the_target_does_not_speak_of_it() {
    let mails = realistic(127, 4);
    for is_of_all in [false, true] {
        let server = with_inbox(MODERN)
            .on_create(move |name| {
                let mut levels = name.split('/');
                let is_long = levels.any(|level| level.len() > 30) || is_of_all && name.len() > 30;
                is_long.then(|| "NO CREATE failed".to_owned())
            })
            .start();
        let program = Program::new();
        let names = [
            "Correspondence with the office 1",
            "Correspondence with the office 2",
            "Clients/Correspondence with the office 1",
            "Clients/Europe/Old ones/Nobody knows",
        ];
        let mut archive = Handmade::new(&program);
        for (name, mail) in names.iter().zip(&mails) {
            archive = archive.mailbox(name, std::slice::from_ref(mail));
        }
        archive.complete();
        aim(&program, &server.endpoint());
        let refused = if is_of_all { &names[..] } else { &names[..3] };
        stays(&program, refused, 4);
        let mapped = targets(&program);
        for (name, mail) in names.iter().zip(&mails) {
            assert_holds(&server, &mapped[*name], std::slice::from_ref(mail));
        }
    }
}

#[test]
fn a_mailbox_that_cannot_be_made_fails_alone() {
    let server = with_inbox(MODERN)
        .on_create(|name| {
            let refused = name.contains("orbidden");
            refused.then(|| "NO [NOPERM] you may not".to_owned())
        })
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("Forbidden", &[Mail::simple("a")])
        .mailbox("Allowed", &[Mail::simple("b")])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("Forbidden")
        .says("you may not");
    assert_holds(&server, "Allowed", &[Mail::simple("b")]);
    assert_eq!(totals(&program, ["new"]), [1]);
}

#[test]
fn names_that_the_target_takes_for_one_stay_two() {
    let server = with_inbox(MODERN).names_in_any_case().start();
    let mails = [
        Mail::simple("upper"),
        Mail::simple("lower"),
        Mail::simple("shouted"),
    ];
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("Work", &mails[..1])
        .mailbox("work", &mails[1..2])
        .mailbox("WORK", &mails[2..])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    for (name, mail) in [
        ("Work", &mails[..1]),
        ("work", &mails[1..2]),
        ("WORK", &mails[2..]),
    ] {
        assert_holds(&server, &mapped[name], mail);
    }
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_eq!(targets(&program), mapped);
}

#[test]
fn parents_are_made_where_the_target_wants_them_first() {
    let server = with_inbox(MODERN).strict_parents().start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("a/b/c/d", &[Mail::simple("deep")])
        .mailbox("x/y", &[])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_holds(&server, "a/b/c/d", &[Mail::simple("deep")]);
    assert_holds(&server, "x/y", &[]);
    import(&program, &[]).code(0);
    assert_eq!(server.mailboxes().len(), 7);
}

#[test]
fn subscriptions_are_restored_and_none_are_added() {
    let server = with_inbox(MODERN)
        .mailbox(FakeMailbox::new("there, not subscribed"))
        .start();
    server.edit(|mailboxes| mailboxes[1].subscribed = false);
    let program = Program::new();
    Handmade::new(&program)
        .listed("new, subscribed", '/', &[], true, &[])
        .listed("new, not subscribed", '/', &[], false, &[Mail::simple("x")])
        .listed("there, not subscribed", '/', &[], true, &[])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let subscribed = |name: &str| server.mailbox(name).subscribed;
    assert!(subscribed("new, subscribed"));
    assert!(!subscribed("new, not subscribed"));
    assert!(subscribed("there, not subscribed"));
}

#[test]
fn maildirs_that_cannot_have_dots_or_slashes_in_names_get_all_mail() {
    let dovecot = Dovecot::start(DovecotOptions {
        separator: '/',
        layout: Layout::MaildirPlusPlus,
        ..DovecotOptions::default()
    });
    let program = Program::new();
    let names = ["v1.0", "R&D.archive/2024.q1", "~home", "Entwürfe ä.ö"];
    let mut archive = Handmade::new(&program);
    for (name, seed) in names.iter().zip(130_u64..) {
        archive = archive.mailbox(name, &realistic(seed, 3));
    }
    archive.complete();
    aim(&program, &dovecot.imaps());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    for (name, seed) in names.iter().zip(130_u64..) {
        let held = on_b.mailbox(&mapped[*name]);
        assert_same(name, &of_held(&held), &of_mails(&realistic(seed, 3)));
    }
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 12]);
    assert_eq!(targets(&program), mapped);
}

#[test]
fn names_in_other_scripts_and_with_quotes_reach_the_target_exactly() {
    let server = with_inbox("IMAP4rev1 UIDPLUS").start();
    let program = Program::new();
    let names = [
        "日本語",
        "R&D",
        "with \"quotes\"",
        "back\\slash",
        "(round) [square] {curly}",
    ];
    let mut archive = Handmade::new(&program);
    for name in names {
        archive = archive.mailbox(name, &[Mail::simple("x")]);
    }
    archive.complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    let held = reader(&server).mailboxes();
    for name in names {
        assert_eq!(mapped[name], name);
        let there = held.iter().find(|mailbox| mailbox.name == name);
        assert_eq!(
            there.map(|mailbox| mailbox.messages.len()),
            Some(1),
            "{name}: {held:#?}"
        );
    }
}

#[test]
fn a_mailbox_that_the_target_does_not_list_is_there_for_whoever_filled_it() {
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .list_lines(&[br#"* LIST () "/" INBOX"#])
        .start();
    let mails = [Mail::simple("one"), Mail::simple("two")];
    let program = program_for(&server, "Hidden", &mails);
    import(&program, &[]).code(0);
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
    assert_eq!(server.commands_named("CREATE").len(), 0);
    let validate = [
        "--mode",
        "validate",
        "--no-connectivity-test",
        "-q",
        "--deep",
    ];
    program.run(validate).code(0);
}
