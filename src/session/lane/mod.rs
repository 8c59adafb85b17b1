//! Commands sent ahead of their answers: each carries a step, and comes back with what belongs to it.
//!
//! Where commands cannot be sent ahead, they wait here for those before them; users of the lane need not know.

mod ahead;
mod outstanding;

use std::collections::VecDeque;

pub use outstanding::Order;
use outstanding::{Outstanding, Void};

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{Ending, Kind, Result, SessionError};
use super::pace::{Ahead, Pace};
use super::reader::{BodySink, NoBody, Response};
use super::response::{self, Condition, ResponseKind, StatusResponse};
use crate::budget::{Budget, Direction};

/// Commands sent ahead: each carries a step, and comes back with its answers in order.
pub struct Lane<'a, S> {
    channel: &'a mut Channel,
    outstanding: VecDeque<Outstanding<S>>,
    response: Response,
    /// What the server said last, where that was an untagged NO or BAD.
    objection: Option<StatusResponse>,
    /// Nothing more can be sent: what the server said before it closed is still heard, and tells what it died of.
    broken: bool,
}

/// What came back.
pub enum Answer<'a, S> {
    /// An untagged response while this step was the first outstanding one.
    Untagged(&'a mut S, &'a Response),
    /// The tagged end of this step.
    Done(S, StatusResponse),
}

impl<'a, S> Lane<'a, S> {
    /// A lane without commands on the channel.
    pub fn new(channel: &'a mut Channel) -> Self {
        Self {
            channel,
            outstanding: VecDeque::new(),
            response: Response::default(),
            objection: None,
            broken: false,
        }
    }

