//! The outcome of a run: a table for people, JSON for machines, an exit code for scripts.

use std::collections::BTreeMap;
use std::io::{BufWriter, IntoInnerError, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tracing::error;

pub use about::{About, End, Filters, ServerReport};
pub use account::{
    AccountReport, AuditReport, FailedMessageReport, LoginWith, MailboxReport, PhaseReport,
};
pub use cause::Cause;
pub use compared::Compared;
pub use counts::Counts;
pub use provisioned::{ProvisionReport, ProvisionState, Provisioned};
pub use status::Status;
pub use tested::{Preflight, StepReport, Tested};

use crate::disk::output::Output;
use crate::exit::Exit;
use crate::fleet::shard::{Part, Shard};
use crate::mode::{Mode, Phase};
use crate::plural::counted;
use crate::redact::redacted;
use crate::stop::Stop;

mod about;
mod account;
pub mod cause;
mod compared;
mod counts;
pub mod csv;
mod document;
mod excerpts;
mod hidden;
mod html;
mod json;
mod provisioned;
mod status;
pub mod table;
mod tested;
mod text;

/// A shard whose report was merged with others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShardReport {
    /// Which one.
    #[serde(flatten)]
    pub shard: Shard,
    /// Where its report was.
    pub file: String,
    /// Where it ran.
    pub machine: String,
    /// When it began, UTC.
    pub started: String,
    /// When it ended, UTC.
    pub finished: String,
    /// How it ended.
    pub exit_code: Exit,
    /// How many accounts it had.
    pub accounts: usize,
}

fn machine() -> String {
    let about = rustix::system::uname();
    about.nodename().to_string_lossy().into_owned()
}

/// The whole run.
// Switches are bools.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// What the rest looks like: raised when a field changes its meaning or goes.
    format: u32,
    tool: String,
    /// Of the program.
    pub version: String,
    /// What was done.
    pub mode: Mode,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Where it ran.
    pub machine: String,
    /// When it began, UTC.
    pub started: String,
    /// When it ended, UTC.
    pub finished: String,
    /// Wall time.
    pub seconds: f64,
    /// As the process ends with.
    pub exit_code: Exit,
    /// What kept the run from beginning.
    #[serde(default)]
    pub error: Option<String>,
    /// The command line, without secrets.
    #[serde(default)]
    pub command: Vec<String>,
    /// Which accounts and mailboxes were meant.
    #[serde(default)]
    pub filters: Filters,
    /// How many of 10,000 messages were to be read back.
    #[serde(default)]
    pub sample: Option<u32>,
    /// Migrate: each account was to end after this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Phase>,
    /// The servers of the accounts that were meant.
    #[serde(default)]
    pub servers: Vec<ServerReport>,
    /// The limits that were kept to because of what servers said they are.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The log file.
    #[serde(default)]
    pub log: Option<String>,
    config: String,
    /// Of the accounts and servers that were meant, without secrets: the same for all shards of a run.
    #[serde(default)]
    pub config_sha256: String,
    archive: String,
    /// Which part of the configuration's accounts it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Part>,
    /// The shards whose reports were merged to this one.
    #[serde(default)]
    pub shards: Vec<ShardReport>,
    /// Sums over the accounts.
    pub totals: Counts,
    /// How many accounts ended how.
    #[serde(default)]
    pub by_status: BTreeMap<Status, u64>,
    /// What a test says of machine and server.
    #[serde(default)]
    pub environment: Vec<String>,
    /// The run did not begin, as the test before it failed.
    #[serde(default)]
    pub precheck_failed: bool,
    /// What a panel was asked to create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<ProvisionReport>,
    /// The run ended when the panel had been asked.
    #[serde(skip)]
    pub ended_with_panel: bool,
    /// Wrong usage may not even say what was to be done.
    #[serde(skip)]
    pub mode_is_unknown: bool,
    /// Every account is listed in the text, however many there are.
    #[serde(skip)]
    pub all_accounts: bool,
    /// Where the report for machines is, which has what the text leaves out.
    #[serde(skip)]
    pub file: Option<String>,
    /// The accounts, in the configuration's order.
    pub accounts: Vec<AccountReport>,
    /// What concerns all of them.
    pub warnings: Vec<String>,
    /// What went wrong apart from the accounts.
    #[serde(default)]
    pub errors: Vec<String>,
    #[serde(skip, default = "Instant::now")]
    began: Instant,
}

