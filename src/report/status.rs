//! How an account ended.

use serde::{Deserialize, Serialize};

/// How an account ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All of it was done.
    Complete,
    /// It was worked through, but not everything could be had.
    Incomplete,
    /// It was worked through, and something was found that somebody should look at.
    Findings,
    /// It could not be worked through.
    Failed,
    /// Its server asks to be left alone for longer than a run waits: nothing failed, and the next run goes on.
    Parked,
    /// The run ended before it was done.
    Stopped,
    /// The run ended before it was begun.
    #[default]
    NotStarted,
}

impl Status {
    /// True when the other accounts are not begun because of it, unless errors are ignored.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        !matches!(self, Self::Complete | Self::Findings | Self::Parked)
    }

    /// The word in table and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "INCOMPLETE",
            Self::Findings => "FINDINGS",
            Self::Failed => "FAILED",
            Self::Parked => "parked",
            Self::Stopped => "stopped",
            Self::NotStarted => "not started",
        }
    }
}
