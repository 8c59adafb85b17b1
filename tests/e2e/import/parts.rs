//! A target that can be read only in parts, message by message, or not at all: nothing is doubled, nothing is taken for
//! something else, and what cannot be known is told.

use std::fs;
use std::sync::Mutex;

use super::{MODERN, aim, assert_holds, entry, failed, import, journal, program_for, totals};
use crate::kit::mail::Mail;
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program};
use crate::kit::servers::fake::{
    Behaviour, FakeMailbox, FakeMessage, FakeOptions, FakeServer, Reply,
};
use crate::kit::servers::wire::Received;

fn numbered(count: u64) -> Vec<Mail> {
    (0..count)
        .map(|n| Mail::simple(&format!("mail {n}")).at(1_700_000_000 + n))
        .collect()
}

/// A target whose INBOX has these.
fn holding(messages: impl IntoIterator<Item = FakeMessage>) -> FakeOptions {
    let messages = messages.into_iter();
    let inbox = messages.fold(FakeMailbox::new("INBOX"), FakeMailbox::message);
    FakeServer::options().capabilities(MODERN).mailbox(inbox)
}

/// The same mails, one day later and with sizes of their own: only the content says that they are the same.
fn of_other_size_and_date(mails: &[Mail]) -> Vec<FakeMessage> {
    let messages = (1..).zip(mails).map(|(uid, mail)| {
        let mut message = FakeMessage::of(uid, &mail.clone().at(mail.time + 86_400));
        message.size = Some("77".to_owned());
        message
    });
    messages.collect()
}

fn validate(program: &Program, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "validate", "--no-connectivity-test", "-q"];
    let report = ["--report", "report.json"];
    program.run(fixed.iter().chain(&report).chain(arguments))
}

/// A FETCH by UID of this message, or of others with it, that asks for this.
fn asks_for(command: &Received, uid: u32, item: &str) -> bool {
    let text = command.text();
    let set = text.split(' ').nth(3).unwrap_or_default();
    let is_in = |part: &str| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str, other| text.parse().unwrap_or(other);
        (number(from, 1)..=number(to, u32::MAX)).contains(&uid)
    };
    command.name == "UID FETCH" && text.contains(item) && set.split(',').any(is_in)
}

