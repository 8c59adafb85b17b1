//! Kills, drops, silence, signals: the next run, or the next connection, completes the work.

use std::fs;
use std::path::Path;

use super::{ANNA, program_for, report, total};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, Random, realistic};
use crate::kit::run::archive::{ArchivedMailbox, assert_archive_equals_server};
use crate::kit::run::program::Program;
use crate::kit::run::reader::{Reader, assert_unchanged};
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer, Reply};
use crate::kit::wait_until;

/// Number of message files below a directory.
fn message_files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                message_files(&path)
            } else {
                usize::from(path.extension().is_some_and(|extension| extension == "eml"))
            }
        })
        .sum()
}

#[test]
fn ten_kills_lose_nothing_and_double_nothing() {
    const MESSAGES: usize = 1100;
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(30, 500));
    for number in 0..6 {
        dovecot.seed(ANNA, &format!("Box {number}"), &realistic(31 + number, 100));
    }
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let before = reader.mailboxes();
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    let exported = program.path("exported");
    let mut random = Random::new(7);
    let mut kills = 0;
    while kills < 10 {
        let there = message_files(&exported);
        if there >= MESSAGES {
            // Too fast for ten kills: begin anew.
            fs::remove_dir_all(&exported).expect("remove the archive");
            continue;
        }
        let more = usize::try_from(random.between(1, 140)).expect("few");
        let mut running = program.spawn_export(&["-q"]);
        wait_until("some progress, or the end", || {
            message_files(&exported) >= MESSAGES.min(there + more) || !running.is_running()
        });
        running.kill9();
        kills += 1;
    }
    program.export(&[]).code(0);
    let after = reader.mailboxes();
    assert_unchanged(&before, &after);
    assert_archive_equals_server(&program.archive(ANNA), &after);
    assert_eq!(message_files(&exported), MESSAGES);
}

#[test]
fn a_connection_dropped_inside_a_message_is_made_again() {
    let mails = realistic(40, 40);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .on_fetch_times(20, 1, Behaviour::DropAt(100))
        .on_fetch_times(30, 1, Behaviour::Bye("[UNAVAILABLE] restarting".to_owned()))
        .start();
    let program = program_for(&server);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(server.connections(), 3);
    let inbox = program.archive(ANNA).mailbox("INBOX");
    assert_is(&inbox, &mails);
    assert_eq!(total(&program, "new"), 40);
    // What had come before the drop was not fetched again.
    let fetches = server.commands_named("UID FETCH");
    let bodies = fetches.iter().filter(|fetch| fetch.contains("BODY"));
    let again = bodies.clone().next_back().expect("a fetch");
    assert!(!again.contains(" 1:"), "{fetches:?}");
}

#[test]
fn a_message_that_always_breaks_the_connection_is_given_up_and_the_others_are_not() {
    let mails = realistic(41, 9);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .on_fetch(5, Behaviour::DropAt(10))
        .start();
    let program = program_for(&server);
    program.export(&["--report", "report.json"]).code(1);
    let archive = program.archive(ANNA);
    assert_eq!(archive.mailbox("INBOX").messages.len(), 8);
    let failed = archive.failed();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["uid"], 5);
    assert_eq!(failed[0]["mailbox"], "INBOX");
    assert_eq!(archive.state()["complete"], false);

    server.behave();
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 1);
    let archive = program.archive(ANNA);
    assert_is(&archive.mailbox("INBOX"), &mails);
    assert_eq!(archive.failed(), [serde_json::Value::Null; 0]);
    assert_eq!(archive.state()["complete"], true);
}

#[test]
fn a_run_that_is_cut_off_leaves_no_state_that_claims_to_be_complete() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(46, 3)))
        .on_fetch_times(4, 1, Behaviour::StallAt(9))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(program.archive(ANNA).state()["complete"], true);
    server.edit(|mailboxes| {
        let more = FakeMailbox::new("").mails(&realistic(47, 4)).messages;
        mailboxes[0].messages.push(more[3].clone());
    });
    server.forget();
    let running = program.spawn_export(&[]);
    wait_until("the new message is asked for", || {
        let fetches = server.commands_named("UID FETCH");
        fetches.iter().any(|fetch| fetch.contains("BODY"))
    });
    running.kill9();
    assert_eq!(program.archive(ANNA).state()["complete"], false);
    program.export(&[]).code(0);
    assert_eq!(program.archive(ANNA).state()["complete"], true);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 4);
}

#[test]
fn silence_ends_with_a_timeout_that_says_so() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(42, 3)))
        .on_fetch_times(2, 1, Behaviour::StallAt(20))
        .start();
    let program = program_for(&server);
    program
        .export(&["--imap-timeout", "1"])
        .code(0)
        .warns("no answer for 1 s (--imap-timeout)");
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 3);

    let server = FakeServer::options()
        .on_command(|command| (command.name == "LIST").then(|| Reply::Stall(Vec::new())))
        .start();
    let program = program_for(&server);
    program
        .export(&["--imap-timeout", "1"])
        .code(1)
        .says(ANNA)
        .says("no answer for 1 s");
}

#[test]
fn a_backoff_that_the_server_names_is_obeyed() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(43, 3)))
        .on_fetch_times(
            2,
            1,
            Behaviour::Bye(
                "Request is throttled. Suggested Backoff Time: 1234 milliseconds".to_owned(),
            ),
        )
        .start();
    let program = program_for(&server);
    program
        .export(&[])
        .code(0)
        .warns("trying again on a new connection in 1.2 s")
        .warns("Suggested Backoff Time");
    assert_eq!(server.connections(), 2);
}

#[test]
fn too_many_connections_are_waited_for() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(44, 3)))
        .on_command(|command| {
            let refuse = command.name == "LOGIN" && command.connection == 0;
            refuse.then(|| {
                Reply::tagged(
                    "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
                )
            })
        })
        .start();
    program_for(&server).export(&[]).code(0);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_signal_stops_in_good_order() {
    for name in ["INT", "TERM"] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(45, 30)))
            .on_fetch_times(20, 1, Behaviour::StallAt(50))
            .start();
        let program = program_for(&server);
        let running = program.spawn_export(&["--report", "report.json"]);
        wait_until("19 messages on disk", || {
            message_files(&program.path("exported")) == 19
        });
        running.signal(name);
        running.wait().code(130).says("stopped");
        assert_eq!(report(&program)["exit_code"], 130);
        let state = program.archive(ANNA).state();
        assert_eq!(state["complete"], false);
        assert_eq!(state["mailboxes"][0]["messages"], 19);
        program.export(&["--report", "report.json"]).code(0);
        assert_eq!(total(&program, "new"), 11);
        assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 30);
    }
}

#[track_caller]
fn assert_is(mailbox: &ArchivedMailbox, mails: &[Mail]) {
    let bytes: Vec<&[u8]> = mailbox.messages.values().map(|m| &m.bytes[..]).collect();
    let expected: Vec<&[u8]> = mails.iter().map(|mail| &mail.bytes[..]).collect();
    assert!(bytes == expected, "{} messages", bytes.len());
    assert_eq!(mailbox.strays, [""; 0]);
}
