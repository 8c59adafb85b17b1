//! One statement of a server is not a fact: where two contradict each other, the one that means more mail is followed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ANNA, program_for, report, total};
use crate::kit::mail::realistic;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeMessage, FakeServer, Reply, TooMany};

/// UIDs that the archive's mailbox of this name holds.
fn uids(program: &Program, mailbox: &str) -> Vec<u32> {
    let archive = program.archive(ANNA);
    archive.mailbox(mailbox).messages.keys().copied().collect()
}

fn claims_to_be_complete(program: &Program) -> bool {
    program.archive(ANNA).state()["complete"] == true
}

#[test]
fn what_status_calls_empty_is_examined_all_the_same() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 LIST-STATUS"] {
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(60, 3)))
            .mailbox(FakeMailbox::new("Old").mails(&realistic(61, 2)))
            .mailbox(FakeMailbox::new("Empty"))
            .on_command(|command| {
                let lines: String = ["INBOX", "Old", "Empty"]
                    .iter()
                    .filter(|name| command.name == "LIST" || command.text().contains(*name))
                    .map(|name| format!("* STATUS {name} (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)\r\n"))
                    .collect();
                match command.name.as_str() {
                    "STATUS" => Some(Reply::Raw(format!("{lines}{{tag}} OK\r\n").into())),
                    "LIST" if command.text().contains("RETURN") => {
                        Some(Reply::Raw(format!("{lines}{{tag}} OK\r\n").into()))
                    }
                    _ => None,
                }
            })
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3], "{capabilities}");
        assert_eq!(uids(&program, "Old"), [1, 2], "{capabilities}");
        assert_eq!(uids(&program, "Empty"), [0; 0], "{capabilities}");
    }
}

#[test]
fn what_exists_counts_is_fetched_whatever_uidnext_says() {
    let mut low = FakeMailbox::new("INBOX").mails(&realistic(62, 6));
    low.uidnext = Some(4);
    let mut none = FakeMailbox::new("None").mails(&realistic(63, 2));
    none.uidnext = Some(1);
    let mut back = FakeMailbox::new("Back").mails(&realistic(64, 3));
    back.uidnext = Some(4);
    let server = FakeServer::options()
        .mailbox(low)
        .mailbox(none)
        .mailbox(back)
        .start();
    let program = program_for(&server);
    program
        .export(&[])
        .code(0)
        .says("UIDNEXT is 4")
        .says("UIDNEXT is 1");
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5, 6]);
    assert_eq!(uids(&program, "None"), [1, 2]);
    // New mail, and a UIDNEXT that stands still.
    server.edit(|mailboxes| {
        let more = realistic(65, 2);
        for (uid, mail) in (4..).zip(&more) {
            mailboxes[2].messages.push(FakeMessage::of(uid, mail));
        }
    });
    program.export(&[]).code(0);
    assert_eq!(uids(&program, "Back"), [1, 2, 3, 4, 5]);
}

#[test]
fn a_message_that_only_a_probe_is_refused_for_is_not_deleted() {
    for refusal in ["NO [SERVERBUG] internal error", "BAD no", "OK nothing"] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(66, 5)))
            .on_fetch(3, Behaviour::Omit)
            .on_command(move |command| {
                let probes = command.text().contains("UID FETCH 3 (UID RFC822.SIZE");
                probes.then(|| Reply::tagged(refusal))
            })
            .start();
        let program = program_for(&server);
        program.export(&[]).code(1).says("uid 3");
        assert_eq!(uids(&program, "INBOX"), [1, 2, 4, 5], "{refusal}");
        assert_eq!(program.archive(ANNA).failed()[0]["uid"], 3, "{refusal}");
        assert!(!claims_to_be_complete(&program), "{refusal}");
    }
}

