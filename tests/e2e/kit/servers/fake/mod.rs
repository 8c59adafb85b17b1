//! A small IMAP server with mailboxes in memory, which misbehaves where a test says so. Real servers do not, on demand.
//!
//! It refuses to be complete: login, listing, EXAMINE and SELECT, UID FETCH, SEARCH and STORE, CREATE, SUBSCRIBE, APPEND.

mod answer;
mod append;
mod cut;
mod fetch;
mod listing;
mod mailbox;
mod options;
mod section;
mod write;

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use cut::Cut;
pub use fetch::{Behaviour, TooMany};
pub use mailbox::{FakeMailbox, FakeMessage};
pub use options::{FakeOptions, SentAhead};

use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::listener::Listener;
use crate::kit::servers::wire::{Received, Wire};
use crate::kit::{Endpoint, Security};
use answer::{Answer, Session};
use cut::CutRule;
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

struct State {
    mailboxes: Vec<FakeMailbox>,
    rules: Vec<Rule>,
    cuts: Vec<CutRule>,
    /// Messages announced by APPEND so far.
    announced: usize,
    /// EXAMINE and SELECT so far.
    openings: usize,
    /// Are messages and flags refused?
    objecting: bool,
}

struct Shared {
    options: FakeOptions,
    acceptor: Option<native_tls::TlsAcceptor>,
    state: Mutex<State>,
    commands: Mutex<Vec<Received>>,
    complaints: Mutex<Vec<String>>,
    round_trips: AtomicUsize,
    in_order: AtomicUsize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commands(&self) -> MutexGuard<'_, Vec<Received>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complaints(&self) -> MutexGuard<'_, Vec<String>> {
        let complaints = self.complaints.lock();
        complaints.unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a client did what it must not.
    fn complain(&self, command: &Received, why: &str) {
        let start = &command.raw[..command.raw.len().min(100)];
        let start = String::from_utf8_lossy(start);
        self.complaints().push(format!("{why}: {start:?}"));
    }
}

/// The running server; ends with this guard. Panics then when a client did what the protocol forbids.
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
            delimiter: None,
            any_case: false,
            calls: str::to_owned,
            strict_parents: false,
            objections: Vec::new(),
            flag_objections: Vec::new(),
            create_objections: Vec::new(),
            cuts: Vec::new(),
            sent_ahead: SentAhead::Obeyed,
            most_bads: None,
            message_limit: None,
            stores_in_part: false,
            appenduid: None,
            hooks: Vec::new(),
            opened_as: None,
            meanwhile: None,
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

    /// Ends all misbehaviour on FETCH and APPEND, refusals of messages and flags included.
    pub fn behave(&self) {
        let mut state = self.shared.state();
        state.rules.clear();
        state.cuts.clear();
        state.objecting = false;
    }

    /// As [`FakeOptions::cut_append`], the messages counted from now.
    pub fn cut_append(&self, message: usize, cut: Cut) {
        let mut state = self.shared.state();
        let message = state.announced + message;
        let reset = false;
        state.cuts.push(CutRule {
            message,
            cut,
            reset,
        });
    }

    /// What it holds.
    pub fn mailboxes(&self) -> Vec<FakeMailbox> {
        self.shared.state().mailboxes.clone()
    }

    /// One mailbox; panics when there is none of this name on the wire.
    pub fn mailbox(&self, name: &str) -> FakeMailbox {
        let mailboxes = self.mailboxes();
        let found = mailboxes.iter().find(|one| one.name == name.as_bytes());
        let names = || -> Vec<_> {
            mailboxes
                .iter()
                .map(|one| one.name.escape_ascii().to_string())
                .collect()
        };
        let found = found.unwrap_or_else(|| panic!("no mailbox {name} among {:?}", names()));
        found.clone()
    }

    /// What clients did that the protocol forbids, taken out: for tests of the server itself.
    pub fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.complaints())
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

    /// Connections that clients ended in good order, under TLS by `close_notify`.
    pub fn ended_in_order(&self) -> usize {
        self.shared.in_order.load(Ordering::SeqCst)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.listener.stop();
        let complaints = self.take_complaints();
        if complaints.is_empty() {
            return;
        }
        let text = format!("a client broke the rules:\n{}", complaints.join("\n"));
        assert!(std::thread::panicking(), "{text}");
        eprintln!("{text}");
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
    let mut waiting = Vec::new();
    let mut bads = 0;
    loop {
        flush(shared, wire, &mut held)?;
        let command = match waiting.pop() {
            Some(command) => Some(command),
            None => wire.command_judging(|literal| session.judge(literal, &mut held))?,
        };
        let Some(command) = command else {
            return session.farewell();
        };
        if shared.options.hold.is_some() {
            let waits = session.take_waits();
            shared.round_trips.fetch_add(waits, Ordering::SeqCst);
        }
        let command = if session.is_logged_in() && waiting.is_empty() {
            sent_behind(shared, wire, command, &mut waiting)?
        } else {
            command
        };
        shared.commands().push(command.clone());
        match session.answer(&command) {
            Answer::Go(bytes) => {
                let bad = format!("{} BAD", command.tag);
                bads += usize::from(bytes.starts_with(bad.as_bytes()));
                held.extend(bytes);
                if shared.options.most_bads.is_some_and(|most| bads >= most) {
                    held.extend(b"* BYE too many invalid commands\r\n");
                    return wire.send(&held);
                }
            }
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
            Answer::Reset(bytes) => {
                held.extend(bytes);
                wire.send(&held)?;
                return Err(io::ErrorKind::ConnectionAborted.into());
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

/// What is done with commands that came together: the next one to carry out, the others in `waiting`, the last one first.
fn sent_behind(
    shared: &Shared,
    wire: &mut Wire,
    first: Received,
    waiting: &mut Vec<Received>,
) -> io::Result<Received> {
    const TOGETHER: std::time::Duration = std::time::Duration::from_millis(20);
    if shared.options.sent_ahead == SentAhead::Obeyed || first.name == "APPEND" {
        return Ok(first);
    }
    waiting.push(first);
    while wire.more_within(TOGETHER)? {
        let Some(command) = wire.command()? else {
            break;
        };
        match shared.options.sent_ahead {
            SentAhead::MixedUp => waiting.push(command),
            SentAhead::Refused(words) => {
                wire.send(format!("{} {words}\r\n", command.tag).as_bytes())?;
            }
            SentAhead::Fatal => return Err(io::ErrorKind::ConnectionAborted.into()),
            SentAhead::Lost | SentAhead::Obeyed => {}
        }
    }
    let last = waiting.pop();
    Ok(last.expect("the first, or one behind it"))
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
