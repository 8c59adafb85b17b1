//! A job on one connection: commands sent and answered, what EXAMINE says, and where it goes from there.

use super::{AskAlone, Chunk, Freeze, Job, JobPhase, Survey};
use crate::session::inventory::Inventory;
use crate::session::select::Selected;

impl Job {
    /// The next FETCH to send.
    pub fn next_chunk(&mut self) -> Option<Chunk> {
        self.work.unsent.pop_front()
    }

    /// True when there is a FETCH to send.
    #[must_use]
    pub fn has_more_to_send(&self) -> bool {
        !self.work.unsent.is_empty()
    }

    /// A command about it was sent.
    pub fn sent(&mut self) {
        self.work.in_flight += 1;
    }

    /// A command about it has ended.
    pub fn answered(&mut self) {
        self.work.in_flight -= 1;
    }

    /// True while its answers are not trusted.
    #[must_use]
    pub fn is_distrusted(&self) -> bool {
        self.work.distrusted || self.work.postponed
    }

    /// It is tried again on another connection; what still comes for it on this one is not trusted.
    pub fn postpone(&mut self) {
        self.work.postponed = true;
        self.work.unsent.clear();
    }

    /// Messages that the mailbox has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.work.count
    }

    /// One message less.
    pub fn expunged(&mut self) {
        self.work.count = self.work.count.saturating_sub(1);
        self.survey.inventory.expunged();
        self.trouble.again.expunged();
        self.survey.shifted = true;
    }

    /// EXAMINE says how it stands. False when it is another mailbox than the one that was being read.
    pub fn selected(&mut self, selected: &Selected) -> bool {
        let freeze = Freeze::from_selected(selected);
        self.work.count = selected.exists;
        self.recount.opened_with = selected.exists;
        self.survey.inventory.opened(selected);
        self.trouble.again.opened(selected);
        self.looked_at = true;
        let begun = matches!(self.phase, JobPhase::Fetch | JobPhase::Recheck);
        if !begun {
            self.compare_with_status(freeze.uidvalidity);
            self.freeze = freeze.completed_by(&self.freeze);
            if self.is_kept() {
                self.freeze.uidvalidity = self.held.uidvalidity.unwrap_or_default();
            }
            return true;
        }
        if self.is_kept() || self.is_on_trial() {
            return true;
        }
        // No UIDVALIDITY means "not said": the one that was said before still holds.
        if freeze.uidvalidity == 0 || self.freeze.uidvalidity == freeze.uidvalidity {
            return true;
        }
        self.work.distrusted = true;
        self.work.unsent.clear();
        false
    }

    /// STATUS says that it is empty, and EXAMINE says the same, or something else: then an inventory is due.
    pub fn looked(&mut self) {
        self.phase = if self.work.count == 0 {
            JobPhase::Done
        } else {
            JobPhase::Survey
        };
    }

    /// Its directory is open under its UIDVALIDITY.
    pub fn opened(&mut self) {
        self.held.uidvalidity = Some(self.freeze.uidvalidity);
    }

    /// True where what the archive holds is of another UIDVALIDITY than the server's.
    #[must_use]
    pub fn is_of_another_uidvalidity(&self) -> bool {
        self.held.uidvalidity != Some(self.freeze.uidvalidity)
    }

    /// It cannot be read.
    pub fn fail(&mut self, reason: &str) {
        self.phase = JobPhase::Failed;
        self.work.distrusted = true;
        self.work.unsent.clear();
        self.refuse_unnamed(reason);
        self.tell(reason);
    }

    /// When nothing is under way, it is done, or something else is to be done: true then.
    pub fn settle(&mut self) -> bool {
        if self.work.in_flight > 0 || !self.work.unsent.is_empty() || self.work.postponed {
            return false;
        }
        if self.work.distrusted && self.phase != JobPhase::Failed {
            self.work.distrusted = false;
            self.absorb_received();
            if self.has_nothing_here() {
                // Whatever its UIDVALIDITY: all of it while it is open once.
                self.phase = JobPhase::Direct;
                self.work.unsent.push_back(Chunk::all());
            } else {
                self.survey_again();
            }
            return true;
        }
        match self.phase {
            JobPhase::Fetch if !self.trouble.unclear.is_empty() => {
                self.phase = JobPhase::Recheck;
                self.trouble.again = Inventory::default();
                true
            }
            JobPhase::Direct | JobPhase::Fetch => {
                self.phase = JobPhase::Done;
                false
            }
            _ => false,
        }
    }

    /// True while a command about it is under way, or one is to be sent.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.work.in_flight > 0 || !self.work.unsent.is_empty()
    }

    /// After a lost connection: what was in flight is to be asked again.
    pub fn rewind(&mut self, suspects: &AskAlone<'_>) {
        self.work.in_flight = 0;
        self.work.distrusted = false;
        self.work.postponed = false;
        self.rewind_trial();
        match self.phase {
            // What has come stays; the inventory tells what has not.
            JobPhase::Direct => {
                self.absorb_received();
                self.survey_again();
            }
            JobPhase::Survey => self.survey = Survey::default(),
            JobPhase::Fetch => self.prepare_fetches(suspects),
            JobPhase::Recheck => self.trouble.again = Inventory::default(),
            JobPhase::Look | JobPhase::Unchanged | JobPhase::Done | JobPhase::Failed => {}
        }
    }
}
