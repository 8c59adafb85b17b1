//! How far the run is: lines that change in place on a terminal, a log line every 30 seconds elsewhere.

mod account;
pub mod estimate;
pub mod screen;
mod states;
pub mod words;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use tracing::{info, warn};
use unicode_width::UnicodeWidthStr;

pub use account::{AccountProgress, Arriving, Rest};
pub use states::{Moved, States};

use crate::report::Status;
use crate::waiting;
use account::Counters;
use estimate::PhaseSums;

/// Time between log lines.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between redraws.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Progress of the whole run; clones are the same progress.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<ProgressState>,
    on_screen: bool,
    ticker: Arc<Mutex<Option<Ticker>>>,
    /// What becomes of the accounts.
    pub states: States,
}

struct ProgressState {
    phase: Mutex<PhaseProgress>,
}

/// What is being done; its counters are its own.
struct PhaseProgress {
    name: &'static str,
    began: Instant,
    accounts: u64,
    /// How many work on an account that was begun; none: it is over.
    begun: HashMap<String, usize>,
    at_work: Vec<Arc<Counters>>,
    /// Of accounts that are over.
    messages: u64,
    bytes: u64,
}

/// The thread that tells; ended when the run is over.
struct Ticker {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
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
    /// Bytes that were moved, those of messages on their way included.
    pub bytes: u64,
    /// The time that it still takes.
    pub left: Option<Duration>,
}

/// What is told of a phase.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    phase: &'static str,
    elapsed: Duration,
    known: PhaseSums,
}

impl Progress {
    /// A progress that draws lines where there is a terminal, unless only the log is to be written there.
    #[must_use]
    pub fn new(only_log: bool) -> Self {
        Self {
            shared: Arc::new(ProgressState {
                phase: Mutex::new(PhaseProgress::new("", 0)),
            }),
            on_screen: !only_log && screen::is_there(),
            ticker: Arc::default(),
            states: States::default(),
        }
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
        *self.shared.phase() = PhaseProgress::new(phase, accounts);
        if quiet {
            return;
        }
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let (shared, on_screen) = (Arc::clone(&self.shared), self.on_screen);
        let thread_over = Arc::clone(&over);
        let builder = std::thread::Builder::new().name("progress".to_owned());
        match builder.spawn(move || tell(&shared, on_screen, &thread_over)) {
            Ok(thread) => *self.lock() = Some(Ticker { over, thread }),
            Err(error) => warn!("no progress is shown, as no thread can be started: {error}"),
        }
    }

    /// Ends telling and erases the lines.
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

    /// How far it is.
    #[must_use]
    pub fn now(&self) -> Now {
        let look = self.shared.look();
        Now {
            phase: look.phase,
            elapsed: look.elapsed,
            accounts: look.known.accounts,
            messages: look.known.messages,
            bytes: look.known.bytes,
            left: look.known.time_left(look.elapsed),
        }
    }

