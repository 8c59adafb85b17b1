//! How far ahead of its answers a server may be sent commands, and what not to ask it, learnt from its behaviour.
//!
//! RFC 3501 section 5.5 allows commands sent ahead. Some servers carry them out at once and end them in any order, some
//! throw away what stands behind the first line: what was learnt holds for all further connections of the run.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

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

/// Optional questions, asked before or beside LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// LSUB.
    Subscribed,
    /// LIST (SUBSCRIBED).
    SubscribedByList,
    /// LIST RETURN (SPECIAL-USE STATUS).
    Extended,
    /// NAMESPACE.
    Namespace,
    /// GETQUOTAROOT.
    Quota,
    /// STATUS of an INBOX that LIST does not name.
    Inbox,
    /// ID.
    Identification,
}

impl Aside {
    fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "LSUB",
            Self::SubscribedByList => "LIST (SUBSCRIBED)",
            Self::Extended => "LIST RETURN",
            Self::Namespace => "NAMESPACE",
            Self::Quota => "GETQUOTAROOT",
            Self::Inbox => "STATUS INBOX",
            Self::Identification => "ID",
        }
    }
}

/// Connections that may die of a question before it is no longer asked; one may have died by chance.
const ENOUGH: u8 = 2;
/// Connections that died of such questions, of whichever, before it is put down to their having been sent ahead.
const MANY: u8 = 3;

/// Shared by all connections of a run to one server.
#[derive(Debug, Default)]
pub struct Pace {
    ahead: AtomicU8,
    /// Connections that died of each [`Aside`].
    deaths: [AtomicU8; 7],
    /// Connections that died while several questions were on their way.
    deaths_ahead: AtomicU8,
    /// A command that was sent ahead has ended in an OK.
    obeys: AtomicBool,
}

impl Pace {
    /// A connection died, or fell silent, at this question.
    pub fn died_of(&self, aside: Aside, silent: bool) {
        let deaths = if silent { ENOUGH } else { 1 };
        let before = self.deaths[aside as usize].fetch_add(deaths, Ordering::Relaxed);
        if before < ENOUGH && before + deaths >= ENOUGH {
            warn!(
                "the server answers {} by ending the connection, or not at all: it is no longer asked",
                aside.as_str()
            );
        }
    }

    /// A command that was sent ahead has ended in an OK: from now on no death and no BAD is blamed on that.
    pub fn obeyed(&self) {
        self.obeys.store(true, Ordering::Relaxed);
    }

    /// True where commands that were sent ahead have been carried out.
    #[must_use]
    pub fn obeys(&self) -> bool {
        self.obeys.load(Ordering::Relaxed)
    }

    /// A connection died while several questions were on their way. Some servers hang up on whoever sends a command
    /// before the end of another one: true once that is what it is put down to, and the questions are not to blame.
    pub fn died_ahead(&self) -> bool {
        if self.obeys() || self.deaths_ahead.fetch_add(1, Ordering::Relaxed) + 1 < MANY {
            return false;
        }
        self.limit(
            Ahead::Nothing,
            "connections end on which commands are sent ahead of their answers",
        );
        for deaths in &self.deaths {
            deaths.fetch_min(ENOUGH - 1, Ordering::Relaxed);
        }
        true
    }

    /// Should this not be asked?
    #[must_use]
    pub fn does_without(&self, aside: Aside) -> bool {
        self.deaths[aside as usize].load(Ordering::Relaxed) >= ENOUGH
    }

    /// How far ahead commands may go now.
    #[must_use]
    pub fn ahead(&self) -> Ahead {
        LEVELS[usize::from(self.ahead.load(Ordering::Relaxed)).min(LEVELS.len() - 1)]
    }

    /// From now on at most this far; `why` is logged, once. It never grows again.
    pub fn limit(&self, to: Ahead, why: &str) {
        let before = self.ahead.fetch_max(to as u8, Ordering::Relaxed);
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

    #[test]
    fn a_server_that_hangs_up_on_several_questions_gets_one_at_a_time_unless_it_has_answered_some()
    {
        let pace = Pace::default();
        for _ in 0..2 {
            pace.died_of(Aside::Identification, false);
            assert!(!pace.died_ahead());
        }
        assert!(pace.died_ahead());
        assert_eq!(pace.ahead(), Ahead::Nothing);
        assert!(!pace.does_without(Aside::Identification));
        let pace = Pace::default();
        pace.obeyed();
        assert!((0..9).all(|_| !pace.died_ahead()));
        assert_eq!(pace.ahead(), Ahead::All);
    }

    #[test]
    fn what_connections_die_of_is_asked_twice_and_silence_once() {
        let pace = Pace::default();
        pace.died_of(Aside::Extended, false);
        assert!(!pace.does_without(Aside::Extended));
        pace.died_of(Aside::Extended, false);
        assert!(pace.does_without(Aside::Extended));
        pace.died_of(Aside::Subscribed, true);
        assert!(pace.does_without(Aside::Subscribed));
        assert!(!pace.does_without(Aside::Namespace));
    }
}
