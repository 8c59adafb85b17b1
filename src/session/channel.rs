//! One connection as commands and responses: sends tagged commands of our own, reads what comes back.
//!
//! It is shared with the `imap` crate, which reads and writes it through the guard.

use std::collections::VecDeque;

use tracing::{debug, warn};

use super::reader::{BodySink, NoBody, Reader, Response};
use super::response::{self, Condition, Line, Status};
use super::retry::{self, Kind, Result, SessionError};

/// Most responses before a command ends: more messages than a mailbox has.
const MAX_UNTAGGED: u64 = 10_000_000;
/// Untagged responses in a row that nobody understands before the server is given up.
const MAX_GARBAGE: u32 = 1000;

/// What the server can do (RFC 3501 section 7.2.1), in upper case.
#[derive(Debug, Clone, Default)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// True when the server offers `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given == name)
    }

    /// The value of `NAME=value`, where the server offers it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|given| given.strip_prefix(name)?.strip_prefix('='))
    }

    /// True before any was heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The connection, its reader and what is known of the server.
pub struct Channel {
    reader: Reader,
    next_tag: u32,
    /// As last said by the server: in the greeting, after login, or when asked.
    pub capabilities: Capabilities,
    /// The last status response that was not only information: greeting, tagged ends, BYE.
    pub last_status: Option<Status>,
    /// Set when LOGOUT was sent: then BYE is the proper answer.
    pub leaving: bool,
    garbage: u32,
    /// Responses since a command ended.
    untagged: u64,
}

/// A command in the making; the tag and the end of line are added when it is sent.
#[derive(Debug, Clone)]
pub struct Command(Vec<u8>);

impl Command {
    /// A command of fixed words.
    #[must_use]
    pub fn new(words: impl Into<Vec<u8>>) -> Self {
        Self(words.into())
    }

    /// Adds a blank and a mailbox name: the exact bytes that the server listed, quoted, or as a
    /// non-synchronising literal (RFC 7888) where a quoted string may not hold them.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a name with a line break on a server without LITERAL+.
    pub fn mailbox(mut self, name: &[u8], capabilities: &Capabilities) -> Result<Self> {
        self.0.push(b' ');
        let ascii = name.iter().all(|b| (0x20..0x7f).contains(b));
        let literals = capabilities.has("LITERAL+") || capabilities.has("LITERAL-");
        if !ascii && literals && name.len() <= 4096 {
            self.0
                .extend_from_slice(format!("{{{}+}}\r\n", name.len()).as_bytes());
            self.0.extend_from_slice(name);
            return Ok(self);
        }
        if name.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            let text = format!(
                "mailbox name \"{}\" holds a line break or NUL and the server offers no LITERAL+",
                name.escape_ascii()
            );
            return Err(SessionError::new(Kind::Refused, text));
        }
        self.0.push(b'"');
        for byte in name {
            if matches!(byte, b'"' | b'\\') {
                self.0.push(b'\\');
            }
            self.0.push(*byte);
        }
        self.0.push(b'"');
        Ok(self)
    }

    /// The command without tag and end of line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds further words, with what separates them.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.0.extend_from_slice(words.as_bytes());
        self
    }
}

