//! When and how an archive becomes durable while it is written: in batches, in the background, the state last.
//!
//! The caller's closure says what the state claims; when it may claim it is decided here.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::state::ExportState;
use super::sync::Syncer;
use super::writer::Barrier;
use crate::limits::NO_THREAD;

/// Bytes after which the archive is made durable.
const BYTES: u64 = 64 * 1024 * 1024;
/// Time after which it is, however little came.
const TIME: Duration = Duration::from_secs(10);
/// Bytes that may be written while the last checkpoint is still being made durable.
const LAG: u64 = 4 * BYTES;

/// The checkpoints of one archive.
pub struct Checkpoint {
    syncer: Arc<Syncer>,
    running: Option<JoinHandle<Result<()>>>,
    /// Bytes since the last one.
    bytes: u64,
    since: Instant,
    /// Something was written since the last one.
    dirty: bool,
}

impl Checkpoint {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(syncer: Arc<Syncer>) -> Self {
        Self {
            syncer,
            running: None,
            bytes: 0,
            since: Instant::now(),
            dirty: false,
        }
    }

    /// What is written into this directory is made durable too.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub fn include(&self, dir: &Path) -> Result<()> {
        self.syncer.include(dir)
    }

    /// Something is about to change.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// A message of this size was handed to the writer.
    pub fn wrote(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// True when it is time for one, and the last one is not too far behind.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let due = self.bytes >= BYTES || self.since.elapsed() >= TIME;
        let busy = self
            .running
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        due && self.dirty && (!busy || self.bytes >= LAG)
    }

    /// Begins one: behind what `written` waits for, all is made durable, then the state says so.
    ///
    /// # Errors
    /// What went wrong with the one before; no thread can be started.
    pub fn begin(
        &mut self,
        dir: &Path,
        written: Barrier,
        state: impl FnOnce() -> ExportState,
    ) -> Result<()> {
        self.join()?;
        let state = state();
        let syncer = Arc::clone(&self.syncer);
        let dir = dir.to_path_buf();
        self.bytes = 0;
        self.since = Instant::now();
        self.dirty = false;
        let builder = std::thread::Builder::new().name("checkpoint".to_owned());
        let thread = builder.spawn(move || {
            if written.wait().is_err() {
                // Whoever hands over the next message is told why.
                return Ok(());
            }
            syncer.sync()?;
            state.save(&dir)
        });
        self.running = Some(thread.context(NO_THREAD)?);
        Ok(())
    }

    /// Makes durable all that was written. The writer is done.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(&mut self) -> Result<()> {
        self.join()?;
        if self.dirty {
            self.syncer.sync()?;
        }
        Ok(())
    }

    fn join(&mut self) -> Result<()> {
        match self.running.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(error.context("make the archive durable")),
            Some(Err(_)) => Err(anyhow!("the checkpoint thread panicked")),
        }
    }
}
