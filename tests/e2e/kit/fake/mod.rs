//! A small IMAP server with mailboxes in memory, which misbehaves where a test says so. Real servers do not, on demand.
//!
//! It refuses to be complete: login, listing, EXAMINE, UID FETCH and SEARCH, no writing.

mod answer;
mod fetch;
mod mailbox;

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use fetch::Behaviour;
pub use mailbox::{FakeMailbox, FakeMessage};

use super::listener::Listener;
use super::tempdir::TempDir;
use super::tls::{Certificates, Shown};
use super::wire::{Received, Wire};
use super::{Endpoint, Security};
use answer::{Answer, Session};
use fetch::Rule;

type Hook = Box<dyn Fn(&Received) -> Option<Reply> + Send + Sync>;

/// What a hook answers instead of the server; `{tag}` in texts is the command's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// These bytes.
    Raw(Vec<u8>),
    /// These bytes, then what the server would have answered.
    Before(Vec<u8>),
    /// These bytes, then the end of the connection.
    Close(Vec<u8>),
    /// These bytes, then silence until the client closes.
    Stall(Vec<u8>),
}

impl Reply {
    /// The tagged end of the command and nothing else, for example `NO [UNAVAILABLE] later`.
    pub fn tagged(text: &str) -> Self {
        Self::Raw(format!("{{tag}} {text}\r\n").into_bytes())
    }

    /// `* BYE`, then the end of the connection.
    pub fn bye(text: &str) -> Self {
        Self::Close(format!("* BYE {text}\r\n").into_bytes())
    }
}

/// How the server is set up; everything has a default, and [`FakeOptions::start`] ends it.
pub struct FakeOptions {
    /// The first line, without its end.
    greeting: Vec<u8>,
    capabilities: String,
    accounts: Vec<(String, String)>,
    security: Security,
    hold: Option<Duration>,
    list_lines: Option<Vec<Vec<u8>>>,
    namespace: String,
    rules: Vec<Rule>,
    hooks: Vec<Hook>,
    mailboxes: Vec<FakeMailbox>,
}

impl FakeOptions {
    /// The first line, without its end; `* BYE …` ends the connection.
    pub fn greeting(mut self, line: &[u8]) -> Self {
        self.greeting = line.to_vec();
        self
    }

    /// What CAPABILITY says. LITERAL+, LIST-STATUS, CONDSTORE, STARTTLS, LOGINDISABLED, AUTH=PLAIN and SASL-IR are lived up to.
    pub fn capabilities(mut self, words: &str) -> Self {
        words.clone_into(&mut self.capabilities);
        self
    }

    /// Only these users may log in; without this anybody may.
    pub fn accounts(mut self, accounts: &[(&str, &str)]) -> Self {
        let owned = |(user, password): &(&str, &str)| ((*user).to_owned(), (*password).to_owned());
        self.accounts = accounts.iter().map(owned).collect();
        self
    }

    /// TLS from the first byte, or by STARTTLS, which the capabilities then name until the handshake.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Answers wait until no further command came for this long; each such wait is one of [`FakeServer::round_trips`].
    pub fn counting_round_trips(mut self, quiet: Duration) -> Self {
        self.hold = Some(quiet);
        self
    }

    /// Replaces the untagged answers to LIST: whole lines without their ends.
    pub fn list_lines(mut self, lines: &[&[u8]]) -> Self {
        self.list_lines = Some(lines.iter().map(|line| line.to_vec()).collect());
        self
    }

    /// What NAMESPACE says.
    pub fn namespace(mut self, text: &str) -> Self {
        text.clone_into(&mut self.namespace);
        self
    }

    /// Adds a mailbox.
    pub fn mailbox(mut self, mailbox: FakeMailbox) -> Self {
        self.mailboxes.push(mailbox);
        self
    }

    /// Misbehaves whenever the body of this UID is asked for, in any mailbox.
    pub fn on_fetch(mut self, uid: u32, behaviour: Behaviour) -> Self {
        self.rules.push(Rule::new(uid, None, behaviour));
        self
    }

    /// Misbehaves the first `times` times, then no more.
    pub fn on_fetch_times(mut self, uid: u32, times: usize, behaviour: Behaviour) -> Self {
        self.rules.push(Rule::new(uid, Some(times), behaviour));
        self
    }

