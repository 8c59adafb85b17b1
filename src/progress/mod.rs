//! How far the run is: lines that change in place on a terminal, a log line every 30 seconds elsewhere.

mod account;
pub mod estimate;
pub mod screen;
mod states;
pub mod words;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use tracing::{info, warn};
use unicode_width::UnicodeWidthStr;

pub use account::{AccountProgress, Arriving, Rest};
pub use states::{Moved, States};

use crate::mode;
use crate::plural::{form, verb};
use crate::report::Status;
use crate::waiting;
use account::{Counters, MigrationStep};
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
    states: States,
}

/// What is being done; its counters are its own.
struct PhaseProgress {
    name: &'static str,
    began: Instant,
    accounts: u64,
    at_work: Vec<Arc<Counters>>,
    /// By those that are no longer at work.
    moved: BTreeMap<Option<MigrationStep>, Sums>,
}

/// What was moved.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    messages: u64,
    /// Those of messages on their way included.
    bytes: u64,
}

/// The thread that shows progress; ended when the run is over.
struct Ticker {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

/// How far a phase is.
#[derive(Debug, Clone)]
pub struct Now {
    /// Its name; empty before the first.
    pub phase: &'static str,
    /// How long it lasts.
    pub elapsed: Duration,
    /// Accounts that it has.
    pub accounts: u64,
    /// What was moved, bytes of messages on their way included; of a migration by each of its steps, in their order.
    pub moved: Vec<Moved>,
    /// The time that it still takes.
    pub left: Option<Duration>,
}

/// What is shown of a phase.
#[derive(Debug, Clone)]
struct Snapshot {
    phase: &'static str,
    elapsed: Duration,
    known: PhaseSums,
    moved: Vec<(Option<MigrationStep>, Sums)>,
}

impl Progress {
    /// A progress that draws lines where there is a terminal, unless only the log is to be written there.
    #[must_use]
    pub fn new(only_log: bool) -> Self {
        let states = States::default();
        Self {
            shared: Arc::new(ProgressState {
                phase: Mutex::new(PhaseProgress::new("", 0)),
                states: states.clone(),
            }),
            on_screen: !only_log && screen::is_there(),
            ticker: Arc::default(),
            states,
        }
    }

    /// Begins to show a phase with this many accounts; the one before it is over.
    pub fn start(&self, phase: &'static str, accounts: u64, quiet: bool) {
        self.finish();
        self.states.next(self.now().moved);
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

    /// Ends the display and erases the lines.
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
            left: look.left(),
            moved: look
                .moved
                .iter()
                .map(|(step, sums)| Moved {
                    phase: step.map_or(look.phase, |step| step.phase.as_str()),
                    messages: sums.messages,
                    bytes: sums.bytes,
                })
                .collect(),
        }
    }

    /// Work on the account has ended.
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
            at_work: Vec::new(),
            moved: BTreeMap::new(),
        }
    }

    /// What each step has moved; one at least.
    fn moved(&self) -> Vec<(Option<MigrationStep>, Sums)> {
        let mut moved = self.moved.clone();
        for counters in &self.at_work {
            moved.entry(counters.step()).or_default().add(counters);
        }
        let mut moved: Vec<_> = moved.into_iter().collect();
        // An account has no step before its first one.
        if moved.len() > 1 {
            moved.retain(|(step, sums)| step.is_some() || sums.messages > 0);
        }
        moved
    }

    /// All that there is to move. What a migration reads into the archive it writes out again: that is work twice.
    fn known(&self, over: u64) -> PhaseSums {
        let mut known = PhaseSums {
            accounts: self.accounts,
            over,
            measured: over,
            ..PhaseSums::default()
        };
        let (mut to_come, mut written) = (0_u64, 0_u64);
        let mut take = |step: Option<MigrationStep>, sums: Sums, due: Rest| {
            let comes_again = step.is_some_and(|step| step.comes_again);
            match step.map(|step| step.phase) {
                // They move nothing.
                Some(mode::Phase::Audit | mode::Phase::Validate) => return false,
                Some(mode::Phase::Import) => written = written.saturating_add(due.bytes),
                None | Some(mode::Phase::Export) => {
                    known.due = known.due.saturating_add(due.bytes);
                    if comes_again {
                        to_come = to_come.saturating_add(due.bytes);
                    }
                }
            }
            known.messages += sums.messages;
            known.bytes = known.bytes.saturating_add(sums.bytes);
            known.unsized_messages += due.unsized_messages * (1 + u64::from(comes_again));
            true
        };
        for (step, sums) in &self.moved {
            let bytes = sums.bytes;
            let due = Rest {
                bytes,
                ..Rest::default()
            };
            take(*step, *sums, due);
        }
        let mut measured = 0;
        for counters in &self.at_work {
            let mut sums = Sums::default();
            sums.add(counters);
            let due = counters.due();
            if take(counters.step(), sums, due.unwrap_or_default()) {
                measured += u64::from(due.is_some());
            }
        }
        known.measured += measured;
        known.due = known.due.saturating_add(to_come.max(written));
        known
    }
}

