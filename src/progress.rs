//! How far the run is: bars on a terminal, a log line every 30 seconds elsewhere.

mod states;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use tracing::{info, warn};

pub use states::{Moved, States};

use crate::printable::printable;
use crate::report::Status;

/// Time between log lines.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between redraws of the bars.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Accounts that tell something of the others.
const ENOUGH: u64 = 5;

/// Progress of the whole run; clones are the same progress.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
    bars: Option<MultiProgress>,
    ticker: Arc<Mutex<Option<Ticker>>>,
    /// What becomes of the accounts.
    pub states: States,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Its name; empty before the first.
    pub phase: &'static str,
    /// How long it lasts.
    pub elapsed: Duration,
    /// Accounts that it has.
    pub accounts: u64,
    /// Messages that were moved.
    pub messages: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// The time that it still takes.
    pub left: Option<Duration>,
}

struct Shared {
    phase: Mutex<Phase>,
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// What is being done; its counters are its own.
struct Phase {
    name: &'static str,
    began: Instant,
    accounts: u64,
    begun: HashMap<String, Begun>,
}

/// An account that was begun.
#[derive(Default)]
struct Begun {
    /// How many work on it; none: it is done.
    active: usize,
    /// Messages that are to be moved, once that is known.
    expected: Option<u64>,
}

/// The thread that tells; ended when the run is over.
struct Ticker {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// A progress that shows nothing when `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self {
            shared: Arc::new(Shared {
                phase: Mutex::new(Phase::new("", 0)),
                messages: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            }),
            bars: (on_terminal && !quiet).then(MultiProgress::new),
            ticker: Arc::new(Mutex::new(None)),
            states: States::default(),
        }
    }

    /// The bars, for whoever else writes to the terminal.
    #[must_use]
    pub fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Begins to tell of a phase with so many accounts; another one before it is over.
    pub fn start(&self, phase: &'static str, accounts: u64, quiet: bool) {
        self.finish();
        let now = self.now();
        self.states.next(Moved {
            phase: now.phase,
            messages: now.messages,
            bytes: now.bytes,
        });
        *self.shared.phase() = Phase::new(phase, accounts);
        self.shared.messages.store(0, Ordering::Relaxed);
        self.shared.bytes.store(0, Ordering::Relaxed);
        if quiet {
            return;
        }
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = Arc::clone(&self.shared);
        let bar = self.bars.as_ref().map(|bars| bars.add(line_bar()));
        let thread_over = Arc::clone(&over);
        let builder = std::thread::Builder::new().name("progress".to_owned());
        match builder.spawn(move || tell(&shared, bar.as_ref(), &thread_over)) {
            Ok(thread) => *self.lock() = Some(Ticker { over, thread }),
            Err(error) => warn!("no progress is shown, as no thread can be started: {error}"),
        }
    }

    /// How far it is.
    #[must_use]
    pub fn now(&self) -> Now {
        let phase = self.shared.phase();
        let elapsed = phase.began.elapsed();
        let messages = self.shared.messages.load(Ordering::Relaxed);
        Now {
            phase: phase.name,
            elapsed,
            accounts: phase.accounts,
            messages,
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            left: time_left(phase.all_messages(), messages, elapsed),
        }
    }

    /// Ends telling and clears the bars.
    pub fn finish(&self) {
        let Some(ticker) = self.lock().take() else {
            return;
        };
        let (flag, condition) = &*ticker.over;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        condition.notify_all();
        // It holds nothing that a panic could have spoilt.
        let _ = ticker.thread.join();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Ticker>> {
        self.ticker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody works on the account any more.
    pub fn ended(&self, account: &str, status: Status) {
        self.states.ended(account, status);
    }

    /// Progress of one account, which begins now.
    #[must_use]
    pub fn account(&self, email: &str) -> AccountProgress {
        let bar = self.bars.as_ref().map(|bars| bars.add(line_bar()));
        self.states.begun(email);
        let mut phase = self.shared.phase();
        phase.begun.entry(email.to_owned()).or_default().active += 1;
        AccountProgress {
            shared: Arc::clone(&self.shared),
            bar,
            account: email.to_owned(),
            drawn: Instant::now(),
            mailbox: String::new(),
            expected: 0,
            messages: 0,
        }
    }
}

fn line_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}

