//! Servers that want to harm: whatever they send, memory and time are bounded, the error is clear, and the account
//! beside it is copied.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::ANNA;
use crate::kit::archive::assert_archive_equals_server;
use crate::kit::dovecot::{Dovecot, DovecotOptions};
use crate::kit::listener::Listener;
use crate::kit::mail::realistic;
use crate::kit::port;
use crate::kit::program::{EXPORT, Output, Program};
use crate::kit::reader::Reader;
use crate::kit::tls::{Certificates, Shown};
use crate::kit::{Endpoint, Security, wait_until};

/// The account whose server is hostile.
const EVE: &str = "eve@example.com";

/// Memory that a run may have, in bytes of data segment and mappings.
const MEMORY: &str = "--data=400000000";

const HELLO: &str = "* OK [CAPABILITY IMAP4rev1] hello\r\n";

/// One command as it came: its tag and the rest.
struct Heard {
    tag: String,
    words: String,
}

/// Reads commands until the client has gone.
struct Client {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        let lines = BufReader::new(stream.try_clone().expect("a handle"));
        Self { stream, lines }
    }

    fn hear(&mut self) -> Option<Heard> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let (tag, words) = line.trim_end().split_once(' ')?;
        Some(Heard {
            tag: tag.to_owned(),
            words: words.to_owned(),
        })
    }

    /// False when the client has gone.
    fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(text.as_ref()).is_ok()
    }
}

/// Greets, and goes on as Dovecot for everybody but Eve, who gets to her login's end what `evil` says.
fn beside(
    dovecot: &Dovecot,
    evil: impl Fn(&mut Client, &Heard) + Send + Sync + 'static,
) -> Listener {
    let port = dovecot.imap_port;
    let evil = Arc::new(evil);
    Listener::start(move |_, stream| {
        let mut client = Client::new(stream);
        client.say(HELLO);
        while let Some(heard) = client.hear() {
            if heard.words.contains(EVE) {
                evil(&mut client, &heard);
                return;
            }
            if heard.words.contains(ANNA) {
                return go_on_as(port, &client.stream, &heard);
            }
            client.say(format!("{} OK\r\n", heard.tag));
        }
    })
}

/// Passes everything to the real server, beginning with this command.
fn go_on_as(port: u16, client: &TcpStream, first: &Heard) {
    let server = TcpStream::connect(("127.0.0.1", port)).expect("dovecot");
    let mut greeting = String::new();
    BufReader::with_capacity(1, &server)
        .read_line(&mut greeting)
        .expect("a greeting");
    (&server)
        .write_all(format!("{} {}\r\n", first.tag, first.words).as_bytes())
        .expect("dovecot listens");
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, &server));
        copy(&server, client);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Logs Eve in and calls `answer` for each command; it returns false to end.
fn converse(
    client: &mut Client,
    login: &Heard,
    mut answer: impl FnMut(&mut Client, &Heard) -> bool,
) {
    client.say(format!(
        "{} OK [CAPABILITY IMAP4rev1 CONDSTORE] in\r\n",
        login.tag
    ));
    while let Some(heard) = client.hear() {
        if !answer(client, &heard) {
            return;
        }
    }
}

/// Both accounts, Eve first, in little memory.
fn run_beside(listener: &Listener, program: &Program) -> Output {
    let endpoint = Endpoint::plain(listener.port);
    program.config(&endpoint, &[(EVE, "secret"), (ANNA, "secret")]);
    let more = [
        "--ignore-errors",
        "--max-workers",
        "1",
        "--imap-timeout",
        "1",
    ];
    program
        .spawn_under(&["prlimit", MEMORY], EXPORT.iter().chain(&more))
        .wait()
}

