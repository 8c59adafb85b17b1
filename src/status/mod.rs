//! How far a run is, for those who look from outside: a small JSON file, and the same for Prometheus. Both files are
//! replaced as a whole every few seconds and a last time at the end. It reads counters and knows no command.

mod document;
mod prometheus;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::warn;

use crate::clock;
use crate::disk::output::Output;
use crate::exit::Exit;
use crate::fleet::shard::Part;
use crate::mode::Mode;
use crate::progress::Progress;
use crate::report::Report;

use document::{AccountCounts, StatusDocument};

/// Time between two writes.
const EVERY: Duration = Duration::from_secs(5);

/// The files of a run.
pub struct StatusFiles {
    shared: Arc<StatusState>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct StatusState {
    json: Option<PathBuf>,
    metrics: Option<PathBuf>,
    run: Mutex<RunStatus>,
    ended: Condvar,
}

/// What is known of the run.
struct RunStatus {
    mode: Mode,
    shard: Option<Part>,
    started: u64,
    progress: Option<Progress>,
    /// What the report says, once there is one.
    outcome: Option<AccountCounts>,
    exit: Option<Exit>,
    /// It has been reported that a file cannot be written.
    told: bool,
}

impl StatusFiles {
    /// Of a run that begins; nothing is written yet.
    #[must_use]
    pub fn new(mode: Mode, json: Option<PathBuf>, metrics: Option<PathBuf>) -> Self {
        let run = RunStatus {
            mode,
            shard: None,
            started: clock::seconds_now(),
            progress: None,
            outcome: None,
            exit: None,
            told: false,
        };
        let shared = StatusState {
            json,
            metrics,
            run: Mutex::new(run),
            ended: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            thread: Mutex::default(),
        }
    }

    /// Fails early: hours of work should not go unseen because the files cannot be written.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn probe(&self) -> Result<()> {
        let files = [&self.shared.json, &self.shared.metrics];
        for path in files.into_iter().flatten() {
            Output::probe(path).with_context(|| format!("write the status {}", path.display()))?;
        }
        Ok(())
    }

    /// Writes them now, and from now on again and again.
    pub fn begin(&self, progress: &Progress, shard: Option<Part>) {
        if self.shared.json.is_none() && self.shared.metrics.is_none() {
            return;
        }
        {
            let mut run = self.shared.lock();
            run.progress = Some(progress.clone());
            run.shard = shard;
            self.shared.write(&mut run);
        }
        let writing = Arc::clone(&self.shared);
        let builder = std::thread::Builder::new().name("status".to_owned());
        match builder.spawn(move || writing.write_until_end()) {
            Ok(thread) => {
                *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
            }
            Err(error) => warn!(
                "--status and --metrics are written at the end only, as no thread can be started: {error}"
            ),
        }
    }

    /// What became of the accounts.
    pub fn take(&self, report: &Report) {
        let statuses = report.accounts.iter().map(|account| account.status);
        self.shared.lock().outcome = Some(AccountCounts::ended(statuses));
    }

    /// Writes them for the last time.
    pub fn end(&self, exit: Exit) {
        {
            let mut run = self.shared.lock();
            run.exit = Some(exit);
            self.shared.write(&mut run);
        }
        self.shared.ended.notify_all();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // It holds nothing that a panic could have spoilt.
        let _ = thread.map(JoinHandle::join);
    }
}

impl StatusState {
    fn lock(&self) -> MutexGuard<'_, RunStatus> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_end(&self) {
        let mut run = self.lock();
        while run.exit.is_none() {
            let (guard, waited) = self
                .ended
                .wait_timeout(run, EVERY)
                .unwrap_or_else(PoisonError::into_inner);
            run = guard;
            if waited.timed_out() && run.exit.is_none() {
                self.write(&mut run);
            }
        }
    }

    /// The run goes on without them: whoever looks sees how old they are.
    fn write(&self, run: &mut RunStatus) {
        let seen = StatusDocument::of(run);
        let files = [
            (&self.json, seen.json()),
            (&self.metrics, prometheus::text(&seen)),
        ];
        for (path, text) in files {
            let Some(path) = path else { continue };
            if let Err(error) = replace(path, text.as_bytes())
                && !std::mem::replace(&mut run.told, true)
            {
                warn!("write {}: {error}", path.display());
            }
        }
    }
}

/// There are no secrets in it: collectors run as users of their own.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Output::create(path)?;
    file.write_all(bytes)?;
    file.finish_for_all()
}
