//! The slots that a server has for our connections, learnt from its refusals: a connection refused while others of this
//! run are connected waits until one of these has ended.
//!
//! Words differ ("Too many simultaneous connections", `mail_max_userip_connections`), and so does what is counted: the
//! login, our address, the whole server. So no number is kept: whoever waits stands in a queue, and each connection
//! that ends lets its first one try. If the server has more room than that, a try now and then finds it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Result, SessionError};
use crate::stop::Stop;

/// How often a waiting thread checks whether the run was asked to stop.
const TICK: Duration = Duration::from_millis(100);
/// Wait before the first try that no ended connection has made room for; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// The longest such wait.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a server may go on counting a connection that has ended.
const SETTLE: Duration = Duration::from_secs(10);

/// Shared by all connections of a run to one server.
#[derive(Debug, Default)]
pub struct Slots {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    /// Connections of ours that are logged in.
    open: usize,
    /// When the last one ended.
    ended: Option<Instant>,
    /// Who waits, by number; the first one is the next to try.
    queue: VecDeque<u64>,
    numbers: u64,
    /// Connections that have ended and whose slot nobody has tried to take.
    freed: usize,
    /// Tries in a row that no ended connection had made room for.
    tries: u32,
    /// When the first of the queue tries, whether or not one has ended.
    next_try: Option<Instant>,
}

/// The slot of a connection that is logged in; free again when dropped.
#[derive(Debug)]
pub struct Slot(Arc<Slots>);

impl Slots {
    /// Returns when it is one's turn to connect: at once, unless others wait or one was refused.
    ///
    /// # Errors
    /// The run is asked to stop.
    pub fn turn(&self, refused: bool, stop: &Stop) -> Result<()> {
        let mut state = self.lock();
        if !refused && state.queue.is_empty() {
            return Ok(());
        }
        let number = state.join();
        loop {
            if stop.requested() {
                state.queue.retain(|waiting| *waiting != number);
                return Err(SessionError::stopped());
            }
            if state.may_try(number) {
                state.queue.pop_front();
                return Ok(());
            }
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A connection is logged in.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Slot {
        let mut state = self.lock();
        state.open += 1;
        state.tries = 0;
        Slot(Arc::clone(self))
    }

    /// True while others of this run are connected.
    #[must_use]
    pub fn any_open(&self) -> bool {
        self.lock().open > 0
    }

    /// True while the server may count others of this run: they are connected, or were a moment ago.
    #[must_use]
    pub fn any_counted(&self) -> bool {
        let state = self.lock();
        state.open > 0 || state.settles()
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SlotState {
    fn settles(&self) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() < SETTLE)
    }

    fn join(&mut self) -> u64 {
        self.numbers += 1;
        self.queue.push_back(self.numbers);
        let now = Instant::now();
        if self.next_try.is_none_or(|next| next < now) {
            self.next_try = Some(now + self.pause());
        }
        self.numbers
    }

    /// When none of ours is connected there is no point in waiting for others: a refusal now is not our doing.
    fn may_try(&mut self, number: u64) -> bool {
        if self.open == 0 && !self.settles() {
            return self.queue.front() == Some(&number);
        }
        let now = Instant::now();
        let is_time = self.freed > 0 || self.next_try.is_none_or(|next| next <= now);
        if self.queue.front() != Some(&number) || !is_time {
            return false;
        }
        if self.freed > 0 {
            self.freed -= 1;
        } else {
            self.tries += 1;
        }
        self.next_try = Some(now + self.pause());
        true
    }

    fn pause(&self) -> Duration {
        (FIRST * 2_u32.pow(self.tries.min(7))).min(LONGEST)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let now = Instant::now();
        state.open -= 1;
        state.ended = Some(now);
        state.tries = 0;
        state.freed = (state.freed + 1).min(state.queue.len());
        let soon = now + FIRST;
        state.next_try = state.next_try.map(|next| next.min(soon));
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_refused_waits_for_an_end_and_those_behind_wait_too() {
        let (slots, stop) = (Arc::new(Slots::default()), Stop::new());
        slots.turn(false, &stop).expect("nobody waits");
        let slot = slots.take();
        assert!(slots.any_open());
        let order = Arc::new(Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for (name, refused) in [("refused", true), ("fresh", false)] {
                let (slots, stop, order) = (&slots, &stop, Arc::clone(&order));
                let waiting = slots.lock().queue.len();
                scope.spawn(move || {
                    slots.turn(refused, stop).expect("no stop");
                    order.lock().expect("no panic").push(name);
                });
                while slots.lock().queue.len() == waiting {
                    std::thread::yield_now();
                }
            }
            drop(slot);
        });
        assert_eq!(*order.lock().expect("no panic"), ["refused", "fresh"]);
        assert!(!slots.any_open() && slots.any_counted());
    }

    #[test]
    fn who_waits_hears_a_stop() {
        let (slots, stop) = (Arc::new(Slots::default()), Stop::new());
        let _slot = slots.take();
        stop.request();
        slots.turn(true, &stop).expect_err("stopped");
        assert!(slots.lock().queue.is_empty());
    }

    #[test]
    fn waits_grow_and_end_of_a_connection_shortens_them() {
        let mut state = SlotState {
            open: 1,
            tries: 20,
            ..SlotState::default()
        };
        assert_eq!(state.pause(), LONGEST);
        state.tries = 0;
        assert_eq!(state.pause(), FIRST);
        let number = state.join();
        assert!(!state.may_try(number));
        state.freed = 1;
        assert!(state.may_try(number));
        assert_eq!(state.freed, 0);
    }
}
