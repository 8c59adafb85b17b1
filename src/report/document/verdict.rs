//! How it went, in one sentence.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};

use super::{Block, is_gone_through, provisioned};
use crate::finding::Tally;
use crate::mode::Mode;
use crate::plural::counted;
use crate::report::{Cause, LoginWith, Report, Status};

/// What was found, in numbers, and the last line.
pub fn of(report: &Report) -> Vec<Block> {
    if let Some(panel) = report
        .provisioned
        .as_ref()
        .filter(|_| report.ended_with_panel)
    {
        return vec![Block::Verdict(provisioned::last_line(panel))];
    }
    let mode = what(report);
    if let Some(error) = &report.error {
        return vec![Block::Verdict(format!("{mode} NOT begun: {error}"))];
    }
    if report.precheck_failed {
        let failed = report.accounts.iter().filter(|a| a.error.is_some()).count();
        let total = counted(report.accounts.len() as u64, "account");
        return vec![Block::Verdict(format!(
            "{mode} NOT begun: the connectivity test failed for {failed} of {total}: {}, or leave out what fails with --ignore-errors",
            advice(report).unwrap_or_else(|| "see above why".to_owned())
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

/// What was asked for, in words.
fn what(report: &Report) -> String {
    let mut what = report.mode.as_str().to_owned();
    if let Some(phase) = report.until {
        what = format!("{what} --until {}", phase.as_str());
    }
    if report.dry_run {
        what += " (dry run)";
    }
    what
}

fn sentence(report: &Report, mode: &str) -> String {
    let total = report.accounts.len();
    let is_complete = |status| status == Status::Complete;
    let statuses = || report.accounts.iter().map(|account| account.status);
    let complete = statuses().filter(|&status| is_complete(status)).count();
    let accounts = counted(total as u64, "account");
    if complete == total {
        return match report.errors.as_slice() {
            [] => format!("{mode} complete: {accounts}"),
            [error] => format!("{mode} NOT complete: {accounts} complete, but {error}"),
            [error, rest @ ..] => format!(
                "{mode} NOT complete: {accounts} complete, but {error} (and {} more, see above)",
                rest.len()
            ),
        };
    }
    let parked: Vec<&str> = report
        .accounts
        .iter()
        .filter_map(|account| account.parked_until.as_deref())
        .collect();
    if complete + parked.len() == total
        && report.errors.is_empty()
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
    let file = report.file.as_deref();
    let again = match (advice(report), file) {
        (None, _) => "run it again to go on where it stopped".to_owned(),
        (Some(advice), Some(file)) if total > 1 => {
            format!("{advice}, then run it again with --only-failed {file}")
        }
        (Some(advice), _) => format!("{advice}, then run it again"),
    };
    let not_begun = statuses().filter(|status| *status == Status::NotStarted);
    let not_begun = match not_begun.count() {
        0 => String::new(),
        count => format!(", {count} NOT begun"),
    };
    format!("{mode} NOT complete: {complete} of {accounts} complete{not_begun}; {again}")
}

/// What to do, the most frequent causes first; nothing where the run only ended early.
fn advice(report: &Report) -> Option<String> {
    /// Nobody reads more than this in a line.
    const MOST: usize = 3;
    let mut by_cause: BTreeMap<(Cause, LoginWith), u64> = BTreeMap::new();
    for account in &report.accounts {
        if let Some(cause) = account.cause {
            let of_login = (cause == Cause::Auth).then_some(account.login_with);
            *by_cause
                .entry((cause, of_login.unwrap_or_default()))
                .or_default() += 1;
        }
    }
    let mut causes: Vec<((Cause, LoginWith), u64)> = by_cause.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let advice: Vec<String> = causes
        .into_iter()
        .filter_map(|((cause, with), count)| cause.advice(&counted(count, "account"), with))
        .take(MOST)
        .collect();
    (!advice.is_empty()).then(|| advice.join("; "))
}

/// How much was moved, and how fast.
pub fn sums(report: &Report) -> Option<Block> {
    let moves = matches!(report.mode, Mode::Export | Mode::Import | Mode::Migrate);
    let counts = &report.totals;
    if !moves || report.dry_run || report.ended_with_panel || counts.new == 0 {
        return None;
    }
    let messages = counted(counts.new, "message");
    let bytes = HumanBytes(counts.bytes);
    let elapsed = Duration::from_secs_f64(report.seconds.max(0.0));
    let mut text = format!("{messages}, {bytes} in {}", HumanDuration(elapsed));
    let whole = elapsed.as_secs();
    if let Some(rate @ 1..) = counts.bytes.checked_div(whole) {
        text = format!("{text} ({}/s)", HumanBytes(rate));
    }
    Some(Block::Text(vec![String::new(), text]))
}
