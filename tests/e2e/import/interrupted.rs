//! Kills, drops and torn answers: afterwards the target holds what the archive holds, nothing lost and nothing twice.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, inbox, journal, of_held, of_mails, program_for,
    reader, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, Random, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::parallel::in_parallel;
use crate::kit::run::program::{IMPORT, Output, Program};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{Cut, FakeMailbox, FakeOptions, FakeServer, Reply};
use crate::kit::wait_until;

/// What was under way when a connection ended has settled after so long on these servers.
fn import(program: &Program, arguments: &[&str]) -> Output {
    super::import(program, &[&["--imap-timeout", "1"], arguments].concat())
}

/// Number of message files in Maildirs below a directory, those that are just being written included.
fn mail_files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return mail_files(&path);
            }
            let place = path.parent().and_then(Path::file_name);
            usize::from(place.is_some_and(|name| name == "cur" || name == "new" || name == "tmp"))
        })
        .sum()
}

#[test]
fn ten_kills_lose_nothing_and_double_nothing() {
    const BOXES: u64 = 8;
    const EACH: usize = 150;
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    let mut expected = Vec::new();
    for number in 0..BOXES {
        let mails = realistic(70 + number, EACH);
        let name = format!("Box {number}");
        archive = archive.mailbox(&name, &mails);
        expected.push((name, of_mails(&mails)));
    }
    archive.complete();
    let dovecot = Dovecot::simple();
    aim(&program, &dovecot.imaps());
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let home = dovecot.home(ANNA);
    let mut random = Random::new(8);
    let mut kills = 0;
    while kills < 10 {
        let there = mail_files(&home);
        let more = usize::try_from(random.between(1, 110)).expect("few");
        let mut running = program.spawn(IMPORT.iter().chain(&["-q"]));
        wait_until("some progress, or the end", || {
            mail_files(&home) >= there + more || !running.is_running()
        });
        if running.is_running() {
            running.kill9();
            kills += 1;
        } else {
            // Too fast for ten kills: begin anew.
            running.wait().code(0);
            fs::remove_file(journal(&program)).expect("remove the journal");
            for (name, _) in &expected {
                on_b.delete(name);
            }
        }
    }
    import(&program, &[]).code(0);
    for (name, expected) in &expected {
        assert_same(name, &of_held(&on_b.mailbox(name)), expected);
    }
    import(&program, &[]).code(0);
    let all = u64::try_from(EACH).expect("few") * BOXES;
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, all]);
}

/// Every place where the connection may end, once each, alternately in good order and by a reset.
fn cut_everywhere(capabilities: &str) {
    let mails = realistic(80, 24);
    let length = mails[9].bytes.len();
    let cuts = [
        Cut::BeforeLiteral,
        Cut::InLiteral(0),
        Cut::InLiteral(1),
        Cut::InLiteral(length / 2),
        Cut::InLiteral(length - 1),
        Cut::Unstored,
        Cut::Stored(0),
        Cut::Stored(7),
    ];
    let cuts: Vec<(Way, Cut)> = both_ways(&cuts).collect();
    in_parallel(&cuts, 8, |(way, cut)| {
        let options = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX"));
        let server = way(options, *cut).start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        let place = format!("{capabilities}, {cut:?}");
        assert!(
            server.connections() >= 2,
            "{place}: the connection was not cut"
        );
        let held = of_held(&reader(&server).mailbox("INBOX"));
        assert_same(&place, &held, &of_mails(&mails));
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 24], "{place}");
    });
}

type Way = fn(FakeOptions, Cut) -> FakeOptions;

fn both_ways(cuts: &[Cut]) -> impl Iterator<Item = (Way, Cut)> {
    let ways: [Way; 2] = [
        |options, cut| options.cut_append(10, cut),
        |options, cut| options.reset_append(10, cut),
    ];
    cuts.iter()
        .zip(ways.into_iter().cycle())
        .map(|(cut, way)| (way, *cut))
}

#[test]
fn a_multiappend_is_cut_off_anywhere() {
    cut_everywhere(MODERN);
}

#[test]
fn a_multiappend_is_cut_off_anywhere_and_the_target_says_no_uids() {
    cut_everywhere("IMAP4rev1 LITERAL+ MULTIAPPEND");
}

#[test]
fn a_pipelined_append_is_cut_off_anywhere() {
    cut_everywhere("IMAP4rev1 LITERAL+ UIDPLUS");
}

#[test]
fn a_synchronising_append_is_cut_off_anywhere() {
    cut_everywhere("IMAP4rev1 UIDPLUS");
}

#[test]
fn a_synchronising_append_is_cut_off_anywhere_and_the_target_says_no_uids() {
    cut_everywhere("IMAP4rev1");
}

#[test]
fn twins_are_still_two_when_one_of_them_was_cut_off() {
    let twin = Mail::simple("twin");
    let mails = [twin.clone(), twin.clone(), twin, Mail::simple("other")];
    in_parallel(
        &[MODERN, "IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1"],
        3,
        |capabilities| {
            for cut in [Cut::Stored(0), Cut::Unstored, Cut::InLiteral(3)] {
                let server = FakeServer::options()
                    .capabilities(capabilities)
                    .mailbox(FakeMailbox::new("INBOX"))
                    .cut_append(2, cut)
                    .start();
                let program = program_for(&server, "INBOX", &mails);
                import(&program, &[]).code(0);
                assert_holds(&server, "INBOX", &mails);
            }
        },
    );
}

