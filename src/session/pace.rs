//! How far ahead of its answers a server may be sent commands, learnt from what it does with them.
//!
//! RFC 3501 section 5.5 allows commands sent ahead. Some servers carry them out at once and end them in any order, some
//! throw away what stands behind the first line: what was learnt holds for all further connections of the run.

use std::sync::atomic::{AtomicU8, Ordering};

use tracing::warn;

/// How far ahead commands go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ahead {
    /// All of them.
    All,
    /// Those that select a mailbox are waited for: commands behind a refused one draw a BAD each, and some servers hang
    /// up after a number of them.
    AllButBehindOpen,
    /// Commands wait for each other; only APPENDs go together.
    Appends,
    /// Nothing.
    Nothing,
}

const LEVELS: [Ahead; 4] = [
    Ahead::All,
    Ahead::AllButBehindOpen,
    Ahead::Appends,
    Ahead::Nothing,
];

/// Shared by all connections of a run to one server.
#[derive(Debug, Default)]
pub struct Pace(AtomicU8);

impl Pace {
    /// How far ahead commands may go now.
    #[must_use]
    pub fn ahead(&self) -> Ahead {
        LEVELS[usize::from(self.0.load(Ordering::Relaxed)).min(LEVELS.len() - 1)]
    }

    /// From now on at most so far; `why` is logged, once. It never grows again.
    pub fn limit(&self, to: Ahead, why: &str) {
        let before = self.0.fetch_max(to as u8, Ordering::Relaxed);
        if before < to as u8 {
            let now = match to {
                Ahead::All => return,
                Ahead::AllButBehindOpen => "each mailbox is opened before more is asked of it",
                Ahead::Appends | Ahead::Nothing => "it gets one command at a time",
            };
            warn!("{why}: from now on {now}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_caught_stays_so() {
        let pace = Pace::default();
        assert_eq!(pace.ahead(), Ahead::All);
        pace.limit(Ahead::Nothing, "it loses commands");
        pace.limit(Ahead::AllButBehindOpen, "it refuses a mailbox");
        assert_eq!(pace.ahead(), Ahead::Nothing);
    }
}
