//! Opening and leaving a mailbox: the commands, and what the server says about it then.

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::Result;
use super::reader::Response;
use super::response::{self, ResponseKind};

/// A name that no mailbox has.
const NO_MAILBOX: &[u8] = b"no-such-mailbox.imapsync-bulk-migrator";

/// What the answers to a SELECT or EXAMINE say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Number of messages; 0 where the server says none.
    pub exists: u64,
    /// It has said how many.
    pub is_counted: bool,
    /// UIDVALIDITY; 0 where the server says none.
    pub uidvalidity: u32,
    /// UIDNEXT; 0 where the server says none.
    pub uidnext: u32,
    /// HIGHESTMODSEQ.
    pub highestmodseq: Option<u64>,
    /// PERMANENTFLAGS.
    pub permanent_flags: Option<Vec<String>>,
    /// MAILBOXID (RFC 8474).
    pub mailbox_id: Option<String>,
}

impl Selected {
    /// Takes an untagged answer.
    pub fn take(&mut self, response: &Response) {
        if let Some(count) = response::parse_exists(response) {
            self.exists = count;
            self.is_counted = true;
        }
        let ResponseKind::Untagged(status) = response::classify(response) else {
            return;
        };
        if let Some(value) = status.code_argument("UIDVALIDITY") {
            self.uidvalidity = value.parse().unwrap_or(0);
        }
        if let Some(value) = status.code_argument("UIDNEXT") {
            self.uidnext = value.parse().unwrap_or(0);
        }
        if let Some(value) = status.code_argument("HIGHESTMODSEQ") {
            self.highestmodseq = value.parse().ok().filter(|modseq| *modseq > 0);
        }
        if let Some(id) = status.code_argument("MAILBOXID") {
            let id = id.trim_matches(['(', ')', ' ']);
            self.mailbox_id = (!id.is_empty()).then(|| id.to_owned());
        }
        if let Some(flags) = status.code_argument("PERMANENTFLAGS") {
            self.permanent_flags = Some(response::flag_words(flags));
        }
    }
}

/// Opens a mailbox to be read.
///
/// # Errors
/// A name that cannot be sent.
pub fn examine(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    Command::new("EXAMINE").mailbox(name, capabilities)
}

/// Opens a mailbox to be changed.
///
/// # Errors
/// A name that cannot be sent.
pub fn select(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    Command::new("SELECT").mailbox(name, capabilities)
}

/// Closes the mailbox that is open, and expunges nothing.
///
/// # Errors
/// None that a server can cause.
pub fn leave(capabilities: &Capabilities) -> Result<Command> {
    if capabilities.has("UNSELECT") {
        return Ok(Command::new("UNSELECT"));
    }
    // After a failed SELECT or EXAMINE none is open (RFC 3501 section 6.3.1).
    examine(NO_MAILBOX, capabilities)
}

/// PERMANENTFLAGS of a mailbox: only SELECT tells them, EXAMINE says that nothing can be changed.
///
/// # Errors
/// Those of the connection.
pub fn permanent_flags(channel: &mut Channel, name: &[u8]) -> Result<Option<Vec<String>>> {
    let command = select(name, &channel.capabilities)?;
    let mut selected = Selected::default();
    channel.run(&command, |response| selected.take(response))?;
    Ok(selected.permanent_flags)
}