#[test]
fn a_message_of_the_target_s_own_is_not_taken_for_one_that_was_cut_off() {
    let mails = [Mail::simple("first"), Mail::simple("second")];
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX").mails(&[Mail::simple("its own")]))
        .cut_append(2, Cut::Unstored)
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let all = [&mails[..], &[Mail::simple("its own")]].concat();
    assert_holds(&server, "INBOX", &all);
}

#[test]
fn a_killed_run_leaves_pending_messages_that_the_next_run_looks_for() {
    for stored in [true, false] {
        let mails = realistic(81, 12);
        let server = FakeServer::options()
            .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
            .mailbox(FakeMailbox::new("INBOX"))
            .cut_append(
                6,
                if stored {
                    Cut::Stored(0)
                } else {
                    Cut::Unstored
                },
            )
            .on_command(|command| {
                // No way to make good in the same run.
                let later = command.name == "LOGIN" && command.connection == 1;
                later.then(|| Reply::Stall(Vec::new()))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        let running = program.spawn(IMPORT.iter().chain(&["-q"]));
        wait_until("the second connection", || server.connections() == 2);
        running.kill9();
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn a_torn_line_at_the_end_of_the_journal_is_repaired() {
    let mails = realistic(82, 20);
    let server = inbox(MODERN).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let text = fs::read(journal(&program)).expect("the journal");
    for torn in [text.len() - 1, text.len() - 20, text.len() / 2] {
        fs::write(journal(&program), &text[..torn]).expect("tear the journal");
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
    let mut file = File::options()
        .append(true)
        .open(journal(&program))
        .expect("the journal");
    file.write_all(b"{\"event\":\"pend")
        .expect("write half a line");
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 20]);
    assert_holds(&server, "INBOX", &mails);
    let text = fs::read_to_string(journal(&program)).expect("the journal");
    for line in text.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
}

#[test]
fn a_signal_stops_in_good_order_and_the_next_run_completes() {
    for name in ["INT", "TERM"] {
        let mails = realistic(83, 30);
        let server = FakeServer::options()
            .capabilities("IMAP4rev1 UIDPLUS")
            .mailbox(FakeMailbox::new("INBOX"))
            .on_command(|command| {
                let slow = command.name == "APPEND" && command.connection == 0;
                // The server takes its time for each message, or the run would be over before the signal.
                if slow {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                None
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        let running = program.spawn(IMPORT.iter().chain(&["--report", "report.json"]));
        wait_until("some messages", || {
            server.mailbox("INBOX").messages.len() > 2
        });
        running.signal(name);
        running.wait().code(130).says("stopped");
        assert!(
            server.mailbox("INBOX").messages.len() < 30,
            "it went on to the end"
        );
        import(&program, &[]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn a_server_that_falls_silent_is_told_of_before_it_is_given_up() {
    let mails = realistic(85, 3);
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(|command| {
            let silent = command.name == "APPEND" && command.connection == 0;
            silent.then(|| Reply::Stall(b"* OK still here\r\n".to_vec()))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    super::import(&program, &["--imap-timeout", "3"])
        .code(0)
        .warns("the server does not finish what it was asked for; still waiting");
    assert_holds(&server, "INBOX", &mails);
}

/// More is sent ahead than sockets hold, and the server reads none of it.
#[test]
fn a_server_that_takes_nothing_more_is_told_of_before_it_is_given_up() {
    let mails: Vec<Mail> = (0..8)
        .map(|n| {
            let body = "twenty bytes a line\r\n".repeat(100_000);
            Mail::new("large", format!("Subject: large {n}\r\n\r\n{body}"))
        })
        .collect();
    let second = (Mutex::new(false), Condvar::new());
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(move |command| {
            let (has_come, came) = &second;
            let mut here = has_come.lock().expect("no test panics here");
            if command.connection > 0 {
                *here = true;
                came.notify_all();
            } else if command.name == "APPEND" {
                let limit = Duration::from_secs(120);
                let waited = came.wait_timeout_while(here, limit, |here| !*here);
                drop(waited.expect("no test panics here"));
                return Some(Reply::Close(Vec::new()));
            }
            None
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    let output = super::import(&program, &["--imap-timeout", "3"]);
    output
        .code(0)
        .warns("the server does not finish what it was asked for; still waiting");
    output.warns("write to the server: no answer for 3 s");
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn throttling_and_too_many_connections_are_waited_for() {
    let mails = realistic(84, 10);
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(
            |command| match (command.connection, command.name.as_str()) {
                (0, "APPEND") => Some(Reply::bye(
                    "Request is throttled. Suggested Backoff Time: 321 milliseconds",
                )),
                (1, "APPEND") => Some(Reply::tagged("NO [UNAVAILABLE] try later")),
                _ => None,
            },
        )
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[])
        .code(0)
        .warns("trying again on a new connection in 0.3 s");
    assert_holds(&server, "INBOX", &mails);
}
