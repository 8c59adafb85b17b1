//! Servers that want to harm: whatever they send, memory and time are bounded, the error is clear, and the account
//! beside it is copied.

mod source;
mod target;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use serde_json::json;

use super::{ANNA, effort};
use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{EXPORT, IMPORT, Output, Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::listener::Listener;

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
fn run_beside(listener: &Listener, program: &Program, words: &[&str]) -> Output {
    let accounts = [EVE, ANNA].map(|user| json!({"email": user, "password": PASSWORD}));
    let server = server_json(&Endpoint::plain(listener.port));
    let config = json!({"server": server, "accounts": accounts});
    for name in ["export", "import"] {
        program.file(&format!("{name}.pass.config.json"), &config.to_string());
    }
    let more = [
        "--ignore-errors",
        "--max-workers",
        "1",
        "--imap-timeout",
        "1",
    ];
    program
        .spawn_under(&["prlimit", MEMORY], words.iter().chain(&more))
        .wait()
}

/// A server that holds a little mail of both.
fn dovecot() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions::of(&[(ANNA, PASSWORD), (EVE, PASSWORD)]));
    dovecot.seed(ANNA, "INBOX", &realistic(300, 5));
    dovecot.seed(EVE, "INBOX", &realistic(301, 2));
    dovecot
}

#[track_caller]
fn assert_contained_by(words: &str, output: &Output) {
    output.code(1).says(EVE).says(words);
    assert!(!output.stderr.contains("panicked"), "{}", output.describe());
}

/// The export of Eve's account fails with these words, Anna's is copied.
#[track_caller]
fn assert_contained(words: &str, evil: impl Fn(&mut Client, &Heard) + Send + Sync + 'static) {
    let dovecot = dovecot();
    let truth = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailboxes();
    let listener = beside(&dovecot, evil);
    let program = Program::new();
    let output = run_beside(&listener, &program, &EXPORT);
    assert_contained_by(words, &output);
    assert_archive_equals_server(&program.archive(ANNA), &truth);
}

/// The same of another mode, with an archive of what both really have: Anna's account is complete.
#[track_caller]
fn assert_contained_in(
    mode: &[&str],
    words: &str,
    evil: impl Fn(&mut Client, &Heard) + Send + Sync + 'static,
) {
    let dovecot = dovecot();
    let program = Program::new();
    program.config(&dovecot.plain(), &[(ANNA, PASSWORD), (EVE, PASSWORD)]);
    program.export(&[]).code(0);
    let listener = beside(&dovecot, evil);
    let output = run_beside(&listener, &program, mode);
    assert_contained_by(words, &output);
    let anna = output.stdout.lines().find(|line| line.starts_with(ANNA));
    assert!(
        anna.is_some_and(|line| line.ends_with("complete")),
        "{}",
        output.describe()
    );
}

/// What a server with one message says before a command's tagged end.
fn one_message(words: &str) -> String {
    const BODY: &str = "Subject: only\r\n\r\none\r\n";
    let upper = words.to_ascii_uppercase();
    if upper.starts_with("LIST") || upper.starts_with("LSUB") {
        format!("* {} () \"/\" INBOX\r\n", &upper[..4])
    } else if upper.starts_with("EXAMINE") || upper.starts_with("SELECT") {
        "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 2] n\r\n".to_owned()
    } else if upper.starts_with("UID FETCH") {
        let body = if upper.contains("BODY.PEEK[]") {
            format!(" BODY[] {{{}}}\r\n{BODY}", BODY.len())
        } else {
            String::new()
        };
        let size = BODY.len();
        format!(
            "* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE {size}{body})\r\n"
        )
    } else {
        String::new()
    }
}
