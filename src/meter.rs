//! How often an account reconnected, and how long it waited. Each account has a thread of its own, and so a meter.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static METER: Cell<(u64, Duration)> = const { Cell::new((0, Duration::ZERO)) };
}

/// One more connection, after this wait.
pub fn reconnects_after(wait: Duration) {
    METER.with(|meter| {
        let (count, waited) = meter.get();
        meter.set((count + 1, waited + wait));
    });
}

/// Reads the meter of this thread and sets it to nothing.
#[must_use]
pub fn take() -> (u64, Duration) {
    METER.with(Cell::take)
}
