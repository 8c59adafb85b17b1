//! What a server teaches about commands that are sent ahead of its answers: by refusals, by silence, and by the order
//! in which it ends them.

use super::Lane;
use super::outstanding::{Order, Void};
use crate::session::error::{Ending, Kind, Result, SessionError};
use crate::session::pace::Ahead;
use crate::session::refusal;
use crate::session::response::{Condition, StatusResponse};

impl<S> Lane<'_, S> {
    /// Some servers take one command at a time and refuse what comes with it: that may be meant for the command, or for
    /// its having been sent ahead. Alone it shows.
    pub(super) fn is_to_be_sent_again(&self, at: usize, status: &StatusResponse) -> bool {
        let one = &self.outstanding[at];
        let is_refused = one.ahead
            && !one.again
            && one.void.is_none()
            && one.command.is_some()
            && (refusal::is_about_sending_ahead(status)
                || status.condition == Condition::Bad && !self.channel.pace.obeys());
        is_refused || matches!(one.void, Some(Void::TooEarly))
    }

    pub(super) fn learn(&self, at: usize, status: &StatusResponse) {
        let (one, pace) = (&self.outstanding[at], &self.channel.pace);
        if one.again && status.condition != Condition::Bad {
            let why = "the server refuses commands that are sent ahead of its answers";
            pace.limit(Ahead::Nothing, why);
        } else if one.ahead && status.condition == Condition::Ok {
            pace.obeyed();
        }
    }

    pub(super) fn send_again(&mut self, at: usize) {
        let one = &mut self.outstanding[at];
        one.again = true;
        one.void = None;
        one.tag.clear();
        if one.order == Order::Opens {
            let behind = self.outstanding.iter_mut().skip(at + 1);
            let needing = behind.take_while(|command| command.order == Order::Loose);
            for command in needing.filter(|command| command.is_sent()) {
                command.void = Some(Void::TooEarly);
            }
        }
    }

    /// Silence after a command that was sent ahead, when those before it were answered: the server may have lost it.
    pub(super) fn perhaps_lost(&self, error: SessionError) -> SessionError {
        let first = self.outstanding.get(self.oldest());
        let is_lost = first.is_some_and(|first| first.ahead && !first.heard)
            && error.ending == Some(Ending::TimedOut);
        if !is_lost {
            return error;
        }
        let why = "the server answers a command, but not the one that was sent behind it";
        self.channel.pace.limit(Ahead::Nothing, why);
        error.by(Ending::SentAhead)
    }

    /// What was meant for a mailbox that is not open is no longer sent, or its answers are ignored.
    pub(super) fn make_void(&mut self, from: usize, status: &StatusResponse) {
        let behind = self.outstanding.iter_mut().skip(from);
        let mut harmed = false;
        for command in behind.take_while(|command| command.order == Order::Loose) {
            harmed |= command.is_sent();
            command.void = Some(Void::Closed(status.clone()));
        }
        if harmed {
            let why = "the server refuses to open a mailbox";
            self.channel.pace.limit(Ahead::AllButBehindOpen, why);
        }
    }

    pub(super) fn position(&self, tag: &str) -> Result<usize> {
        let at = self.outstanding.iter().position(|sent| sent.tag == tag);
        let unexpected = || {
            let text = format!("unexpected tagged response: {}", self.response.shown());
            SessionError::new(Kind::Desync, text)
        };
        let at = at.ok_or_else(unexpected)?;
        let up_to = self.outstanding.iter().take(at + 1);
        let mut up_to = up_to.filter(|command| command.is_sent());
        if at == self.oldest() || up_to.all(|sent| sent.order == Order::Loose) {
            return Ok(at);
        }
        let why = "the server does not end commands in the order in which they were sent";
        self.channel.pace.limit(Ahead::Appends, why);
        Err(unexpected().by(Ending::SentAhead))
    }
}
