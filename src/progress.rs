//! How far the run is: bars on a terminal, a log line every 30 seconds elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use tracing::{info, warn};

/// Time between log lines.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between redraws of the bars.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Progress of the whole run; clones are the same progress.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
    bars: Option<MultiProgress>,
    ticker: Arc<Mutex<Option<Ticker>>>,
}

struct Shared {
    began: Instant,
    accounts: AtomicU64,
    accounts_done: AtomicU64,
    expected: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
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
                began: Instant::now(),
                accounts: AtomicU64::new(0),
                accounts_done: AtomicU64::new(0),
                expected: AtomicU64::new(0),
                messages: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            }),
            bars: (on_terminal && !quiet).then(MultiProgress::new),
            ticker: Arc::new(Mutex::new(None)),
        }
    }

    /// The bars, for whoever else writes to the terminal.
    #[must_use]
    pub fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Begins to tell, of so many accounts.
    pub fn start(&self, accounts: u64, quiet: bool) {
        self.shared.accounts.store(accounts, Ordering::Relaxed);
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

    /// Progress of one account, which begins now.
    #[must_use]
    pub fn account(&self, email: &str) -> AccountProgress {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(line_bar());
            bar.set_prefix(email.to_owned());
            bar
        });
        AccountProgress {
            shared: Arc::clone(&self.shared),
            bar,
            drawn: Instant::now(),
            mailbox: String::new(),
            expected: 0,
            messages: 0,
        }
    }
}

fn line_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_msg}") {
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

impl Shared {
    fn line(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (messages, expected, bytes) = (
            count(&self.messages),
            count(&self.expected),
            count(&self.bytes),
        );
        let elapsed = self.began.elapsed();
        let rate = bytes
            .saturating_mul(1000)
            .checked_div(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
            .unwrap_or(0);
        let left = expected.saturating_sub(messages);
        let eta = match u32::try_from(messages) {
            Ok(done @ 1..) if left > 0 => {
                let per_message = elapsed / done;
                let rest = per_message.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
                format!("  ETA {}", HumanDuration(rest))
            }
            _ => String::new(),
        };
        format!(
            "accounts {}/{}  messages {messages}/{}  {}  {}/s{eta}",
            count(&self.accounts_done),
            count(&self.accounts),
            expected.max(messages),
            HumanBytes(bytes),
            HumanBytes(rate)
        )
    }
}

/// Progress of one account; over when dropped.
pub struct AccountProgress {
    shared: Arc<Shared>,
    bar: Option<ProgressBar>,
    drawn: Instant,
    mailbox: String,
    expected: u64,
    messages: u64,
}

impl AccountProgress {
    /// So many more messages are to be fetched.
    pub fn expect(&mut self, messages: u64) {
        self.expected += messages;
        self.shared.expected.fetch_add(messages, Ordering::Relaxed);
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
            let mailbox: String = self.mailbox.chars().filter(|c| !c.is_control()).collect();
            bar.set_message(format!("{}/{expected}  {mailbox}", self.messages));
            self.drawn = Instant::now();
        }
    }
}

impl Drop for AccountProgress {
    fn drop(&mut self) {
        self.shared.accounts_done.fetch_add(1, Ordering::Relaxed);
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
}
