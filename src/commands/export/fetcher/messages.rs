//! Whole messages: committed when they come, asked for alone when they do not, given up at last.

use anyhow::{Context, Result};
use tracing::{debug, warn};

use super::super::body::ArrivingBody;
use super::super::job::{Chunk, JobId, JobPhase};
use super::super::store::Stored;
use super::{AskEnvelope, FetchStep, Fetcher, Request};
use crate::session::blame::{Owner, Verdict};
use crate::session::error::{Ending, Kind, SessionError};
use crate::session::fetch::{self, Fetched, Message};
use crate::session::lane::{Lane, Order};
use crate::session::reader::Response;
use crate::session::refusal;
use crate::session::response::{self, Condition, ResponseKind, StatusResponse};

impl Fetcher<'_> {
    pub(super) fn take_message(
        &mut self,
        id: JobId,
        chunk: &Chunk,
        body: &mut ArrivingBody,
        response: &Response,
    ) -> Result<()> {
        match self.assembler.take(response, body)? {
            Fetched::Nothing => {
                if let Some(uid) = chunk.lone()
                    && let ResponseKind::Untagged(said) = response::classify(response)
                    && matches!(said.condition, Condition::No | Condition::Bad)
                {
                    self.jobs[id].excuse(uid, said.said());
                }
                Ok(())
            }
            Fetched::Whole(message) => self.commit(id, message, body),
            Fetched::Unfetchable(uid, reason) => {
                if let Some(uid) = uid.or(chunk.lone()) {
                    self.jobs[id].excuse(uid, reason);
                }
                Ok(())
            }
            Fetched::Malformed(reason) => {
                let line = response.shown();
                warn!(line, reason, "a FETCH response is odd");
                if let Some(uid) = response::uid_hint(response) {
                    let text = format!("odd response, {reason}: {line}");
                    self.jobs[id].excuse(uid, text);
                }
                if response.bodies == 0 {
                    return Ok(());
                }
                // What follows a body of the wrong length may be the body's own text.
                let text = format!("a response with a body makes no sense, {reason}: {line}");
                let error = SessionError::new(Kind::Desync, text);
                Err(error.by(Ending::Misread).into())
            }
        }
    }

    pub(super) fn commit(
        &mut self,
        id: JobId,
        message: Message,
        body: &mut ArrivingBody,
    ) -> Result<()> {
        let job = &mut self.jobs[id];
        let uid = message.uid;
        if !job.asked_for(uid) {
            debug!(uid, "a message that was not asked for is skipped");
            return Ok(());
        }
        let Some(store) = self.store.as_deref_mut() else {
            return Ok(());
        };
        let incoming = body.take().context("no body has arrived")?;
        if job.is_on_trial() {
            job.tried(uid, store.is_same(id, uid, &incoming)?);
            return Ok(());
        }
        if let Some(announced) = message.cut_from()
            && job.doubts_length(uid, message.length, announced)
        {
            debug!(uid, announced, "far shorter than announced, asking again");
            self.doubted = Some(uid);
            return Ok(());
        }
        let stored = store.commit(id, job, message, incoming)?;
        match stored {
            Stored::New(size) => {
                if job.comes_unsized() {
                    self.progress.sized(1, size);
                }
                job.came(uid, size);
                self.progress.message(size);
            }
            Stored::Known(size) => job.proved(uid, size),
        }
        self.progress_made += 1;
        self.blame.clear(&Owner::Message(id, uid));
        store.checkpoint_if_due(self.jobs)?;
        if self.stop.requested() {
            return Err(SessionError::stopped().into());
        }
        Ok(())
    }

    pub(super) fn fetched(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        chunk: &Chunk,
        body: ArrivingBody,
        status: &StatusResponse,
    ) -> Result<()> {
        if let Some(uid) = chunk.lone().filter(|_| !self.jobs[id].is_on_trial()) {
            return self.fetched_alone(lane, id, uid, body, status);
        }
        self.assembler.clear();
        let job = &mut self.jobs[id];
        if job.is_on_trial() {
            return Ok(());
        }
        if status.condition != Condition::Ok {
            debug!(set = chunk.set, answer = status.said(), "FETCH is refused");
        }
        if let Some((most, _)) = status.message_limit() {
            job.ask_for_at_most(most);
            if job.ask_for_rest(chunk) > 0 {
                self.queue.push_front(id);
                return Ok(());
            }
        }
        if job.phase() == JobPhase::Direct {
            if job.is_short() || job.more_by_status().is_some() || status.condition != Condition::Ok
            {
                job.absorb_received();
                job.survey_again();
                self.queue.push_front(id);
            }
            return Ok(());
        }
        let count = job.ask_alone_for_rest(chunk);
        if count > 0 {
            debug!(count, "messages did not come, asking for each alone");
            self.queue.push_front(id);
        }
        Ok(())
    }

    pub(super) fn fetched_alone(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        uid: u32,
        mut body: ArrivingBody,
        status: &StatusResponse,
    ) -> Result<()> {
        let belated = self.assembler.lone(uid);
        self.assembler.clear();
        if let Some(message) = belated {
            self.commit(id, message, &mut body)?;
        }
        let job = &mut self.jobs[id];
        if !job.asked_for(uid) {
            return Ok(());
        }
        if self.doubted.take_if(|doubted| *doubted == uid).is_some() {
            job.ask_alone(uid);
            self.queue.push_front(id);
            return Ok(());
        }
        if status.condition != Condition::Ok && refusal::may_pass(status) {
            let verdict = self.blame.count(Owner::Message(id, uid), status.said());
            if verdict != Verdict::Over {
                job.ask_alone(uid);
                self.queue.push_front(id);
                return Ok(());
            }
        }
        let reason = match job.take_excuse(uid) {
            Some(reason) => reason,
            None if status.condition == Condition::Ok => {
                format!("FETCH ends with {} but brings no message", status.said())
            }
            None => status.said(),
        };
        self.examine(lane, id)?;
        let probe = fetch::described(uid, false);
        self.send(lane, &probe, id, Request::Probe(uid, reason), Order::Loose)
    }

    /// A message that the probe finds cannot be fetched; nor can one to which the server says nothing but NO.
    /// Where it answers OK without the message, that may be deleted: a second inventory tells.
    pub(super) fn probed(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
        uid: u32,
        reason: String,
        status: &StatusResponse,
    ) -> Result<()> {
        let found = self.probed.take().filter(|(named, _)| *named == uid);
        let job = &mut self.jobs[id];
        match found {
            Some((_, seen)) => {
                warn!(uid, reason, "the message cannot be fetched");
                job.refuse(uid, Some(seen), reason);
                return self.ask_envelope(lane, id, uid);
            }
            None if status.condition == Condition::Ok => job.unclear(uid, reason),
            None => {
                let reason = format!("{reason}; asked for its size: {}", status.said());
                warn!(uid, reason, "the message cannot be fetched");
                job.refuse(uid, None, reason);
            }
        }
        Ok(())
    }

    /// Who knows the sender and the subject finds the message in other ways. It is on record already: whatever comes of
    /// this, it is asked once.
    fn ask_envelope(&mut self, lane: &mut Lane<'_, FetchStep>, id: JobId, uid: u32) -> Result<()> {
        if self.envelopes == AskEnvelope::Never {
            return Ok(());
        }
        self.examine(lane, id)?;
        let command = fetch::envelope(uid);
        self.send(lane, &command, id, Request::Envelope(uid), Order::Loose)
    }
}