#[test]
fn a_refused_inventory_moves_nothing_aside() {
    for refusal in ["NO [SERVERBUG] internal error", "BAD no", "OK done"] {
        let refusing = std::sync::Arc::new(AtomicBool::new(false));
        let hook = std::sync::Arc::clone(&refusing);
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(67, 5)))
            .on_command(move |command| {
                let named = command.name == "UID FETCH" || command.name == "UID SEARCH";
                let refused = named && hook.load(Ordering::SeqCst);
                refused.then(|| Reply::tagged(refusal))
            })
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        refusing.store(true, Ordering::SeqCst);
        program.export(&[]).code(1);
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5], "{refusal}");
        assert!(!claims_to_be_complete(&program), "{refusal}");
        refusing.store(false, Ordering::SeqCst);
        program.export(&[]).code(0);
        assert!(claims_to_be_complete(&program));
    }
}

#[test]
fn fetch_of_an_empty_mailbox_may_be_refused() {
    for refusal in ["NO the specified message set is invalid", "BAD bad set"] {
        let opened = Mutex::new(String::new());
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(68, 3)))
            .mailbox(FakeMailbox::new("Empty"))
            .on_command(move |command| {
                let mut opened = opened.lock().expect("no panic");
                match command.name.as_str() {
                    "STATUS" => return Some(Reply::tagged("NO not here")),
                    "EXAMINE" => *opened = command.text(),
                    _ => {}
                }
                let empty = command.name == "UID FETCH" && opened.contains("Empty");
                empty.then(|| Reply::tagged(refusal))
            })
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        assert!(claims_to_be_complete(&program));
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3]);
    }
}

#[test]
fn an_examine_without_uidvalidity_says_nothing_against_that_of_status() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(69, 3)))
        .mailbox(FakeMailbox::new("Old").mails(&realistic(70, 1200)))
        .uidvalidity_when_opened(|_, _| None)
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3]);
    assert_eq!(uids(&program, "Old").len(), 1200);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "unchanged"), 1203);
}

#[test]
fn a_date_in_another_zone_is_the_same_date() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").message(FakeMessage {
            internaldate: "\"17-Jul-2020 02:44:25 -0700\"".to_owned(),
            ..FakeMessage::new(1, "Subject: a\r\n\r\nb\r\n")
        }))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.edit(|mailboxes| {
        "\"17-Jul-2020 11:44:25 +0200\"".clone_into(&mut mailboxes[0].messages[0].internaldate);
    });
    server.forget();
    program.export(&[]).code(0);
    let fetches = server.commands_named("UID FETCH");
    assert!(
        fetches.iter().all(|fetch| !fetch.contains("BODY")),
        "{fetches:?}"
    );
}

#[test]
fn another_message_under_an_old_uid_is_noticed_by_its_size() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").message(FakeMessage::new(1, "Subject: a\r\n\r\n1\r\n")))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let sidecar = &program.archive(ANNA).mailbox("INBOX").messages[&1].sidecar;
    assert_eq!(sidecar["rfc822_size"], 17);
    server.edit(|mailboxes| {
        mailboxes[0].messages[0].body =
            std::sync::Arc::new(b"Subject: other\r\n\r\n2\r\n".to_vec());
    });
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX");
    assert!(inbox.messages[&1].bytes.starts_with(b"Subject: other"));
    assert!(
        inbox.dir.join(".superseded-1/u0000000001.eml").exists(),
        "the old one is kept"
    );
}

/// Three mailboxes, of which the first export does not bring `Bad`.
fn with_bad(refusing: &std::sync::Arc<AtomicBool>) -> FakeServer {
    let hook = std::sync::Arc::clone(refusing);
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(71, 2)))
        .mailbox(FakeMailbox::new("Bad").mails(&realistic(72, 2)))
        .mailbox(FakeMailbox::new("Good").mails(&realistic(73, 2)))
        .on_command(move |command| {
            let bad = command.name == "EXAMINE" && command.text().contains("Bad");
            let refused = bad && hook.load(Ordering::SeqCst);
            refused.then(|| Reply::tagged("NO cannot open it"))
        })
        .start()
}

#[test]
fn a_filtered_run_forgets_nothing_that_is_missing() {
    let refusing = std::sync::Arc::new(AtomicBool::new(true));
    let server = with_bad(&refusing);
    let program = program_for(&server);
    program.export(&[]).code(1);
    assert!(!claims_to_be_complete(&program));
    for filter in [["--folder", "INBOX"], ["--exclude-folder", "Bad"]] {
        program.export(&filter).code(0);
        let state = program.archive(ANNA).state();
        assert_eq!(state["complete"], false, "{filter:?}");
        assert!(state["mailboxes"].to_string().contains("Bad"), "{filter:?}");
    }
    refusing.store(false, Ordering::SeqCst);
    let brings = ["--folder", "Bad"];
    program.export(&brings).code(0);
    assert!(claims_to_be_complete(&program), "now the whole is there");
}