impl Report {
    /// A report on a run that begins now.
    #[must_use]
    pub fn begin(about: About) -> Self {
        Self {
            format: json::FORMAT,
            tool: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: about.mode,
            dry_run: about.dry_run,
            machine: machine(),
            started: crate::clock::utc_now(),
            finished: String::new(),
            seconds: 0.0,
            exit_code: Exit::Clean,
            error: None,
            command: about::command(),
            filters: about.filters,
            sample: about.sample,
            until: about.until,
            servers: about.servers,
            limits: Vec::new(),
            log: None,
            config: about.config,
            archive: about.archive,
            config_sha256: about.config_sha256,
            shard: about.shard,
            shards: Vec::new(),
            totals: Counts::default(),
            by_status: BTreeMap::new(),
            environment: Vec::new(),
            precheck_failed: false,
            provisioned: None,
            ended_with_panel: false,
            mode_is_unknown: false,
            all_accounts: false,
            file: None,
            accounts: Vec::new(),
            warnings: about.warnings,
            errors: Vec::new(),
            began: Instant::now(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(mode: Mode, accounts: Vec<AccountReport>) -> Self {
        Self {
            machine: String::new(),
            started: String::new(),
            command: Vec::new(),
            accounts,
            ..Self::begin(About::unknown(mode))
        }
    }

    /// The run began when that of another report did, which was written before this one.
    pub fn began_with(&mut self, first: &Self) {
        self.started.clone_from(&first.started);
        self.began = first.began;
    }

    /// Adds up and decides the exit code.
    pub fn close(&mut self, stop: &Stop) {
        self.redact();
        self.finished = crate::clock::utc_now();
        self.seconds = self.began.elapsed().as_secs_f64();
        self.tell_causes();
        self.count();
        self.exit_code = exit_code(self.accounts.iter().map(|a| a.status), stop.by_signal());
        if self.precheck_failed && self.exit_code == Exit::Findings {
            self.exit_code = Exit::Precheck;
        }
        if !self.errors.is_empty() {
            self.exit_code = self.exit_code.merge(Exit::Unusable);
        }
    }

    /// Ends a report on a run that could not begin.
    pub fn end(&mut self, error: &anyhow::Error, exit: Exit) {
        self.error = Some(redacted(&format!("{error:#}")).into_owned());
        self.finished = crate::clock::utc_now();
        self.seconds = self.began.elapsed().as_secs_f64();
        self.exit_code = exit;
    }

    /// The sums of the run in a line.
    #[must_use]
    pub fn sums(&self) -> String {
        let counts = self.totals;
        let by_status = self.by_status.iter();
        let accounts: Vec<String> = by_status
            .map(|(status, count)| format!("{count} {}", status.as_str()))
            .collect();
        format!(
            "accounts: {}; {}, {}, {}, {} failed, in {:.0} s",
            accounts.join(", "),
            counted(counts.mailboxes, "mailbox"),
            counted(counts.new, "message"),
            counted(counts.bytes, "byte"),
            counts.failed,
            self.seconds
        )
    }

    /// Adds up.
    pub fn count(&mut self) {
        self.totals = Counts::default();
        self.by_status.clear();
        for account in &self.accounts {
            self.totals += account.counts;
            *self.by_status.entry(account.status).or_default() += 1;
        }
    }

    /// Every account that is not complete has a cause.
    fn tell_causes(&mut self) {
        for account in &mut self.accounts {
            if account.cause.is_some() {
                continue;
            }
            account.cause = match account.status {
                Status::Complete => None,
                Status::Incomplete if account.failures.is_empty() => Some(Cause::Incomplete),
                Status::Incomplete => Some(Cause::RefusedMessage),
                Status::Findings => Some(Cause::Findings),
                Status::Failed => Some(Cause::Other),
                Status::Parked => Some(Cause::Limit),
                Status::Stopped | Status::NotStarted => Some(Cause::Stopped),
            };
        }
    }

    /// Something went wrong apart from the accounts.
    pub fn add_error(&mut self, error: &anyhow::Error) {
        error!("{error:#}");
        self.errors.push(format!("{error:#}"));
    }

    /// A file of the report, or the report itself, could not be written.
    pub fn cannot_be_told(&mut self, error: &anyhow::Error) {
        self.add_error(error);
        self.exit_code = self.exit_code.merge(Exit::Unusable);
    }

    /// Writes the report for machines, 0600, as a whole or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        write(path, |to| self.to_json(to))
    }

    /// Writes it as one page for a browser, in the same way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_html(&self, path: &Path) -> Result<()> {
        let page = html::page(self);
        write(path, |to| Ok(to.write_all(page.as_bytes())?))
    }

    /// Writes the accounts as a table, in the same way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        write(path, |to| csv::write(self, to))
    }
}

fn write(path: &Path, with: impl FnOnce(&mut BufWriter<Output>) -> Result<()>) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = BufWriter::new(Output::create(path)?);
        with(&mut file)?;
        let file = file.into_inner().map_err(IntoInnerError::into_error)?;
        Ok(file.finish()?)
    };
    write().with_context(|| format!("write the report {}", path.display()))
}

/// A signal wins over failures, failures over success.
fn exit_code(statuses: impl Iterator<Item = Status>, by_signal: bool) -> Exit {
    let exits = statuses.map(|status| match status {
        Status::Complete => Exit::Clean,
        Status::Parked => Exit::Parked,
        _ if by_signal => Exit::Stopped,
        _ => Exit::Findings,
    });
    let exit = exits.fold(Exit::Clean, Exit::merge);
    if by_signal && exit != Exit::Clean {
        return Exit::Stopped;
    }
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_how_it_went() {
        use Status::{Complete, Failed, Incomplete, NotStarted, Parked, Stopped};
        let cases = [
            (vec![Complete, Complete], false, Exit::Clean),
            (vec![Complete, Incomplete], false, Exit::Findings),
            (vec![Failed, NotStarted], false, Exit::Findings),
            (vec![Complete, Stopped], true, Exit::Stopped),
            (vec![Failed, Stopped], true, Exit::Stopped),
            (vec![Complete, Parked], false, Exit::Parked),
            (vec![Parked, Incomplete], false, Exit::Findings),
            (vec![Parked], true, Exit::Stopped),
            (vec![Complete], true, Exit::Clean),
        ];
        for (statuses, by_signal, code) in cases {
            assert_eq!(
                exit_code(statuses.iter().copied(), by_signal),
                code,
                "{statuses:?}"
            );
        }
    }
}
