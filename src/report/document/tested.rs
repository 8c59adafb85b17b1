//! How connections were made, and whether a target can take an archive.

use indicatif::HumanBytes;

use super::Block;
use crate::report::{AccountReport, Report, Status, Tested, table::Table};
use crate::session::steps::Step;

/// The environment, a line per account, and for servers that archives are to go to, what speaks against that.
pub fn of(report: &Report) -> Vec<Block> {
    let mut environment = report.environment.clone();
    environment.push(String::new());
    let mut blocks = vec![Block::Text(environment)];
    let connections = connections(report);
    if !connections.rows().is_empty() {
        blocks.push(Block::Table(connections));
    }
    if report.accounts.iter().any(|a| a.preflight.is_some()) {
        let table = preflight(report);
        if !table.rows().is_empty() {
            blocks.push(Block::Heading("To be imported:".to_owned()));
            blocks.push(Block::Table(table));
        }
    }
    blocks
}

fn connections(report: &Report) -> Table {
    let steps = [
        Step::Resolve,
        Step::Connect,
        Step::Tls,
        Step::Greeting,
        Step::Login,
        Step::List,
        Step::Inbox,
    ];
    let mut header = vec!["account"];
    header.extend(steps.map(Step::as_str));
    header.extend(["by", "mailboxes", "quota", "status"]);
    let mut table = Table::new(&header);
    for account in super::tables::listed(report) {
        let tested = account.tested.clone().unwrap_or_default();
        let mut row = vec![super::tables::named(report, account)];
        row.extend(steps.map(|step| {
            let time = tested.time(step).map(|time| format!("{time} ms"));
            let failed = tested.failed_step == Some(step);
            time.unwrap_or_else(|| if failed { "FAILED" } else { "-" }.to_owned())
        }));
        row.push(proof(&tested, &account.account));
        row.push(account.counts.mailboxes.to_string());
        row.push(match (tested.quota_used_kib, tested.quota_limit_kib) {
            (Some(used), Some(limit)) => format!(
                "{} of {}",
                HumanBytes(used.saturating_mul(1024)),
                HumanBytes(limit.saturating_mul(1024))
            ),
            _ => "-".to_owned(),
        });
        row.push(account.status.as_str().to_owned());
        table.row(&row);
    }
    table
}

/// How a login was proved: mechanism, where a token is from and how long it lasts, and who logs in for somebody else.
fn proof(tested: &Tested, account: &str) -> String {
    let mut parts = Vec::new();
    parts.extend(tested.mechanism.clone());
    parts.extend(tested.proof.clone().filter(|proof| proof != "password"));
    let minutes = tested.token_seconds.map(|seconds| seconds / 60);
    parts.extend(minutes.map(|minutes| format!("{minutes} min left")));
    let mut text = parts.join(", ");
    if text.is_empty() {
        "-".clone_into(&mut text);
    }
    match &tested.user {
        Some(user) if user != account => format!("{text} as {user}"),
        _ => text,
    }
}

fn preflight(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "messages",
        "bytes",
        "quota left",
        "largest",
        "server takes",
        "new mailboxes",
        "renamed",
        "keywords",
    ]);
    let bytes = |value: Option<u64>| {
        value.map_or_else(|| "-".to_owned(), |value| HumanBytes(value).to_string())
    };
    let stands_out = |account: &AccountReport| {
        account.status != Status::Complete || !account.warnings.is_empty()
    };
    for account in super::tables::some(report, stands_out) {
        let Some(found) = &account.preflight else {
            continue;
        };
        table.row(&[
            account.account.clone(),
            found.messages.to_string(),
            bytes(found.bytes),
            bytes(found.quota_free),
            bytes(found.largest),
            bytes(found.append_limit),
            found.new_mailboxes.to_string(),
            found.renamed.to_string(),
            match found.keywords {
                Some(true) => "kept",
                Some(false) => "LOST",
                None => "-",
            }
            .to_owned(),
        ]);
    }
    table
}
