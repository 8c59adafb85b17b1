//! Old servers that want to harm an export.

use std::thread::sleep;
use std::time::Duration;

use super::super::ANNA;
use super::{Client, EVE, HELLO, Heard, assert_contained, converse, one_message, run_beside};
use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::run::program::{EXPORT, Program};
use crate::kit::servers::listener::Listener;

#[test]
fn a_login_that_is_answered_without_end() {
    assert_contained("keeps talking", |client, _| {
        // Few lines: what a line costs is no matter here.
        let flood = format!("* OK {}\r\n", "still thinking about it ".repeat(40)).repeat(100);
        while client.say(&flood) {}
    });
}

#[test]
fn a_list_without_end() {
    assert_contained("lists more than 100000 mailboxes", |client, login| {
        converse(client, login, |client, _| {
            let flood = "* LIST () \"/\" again\r\n".repeat(1000);
            while client.say(&flood) {}
            false
        });
    });
}

#[test]
fn a_million_mailboxes() {
    assert_contained("lists more than 100000 mailboxes", |client, login| {
        converse(client, login, |client, heard| {
            if heard.words.starts_with("LIST") {
                for number in 0..1_000_000 {
                    if !client.say(format!("* LIST () \"/\" \"box {number}\"\r\n")) {
                        return false;
                    }
                }
            }
            client.say(format!("{} OK\r\n", heard.tag))
        });
    });
}

#[test]
fn a_literal_that_no_machine_could_hold() {
    assert_contained("2 GiB", |client, login| {
        converse(client, login, |client, _| {
            client.say("* LIST () \"/\" {9223372036854775808}\r\n");
            client.say(vec![b'x'; 1 << 20])
        });
    });
}

#[test]
fn a_line_without_end() {
    assert_contained("a line without end", |client, login| {
        converse(client, login, |client, _| {
            client.say("* LIST () \"/\" ");
            while client.say(vec![b'x'; 1 << 16]) {}
            false
        });
    });
}

#[test]
fn a_server_that_sends_a_byte_now_and_then() {
    assert_contained("less than 1024 bytes a second", |client, login| {
        converse(client, login, |client, _| {
            while client.say("x") {
                sleep(Duration::from_millis(100));
            }
            false
        });
    });
}

#[test]
fn a_greeting_of_10_mb() {
    let listener = Listener::start(|_, stream| {
        let mut client = Client::new(stream);
        client.say("* OK ");
        client.say(vec![b'x'; 10 << 20]);
        client.say("\r\n");
        while client.hear().is_some() {}
    });
    let program = Program::new();
    let output = run_beside(&listener, &program, &EXPORT);
    output
        .code(1)
        .says(EVE)
        .says(ANNA)
        .says("a line without end");
}

/// The largest numbers that there are, and behind the last UID none that fits; nothing else is wrong with this server.
#[test]
fn the_largest_numbers_are_numbers() {
    const BODY: &str = "Subject: last\r\n\r\nof all\r\n";
    const TOP: &str = "9223372036854775807";
    let listener = Listener::start(|_, stream| {
        let mut client = Client::new(stream);
        client.say(HELLO);
        while let Some(Heard { tag, words }) = client.hear() {
            let upper = words.to_ascii_uppercase();
            let data = if upper.starts_with("LIST") || upper.starts_with("LSUB") {
                let name = &upper[..4];
                format!("* {name} () \"/\" INBOX\r\n")
            } else if upper.starts_with("STATUS") {
                format!(
                    "* STATUS INBOX (MESSAGES 2 UIDNEXT 4294967296 UIDVALIDITY 4294967295 HIGHESTMODSEQ {TOP})\r\n"
                )
            } else if upper.starts_with("EXAMINE") {
                format!(
                    "* 2 EXISTS\r\n* OK [UIDVALIDITY 4294967295] v\r\n* OK [UIDNEXT 4294967296] n\r\n\
                     * OK [HIGHESTMODSEQ {TOP}] m\r\n"
                )
            } else if upper.starts_with("UID FETCH") {
                let body = if upper.contains("BODY") {
                    format!(" BODY[] {{{}}}\r\n{BODY}", BODY.len())
                } else {
                    String::new()
                };
                [4_294_967_294_u32, 4_294_967_295]
                    .iter()
                    .zip(1..)
                    .map(|(uid, number)| {
                        format!(
                            "* {number} FETCH (UID {uid} FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" \
                             RFC822.SIZE {} MODSEQ ({TOP}){body})\r\n",
                            BODY.len()
                        )
                    })
                    .collect()
            } else {
                String::new()
            };
            if !client.say(format!(
                "{data}{tag} OK [CAPABILITY IMAP4rev1 CONDSTORE] done\r\n"
            )) {
                return;
            }
        }
    });
    let program = Program::new();
    program.config(&Endpoint::plain(listener.port), &[(ANNA, PASSWORD)]);
    for _ in 0..2 {
        program.export(&[]).code(0);
        let inbox = program.archive(ANNA).mailbox("INBOX");
        assert_eq!(
            inbox.messages.keys().copied().collect::<Vec<_>>(),
            [4_294_967_294, 4_294_967_295]
        );
        let state = program.archive(ANNA).state();
        assert_eq!(
            state["mailboxes"][0]["highestmodseq"],
            9_223_372_036_854_775_807_u64
        );
    }
    program.audit(&[]).code(0);
}

#[test]
fn mailboxes_with_names_without_measure() {
    assert_contained("lists more than 64 MB of mailboxes", |client, login| {
        converse(client, login, |client, heard| {
            let name = "x".repeat(900_000);
            while heard.words.starts_with("LIST")
                && client.say(format!("* LIST () \"/\" \"{name}\"\r\n"))
            {}
            false
        });
    });
}

#[test]
fn attributes_without_measure() {
    assert_contained("lists more than 64 MB of mailboxes", |client, login| {
        converse(client, login, |client, heard| {
            let (attributes, mut number) = ("\\A ".repeat(30_000), 0);
            while heard.words.starts_with("LIST")
                && client.say(format!("* LIST ({attributes}) \"/\" \"{number}\"\r\n"))
            {
                number += 1;
            }
            false
        });
    });
}

#[test]
fn a_status_of_mailboxes_that_nobody_asked_for() {
    assert_contained("lists more than 100000 mailboxes", |client, login| {
        client.say(format!(
            "{} OK [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS] in\r\n",
            login.tag
        ));
        while let Some(heard) = client.hear() {
            let mut number = 0;
            while heard.words.contains("RETURN")
                && client.say(format!("* STATUS \"{number}\" (MESSAGES 1)\r\n"))
            {
                number += 1;
            }
            client.say(format!("{}{} OK\r\n", one_message(&heard.words), heard.tag));
        }
    });
}