impl Channel {
    /// A channel over a fresh connection.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            next_tag: 1,
            capabilities: Capabilities::default(),
            last_status: None,
            leaving: false,
            garbage: 0,
            untagged: 0,
        }
    }

    /// The reader, for STARTTLS and for the guard's writes.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Sends a command and returns its tag.
    ///
    /// # Errors
    /// Those of writing.
    pub fn send(&mut self, command: &Command) -> Result<String> {
        let tag = self.new_tag();
        let mut bytes = Vec::with_capacity(command.0.len() + 16);
        bytes.extend_from_slice(tag.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&command.0);
        bytes.extend_from_slice(b"\r\n");
        self.reader.wire().write_all(&bytes)?;
        Ok(tag)
    }

    fn new_tag(&mut self) -> String {
        let tag = format!("x{}", self.next_tag);
        self.next_tag += 1;
        tag
    }

    /// Reads the next response and notes what it says about the connection.
    ///
    /// # Errors
    /// Those of reading; the server's reason when it says BYE.
    pub fn receive(&mut self, response: &mut Response, sink: &mut dyn BodySink) -> Result<()> {
        self.reader.read_response(response, sink)?;
        self.untagged += 1;
        if self.untagged > MAX_UNTAGGED {
            let text = format!(
                "the server has sent {MAX_UNTAGGED} responses and ends no command; the last was {}",
                response.shown()
            );
            return Err(SessionError::new(Kind::Refused, text));
        }
        match response::classify(response) {
            Line::Tagged(_, status) => {
                self.untagged = 0;
                self.reader.command_ended();
                self.note_capabilities(&status);
                self.last_status = Some(status);
            }
            Line::Untagged(status) => {
                self.note_capabilities(&status);
                if status.condition == Condition::Bye && !self.leaving {
                    return Err(bye(&status));
                }
                if status
                    .code
                    .as_deref()
                    .is_some_and(|code| code.eq_ignore_ascii_case("ALERT"))
                {
                    warn!("the server says: {}", status.text);
                }
            }
            Line::Data => {
                if let Some(words) = response::parse_capability(response) {
                    self.capabilities = Capabilities(words);
                }
            }
            Line::Continuation => {}
            Line::Garbage => return self.note_garbage(response),
        }
        self.garbage = 0;
        Ok(())
    }

    fn note_capabilities(&mut self, status: &Status) {
        if let Some(words) = status.code_argument("CAPABILITY") {
            self.capabilities = Capabilities(response::capability_words(words));
        }
    }

    fn note_garbage(&mut self, response: &Response) -> Result<()> {
        debug!(line = response.shown(), "not an IMAP response, skipped");
        self.garbage += 1;
        if self.garbage < MAX_GARBAGE {
            return Ok(());
        }
        let text = format!("the server sends no IMAP responses: {}", response.shown());
        Err(SessionError::new(Kind::Desync, text))
    }

    /// Sends a command, hands its untagged responses to `handle`, and returns its end.
    ///
    /// # Errors
    /// Those of sending and receiving. NO and BAD are no errors here.
    pub fn run(&mut self, command: &Command, mut handle: impl FnMut(&Response)) -> Result<Status> {
        let mut lane = Lane::new(self);
        lane.send(command, (), Order::Strict)?;
        loop {
            match lane.next(&mut NoBody)? {
                Answer::Untagged((), response) => handle(response),
                Answer::Done((), status) => return Ok(status),
            }
        }
    }
}

/// The error for a server's goodbye.
fn bye(status: &Status) -> SessionError {
    let kind = retry::classify(status.code.as_deref(), &status.text, Kind::Transient);
    SessionError::new(kind, format!("the server says {}", status.said()))
}

/// Whether a command's end may overtake that of the one before it (RFC 3501 section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It changes what the next ones mean, as EXAMINE does.
    Strict,
    /// It stands beside others of its kind, as UID FETCH does.
    Loose,
}

struct Outstanding<S> {
    tag: String,
    step: S,
    order: Order,
}

/// Commands sent ahead: each carries a step, and comes back with its answers in order.
pub struct Lane<'a, S> {
    channel: &'a mut Channel,
    outstanding: VecDeque<Outstanding<S>>,
    response: Response,
}

/// What came back.
pub enum Answer<'a, S> {
    /// An untagged response while this step was the first outstanding one.
    Untagged(&'a S, &'a Response),
    /// The tagged end of this step.
    Done(S, Status),
}

impl<'a, S> Lane<'a, S> {
    /// A lane without commands on the channel.
    pub fn new(channel: &'a mut Channel) -> Self {
        Self {
            channel,
            outstanding: VecDeque::new(),
            response: Response::default(),
        }
    }