    /// Asked before each command is answered; the first hook that returns something wins.
    pub fn on_command(
        mut self,
        hook: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Starts the server.
    pub fn start(self) -> FakeServer {
        let dir = TempDir::new();
        let certificates =
            (self.security != Security::Plain).then(|| Certificates::make(dir.path(), Shown::Good));
        let shared = Arc::new(Shared {
            acceptor: certificates.as_ref().map(Certificates::acceptor),
            state: Mutex::new(State {
                mailboxes: self.mailboxes.clone(),
                rules: self.rules.clone(),
            }),
            options: self,
            commands: Mutex::new(Vec::new()),
            round_trips: AtomicUsize::new(0),
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            // A client that goes away is no failure of the server.
            move |number, stream| {
                let mut wire = Wire::new(number, stream);
                if serve(&shared, &mut wire).is_ok() {
                    wire.close();
                }
            }
        });
        FakeServer {
            listener,
            shared,
            ca_file: certificates.map(|made| made.ca_file),
            _dir: dir,
        }
    }
}

struct State {
    mailboxes: Vec<FakeMailbox>,
    rules: Vec<Rule>,
}

struct Shared {
    options: FakeOptions,
    acceptor: Option<native_tls::TlsAcceptor>,
    state: Mutex<State>,
    commands: Mutex<Vec<Received>>,
    round_trips: AtomicUsize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commands(&self) -> MutexGuard<'_, Vec<Received>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running server; ends with this guard.
pub struct FakeServer {
    listener: Listener,
    shared: Arc<Shared>,
    ca_file: Option<std::path::PathBuf>,
    _dir: TempDir,
}

impl FakeServer {
    /// A server without mailboxes that offers plain `IMAP4rev1` with ID, NAMESPACE and LITERAL+.
    pub fn options() -> FakeOptions {
        FakeOptions {
            greeting: b"* OK fake server ready".to_vec(),
            capabilities: "IMAP4rev1 LITERAL+ ID NAMESPACE UIDPLUS".to_owned(),
            accounts: Vec::new(),
            security: Security::Plain,
            hold: None,
            list_lines: None,
            namespace: r#"(("" "/")) NIL NIL"#.to_owned(),
            rules: Vec::new(),
            hooks: Vec::new(),
            mailboxes: Vec::new(),
        }
    }

    /// Where clients connect to.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: "localhost".to_owned(),
            port: self.listener.port,
            security: self.shared.options.security,
            ca_file: self.ca_file.clone(),
        }
    }

    /// Changes the mailboxes between, or during, a client's visits.
    pub fn edit(&self, change: impl FnOnce(&mut Vec<FakeMailbox>)) {
        change(&mut self.shared.state().mailboxes);
    }

    /// Misbehaves from now on, `times` times or for ever, where [`FakeOptions::on_fetch`] would be too early.
    pub fn misbehave(&self, uid: u32, times: Option<usize>, behaviour: Behaviour) {
        let rule = Rule::new(uid, times, behaviour);
        self.shared.state().rules.push(rule);
    }

    /// Ends all misbehaviour on FETCH.
    pub fn behave(&self) {
        self.shared.state().rules.clear();
    }

    /// All commands so far, literals and the answers to `+` of AUTHENTICATE included.
    pub fn commands(&self) -> Vec<Received> {
        self.shared.commands().clone()
    }

    /// The commands of one name, as text.
    pub fn commands_named(&self, name: &str) -> Vec<String> {
        let commands = self.shared.commands();
        let named = commands.iter().filter(|command| command.name == name);
        named.map(Received::text).collect()
    }

    /// Forgets commands and round trips.
    pub fn forget(&self) {
        self.shared.commands().clear();
        self.shared.round_trips.store(0, Ordering::SeqCst);
    }

    /// All commands, a line each, for failure messages.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for command in self.shared.commands().iter() {
            writeln!(text, "{}: {}", command.connection, command.text()).expect("a string");
        }
        text
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// How often clients waited for answers; see [`FakeOptions::counting_round_trips`].
    pub fn round_trips(&self) -> usize {
        self.shared.round_trips.load(Ordering::SeqCst)
    }
}

fn serve(shared: &Shared, wire: &mut Wire) -> io::Result<()> {
    if let (Security::Tls, Some(acceptor)) = (shared.options.security, &shared.acceptor) {
        wire.start_tls(acceptor)?;
    }
    wire.send(&[&shared.options.greeting[..], b"\r\n"].concat())?;
    if shared.options.greeting.starts_with(b"* BYE") {
        return Ok(());
    }
    let mut session = Session::new(shared);
    let mut held = Vec::new();
    loop {
        flush(shared, wire, &mut held)?;
        let Some(command) = wire.command()? else {
            return Ok(());
        };
        shared.commands().push(command.clone());
        match session.answer(&command) {
            Answer::Go(bytes) => held.extend(bytes),
            Answer::Close(bytes) => {
                held.extend(bytes);
                return wire.send(&held);
            }
            Answer::Stall(bytes) => {
                held.extend(bytes);
                wire.send(&held)?;
                wire.stall();
                return Ok(());
            }
            Answer::AskSecret => {
                held.extend(b"+ \r\n");
                wire.send(&std::mem::take(&mut held))?;
                let line = wire.line()?.unwrap_or_default();
                let mut recorded = command.clone();
                recorded.raw.extend_from_slice(b"\r\n");
                recorded.raw.extend_from_slice(&line);
                shared.commands().push(recorded);
                held.extend(session.secret(&command, &line));
            }
            Answer::StartTls(bytes) => {
                wire.send(&bytes)?;
                if let Some(acceptor) = &shared.acceptor {
                    wire.start_tls(acceptor)?;
                }
            }
        }
    }
}

/// Sends what is held, unless round trips are counted and the client has more to say first.
fn flush(shared: &Shared, wire: &mut Wire, held: &mut Vec<u8>) -> io::Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    if let Some(quiet) = shared.options.hold {
        if wire.more_within(quiet)? {
            return Ok(());
        }
        shared.round_trips.fetch_add(1, Ordering::SeqCst);
    }
    wire.send(&std::mem::take(held))
}
