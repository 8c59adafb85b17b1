//! One login on the target is imported by one account at a time, and so is one mailbox: two that reach the same
//! mailboxes would each find the other's mail missing.
//!
//! Where nothing but the mail itself shows that a mailbox is the same, an account that has seen it gives way to those
//! that fill mailboxes of the same UIDVALIDITY. Equal UIDVALIDITYs alone prove nothing, and nobody waits for them.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::info;

use crate::stop::Stop;

/// How often a waiting thread checks whether the run is to stop.
const LOOK: Duration = Duration::from_millis(200);
/// What is said of it.
const WAITING: &str = "another account of this run is at work on the same mail: waiting for it";

/// Whose turn it is.
#[derive(Default)]
pub struct Turns {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    busy: HashSet<String>,
    members: HashMap<u64, Member>,
    /// How many there were.
    count: u64,
    /// What went first to mailboxes of a UIDVALIDITY: numbers that stand for messages, and whose they are.
    begun: HashMap<u32, Vec<(u64, u64)>>,
    /// Logins that were taken, in the whole run.
    logins: u64,
}

/// An account that fills mailboxes.
struct Member {
    /// How many of each UIDVALIDITY.
    fills: HashMap<u32, usize>,
    /// It gives way to others.
    waits: bool,
}

/// A turn; over when it is dropped.
pub struct Turn<'a> {
    turns: &'a Turns,
    names: HashSet<String>,
}

/// The mailboxes that an account fills, beside those of other accounts; none any more when it is dropped.
pub struct Company<'a> {
    turns: &'a Turns,
    number: u64,
}

impl State {
    fn fills(&self, number: u64, uidvalidity: u32) -> bool {
        let member = self.members.get(&number);
        member.is_some_and(|member| member.fills.contains_key(&uidvalidity) && !member.waits)
    }

    fn waits(&mut self, number: u64, waits: bool) {
        if let Some(member) = self.members.get_mut(&number) {
            member.waits = waits;
        }
    }
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was freed, or a moment.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.freed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until nobody else works on this login; `None` when the run is to stop first.
    pub fn take(&self, login: String, stop: &Stop) -> Option<Turn<'_>> {
        let taken = self.take_all(HashSet::from([login]), stop);
        self.state().logins += 1;
        taken.map(|(turn, _)| turn)
    }

    /// The same for all of these together, and whether it had to wait.
    pub fn take_all(&self, names: HashSet<String>, stop: &Stop) -> Option<(Turn<'_>, bool)> {
        let mut waits = false;
        let mut state = self.state();
        while !state.busy.is_disjoint(&names) {
            if !waits {
                info!("{WAITING}");
            }
            waits = true;
            if stop.requested() {
                return None;
            }
            state = self.wait(state);
        }
        state.busy.extend(names.iter().cloned());
        let turn = Turn { turns: self, names };
        Some((turn, waits))
    }

    /// An account begins to fill mailboxes of these UIDVALIDITYs.
    pub fn company(&self, uidvalidities: impl Iterator<Item = u32>) -> Company<'_> {
        let mut fills = HashMap::new();
        for uidvalidity in uidvalidities {
            *fills.entry(uidvalidity).or_default() += 1;
        }
        let mut state = self.state();
        state.count += 1;
        let number = state.count;
        let waits = false;
        state.members.insert(number, Member { fills, waits });
        let turns = self;
        Company { turns, number }
    }
}