impl Sums {
    fn add(&mut self, counters: &Counters) {
        self.messages += counters.messages.load(Ordering::Relaxed);
        self.bytes = self.bytes.saturating_add(counters.moved());
    }
}

impl ProgressState {
    fn phase(&self) -> MutexGuard<'_, PhaseProgress> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, counters: &Arc<Counters>) {
        self.phase().at_work.push(Arc::clone(counters));
    }

    /// What has not come by now will not come in this run.
    fn ends(&self, counters: &Arc<Counters>) {
        counters.nothing_more_arrives();
        let mut phase = self.phase();
        let mut at_work = phase.at_work.iter();
        // One that began in an earlier phase does not belong to this one.
        if let Some(place) = at_work.position(|one| Arc::ptr_eq(one, counters)) {
            phase.at_work.remove(place);
            phase
                .moved
                .entry(counters.step())
                .or_default()
                .add(counters);
        }
    }

    fn look(&self) -> Snapshot {
        let over = self.states.over();
        let phase = self.phase();
        Snapshot {
            phase: phase.name,
            elapsed: phase.began.elapsed(),
            known: phase.known(over),
            moved: phase.moved(),
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
    /// For example `export 57/300 accounts · 1,172 messages · 4.3 MiB · 138 KiB/s · 12 min left`, of a migration
    /// `migrate 57/300 accounts · exported 1,172 messages · 4.3 MiB · imported 980 messages · 3.9 MiB · 3 h left`;
    /// where that is too long, what matters least is left out.
    fn line(&self, columns: usize) -> String {
        let PhaseSums { accounts, over, .. } = self.known;
        let silent = match waiting::count() {
            0 => String::new(),
            count => format!(
                ", {count} {} for silent servers",
                verb(count, "waits", "wait")
            ),
        };
        // What has no rank stays.
        let mut parts = vec![(
            u8::MAX,
            format!("{} {over}/{accounts} accounts{silent}", self.phase),
        )];
        for (step, sums) in &self.moved {
            parts.extend(self.in_words(*step, *sums));
        }
        let left = self.left();
        parts.extend(left.map(|left| (u8::MAX, format!("{} left", words::time(left)))));
        loop {
            let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
            let line = texts.join(" · ");
            let mut ranks = parts.iter().map(|(rank, _)| *rank);
            let least = ranks.clone().min().filter(|rank| *rank < u8::MAX);
            match least.and_then(|least| ranks.position(|rank| rank == least)) {
                Some(place) if line.width() > columns => drop(parts.remove(place)),
                _ => return line,
            }
        }
    }

    /// What was moved, each part with its rank: the least is left out first.
    fn in_words(&self, step: Option<MigrationStep>, sums: Sums) -> Vec<(u8, String)> {
        let Sums { messages, bytes } = sums;
        if messages == 0 && bytes == 0 {
            return Vec::new();
        }
        let noun = form(messages, "message");
        let messages = format!("{} {noun}", HumanCount(messages));
        let bytes_in_words = words::bytes(bytes);
        match step.map(|step| step.phase) {
            None => {
                let rate = u128::from(bytes) * 1000 / self.elapsed.as_millis().max(1);
                let rate = u64::try_from(rate).unwrap_or(u64::MAX);
                let rate = format!("{}/s", words::bytes(rate));
                vec![(1, messages), (2, bytes_in_words), (0, rate)]
            }
            Some(mode::Phase::Export) => {
                vec![(2, format!("exported {messages}")), (1, bytes_in_words)]
            }
            Some(mode::Phase::Import) => {
                vec![(3, format!("imported {messages}")), (0, bytes_in_words)]
            }
            // They move nothing.
            Some(mode::Phase::Audit | mode::Phase::Validate) => Vec::new(),
        }
    }

    /// The time that is left. How long the checks of a migration take is known when an account is through them.
    fn left(&self) -> Option<Duration> {
        let is_of_steps = self.moved.iter().any(|(step, _)| step.is_some());
        if is_of_steps && self.known.over == 0 {
            return None;
        }
        self.known.time_left(self.elapsed)
    }
}

#[cfg(test)]
mod tests;