    /// Number of commands that are not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// The steps that are not answered yet, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &S> {
        self.outstanding.iter().map(|command| &command.step)
    }

    /// What the command sent last carries.
    pub fn last_step(&mut self) -> Option<&mut S> {
        self.outstanding.back_mut().map(|command| &mut command.step)
    }

    /// What had arrived of the response in which an error struck.
    #[must_use]
    pub fn torn(&self) -> &Response {
        &self.response
    }

    /// What the server can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.channel.capabilities
    }

    /// Sends a command.
    ///
    /// # Errors
    /// Those of writing.
    pub fn send(&mut self, command: &Command, step: S, order: Order) -> Result<()> {
        let tag = self.channel.send(command)?;
        self.outstanding.push_back(Outstanding { tag, step, order });
        Ok(())
    }

    /// Begins a command that is sent in pieces with [`Lane::write`]; returns its tag and a blank, not sent yet.
    pub fn begin(&mut self, step: S, order: Order) -> Vec<u8> {
        let tag = self.channel.new_tag();
        let head = format!("{tag} ").into_bytes();
        self.outstanding.push_back(Outstanding { tag, step, order });
        head
    }

    /// Sends a piece of the command begun last.
    ///
    /// # Errors
    /// The server's last words where it hung up with some, else those of writing.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Err(error) = self.channel.reader.wire().write_all(bytes) else {
            return Ok(());
        };
        if error.kind == Kind::Transient && !error.to_string().contains("--imap-timeout") {
            // A server that hangs up in the middle of a literal has often said why.
            for _ in 0..self.outstanding.len() + 8 {
                match self.channel.receive(&mut self.response, &mut NoBody) {
                    Ok(()) => {}
                    Err(words) if words.to_string().contains("BYE") => return Err(words),
                    Err(_) => break,
                }
            }
        }
        Err(error)
    }

    /// Waits for the go-ahead `+` for a synchronising literal of the only outstanding command.
    ///
    /// Returns the command's end instead, where the server refuses.
    ///
    /// # Errors
    /// Those of receiving; [`Kind::Desync`] for a tagged end that fits no command.
    pub fn await_go_ahead(&mut self) -> Result<Option<(S, Status)>> {
        loop {
            self.channel.receive(&mut self.response, &mut NoBody)?;
            match response::classify(&self.response) {
                Line::Continuation => return Ok(None),
                Line::Tagged(tag, status) => {
                    let at = self.position(tag)?;
                    return Ok(self.outstanding.remove(at).map(|done| (done.step, status)));
                }
                Line::Untagged(_) | Line::Data | Line::Garbage => {}
            }
        }
    }

    /// The next answer; at least one command must be outstanding.
    ///
    /// # Errors
    /// Those of receiving; [`Kind::Desync`] for a tagged end that fits no command.
    pub fn next(&mut self, sink: &mut dyn BodySink) -> Result<Answer<'_, S>> {
        loop {
            self.channel.receive(&mut self.response, sink)?;
            match response::classify(&self.response) {
                Line::Tagged(tag, status) => {
                    let at = self.position(tag)?;
                    if let Some(done) = self.outstanding.remove(at) {
                        return Ok(Answer::Done(done.step, status));
                    }
                }
                Line::Untagged(_) | Line::Data => break,
                Line::Continuation | Line::Garbage => {}
            }
        }
        match self.outstanding.front() {
            Some(first) => Ok(Answer::Untagged(&first.step, &self.response)),
            None => Err(SessionError::new(Kind::Desync, "no command is outstanding")),
        }
    }

    fn position(&self, tag: &str) -> Result<usize> {
        let at = self.outstanding.iter().position(|sent| sent.tag == tag);
        let at = at.filter(|at| {
            *at == 0
                || self
                    .outstanding
                    .iter()
                    .take(at + 1)
                    .all(|sent| sent.order == Order::Loose)
        });
        at.ok_or_else(|| {
            let text = format!("unexpected tagged response: {}", self.response.shown());
            SessionError::new(Kind::Desync, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(words: &str) -> Capabilities {
        Capabilities(response::capability_words(words))
    }

    #[test]
    fn names_go_back_as_listed_and_cannot_inject_commands() {
        let none = offered("IMAP4rev1");
        let literal = offered("IMAP4rev1 LITERAL+");
        let command = |name: &[u8], caps: &Capabilities| {
            Command::new("EXAMINE")
                .mailbox(name, caps)
                .map(|command| command.0)
                .map_err(|error| error.kind)
        };
        assert_eq!(
            command(b"a\"b\\c", &none),
            Ok(b"EXAMINE \"a\\\"b\\\\c\"".to_vec())
        );
        assert_eq!(
            command(b"\xe9t\xe9", &none),
            Ok(b"EXAMINE \"\xe9t\xe9\"".to_vec())
        );
        assert_eq!(
            command(b"\xe9", &literal),
            Ok(b"EXAMINE {1+}\r\n\xe9".to_vec())
        );
        assert_eq!(command(b"a\r\nx DELETE b", &none), Err(Kind::Refused));
        assert_eq!(
            command(b"a\r\nb", &literal),
            Ok(b"EXAMINE {4+}\r\na\r\nb".to_vec())
        );
    }
}
