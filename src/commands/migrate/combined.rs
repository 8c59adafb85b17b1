//! Combines the reports on an account's phases into one.

use crate::mode::Phase;
use crate::report::{AccountReport, MailboxReport, PhaseReport, Status};

/// The report on an account so far.
pub struct CombinedReport {
    /// The report.
    pub report: AccountReport,
}

impl CombinedReport {
    /// Of an account that is begun now.
    pub fn new(account: &str) -> Self {
        let mut report = AccountReport::new(account);
        report.status = Status::Complete;
        Self { report }
    }

    /// Takes in how a phase ended; true when the next one can begin.
    pub fn add(&mut self, phase: Phase, part: AccountReport) -> bool {
        let whole = &mut self.report;
        whole.phases.push(PhaseReport {
            phase,
            status: part.status,
            seconds: part.seconds,
            counts: part.counts,
        });
        whole.seconds += part.seconds;
        whole.reconnects += part.reconnects;
        whole.waiting_seconds += part.waiting_seconds;
        if whole.cause.is_none() {
            (whole.cause, whole.login_with) = (part.cause, part.login_with);
        }
        whole.proof = part.proof.or(whole.proof.take());
        whole.status = worse(whole.status, part.status);
        if let Some(error) = part.error {
            whole.error = Some(format!("{}: {error}", phase.as_str()));
        }
        match phase {
            Phase::Export => {
                whole.counts = part.counts;
                whole.identity = part.identity;
                whole.login = part.login;
            }
            Phase::Import => {
                whole.counts.failed += part.counts.failed;
                whole.target_identity = part.identity;
            }
            Phase::Validate => whole.target_identity = part.identity,
            Phase::Audit => {}
        }
        for mailbox in part.mailboxes {
            take_in(&mut whole.mailboxes, mailbox, phase);
        }
        whole.parked_until = part.parked_until.or(whole.parked_until.take());
        whole.parked_for = part.parked_for.or(whole.parked_for);
        whole.failures.extend(part.failures);
        for warning in part.warnings {
            if !whole.warnings.contains(&warning) {
                whole.warnings.push(warning);
            }
        }
        whole.findings.extend(part.findings);
        whole.audit = part.audit.or(whole.audit);
        whole.compared = part.compared.or(whole.compared);
        whole.compared_before = part.compared_before.or(whole.compared_before);
        !matches!(
            part.status,
            Status::Failed | Status::Stopped | Status::NotStarted | Status::Parked
        )
    }

    /// True when the export could not have all of it, and what it has is not to be imported alone.
    pub fn lacks_something(&self, is_allowed: bool) -> bool {
        self.report.status == Status::Incomplete && !is_allowed
    }
}

/// The status of an account whose phases ended in these two ways.
fn worse(one: Status, other: Status) -> Status {
    let order = [
        Status::Failed,
        Status::Stopped,
        Status::NotStarted,
        Status::Parked,
        Status::Incomplete,
        Status::Findings,
        Status::Complete,
    ];
    let mut order = order.into_iter();
    order
        .find(|status| *status == one || *status == other)
        .unwrap_or(one)
}

/// A mailbox is one row, whatever each phase says about it.
fn take_in(mailboxes: &mut Vec<MailboxReport>, part: MailboxReport, phase: Phase) {
    let same = mailboxes
        .iter_mut()
        .find(|mailbox| mailbox.directory == part.directory);
    let Some(mailbox) = same.filter(|_| !part.directory.is_empty()) else {
        mailboxes.push(part);
        return;
    };
    if phase == Phase::Import {
        mailbox.counts.failed += part.counts.failed;
    }
    mailbox.target = part.target.or(mailbox.target.take());
    mailbox.why = part.why.or(mailbox.why.take());
    mailbox.compared = part.compared.or(mailbox.compared);
    mailbox.note = match (mailbox.note.take(), part.note) {
        (Some(first), Some(second)) if first != second => Some(format!("{first}; {second}")),
        (first, second) => first.or(second),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Counts;
    use crate::report::cause::Cause;

    fn part(status: Status, counts: Counts) -> AccountReport {
        AccountReport {
            status,
            counts,
            seconds: 1.0,
            ..AccountReport::new("a")
        }
    }

    #[test]
    fn what_went_wrong_in_one_phase_is_not_made_good_by_the_next() {
        let mut whole = CombinedReport::new("a");
        let counts = Counts {
            mailboxes: 2,
            new: 5,
            failed: 1,
            ..Counts::default()
        };
        assert!(whole.add(Phase::Export, part(Status::Incomplete, counts)));
        assert!(whole.lacks_something(false) && !whole.lacks_something(true));
        let counts = Counts {
            mailboxes: 2,
            new: 5,
            failed: 2,
            ..Counts::default()
        };
        assert!(whole.add(Phase::Import, part(Status::Incomplete, counts)));
        assert!(whole.add(Phase::Validate, part(Status::Complete, Counts::default())));
        let report = &whole.report;
        assert_eq!(report.status, Status::Incomplete);
        assert_eq!((report.counts.new, report.counts.failed), (5, 3));
        assert_eq!(report.phases.len(), 3);
    }

    #[test]
    fn a_phase_that_fails_is_the_last_one_and_says_which_it_was() {
        let mut whole = CombinedReport::new("a");
        let mut failed = part(Status::Failed, Counts::default());
        failed.error = Some("quota".to_owned());
        failed.cause = Some(Cause::Quota);
        failed.reconnects = 3;
        assert!(!whole.add(Phase::Import, failed));
        assert_eq!(whole.report.error.as_deref(), Some("import: quota"));
        assert_eq!(
            (whole.report.cause, whole.report.reconnects),
            (Some(Cause::Quota), 3)
        );
    }
}
