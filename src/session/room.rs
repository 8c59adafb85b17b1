//! How many connections to a server the configuration allows, and who of us is connected. Knows no refusals: what a
//! server itself allows is learnt in `slots`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::error::{Result, SessionError};
use crate::stop::Stop;

/// How often a waiting thread checks whether the run was asked to stop.
const TICK: Duration = Duration::from_millis(100);

/// Shared by all connections of a run to one server.
#[derive(Debug, Default)]
pub struct Room {
    /// `None` where the configuration says nothing.
    most: Option<usize>,
    /// What is known of such servers, for that case.
    preset: OnceLock<usize>,
    taken: Mutex<usize>,
    changed: Condvar,
}

/// The seat of one connection, from before it is made until it has ended; free again when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Room>);

impl Room {
    /// For this many connections at a time.
    #[must_use]
    pub fn new(most: Option<usize>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Such servers are known to allow this many; the configuration wins.
    pub fn preset(&self, most: usize) {
        let _ = self.preset.set(most);
    }

    fn is_full(&self, taken: usize) -> bool {
        let most = self.most.or_else(|| self.preset.get().copied());
        most.is_some_and(|most| taken >= most)
    }

    /// Waits for a seat.
    ///
    /// # Errors
    /// The run is asked to stop.
    pub fn enter(self: &Arc<Self>, stop: &Stop) -> Result<Seat> {
        let mut taken = self.lock();
        while self.is_full(*taken) {
            if stop.requested() {
                return Err(SessionError::stopped());
            }
            let waited = self.changed.wait_timeout(taken, TICK);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += 1;
        Ok(Seat(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_than_allowed_are_connected_and_everybody_is_in_the_end() {
        let (room, stop) = (Arc::new(Room::new(Some(2))), Stop::new());
        let (inside, most, served) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _seat = room.enter(&stop).expect("a seat");
                    most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    served.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert_eq!(served.into_inner(), 8);
    }

    #[test]
    fn who_waits_ends_with_the_run() {
        let (room, stop) = (Arc::new(Room::new(Some(1))), Stop::new());
        let _first = room.enter(&stop).expect("a seat");
        stop.request();
        room.enter(&stop).expect_err("no seat");
    }
}
