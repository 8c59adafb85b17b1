//! The log file of a run. When it can no longer be written, the run goes on; stderr and the report say so.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use super::terminal::Terminal;
use crate::disk::file;
use crate::plural::{counted, verb};

/// `<dir>/<mode>-<UTC time>.log`, 0600; a second run in the same second gets a number.
pub fn create(dir: &Path, mode: &str) -> Result<(PathBuf, File)> {
    if !dir.is_dir() {
        file::make_dirs(dir).with_context(|| {
            format!(
                "create the log directory {}; name another one with --log-dir",
                dir.display()
            )
        })?;
    }
    let stamp = crate::clock::utc_compact();
    for number in 1..1000 {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = dir.join(format!("{mode}-{stamp}{suffix}.log"));
        match file::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "create the log file {}; name another directory with --log-dir",
                        path.display()
                    )
                });
            }
        }
    }
    bail!("no free name for a log file in {}", dir.display())
}

/// The log file of a run; clones are the same file.
#[derive(Clone)]
pub struct LogFile {
    path: Arc<Path>,
    state: Arc<Mutex<FileState>>,
}

struct FileState {
    file: File,
    terminal: Terminal,
    /// Lines that could not be written.
    lost: u64,
    /// Those of them that the file does not mention yet.
    untold: u64,
    /// Why the last one could not be written.
    reason: String,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, file: File, terminal: Terminal) -> Self {
        Self {
            path: path.into(),
            state: Arc::new(Mutex::new(FileState {
                file,
                terminal,
                lost: 0,
                untold: 0,
                reason: String::new(),
            })),
        }
    }

    /// Takes a line; those that cannot be written are counted, and the first is reported on stderr.
    pub fn write(&self, line: &str) {
        let mut state = self.lock();
        let Err(error) = state.write(line.as_bytes()) else {
            return;
        };
        state.lost += 1;
        state.untold += 1;
        state.reason = error.to_string();
        if state.lost == 1 {
            let told = format!(
                "warning: the log file {} cannot be written any more, the run goes on: {error}\n",
                self.path.display()
            );
            state.terminal.write(&told);
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it, for the report.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let state = self.lock();
        let shown = self.path.display();
        if state.lost > 0 {
            let (missing, reason) = (missing(state.lost), &state.reason);
            return Some(format!("{missing} in the log file {shown}: {reason}"));
        }
        (!file::has_name(&state.file, &self.path))
            .then(|| format!("the log file {shown} was removed while the run was at work"))
    }

    fn lock(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(lines: u64) -> String {
    format!(
        "{} {} missing",
        counted(lines, "line"),
        verb(lines, "is", "are")
    )
}

impl FileState {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.untold > 0 {
            // The last line may have been cut.
            let told = format!("\n… {}: {}\n", missing(self.untold), self.reason);
            self.file.write_all(told.as_bytes())?;
            self.untold = 0;
        }
        self.file.write_all(line)
    }
}