    /// Number of commands that are not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// True when the oldest command is not the only one on its way, or was not when it was sent.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        let mut sent = self.outstanding.iter().filter(|command| command.is_sent());
        sent.next().is_some_and(|oldest| oldest.ahead) || sent.next().is_some()
    }

    /// The steps that are not answered yet, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &S> {
        self.outstanding.iter().map(|command| &command.step)
    }

    /// True while a command is on its way whose end nobody waits for.
    #[must_use]
    pub fn has_unheard(&self) -> bool {
        self.channel.has_unheard()
    }

    /// What the command sent last carries.
    pub fn last_step(&mut self) -> Option<&mut S> {
        self.outstanding.back_mut().map(|command| &mut command.step)
    }

    /// What had arrived of the response in which an error struck.
    #[must_use]
    pub fn torn(&self) -> &Response {
        &self.response
    }

    /// What is known of how the server takes commands.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.channel.pace
    }

    /// What the server can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.channel.capabilities
    }

    /// What the account may take of its server today.
    pub fn budget(&mut self) -> &Budget {
        self.channel.budget()
    }

    /// A message goes: waits until the rate allows it.
    ///
    /// # Errors
    /// Of a run that is being stopped.
    pub fn one_message(&mut self) -> Result<()> {
        self.channel.reader().wire().one_message(Direction::Up)
    }

    /// True when there is an answer, or a part of one, that nobody has taken.
    pub fn has_arrived(&mut self) -> bool {
        self.outstanding() > 0 && self.channel.reader().has_arrived()
    }

    /// Sends a command, as soon as the server may have it.
    ///
    /// # Errors
    /// Those of writing, but for a connection that is lost: that is told when all that came before is heard.
    pub fn send(&mut self, command: &Command, step: S, order: Order) -> Result<()> {
        self.outstanding.push_back(Outstanding {
            command: Some(command.clone()),
            ..Outstanding::new(step, order)
        });
        self.send_waiting()
    }

    /// Sends what need not wait any longer.
    fn send_waiting(&mut self) -> Result<()> {
        if self.broken {
            return Ok(());
        }
        let pace = self.channel.pace.ahead();
        for at in 0..self.outstanding.len() {
            if self.outstanding[at].is_sent() {
                continue;
            }
            let is_behind_open = || {
                let before = self.outstanding.iter().take(at);
                before
                    .map(|sent| sent.order)
                    .any(|order| order == Order::Opens)
            };
            let waits = match pace {
                _ if self.outstanding[at].again => {
                    self.outstanding.iter().any(Outstanding::is_sent)
                }
                Ahead::All => false,
                Ahead::AllButBehindOpen => is_behind_open(),
                Ahead::Appends | Ahead::Nothing => at > 0,
            };
            if waits || self.outstanding[at].void.is_some() {
                break;
            }
            if self.outstanding[at].again {
                self.channel.hear_out(&mut self.response)?;
            }
            let command = &mut self.outstanding[at];
            let Some(unsent) = &command.command else {
                continue;
            };
            command.ahead = at > 0 || self.channel.has_unheard();
            match self.channel.send(unsent) {
                Ok(tag) => command.tag = tag,
                Err(error) if is_lost(&error) => {
                    self.broken = true;
                    break;
                }
                Err(error) => return Err(error),
            }
            if command.again {
                break;
            }
        }
        Ok(())
    }

    /// Begins a command that is sent in pieces with [`Lane::write`]; returns its tag and a blank, not sent yet.
    pub fn begin(&mut self, step: S, order: Order) -> Vec<u8> {
        let tag = self.channel.new_tag();
        let head = format!("{tag} ").into_bytes();
        self.outstanding.push_back(Outstanding {
            tag,
            ..Outstanding::new(step, order)
        });
        head
    }

    /// Sends a piece of the command begun last.
    ///
    /// # Errors
    /// The server's last words where it hung up with some, else those of writing.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.channel.note_progress();
        let Err(error) = self.channel.reader().wire().write_all(bytes) else {
            return Ok(());
        };
        if is_lost(&error) {
            // A server that hangs up in the middle of a literal has often said why.
            for _ in 0..self.outstanding.len() + 8 {
                match self.channel.receive(&mut self.response, &mut NoBody) {
                    Ok(()) => {}
                    Err(words) if words.is_goodbye() => return Err(words),
                    Err(_) => break,
                }
            }
        }
        Err(error)
    }

    /// Waits for the go-ahead `+` for a synchronising literal of the only outstanding command.
    ///
    /// Returns the command's end instead, where the server refuses.
    ///
    /// # Errors
    /// Those of receiving; [`Kind::Desync`] for a tagged end that fits no command.
    pub fn await_go_ahead(&mut self) -> Result<Option<(S, StatusResponse)>> {
        loop {
            self.channel.receive(&mut self.response, &mut NoBody)?;
            match response::classify(&self.response) {
                ResponseKind::Continuation => return Ok(None),
                ResponseKind::Tagged(tag, status) => {
                    let at = self.position(tag)?;
                    return Ok(self.outstanding.remove(at).map(|done| (done.step, status)));
                }
                // Outlook.com refuses what is too large in this way, and ends the command with no tag.
                ResponseKind::Untagged(status) if status.condition == Condition::Bad => {
                    let refused = self.outstanding.pop_back();
                    return Ok(refused.map(|done| (done.step, status)));
                }
                ResponseKind::Untagged(_) | ResponseKind::Data | ResponseKind::Garbage => {}
            }
        }
    }

    /// The next answer; at least one command must be outstanding. Bodies go to `sink`, whatever command is the oldest.
    ///
    /// # Errors
    /// Those of receiving; [`Kind::Desync`] for a tagged end that fits no command.
    pub fn next(&mut self, sink: &mut dyn BodySink) -> Result<Answer<'_, S>> {
        let heard = loop {
            if let Some(heard) = self.receive(Sinks::One(sink))? {
                break heard;
            }
        };
        self.answer(heard)
    }

    /// The same where each step has a sink of its own: bodies go to that of the oldest command.
    ///
    /// # Errors
    /// As for [`Lane::next`].
    pub fn next_into(
        &mut self,
        mut sink_of: impl FnMut(&mut S) -> &mut dyn BodySink,
    ) -> Result<Answer<'_, S>> {
        let heard = loop {
            if let Some(heard) = self.receive(Sinks::Each(&mut sink_of))? {
                break heard;
            }
        };
        self.answer(heard)
    }

    /// Waits for one response; `None` if it belongs to no command.
    fn receive(&mut self, sinks: Sinks<'_, S>) -> Result<Option<Heard>> {
        self.send_waiting()?;
        let oldest = self.oldest();
        let Some(first) = self.outstanding.get_mut(oldest) else {
            return Err(nothing_outstanding());
        };
        if !first.is_sent() && first.void.is_some() {
            return Ok(Some(Heard::Unsent));
        }
        let (channel, response) = (&mut *self.channel, &mut self.response);
        let received = match sinks {
            _ if first.void.is_some() => channel.receive(response, &mut NoBody),
            Sinks::One(sink) => channel.receive(response, sink),
            Sinks::Each(sink_of) => channel.receive(response, sink_of(&mut first.step)),
        };
        if let Err(error) = received {
            return match self.untagged_end(&error) {
                Some(end) => Ok(Some(end)),
                None => Err(self.perhaps_lost(error)),
            };
        }
        if let ResponseKind::Untagged(status) = response::classify(&self.response)
            && matches!(status.condition, Condition::No | Condition::Bad)
        {
            self.objection = Some(status);
        } else {
            self.objection = None;
        }
        // BAD is not a warning: with a single command under way its tag need not be awaited.
        if self.outstanding.len() == 1
            && let Some(status) = self
                .objection
                .take_if(|said| said.condition == Condition::Bad)
        {
            return Ok(Some(self.ended_by(status)));
        }
        match response::classify(&self.response) {
            ResponseKind::Tagged(tag, status) => {
                let at = self.position(tag)?;
                if self.is_to_be_sent_again(at, &status) {
                    self.send_again(at);
                    return Ok(None);
                }
                self.learn(at, &status);
                Ok(Some(Heard::End(at, status)))
            }
            ResponseKind::Untagged(_) | ResponseKind::Data => {
                let Some(first) = self.outstanding.get_mut(oldest) else {
                    return Err(nothing_outstanding());
                };
                // A complaint that is nobody's end is no answer.
                first.heard |= self.objection.is_none() && !self.channel.has_unheard();
                Ok(first.void.is_none().then_some(Heard::Untagged))
            }
            ResponseKind::Continuation | ResponseKind::Garbage => Ok(None),
        }
    }

    /// Where the command is whose answers come next: the first of those that are on their way.
    fn oldest(&self) -> usize {
        let mut commands = self.outstanding.iter();
        commands.position(Outstanding::is_sent).unwrap_or(0)
    }

    /// A server that said an untagged NO to the only command, and nothing more, has answered it.
    fn untagged_end(&mut self, error: &SessionError) -> Option<Heard> {
        let is_silent = error.ending == Some(Ending::TimedOut) && self.response.bytes.is_empty();
        if !is_silent || self.outstanding.len() != 1 {
            return None;
        }
        let status = self.objection.take()?;
        Some(self.ended_by(status))
    }

    /// This ends the only command; its tag may still come.
    fn ended_by(&mut self, status: StatusResponse) -> Heard {
        let tag = self.outstanding.front().map(|only| only.tag.clone());
        let tag = tag.unwrap_or_default();
        self.channel.forget(tag);
        Heard::End(0, status)
    }

    fn answer(&mut self, heard: Heard) -> Result<Answer<'_, S>> {
        let (at, status) = match heard {
            Heard::Untagged => {
                let oldest = self.oldest();
                let first = self.outstanding.get_mut(oldest);
                let first = first.ok_or_else(nothing_outstanding)?;
                return Ok(Answer::Untagged(&mut first.step, &self.response));
            }
            Heard::End(at, status) => (at, Some(status)),
            Heard::Unsent => (0, None),
        };
        let done = self.outstanding.remove(at);
        let done = done.ok_or_else(nothing_outstanding)?;
        let status = match done.void {
            Some(Void::Closed(status)) => Some(status),
            _ => status,
        };
        let status = status.ok_or_else(nothing_outstanding)?;
        if done.order == Order::Opens && status.condition != Condition::Ok {
            self.make_void(at, &status);
        }
        Ok(Answer::Done(done.step, status))
    }
}

