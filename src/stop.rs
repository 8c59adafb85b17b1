//! A request to end the run gracefully: from a signal, or from the first account that failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// The first signal sets the flag, the second one ends the process.
fn flag_on_signals(flag: &Arc<AtomicBool>) -> std::io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // The order matters: at the first signal the flag is not set yet.
        let code = i32::from(Exit::Stopped.code());
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// How often a waiting thread checks whether the run is to end.
const TICK: Duration = Duration::from_millis(50);

/// Set once a signal has come.
static SIGNALLED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// True when a signal has asked this process to end, whoever is asked.
#[must_use]
pub fn signalled() -> bool {
    SIGNALLED
        .get()
        .is_some_and(|flag| flag.load(Ordering::SeqCst))
}

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

    /// SIGINT and SIGTERM ask for a stop, and `first` says so; a second one ends the process at once, after `second`.
    ///
    /// # Errors
    /// Those of installing signal handlers.
    pub fn on_signals(&self, first: fn(), second: fn()) -> Result<()> {
        let install = "install signal handlers";
        let mut signals = Signals::new([SIGINT, SIGTERM]).context(install)?;
        let flag = Arc::clone(&self.signal);
        // If it was asked for before, as in a test, the first one counts.
        let _ = SIGNALLED.set(Arc::clone(&flag));
        let heard = Arc::clone(&flag);
        let hear = move || {
            for _ in signals.forever() {
                if heard.swap(true, Ordering::SeqCst) {
                    second();
                    signal_hook::low_level::exit(i32::from(Exit::Stopped.code()));
                }
                first();
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        if thread.spawn(hear).is_err() {
            // Without a thread nothing is said, but the run ends all the same.
            return flag_on_signals(&flag).context(install);
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

    /// Does what cannot be interrupted in a thread of its own, which is abandoned when the run is to end: `None`
    /// then. Where there is no further thread, it is done in this one.
    pub fn unless_requested<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (give, take) = channel();
        let work = Arc::new(Mutex::new(Some(work)));
        let begin = |work: &Mutex<Option<_>>| {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            work.take()
        };
        let theirs = Arc::clone(&work);
        let thread = std::thread::Builder::new().spawn(move || {
            let done = begin(&theirs).map(|work| work());
            // Nobody takes it when the run ends.
            done.map(|done| give.send(done))
        });
        if thread.is_err() {
            return begin(&work).map(|work| work());
        }
        loop {
            match take.recv_timeout(TICK) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Timeout) if !self.requested() => {}
                Err(_) => return None,
            }
        }
    }

    /// Sleeps, unless the run is to end; true then.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
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
