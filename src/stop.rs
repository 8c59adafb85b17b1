//! The wish to end the run in good order: from a signal, or from the first account that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::Exit;

/// Shared by all threads of a run.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    signal: Arc<AtomicBool>,
    requested: Arc<AtomicBool>,
}

impl Stop {
    /// Nobody wants to stop yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// SIGINT and SIGTERM ask for a stop; a second one ends the process at once.
    ///
    /// # Errors
    /// Those of installing signal handlers.
    pub fn on_signals(&self) -> Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // The order matters: at the first signal the flag is not set yet.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(Exit::Stopped.code()),
                Arc::clone(&self.signal),
            )
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&self.signal)))
            .map(|_| ())
            .context("install signal handlers")?;
        }
        Ok(())
    }

    /// Asks all accounts to end at the next message.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// True when the run is to end.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed) || self.by_signal()
    }

    /// True when a signal asked for it.
    #[must_use]
    pub fn by_signal(&self) -> bool {
        self.signal.load(Ordering::Relaxed)
    }

    /// Sleeps, but not on when the run is to end; true then.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
        const TICK: Duration = Duration::from_millis(50);
        let began = Instant::now();
        while !self.requested() {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(TICK));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_wakes_sleepers_and_is_seen_by_all() {
        let stop = Stop::new();
        assert!(!stop.sleep(Duration::from_millis(1)));
        let sleeper = stop.clone();
        let thread = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(600)));
        stop.request();
        assert!(thread.join().expect("no panic"));
        assert!(stop.requested() && !stop.by_signal());
    }
}
