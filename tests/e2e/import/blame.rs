//! One message that a target cannot take costs itself, and no answer is believed further than the target confirms it.

use super::{
    ANNA, MODERN, aim, aim_with, assert_holds, entry, failed, import, inbox, journal, program_for,
    totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, storage_quota};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

fn numbered(count: usize) -> Vec<Mail> {
    (0..count)
        .map(|n| Mail::simple(&format!("mail {n}")))
        .collect()
}

fn without(mails: &[Mail], gone: usize) -> Vec<Mail> {
    let mut mails = mails.to_vec();
    mails.remove(gone);
    mails
}

/// Little patience: a wait for the target to settle takes as long.
const IMPATIENT: [&str; 2] = ["--imap-timeout", "1"];

#[test]
fn a_message_that_ends_the_connection_is_found_and_passed_over() {
    let mut mails = numbered(12);
    mails[4] = Mail::simple("poison");
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1"] {
        let server = inbox(capabilities)
            .on_command(|command| {
                let poison = command.name == "APPEND" && command.text().contains("poison");
                poison.then(|| Reply::bye("Invalid character in literal"))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        let arguments = [&IMPATIENT[..], &["--ignore-errors"]].concat();
        import(&program, &arguments)
            .code(1)
            .says("Invalid character in literal");
        assert_holds(&server, "INBOX", &without(&mails, 4));
        assert_eq!(
            failed(&program),
            [("INBOX".to_owned(), 5)],
            "{capabilities}"
        );
        // The next run tries it once more, and alone.
        let connections = server.connections();
        import(&program, &IMPATIENT).code(1).says("uid 5");
        assert!(server.connections() <= connections + 2);
        assert_holds(&server, "INBOX", &without(&mails, 4));
        assert_eq!(failed(&program), [("INBOX".to_owned(), 5)]);
    }
}

#[test]
fn messages_in_a_row_that_end_the_connection_cost_themselves_and_not_the_account() {
    let mails = numbered(8);
    let server = inbox("IMAP4rev1")
        .on_append(|message| {
            let is_bad = ["mail 2", "mail 3", "mail 4"];
            let is_bad = is_bad.iter().any(|bad| message.holds(bad.as_bytes()));
            is_bad.then(|| "NO [SERVERBUG] internal error".to_owned())
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &["--ignore-errors"]).code(1);
    let inbox = |uid| ("INBOX".to_owned(), uid);
    assert_eq!(failed(&program), [3, 4, 5].map(inbox));
    let rest = [&mails[..2], &mails[5..]].concat();
    assert_holds(&server, "INBOX", &rest);
}

#[test]
fn an_untagged_bad_instead_of_the_go_ahead_is_a_refusal() {
    let mut mails = numbered(5);
    mails[2] = Mail::simple("much too long a subject for this server");
    let server = inbox("IMAP4rev1 UIDPLUS")
        .on_command(|command| {
            let long = command.name == "APPEND" && command.text().contains("much too long");
            long.then(|| Reply::Raw(b"* BAD command line limit exceeded\r\n".to_vec()))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    let arguments = [&IMPATIENT[..], &["--ignore-errors"]].concat();
    import(&program, &arguments).code(1);
    assert_holds(&server, "INBOX", &without(&mails, 2));
    assert_eq!(failed(&program), [("INBOX".to_owned(), 3)]);
}

#[test]
fn codes_that_speak_of_a_message_are_not_taken_for_too_many_connections() {
    let mut mails = numbered(30);
    mails[7] = Mail::simple("poison");
    for answer in [
        "NO [LIMIT] Mail size is larger than the maximum size allowed by server configuration",
        "NO [LIMIT] Too many copies of this",
        "NO [SERVERBUG] Internal error occurred",
        "NO [UNAVAILABLE] not now",
    ] {
        let server = inbox(MODERN)
            .on_append(move |message| message.holds(b"about poison").then(|| answer.to_owned()))
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &["--ignore-errors"]).code(1).says(answer);
        assert_holds(&server, "INBOX", &without(&mails, 7));
        assert_eq!(failed(&program), [("INBOX".to_owned(), 8)], "{answer}");
    }
}

#[test]
fn a_message_larger_than_the_room_is_refused_and_what_has_room_arrives() {
    let mut mails = numbered(30);
    mails[3] = Mail::new(
        "big",
        format!("Subject: big\r\n\r\n{}", "x".repeat(1_500_000)),
    );
    let dovecot = Dovecot::start(DovecotOptions {
        extra_config: storage_quota("1M"),
        ..DovecotOptions::default()
    });
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &dovecot.imaps());
    import(&program, &["--ignore-errors"]).code(1);
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    assert_eq!(on_b.mailbox("INBOX").messages.len(), 29);
    assert_eq!(failed(&program), [("INBOX".to_owned(), 4)]);
    import(&program, &[]).code(1).says("uid 4");
    assert_eq!(on_b.mailbox("INBOX").messages.len(), 29);
}

#[test]
fn words_for_a_full_account_need_no_code() {
    let server = inbox("IMAP4rev1 UIDPLUS")
        .on_append(|_| Some("NO APPEND The 1500 MB storage limit has been exceeded.".to_owned()))
        .start();
    let program = program_for(&server, "INBOX", &numbered(20));
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("is full");
    assert_eq!(
        server.commands_named("APPEND").len(),
        20.min(server.commands_named("APPEND").len())
    );
    assert_eq!(failed(&program), []);
}

#[test]
fn what_a_refused_multiappend_has_left_behind_is_not_sent_again() {
    let mut mails = numbered(29);
    mails[24] = Mail::simple("poison");
    // The mailbox had mail before.
    let old = [Mail::simple("old"), Mail::simple("older")];
    let expected = [&old[..], &without(&mails, 24)].concat();
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+ MULTIAPPEND"] {
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX").mails(&old))
            .stores_in_part()
            .refuse_body(b"about poison", "NO [CANNOT] Message contains poison")
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &["--ignore-errors"]).code(1);
        assert_holds(&server, "INBOX", &expected);
        assert_eq!(
            failed(&program),
            [("INBOX".to_owned(), 25)],
            "{capabilities}"
        );
        let note = entry(&program, "INBOX")["note"].to_string();
        assert!(note.contains("MULTIAPPEND"), "{note}");
        import(&program, &["--ignore-errors"]).code(1);
        assert_holds(&server, "INBOX", &expected);
    }
}

