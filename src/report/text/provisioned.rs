//! What a panel was asked to create.

use std::fmt;

use super::{SHOWN, write_rest};
use crate::report::{ProvisionReport, ProvisionState, table};

/// Every account with what became of it.
pub fn write_all(f: &mut fmt::Formatter<'_>, report: &ProvisionReport) -> fmt::Result {
    writeln!(f, "{} at {}\n", report.panel, report.url)?;
    let mut table = table::Table::new(&["account", "mailbox", "quota", "note"]);
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
    write!(f, "{table}")
}

/// What was created, the first ones by name.
pub fn write_created(f: &mut fmt::Formatter<'_>, report: &ProvisionReport) -> fmt::Result {
    let is_created = |state| state == ProvisionState::Created;
    let created: Vec<_> = report
        .mailboxes
        .iter()
        .filter(|one| is_created(one.state))
        .collect();
    if created.is_empty() {
        return Ok(());
    }
    let (panel, url, count) = (report.panel, &report.url, created.len());
    writeln!(
        f,
        "\nMailboxes created on the panel ({panel} at {url}): {count}"
    )?;
    for one in created.iter().take(SHOWN) {
        let quota = quota(one.quota_mb.unwrap_or(0));
        writeln!(f, "  {}, quota {quota}", table::printable(&one.account))?;
    }
    write_rest(f, created.len())
}

/// The last line of a run that ended with the panel.
pub fn last_line(report: &ProvisionReport) -> String {
    let state = |state| report.count(state);
    let exist = state(ProvisionState::Exists);
    if report.has_failed() {
        let failed = state(ProvisionState::Failed);
        return format!(
            "import NOT begun: on the panel {exist} mailboxes exist, {} were created, {failed} failed; mend that, \
             or leave out what fails with --ignore-errors",
            state(ProvisionState::Created),
        );
    }
    format!(
        "dry run on the panel complete: {exist} mailboxes exist, {} would be created; nothing was changed",
        state(ProvisionState::WouldCreate)
    )
}

fn quota(megabytes: u32) -> String {
    match megabytes {
        0 => "unlimited".to_owned(),
        megabytes => format!("{megabytes} MB"),
    }
}
