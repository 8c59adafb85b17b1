//! One report for an account that was parked and resumed in the same run: what all attempts did together, and how the
//! last one ended. Knows reports only.

use crate::report::{AccountReport, Counts, MailboxReport, PhaseReport};

/// The report of an attempt that followed others.
pub fn joined(before: &AccountReport, mut now: AccountReport) -> AccountReport {
    now.counts = counts(before.counts, now.counts);
    now.seconds += before.seconds;
    now.reconnects += before.reconnects;
    now.waiting_seconds += before.waiting_seconds;
    now.target_identity = now.target_identity.or(before.target_identity.clone());
    now.mailboxes = mailboxes(&before.mailboxes, now.mailboxes);
    now.phases = phases(&before.phases, now.phases);
    now
}

/// What the first attempt brought, the next one found.
fn counts(before: Counts, now: Counts) -> Counts {
    Counts {
        mailboxes: now.mailboxes.max(before.mailboxes),
        new: before.new + now.new,
        unchanged: now.unchanged.saturating_sub(before.new),
        flags_changed: before.flags_changed + now.flags_changed,
        vanished: before.vanished + now.vanished,
        failed: now.failed,
        bytes: before.bytes + now.bytes,
    }
}

/// Mailboxes that the last attempt did not reach stay as they were.
fn mailboxes(before: &[MailboxReport], mut now: Vec<MailboxReport>) -> Vec<MailboxReport> {
    for mailbox in before {
        let mut known = now.iter_mut();
        match known.find(|known| known.mailbox == mailbox.mailbox) {
            Some(known) => known.counts = counts(mailbox.counts, known.counts),
            None => now.push(mailbox.clone()),
        }
    }
    now
}

/// Each phase once, in their order.
fn phases(before: &[PhaseReport], mut now: Vec<PhaseReport>) -> Vec<PhaseReport> {
    for phase in before {
        let mut known = now.iter_mut();
        match known.find(|known| known.phase == phase.phase) {
            Some(known) => {
                known.counts = counts(phase.counts, known.counts);
                known.seconds += phase.seconds;
            }
            None => now.push(*phase),
        }
    }
    now.sort_by_key(|phase| phase.phase);
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Phase;
    use crate::report::Status;

    fn attempt(status: Status, new: u64, unchanged: u64) -> AccountReport {
        let counts = Counts {
            mailboxes: 1,
            new,
            unchanged,
            bytes: new * 10,
            ..Counts::default()
        };
        let phase = PhaseReport {
            phase: Phase::Export,
            status,
            seconds: 2.0,
            counts,
        };
        AccountReport {
            status,
            counts,
            seconds: 2.0,
            phases: vec![phase],
            ..AccountReport::new("a")
        }
    }

    #[test]
    fn what_attempts_brought_adds_up_and_the_last_one_says_how_it_ended() {
        let first = attempt(Status::Parked, 4, 1);
        let second = joined(&first, attempt(Status::Parked, 3, 5));
        let third = joined(&second, attempt(Status::Complete, 2, 8));
        assert_eq!(third.status, Status::Complete);
        let counts = third.counts;
        assert_eq!(
            (counts.new, counts.unchanged, counts.bytes, counts.mailboxes),
            (9, 1, 90, 1)
        );
        assert!((third.seconds - 6.0).abs() < 0.001);
        assert_eq!(third.phases.len(), 1);
        assert_eq!(third.phases[0].counts.new, 9);
        assert_eq!(third.phases[0].status, Status::Complete);
    }

    #[test]
    fn a_phase_that_the_last_attempt_left_out_is_told_at_its_place() {
        let first = attempt(Status::Complete, 4, 0);
        let mut last = attempt(Status::Complete, 0, 0);
        last.phases[0].phase = Phase::Validate;
        let phases = joined(&first, last).phases;
        let phases: Vec<Phase> = phases.iter().map(|phase| phase.phase).collect();
        assert_eq!(phases, [Phase::Export, Phase::Validate]);
    }
}
