//! Changing flags of messages: UID STORE.

use std::fmt::{self, Display};

use super::command::Command;

/// What happens to the flags that are named; the others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagChange {
    /// They are added.
    Add,
    /// They are taken away.
    Remove,
}

impl Display for FlagChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Remove => "-",
        })
    }
}

/// Changes flags of a UID set; the answers show what its messages have then.
#[must_use]
pub fn flags(set: impl Display, change: FlagChange, flags: &str) -> Command {
    Command::new(format!("UID STORE {set} {change}FLAGS ({flags})"))
}

/// The same without such answers.
#[must_use]
pub fn flags_silently(set: impl Display, change: FlagChange, flags: &str) -> Command {
    Command::new(format!("UID STORE {set} {change}FLAGS.SILENT ({flags})"))
}
