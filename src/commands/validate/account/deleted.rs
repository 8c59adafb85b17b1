//! Messages that arrived and were deleted on the target since: a note each, but for so many that nobody may have meant it.

use super::Comparing;
use crate::finding::{Code, Finding};
use crate::mailbox::loss::{is_emptied_often, is_most};
use crate::target::mailbox::Job;

/// Fewer messages than this are deleted by a user one evening.
const FEW: u64 = 10;

impl Comparing<'_> {
    /// Says of which mailboxes, or else of the account as a whole, most of what was imported is gone.
    pub(super) fn most_deleted(&mut self) {
        let jobs = self.jobs;
        let (mut gone, mut had, mut is_told) = (0, 0, false);
        let kept = |job: &Job| !is_emptied_often(&job.here().attributes);
        for (id, job) in jobs.numbered().filter(|(_, job)| kept(job)) {
            let counts = self.compared.get(&id);
            let (deleted, all) = counts.map_or((0, 0), |counts| (counts.deleted, counts.archive));
            gone += deleted;
            had += all;
            if is_too_much(deleted, all) {
                is_told = true;
                self.add(Code::MostDeleted, job, told(deleted, all));
            }
        }
        if !is_told && is_too_much(gone, had) {
            let finding = Finding::new(Code::MostDeleted, self.account, told(gone, had));
            self.looked.findings.push(finding);
        }
    }
}

fn is_too_much(gone: u64, had: u64) -> bool {
    is_most(gone, had) || gone >= FEW && gone * 10 >= had * 9
}

fn told(gone: u64, had: u64) -> String {
    format!(
        "{gone} of {had} messages were deleted on the target after their import: if no user meant that, --resync-missing brings them back"
    )
}
