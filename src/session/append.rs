//! The append lane: messages go out ahead of their answers, several in a command where the server allows it.

use std::io::{self, Read};

use super::capability::Capabilities;
use super::command::Command;
use super::error::{Kind, Result, SessionError};
use super::lane::{Lane, Order};
use super::pace::Ahead;
use super::response::StatusResponse;

/// Largest literal that LITERAL- lets go without asking, in bytes (RFC 7888 section 5).
const LITERAL_MINUS: u64 = 4096;
/// Bytes sent at a time.
const PIECE: usize = 256 * 1024;

/// Which literals need no go-ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literals {
    /// All (LITERAL+).
    Plus,
    /// Small ones (LITERAL-).
    Minus,
    /// None.
    Synchronising,
}

/// How messages go to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendSupport {
    /// Several messages in one command (RFC 3502).
    pub multi: bool,
    literals: Literals,
    /// Largest message that the server takes, in bytes (RFC 7889).
    pub limit: Option<u64>,
}

impl AppendSupport {
    /// What the capabilities allow.
    #[must_use]
    pub fn of(capabilities: &Capabilities) -> Self {
        let literals = if capabilities.has("LITERAL+") {
            Literals::Plus
        } else if capabilities.has("LITERAL-") || capabilities.has("IMAP4REV2") {
            Literals::Minus
        } else {
            Literals::Synchronising
        };
        Self {
            multi: capabilities.has("MULTIAPPEND"),
            literals,
            limit: capabilities
                .value("APPENDLIMIT")
                .and_then(|value| value.parse().ok()),
        }
    }

    /// The same, as far as commands may be sent ahead.
    #[must_use]
    pub fn paced(self, ahead: Ahead) -> Self {
        let literals = match ahead {
            Ahead::Nothing => Literals::Synchronising,
            Ahead::All | Ahead::AllButBehindOpen | Ahead::Appends => self.literals,
        };
        Self { literals, ..self }
    }

    /// True when a message of this size must wait for the server's go-ahead.
    #[must_use]
    pub fn must_ask(&self, size: u64) -> bool {
        match self.literals {
            Literals::Plus => false,
            Literals::Minus => size > LITERAL_MINUS,
            Literals::Synchronising => true,
        }
    }
}

/// One message to send.
pub struct Outgoing<'a> {
    /// Flags and keywords, blank-separated; `None` sends no list, not even an empty one.
    pub flags: Option<&'a str>,
    /// INTERNALDATE in the canonical form.
    pub internaldate: Option<&'a str>,
    /// Bytes that `body` will give.
    pub size: u64,
    /// The message.
    pub body: &'a mut dyn Read,
}

/// Sends messages in one APPEND command, through a fixed buffer.
pub struct Append<'l, 'a, S> {
    lane: &'l mut Lane<'a, S>,
    ways: AppendSupport,
    out: Vec<u8>,
}

impl<'l, 'a, S> Append<'l, 'a, S> {
    /// Begins the command; nothing may be outstanding when one of its messages must ask.
    ///
    /// # Errors
    /// A mailbox name that cannot be sent.
    pub fn begin(
        lane: &'l mut Lane<'a, S>,
        ways: AppendSupport,
        mailbox: &[u8],
        step: S,
    ) -> Result<Self> {
        let command = Command::new("APPEND").mailbox(mailbox, lane.capabilities())?;
        let mut out = lane.begin(step, Order::Loose);
        out.extend_from_slice(command.bytes());
        Ok(Self { lane, ways, out })
    }

    /// Sends one message. Returns the command's end, if the server refuses before it has it.
    ///
    /// # Errors
    /// Those of the connection; [`Kind::Local`] when `body` fails or ends early: the connection is useless then.
    pub fn message(&mut self, message: &mut Outgoing<'_>) -> Result<Option<(S, StatusResponse)>> {
        self.lane.one_message()?;
        let asks = self.ways.must_ask(message.size);
        if let Some(flags) = message.flags {
            self.out.extend_from_slice(format!(" ({flags})").as_bytes());
        }
        if let Some(date) = message.internaldate {
            self.out
                .extend_from_slice(format!(" \"{date}\"").as_bytes());
        }
        let plus = if asks { "" } else { "+" };
        self.out
            .extend_from_slice(format!(" {{{}{plus}}}\r\n", message.size).as_bytes());
        if asks {
            self.flush()?;
            if let Some(refused) = self.lane.await_go_ahead()? {
                return Ok(Some(refused));
            }
        }
        let mut left = message.size;
        while left > 0 {
            let room = PIECE.saturating_sub(self.out.len());
            if room == 0 {
                self.flush()?;
                continue;
            }
            let want = usize::try_from(left).map_or(room, |left| left.min(room));
            let from = self.out.len();
            self.out.resize(from + want, 0);
            let count = message.body.read(&mut self.out[from..]);
            let count = match count {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Ok(0) => return Err(local("the message file became shorter while it was sent")),
                Ok(count) => count,
                Err(error) => return Err(local(&error.to_string())),
            };
            self.out.truncate(from + count);
            left -= count as u64;
        }
        Ok(None)
    }

    /// Ends the command.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn end(mut self) -> Result<()> {
        self.out.extend_from_slice(b"\r\n");
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let sent = self.lane.write(&self.out);
        self.out.clear();
        sent
    }
}

fn local(text: &str) -> SessionError {
    SessionError::new(Kind::Local, text)
}

/// UIDVALIDITY and UIDs of `[APPENDUID …]` (RFC 4315), in the order of the messages.
#[must_use]
pub fn append_uids(status: &StatusResponse) -> Option<(u32, Vec<u32>)> {
    /// More UIDs than anyone appends in one command are a lie.
    const MAX: u32 = 100_000;
    let (uidvalidity, set) = status.code_argument("APPENDUID")?.split_once(' ')?;
    let mut uids = Vec::new();
    for part in set.trim().split(',') {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last - first > MAX {
            return None;
        }
        uids.extend(first..=last);
    }
    Some((uidvalidity.parse().ok()?, uids))
}

#[cfg(test)]
mod tests {
    use super::super::response::Condition;
    use super::*;

    #[test]
    fn appenduid_gives_uids_in_order() {
        let uids = |code: &str| {
            append_uids(&StatusResponse {
                condition: Condition::Ok,
                code: Some(code.to_owned()),
                text: String::new(),
            })
        };
        assert_eq!(uids("APPENDUID 38505 3955"), Some((38505, vec![3955])));
        assert_eq!(uids("APPENDUID 1 5:7,9"), Some((1, vec![5, 6, 7, 9])));
        assert_eq!(uids("APPENDUID 1 9:5"), None);
        assert_eq!(uids("APPENDUID 1 1:4294967295"), None);
        assert_eq!(uids("UIDNEXT 5"), None);
    }
}
