//! The fake server takes mail as real ones do, and refuses or breaks off where a test says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::ANNA;
use crate::kit::mail::{Mail, hostile};
use crate::kit::run::reader::Reader;
use crate::kit::servers::fake::{Cut, FakeMailbox, FakeOptions, FakeServer};

const LOGIN: &str = "a LOGIN x y\r\n";

/// Says everything at once behind a login; returns what comes back until the server ends, or breaks off.
fn talk(server: &FakeServer, commands: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.endpoint().port)).expect("connect");
    let all = format!("{LOGIN}{commands}");
    stream.write_all(all.as_bytes()).expect("send");
    // A reset may have come already.
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

fn with_inbox() -> FakeOptions {
    FakeServer::options().mailbox(FakeMailbox::new("INBOX"))
}

fn bodies(server: &FakeServer, mailbox: &str) -> Vec<String> {
    let messages = server.mailbox(mailbox).messages;
    let texts = messages
        .iter()
        .map(|message| String::from_utf8_lossy(&message.body));
    texts.map(std::borrow::Cow::into_owned).collect()
}

#[test]
fn imaplib_writes_to_it_and_reads_it_back() {
    let server = with_inbox().start();
    let reader = Reader::new(&server.endpoint(), ANNA, "x");
    let mails: Vec<Mail> = hostile()
        .into_iter()
        .map(|mail| mail.flagged("\\Seen $Later").at(951_782_400))
        .collect();
    reader.create("Größe/\"quoted\" \\");
    reader.subscribe("Größe/\"quoted\" \\");
    let uids = reader.append("Größe/\"quoted\" \\", &mails);
    assert_eq!(uids.last(), Some(&u32::try_from(mails.len()).ok()));
    reader.store("Größe/\"quoted\" \\", "1", "-FLAGS", "\\seen");
    reader.store("Größe/\"quoted\" \\", "2:*", "+FLAGS", "\\Flagged");
    let held = reader.mailbox("Größe/\"quoted\" \\");
    assert!(held.subscribed);
    assert_eq!(held.messages.len(), mails.len());
    for (held, mail) in held.messages.iter().zip(&mails) {
        assert_eq!(held.length, u64::try_from(mail.bytes.len()).ok());
        assert_eq!(held.internaldate, "29-Feb-2000 00:00:00 +0000");
        let flags: &[&str] = if held.uid == 1 {
            &["$Later"]
        } else {
            &["$Later", "\\Flagged", "\\Seen"]
        };
        assert_eq!(held.flags, flags);
    }
}

#[test]
fn appends_of_every_kind_arrive() {
    let server = with_inbox()
        .capabilities("IMAP4rev1 LITERAL- MULTIAPPEND UIDPLUS")
        .start();
    let heard = talk(
        &server,
        "b APPEND inbox {3}\r\none\r\n\
         c APPEND {5+}\r\nINBOX (\\Seen) \" 1-Jan-2024 00:00:00 +0100\" {3+}\r\ntwo (a) {5}\r\nthree\r\n\
         d SELECT INBOX\r\n\
         e APPEND \"INBOX\" {4+}\r\nfour\r\n",
    );
    assert!(
        heard.contains("+ go on\r\nb OK [APPENDUID 1 1] "),
        "{heard}"
    );
    assert!(
        heard.contains("+ go on\r\nc OK [APPENDUID 1 2:3] "),
        "{heard}"
    );
    assert!(heard.contains("\\Draft \\*)]"), "{heard}");
    assert!(heard.contains("OK [READ-WRITE]"), "{heard}");
    assert!(
        heard.ends_with("* 4 EXISTS\r\ne OK [APPENDUID 1 4] APPEND completed\r\n"),
        "{heard}"
    );
    assert_eq!(bodies(&server, "INBOX"), ["one", "two", "three", "four"]);
    let second = &server.mailbox("INBOX").messages[1];
    assert_eq!(
        (second.flags.as_str(), second.internaldate.as_str()),
        ("\\Seen", "\" 1-Jan-2024 00:00:00 +0100\"")
    );
    // A UID is never given twice.
    server.edit(|mailboxes| mailboxes[0].messages.truncate(1));
    assert!(talk(&server, "b APPEND INBOX {1}\r\nx\r\n").contains("APPENDUID 1 5"));
}

