//! Whole messages: committed when they come, asked for alone when they do not, given up at last.

use anyhow::{Context, Result};
use tracing::{debug, warn};

use super::super::job::{Chunk, Phase};
use super::super::store::Stored;
use super::{Copy, Step};
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch::{Brought, Message};
use crate::session::lane::{Lane, Order};
use crate::session::reader::Response;
use crate::session::response::{Condition, Status};

impl Copy<'_> {
    pub(super) fn take_message(
        &mut self,
        index: usize,
        chunk: &Chunk,
        response: &Response,
    ) -> Result<()> {
        match self.assembler.take(response) {
            Brought::Nothing => Ok(()),
            Brought::Whole(message) => self.commit(index, message),
            Brought::Unfetchable(uid, reason) => {
                let alone = chunk.uids.iter().next().filter(|_| chunk.alone);
                if let Some(uid) = uid.or(alone) {
                    self.jobs[index].reasons.insert(uid, reason);
                }
                Ok(())
            }
            Brought::Malformed(reason) => {
                let line = response.shown();
                warn!(line, reason, "a FETCH response is odd");
                if let Some(uid) = uid_hint(response) {
                    let text = format!("odd response, {reason}: {line}");
                    self.jobs[index].reasons.insert(uid, text);
                }
                if response.bodies == 0 {
                    return Ok(());
                }
                // What follows a body of the wrong length may be the body's own text.
                let text = format!("a response with a body cannot be believed, {reason}: {line}");
                Err(SessionError::new(Kind::Desync, text).into())
            }
        }
    }

    pub(super) fn commit(&mut self, index: usize, message: Message) -> Result<()> {
        let job = &mut self.jobs[index];
        let uid = message.uid;
        if !job.asked_for(uid) {
            debug!(uid, "a message that was not asked for is passed over");
            return Ok(());
        }
        let Some(store) = self.store.as_deref_mut() else {
            return Ok(());
        };
        let stored = store
            .commit(index, job, message)
            .with_context(|| format!("store uid {uid}"))?;
        match stored {
            Stored::New(size) => {
                job.received.insert(uid);
                job.bytes_new += size;
                self.progress.message(size);
            }
            Stored::Known(size) => {
                job.present.insert(uid);
                job.wanted.remove(uid);
                job.bytes += size;
            }
        }
        job.doubtful.remove(&uid);
        self.committed += 1;
        store.checkpoint_if_due(self.jobs)?;
        if self.stop.requested() {
            return Err(SessionError::stopped().into());
        }
        Ok(())
    }

    pub(super) fn fetched(
        &mut self,
        lane: &mut Lane<'_, Step>,
        index: usize,
        chunk: &Chunk,
        status: &Status,
    ) -> Result<()> {
        if let Some(uid) = chunk.uids.iter().next().filter(|_| chunk.alone) {
            return self.fetched_alone(lane, index, uid, status);
        }
        self.assembler.clear();
        let job = &mut self.jobs[index];
        if status.condition != Condition::Ok {
            debug!(set = chunk.set, answer = status.said(), "FETCH is refused");
        }
        if job.phase == Phase::Direct {
            if (job.received.len()) < job.exists || status.condition != Condition::Ok {
                job.absorb_received();
                job.survey_again();
                self.queue.push_front(index);
            }
            return Ok(());
        }
        let missing: Vec<u32> = chunk
            .uids
            .iter()
            .filter(|uid| job.asked_for(*uid))
            .collect();
        if !missing.is_empty() {
            debug!(
                count = missing.len(),
                "messages did not come, asking for each alone"
            );
            job.ask_alone(missing);
            self.queue.push_front(index);
        }
        Ok(())
    }

    pub(super) fn fetched_alone(
        &mut self,
        lane: &mut Lane<'_, Step>,
        index: usize,
        uid: u32,
        status: &Status,
    ) -> Result<()> {
        let belated = self.assembler.lone(uid);
        self.assembler.clear();
        if let Some(message) = belated {
            self.commit(index, message)?;
        }
        let job = &mut self.jobs[index];
        if !job.asked_for(uid) {
            return Ok(());
        }
        let reason = match job.reasons.remove(&uid) {
            Some(reason) => reason,
            None if status.condition == Condition::Ok => {
                format!("FETCH ends with {} but brings no message", status.said())
            }
            None => status.said(),
        };
        self.examine(lane, index)?;
        let probe = Command::new(format!("UID FETCH {uid} (UID RFC822.SIZE)"));
        self.send(lane, &probe, Step::Probe(index, uid, reason), Order::Loose)
    }

    /// A message that is not there any more was deleted while we read; one that is there is a failure.
    pub(super) fn probed(&mut self, index: usize, uid: u32, reason: String) {
        let job = &mut self.jobs[index];
        let there = job.unfetched.iter_mut().find(|failed| failed.uid == uid);
        if let Some(failed) = there {
            warn!(uid, reason, "the message cannot be fetched");
            failed.reason = reason;
        } else {
            debug!(uid, "the message was deleted while the mailbox was read");
            job.gone.insert(uid);
        }
    }
}

/// The UID in a response that cannot be parsed, as far as it can be read before the body.
pub(super) fn uid_hint(response: &Response) -> Option<u32> {
    let end = response.elsewhere.first().copied();
    let head = &response.bytes[..end.unwrap_or(response.bytes.len())];
    let head = String::from_utf8_lossy(head).to_ascii_uppercase();
    let mut words = head.split([' ', '(', ')', '\r']);
    words.find(|word| *word == "UID")?;
    words.find(|word| !word.is_empty())?.parse().ok()
}