#[test]
fn a_mailbox_whose_directory_is_lost_stays_missing_until_a_run_brings_it() {
    let refusing = std::sync::Arc::new(AtomicBool::new(false));
    let server = with_bad(&refusing);
    let program = program_for(&server);
    program.export(&[]).code(0);
    let directory = program.archive(ANNA).mailbox("Bad").dir;
    std::fs::remove_dir_all(&directory).expect("removed");
    let inbox = ["--folder", "INBOX"];
    program.export(&inbox).code(0);
    assert!(!claims_to_be_complete(&program));
    program.audit(&[]).code(1).says("mailbox-gone");
    program.export(&[]).code(0);
    assert!(claims_to_be_complete(&program));
    assert_eq!(uids(&program, "Bad"), [1, 2]);
}

#[test]
fn a_filter_that_comes_later_leaves_the_record_one_of_the_whole() {
    let server = with_bad(&std::sync::Arc::new(AtomicBool::new(false)));
    let program = program_for(&server);
    program.export(&[]).code(0);
    program.export(&["--folder", "INBOX"]).code(0);
    let state = program.archive(ANNA).state();
    assert_eq!(state["complete"], true);
    assert!(state.get("folders").is_none(), "{state}");
    let states = state["mailboxes"].as_array().expect("mailboxes");
    assert!(states.iter().all(|mailbox| mailbox["complete"] == true));
}

#[test]
fn a_first_export_that_is_killed_leaves_a_record_that_says_so() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(74, 5)))
        .on_fetch(4, Behaviour::Silence)
        .start();
    let program = program_for(&server);
    let running = program.spawn_export(&[]);
    let first = program
        .path("exported")
        .join(ANNA)
        .join("INBOX/u0000000003.json");
    crate::kit::wait_until("three messages are there", || first.exists());
    running.kill9();
    assert!(!claims_to_be_complete(&program));
    program.audit(&[]).code(1).says("incomplete");
}

#[test]
fn what_the_archive_lost_is_fetched_again_and_told() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(75, 5)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX").dir;
    for name in ["u0000000002.eml", "u0000000002.json", "u0000000004.json"] {
        std::fs::remove_file(inbox.join(name)).expect("removed");
    }
    program
        .export(&["--report", "report.json"])
        .code(0)
        .says("2 messages that the archive had were lost there, and fetched again");
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5]);
    assert_eq!(report(&program)["totals"]["new"], 2);
    // What the server has no longer either is lost for good.
    std::fs::remove_file(inbox.join("u0000000003.eml")).expect("removed");
    std::fs::remove_file(inbox.join("u0000000003.json")).expect("removed");
    server.edit(|mailboxes| mailboxes[0].messages.retain(|message| message.uid != 3));
    program.export(&[]).code(1).says("message-gone");
    program.export(&[]).code(0);
}

