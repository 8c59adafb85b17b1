//! What a panel was asked to create.

use super::Block;
use crate::plural::{counted, verb};
use crate::report::{ProvisionReport, ProvisionState, Provisioned, table::Table};

/// Every account with what became of it.
pub fn all(report: &ProvisionReport) -> Vec<Block> {
    let panel = format!("{} at {}", report.panel, report.url);
    let mut table = Table::new(&["account", "mailbox", "quota", "note"]);
    for one in &report.mailboxes {
        table.row(&[
            one.account.clone(),
            one.state.as_str().to_owned(),
            one.quota_mb.map_or("-".to_owned(), quota),
            // Why one failed stands below the table.
            one.note
                .clone()
                .filter(|_| one.state != ProvisionState::Failed)
                .unwrap_or_default(),
        ]);
    }
    vec![Block::Text(vec![panel, String::new()]), Block::Table(table)]
}

/// What was created, the first ones by name.
pub fn created(report: &ProvisionReport) -> Vec<Block> {
    let is_created = |state| state == ProvisionState::Created;
    let created: Vec<_> = report
        .mailboxes
        .iter()
        .filter(|one| is_created(one.state))
        .collect();
    if created.is_empty() {
        return Vec::new();
    }
    let (panel, url, count) = (&report.panel, &report.url, created.len());
    let heading = format!("Mailboxes created on the panel ({panel} at {url}): {count}");
    let line = |one: &Provisioned| {
        let quota = quota(one.quota_mb.unwrap_or(0));
        format!("{}, quota {quota}", one.account)
    };
    vec![
        Block::Heading(heading),
        Block::lines(created.into_iter().map(line).collect()),
    ]
}

/// The last line of a run that ended with the panel.
pub fn last_line(report: &ProvisionReport) -> String {
    let state = |state| report.count(state);
    let exist = state(ProvisionState::Exists);
    let exist = format!(
        "{} {}",
        counted(exist, "mailbox"),
        verb(exist, "exists", "exist")
    );
    if report.has_failed() {
        let failed = state(ProvisionState::Failed);
        return format!(
            "import NOT begun: on the panel {exist}, {} created, {failed} failed; put that right, \
             or leave out what fails with --ignore-errors",
            state(ProvisionState::Created),
        );
    }
    format!(
        "dry run on the panel complete: {exist}, {} would be created; nothing was changed",
        state(ProvisionState::WouldCreate)
    )
}

fn quota(megabytes: u32) -> String {
    match megabytes {
        0 => "unlimited".to_owned(),
        megabytes => format!("{megabytes} MB"),
    }
}
