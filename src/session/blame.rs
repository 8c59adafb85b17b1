//! Who is blamed for an end that is not OK: the message or mailbox that the command was about. What is about the
//! account or the host is left to the retry loop.
//!
//! Counts across connections, and so decides how the next try is made. It knows neither commands nor files: whoever
//! sends a command says what it is about.

use std::collections::HashMap;
use std::hash::Hash;

/// Ends without an OK after which an object is asked for with nothing else in flight.
const ALONE_AFTER: u32 = 2;
/// Ends after which it is recorded and skipped.
const OVER_AFTER: u32 = 3;

/// What a command is about; `B` tells mailboxes apart, `M` the messages of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner<B, M = u32> {
    /// One message.
    Message(B, M),
    /// A mailbox: STATUS, EXAMINE, its inventory.
    Mailbox(B),
}

/// How an object is to be asked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Beside others.
    Together,
    /// With nothing else in flight, so that its next failure is beyond doubt its own.
    Alone,
    /// Not at all: it is recorded, and everything else goes on.
    Over,
}

#[derive(Debug, Clone, Default)]
struct Count {
    ends: u32,
    words: String,
}

/// The counts of one account.
#[derive(Debug)]
pub struct Blame<O> {
    counts: HashMap<O, Count>,
}

impl<O> Default for Blame<O> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
        }
    }
}

impl<B: Copy + Eq + Hash, M: Copy + Eq + Hash> Blame<Owner<B, M>> {
    /// Counts an end that is not OK: NO, BAD, BYE, silence or a death; `words` are the server's.
    pub fn count(&mut self, owner: Owner<B, M>, words: impl Into<String>) -> Verdict {
        let count = self.counts.entry(owner).or_default();
        count.ends += 1;
        count.words = words.into();
        self.verdict(&owner)
    }

    /// Counts an end that is perhaps its own: it may come to be asked for alone, but no further.
    pub fn suspect(&mut self, owner: Owner<B, M>, words: impl Into<String>) -> Verdict {
        if self.ends(&owner) < ALONE_AFTER {
            self.count(owner, words)
        } else {
            self.verdict(&owner)
        }
    }

    /// An earlier run had to skip it: it is asked for once, and alone.
    pub fn remember(&mut self, owner: Owner<B, M>) {
        let count = self.counts.entry(owner).or_default();
        count.ends = count.ends.max(ALONE_AFTER);
    }

    /// How it is to be asked for.
    #[must_use]
    pub fn verdict(&self, owner: &Owner<B, M>) -> Verdict {
        match self.ends(owner) {
            OVER_AFTER.. => Verdict::Over,
            ALONE_AFTER.. => Verdict::Alone,
            _ => Verdict::Together,
        }
    }

    /// How often it ended badly so far.
    #[must_use]
    pub fn ends(&self, owner: &Owner<B, M>) -> u32 {
        self.counts.get(owner).map_or(0, |count| count.ends)
    }

    /// How often anything of this mailbox ended badly, at most.
    #[must_use]
    pub fn ends_in(&self, mailbox: B) -> u32 {
        let of_it = self.counts.iter().filter(|(owner, _)| match owner {
            Owner::Message(other, _) | Owner::Mailbox(other) => *other == mailbox,
        });
        of_it.map(|(_, count)| count.ends).max().unwrap_or(0)
    }

    /// The last words that the server had for it.
    #[must_use]
    pub fn words(&self, owner: &Owner<B, M>) -> Option<&str> {
        let count = self.counts.get(owner)?;
        (!count.words.is_empty()).then_some(count.words.as_str())
    }

    /// It came after all.
    pub fn clear(&mut self, owner: &Owner<B, M>) {
        self.counts.remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_time_is_alone_and_the_fourth_never_comes() {
        let mut blame = Blame::default();
        let bad: Owner<usize> = Owner::Message(0, 7);
        let verdicts = [(); 3].map(|()| blame.count(bad, "BYE FETCH failed"));
        assert_eq!(verdicts, [Verdict::Together, Verdict::Alone, Verdict::Over]);
        assert_eq!(blame.words(&bad), Some("BYE FETCH failed"));
        let beside = [
            Owner::Message(1, 7),
            Owner::Message(0, 8),
            Owner::Mailbox(0),
        ];
        for other in beside {
            assert_eq!(blame.verdict(&other), Verdict::Together);
        }
        blame.clear(&bad);
        assert_eq!(blame.verdict(&bad), Verdict::Together);
    }

    #[test]
    fn what_an_earlier_run_passed_over_has_one_try() {
        let mut blame = Blame::default();
        let bad: Owner<usize> = Owner::Message(0, 7);
        blame.remember(bad);
        assert_eq!(blame.verdict(&bad), Verdict::Alone);
        assert_eq!(blame.words(&bad), None);
        assert_eq!(blame.count(bad, "NO"), Verdict::Over);
    }
}
