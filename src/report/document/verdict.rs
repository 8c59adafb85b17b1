//! How it went, in one sentence.

use super::{Block, counted, is_gone_through, provisioned};
use crate::finding::Tally;
use crate::mode::Mode;
use crate::report::{Report, Status};

/// What was found, in numbers, and the last line.
pub fn of(report: &Report) -> Vec<Block> {
    if let Some(panel) = report
        .provisioned
        .as_ref()
        .filter(|_| report.ended_with_panel)
    {
        return vec![Block::Verdict(provisioned::last_line(panel))];
    }
    let mode = if report.dry_run {
        format!("{} (dry run)", report.mode.as_str())
    } else {
        report.mode.as_str().to_owned()
    };
    if report.precheck_failed {
        return vec![Block::Verdict(format!(
            "{mode} NOT begun: the connectivity test failed; mend that, or leave out what fails with --ignore-errors"
        ))];
    }
    let mut blocks = Vec::new();
    let findings: Vec<_> = report.accounts.iter().flat_map(|a| &a.findings).collect();
    if matches!(report.mode, Mode::Audit | Mode::Validate) || !findings.is_empty() {
        let tally = Tally::of(findings.iter().copied());
        blocks.push(Block::Heading(format!(
            "found: {}, {}, {}",
            counted(tally.errors, "error"),
            counted(tally.warnings, "warning"),
            counted(tally.notes, "note")
        )));
    }
    blocks.push(Block::Verdict(sentence(report, &mode)));
    blocks
}

fn sentence(report: &Report, mode: &str) -> String {
    let total = report.accounts.len();
    let is_complete = |status| status == Status::Complete;
    let statuses = || report.accounts.iter().map(|account| account.status);
    let complete = statuses().filter(|&status| is_complete(status)).count();
    let accounts = counted(total as u64, "account");
    if complete == total {
        return format!("{mode} complete: {accounts}");
    }
    let parked: Vec<&str> = report
        .accounts
        .iter()
        .filter_map(|account| account.parked_until.as_deref())
        .collect();
    if complete + parked.len() == total
        && let Some(last) = parked.iter().max()
    {
        let parked = counted(parked.len() as u64, "account");
        return format!(
            "{mode} parked: {complete} of {accounts} complete, {parked} parked; run it again after {last} to go on"
        );
    }
    if statuses().all(is_gone_through) {
        let unclean = total - complete;
        return format!("{mode} done, NOT clean: {unclean} of {accounts} with findings");
    }
    format!(
        "{mode} NOT complete: {complete} of {accounts} complete; run it again to go on where it stopped"
    )
}
