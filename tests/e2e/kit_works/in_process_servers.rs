//! The fake and the scripted server do what a test tells them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::kit::Security;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::reader::Reader;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeMessage, FakeServer, Reply};
use crate::kit::servers::script::{Script, ScriptServer};

#[test]
fn the_fake_server_is_a_server_for_imaplib() {
    for security in [Security::Plain, Security::StartTls, Security::Tls] {
        let mails = realistic(3, 5);
        let fake = FakeServer::options()
            .security(security)
            .accounts(&[("a", "pass")])
            .capabilities("IMAP4rev1 AUTH=PLAIN CONDSTORE LIST-STATUS")
            .namespace(r#"(("INBOX/" "/")) NIL NIL"#)
            .mailbox(FakeMailbox::new("INBOX").mails(&mails))
            .mailbox(FakeMailbox::new("odd \"\\ name").message(FakeMessage::new(7, "x")))
            .start();
        let reader = Reader::new(&fake.endpoint(), "a", "pass").with_bodies(u32::MAX);
        let held = reader.mailboxes();
        for (held, mail) in held[0].messages.iter().zip(&mails) {
            assert_eq!(held.body.as_deref(), Some(&mail.bytes[..]));
        }
        assert_eq!(held[0].highestmodseq, Some(1));
        assert_eq!(
            (held[1].name.as_str(), held[1].messages[0].uid),
            ("odd \"\\ name", 7)
        );
        fake.edit(|mailboxes| mailboxes[0].uidvalidity = 9);
        assert_eq!(reader.mailbox("INBOX").uidvalidity, Some(9));
        assert!(Reader::new(&fake.endpoint(), "a", "no").refusal().is_some());
        assert_eq!(fake.connections(), 3);
        assert_eq!(
            fake.commands_named("EXAMINE").len(),
            3,
            "{}",
            fake.transcript()
        );
    }
}

/// Says all commands at once, then that there is no more; returns everything that comes back.
fn talk(port: u16, commands: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.write_all(commands.as_bytes()).expect("send");
    stream.shutdown(Shutdown::Write).expect("say the end");
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).expect("hear the end");
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn the_fake_server_misbehaves_as_told() {
    let mut inbox = FakeMailbox::new("INBOX");
    for uid in 1..=9 {
        inbox = inbox.message(FakeMessage::new(uid, format!("body {uid}")));
    }
    let fake = FakeServer::options()
        .mailbox(inbox)
        .on_fetch(1, Behaviour::Nil)
        .on_fetch(2, Behaviour::Omit)
        .on_fetch(3, Behaviour::No("[SERVERBUG] oops".to_owned()))
        .on_fetch(4, Behaviour::Raw(b"* 4 FETCH odd\r\n".to_vec()))
        .on_fetch(5, Behaviour::Scattered)
        .on_fetch(6, Behaviour::Empty)
        .on_fetch_times(7, 1, Behaviour::DropAt(3))
        .on_fetch(8, Behaviour::Bye("see you".to_owned()))
        .on_fetch(9, Behaviour::StallAt(2))
        .start();
    let port = fake.endpoint().port;
    let fetch = |uid: u32| {
        let fetch = format!("c UID FETCH {uid} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
        talk(
            port,
            &format!("a LOGIN x {{1+}}\r\ny\r\nb EXAMINE INBOX\r\n{fetch}\r\n"),
        )
    };
    assert!(fetch(1).contains("BODY[] NIL)\r\nc OK"));
    assert!(fetch(2).ends_with("EXAMINE completed\r\nc OK FETCH completed\r\n"));
    assert!(fetch(3).ends_with("c NO [SERVERBUG] oops\r\n"));
    assert!(fetch(4).ends_with("* 4 FETCH odd\r\nc OK FETCH completed\r\n"));
    assert!(
        fetch(5)
            .contains("(FLAGS ())\r\n* 5 FETCH (BODY[] {6}\r\nbody 5 RFC822.SIZE 6 INTERNALDATE")
    );
    assert!(fetch(6).contains("BODY[] \"\")"));
    assert!(fetch(7).ends_with("BODY[] {6}\r\nbod"));
    assert!(fetch(7).ends_with("BODY[] {6}\r\nbody 7)\r\nc OK FETCH completed\r\n"));
    assert!(fetch(8).ends_with("* BYE see you\r\n"));
    assert!(fetch(9).ends_with("BODY[] {6}\r\nbo"));
    fake.behave();
    assert!(fetch(9).ends_with("c OK FETCH completed\r\n"));
    fake.misbehave(9, Some(1), Behaviour::Nil);
    assert!(fetch(9).contains("BODY[] NIL)"));
}

#[test]
fn hooks_and_lines_of_the_fake_server_win() {
    let fake = FakeServer::options()
        .greeting(b"* OK [CAPABILITY IMAP4rev1] \xff")
        .list_lines(&[b"* LIST () NIL INBOX", b"* LIST garbage"])
        .on_command(
            |command| match (command.connection, command.name.as_str()) {
                (0, "LOGIN") => Some(Reply::tagged("NO [UNAVAILABLE] later")),
                (_, "NOOP") => Some(Reply::Before(b"* 3 EXISTS\r\n".to_vec())),
                (_, "STATUS") => Some(Reply::bye("enough")),
                (1, "LSUB") => Some(Reply::Stall(b"* LSUB".to_vec())),
                _ => None,
            },
        )
        .start();
    let port = fake.endpoint().port;
    assert!(talk(port, "a LOGIN x y\r\n").ends_with("a NO [UNAVAILABLE] later\r\n"));
    let heard = talk(
        port,
        "a LOGIN x y\r\nb LIST \"\" *\r\nc NOOP\r\nd LSUB \"\" *\r\n",
    );
    assert!(heard.contains("* LIST () NIL INBOX\r\n* LIST garbage\r\nb OK"));
    assert!(heard.ends_with("* 3 EXISTS\r\nc OK NOOP completed\r\n* LSUB"));
    let heard = talk(
        port,
        "a LOGIN x y\r\nb STATUS INBOX (MESSAGES)\r\nc NOOP\r\n",
    );
    assert!(heard.ends_with("logged in\r\n* BYE enough\r\n"));
}

#[test]
fn round_trips_are_counted() {
    let fake = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&[Mail::simple("one")]))
        .counting_round_trips(Duration::from_millis(50))
        .start();
    let port = fake.endpoint().port;
    talk(
        port,
        "a LOGIN x y\r\nb EXAMINE INBOX\r\nc UID SEARCH ALL\r\nd NOOP\r\n",
    );
    assert_eq!(fake.round_trips(), 1);
    fake.forget();
    talk(port, "a LOGIN x {1}\r\n");
    assert_eq!((fake.round_trips(), fake.commands().len()), (0, 0));
}

