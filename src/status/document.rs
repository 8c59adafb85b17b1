//! What can be seen of a run at one moment.

use serde::Serialize;

use super::RunStatus;
use crate::clock;
use crate::exit::Exit;
use crate::fleet::shard::Shard;
use crate::progress::{Moved, Progress};
use crate::report::Status;

/// Raised when fields change their meaning, not for new ones.
const FORMAT: u32 = 1;

/// As the JSON has it.
#[derive(Debug, Clone, Serialize)]
pub struct StatusDocument {
    pub format: u32,
    pub version: &'static str,
    pub mode: &'static str,
    pub shard: Option<Shard>,
    pub host: String,
    pub process: u32,
    pub started: String,
    pub updated: String,
    /// What is being done; none before the first.
    pub phase: Option<&'static str>,
    pub phase_seconds: u64,
    pub accounts: AccountCounts,
    pub messages: u64,
    pub bytes: u64,
    pub bytes_per_second: u64,
    pub seconds_left: Option<u64>,
    pub exit_code: Option<u8>,
    #[serde(skip)]
    pub started_at: u64,
    #[serde(skip)]
    pub updated_at: u64,
    /// By phase, those at work last.
    pub moved: Vec<Moved>,
}

/// How many accounts are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AccountCounts {
    pub all: u64,
    pub waiting: u64,
    pub at_work: u64,
    pub complete: u64,
    pub incomplete: u64,
    pub findings: u64,
    pub failed: u64,
    pub parked: u64,
    pub stopped: u64,
}

impl AccountCounts {
    /// Of accounts that are not at work.
    pub fn ended(statuses: impl IntoIterator<Item = Status>) -> Self {
        let mut all = Self::default();
        for status in statuses {
            all.all += 1;
            *match status {
                Status::Complete => &mut all.complete,
                Status::Incomplete => &mut all.incomplete,
                Status::Findings => &mut all.findings,
                Status::Failed => &mut all.failed,
                Status::Parked => &mut all.parked,
                Status::Stopped => &mut all.stopped,
                Status::NotStarted => &mut all.waiting,
            } += 1;
        }
        all
    }

    /// Each state with its number.
    pub fn by_state(&self) -> [(&'static str, u64); 8] {
        [
            ("waiting", self.waiting),
            ("at_work", self.at_work),
            ("complete", self.complete),
            ("incomplete", self.incomplete),
            ("findings", self.findings),
            ("failed", self.failed),
            ("parked", self.parked),
            ("stopped", self.stopped),
        ]
    }
}

impl StatusDocument {
    pub fn of(run: &RunStatus) -> Self {
        let now = clock::seconds_now();
        let mut seen = Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            mode: run.mode.as_str(),
            shard: run.shard.map(|part| part.shard),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            process: std::process::id(),
            started: clock::utc(run.started),
            updated: clock::utc(now),
            phase: None,
            phase_seconds: 0,
            accounts: AccountCounts::default(),
            messages: 0,
            bytes: 0,
            bytes_per_second: 0,
            seconds_left: None,
            exit_code: run.exit.map(Exit::code),
            started_at: run.started,
            updated_at: now,
            moved: Vec::new(),
        };
        if let Some(progress) = &run.progress {
            seen.look_at(progress);
        }
        if let Some(outcome) = run.outcome {
            seen.accounts = outcome;
        }
        if run.exit.is_some() {
            seen.seconds_left = None;
        }
        seen
    }

    fn look_at(&mut self, progress: &Progress) {
        let now = progress.now();
        let (at_work, ended) = progress.states.now();
        let ended = AccountCounts::ended(ended);
        self.accounts = AccountCounts {
            all: now.accounts,
            waiting: now.accounts.saturating_sub(at_work + ended.all),
            at_work,
            ..ended
        };
        self.moved = progress.states.past();
        if now.phase.is_empty() {
            return;
        }
        self.phase = Some(now.phase);
        self.phase_seconds = now.elapsed.as_secs();
        // What a migration reads is what it moves.
        if let Some(first) = now.moved.first() {
            (self.messages, self.bytes) = (first.messages, first.bytes);
        }
        let rate = u128::from(self.bytes) * 1000 / now.elapsed.as_millis().max(1);
        self.bytes_per_second = u64::try_from(rate).unwrap_or(u64::MAX);
        self.seconds_left = now.left.map(|left| left.as_secs());
        self.moved.extend(now.moved);
    }

    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }
}
