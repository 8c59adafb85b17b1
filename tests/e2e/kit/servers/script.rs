//! An IMAP server that does what a test's script says, step by step. Knows no IMAP beyond tags and literals.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::listener::Listener;
use super::tls::{Certificates, Shown};
use super::wire::{Received, Wire};
use crate::kit::Endpoint;
use crate::kit::run::tempdir::TempDir;
use crate::kit::{Security, wait_until};

type Matcher = Box<dyn Fn(&Received) -> bool + Send + Sync>;

enum Step {
    Send(Vec<u8>),
    Expect(String, Matcher),
    ExpectLine(String),
    StartTls,
    Stall,
}

/// What happens on one connection, in order; after the last step it is closed.
#[derive(Default)]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// Nothing yet: accepts and closes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A greeting, a login with any answer to CAPABILITY, LOGIN and ID; then whatever follows.
    pub fn logged_in() -> Self {
        Self::new()
            .send("* OK [CAPABILITY IMAP4rev1] scripted\r\n")
            .expect("* LOGIN *")
            .send("{tag} OK [CAPABILITY IMAP4rev1] in\r\n")
    }

    /// Sends a text; `{tag}` is the tag of the command taken last.
    pub fn send(self, text: &str) -> Self {
        self.send_bytes(text.as_bytes())
    }

    /// Sends bytes; `{tag}` as in [`Script::send`].
    pub fn send_bytes(mut self, bytes: &[u8]) -> Self {
        self.steps.push(Step::Send(bytes.to_vec()));
        self
    }

    /// Sends the first `count` bytes of a text and closes.
    pub fn send_then_drop(self, bytes: &[u8], count: usize) -> Self {
        self.send_bytes(&bytes[..count])
    }

    /// Takes a command, which must fit the pattern; `*` stands for anything, case does not matter.
    pub fn expect(self, pattern: &str) -> Self {
        let wanted = pattern.to_owned();
        self.expect_that(pattern, move |command| glob(&wanted, &command.text()))
    }

    /// Takes a command, which must satisfy a condition.
    pub fn expect_that(
        mut self,
        what: &str,
        condition: impl Fn(&Received) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.steps
            .push(Step::Expect(what.to_owned(), Box::new(condition)));
        self
    }

    /// Takes a line that is no command and must be this, as an answer to a challenge.
    pub fn expect_line(mut self, line: &str) -> Self {
        self.steps.push(Step::ExpectLine(line.to_owned()));
        self
    }

    /// The TLS handshake, after the answer to STARTTLS or as the first step.
    pub fn start_tls(mut self) -> Self {
        self.steps.push(Step::StartTls);
        self
    }

    /// Reads, and says nothing more, until the client closes.
    pub fn stall(mut self) -> Self {
        self.steps.push(Step::Stall);
        self
    }
}

#[derive(Default)]
struct Log {
    commands: Mutex<Vec<Received>>,
    failures: Mutex<Vec<String>>,
    finished: Mutex<usize>,
}

/// A server that plays scripts; panics on drop when a client did not do what a script expects.
pub struct ScriptServer {
    log: Arc<Log>,
    listener: Listener,
    certificates: Option<Certificates>,
    _dir: TempDir,
}

impl ScriptServer {
    /// The first connection gets the first script, and so on; the last script is played again and again.
    pub fn start(scripts: Vec<Script>) -> Self {
        let dir = TempDir::new();
        let secured = |script: &Script| script.steps.iter().any(|s| matches!(s, Step::StartTls));
        let certificates = scripts
            .iter()
            .any(secured)
            .then(|| Certificates::make(dir.path(), Shown::Good));
        let acceptor = certificates.as_ref().map(Certificates::acceptor);
        let log = Arc::new(Log::default());
        let listener = Listener::start({
            let log = Arc::clone(&log);
            move |number, stream| {
                let script = &scripts[number.min(scripts.len() - 1)];
                let mut wire = Wire::new(number, stream);
                let outcome = play(script, &mut wire, acceptor.as_ref(), &log);
                if let Err(failure) = outcome {
                    lock(&log.failures).push(format!("connection {number}: {failure}"));
                }
                *lock(&log.finished) += 1;
                wire.close();
            }
        });
        Self {
            log,
            listener,
            certificates,
            _dir: dir,
        }
    }

