//! One connection as commands and responses: sends tagged commands of our own, reads what comes back.
//!
//! Until the login is over it is shared with the `imap` crate, which reads and writes it through the guard.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, warn};

use super::asked::Asked;
use super::capability::Capabilities;
use super::command::Command;
use super::error::{Kind, Result, SessionError};
use super::pace::{Ahead, Pace};
use super::reader::{BodySink, NoBody, Reader, Response};
use super::refusal;
use super::response::{self, Condition, ResponseKind, StatusResponse};
use crate::budget::Budget;
use crate::waiting::Waiting;

/// Most responses before a command ends: more than a mailbox has messages.
const MAX_UNTAGGED: u64 = 10_000_000;
/// Time-outs within which something must come that was asked for.
const PATIENCE: u32 = 10;
/// Untagged responses in a row that nobody understands before the server is given up.
const MAX_GARBAGE: u32 = 1000;

/// The connection, its reader and what is known of the server.
pub struct Channel {
    reader: Reader,
    next_tag: u32,
    /// As last said by the server: in the greeting, after login, or when asked.
    pub capabilities: Capabilities,
    /// The last status response that was not only information: greeting, tagged ends, BYE.
    pub last_status: Option<StatusResponse>,
    /// The text of the greeting.
    pub greeting: Option<String>,
    /// The last untagged NO or BAD.
    pub objection: Option<StatusResponse>,
    /// Set when LOGOUT was sent: then BYE is the proper answer.
    pub leaving: bool,
    /// Set when only the result of what was done is asked for: an exhausted budget must not hold that up.
    pub concluding: bool,
    /// How far ahead of its answers the server may be sent commands.
    pub pace: Arc<Pace>,
    /// Tags of commands whose ends nobody is waiting for.
    unheard: Vec<String>,
    /// When something came that was asked for, or was asked for.
    progress: Instant,
    asked: Asked,
    /// Reported, as it has taken long.
    waiting: Option<Waiting>,
    garbage: u32,
    /// Responses since a command ended.
    untagged: u64,
}

