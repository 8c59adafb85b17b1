//! The report for people.

mod findings;
mod proof;
mod provisioned;
mod tested;

use std::fmt;

use indicatif::HumanBytes;

use super::{Counts, FailedMessageReport, Report, SHOWN, Status, table};
use crate::finding::Tally;
use crate::mode::Mode;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(part) = &self.shard {
            writeln!(f, "{part}\n")?;
        }
        match (self.mode, self.dry_run) {
            _ if self.ended_with_panel => {
                if let Some(report) = &self.provisioned {
                    provisioned::write_all(f, report)?;
                }
            }
            _ if self.precheck_failed || self.mode == Mode::Test => tested::write(f, self)?,
            (Mode::Import, true) => self.mapping_table().fmt(f)?,
            (_, true) => self.mailbox_table().fmt(f)?,
            (Mode::Import, false) => self.import_table().fmt(f)?,
            (Mode::Validate, _) => {
                proof::write(f, self)?;
                findings::write(f, &self.accounts)?;
            }
            (Mode::Audit, _) => {}
            (_, false) => self.account_table().fmt(f)?,
        }
        if let Some(report) = self.provisioned.as_ref().filter(|_| !self.ended_with_panel) {
            provisioned::write_created(f, report)?;
        }
        self.write_audit(f)?;
        self.write_failures(f)?;
        self.write_notes(f)?;
        for account in &self.accounts {
            if let Some(error) = &account.error {
                writeln!(f, "\nFAILED  {}: {error}", account.account)?;
            }
        }
        for error in &self.errors {
            writeln!(f, "\nFAILED  {error}")?;
        }
        self.write_last_line(f)
    }
}

impl Report {
    fn account_table(&self) -> table::Table {
        let mut table = table::Table::new(&[
            "account",
            "mailboxes",
            "new",
            "unchanged",
            "flags",
            "vanished",
            "failed",
            "bytes",
            "seconds",
            "status",
        ]);
        for account in &self.accounts {
            let mut row = vec![account.account.clone()];
            row.extend(counts_row(&account.counts));
            row.push(format!("{:.1}", account.seconds));
            row.push(account.status.as_str().to_owned());
            table.row(&row);
        }
        if self.accounts.len() > 1 {
            let mut row = vec!["total".to_owned()];
            row.extend(counts_row(&self.totals));
            row.push(format!("{:.1}", self.seconds));
            row.push(String::new());
            table.row(&row);
        }
        table
    }

    fn import_table(&self) -> table::Table {
        let mut table = table::Table::new(&[
            "account",
            "mailboxes",
            "appended",
            "there already",
            "failed",
            "bytes",
            "seconds",
            "status",
        ]);
        let mut row = |name: &str, counts: &Counts, seconds: f64, status: &str| {
            table.row(&[
                name.to_owned(),
                counts.mailboxes.to_string(),
                counts.new.to_string(),
                counts.unchanged.to_string(),
                counts.failed.to_string(),
                HumanBytes(counts.bytes).to_string(),
                format!("{seconds:.1}"),
                status.to_owned(),
            ]);
        };
        for account in &self.accounts {
            let status = account.status.as_str();
            row(&account.account, &account.counts, account.seconds, status);
        }
        if self.accounts.len() > 1 {
            row("total", &self.totals, self.seconds, "");
        }
        table
    }

    fn mapping_table(&self) -> table::Table {
        let mut table = table::Table::new(&[
            "account",
            "mailbox",
            "goes to",
            "because of",
            "would append",
            "bytes",
            "there already",
        ]);
        for account in &self.accounts {
            for mailbox in &account.mailboxes {
                table.row(&[
                    account.account.clone(),
                    mailbox.mailbox.clone(),
                    mailbox.target.clone().unwrap_or_default(),
                    mailbox.why.clone().unwrap_or_default(),
                    mailbox.counts.new.to_string(),
                    HumanBytes(mailbox.counts.bytes).to_string(),
                    mailbox.counts.unchanged.to_string(),
                ]);
            }
        }
        table
    }

    fn mailbox_table(&self) -> table::Table {
        let mut table = table::Table::new(&[
            "account",
            "mailbox",
            "would fetch",
            "bytes",
            "in archive",
            "would vanish",
        ]);
        for account in &self.accounts {
            for mailbox in &account.mailboxes {
                let counts = &mailbox.counts;
                table.row(&[
                    account.account.clone(),
                    mailbox.mailbox.clone(),
                    counts.new.to_string(),
                    HumanBytes(counts.bytes).to_string(),
                    counts.unchanged.to_string(),
                    counts.vanished.to_string(),
                ]);
            }
        }
        table
    }

