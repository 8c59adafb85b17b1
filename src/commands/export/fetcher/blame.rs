//! Which mailbox or message a connection died of, or was refused for: it is asked for alone, later, or skipped.

use tracing::warn;

use super::{AskEnvelope, FetchStep, Fetcher, Request};
use crate::commands::export::job::{Chunk, JobId, JobPhase};
use crate::session::blame::{Owner, Verdict};
use crate::session::error::{Ending, Kind, SessionError};
use crate::session::lane::Lane;
use crate::session::reader::Response;
use crate::session::response;

impl Fetcher<'_> {
    /// A job that is to be alone waits for the others, and they for it.
    pub(super) fn may_send(&mut self, lane: &Lane<'_, FetchStep>, id: JobId) -> bool {
        if self
            .alone
            .is_some_and(|alone| alone != id && !self.jobs[alone].is_busy())
        {
            self.alone = None;
        }
        if self.alone.is_none()
            && lane.outstanding() == 0
            && self.blame.verdict(&Owner::Mailbox(id)) == Verdict::Alone
        {
            self.alone = Some(id);
        }
        match self.alone {
            Some(alone) => alone == id,
            None => self.blame.verdict(&Owner::Mailbox(id)) != Verdict::Alone,
        }
    }

    pub(super) fn fail(&mut self, id: JobId, reason: &str) {
        self.progress_made += 1;
        let job = &mut self.jobs[id];
        warn!(mailbox = job.name(), reason, "the mailbox cannot be read");
        job.fail(reason);
    }

    /// The server refuses a mailbox in words that may pass: it is tried again on other connections, then recorded.
    pub(super) fn refused_mailbox(&mut self, id: JobId, words: &str) {
        if self.blame.count(Owner::Mailbox(id), words) == Verdict::Over {
            self.fail(id, words);
            return;
        }
        let job = &mut self.jobs[id];
        let text = format!("{}: {words}", job.name());
        warn!("{text}: to be tried again");
        job.postpone();
        self.postponed = Some(text);
    }

    /// The connection has ended: puts that down to what was under way, so that it cannot hold up the others for ever.
    pub(super) fn put_down(&mut self, lane: &Lane<'_, FetchStep>, error: Option<&SessionError>) {
        let objects = error.filter(|error| {
            matches!(error.kind, Kind::Transient | Kind::Desync)
                && error.ending != Some(Ending::SessionOver)
        });
        let (Some(error), Some(step)) = (objects, lane.steps().next()) else {
            return;
        };
        let words = error.to_string();
        let id = step.job;
        let misread = error.ending == Some(Ending::Misread);
        let (uid, certain) = match &step.asked {
            Request::Fetch(chunk) => self.under_way(id, chunk, lane.torn(), misread),
            Request::Probe(uid, _) => (Some(*uid), true),
            Request::Envelope(_) => {
                // The message itself is settled.
                self.envelopes = AskEnvelope::Never;
                self.progress_made += 1;
                self.misread = misread;
                return;
            }
            _ => {
                if self.blame.count(Owner::Mailbox(id), &words) == Verdict::Over {
                    self.fail(id, &words);
                }
                self.misread = misread;
                return;
            }
        };
        let Some(uid) = uid else {
            // All were asked for at once: an inventory comes next, and then it is known which one it is.
            self.misread = misread && self.jobs[id].phase() == JobPhase::Direct;
            return;
        };
        let owner = Owner::Message(id, uid);
        self.misread = misread;
        let verdict = if misread && self.blame.ends(&owner) == 0 {
            // The bytes will be the same however often they come: once more, alone, and then no more.
            self.blame.remember(owner);
            Verdict::Alone
        } else if certain {
            self.blame.count(owner, &words)
        } else {
            self.blame.suspect(owner, &words)
        };
        if verdict == Verdict::Over {
            let job = &mut self.jobs[id];
            let reason = job.take_excuse(uid).unwrap_or(words);
            warn!(mailbox = job.name(), uid, reason, "the message is skipped");
            job.refuse(uid, None, reason);
            self.progress_made += 1;
        }
    }

    /// The message that was due, and whether that is beyond doubt.
    fn under_way(
        &mut self,
        id: JobId,
        chunk: &Chunk,
        torn: &Response,
        misread: bool,
    ) -> (Option<u32>, bool) {
        let job = &mut self.jobs[id];
        if let Some(uid) = chunk.lone() {
            return (Some(uid).filter(|uid| job.asked_for(*uid)), true);
        }
        let begun = response::uid_hint(torn)
            .filter(|uid| (torn.bodies > 0 || misread) && job.asked_for(*uid));
        if begun.is_some() {
            if misread {
                job.ask_for_fewer(chunk);
            }
            return (begun, true);
        }
        job.ask_for_fewer(chunk);
        let next = chunk.uids().find(|uid| job.asked_for(*uid));
        (next, false)
    }
}