/// Eve's account fails with these words, Anna's is copied.
#[track_caller]
fn assert_contained(
    words: &str,
    evil: impl Fn(&mut Client, &Heard) + Send + Sync + 'static,
) -> Output {
    let dovecot = Dovecot::start(DovecotOptions::default());
    dovecot.seed(ANNA, "INBOX", &realistic(300, 5));
    let truth = Reader::new(&dovecot.plain(), ANNA, "secret").mailboxes();
    let listener = beside(&dovecot, evil);
    let program = Program::new();
    let output = run_beside(&listener, &program);
    output.code(1).says(EVE).says(words);
    assert!(!output.stderr.contains("panicked"), "{}", output.describe());
    assert_archive_equals_server(&program.archive(ANNA), &truth);
    output
}

#[test]
fn a_login_that_is_answered_without_end() {
    assert_contained("goes on and on", |client, _| {
        let flood = "* OK still thinking about it\r\n".repeat(1000);
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
    let output = run_beside(&listener, &program);
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
    program.config(&Endpoint::plain(listener.port), &[(ANNA, "secret")]);
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

/// What is put behind the answer to STARTTLS, in plain text, by whoever sits in between, is not believed.
#[test]
fn words_injected_before_tls_are_forgotten() {
    let dir = crate::kit::tempdir::TempDir::new();
    let certificates = Certificates::make(dir.path(), Shown::Good);
    let acceptor = certificates.acceptor();
    let listener = Listener::start(move |_, stream| {
        let mut client = Client::new(stream);
        client.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n");
        let Some(heard) = client.hear() else { return };
        client.say(format!(
            "{} OK go\r\n* CAPABILITY IMAP4rev1 INJECTED\r\na1 OK in\r\nx1 OK in\r\nx2 OK in\r\n",
            heard.tag
        ));
        let Ok(mut tls) = acceptor.accept(client.stream) else {
            return;
        };
        // Behind the handshake the true server: it refuses.
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = tls.read(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let tag = line.split(' ').next().unwrap_or_default();
            let answer = if line.contains("CAPABILITY") {
                format!("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")
            } else {
                format!("{tag} NO [AUTHENTICATIONFAILED] it is me who decides\r\n")
            };
            if tls.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let program = Program::new();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port: listener.port,
        security: Security::StartTls,
        ca_file: Some(certificates.ca_file.clone()),
    };
    program.config(&endpoint, &[(ANNA, "secret")]);
    program
        .export(&[])
        .code(1)
        .says("it is me who decides")
        .warns("sent in plain text behind STARTTLS are ignored");
}

/// OpenSSL's own server, which begins a new handshake in the middle of the conversation (TLS 1.2).
#[test]
fn a_tls_peer_that_renegotiates_is_no_trouble() {
    let dir = crate::kit::tempdir::TempDir::new();
    let certificates = Certificates::make(dir.path(), Shown::Good);
    let port = port::free();
    let log = std::fs::File::create(dir.join("log")).expect("create a log");
    let mut server = Command::new("openssl")
        .args(["s_server", "-tls1_2", "-crlf", "-accept", &port.to_string()])
        .arg("-cert")
        .arg(dir.join("server.pem"))
        .arg("-key")
        .arg(dir.join("server.key"))
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a handle"))
        .stderr(log)
        .spawn()
        .expect("start openssl");
    let said = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    wait_until("openssl listens", || said().contains("ACCEPT"));
    let program = Program::new();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port,
        security: Security::Tls,
        ca_file: Some(certificates.ca_file.clone()),
    };
    program.config(&endpoint, &[(ANNA, "secret")]);
    let running = program.spawn_export(&["--imap-timeout", "10"]);
    let mut stdin = server.stdin.take().expect("a pipe");
    wait_until("the handshake is over", || said().contains("CIPHER is"));
    stdin
        .write_all(b"* OK [CAPABILITY IMAP4rev1] hello\n")
        .expect("greet");
    wait_until("it logs in", || said().contains("LOGIN"));
    stdin.write_all(b"R\n").expect("begin a new handshake");
    stdin
        .write_all(b"a1 NO [AUTHENTICATIONFAILED] after the second handshake\n")
        .expect("answer");
    let output = running.wait();
    drop(stdin);
    let _ = server.kill();
    let _ = server.wait();
    output.code(1);
    assert!(!output.stderr.contains("panicked"), "{}", output.describe());
}
