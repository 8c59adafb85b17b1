//! What went wrong: messages, warnings, accounts.

use std::collections::BTreeMap;

use super::Block;
use crate::plural::counted;
use crate::report::{Cause, Report};

/// Messages that could not be brought over.
pub fn messages(report: &Report) -> Vec<Block> {
    let failures = report.accounts.iter().flat_map(|a| &a.failures);
    let lines: Vec<String> = failures
        .map(|failed| {
            let size = failed
                .size
                .map_or_else(String::new, |size| format!(", {}", counted(size, "byte")));
            let uid = failed
                .uid
                .map_or_else(String::new, |uid| format!("  uid {uid}"));
            format!(
                "{}  {}{uid}{size}: {}",
                failed.account, failed.mailbox, failed.server
            )
        })
        .collect();
    let heading = "Messages that could not be brought over (also in failed.jsonl of each account):";
    under(heading, lines)
}

/// What a reader should know of the run, its accounts and their mailboxes.
pub fn warnings(report: &Report) -> Vec<Block> {
    let mut notes = report.warnings.clone();
    for account in &report.accounts {
        let of_account = |text: &String| format!("{}: {text}", account.account);
        notes.extend(account.warnings.iter().map(of_account));
        for mailbox in &account.mailboxes {
            if let Some(note) = &mailbox.note {
                notes.push(format!("{}: {}: {note}", account.account, mailbox.mailbox));
            }
        }
    }
    under("Warnings:", notes)
}

/// What ended accounts, grouped by cause, and what went wrong beside them.
pub fn errors(report: &Report) -> Vec<Block> {
    let mut by_cause: BTreeMap<Cause, Vec<String>> = BTreeMap::new();
    for account in &report.accounts {
        if let Some(error) = &account.error {
            let cause = account.cause.unwrap_or(Cause::Other);
            let line = format!("FAILED  {}: {error}", account.account);
            by_cause.entry(cause).or_default().push(line);
        }
    }
    let mut blocks = Vec::new();
    for (cause, lines) in by_cause {
        let accounts = counted(lines.len() as u64, "account");
        let heading = format!("{}: {accounts}", cause.heading());
        blocks.extend(under(&heading, lines));
    }
    blocks.extend(report.errors.iter().cloned().map(Block::Failed));
    blocks
}

fn under(heading: &str, lines: Vec<String>) -> Vec<Block> {
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Block::Heading(heading.to_owned()), Block::lines(lines)]
}
