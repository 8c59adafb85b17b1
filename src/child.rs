//! Runs another program with limits on its time and output, and ends it with all its children.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{redact, stop};

/// How often to check whether the program has ended.
const TICK: Duration = Duration::from_millis(5);
/// How long the streams of a program that has ended may stay open: a child of its own may hold them.
const STREAMS: Duration = Duration::from_secs(1);

/// A program that has ended.
#[derive(Debug)]
pub struct ChildOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// Why a program did not finish.
#[derive(Debug)]
pub enum ChildFailure {
    /// It could not be started or waited for.
    System(io::Error),
    /// It took longer than this, and was ended.
    TooLong(Duration),
    /// It wrote more than this many bytes to one of its streams, and was ended.
    TooMuch(usize),
    /// It was ended because the run was asked to stop.
    Stopped,
}

impl std::fmt::Display for ChildFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(error) => write!(f, "cannot be run: {error}"),
            Self::TooLong(patience) => {
                write!(f, "has not ended after {} s", patience.as_secs_f64())
            }
            Self::TooMuch(bytes) => write!(f, "has printed more than {bytes} bytes"),
            Self::Stopped => f.write_str("was stopped"),
        }
    }
}

impl std::error::Error for ChildFailure {}

/// Runs a command without input, in a process group of its own, which a signal from the terminal does not reach: what
/// `should_stop` says counts.
///
/// # Errors
/// See [`ChildFailure`]; the program and its children have been killed then.
pub fn run(
    command: &mut Command,
    patience: Duration,
    limit: usize,
    should_stop: impl Fn() -> bool,
) -> Result<ChildOutput, ChildFailure> {
    without_secrets(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(ChildFailure::System)?;
    let _running = Running::new(child.id());
    let collectors = Collector::new(child.stdout.take(), limit)
        .and_then(|stdout| Ok((stdout, Collector::new(child.stderr.take(), limit)?)));
    let (stdout, stderr) = match collectors {
        Ok(collectors) => collectors,
        Err(error) => {
            end(&mut child);
            return Err(ChildFailure::System(error));
        }
    };
    let flooded = || stdout.is_full() || stderr.is_full();
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => {
                end(&mut child);
                return Err(ChildFailure::System(error));
            }
        }
        if flooded() {
            end(&mut child);
            return Err(ChildFailure::TooMuch(limit));
        }
        if should_stop() || stop::signalled() {
            end(&mut child);
            return Err(ChildFailure::Stopped);
        }
        if began.elapsed() > patience {
            end(&mut child);
            return Err(ChildFailure::TooLong(patience));
        }
        std::thread::sleep(TICK);
    };
    let ended = Instant::now();
    while !(stdout.is_over() && stderr.is_over()) && ended.elapsed() < STREAMS {
        std::thread::sleep(TICK);
    }
    // Whatever it left running in its group ends with it.
    end(&mut child);
    if flooded() {
        return Err(ChildFailure::TooMuch(limit));
    }
    Ok(ChildOutput {
        status,
        stdout: stdout.taken(),
        stderr: stderr.taken(),
    })
}

/// What the environment holds for other accounts, or for a panel, is none of this program's business.
fn without_secrets(command: &mut Command) {
    for (name, value) in std::env::vars_os() {
        let is_given = command.get_envs().any(|(given, _)| given == name);
        if !is_given && value.to_str().is_some_and(redact::is_kept) {
            command.env_remove(name);
        }
    }
}

/// Process groups that are at work, for [`end_all`].
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends all programs that are at work, with their children.
pub fn end_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.iter().for_each(|group| kill(*group));
}

struct Running(u32);

impl Running {
    fn new(group: u32) -> Self {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(group);
        Self(group)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.0);
    }
}

/// Reads a stream in the background.
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    full: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Collector {
    fn new(stream: Option<impl Read + Send + 'static>, limit: usize) -> io::Result<Self> {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let full = Arc::new(AtomicBool::new(false));
        let (into, flag) = (Arc::clone(&bytes), Arc::clone(&full));
        let thread = std::thread::Builder::new().spawn(move || {
            let Some(mut stream) = stream else { return };
            let mut buffer = [0; 4096];
            // Whatever was printed before an error is kept.
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
                if into.len() + count > limit {
                    flag.store(true, Ordering::Relaxed);
                    return;
                }
                into.extend_from_slice(&buffer[..count]);
            }
        })?;
        Ok(Self {
            bytes,
            full,
            thread,
        })
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn end(child: &mut Child) {
    kill(child.id());
    let _ = child.wait();
}

fn kill(group: u32) {
    let group = i32::try_from(group)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Result<ChildOutput, ChildFailure> {
        run(
            Command::new("sh").args(["-c", script]),
            patience,
            10_000,
            || false,
        )
    }

    #[test]
    fn a_program_is_heard_out() {
        let ran = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60)).expect("ran");
        assert_eq!(ran.status.code(), Some(3));
        assert_eq!(
            (&ran.stdout[..], &ran.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn one_that_hangs_or_floods_is_ended_with_its_children() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let note = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! >{}; wait", note.display());
        let hangs = shell(&script, Duration::from_millis(300)).expect_err("hangs");
        assert!(matches!(hangs, ChildFailure::TooLong(_)), "{hangs}");
        let pid = std::fs::read_to_string(&note).expect("noted");
        let status = format!("/proc/{}/status", pid.trim());
        let is_gone = || !std::fs::read_to_string(&status).is_ok_and(|s| !s.contains("Z (zombie)"));
        let began = Instant::now();
        while !is_gone() && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(TICK);
        }
        assert!(is_gone(), "its child lives on");
        let floods = shell("yes", Duration::from_secs(60)).expect_err("floods");
        assert!(matches!(floods, ChildFailure::TooMuch(10_000)), "{floods}");
    }

    #[test]
    fn a_child_that_keeps_the_stream_open_holds_nobody_up() {
        let ran = shell("sleep 600 & echo done", Duration::from_secs(60)).expect("ran");
        assert_eq!(ran.stdout, b"done\n");
    }
}
