//! The stream that the `imap` crate reads and writes: it sees only responses that it can parse.
//!
//! The crate gives up a session at the first odd line. Here every response is cut out whole first;
//! one that `imap_proto` does not understand is dropped, or for a status line replaced by a plain one.
//! What the server really said stays in [`Channel::last_status`].

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use tracing::debug;
use zeroize::Zeroizing;

use super::channel::Channel;
use super::error::{self, Kind, SessionError};
use super::reader::{NoBody, Response};
use super::refusal;
use super::response::{self, Condition, ResponseKind, StatusResponse};

/// Most bytes that the server may answer to a command of the crate: greetings, logins and goodbyes are short.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// A channel that the crate and we use in turns.
pub(super) type SharedChannel = Rc<RefCell<Channel>>;

/// The crate's side of a shared [`Channel`].
pub struct Guard {
    channel: Rc<RefCell<Channel>>,
    response: Response,
    ready: io::Cursor<Vec<u8>>,
    unsent: Vec<u8>,
    greeted: bool,
    /// Bytes received since the crate sent a command; it keeps them all until the end of the command.
    heard: usize,
}

impl Guard {
    /// A guard over the channel.
    #[must_use]
    pub fn new(channel: Rc<RefCell<Channel>>) -> Self {
        Self {
            channel,
            response: Response::default(),
            ready: io::Cursor::default(),
            unsent: Vec::new(),
            greeted: false,
            heard: 0,
        }
    }

    /// Waits for the next response that the crate can have.
    fn refill(&mut self) -> Result<(), SessionError> {
        loop {
            if self.heard > MAX_ANSWER {
                let text = format!(
                    "the server keeps talking but does not answer; it last said {}",
                    self.response.shown()
                );
                return Err(SessionError::new(Kind::Refused, text));
            }
            self.channel
                .borrow_mut()
                .receive(&mut self.response, &mut NoBody)?;
            self.heard += self.response.bytes.len();
            // The crate does not parse the greeting; we decide whether it is one.
            if !std::mem::replace(&mut self.greeted, true) {
                self.ready = io::Cursor::new(self.response.bytes.clone());
                return Ok(());
            }
            if let Some(bytes) = presentable(&self.response) {
                self.ready = io::Cursor::new(bytes);
                return Ok(());
            }
            debug!(line = self.response.shown(), "response skipped");
        }
    }
}

/// What the crate gets to see of a response, if anything.
fn presentable(response: &Response) -> Option<Vec<u8>> {
    let line = response::classify(response);
    if matches!(line, ResponseKind::Continuation) || parses(&response.bytes) {
        return Some(response.bytes.clone());
    }
    match line {
        ResponseKind::Tagged(tag, status) => Some(plain(tag, &status)),
        ResponseKind::Untagged(status) => Some(plain("*", &status)),
        ResponseKind::Continuation | ResponseKind::Data | ResponseKind::Garbage => None,
    }
}

/// A status line with the same meaning and nothing that could be misread.
fn plain(tag: &str, status: &StatusResponse) -> Vec<u8> {
    let condition = match status.condition {
        Condition::Ok => "OK",
        Condition::No => "NO",
        Condition::Bad => "BAD",
        Condition::Bye => "BYE",
        Condition::Preauth => "PREAUTH",
    };
    format!("{tag} {condition} as logged\r\n").into_bytes()
}

/// True when the crate's parser takes exactly these bytes as one response.
///
/// The parser unwraps a missing INTERNALDATE, so a FETCH is never shown to it: the crate fetches nothing here.
fn parses(bytes: &[u8]) -> bool {
    let is_fetch = bytes
        .windows(7)
        .any(|window| window.eq_ignore_ascii_case(b" FETCH "));
    !is_fetch
        && matches!(imap_proto::parser::parse_response(bytes), Ok((rest, _)) if rest.is_empty())
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.ready.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        self.refill().map_err(io::Error::other)?;
        self.ready.read(buffer)
    }
}

impl Write for Guard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unsent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.heard = 0;
        // A login, perhaps.
        let unsent = Zeroizing::new(std::mem::take(&mut self.unsent));
        if unsent.is_empty() {
            return Ok(());
        }
        let mut channel = self.channel.borrow_mut();
        channel
            .reader()
            .wire()
            .write_all(&unsent)
            .map_err(io::Error::other)
    }
}

/// The error behind one of the crate's, in the server's words instead of the crate's.
pub(super) fn crate_error(
    channel: &SharedChannel,
    error: imap::Error,
    refused: Kind,
) -> SessionError {
    match error {
        imap::Error::Io(error) => match error::from_io(&error) {
            Some(inner) => inner.clone(),
            None => SessionError::transport("talk to the server", &error),
        },
        imap::Error::No(_) | imap::Error::Bad(_) => match &channel.borrow().last_status {
            Some(status) => refusal::error(status, refused),
            None => SessionError::new(refused, "the server refuses"),
        },
        imap::Error::Validate(_) => SessionError::new(
            Kind::Permanent,
            "user name or password holds a line break, which LOGIN cannot carry",
        ),
        _ => SessionError::new(Kind::Desync, "the server's answer does not fit the command"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8]) -> Option<String> {
        let response = Response {
            bytes: line.to_vec(),
            ..Response::default()
        };
        presentable(&response).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn the_crate_sees_only_what_it_can_parse() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"a1 OK done\r\n", Some("a1 OK done\r\n")),
            (b"a1 NO pass\xe9 refused\r\n", Some("a1 NO as logged\r\n")),
            (b"a1  NO no\r\n", Some("a1 NO as logged\r\n")),
            (b"* OK [ALERT] gr\xfc\xdfe\r\n", Some("* OK as logged\r\n")),
            (b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", None),
            (b"* LIST (\\HasNoChildren) \"/\" \"\xe9\"\r\n", None),
            (b"* 1 FETCH (INTERNALDATE NIL)\r\n", None),
            (b"\r\n", None),
            (b"+\r\n", Some("+\r\n")),
        ];
        for (line, expected) in cases {
            assert_eq!(shown(line).as_deref(), expected, "{}", line.escape_ascii());
        }
    }
}
