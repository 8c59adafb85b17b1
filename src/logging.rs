//! Where log lines go: to stderr beside the progress bars, and to a file for each run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

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

/// Starts logging: to stderr, and to a new file in `dir` unless it is `None`. Returns the file's path.
///
/// # Errors
/// A directory or file that cannot be created.
pub fn start(
    verbosity: Verbosity,
    dir: Option<&Path>,
    mode: &str,
    bars: Option<&MultiProgress>,
) -> Result<Option<PathBuf>> {
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
    let (path, to_file) = match file {
        Some((path, file)) => {
            let layer = tracing_subscriber::fmt::layer()
                .with_target(false)
                .with_ansi(false)
                .with_writer(Mutex::new(file))
                .with_filter(filter(verbosity.level().max(LevelFilter::DEBUG)));
            (Some(path), Some(layer))
        }
        None => (None, None),
    };
    tracing_subscriber::registry()
        .with(to_terminal)
        .with(to_file)
        .try_init()
        .context("start logging")?;
    Ok(path)
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::new(format!("{TARGET}={level}"))
}

/// `<dir>/<mode>-<UTC time>.log`, 0600; a second run in the same second gets a number.
fn create(dir: &Path, mode: &str) -> Result<(PathBuf, File)> {
    if !dir.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| {
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
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match file {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("create the log file {}", path.display()));
            }
        }
    }
    bail!("no free name for a log file in {}", dir.display())
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
