//! Commands about a mailbox that is not open: to create or subscribe it, and how much it holds.

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::Result;
use super::response;

/// Creates a mailbox.
///
/// # Errors
/// A name that cannot be sent.
pub fn create(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    Command::new("CREATE").mailbox(name, capabilities)
}

/// Subscribes a mailbox.
///
/// # Errors
/// A name that cannot be sent.
pub fn subscribe(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    Command::new("SUBSCRIBE").mailbox(name, capabilities)
}

/// Asks for these numbers of a mailbox, as `(MESSAGES UIDNEXT)`.
///
/// # Errors
/// A name that cannot be sent.
pub fn status(name: &[u8], capabilities: &Capabilities, items: &str) -> Result<Command> {
    let ask = Command::new("STATUS").mailbox(name, capabilities)?;
    Ok(ask.words(&format!(" {items}")))
}

/// Asks how many messages a mailbox holds.
///
/// # Errors
/// A name that cannot be sent.
pub fn messages(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    status(name, capabilities, "(MESSAGES)")
}

/// Asks for the UIDVALIDITY of a mailbox.
///
/// # Errors
/// A name that cannot be sent.
pub fn uidvalidity(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    status(name, capabilities, "(UIDVALIDITY)")
}

/// How many messages a mailbox holds, where the server says it.
///
/// # Errors
/// Those of the connection.
pub fn count(channel: &mut Channel, name: &[u8]) -> Result<Option<u64>> {
    let ask = status(name, &channel.capabilities, "(MESSAGES)")?;
    let mut count = None;
    channel.run(&ask, |response| {
        if let Some(Ok((_, status))) = response::parse_mailbox_status(response) {
            count = status.messages;
        }
    })?;
    Ok(count)
}