fn tell(shared: &Shared, bar: Option<&ProgressBar>, over: &(Mutex<bool>, Condvar)) {
    let (flag, condition) = over;
    let every = if bar.is_some() {
        DRAW_EVERY
    } else {
        LINE_EVERY
    };
    let mut ended = flag.lock().unwrap_or_else(PoisonError::into_inner);
    // The run may have ended before this thread began.
    while !*ended {
        let (guard, timeout) = condition
            .wait_timeout(ended, every)
            .unwrap_or_else(PoisonError::into_inner);
        ended = guard;
        if timeout.timed_out() && !*ended {
            if let Some(bar) = bar {
                bar.set_message(shared.line());
            } else {
                info!("progress: {}", shared.line());
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

impl Phase {
    fn new(name: &'static str, accounts: u64) -> Self {
        Self {
            name,
            began: Instant::now(),
            accounts,
            begun: HashMap::new(),
        }
    }

    /// How many messages all accounts have together, as far as that can be told: of those that are not begun as many as
    /// the begun ones on average, once there are enough of them.
    fn all_messages(&self) -> Option<u64> {
        let known: Vec<u64> = self.begun.values().filter_map(|b| b.expected).collect();
        let sum: u64 = known.iter().sum();
        let count = known.len() as u64;
        let others = self.accounts.saturating_sub(count);
        if others == 0 {
            return Some(sum);
        }
        let is_enough = count >= ENOUGH;
        is_enough.then(|| sum + sum / count.max(1) * others)
    }
}

impl Shared {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For example `export 57/300 accounts · 1,172 messages · 4.30 MiB · 138 KiB/s · 12 minutes left`.
    fn line(&self) -> String {
        let phase = self.phase();
        self.line_after(&phase, phase.began.elapsed())
    }

    fn line_after(&self, phase: &Phase, elapsed: Duration) -> String {
        let messages = self.messages.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let done = phase.begun.values().filter(|b| b.active == 0).count();
        let mut parts = vec![format!("{} {done}/{} accounts", phase.name, phase.accounts)];
        if messages > 0 {
            let rate = u128::from(bytes) * 1000 / elapsed.as_millis().max(1);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            parts.push(format!("{} messages", HumanCount(messages)));
            parts.push(HumanBytes(bytes).to_string());
            parts.push(format!("{}/s", HumanBytes(rate)));
        }
        if let Some(left) = time_left(phase.all_messages(), messages, elapsed) {
            parts.push(format!("{} left", HumanDuration(left)));
        }
        parts.join(" · ")
    }
}

/// None where it would be guessed: in the first seconds, and before a fiftieth is done.
fn time_left(all: Option<u64>, done: u64, elapsed: Duration) -> Option<Duration> {
    let left = all?.checked_sub(done).filter(|left| *left > 0)?;
    if elapsed < Duration::from_secs(5) || done.saturating_mul(50) < all? {
        return None;
    }
    let each = elapsed / u32::try_from(done).ok()?.max(1);
    Some(each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX)))
}

/// Progress of one account; over when dropped.
pub struct AccountProgress {
    shared: Arc<Shared>,
    bar: Option<ProgressBar>,
    account: String,
    drawn: Instant,
    mailbox: String,
    expected: u64,
    messages: u64,
}

impl AccountProgress {
    /// So many more messages are to be fetched.
    pub fn expect(&mut self, messages: u64) {
        self.expected += messages;
        let mut phase = self.shared.phase();
        if let Some(begun) = phase.begun.get_mut(&self.account) {
            *begun.expected.get_or_insert(0) += messages;
        }
    }

    /// This mailbox is being read now.
    pub fn mailbox(&mut self, name: &str) {
        name.clone_into(&mut self.mailbox);
        self.draw();
    }

    /// One more message of so many bytes is in the archive.
    pub fn message(&mut self, bytes: u64) {
        self.messages += 1;
        self.shared.messages.fetch_add(1, Ordering::Relaxed);
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.bar.is_some() && self.drawn.elapsed() >= DRAW_EVERY {
            self.draw();
        }
    }

    fn draw(&mut self) {
        if let Some(bar) = &self.bar {
            let expected = self.expected.max(self.messages);
            let (account, mailbox) = (printable(&self.account), printable(&self.mailbox));
            bar.set_message(format!(
                "{account}  {}/{expected}  {mailbox}",
                self.messages
            ));
            self.drawn = Instant::now();
        }
    }
}

impl Drop for AccountProgress {
    fn drop(&mut self) {
        let mut phase = self.shared.phase();
        if let Some(begun) = phase.begun.get_mut(&self.account) {
            begun.active = begun.active.saturating_sub(1);
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_to_tell_when_all_is_over_does_not_wait() {
        let progress = Progress::new(true);
        // The wait would be LINE_EVERY.
        let began = Instant::now();
        tell(&progress.shared, None, &(Mutex::new(true), Condvar::new()));
        assert!(began.elapsed() < LINE_EVERY);
    }

    #[test]
    fn a_phase_counts_its_own_and_an_account_once() {
        let progress = Progress::new(true);
        progress.start("export", 3, true);
        progress.account("a").message(1_000);
        drop(progress.account("a"));
        let b = progress.account("b");
        let line = progress
            .shared
            .line_after(&progress.shared.phase(), Duration::from_secs(1));
        assert_eq!(line, "export 1/3 accounts · 1 messages · 1000 B · 1000 B/s");
        drop(b);
        progress.start("audit", 3, true);
        assert_eq!(progress.shared.line(), "audit 0/3 accounts");
    }

    #[test]
    fn time_is_told_once_it_can_be() {
        let progress = Progress::new(true);
        progress.start("export", 10, true);
        let told = |seconds| {
            let phase = progress.shared.phase();
            progress
                .shared
                .line_after(&phase, Duration::from_secs(seconds))
        };
        for number in 0..4 {
            let mut account = progress.account(&format!("a{number}"));
            account.expect(100);
            (0..100).for_each(|_| account.message(10));
        }
        assert!(!told(40).contains("left"), "too few accounts: {}", told(40));
        progress.account("a4").expect(100);
        assert!(told(40).ends_with(" · 60 seconds left"), "{}", told(40));
        assert!(!told(2).contains("left"), "too early: {}", told(2));
    }
}
