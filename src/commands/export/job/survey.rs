//! The inventory of a job: what the server names, set against what the archive holds.

use super::{Job, JobPhase, Survey, Weights};
use crate::session::inventory::Inventory;

/// How often a mailbox is surveyed before what is still unclear is reported.
const MAX_SURVEYS: u32 = 3;

/// What STATUS counts is set against this.
#[derive(Default)]
pub(super) struct Recount {
    /// Messages that EXAMINE counted last.
    pub(super) opened_with: u64,
    /// STATUS was asked once more.
    done: bool,
}

impl Job {
    /// Takes the inventory again, or gives up when that did not help before.
    pub fn survey_again(&mut self) {
        self.work.unsent.clear();
        self.survey = Survey::default();
        self.trouble.unclear.clear();
        if self.surveys >= MAX_SURVEYS {
            self.fail("the server says something different about it each time");
            return;
        }
        self.surveys += 1;
        self.phase = JobPhase::Survey;
    }

    /// A day's budget is to be kept to: the inventory notes what messages weigh, and a command brings at most so many
    /// bytes.
    pub fn weigh(&mut self, most: u64) {
        self.survey.weights = Some(Weights::new(most));
    }

    /// Messages by STATUS, where those are more than EXAMINE counts and the inventory names: deleted in between, or one
    /// of the two is wrong.
    #[must_use]
    pub fn more_by_status(&self) -> Option<u64> {
        let by_status = self.mailbox.status.as_ref()?.messages?;
        let named = self.survey.inventory.named().len();
        (by_status > self.recount.opened_with.max(named)).then_some(by_status)
    }

    /// True once STATUS was asked again.
    #[must_use]
    pub fn is_recounted(&self) -> bool {
        self.recount.done
    }

    /// STATUS has been asked again.
    pub fn recounted(&mut self) {
        self.recount.done = true;
    }

    /// STATUS has counted again.
    pub fn counts_by_status(&mut self, messages: u64) {
        if let Some(status) = &mut self.mailbox.status {
            status.messages = Some(messages);
        }
    }

    /// Sizes matter: all of it at once may be too much.
    pub fn survey_first(&mut self) {
        self.work.unsent.clear();
        self.phase = JobPhase::Survey;
    }

    /// What the next FETCH would bring, as far as that is known.
    #[must_use]
    pub fn next_weight(&self) -> u64 {
        let Some(chunk) = self.work.unsent.front() else {
            return 0;
        };
        match &self.survey.weights {
            Some(weights) => chunk.uids().map(|uid| weights.of(uid)).sum(),
            None => self.bytes_by_status().unwrap_or(0),
        }
    }

    /// True where nothing in the archive needs to be compared with the inventory.
    #[must_use]
    pub fn has_nothing_here(&self) -> bool {
        self.held.present.is_empty()
    }

    /// What the server names.
    pub fn inventory(&mut self) -> &mut Inventory {
        &mut self.survey.inventory
    }

    /// True for a message whose pair in the archive is whole.
    #[must_use]
    pub fn has(&self, uid: u32) -> bool {
        self.held.present.contains(uid)
    }

    /// A message that is on the server is to be fetched, if it is this run's and has not come yet.
    pub fn want(&mut self, uid: u32, size: Option<u64>) {
        if self.has(uid) || self.tally.received.contains(uid) {
            return;
        }
        if let Some(weights) = &mut self.survey.weights {
            weights.note(uid, size.unwrap_or(0));
        }
        if self.freeze.covers(uid) {
            self.survey.wanted.insert(uid);
            self.survey.bytes_wanted += size.unwrap_or(0);
        } else {
            self.survey.beyond.push((uid, size.unwrap_or(0)));
        }
    }

    /// The inventory is over. What EXAMINE counted is this run's, whatever UIDNEXT says: how many messages
    /// it had to be corrected by.
    pub fn count_against_uidnext(&mut self) -> usize {
        let mut beyond = std::mem::take(&mut self.survey.beyond);
        let named = self.survey.inventory.named().len();
        let below = named.saturating_sub(beyond.len() as u64);
        let Ok(missing) = usize::try_from(self.work.count.saturating_sub(below)) else {
            return 0;
        };
        beyond.sort_unstable();
        beyond.truncate(missing);
        for (uid, size) in &beyond {
            self.survey.wanted.insert(*uid);
            self.survey.bytes_wanted += size;
        }
        beyond.len()
    }

    /// What is here under this UID may be a different message: it is to be fetched and compared.
    pub fn doubt(&mut self, uid: u32, bytes: u64) {
        self.held.bytes = self.held.bytes.saturating_sub(bytes);
        self.held.doubtful.insert(uid);
        self.held.present.remove(uid);
        self.survey.wanted.insert(uid);
    }

    /// True when a fetched message must be compared with what is here.
    #[must_use]
    pub fn is_doubtful(&self, uid: u32) -> bool {
        self.held.doubtful.contains(&uid)
    }

    /// A sidecar was rewritten because flags changed.
    pub fn flags_changed(&mut self) {
        self.tally.flags_changed += 1;
    }

    /// Messages in the archive that a whole inventory does not name; none where EXPUNGE came in between.
    #[must_use]
    pub fn unnamed(&self) -> Vec<u32> {
        if self.survey.shifted {
            return Vec::new();
        }
        let mut unnamed = self.held.present.clone();
        unnamed.remove_all(self.survey.inventory.named());
        unnamed.iter().collect()
    }

    /// A message of this size was moved aside because the server no longer has it.
    pub fn vanished(&mut self, uid: u32, bytes: u64) {
        self.held.present.remove(uid);
        self.held.bytes = self.held.bytes.saturating_sub(bytes);
        self.tally.vanished += 1;
    }

    /// The inventory was all that was wanted.
    pub fn only_looked(&mut self, whole: bool) {
        self.phase = if whole {
            JobPhase::Done
        } else {
            JobPhase::Failed
        };
    }
}