    /// Where clients connect to; `security` is what the script plays.
    pub fn endpoint(&self, security: Security) -> Endpoint {
        let host = "localhost".to_owned();
        Endpoint {
            host,
            port: self.listener.port,
            security,
            ca_file: self.certificates.as_ref().map(|made| made.ca_file.clone()),
        }
    }

    /// All commands so far.
    pub fn commands(&self) -> Vec<Received> {
        lock(&self.log.commands).clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// What clients did that no script expects.
    pub fn failures(&self) -> Vec<String> {
        lock(&self.log.failures).clone()
    }

    /// Waits until this many scripts are played to their ends.
    pub fn wait_for_finished(&self, count: usize) {
        wait_until("the end of the scripts", || {
            *lock(&self.log.finished) >= count
        });
    }

    /// The failures, taken out: for tests of the server itself.
    pub fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.log.failures))
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.listener.stop();
        let failures = self.failures();
        if failures.is_empty() {
            return;
        }
        let text = format!("the script does not fit:\n{}", failures.join("\n"));
        assert!(std::thread::panicking(), "{text}");
        eprintln!("{text}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client that closes early is the client's right; one that sends something else is a failure.
fn play(
    script: &Script,
    wire: &mut Wire,
    acceptor: Option<&native_tls::TlsAcceptor>,
    log: &Log,
) -> Result<(), String> {
    let mut tag = String::new();
    for step in &script.steps {
        let outcome: io::Result<()> = match step {
            Step::Send(bytes) => wire.send(&fill_in(bytes, &tag)),
            Step::StartTls => wire.start_tls(acceptor.expect("made for scripts with this step")),
            Step::Stall => {
                wire.stall();
                Ok(())
            }
            Step::ExpectLine(expected) => match wire.line() {
                Ok(Some(line)) if line == expected.as_bytes() => Ok(()),
                other => return Err(format!("{other:?} where {expected:?} is expected")),
            },
            Step::Expect(what, condition) => {
                let Ok(Some(command)) = wire.command() else {
                    return Err(format!("closed where {what:?} is expected"));
                };
                lock(&log.commands).push(command.clone());
                if !condition(&command) {
                    return Err(format!("{:?} where {what:?} is expected", command.text()));
                }
                tag = command.tag;
                Ok(())
            }
        };
        if outcome.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Puts the tag where `{tag}` stands.
pub fn fill_in(bytes: &[u8], tag: &str) -> Vec<u8> {
    let mut filled = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(start) = rest.windows(5).position(|window| window == b"{tag}") {
        filled.extend_from_slice(&rest[..start]);
        filled.extend_from_slice(tag.as_bytes());
        rest = &rest[start + 5..];
    }
    filled.extend_from_slice(rest);
    filled
}

/// `*` stands for anything; ASCII case does not matter.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return pattern == text;
    };
    let Some(mut rest) = text
        .strip_prefix(first)
        .and_then(|rest| rest.strip_suffix(last))
    else {
        return false;
    };
    for part in middle {
        let Some(start) = rest.find(part) else {
            return false;
        };
        rest = &rest[start + part.len()..];
    }
    true
}

#[test]
fn globs_match_anything_between() {
    assert!(glob("* LOGIN *", "a1 login \"x\" y"));
    assert!(glob("*", ""));
    assert!(glob("a*b*c", "a--b--c"));
    assert!(!glob("a*b*c", "a--c--b"));
    assert!(!glob("ab*b", "ab"));
    assert!(glob("NOOP", "noop"));
}
