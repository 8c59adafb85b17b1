//! A job on one connection: commands sent and answered, what EXAMINE says, and where it goes from there.

use super::{Chunk, Freeze, Job, Phase, Survey};

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

    /// True while its answers are not to be believed.
    #[must_use]
    pub fn is_distrusted(&self) -> bool {
        self.work.distrusted
    }

    /// Messages that the mailbox has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.work.count
    }

    /// One message fewer.
    pub fn expunged(&mut self) {
        self.work.count = self.work.count.saturating_sub(1);
    }

    /// EXAMINE says how it stands. False when it is another mailbox than the one that was being read.
    pub fn selected(&mut self, freeze: Freeze, count: u64) -> bool {
        self.work.count = count;
        if self.phase == Phase::Survey {
            self.freeze = freeze.completed_by(&self.freeze, count);
            return true;
        }
        if self.freeze.uidvalidity == freeze.uidvalidity {
            return true;
        }
        self.work.distrusted = true;
        self.work.unsent.clear();
        false
    }

    /// True where what the archive holds is of another UIDVALIDITY than the server's.
    #[must_use]
    pub fn is_of_another_uidvalidity(&self) -> bool {
        self.held.uidvalidity != Some(self.freeze.uidvalidity)
    }

    /// It cannot be read.
    pub fn fail(&mut self, reason: &str) {
        self.phase = Phase::Failed;
        self.work.distrusted = true;
        self.work.unsent.clear();
        self.tell(reason);
    }

    /// When nothing is on its way any more, it is done, or is to be read anew: true then.
    pub fn settle(&mut self) -> bool {
        if self.work.in_flight > 0 || !self.work.unsent.is_empty() {
            return false;
        }
        if self.work.distrusted && self.phase != Phase::Failed {
            self.work.distrusted = false;
            self.survey_again();
            return true;
        }
        if matches!(self.phase, Phase::Direct | Phase::Fetch) {
            self.phase = Phase::Done;
        }
        false
    }

    /// After a lost connection: what was in flight is to be asked again.
    pub fn rewind(&mut self) {
        self.work.in_flight = 0;
        self.work.distrusted = false;
        match self.phase {
            // What has come stays; the inventory tells what has not.
            Phase::Direct => {
                self.absorb_received();
                self.survey_again();
            }
            Phase::Survey => self.survey = Survey::default(),
            Phase::Fetch => self.prepare_fetches(),
            Phase::Unchanged | Phase::Done | Phase::Failed => {}
        }
    }
}