#[test]
fn a_message_that_was_refused_and_is_there_all_the_same_is_not_sent_again() {
    let mails = numbered(3);
    for capabilities in ["IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1"] {
        let (stored, refused) = (AtomicBool::new(false), AtomicBool::new(false));
        let first = mails[0].clone();
        let server = inbox(capabilities)
            .meanwhile(move |command, mailboxes| {
                if command.name == "APPEND" && !stored.swap(true, Ordering::SeqCst) {
                    let date = format!("\"{}\"", first.internaldate());
                    mailboxes[0].store(&first.flags, date, first.bytes.clone());
                }
            })
            .on_append(move |_| {
                let is_first = !refused.swap(true, Ordering::SeqCst);
                is_first.then(|| "NO something went wrong".to_owned())
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    }
}

#[test]
fn an_appenduid_that_cannot_be_right_is_not_used() {
    let mails = numbered(25);
    for wrong in ["7 1", "1 1", "99 3"] {
        let server = inbox("IMAP4rev1 LITERAL+ UIDPLUS").appenduid(wrong).start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_eq!(server.connections(), 1, "{wrong}");
        assert_holds(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 25]);
        std::fs::remove_file(journal(&program)).expect("remove the journal");
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn a_flag_list_is_sent_as_the_target_wants_it() {
    // Refused without a list, even an empty one.
    let mails = [
        Mail::simple("one"),
        Mail::simple("two").flagged("\\Seen"),
        Mail::simple("three"),
    ];
    let server = inbox("IMAP4rev1 UIDPLUS LITERAL+")
        .on_command(|command| {
            let text = command.text();
            let bare = command.name == "APPEND" && !text[..text.len().min(60)].contains('(');
            bare.then(|| Reply::tagged("BAD Server error encountered while opening mailbox."))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails);

    // A keyword for which a message is refused, for whatever words, is left out.
    let odd = Mail::simple("odd").flagged("\\Seen a~b");
    let server = inbox("IMAP4rev1 UIDPLUS LITERAL+")
        .refuse_flag("a~b", "NO Error in IMAP command received by server.")
        .start();
    let program = program_for(&server, "INBOX", std::slice::from_ref(&odd));
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &[odd.flagged("\\Seen")]);
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(note.contains("a~b"), "{note}");
}

#[test]
fn a_star_alone_keeps_the_system_flags_and_lost_flags_are_named() {
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").permanent_flags("\\*"))
        .start();
    let mails = [
        Mail::simple("one").flagged("\\Seen $ok \\x]"),
        Mail::simple("two").flagged("\\Flagged"),
    ];
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let sent = server.commands_named("APPEND").join("");
    assert!(
        sent.contains("(\\Seen $ok)") && sent.contains("(\\Flagged)"),
        "{sent}"
    );
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(note.contains("x]"), "{note}");
}

#[test]
fn one_broken_mailbox_costs_itself_in_import_and_validate() {
    let server = inbox(MODERN)
        .mailbox(FakeMailbox::new("Broken"))
        .on_command(|command| {
            let opens = ["SELECT", "EXAMINE"].contains(&command.name.as_str());
            let broken = opens && command.text().contains("Broken");
            broken.then(|| Reply::tagged("NO [SERVERBUG] Internal error occurred"))
        })
        .start();
    let program = Program::new();
    let mails = numbered(3);
    Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .mailbox("Broken", &[Mail::simple("lost")])
        .mailbox("Work", &mails)
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[])
        .code(1)
        .says("Broken")
        .says("Internal error occurred");
    assert_holds(&server, "INBOX", &mails);
    assert_holds(&server, "Work", &mails);
    let fixed = [
        "--mode",
        "validate",
        "--no-connectivity-test",
        "-q",
        "--report",
        "report.json",
    ];
    program.run(fixed).code(1);
    crate::kit::run::findings::assert_codes(&program, &["error unreadable-on-target"]);
    let compared = super::report(&program)["accounts"][0]["compared"].clone();
    assert_eq!(
        (compared["matched"].as_u64(), compared["unknown"].as_u64()),
        (Some(6), Some(1))
    );
}

#[test]
fn mailboxes_of_which_each_costs_a_connection_are_all_imported_and_validated() {
    const NAMES: [&str; 7] = ["INBOX", "A", "B", "C", "D", "E", "F"];
    // The command that ends the connection, once for each mailbox that is left.
    let armed = Arc::new(Mutex::new(("", Vec::new())));
    let (deadly, open) = (Arc::clone(&armed), Mutex::new(String::new()));
    let server = inbox(MODERN)
        .on_command(move |command| {
            let mut about = command.text();
            let mut open = open.lock().expect("not poisoned");
            if ["SELECT", "EXAMINE"].contains(&command.name.as_str()) {
                open.clone_from(&about);
            } else if command.name == "UID FETCH" {
                about.clone_from(&open);
            }
            let mut deadly = deadly.lock().expect("not poisoned");
            let (name, left): &mut (&str, Vec<&str>) = &mut deadly;
            let is_about = |name: &&str| about.trim_end_matches('"').ends_with(*name);
            let at = left.iter().position(is_about);
            left.remove(at.filter(|_| command.name == *name)?);
            Some(Reply::Close(Vec::new()))
        })
        .start();
    let arm = |command, names: &[&'static str]| {
        let mut armed = armed.lock().expect("not poisoned");
        assert!(armed.1.is_empty(), "{armed:?}");
        *armed = (command, names.to_vec());
    };
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    for name in NAMES {
        archive = archive.mailbox(name, &[Mail::simple(name)]);
    }
    archive.complete();
    aim(&program, &server.endpoint());
    for (command, names) in [
        ("CREATE", &NAMES[1..]),
        ("SELECT", &NAMES),
        ("UID FETCH", &NAMES),
    ] {
        arm(command, names);
        import(&program, &IMPATIENT).code(0);
        for name in NAMES {
            assert_holds(&server, name, &[Mail::simple(name)]);
        }
        std::fs::remove_file(journal(&program)).expect("remove the journal");
    }
    for command in ["EXAMINE", "UID FETCH"] {
        arm(command, &NAMES);
        let validate = ["--mode", "validate", "--no-connectivity-test", "-q"];
        program.run(validate).code(0);
    }
    arm("", &[]);
}

#[test]
fn no_mailbox_is_open_while_it_is_appended_to() {
    let mails = numbered(4);
    for capabilities in [
        "IMAP4rev1 LITERAL+ UIDPLUS UNSELECT",
        "IMAP4rev1 LITERAL+ UIDPLUS",
    ] {
        let open: Mutex<Option<String>> = Mutex::new(None);
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX").mails(&mails[..1]))
            .on_command(move |command| {
                let mut open = open.lock().expect("no panic");
                let text = command.text();
                match command.name.as_str() {
                    "SELECT" | "EXAMINE" => {
                        *open = text.contains("INBOX").then(|| command.name.clone());
                    }
                    "UNSELECT" => *open = None,
                    "APPEND" if open.is_some() => {
                        return Some(Reply::tagged("NO Current box is selected READ-ONLY."));
                    }
                    _ => {}
                }
                None
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn accounts_that_share_a_login_are_imported_one_after_the_other() {
    let mails = realistic(95, 60);
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let own = program.path("exported").join(ANNA);
    let mut accounts = vec![(ANNA, PASSWORD)];
    for alias in [
        "info@example.com",
        "Office@example.com",
        "sales@example.com",
    ] {
        copy(&own, &program.path("exported").join(alias));
        accounts.push((alias, PASSWORD));
    }
    aim_with(
        &program,
        &server.endpoint(),
        &accounts,
        &serde_json::Value::Null,
    );
    let config = std::fs::read_to_string(program.path("import.pass.config.json")).expect("read");
    let mut config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    for (account, login) in config["accounts"]
        .as_array_mut()
        .expect("accounts")
        .iter_mut()
        .zip([
            "anna@example.com",
            "Anna@Example.com",
            "anna@example.com",
            "ANNA@example.com",
        ])
    {
        account["login"] = login.into();
    }
    program.file("import.pass.config.json", &config.to_string());
    import(&program, &["--max-workers", "4"]).code(0);
    assert_holds(&server, "INBOX", &mails);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).expect("create");
    for entry in std::fs::read_dir(from)
        .expect("read")
        .map(|entry| entry.expect("an entry"))
    {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("copy");
        }
    }
}