#[test]
fn a_message_whose_body_ends_the_connection_is_known_by_its_header_and_not_appended_again() {
    let mails = numbered(4);
    let server = holding(of_other_size_and_date(&mails))
        .on_command(|command| {
            asks_for(command, 2, "BODY.PEEK[]").then(|| Reply::bye("cannot be read"))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(1);
    assert_eq!(failed(&program), [("INBOX".to_owned(), 2)]);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 4);
    validate(&program, &[]).code(1);
    let report = super::report(&program);
    let compared = &report["accounts"][0]["compared"];
    assert_eq!(
        (&compared["unknown"], &compared["missing"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn of_many_messages_the_one_that_ends_connections_is_found_in_few() {
    let mails = numbered(40);
    for item in ["HEADER", "BODY.PEEK[]"] {
        let server = holding(of_other_size_and_date(&mails))
            .on_command(move |command| {
                // Nothing of the command is answered.
                asks_for(command, 33, item).then(|| Reply::Close(Vec::new()))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]);
        assert!(server.connections() < 12, "{}", server.connections());
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(server.mailbox("INBOX").messages.len(), 40);
    }
}

/// The head and the header of one message, as FETCH shows them.
fn shown(number: usize, message: &FakeMessage) -> (String, String) {
    let body = String::from_utf8_lossy(&message.body);
    let header = match body.split_once("\r\n\r\n") {
        Some((header, _)) if !body.starts_with("\r\n") => format!("{header}\r\n\r\n"),
        _ => "\r\n".to_owned(),
    };
    let head = format!(
        "* {number} FETCH (UID {} FLAGS () RFC822.SIZE {} INTERNALDATE {}",
        message.uid,
        message.announced(),
        message.internaldate
    );
    let field = format!(
        "BODY[HEADER.FIELDS (FROM)] {{{}}}\r\n{header}",
        header.len()
    );
    (head, field)
}

/// Answers a FETCH of sizes, each line as `line` makes it of its number, its message, its head and, where it is asked for,
/// its header.
fn answer(
    command: &Received,
    messages: &[FakeMessage],
    line: impl Fn(usize, &FakeMessage, &str, &str) -> String,
) -> Option<Reply> {
    let text = command.text();
    if command.name != "UID FETCH" || !text.contains("SIZE") || text.contains("BODY.PEEK[]") {
        return None;
    }
    let mut lines = String::new();
    for (number, message) in (1..).zip(messages) {
        let (head, field) = shown(number, message);
        if asks_for(command, message.uid, "HEADER.FIELDS") {
            lines += &line(number, message, &head, &field);
        } else if asks_for(command, message.uid, "SIZE") {
            lines += &format!("{head})\r\n");
        }
    }
    Some(Reply::Raw(
        format!("{lines}{{tag}} OK done\r\n").into_bytes(),
    ))
}

/// Mail without a header, each of another size.
fn headless(count: u64) -> Vec<Mail> {
    (0..count)
        .map(|n| {
            Mail::new(
                "headless",
                format!(
                    "\r\nbody {}\r\n",
                    "x".repeat(usize::try_from(n).expect("few"))
                ),
            )
        })
        .collect()
}

fn messages(mails: &[Mail]) -> Vec<FakeMessage> {
    (1..)
        .zip(mails)
        .map(|(uid, mail)| FakeMessage::of(uid, mail))
        .collect()
}

#[test]
fn a_header_that_comes_in_a_response_of_its_own_belongs_to_the_size_and_date_of_the_other() {
    // The same header, and the content of another day.
    let twin = |n: u64, body: &str| {
        let head = format!("Message-ID: <{n}@x>\r\nSubject: twin\r\n\r\n");
        Mail::new("twin", format!("{head}{body}\r\n"))
    };
    let ours: Vec<Mail> = (0..3).map(|n| twin(n, "ours")).collect();
    let theirs: Vec<Mail> = (0..3)
        .map(|n| twin(n, "not ours").at(1_600_000_000))
        .collect();
    for (archive, there, new) in [(headless(3), headless(3), 0), (ours, theirs, 3)] {
        for header_first in [false, true] {
            let held = messages(&there);
            let server = holding(held.clone())
                .on_command(move |command| {
                    answer(command, &held, |number, message, head, field| {
                        let rest = format!("{head})\r\n");
                        let uid = message.uid;
                        let header = format!("* {number} FETCH (UID {uid} {field})\r\n");
                        if header_first {
                            header + &rest
                        } else {
                            rest + &header
                        }
                    })
                })
                .start();
            let program = program_for(&server, "INBOX", &archive);
            let missing = if new > 0 {
                &["error missing", "note extra"][..]
            } else {
                &[]
            };
            validate(&program, &[]).code(i32::from(new > 0));
            assert_codes(&program, missing);
            import(&program, &[]).code(0);
            assert_eq!(totals(&program, ["new", "unchanged"]), [new, 3 - new]);
            let kept = if new > 0 { &there[..] } else { &[] };
            assert_holds(&server, "INBOX", &[&archive[..], kept].concat());
        }
    }
}

#[test]
fn a_header_that_says_nothing_is_looked_for_in_the_message() {
    let mails = numbered(3);
    let mut held = messages(&mails);
    held[1] = FakeMessage::of(2, &mails[1].clone().at(1_600_000_000));
    for readable in [true, false] {
        let there = held.clone();
        let server = holding(there.clone())
            .on_command(move |command| {
                if !readable && asks_for(command, 2, "BODY.PEEK[]") {
                    return Some(Reply::tagged("NO cannot be read"));
                }
                answer(command, &there, |_, message, head, field| {
                    let name = "BODY[HEADER.FIELDS (FROM)]";
                    match message.uid {
                        2 => format!("{head} {name} {{2}}\r\n\r\n)\r\n"),
                        _ => format!("{head} {field})\r\n"),
                    }
                })
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(i32::from(!readable));
        assert_eq!(
            totals(&program, ["new", "unchanged"]),
            [0, 2 + u64::from(readable)]
        );
        assert_eq!(server.mailbox("INBOX").messages.len(), 3);
        let codes: &[&str] = if readable {
            &["warning date-differs"]
        } else {
            &["error unreadable-on-target", "warning unreadable-on-target"]
        };
        validate(&program, &[]).code(1);
        assert_codes(&program, codes);
    }
}

#[test]
fn a_mailbox_that_nobody_counted_is_not_empty() {
    let mails = numbered(3);
    // Of a mailbox that is opened nothing is said of its number, or that it holds none.
    for exists in ["", "* 0 EXISTS\r\n"] {
        let held = messages(&mails);
        let server = holding(held.clone())
            .on_command(move |command| match command.name.as_str() {
                "EXAMINE" | "SELECT" => {
                    let said = "* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 4] ok\r\n";
                    let text = format!("{exists}{said}{{tag}} OK [READ-WRITE] open\r\n");
                    Some(Reply::Raw(text.into_bytes()))
                }
                "UID FETCH" if exists.is_empty() => answer(command, &held, |_, _, head, field| {
                    format!("{head} {field})\r\n")
                }),
                "UID FETCH" => Some(Reply::tagged("OK nothing here")),
                _ => None,
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        let is_known = exists.is_empty();
        import(&program, &[]).code(i32::from(!is_known));
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(server.mailbox("INBOX").messages.len(), 3);
        let note = entry(&program, "INBOX")["note"].to_string();
        assert_eq!(
            note.contains("counts 3 messages here and names 0"),
            !is_known,
            "{note}"
        );
        validate(&program, &[]).code(i32::from(!is_known));
        let codes = ["error unreadable-on-target"];
        assert_codes(&program, if is_known { &[] } else { &codes });
    }
}

#[test]
fn what_goes_while_a_mailbox_is_listed_does_not_hide_what_was_not_named() {
    let mails = numbered(4);
    let held = messages(&mails);
    let (there, is_first) = (held.clone(), Mutex::new(true));
    let server = holding(held)
        .on_command(move |command| {
            let mut is_first = is_first.lock().expect("no panic");
            let reply = answer(command, &there, |_, message, head, field| {
                match message.uid {
                    3 => String::new(),
                    _ => format!("{head} {field})\r\n"),
                }
            })?;
            let Reply::Raw(lines) = reply else {
                return None;
            };
            let lines = String::from_utf8(lines).expect("ASCII");
            let gone = lines.replace("{tag}", "* 1 EXPUNGE\r\n{tag}");
            std::mem::take(&mut *is_first).then(|| Reply::Raw(gone.into_bytes()))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 4]);
}

/// A target that shows a mailbox that is still open where it refuses to open another one.
#[test]
fn a_message_of_another_mailbox_is_not_read_for_one_that_cannot_be_opened_again() {
    let twin = |body: &str| Mail::new(body, format!("Message-ID: <t@x>\r\n\r\n{body}\r\n"));
    let (ours, theirs) = (["one", "two"].map(twin), ["abc", "def"].map(twin));
    let opened = Mutex::new((0, 0));
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&ours))
        .mailbox(FakeMailbox::new("Work").mails(&theirs))
        .on_command(move |command| {
            if command.name != "EXAMINE" || !command.text().contains("Work") {
                return None;
            }
            let mut opened = opened.lock().expect("no panic");
            if opened.0 != command.connection {
                *opened = (command.connection, 0);
            }
            opened.1 += 1;
            (opened.1 == 2).then(|| Reply::tagged("NO later"))
        })
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &ours)
        .mailbox("Work", &ours)
        .complete();
    aim(&program, &server.endpoint());
    validate(&program, &[]).code(1);
    let report = super::report(&program);
    let compared = &report["accounts"][0]["compared"];
    assert_eq!(
        (&compared["matched"], &compared["unknown"]),
        (&2.into(), &2.into())
    );
    import(&program, &[]).code(1);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
    assert_holds(&server, "Work", &theirs);
}

#[test]
fn a_body_that_is_shorter_than_its_server_says_is_not_other_mail() {
    let text = "a longer text ".repeat(200);
    let mail = |n: u64| {
        let subject = format!("Message-ID: <{n}@x>\r\n\r\n{text}{n}\r\n");
        Mail::new("long", subject).at(1_700_000_000 + n)
    };
    let mails: Vec<Mail> = (0..3).map(mail).collect();
    let mut held = messages(&mails);
    for message in &mut held {
        // Neither size nor date says that it is the same.
        message.size = Some((message.body.len() + 7).to_string());
        message.internaldate = "\"01-Jan-2024 00:00:00 +0000\"".to_owned();
    }
    let cut = String::from_utf8_lossy(&held[1].body[..100]).into_owned();
    let line = format!(
        "* 2 FETCH (UID 2 FLAGS () INTERNALDATE {} RFC822.SIZE {} BODY[] {{100}}\r\n{cut})\r\n",
        held[1].internaldate,
        held[1].announced()
    );
    let server = holding(held)
        .on_fetch(2, Behaviour::Raw(line.into_bytes()))
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(1);
    assert_eq!(failed(&program), [("INBOX".to_owned(), 2)]);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 3);
}

#[test]
fn a_message_without_a_date_is_read_where_its_size_is_another_and_its_body_may_come_without_one() {
    let mails = numbered(3);
    let mut held = messages(&mails);
    let text = String::from_utf8_lossy(&held[1].body).replace("about", "something else about");
    held[1] = FakeMessage::new(2, text);
    let mut lines = Vec::new();
    for (number, message) in (1..).zip(&mut held) {
        message.internaldate = "NIL".to_owned();
        let body = String::from_utf8_lossy(&message.body);
        let line = format!("* {number} FETCH (UID {} FLAGS () BODY[] ", message.uid);
        lines.push(format!("{line}{{{}}}\r\n{body})\r\n", body.len()).into_bytes());
    }
    let theirs = held[1].clone();
    let mut options = holding(held);
    for (uid, line) in (1..).zip(lines) {
        options = options.on_fetch(uid, Behaviour::Raw(line));
    }
    let server = options.start();
    let program = program_for(&server, "INBOX", &mails);
    validate(&program, &[]).code(1);
    assert_codes(&program, &["error missing", "note extra"]);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [1, 2]);
    fs::remove_file(journal(&program)).expect("remove the journal");
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    let bodies: Vec<_> = server
        .mailbox("INBOX")
        .messages
        .into_iter()
        .map(|one| one.body)
        .collect();
    assert_eq!(bodies.len(), 4);
    assert_eq!(bodies[1], theirs.body);
    validate(&program, &["--deep"]).code(0);
}

#[test]
fn in_each_mailbox_of_one_connection_only_the_message_that_cannot_be_read_is_unknown() {
    let mails = numbered(3);
    let open = Mutex::new(String::new());
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .mailbox(FakeMailbox::new("Work").mails(&mails))
        .on_command(move |command| {
            let mut open = open.lock().expect("no panic");
            if command.name == "EXAMINE" {
                *open = command.text();
            }
            let uid = if open.contains("Work") { 3 } else { 2 };
            asks_for(command, uid, "BODY").then(|| Reply::bye("FETCH failed"))
        })
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .mailbox("Work", &mails)
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(1);
    let unknown = [("INBOX".to_owned(), 2), ("Work".to_owned(), 3)];
    assert_eq!(failed(&program), unknown);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 4]);
    for mailbox in ["INBOX", "Work"] {
        assert_eq!(server.mailbox(mailbox).messages.len(), 3);
    }
}