impl Channel {
    /// A channel over a fresh connection.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            next_tag: 1,
            capabilities: Capabilities::default(),
            last_status: None,
            greeting: None,
            objection: None,
            leaving: false,
            concluding: false,
            pace: Arc::default(),
            unheard: Vec::new(),
            progress: Instant::now(),
            asked: Asked::default(),
            waiting: None,
            garbage: 0,
            untagged: 0,
        }
    }

    /// The reader, for STARTTLS and for the guard's writes.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Sends a command and returns its tag.
    ///
    /// # Errors
    /// Those of writing; [`Kind::Parked`] where the day's budget is used up.
    pub fn send(&mut self, command: &Command) -> Result<String> {
        if !self.leaving && !self.concluding {
            self.check_budget()?;
        }
        let tag = self.new_tag();
        let mut bytes = Vec::with_capacity(command.bytes().len() + 16);
        bytes.extend_from_slice(tag.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(command.bytes());
        bytes.extend_from_slice(b"\r\n");
        self.reader.wire().write_all(&bytes)?;
        self.asked.sent(&tag, command.bytes());
        Ok(tag)
    }

    /// What the account may take of its server today.
    pub fn budget(&mut self) -> &Budget {
        self.reader.wire().budget()
    }

    /// # Errors
    /// [`Kind::Parked`] where the day's budget is used up.
    pub(super) fn check_budget(&mut self) -> Result<()> {
        match self.budget().is_used_up() {
            Some(way) => Err(SessionError::used_up(self.budget(), way)),
            None => Ok(()),
        }
    }

    /// After a response that could not be read: throws away all that is still to come of what was asked for, up to the
    /// end of a NOOP whose tag no mail can hold. False where the server is not known to end commands in order.
    ///
    /// # Errors
    /// Those of sending and receiving.
    pub fn find_place(&mut self) -> Result<bool> {
        if self.pace.ahead() >= Ahead::Appends {
            return Ok(false);
        }
        let random = RandomState::new().build_hasher().finish();
        let tag = format!("{}r{random:016x}", self.new_tag());
        let noop = format!("{tag} NOOP\r\n");
        self.reader.wire().write_all(noop.as_bytes())?;
        self.reader.skip_line(format!("{tag} ").as_bytes())?;
        self.reader.command_ended();
        self.unheard.clear();
        self.asked = Asked::default();
        self.untagged = 0;
        self.note_progress();
        Ok(true)
    }

    /// Something that matters was sent or has come.
    pub(super) fn note_progress(&mut self) {
        self.progress = Instant::now();
        self.waiting = None;
    }

    /// However much a server says: without progress the command is not waited for without end.
    fn check_progress(&mut self, response: &Response) -> Result<()> {
        let timeout = self.reader.wire().timeout();
        let (waited, longest) = (self.progress.elapsed(), timeout * PATIENCE);
        self.reader.wire().check_stop(waited)?;
        if waited < longest {
            if self.waiting.is_none() && Waiting::is_long(waited, timeout) {
                self.waiting = Some(Waiting::tell(waited, longest));
            }
            return Ok(());
        }
        let text = format!(
            "the server ends no command and has sent nothing that was asked for in {} s; the last was {}",
            longest.as_secs(),
            response.shown()
        );
        Err(SessionError::new(Kind::Transient, text))
    }

    /// True while a command is on its way whose end nobody waits for.
    #[must_use]
    pub fn has_unheard(&self) -> bool {
        !self.unheard.is_empty()
    }

    /// The end of this command, if it still comes, is of no interest.
    pub(super) fn forget(&mut self, tag: String) {
        self.asked.ended(&tag);
        self.unheard.push(tag);
    }

    /// Waits for the ends that nobody waits for.
    ///
    /// # Errors
    /// Those of receiving.
    pub(super) fn hear_out(&mut self, response: &mut Response) -> Result<()> {
        while self.has_unheard() {
            self.receive_any(response, &mut NoBody)?;
            self.is_unheard(response);
        }
        Ok(())
    }

    /// True for an end that nobody waits for; it has come now.
    fn is_unheard(&mut self, response: &Response) -> bool {
        let ResponseKind::Tagged(tag, _) = response::classify(response) else {
            return false;
        };
        let at = self.unheard.iter().position(|unheard| unheard == tag);
        at.map(|at| self.unheard.swap_remove(at)).is_some()
    }

    pub(super) fn new_tag(&mut self) -> String {
        let tag = format!("x{}", self.next_tag);
        self.next_tag += 1;
        self.note_progress();
        tag
    }

    /// Reads the next response and notes what it says about the connection.
    ///
    /// # Errors
    /// Those of reading; the server's reason when it says BYE.
    pub fn receive(&mut self, response: &mut Response, sink: &mut dyn BodySink) -> Result<()> {
        loop {
            self.receive_any(response, sink)?;
            if !self.is_unheard(response) {
                return Ok(());
            }
        }
    }

    fn receive_any(&mut self, response: &mut Response, sink: &mut dyn BodySink) -> Result<()> {
        self.reader.read_response(response, sink)?;
        self.untagged += 1;
        if self.untagged > MAX_UNTAGGED {
            let text = format!(
                "the server has sent {MAX_UNTAGGED} responses and ends no command; the last was {}",
                response.shown()
            );
            return Err(SessionError::new(Kind::Refused, text));
        }
        let line = response::classify(response);
        match line {
            ResponseKind::Tagged(tag, _) => {
                self.asked.ended(tag);
                self.note_progress();
            }
            ResponseKind::Data if self.asked.is_answer(response) => self.note_progress(),
            _ => self.check_progress(response)?,
        }
        match line {
            ResponseKind::Tagged(_, status) => {
                self.untagged = 0;
                self.reader.command_ended();
                self.note_capabilities(&status);
                self.last_status = Some(status);
            }
            ResponseKind::Untagged(status) => {
                self.note_capabilities(&status);
                if self.greeting.is_none() {
                    self.greeting = Some(status.text.clone());
                }
                if matches!(status.condition, Condition::No | Condition::Bad) {
                    self.objection = Some(status.clone());
                }
                if status.condition == Condition::Bye && !self.leaving {
                    self.objection.get_or_insert_with(|| status.clone());
                    return Err(refusal::goodbye(&status));
                }
                if status
                    .code
                    .as_deref()
                    .is_some_and(|code| code.eq_ignore_ascii_case("ALERT"))
                {
                    warn!("the server says: {}", status.text);
                }
            }
            ResponseKind::Data => {
                if let Some(words) = response::parse_capability(response) {
                    self.capabilities = Capabilities(words);
                }
            }
            ResponseKind::Continuation => {}
            ResponseKind::Garbage => return self.note_garbage(response),
        }
        self.garbage = 0;
        Ok(())
    }

    fn note_capabilities(&mut self, status: &StatusResponse) {
        if let Some(words) = status.code_argument("CAPABILITY") {
            self.capabilities = Capabilities(response::capability_words(words));
        }
    }

    fn note_garbage(&mut self, response: &Response) -> Result<()> {
        debug!(line = response.shown(), "not an IMAP response, skipped");
        self.garbage += 1;
        if self.garbage < MAX_GARBAGE {
            return Ok(());
        }
        let text = format!("the server sends no IMAP responses: {}", response.shown());
        Err(SessionError::new(Kind::Desync, text))
    }
}