#[test]
fn what_a_server_takes_only_in_part_is_asked_for_to_the_end() {
    let ways = [
        TooMany::FromAbove,
        TooMany::FromBelow,
        TooMany::Refused("NO"),
        TooMany::Refused("BAD"),
    ];
    for way in ways {
        let mut inbox = FakeMailbox::new("INBOX").mails(&realistic(140, 23));
        for message in &mut inbox.messages {
            // With gaps, as mailboxes have them.
            message.uid = message.uid * 3 - message.uid % 2;
        }
        let server = FakeServer::options()
            .capabilities("IMAP4rev1 LITERAL+ UIDPLUS MESSAGELIMIT=4")
            .mailbox(inbox)
            .mailbox(FakeMailbox::new("Few").mails(&realistic(141, 3)))
            .message_limit(4, way)
            .start();
        let program = program_for(&server);
        let held = |server: &FakeServer| -> Vec<u32> {
            let messages = server.mailbox("INBOX").messages;
            messages.iter().map(|message| message.uid).collect()
        };
        program.export(&[]).code(0);
        assert_eq!(uids(&program, "INBOX"), held(&server), "{way:?}");
        assert!(claims_to_be_complete(&program), "{way:?}");
        // One went, one came, one was read: seen by an inventory in parts as by a whole one.
        server.edit(|mailboxes| {
            let uid = mailboxes[0].next_uid();
            let mail = crate::kit::mail::Mail::simple("new");
            let messages = &mut mailboxes[0].messages;
            messages.push(FakeMessage::of(uid, &mail));
            messages.remove(7);
            messages[2].flags = "\\Answered".to_owned();
        });
        program.export(&["--report", "report.json"]).code(0);
        assert_eq!(uids(&program, "INBOX"), held(&server), "{way:?}");
        let of = |name| total(&program, name);
        let told = (of("new"), of("vanished"), of("flags_changed"));
        assert_eq!(told, (1, 1, 1), "{way:?}");
        program.run(["--mode", "audit"]).code(0);
        let config = std::fs::read_to_string(program.path("export.pass.config.json"));
        program.file("import.pass.config.json", &config.expect("a configuration"));
        let validate = ["--mode", "validate", "--no-connectivity-test"];
        program.run(validate).code(0);
        program.run(validate.iter().chain(&["--deep"])).code(0);
        let import = program.run(["--mode", "import", "--no-connectivity-test"]);
        import.code(0);
        assert_eq!(server.commands_named("APPEND").len(), 0, "{way:?}");
    }
}

#[test]
fn what_status_counts_and_no_opening_shows_is_missing_unless_it_was_deleted_meanwhile() {
    let empty = std::sync::Arc::new(AtomicBool::new(false));
    let hook = std::sync::Arc::clone(&empty);
    let opened = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 6] ok\r\n{tag} OK [READ-ONLY] done\r\n";
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(71, 5)))
        .on_command(move |command| {
            let is_empty = hook.load(Ordering::SeqCst);
            match command.name.as_str() {
                "EXAMINE" if is_empty => Some(Reply::Raw(opened.to_vec())),
                "UID FETCH" if is_empty => Some(Reply::tagged("OK done")),
                _ => None,
            }
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    empty.store(true, Ordering::SeqCst);
    program
        .export(&[])
        .code(1)
        .says("STATUS counts 5 messages, EXAMINE 0");
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5]);
    assert!(!claims_to_be_complete(&program));
    empty.store(false, Ordering::SeqCst);
    program.export(&[]).code(0);
    assert!(claims_to_be_complete(&program));
}

#[test]
fn what_is_deleted_between_status_and_examine_is_gone() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(72, 5)))
        .meanwhile(|command, mailboxes| {
            if command.name == "EXAMINE" {
                mailboxes[0].messages.retain(|message| message.uid != 2);
            }
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(uids(&program, "INBOX"), [1, 3, 4, 5]);
}

#[test]
fn a_list_that_names_nothing_moves_nothing_aside() {
    let silent = std::sync::Arc::new(AtomicBool::new(false));
    let hook = std::sync::Arc::clone(&silent);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(73, 2)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(74, 2)))
        .on_command(move |command| {
            let says_nothing = command.name == "LIST" && hook.load(Ordering::SeqCst);
            says_nothing.then(|| Reply::tagged("OK done"))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    silent.store(true, Ordering::SeqCst);
    program
        .export(&[])
        .code(1)
        .says("LIST names nothing at all");
    assert_eq!(uids(&program, "INBOX").len(), 2);
    assert_eq!(uids(&program, "Sent").len(), 2);
    assert!(!claims_to_be_complete(&program));
}

#[test]
fn a_mailbox_that_only_the_extended_list_names_is_copied() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LIST-EXTENDED LIST-STATUS")
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(75, 2)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(76, 2)))
        .on_command(|command| {
            let is_plain = command.name == "LIST" && !command.text().contains("RETURN");
            let inbox = b"* LIST () \"/\" INBOX\r\n{tag} OK done\r\n";
            is_plain.then(|| Reply::Raw(inbox.to_vec()))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(uids(&program, "Sent").len(), 2);
}
