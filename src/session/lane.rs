//! Commands sent ahead of their answers: each carries a step, and comes back with what belongs to it.

use std::collections::VecDeque;

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{Cause, Kind, Result, SessionError};
use super::reader::{BodySink, NoBody, Response};
use super::response::{self, Line, Status};

/// Whether a command's end may overtake that of the one before it (RFC 3501 section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It changes what the next ones mean, as EXAMINE does.
    Strict,
    /// It stands beside others of its kind, as UID FETCH does.
    Loose,
}

struct Outstanding<S> {
    tag: String,
    step: S,
    order: Order,
}

/// Commands sent ahead: each carries a step, and comes back with its answers in order.
pub struct Lane<'a, S> {
    channel: &'a mut Channel,
    outstanding: VecDeque<Outstanding<S>>,
    response: Response,
}

/// What came back.
pub enum Answer<'a, S> {
    /// An untagged response while this step was the first outstanding one.
    Untagged(&'a mut S, &'a Response),
    /// The tagged end of this step.
    Done(S, Status),
}

impl<'a, S> Lane<'a, S> {
    /// A lane without commands on the channel.
    pub fn new(channel: &'a mut Channel) -> Self {
        Self {
            channel,
            outstanding: VecDeque::new(),
            response: Response::default(),
        }
    }

    /// Number of commands that are not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// The steps that are not answered yet, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &S> {
        self.outstanding.iter().map(|command| &command.step)
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

    /// What the server can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.channel.capabilities
    }

    /// Sends a command.
    ///
    /// # Errors
    /// Those of writing.
    pub fn send(&mut self, command: &Command, step: S, order: Order) -> Result<()> {
        let tag = self.channel.send(command)?;
        self.outstanding.push_back(Outstanding { tag, step, order });
        Ok(())
    }

    /// Begins a command that is sent in pieces with [`Lane::write`]; returns its tag and a blank, not sent yet.
    pub fn begin(&mut self, step: S, order: Order) -> Vec<u8> {
        let tag = self.channel.new_tag();
        let head = format!("{tag} ").into_bytes();
        self.outstanding.push_back(Outstanding { tag, step, order });
        head
    }

    /// Sends a piece of the command begun last.
    ///
    /// # Errors
    /// The server's last words where it hung up with some, else those of writing.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Err(error) = self.channel.reader().wire().write_all(bytes) else {
            return Ok(());
        };
        if error.kind == Kind::Transient && error.cause != Some(Cause::TimedOut) {
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
    pub fn await_go_ahead(&mut self) -> Result<Option<(S, Status)>> {
        loop {
            self.channel.receive(&mut self.response, &mut NoBody)?;
            match response::classify(&self.response) {
                Line::Continuation => return Ok(None),
                Line::Tagged(tag, status) => {
                    let at = self.position(tag)?;
                    return Ok(self.outstanding.remove(at).map(|done| (done.step, status)));
                }
                Line::Untagged(_) | Line::Data | Line::Garbage => {}
            }
        }
    }

    /// The next answer; at least one command must be outstanding. Bodies go to `sink`, whatever command is the oldest.
    ///
    /// # Errors
    /// Those of receiving; [`Kind::Desync`] for a tagged end that fits no command.
    pub fn next(&mut self, sink: &mut dyn BodySink) -> Result<Answer<'_, S>> {
        let ended = receive(self.channel, &mut self.response, sink)?;
        self.answer(ended)
    }

    /// The same where each step has a sink of its own: bodies go to that of the oldest command.
    ///
    /// # Errors
    /// As for [`Lane::next`].
    pub fn next_into(
        &mut self,
        sink_of: impl FnOnce(&mut S) -> &mut dyn BodySink,
    ) -> Result<Answer<'_, S>> {
        let Some(first) = self.outstanding.front_mut() else {
            return Err(nothing_outstanding());
        };
        let sink = sink_of(&mut first.step);
        let ended = receive(self.channel, &mut self.response, sink)?;
        self.answer(ended)
    }

    fn answer(&mut self, ended: Option<(String, Status)>) -> Result<Answer<'_, S>> {
        if let Some((tag, status)) = ended {
            let at = self.position(&tag)?;
            let done = self
                .outstanding
                .remove(at)
                .ok_or_else(nothing_outstanding)?;
            return Ok(Answer::Done(done.step, status));
        }
        match self.outstanding.front_mut() {
            Some(first) => Ok(Answer::Untagged(&mut first.step, &self.response)),
            None => Err(nothing_outstanding()),
        }
    }

    fn position(&self, tag: &str) -> Result<usize> {
        let at = self.outstanding.iter().position(|sent| sent.tag == tag);
        let at = at.filter(|at| {
            *at == 0
                || self
                    .outstanding
                    .iter()
                    .take(at + 1)
                    .all(|sent| sent.order == Order::Loose)
        });
        at.ok_or_else(|| {
            let text = format!("unexpected tagged response: {}", self.response.shown());
            SessionError::new(Kind::Desync, text)
        })
    }
}

/// Waits for an untagged response, or for the end of a command.
fn receive(
    channel: &mut Channel,
    response: &mut Response,
    sink: &mut dyn BodySink,
) -> Result<Option<(String, Status)>> {
    loop {
        channel.receive(response, sink)?;
        match response::classify(response) {
            Line::Tagged(tag, status) => return Ok(Some((tag.to_owned(), status))),
            Line::Untagged(_) | Line::Data => return Ok(None),
            Line::Continuation | Line::Garbage => {}
        }
    }
}

fn nothing_outstanding() -> SessionError {
    SessionError::new(Kind::Desync, "no command is outstanding")
}