#[test]
fn names_are_created_or_refused() {
    let server = with_inbox()
        .capabilities("IMAP4rev1 CREATE-SPECIAL-USE")
        .delimiter('.')
        .strict_parents()
        .names_in_any_case()
        .on_create(|name| name.contains('x').then(|| "NO [CANNOT] no x".to_owned()))
        .start();
    let heard = talk(
        &server,
        "b CREATE A.B\r\nc CREATE A.\r\nd CREATE A.B (USE (\\Sent))\r\ne CREATE a.b\r\nf CREATE x\r\n\
         g SUBSCRIBE A\r\nh SUBSCRIBE C\r\ni APPEND C {1}\r\nx\r\n",
    );
    let answers: Vec<&str> = heard.lines().skip(2).collect();
    assert_eq!(
        answers,
        [
            "b NO [NONEXISTENT] the parent does not exist",
            "c OK CREATE completed",
            "d OK CREATE completed",
            "e NO [ALREADYEXISTS] Mailbox already exists",
            "f NO [CANNOT] no x",
            "g OK SUBSCRIBE completed",
            "h NO [NONEXISTENT] no such mailbox",
            "+ go on",
            "i NO [TRYCREATE] no such mailbox",
        ]
    );
    let heard = talk(&server, "b LIST \"\" \"\"\r\nc LIST \"\" a\r\n");
    assert!(
        heard.ends_with(
            "* LIST (\\Noselect) \".\" \"\"\r\nb OK LIST completed\r\n\
             * LIST () \".\" \"A\"\r\nc OK LIST completed\r\n"
        ),
        "{heard}"
    );
    let made = server.mailbox("A.B");
    assert_eq!(
        (made.attributes.as_str(), made.delimiter, made.subscribed),
        ("\\Sent", Some('.'), false)
    );
    assert!(server.mailbox("A").subscribed);
}

#[test]
fn messages_and_flags_are_refused() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ MULTIAPPEND APPENDLIMIT=10")
        .mailbox(FakeMailbox::new("INBOX").permanent_flags("\\Seen $ok"))
        .refuse_body(b"bad", "NO [CANNOT] I do not like it")
        .refuse_flag("$Odd", "BAD Invalid keyword")
        .start();
    let heard = talk(
        &server,
        "b APPEND INBOX {4}\r\ngood {3}\r\nbad {4}\r\ngood\r\n\
         c APPEND INBOX ($odd) {1+}\r\nx\r\n\
         d APPEND INBOX {11}\r\n\
         e APPEND INBOX {11+}\r\n01234567890\r\n\
         f APPEND INBOX ($ok $lost \\Seen \\Flagged) {1+}\r\nx\r\n\
         g SELECT INBOX\r\nh UID STORE 1 +FLAGS ($Odd)\r\ni UID STORE 1 FLAGS.SILENT ($Ok \\Draft)\r\n",
    );
    let answers: Vec<&str> = heard
        .lines()
        .filter(|line| !line.starts_with('*'))
        .skip(1)
        .collect();
    assert_eq!(
        answers,
        [
            "+ go on",
            "+ go on",
            "+ go on",
            "b NO [CANNOT] I do not like it",
            "c BAD Invalid keyword",
            "d NO [TOOBIG] the message is over the limit",
            "e NO [TOOBIG] the message is over the limit",
            "f OK APPEND completed",
            "g OK [READ-WRITE] SELECT completed",
            "h BAD Invalid keyword",
            "i OK UID STORE completed",
        ]
    );
    assert!(heard.contains("[PERMANENTFLAGS (\\Seen $ok)]"), "{heard}");
    assert_eq!(server.mailbox("INBOX").messages[0].flags, "$Ok");
    assert_eq!(server.commands_named("APPEND").len(), 5);
    server.behave();
    let heard = talk(&server, "b APPEND INBOX ($odd) {3+}\r\nbad\r\n");
    assert!(heard.ends_with("b OK APPEND completed\r\n"), "{heard}");
}

