//! What a server says: cut into responses, interpreted, shown to the crate behind the guard.

use std::io;

use imapsync_bulk_migrator::testing::Login;
use imapsync_bulk_migrator::testing::Mechanism;
use imapsync_bulk_migrator::testing::Secret;
use imapsync_bulk_migrator::testing::Steps;
use imapsync_bulk_migrator::testing::Stop;
use imapsync_bulk_migrator::testing::connect;
use imapsync_bulk_migrator::testing::list;
use imapsync_bulk_migrator::testing::response::{self, ResponseKind};
use imapsync_bulk_migrator::testing::{BodySink, Reader, Response};
use imapsync_bulk_migrator::testing::{Credential, Token};
use imapsync_bulk_migrator::testing::{error, refusal};

use crate::feed::{with_peer, with_wire};
use crate::fuzz;

/// Words of the protocol.
pub const WORDS: [&str; 30] = [
    "* ",
    "\r\n",
    "a1 OK ",
    "* BYE ",
    "* 7 FETCH (",
    "UID ",
    "FLAGS (",
    "BODY[] {",
    "BODY[]<0> ",
    "BODY[HEADER.FIELDS (DATE)] ",
    "RFC822.SIZE ",
    "INTERNALDATE ",
    "MODSEQ (",
    "NIL",
    "}\r\n",
    "+}\r\n",
    "~{",
    "* LIST (",
    "* STATUS ",
    "* ESEARCH ",
    "* VANISHED (EARLIER) ",
    "* CAPABILITY IMAP4rev1",
    "* NAMESPACE ((",
    "* QUOTA \"\" (STORAGE ",
    "[UIDVALIDITY ",
    "[APPENDUID ",
    "[HIGHESTMODSEQ ",
    "\\Noselect",
    "&AOQ-",
    "Suggested Backoff Time: ",
];

/// What arrived, in short: a hash of the bodies, and their announced and real sizes.
#[derive(Default, PartialEq, Debug)]
struct Bodies {
    announced: Vec<u64>,
    bytes: Vec<u8>,
}

impl BodySink for Bodies {
    fn begin(&mut self, announced: u64) -> io::Result<()> {
        self.announced.push(announced);
        Ok(())
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

/// Everything that looks at a response.
pub fn interpret(response: &Response) {
    let _ = (response.line(), response.shown());
    let _ = response::classify(response);
    for name in ["LIST", "LSUB"] {
        let _ = response::parse_list(response, name);
    }
    let _ = response::parse_mailbox_status(response);
    let _ = response::parse_exists(response);
    let _ = response::parse_expunge(response);
    let _ = response::parse_capability(response);
    let _ = response::parse_fetch(response);
    let _ = response::parse_quota(response);
    let _ = response::parse_namespace(response);
    let text = String::from_utf8_lossy(&response.bytes);
    if let ResponseKind::Untagged(status) = response::classify(response)
        && let Some(flags) = status.code_argument("PERMANENTFLAGS")
    {
        let _ = response::flag_words(flags);
    }
    let _ = refusal::classify(None, &text, error::Kind::Refused);
    let _ = refusal::suggested_backoff(&text);
}

/// A response: its bytes, where bodies were taken out of it, and how many.
type Cut = (Vec<u8>, Vec<usize>, usize);

/// The responses and the error at the end.
fn read_all(pieces: &[&[u8]]) -> (Vec<Cut>, Bodies, String) {
    with_wire(pieces, |wire| {
        let mut reader = Reader::new(wire);
        let mut bodies = Bodies::default();
        let mut responses = Vec::new();
        loop {
            let mut response = Response::default();
            if let Err(error) = reader.read_response(&mut response, &mut bodies) {
                interpret(&response);
                return (responses, bodies, error.to_string());
            }
            interpret(&response);
            responses.push((response.bytes, response.elsewhere, response.bodies));
        }
    })
}

#[test]
fn responses_are_cut_out_the_same_however_they_arrive() {
    fuzz("responses", &WORDS, |input| {
        let whole = read_all(&[input]);
        let size = 1 + input.len() / 3;
        let pieces: Vec<&[u8]> = input.chunks(size).collect();
        assert_eq!(whole, read_all(&pieces));
    });
}

#[test]
fn a_session_survives_whatever_the_server_says() {
    let secret = || Secret::new("secret".to_owned());
    let credentials = [
        Credential::Password(secret()),
        Credential::Token(Token::new(secret(), None)),
    ];
    let login = |credential| Login {
        user: "anna",
        authzid: None,
        mechanism: Mechanism::Auto,
        credential,
        place: ("localhost", 143),
    };
    fuzz("responses", &WORDS, |input| {
        // At first what a login wants, so that it comes as far as the rest; then the input from the middle on.
        let starts: [&[u8]; 4] = [
            b"",
            b"* OK hello\r\n",
            b"* OK [CAPABILITY IMAP4rev1 LIST-EXTENDED NAMESPACE] hello\r\na1 OK [CAPABILITY IMAP4rev1] in\r\na1 OK\r\na2 OK\r\n",
            b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hello\r\n+ \r\n",
        ];
        for (start, credential) in starts.into_iter().zip(credentials.iter().cycle()) {
            let login = login(credential);
            with_peer(&[start, input], |peer| {
                let steps = &mut Steps::default();
                if let Ok(mut session) = connect::attempt(peer, &login, &Stop::new(), steps) {
                    let _ = list::list(session.channel(), list::StatusItems::WithSize, |_| true);
                    session.logout();
                }
            });
        }
    });
}
