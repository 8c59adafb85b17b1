//! Servers that want to harm the modes that compare with an archive or fill a mailbox, and commands that never end.

use std::thread::sleep;
use std::time::Duration;

use super::{Client, EXPORT, Heard, IMPORT, assert_contained_in, converse, effort, one_message};
use crate::kit::run::parallel::in_parallel;

const VALIDATE: [&str; 3] = ["--mode", "validate", "--no-connectivity-test"];

/// Answers like a server with one message, but commands that begin with `command` as `evil` does.
fn but(client: &mut Client, login: &Heard, command: &str, evil: impl Fn(&mut Client)) {
    converse(client, login, |client, heard| {
        if heard.words.starts_with(command) {
            evil(client);
            return false;
        }
        let data = one_message(&heard.words);
        client.say(format!("{data}{} OK\r\n", heard.tag))
    });
}

/// However fast they come, and however many: they are not those that were asked for.
#[test]
fn messages_that_nobody_asked_for_without_end() {
    const NOTHING: &str = "nothing that was asked for";
    let floods: [(&[&str], &str, &'static str); 4] = [
        (&EXPORT, "* 1 FETCH (UID 1 FLAGS ())\r\n", NOTHING),
        (
            &EXPORT,
            "* 7 FETCH (UID 7 FLAGS () INTERNALDATE NIL BODY[] {3}\r\nabc)\r\n",
            NOTHING,
        ),
        (
            &["--mode", "audit"],
            "* 9 FETCH (FLAGS () UID 9 INTERNALDATE NIL)\r\n",
            NOTHING,
        ),
        // After two such ends the mailbox is looked at in other ways, which name no message either.
        (&VALIDATE, "* LIST () NIL INBOX\r\n", "names 0"),
    ];
    in_parallel(&floods, floods.len(), |(mode, line, words)| {
        let flood = line.repeat(100);
        assert_contained_in(mode, words, move |client, login| {
            but(client, login, "UID FETCH", |client| {
                // Slower than it would take the most that a command may be answered.
                while client.say(&flood) {
                    sleep(Duration::from_millis(20));
                }
            });
        });
    });
}

/// Each line is whole and says nothing new.
#[test]
fn commands_that_are_answered_without_end() {
    const FETCHED: &str = "* 1 FETCH (UID 1)\r\n";
    const STILL_HERE: &str = "* OK Still here\r\n";
    const NO_END: &str = "ends no command";
    let cases: [(&[&str], &str, &'static str, &str); 6] = [
        (&IMPORT, "APPEND", STILL_HERE, NO_END),
        (&["--mode", "audit"], "UID FETCH", FETCHED, NO_END),
        (&EXPORT, "LIST", STILL_HERE, NO_END),
        (&IMPORT, "EXAMINE", "* 1 EXISTS\r\n", NO_END),
        (&VALIDATE, "EXAMINE", "* 1 EXISTS\r\n", NO_END),
        // After two such ends the mailbox is looked at in other ways, which name no message either.
        (&VALIDATE, "UID FETCH", FETCHED, "names 0"),
    ];
    let cases = &cases[..effort(2, cases.len())];
    in_parallel(cases, cases.len(), |(mode, command, line, words)| {
        let (command, line) = ((*command).to_owned(), *line);
        assert_contained_in(mode, words, move |client, login| {
            but(client, login, &command, |client| {
                while client.say(line) {
                    sleep(Duration::from_millis(300));
                }
            });
        });
    });
}

#[test]
fn messages_with_flags_without_measure() {
    let words = "more flags than a mailbox can have";
    assert_contained_in(&VALIDATE, words, |client, login| {
        but(client, login, "UID FETCH", |client| {
            for message in 1.. {
                let flags: Vec<String> = (0..400).map(|n| format!("f{message}-{n}")).collect();
                let flags = flags.join(" ");
                let said = client.say(format!(
                    "* {message} FETCH (UID {message} FLAGS ({flags}) RFC822.SIZE 1 \
                     BODY[HEADER.FIELDS (DATE)] {{0}}\r\n)\r\n"
                ));
                if !said {
                    break;
                }
            }
        });
    });
}