/// Where bodies go.
enum Sinks<'a, S> {
    One(&'a mut dyn BodySink),
    Each(&'a mut dyn FnMut(&mut S) -> &mut dyn BodySink),
}

/// What one response was.
enum Heard {
    Untagged,
    /// The command at this place ends.
    End(usize, StatusResponse),
    /// Nothing was said: the command can no longer be sent.
    Unsent,
}

/// The connection is at its end, and what the server said before may still be read.
fn is_lost(error: &SessionError) -> bool {
    error.kind == Kind::Transient && error.ending != Some(Ending::TimedOut)
}

fn nothing_outstanding() -> SessionError {
    SessionError::new(Kind::Desync, "no command is outstanding")
}

impl Channel {
    /// Sends a command, hands its untagged responses to `handle`, and returns its end.
    ///
    /// # Errors
    /// Those of sending and receiving. NO and BAD are not errors here.
    pub fn run(
        &mut self,
        command: &Command,
        mut handle: impl FnMut(&Response),
    ) -> Result<StatusResponse> {
        let mut lane = Lane::new(self);
        lane.send(command, (), Order::Strict)?;
        loop {
            match lane.next(&mut NoBody)? {
                Answer::Untagged((), response) => handle(response),
                Answer::Done((), status) => return Ok(status),
            }
        }
    }
}