    fn write_audit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accounts.iter().all(|account| account.audit.is_none()) && self.mode != Mode::Audit {
            return Ok(());
        }
        if self.mode != Mode::Audit {
            writeln!(f, "\nAudit of the archive:")?;
        }
        write!(f, "{}", self.audit_table())?;
        findings::write(f, &self.accounts)
    }

    fn audit_table(&self) -> table::Table {
        let mut table = table::Table::new(&[
            "account",
            "mailboxes",
            "messages",
            "bytes",
            "errors",
            "warnings",
            "notes",
            "seconds",
            "status",
        ]);
        for account in &self.accounts {
            let mut row = vec![account.account.clone()];
            match &account.audit {
                Some(audit) => row.extend([
                    audit.mailboxes.to_string(),
                    audit.messages.to_string(),
                    HumanBytes(audit.bytes).to_string(),
                    audit.findings.errors.to_string(),
                    audit.findings.warnings.to_string(),
                    audit.findings.notes.to_string(),
                ]),
                None => row.extend(["-"; 6].map(str::to_owned)),
            }
            row.push(format!("{:.1}", account.seconds));
            row.push(account.status.as_str().to_owned());
            table.row(&row);
        }
        table
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures: Vec<&FailedMessageReport> =
            self.accounts.iter().flat_map(|a| &a.failures).collect();
        if failures.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nMessages that could not be brought over (also in failed.jsonl of each account):"
        )?;
        for failed in failures.iter().take(SHOWN) {
            let size = failed
                .size
                .map_or_else(String::new, |size| format!(", {size} bytes"));
            writeln!(
                f,
                "  {}  {}  uid {}{size}: {}",
                failed.account,
                table::printable(&failed.mailbox),
                failed.uid,
                table::printable(&failed.server)
            )?;
        }
        write_rest(f, failures.len())
    }

    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut notes = self.warnings.clone();
        for account in &self.accounts {
            let of_account = |text: &String| format!("{}: {text}", account.account);
            notes.extend(account.warnings.iter().map(of_account));
            for mailbox in &account.mailboxes {
                if let Some(note) = &mailbox.note {
                    notes.push(format!("{}: {}: {note}", account.account, mailbox.mailbox));
                }
            }
        }
        if notes.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nWarnings:")?;
        for note in notes.iter().take(SHOWN) {
            writeln!(f, "  {}", table::printable(note))?;
        }
        write_rest(f, notes.len())
    }

    fn write_last_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.dry_run {
            format!("{} (dry run)", self.mode.as_str())
        } else {
            self.mode.as_str().to_owned()
        };
        if let Some(report) = self.provisioned.as_ref().filter(|_| self.ended_with_panel) {
            return writeln!(f, "\n{}", provisioned::last_line(report));
        }
        if self.precheck_failed {
            return writeln!(
                f,
                "\n{mode} NOT begun: the connectivity test failed; mend that, or leave out what fails with --ignore-errors"
            );
        }
        let total = self.accounts.len();
        let complete = self
            .accounts
            .iter()
            .filter(|account| account.status == Status::Complete)
            .count();
        let findings: Vec<_> = self.accounts.iter().flat_map(|a| &a.findings).collect();
        let tally = Tally::of(findings.iter().copied());
        if matches!(self.mode, Mode::Audit | Mode::Validate) || !findings.is_empty() {
            writeln!(
                f,
                "\nfound: {}, {}, {}",
                counted(tally.errors, "error"),
                counted(tally.warnings, "warning"),
                counted(tally.notes, "note")
            )?;
        }
        if complete == total {
            return writeln!(f, "\n{mode} complete: {}", counted(total as u64, "account"));
        }
        let gone_through = |status| matches!(status, Status::Complete | Status::Findings);
        if self
            .accounts
            .iter()
            .all(|account| gone_through(account.status))
        {
            return writeln!(
                f,
                "\n{mode} done, NOT clean: {} of {} with findings",
                total - complete,
                counted(total as u64, "account")
            );
        }
        writeln!(
            f,
            "\n{mode} NOT complete: {complete} of {} complete; run it again to go on where it stopped",
            counted(total as u64, "account")
        )
    }
}

/// A number and the word for what is counted.
fn counted(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

fn write_rest(f: &mut fmt::Formatter<'_>, total: usize) -> fmt::Result {
    match total.checked_sub(SHOWN) {
        Some(rest) if rest > 0 => writeln!(f, "  … and {rest} more"),
        _ => Ok(()),
    }
}

fn counts_row(counts: &Counts) -> Vec<String> {
    vec![
        counts.mailboxes.to_string(),
        counts.new.to_string(),
        counts.unchanged.to_string(),
        counts.flags_changed.to_string(),
        counts.vanished.to_string(),
        counts.failed.to_string(),
        HumanBytes(counts.bytes).to_string(),
    ]
}