impl Company<'_> {
    /// True unless somebody else is, or was, at work on this server in this run.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.turns.state().logins < 2
    }

    /// This message is about to be sent to an untouched mailbox of this UIDVALIDITY.
    pub fn begins(&self, uidvalidity: u32, message: u64) {
        let mut state = self.turns.state();
        let begun = state.begun.entry(uidvalidity).or_default();
        begun.push((self.number, message));
    }

    /// What other accounts have sent first to mailboxes of this UIDVALIDITY.
    #[must_use]
    pub fn begun_by_others(&self, uidvalidity: u32) -> HashSet<u64> {
        let state = self.turns.state();
        let begun = state.begun.get(&uidvalidity).into_iter().flatten();
        let others = begun.filter(|(number, _)| *number != self.number);
        others.map(|(_, message)| *message).collect()
    }

    /// One mailbox of this UIDVALIDITY is filled.
    pub fn filled(&self, uidvalidity: u32) {
        let mut state = self.turns.state();
        if let Some(member) = state.members.get_mut(&self.number) {
            if let Some(count) = member.fills.get_mut(&uidvalidity) {
                *count -= 1;
            }
            member.fills.retain(|_, count| *count > 0);
        }
        drop(state);
        self.turns.freed.notify_all();
    }

    /// A mailbox of this UIDVALIDITY is filled by another account, too: waits until those are through that may be it,
    /// unless they give way themselves; `None` when the run is to stop first.
    pub fn give_way(&self, uidvalidity: u32, stop: &Stop) -> Option<()> {
        let mut state = self.turns.state();
        let known = state.members.iter();
        let others: Vec<u64> = known
            .filter(|(number, it)| **number != self.number && it.fills.contains_key(&uidvalidity))
            .map(|(number, _)| *number)
            .collect();
        let mut waits = false;
        state.waits(self.number, true);
        while others.iter().any(|other| state.fills(*other, uidvalidity)) {
            if !waits {
                info!("{WAITING}");
            }
            waits = true;
            if stop.requested() {
                state.waits(self.number, false);
                return None;
            }
            // Who waits for this one may go on.
            self.turns.freed.notify_all();
            state = self.turns.wait(state);
        }
        state.waits(self.number, false);
        Some(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.busy.retain(|name| !self.names.contains(name));
        self.turns.freed.notify_all();
    }
}

impl Drop for Company<'_> {
    fn drop(&mut self) {
        self.turns.state().members.remove(&self.number);
        self.turns.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_others_have_sent_first_is_known_for_the_whole_run() {
        let turns = Turns::default();
        let first = turns.company([7, 8].into_iter());
        let second = turns.company([7].into_iter());
        first.begins(7, 1);
        first.begins(8, 2);
        second.begins(7, 3);
        assert_eq!(first.begun_by_others(7), HashSet::from([3]));
        assert_eq!(second.begun_by_others(7), HashSet::from([1]));
        assert_eq!(first.begun_by_others(8), HashSet::new());
        drop(first);
        assert_eq!(second.begun_by_others(7), HashSet::from([1]));
    }

    #[test]
    fn nobody_is_alone_once_another_login_was_taken() {
        let (turns, stop) = (Turns::default(), Stop::new());
        let first = turns.take("a".to_owned(), &stop);
        let company = turns.company([7].into_iter());
        assert!(company.is_alone());
        drop(first);
        let _second = turns.take("b".to_owned(), &stop);
        assert!(!company.is_alone());
    }

    #[test]
    fn who_gives_way_waits_for_those_at_work_on_the_same_and_for_nobody_else() {
        let (turns, stop) = (Turns::default(), Stop::new());
        let first = turns.company([7, 7, 8].into_iter());
        let second = turns.company([7].into_iter());
        let third = turns.company([7].into_iter());
        // Nobody else fills such a mailbox.
        assert_eq!(first.give_way(8, &stop), Some(()));
        assert_eq!(second.give_way(9, &stop), Some(()));
        drop(third);
        let waits = |of: &Company<'_>| turns.state().members[&of.number].waits;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| second.give_way(7, &stop));
            while !waits(&second) {
                thread::yield_now();
            }
            // Of two that would wait for each other, one goes on.
            assert_eq!(first.give_way(7, &stop), Some(()));
            first.filled(7);
            assert!(!waiting.is_finished());
            first.filled(7);
            assert_eq!(waiting.join().expect("no panic"), Some(()));
        });
        assert!(!waits(&first) && !waits(&second));
        stop.request();
        let third = turns.company([7].into_iter());
        assert_eq!(third.give_way(7, &stop), None);
        assert!(!waits(&third));
    }
}
