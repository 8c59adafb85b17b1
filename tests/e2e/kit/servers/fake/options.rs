//! How the fake server is set up. Serves nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::append::Appended;
use super::cut::{Cut, CutRule};
use super::fetch::{Behaviour, Rule, TooMany};
use super::mailbox::FakeMailbox;
use super::write::TOO_BIG;
use super::{FakeServer, Hook, Reply, Shared, State, serve};
use crate::kit::Security;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::listener::Listener;
use crate::kit::servers::tls::{Certificates, Shown};
use crate::kit::servers::wire::{Received, Wire};

type Objection = Box<dyn Fn(&Appended) -> Option<String> + Send + Sync>;
/// What EXAMINE and SELECT say of UIDVALIDITY, from the true one and the number of openings before.
pub(super) type UidValidity = Box<dyn Fn(u32, usize) -> Option<u32> + Send + Sync>;
/// Changes the mailboxes before a command is answered.
pub(super) type Meanwhile = Box<dyn Fn(&Received, &mut Vec<FakeMailbox>) + Send + Sync>;
type CreateObjection = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What becomes of commands that a client sends before it has the answer to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentAhead {
    /// They are carried out in order.
    Obeyed,
    /// They are thrown away.
    Lost,
    /// They are carried out and ended in another order.
    MixedUp,
    /// They are refused, with a tag and these words.
    Refused(&'static str),
    /// They end the connection.
    Fatal,
}

/// How the server is set up; everything has a default, and [`FakeOptions::start`] ends it.
pub struct FakeOptions {
    /// The first line, without its end.
    pub(super) greeting: Vec<u8>,
    pub(super) capabilities: String,
    pub(super) accounts: Vec<(String, String)>,
    pub(super) security: Security,
    pub(super) hold: Option<Duration>,
    pub(super) list_lines: Option<Vec<Vec<u8>>>,
    pub(super) namespace: String,
    pub(super) rules: Vec<Rule>,
    pub(super) hooks: Vec<Hook>,
    pub(super) opened_as: Option<UidValidity>,
    pub(super) meanwhile: Option<Meanwhile>,
    pub(super) mailboxes: Vec<FakeMailbox>,
    pub(super) delimiter: Option<char>,
    pub(super) any_case: bool,
    /// What becomes of a name in every command.
    pub(super) calls: fn(&str) -> String,
    pub(super) strict_parents: bool,
    pub(super) objections: Vec<Objection>,
    pub(super) flag_objections: Vec<(String, String)>,
    pub(super) create_objections: Vec<CreateObjection>,
    pub(super) cuts: Vec<CutRule>,
    pub(super) sent_ahead: SentAhead,
    pub(super) most_bads: Option<usize>,
    pub(super) message_limit: Option<(usize, TooMany)>,
    pub(super) stores_in_part: bool,
    pub(super) appenduid: Option<String>,
}

impl FakeOptions {
    /// The first line, without its end; `* BYE …` ends the connection.
    pub fn greeting(mut self, line: &[u8]) -> Self {
        self.greeting = line.to_vec();
        self
    }

    /// What CAPABILITY says. LITERAL+, LITERAL-, MULTIAPPEND, UIDPLUS,
    /// APPENDLIMIT=n, CREATE-SPECIAL-USE, LIST-STATUS, STATUS=SIZE, CONDSTORE, OBJECTID (MAILBOXID), STARTTLS, LOGINDISABLED, AUTH=PLAIN and SASL-IR are lived up to.
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

    /// What becomes of commands sent ahead, once a client is logged in.
    pub fn sent_ahead(mut self, becomes: SentAhead) -> Self {
        self.sent_ahead = becomes;
        self
    }

    /// Hangs up at this many commands in one connection that draw a BAD.
    pub fn hang_up_at_bads(mut self, count: usize) -> Self {
        self.most_bads = Some(count);
        self
    }

    /// Takes so many messages in one FETCH or SEARCH by UID (RFC 9738).
    pub fn message_limit(mut self, most: usize, way: TooMany) -> Self {
        self.message_limit = Some((most, way));
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

    /// What others do to the mailboxes, before a command is answered.
    pub fn meanwhile(
        mut self,
        change: impl Fn(&Received, &mut Vec<FakeMailbox>) + Send + Sync + 'static,
    ) -> Self {
        self.meanwhile = Some(Box::new(change));
        self
    }

    /// EXAMINE and SELECT say another UIDVALIDITY than STATUS, or none: from the true one and the number of openings before.
    pub fn uidvalidity_when_opened(
        mut self,
        said: impl Fn(u32, usize) -> Option<u32> + Send + Sync + 'static,
    ) -> Self {
        self.opened_as = Some(Box::new(said));
        self
    }

    /// The hierarchy delimiter of mailboxes that clients create; without this that of the first mailbox.
    pub fn delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Names that differ only in ASCII case are the same name.
    pub fn names_in_any_case(mut self) -> Self {
        self.any_case = true;
        self
    }

    /// Every name that a client says means this one.
    pub fn calling(mut self, calls: fn(&str) -> String) -> Self {
        self.calls = calls;
        self
    }

    /// CREATE below a mailbox that does not exist is refused.
    pub fn strict_parents(mut self) -> Self {
        self.strict_parents = true;
        self
    }

    /// Refuses the creation of mailboxes; the answer is what follows the tag, for example `NO [CANNOT] no`.
    pub fn on_create(
        mut self,
        objection: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.create_objections.push(Box::new(objection));
        self
    }

    /// Refuses messages; the answer is what follows the tag. One refused message refuses the whole MULTIAPPEND.
    pub fn on_append(
        mut self,
        objection: impl Fn(&Appended) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.objections.push(Box::new(objection));
        self
    }

    /// Refuses messages that hold these bytes, for example with `NO [TOOBIG] too big`.
    pub fn refuse_body(self, bytes: &'static [u8], answer: &'static str) -> Self {
        self.on_append(|message| message.holds(bytes).then(|| answer.to_owned()))
    }

    /// Refuses messages with this flag, and STORE of it.
    pub fn refuse_flag(mut self, flag: &str, answer: &str) -> Self {
        self.flag_objections
            .push((flag.to_owned(), answer.to_owned()));
        self
    }

    /// Of a refused MULTIAPPEND, what stands before the refused message is stored all the same.
    pub fn stores_in_part(mut self) -> Self {
        self.stores_in_part = true;
        self
    }

    /// What APPENDUID says, whatever the truth is.
    pub fn appenduid(mut self, text: &str) -> Self {
        self.appenduid = Some(text.to_owned());
        self
    }

    /// Ends the connection in good order at this message of all that are appended, from 1.
    pub fn cut_append(self, message: usize, cut: Cut) -> Self {
        self.cut(message, cut, false)
    }

    /// The same by a reset: what the client has not read yet may be lost.
    pub fn reset_append(self, message: usize, cut: Cut) -> Self {
        self.cut(message, cut, true)
    }

    fn cut(mut self, message: usize, cut: Cut, reset: bool) -> Self {
        self.cuts.push(CutRule {
            message,
            cut,
            reset,
        });
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
                cuts: self.cuts.clone(),
                announced: 0,
                openings: 0,
                objecting: true,
            }),
            options: self,
            commands: Mutex::new(Vec::new()),
            complaints: Mutex::new(Vec::new()),
            round_trips: AtomicUsize::new(0),
            in_order: AtomicUsize::new(0),
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            // A client that goes away is no failure of the server.
            move |number, stream| {
                let mut wire = Wire::new(number, stream);
                if serve(&shared, &mut wire).is_ok() && wire.close() {
                    shared.in_order.fetch_add(1, Ordering::SeqCst);
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

/// What the server makes of it.
impl FakeOptions {
    /// Is this among the capabilities?
    pub(super) fn offers(&self, capability: &str) -> bool {
        let mut words = self.capabilities.split(' ');
        words.any(|word| word.eq_ignore_ascii_case(capability))
    }

    /// Is a message over APPENDLIMIT (RFC 7889)?
    pub(super) fn is_too_big(&self, length: usize) -> bool {
        let words = self.capabilities.split(' ');
        let mut limits = words.filter_map(|word| word.strip_prefix("APPENDLIMIT=")?.parse().ok());
        limits.any(|limit: usize| length > limit)
    }

    /// Where a mailbox of this name is.
    pub(super) fn index(&self, mailboxes: &[FakeMailbox], name: &[u8]) -> Option<usize> {
        let called = self.called(name);
        let mut names = mailboxes.iter();
        names.position(|mailbox| mailbox.is_called(&called, self.any_case))
    }

    /// The name that is meant.
    pub(super) fn called(&self, name: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(name) {
            Ok(text) => (self.calls)(text).into_bytes(),
            Err(_) => name.to_vec(),
        }
    }

    /// The delimiter of a new mailbox.
    pub(super) fn new_delimiter(&self, mailboxes: &[FakeMailbox]) -> char {
        let first = mailboxes.first().and_then(|mailbox| mailbox.delimiter);
        self.delimiter.or(first).unwrap_or('/')
    }

    /// What speaks against creating a mailbox.
    pub(super) fn create_objection(&self, name: &str) -> Option<String> {
        self.create_objections.iter().find_map(|one| one(name))
    }

    /// What speaks against flags.
    pub(super) fn flag_objection(&self, flags: &str) -> Option<String> {
        let mut flags = flags.split_whitespace();
        flags.find_map(|flag| {
            let mut objections = self.flag_objections.iter();
            let found = objections.find(|(refused, _)| refused.eq_ignore_ascii_case(flag));
            found.map(|(_, answer)| answer.clone())
        })
    }

    /// What speaks against any of these messages.
    pub(super) fn objection(&self, messages: &[Appended]) -> Option<String> {
        messages.iter().find_map(|message| {
            let big = self
                .is_too_big(message.body.len())
                .then(|| TOO_BIG.to_owned());
            big.or_else(|| self.flag_objection(&message.flags))
                .or_else(|| self.objections.iter().find_map(|one| one(message)))
        })
    }
}
