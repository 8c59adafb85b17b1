//! The accounts of a report as a table for other programs: one row each, columns that stay.

use std::io::Write;

use anyhow::{Context, Result};

use super::{AccountReport, Report};

/// The columns. Further ones are added at the end only.
const COLUMNS: [&str; 22] = [
    "account",
    "status",
    "error",
    "mode",
    "started",
    "seconds",
    "mailboxes",
    "new",
    "unchanged",
    "flags_changed",
    "vanished",
    "failed",
    "bytes",
    "in_archive",
    "on_target",
    "missing",
    "doubled",
    "extra",
    "read_back",
    "identical",
    "errors_found",
    "warnings_found",
];

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, to: impl Write) -> Result<()> {
    let mut rows = csv::Writer::from_writer(to);
    rows.write_record(COLUMNS).context("write CSV")?;
    for account in &report.accounts {
        rows.write_record(row(report, account))
            .context("write CSV")?;
    }
    rows.flush().context("write CSV")
}

fn row(report: &Report, account: &AccountReport) -> [String; 22] {
    let counts = &account.counts;
    // What was not compared stays empty: zero would be a statement.
    let compared = |value: fn(&super::Compared) -> u64| {
        account
            .compared
            .as_ref()
            .map_or_else(String::new, |compared| value(compared).to_string())
    };
    let found = crate::finding::Tally::of(&account.findings);
    [
        harmless(&account.account),
        status(account),
        harmless(account.error.as_deref().unwrap_or_default()),
        report.mode.as_str().to_owned(),
        report.started.clone(),
        format!("{:.1}", account.seconds),
        counts.mailboxes.to_string(),
        counts.new.to_string(),
        counts.unchanged.to_string(),
        counts.flags_changed.to_string(),
        counts.vanished.to_string(),
        counts.failed.to_string(),
        counts.bytes.to_string(),
        compared(|c| c.archive),
        compared(|c| c.target),
        compared(|c| c.missing),
        compared(|c| c.doubled),
        compared(|c| c.extra),
        compared(|c| c.read_back),
        compared(|c| c.identical),
        found.errors.to_string(),
        found.warnings.to_string(),
    ]
}

fn status(account: &AccountReport) -> String {
    account.status.as_str().to_lowercase().replace(' ', "_")
}

/// A spreadsheet takes a text that begins like this for a formula, and what servers say comes in here.
fn harmless(text: &str) -> String {
    let text = crate::printable::printable(text);
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::report::Status;

    #[test]
    fn every_account_is_a_row_and_no_text_a_formula() {
        let failed = AccountReport {
            status: Status::Failed,
            error: Some("=HYPERLINK(\"x\"),\r\nsaid".to_owned()),
            ..AccountReport::new("a,b@example.com")
        };
        let report = Report::for_tests(
            Mode::Export,
            vec![failed, AccountReport::new("-c@example.com")],
        );
        let mut bytes = Vec::new();
        write(&report, &mut bytes).expect("written");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert!(
            lines[1].starts_with(
                "\"a,b@example.com\",failed,\"'=HYPERLINK(\"\"x\"\"),\u{fffd}\u{fffd}said\",export,"
            ),
            "{text}"
        );
        assert!(
            lines[2].starts_with("'-c@example.com,not_started,,export,"),
            "{text}"
        );
        assert_eq!(lines.len(), 3);
    }
}
