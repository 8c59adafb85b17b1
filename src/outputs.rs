//! What a run leaves for those who read about it later: the report for machines, the page, the table. They are tested
//! before the run begins and written however it ends, as yesterday's would pass for today's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use tracing::error;

use crate::disk::file;
use crate::disk::output::{Output, is_stdout};
use crate::exit::Exit;
use crate::logging;
use crate::report::Report;

/// The files that somebody asked for.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// For machines.
    pub report: Option<PathBuf>,
    /// One page.
    pub html: Option<PathBuf>,
    /// One table.
    pub csv: Option<PathBuf>,
    /// Files that something else writes, each with its flag.
    pub others: Vec<(&'static str, PathBuf)>,
    /// Files that are read and must not be written.
    pub inputs: Vec<PathBuf>,
    /// Reports of earlier runs: one of them may be replaced by what comes of it, and by nothing less.
    pub earlier: Vec<PathBuf>,
}

/// What is written if somebody ends the run at once: nothing else has a chance then.
static UNFINISHED: Mutex<Option<(Outputs, Report)>> = Mutex::new(None);

/// How long that may take.
const AT_ONCE: Duration = Duration::from_secs(2);

impl Outputs {
    /// Hours of work should not end with a report that cannot be written, or that another one overwrites.
    ///
    /// # Errors
    /// Two that are one file, or one that is read; those of the file system.
    pub fn probe(&self) -> Result<()> {
        self.disjoint()?;
        for (_, path) in self.files() {
            Output::probe(path).with_context(|| format!("write the report {}", path.display()))?;
        }
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let files = [
            ("--html", &self.html),
            ("--csv", &self.csv),
            ("--report", &self.report),
        ];
        let files = files.into_iter();
        files.filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }

    /// Each is a file of its own.
    ///
    /// # Errors
    /// Two that are one file, or one that is read.
    pub fn disjoint(&self) -> Result<()> {
        let others = self.others.iter().map(|(flag, path)| (*flag, path));
        let all: Vec<(&str, &PathBuf)> = self.files().chain(others).collect();
        for (at, (flag, path)) in all.iter().enumerate() {
            let shown = path.display();
            let mut rest = all[at + 1..].iter();
            if let Some((other, _)) = rest.find(|(_, other)| is_same(path, other)) {
                bail!("{flag} and {other} both name {shown}; give each a file of its own");
            }
            if self.inputs.iter().any(|input| is_same(path, input)) {
                bail!("{flag} names {shown}, which is the configuration");
            }
        }
        Ok(())
    }

    /// Writes that a run could not begin, or could not go on.
    #[must_use]
    pub fn not_begun(&self, mut report: Report, error: &Error, exit: Exit) -> Exit {
        report.end(error, exit);
        if self.disjoint().is_err() {
            return exit;
        }
        let is_earlier = |path: &Path| self.earlier.iter().any(|one| is_same(path, one));
        for (flag, path) in self.files().filter(|(_, path)| !is_earlier(path)) {
            let is_what_failed = Output::probe(path).is_err();
            if let Err(error) = write(flag, path, &report)
                && !is_what_failed
            {
                logging::tell(&format!("error: {error:#}"));
            }
        }
        exit
    }

    /// The report on standard output and in its files; returns how the process ends. The one does not wait for the
    /// other: a file that cannot be written must not hide how the run went. What goes wrong is in the report for
    /// machines, which is the last.
    pub fn tell(&self, report: &mut Report, text: &str) -> Exit {
        for (flag, path) in self.files() {
            if let Err(error) = write(flag, path, report) {
                report.cannot_be_told(&error);
            }
        }
        let manifest = self.others.iter().map(|(_, path)| path);
        let mut taken = self.files().map(|(_, path)| path).chain(manifest);
        // Whoever reads one of them from standard output reads nothing else there.
        if text.is_empty() {
            // It talks to people as it goes.
        } else if taken.any(|path| is_stdout(path)) {
            logging::tell(text.trim_end());
        } else if let Err(error) = logging::print(text) {
            report.cannot_be_told(&error);
            let path = self.report.as_deref();
            if let Some(Err(error)) = path.map(|path| report.write_json(path)) {
                error!("{error:#}");
            }
        }
        report.exit_code
    }

    /// From now on [`ended_at_once`] has something to write.
    pub fn keep_for_the_worst(&self, report: Report) {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        *unfinished = Some((self.clone(), report));
    }
}

/// The run has ended by itself.
pub fn finished() {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    unfinished.take();
}

/// A second signal ends the process: the reports say so, if they can be written quickly.
pub fn ended_at_once() {
    let (give, take) = channel();
    let write = move || {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((outputs, report)) = unfinished.take() {
            let error = anyhow!("a second signal ended the run at once");
            // How the process ends has been decided.
            let _ = outputs.not_begun(report, &error, Exit::Stopped);
        }
        // Whoever waited may have left.
        let _ = give.send(());
    };
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _ = take.recv_timeout(AT_ONCE);
    }
}

/// Writes one of them. If that fails, one of an earlier run must not stay behind and pass for it.
fn write(flag: &str, path: &Path, report: &Report) -> Result<()> {
    let written = match flag {
        "--html" => report.write_html(path),
        "--csv" => report.write_csv(path),
        _ => report.write_json(path),
    };
    written.inspect_err(|_| {
        let is_stale = fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
        if is_stale {
            // What could not be written has been reported already.
            let _ = file::remove(path);
        }
    })
}

/// True for two names of one file. Devices and pipes take from several, standard output does not.
fn is_same(one: &Path, other: &Path) -> bool {
    if is_stdout(one) || is_stdout(other) {
        return is_stdout(one) && is_stdout(other);
    }
    let is_special = fs::metadata(one).is_ok_and(|there| !there.is_file());
    !is_special && resolved(one) == resolved(other)
}

/// The file's one name, whether it is there or not.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::canonicalize(parent.unwrap_or(Path::new(".")));
    match (parent, path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}