    /// Nobody works on the account any more.
    pub fn ended(&self, account: &str, status: Status) {
        self.states.ended(account, status);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ticker>> {
        self.ticker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Progress of one account, which begins now.
    #[must_use]
    pub fn account(&self, email: &str) -> AccountProgress {
        self.states.begun(email);
        AccountProgress::new(&self.shared, email)
    }
}

fn tell(shared: &ProgressState, on_screen: bool, over: &(Mutex<bool>, Condvar)) {
    let (flag, condition) = over;
    let every = if on_screen { DRAW_EVERY } else { LINE_EVERY };
    let mut ended = flag.lock().unwrap_or_else(PoisonError::into_inner);
    // The run may have ended before this thread began.
    while !*ended {
        let (guard, timeout) = condition
            .wait_timeout(ended, every)
            .unwrap_or_else(PoisonError::into_inner);
        ended = guard;
        if timeout.timed_out() && !*ended {
            if on_screen {
                let (columns, rows) = screen::size(std::io::stderr());
                screen::draw(shared.lines(columns, rows));
            } else {
                info!("progress: {}", shared.look().line(usize::MAX));
            }
        }
    }
    if on_screen {
        screen::erase();
    }
}

impl PhaseProgress {
    fn new(name: &'static str, accounts: u64) -> Self {
        Self {
            name,
            began: Instant::now(),
            accounts,
            begun: HashMap::new(),
            at_work: Vec::new(),
            messages: 0,
            bytes: 0,
        }
    }

    fn known(&self) -> PhaseSums {
        let over = self.begun.values().filter(|active| **active == 0).count() as u64;
        let mut known = PhaseSums {
            accounts: self.accounts,
            over,
            measured: over,
            due: self.bytes,
            unsized_messages: 0,
            messages: self.messages,
            bytes: self.bytes,
        };
        for counters in &self.at_work {
            known.messages += counters.messages.load(Ordering::Relaxed);
            known.bytes = known.bytes.saturating_add(counters.moved());
            if let Some(due) = counters.due() {
                known.measured += 1;
                known.due = known.due.saturating_add(due.bytes);
                known.unsized_messages += due.unsized_messages;
            }
        }
        known
    }
}

impl ProgressState {
    fn phase(&self) -> MutexGuard<'_, PhaseProgress> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, counters: &Arc<Counters>) {
        let mut phase = self.phase();
        *phase.begun.entry(counters.account.clone()).or_default() += 1;
        phase.at_work.push(Arc::clone(counters));
    }

    /// What has not come of it until now does not come any more in this run.
    fn ends(&self, counters: &Arc<Counters>) {
        let mut phase = self.phase();
        phase.at_work.retain(|one| !Arc::ptr_eq(one, counters));
        // One that began in an earlier phase is none of this one.
        if let Some(active) = phase.begun.get_mut(&counters.account) {
            *active = active.saturating_sub(1);
            phase.messages += counters.messages.load(Ordering::Relaxed);
            phase.bytes += counters.bytes.load(Ordering::Relaxed);
        }
    }

    fn look(&self) -> Snapshot {
        let phase = self.phase();
        Snapshot {
            phase: phase.name,
            elapsed: phase.began.elapsed(),
            known: phase.known(),
        }
    }

    /// The phase, and a line for each account at work, as far as there is room.
    fn lines(&self, columns: usize, rows: usize) -> Vec<String> {
        // What reaches the last column may make a terminal begin a new line.
        let columns = columns.saturating_sub(1);
        let mut lines = vec![screen::cut(&self.look().line(columns), columns)];
        let phase = self.phase();
        let room = rows.saturating_sub(2).max(1);
        let shown = match phase.at_work.len() {
            count if count > room => room - 1,
            count => count,
        };
        let of_account = |counters: &Arc<Counters>| screen::cut(&counters.line(), columns);
        lines.extend(phase.at_work.iter().take(shown).map(of_account));
        let rest = phase.at_work.len() - shown;
        if rest > 0 {
            lines.push(screen::cut(&format!("… and {rest} more"), columns));
        }
        lines
    }
}

impl Snapshot {
    /// For example `export 57/300 accounts · 1,172 messages · 4.3 MiB · 138 KiB/s · 12 min left`; where that is too
    /// long, what matters least is left out.
    fn line(&self, columns: usize) -> String {
        /// Rate, messages, bytes.
        const LEAST_FIRST: [usize; 3] = [3, 1, 2];
        let PhaseSums {
            accounts,
            over,
            messages,
            bytes,
            ..
        } = self.known;
        let mut parts: [Option<String>; 5] = Default::default();
        let silent = match waiting::count() {
            0 => String::new(),
            count => format!(", {count} wait for silent servers"),
        };
        parts[0] = Some(format!("{} {over}/{accounts} accounts{silent}", self.phase));
        if messages > 0 || bytes > 0 {
            let rate = u128::from(bytes) * 1000 / self.elapsed.as_millis().max(1);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            let plural = if messages == 1 { "" } else { "s" };
            parts[1] = Some(format!("{} message{plural}", HumanCount(messages)));
            parts[2] = Some(words::bytes(bytes));
            parts[3] = Some(format!("{}/s", words::bytes(rate)));
        }
        let left = self.known.time_left(self.elapsed);
        parts[4] = left.map(|left| format!("{} left", words::time(left)));
        let joined = |parts: &[Option<String>; 5]| {
            let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
            parts.join(" · ")
        };
        let mut line = joined(&parts);
        for least in LEAST_FIRST {
            if line.width() > columns {
                parts[least] = None;
                line = joined(&parts);
            }
        }
        line
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
        tell(&progress.shared, false, &(Mutex::new(true), Condvar::new()));
        assert!(began.elapsed() < LINE_EVERY);
    }

    fn told(progress: &Progress, seconds: u64, columns: usize) -> String {
        let mut now = progress.shared.look();
        now.elapsed = Duration::from_secs(seconds);
        now.line(columns)
    }

    #[test]
    fn a_phase_counts_its_own_and_an_account_once() {
        let progress = Progress::new(true);
        progress.start("export", 3, true);
        progress.account("a").message(1_000);
        drop(progress.account("a"));
        let b = progress.account("b");
        assert_eq!(
            told(&progress, 1, 80),
            "export 1/3 accounts · 1 message · 1000 B · 1000 B/s"
        );
        progress.start("audit", 3, true);
        assert_eq!(told(&progress, 0, 80), "audit 0/3 accounts");
        drop(b);
        assert_eq!(told(&progress, 0, 80), "audit 0/3 accounts");
    }

    #[test]
    fn bytes_count_while_a_message_arrives() {
        let progress = Progress::new(true);
        progress.start("export", 1, true);
        let mut account = progress.account("anna@example.com");
        account.expect(Rest {
            messages: 1,
            bytes: 200 << 20,
            unsized_messages: 0,
        });
        account.mailbox("INBOX");
        account.arriving().add(50 << 20);
        assert_eq!(
            told(&progress, 30, 80),
            "export 0/1 accounts · 0 messages · 50.0 MiB · 1.7 MiB/s · 2 min left"
        );
        let lines = progress.shared.lines(80, 24);
        assert_eq!(lines[1], "anna@example.com  0/1  50.0 MiB  INBOX");
        account.message(200 << 20);
        assert_eq!(
            progress.shared.look().known.bytes,
            200 << 20,
            "not counted twice"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_what_matters() {
        let progress = Progress::new(true);
        progress.start("export", 2, true);
        let accounts: Vec<AccountProgress> = (0..9)
            .map(|number| {
                let mut account =
                    progress.account(&format!("somebody{number}@a-long-domain.example.com"));
                account.expect(Rest::default());
                account.mailbox("日本語日本語");
                account.message(3 << 20);
                account
            })
            .collect();
        let lines = progress.shared.lines(40, 6);
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines.iter().all(|line| line.width() < 40), "{lines:?}");
        assert_eq!(lines[0], "export 0/2 accounts · 27.0 MiB");
        assert_eq!(lines[4], "… and 6 more");
        drop(accounts);
    }

    #[test]
    fn a_connection_anew_does_not_double_what_is_expected() {
        let progress = Progress::new(true);
        progress.start("import", 1, true);
        let mut account = progress.account("a");
        let rest = |messages, bytes| Rest {
            messages,
            bytes,
            unsized_messages: 0,
        };
        account.expect(rest(10, 1_000));
        account.message(100);
        account.expect(rest(9, 900));
        assert_eq!(progress.shared.look().known.due, 1_000);
    }
}
