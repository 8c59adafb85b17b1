//! Whether what the archive holds is this mailbox at all, where UIDVALIDITY or the server is another one.
//!
//! Dates and sizes can rule it out; only the bytes of a sample can confirm it.

use super::{Job, JobPhase, Survey, chunk};

/// Messages of which the bytes are compared.
const SAMPLE: usize = 5;

/// Whether the UIDs in the archive are the server's.
#[derive(Default)]
pub(super) enum UidTrust {
    /// The server's, as UIDVALIDITY says.
    #[default]
    Said,
    /// Not known yet.
    Trial(Trial),
    /// The server's, as the messages themselves say, whatever UIDVALIDITY is.
    Kept,
}

/// What was found out so far.
#[derive(Default)]
pub(super) struct Trial {
    /// Messages with the same date and size on both sides.
    alike: Vec<u32>,
    /// There is one with another date or size.
    unlike: bool,
    /// Bytes that are the same, and others.
    same: usize,
    other: usize,
}

/// What a trial comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    /// It is the same mailbox.
    Same,
    /// It is another one.
    Other,
    /// The server gives nothing to compare.
    Unknown,
}

impl Job {
    /// True where what the archive has may be another mailbox's, by its UIDVALIDITY or its server.
    #[must_use]
    pub fn must_be_tried(&self) -> bool {
        let doubtful = self.is_foreign() || self.is_of_another_uidvalidity();
        matches!(self.identity, UidTrust::Said)
            && self.phase == JobPhase::Survey
            && doubtful
            && !self.held.present.is_empty()
    }

    /// Its archive was made from another server, port or login.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.held.origin.is_some()
    }

    /// The server, port and login that the archive was made from, where they are others.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.held.origin.as_deref()
    }

    /// The trial begins.
    pub fn begin_trial(&mut self) {
        self.identity = UidTrust::Trial(Trial::default());
    }

    /// True while it goes on.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        matches!(self.identity, UidTrust::Trial(_))
    }

    /// True when the archive's UIDVALIDITY stands, whatever the server says.
    #[must_use]
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.identity, UidTrust::Kept)
    }

    /// A message that both sides have under this UID has the same date and size, or has not.
    pub fn compared(&mut self, uid: u32, alike: bool) {
        if let UidTrust::Trial(trial) = &mut self.identity {
            if alike {
                trial.alike.push(uid);
            } else {
                trial.unlike = true;
            }
        }
    }

    /// The inventory is over: asks for the bytes of a sample. False when nothing speaks for the same mailbox.
    pub fn ask_for_sample(&mut self) -> bool {
        let UidTrust::Trial(trial) = &self.identity else {
            return false;
        };
        if trial.unlike || trial.alike.is_empty() {
            return false;
        }
        let step = trial.alike.len().div_ceil(SAMPLE);
        let sample = trial.alike.iter().copied().step_by(step);
        self.survey.wanted = sample.collect();
        self.phase = JobPhase::Fetch;
        self.work.unsent = chunk::deal(
            self.survey.wanted.iter(),
            chunk::MOST,
            self.survey.weights.as_ref(),
        );
        true
    }

    /// The bytes of a message of the sample have come.
    pub fn tried(&mut self, uid: u32, same: bool) {
        self.survey.wanted.remove(uid);
        if let UidTrust::Trial(trial) = &mut self.identity {
            if same {
                trial.same += 1;
            } else {
                trial.other += 1;
            }
        }
    }

    /// What the sample says.
    #[must_use]
    pub fn outcome(&self) -> TrialOutcome {
        match &self.identity {
            UidTrust::Trial(trial) if trial.other > 0 => TrialOutcome::Other,
            UidTrust::Trial(trial) if trial.same == 0 => TrialOutcome::Unknown,
            _ => TrialOutcome::Same,
        }
    }

    /// It is the same mailbox: it keeps the UIDVALIDITY under which it is archived.
    pub fn keep(&mut self) {
        self.held.uidvalidity_moves |= self.is_of_another_uidvalidity();
        self.identity = UidTrust::Kept;
        self.held.origin = None;
        self.freeze.uidvalidity = self.held.uidvalidity.unwrap_or(self.freeze.uidvalidity);
        self.take_inventory_anew();
    }

    /// True when UIDVALIDITY is found to move, and the archive's record does not say so yet.
    #[must_use]
    pub fn is_news_that_uidvalidity_moves(&self) -> bool {
        self.held.uidvalidity_moves && !self.held.moved_before
    }

    /// STATUS and EXAMINE were two openings: where they differ in UIDVALIDITY, it is not to be relied on.
    pub(super) fn compare_with_status(&mut self, examined: u32) {
        let Some(by_status) = self.uidvalidity_by_status().filter(|_| examined != 0) else {
            return;
        };
        if by_status != examined {
            self.held.uidvalidity_moves = true;
        } else if self
            .held
            .uidvalidity
            .is_none_or(|archived| archived == examined)
        {
            self.held.uidvalidity_moves = false;
        }
    }

    /// It is another mailbox: what the archive has of it is of no use to it.
    pub fn is_another(&mut self) {
        self.identity = UidTrust::Said;
        self.held.origin = None;
        self.begins_anew();
        self.take_inventory_anew();
    }

    fn take_inventory_anew(&mut self) {
        self.work.unsent.clear();
        self.survey = Survey::default();
        self.phase = JobPhase::Survey;
    }

    /// A new connection restarts the trial, unless the mailbox was given up in it.
    pub(super) fn rewind_trial(&mut self) {
        if self.is_on_trial() && self.phase.is_open() {
            self.identity = UidTrust::Said;
            self.take_inventory_anew();
        }
    }
}
