//! Lets calls through until one is refused for lack of a right; then none.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::{PanelError, PanelErrorKind, Result};

/// Shared by all threads that call one panel.
#[derive(Debug, Default)]
pub struct Gate {
    closed: OnceLock<PanelError>,
}

/// Whether the panel has answered one kind of call yet: until then only one is under way.
#[derive(Debug, Default)]
pub struct Proven(Mutex<bool>);

impl Gate {
    /// Makes a call, or repeats why no more are made.
    ///
    /// # Errors
    /// The call's; [`PanelErrorKind::Authentication`] without a call after an earlier one.
    pub fn pass<T>(&self, proven: &Proven, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut first = proven.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *first {
            drop(first);
            return self.guarded(call);
        }
        let outcome = self.guarded(call);
        *first = !matches!(&outcome, Err(error) if error.kind == PanelErrorKind::Authentication);
        outcome
    }

    fn guarded<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(reason) = self.closed.get() {
            return Err(reason.clone().context("no longer asked"));
        }
        let outcome = call();
        if let Err(error) = &outcome
            && error.kind == PanelErrorKind::Authentication
        {
            let _ = self.closed.set(error.clone());
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn one_refusal_ends_all_calls_of_all_threads() {
        let (gate, proven, calls) = (Gate::default(), Proven::default(), AtomicU32::new(0));
        let call = || -> Result<()> {
            calls.fetch_add(1, Ordering::SeqCst);
            Err(PanelError::new(PanelErrorKind::Authentication, "no"))
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| gate.pass(&proven, call).expect_err("refused"));
            }
        });
        let _ = gate.pass(&Proven::default(), call);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_is_refused_for_another_reason_closes_nothing() {
        let (gate, proven) = (Gate::default(), Proven::default());
        for kind in [PanelErrorKind::Refused, PanelErrorKind::Transient] {
            let error = gate.pass(&proven, || -> Result<()> {
                Err(PanelError::new(kind, "no"))
            });
            assert_eq!(error.expect_err("refused").kind, kind);
        }
        assert_eq!(gate.pass(&proven, || Ok(1)).expect("open"), 1);
    }
}