#[test]
fn scripts_are_played_and_held_against_the_client() {
    let server = ScriptServer::start(vec![
        Script::logged_in()
            .expect("* NOOP")
            .send_then_drop(b"* OK half", 6),
        Script::new()
            .send("* OK ready\r\n")
            .expect_that("a short command", |command| command.raw.len() < 20)
            .stall(),
        Script::new()
            .send("* OK [CAPABILITY STARTTLS] ready\r\n")
            .expect("* CAPABILITY")
            .send("* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n{tag} OK done\r\n")
            .expect("* STARTTLS")
            .send("{tag} OK go\r\n")
            .start_tls()
            .expect("* CAPABILITY")
            .send("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n")
            .expect("* AUTHENTICATE PLAIN")
            .send_bytes(b"{tag} NO [UNAVAILABLE] try later\r\n"),
    ]);
    let port = server.endpoint(Security::Plain).port;
    assert!(
        talk(port, "a LOGIN x y\r\nb NOOP\r\n")
            .ends_with("a OK [CAPABILITY IMAP4rev1] in\r\n* OK h")
    );
    assert!(talk(port, "c OTHER\r\n").ends_with("ready\r\n"));
    let refusal = Reader::new(&server.endpoint(Security::StartTls), "x", "y").refusal();
    assert!(refusal.is_some_and(|text| text.contains("try later")));
    server.wait_for_finished(3);
    assert_eq!((server.connections(), server.commands().len()), (3, 7));
    assert_eq!(server.failures(), [""; 0]);
    talk(port, "x WRONG\r\n");
    server.wait_for_finished(4);
    let failures = server.take_failures();
    assert!(
        failures[0].contains("\"x WRONG\" where \"* CAPABILITY\" is expected"),
        "{failures:?}"
    );
}