#[test]
fn connections_end_where_they_are_told_to() {
    let server = with_inbox()
        .cut_append(2, Cut::BeforeLiteral)
        .cut_append(3, Cut::InLiteral(2))
        .cut_append(4, Cut::Unstored)
        .cut_append(5, Cut::Stored(0))
        .reset_append(6, Cut::Stored(6))
        .start();
    let append = |text: &str| {
        talk(
            &server,
            &format!("b APPEND INBOX {{{}}}\r\n{text}\r\nc NOOP\r\n", text.len()),
        )
    };
    assert!(append("one").ends_with("c OK NOOP completed\r\n"));
    assert!(append("two").ends_with("logged in\r\n"));
    assert!(append("three").ends_with("logged in\r\n+ go on\r\n"));
    assert!(append("four").ends_with("logged in\r\n+ go on\r\n"));
    assert_eq!(bodies(&server, "INBOX"), ["one"]);
    assert!(append("five").ends_with("logged in\r\n+ go on\r\n"));
    let heard = append("six");
    assert!(!heard.contains("APPENDUID"), "{heard}");
    assert_eq!(bodies(&server, "INBOX"), ["one", "five", "six"]);
    assert!(append("seven").ends_with("c OK NOOP completed\r\n"));
    server.cut_append(2, Cut::Unstored);
    assert!(append("eight").contains("APPENDUID"));
    assert!(!append("nine").contains("b OK"));
    assert_eq!(server.commands_named("APPEND").len(), 9);
    server.behave();
}

#[test]
fn clients_that_break_the_rules_are_named() {
    let server = with_inbox().capabilities("IMAP4rev1").start();
    for (commands, answer) in [
        (
            "b APPEND INBOX {1+}\r\nx\r\n",
            "* BYE a literal {1+} is not offered\r\n",
        ),
        (
            "b APPEND INBOX {1}\r\nx {1}\r\nx\r\n",
            "* BYE MULTIAPPEND is not offered\r\n",
        ),
        (
            "b APPEND INBOX (\\Recent) {1}\r\nx\r\n",
            "b BAD Invalid system flag \\Recent\r\n",
        ),
    ] {
        let heard = talk(&server, commands);
        assert!(heard.ends_with(answer), "{heard}");
        let complaints = server.take_complaints();
        assert_eq!(complaints.len(), 1, "{complaints:?}");
    }
    let minus = with_inbox().capabilities("IMAP4rev1 LITERAL-").start();
    let long = format!("b APPEND INBOX {{4097+}}\r\n{}\r\n", "x".repeat(4097));
    assert!(talk(&minus, &long).contains("* BYE"));
    assert_eq!(minus.take_complaints().len(), 1);
    assert_eq!(bodies(&server, "INBOX"), [""; 0]);
}

#[test]
fn headers_are_fetched_without_touching_the_rules_of_bodies() {
    let server = with_inbox().start();
    let text = "Message-ID: <1@x>\r\nSubject: a\r\n b\r\n\r\nbody";
    let heard = talk(
        &server,
        &format!(
            "b APPEND INBOX (\\Seen) \"01-Jan-2024 00:00:00 +0000\" {{{}+}}\r\n{text}\r\nc EXAMINE INBOX\r\n\
             d UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject To)])\r\n\
             e UID FETCH 1 (BODY.PEEK[HEADER])\r\n",
            text.len()
        ),
    );
    assert!(
        heard.contains(
            "(UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" RFC822.SIZE 41 \
             BODY[HEADER.FIELDS (SUBJECT TO)] {18}\r\nSubject: a\r\n b\r\n\r\n)\r\nd OK"
        ),
        "{heard}"
    );
    assert!(
        heard.contains("(UID 1 BODY[HEADER] {37}\r\nMessage-ID"),
        "{heard}"
    );
}

#[test]
fn waiting_for_a_continuation_is_a_round_trip() {
    let server = with_inbox()
        .counting_round_trips(Duration::from_millis(50))
        .start();
    talk(
        &server,
        "b APPEND INBOX {1+}\r\nx\r\nc APPEND INBOX {1+}\r\nx\r\n",
    );
    assert_eq!(server.round_trips(), 1);
    server.forget();
    talk(
        &server,
        "b APPEND INBOX {1}\r\nx\r\nc APPEND INBOX {1}\r\nx\r\n",
    );
    assert_eq!(server.round_trips(), 3);
}
