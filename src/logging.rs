//! Where log lines go: to stderr beside the progress bars, and to a file for each run.
//!
//! A file that cannot be written any more does not end the run, and is told on stderr and in the report.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::disk::file;

/// Our own crate; what its dependencies log is theirs, and could hold secrets.
const TARGET: &str = env!("CARGO_CRATE_NAME");

/// How much goes to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What happens to accounts.
    Normal,
    /// What happens to mailboxes and connections.
    Verbose,
    /// All.
    All,
}

impl Verbosity {
    fn level(self) -> LevelFilter {
        match self {
            Self::Quiet => LevelFilter::WARN,
            Self::Normal => LevelFilter::INFO,
            Self::Verbose => LevelFilter::DEBUG,
            Self::All => LevelFilter::TRACE,
        }
    }
}

/// Starts logging: to stderr, and to a new file in `dir` unless it is `None`. Returns the file.
///
/// # Errors
/// A directory or file that cannot be created.
pub fn start(
    verbosity: Verbosity,
    dir: Option<&Path>,
    mode: &str,
    bars: Option<&MultiProgress>,
) -> Result<Option<LogFile>> {
    let terminal_filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
        _ => filter(verbosity.level()),
    };
    let to_terminal = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_writer(Terminal(bars.cloned()))
        .with_filter(terminal_filter);
    let file = dir.map(|dir| create(dir, mode)).transpose()?;
    let file = file.map(|(path, file)| LogFile::new(path, file, Terminal(bars.cloned())));
    let to_file = file.clone().map(|file| {
        tracing_subscriber::fmt::layer()
            .with_target(false)
            .with_ansi(false)
            .with_writer(file)
            .with_filter(filter(verbosity.level().max(LevelFilter::DEBUG)))
    });
    tracing_subscriber::registry()
        .with(to_terminal)
        .with(to_file)
        .try_init()
        .context("start logging")?;
    Ok(file)
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::new(format!("{TARGET}={level}"))
}

/// `<dir>/<mode>-<UTC time>.log`, 0600; a second run in the same second gets a number.
fn create(dir: &Path, mode: &str) -> Result<(PathBuf, File)> {
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
    /// Those of them that the file does not tell of yet.
    untold: u64,
    /// Why the last one could not be written.
    reason: String,
}

impl LogFile {
    fn new(path: PathBuf, file: File, terminal: Terminal) -> Self {
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
            let (lost, reason) = (state.lost, &state.reason);
            return Some(format!(
                "{lost} lines are missing in the log file {shown}: {reason}"
            ));
        }
        let ours = state.file.metadata().map(|file| (file.dev(), file.ino()));
        let there = std::fs::metadata(&*self.path).map(|file| (file.dev(), file.ino()));
        match (ours, there) {
            (Ok(ours), Ok(there)) if ours == there => None,
            _ => Some(format!(
                "the log file {shown} was removed while the run was at work"
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileState {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.untold > 0 {
            // The last line that was begun may be torn.
            let told = format!("\n… {} lines are missing: {}\n", self.untold, self.reason);
            self.file.write_all(told.as_bytes())?;
            self.untold = 0;
        }
        self.file.write_all(line)
    }
}

/// Takes a line; one that cannot be written is counted, and the first of them is told on stderr.
impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        if let Err(error) = state.write(line) {
            state.lost += 1;
            state.untold += 1;
            state.reason = error.to_string();
            if state.lost == 1 {
                let told = format!(
                    "warning: the log file {} cannot be written any more, the run goes on: {error}\n",
                    self.path.display()
                );
                // Where stderr is gone too, the report still says it.
                let _ = state.terminal.make_writer().write_all(told.as_bytes());
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// stderr, without tearing the bars.
struct Terminal(Option<MultiProgress>);

struct Line<'a> {
    bars: Option<&'a MultiProgress>,
}

impl<'a> MakeWriter<'a> for Terminal {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            bars: self.0.as_ref(),
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.bars {
            Some(bars) => bars.suspend(|| io::stderr().write_all(bytes))?,
            None => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
