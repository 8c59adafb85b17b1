//! Commands that are not answered yet.

use crate::session::command::Command;
use crate::session::response::StatusResponse;

/// Whether a command's end may overtake that of the one before it (RFC 3501 section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It selects a mailbox: if it is refused, the loose ones behind it are useless.
    Opens,
    /// It changes what the next ones mean, as CREATE does.
    Strict,
    /// It stands beside others of its kind, as UID FETCH does.
    Loose,
}

/// A command that is not answered yet.
pub(super) struct Outstanding<S> {
    /// Empty while it is not sent.
    pub tag: String,
    pub step: S,
    pub order: Order,
    /// What it says; `None` for one that is sent in pieces.
    pub command: Option<Command>,
    /// Others were on their way when it was sent.
    pub ahead: bool,
    /// Something was said while it was the oldest.
    pub heard: bool,
    /// Why its answers are of no use.
    pub void: Option<Void>,
    /// It was refused while others were on their way, and is sent once more.
    pub again: bool,
}

impl<S> Outstanding<S> {
    /// One that is neither spelled nor sent.
    pub(super) fn new(step: S, order: Order) -> Self {
        Self {
            tag: String::new(),
            step,
            order,
            command: None,
            ahead: false,
            heard: false,
            void: None,
            again: false,
        }
    }

    /// It is on its way.
    pub(super) fn is_sent(&self) -> bool {
        !self.tag.is_empty()
    }
}

/// Why the answers to a command are of no use.
pub(super) enum Void {
    /// It needs the mailbox whose opening ended like this.
    Closed(StatusResponse),
    /// What it needs was refused for being sent ahead: it is sent once more behind that.
    TooEarly,
}
