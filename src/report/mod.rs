//! The outcome of a run: a table for people, JSON for machines, an exit code for scripts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::AddAssign;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tracing::error;

pub use about::{About, Filters, ServerReport};
pub use cause::Cause;
pub use compared::Compared;
pub use provisioned::{ProvisionReport, ProvisionState, Provisioned};
pub use tested::{Preflight, StepReport, Tested};

use crate::archive::failed::FailedMessage;
use crate::disk::output::Output;
use crate::exit::Exit;
use crate::finding::{Code, Finding, Tally};
use crate::fleet::shard::{Part, Shard};
use crate::mode::{Mode, Phase};
use crate::printable::escaped_json;
use crate::redact::redacted;
use crate::stop::Stop;

mod about;
pub mod cause;
mod compared;
pub mod csv;
mod document;
mod html;
mod provisioned;
pub mod table;
mod tested;
mod text;

/// How an account ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All of it was done.
    Complete,
    /// It was gone through, but not all of it could be had.
    Incomplete,
    /// It was gone through, and something was found that somebody should look at.
    Findings,
    /// It could not be gone through.
    Failed,
    /// Its server asks to be left alone for longer than a run waits: nothing failed, and the next run goes on.
    Parked,
    /// The run ended before it was done.
    Stopped,
    /// The run ended before it was begun.
    NotStarted,
}

impl Status {
    /// True when the other accounts are not begun because of it, unless errors are ignored.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        !matches!(self, Self::Complete | Self::Findings | Self::Parked)
    }

    /// The word in table and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "INCOMPLETE",
            Self::Findings => "FINDINGS",
            Self::Failed => "FAILED",
            Self::Parked => "parked",
            Self::Stopped => "stopped",
            Self::NotStarted => "not started",
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages fetched in this run; in a dry run those that would be.
    pub new: u64,
    /// Messages that were in the archive and stayed as they were.
    pub unchanged: u64,
    /// Messages whose flags changed.
    pub flags_changed: u64,
    /// Messages moved aside because the source no longer has them.
    pub vanished: u64,
    /// Messages, or whole mailboxes, that could not be had.
    pub failed: u64,
    /// Bytes of the new messages.
    pub bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.mailboxes += other.mailboxes;
        self.new += other.new;
        self.unchanged += other.unchanged;
        self.flags_changed += other.flags_changed;
        self.vanished += other.vanished;
        self.failed += other.failed;
        self.bytes += other.bytes;
    }
}

/// One mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailboxReport {
    /// Its name.
    pub mailbox: String,
    /// Its directory in the archive; empty where there is none.
    pub directory: String,
    /// Import: its name on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Import: why it is called so there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Validate: how the two sides compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// What a reader should know.
    pub note: Option<String>,
}

/// One message that could not be had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedMessageReport {
    /// The account.
    pub account: String,
    /// The mailbox.
    pub mailbox: String,
    /// UID; `null` for a whole mailbox, or for messages that the server does not name.
    pub uid: Option<u32>,
    /// Size in bytes, where the server says it.
    pub size: Option<u64>,
    /// The server's words.
    pub server: String,
}

impl From<&FailedMessage> for FailedMessageReport {
    fn from(failed: &FailedMessage) -> Self {
        Self {
            account: failed.account.clone(),
            mailbox: failed.mailbox.clone(),
            uid: failed.uid,
            size: failed.size,
            server: failed.server.clone(),
        }
    }
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountReport {
    /// Its name.
    pub account: String,
    /// Its login and server, as shards share out accounts by it; of the target in an import and a validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Migrate: its login and server on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_identity: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Parked: when it can go on, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<String>,
    /// Parked: how long from its end.
    #[serde(skip)]
    pub parked_for: Option<Duration>,
    /// The user name of its login.
    #[serde(default)]
    pub login: Option<String>,
    /// Why it is not complete, in a word.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Why it failed.
    pub error: Option<String>,
    /// How often it connected anew.
    #[serde(default)]
    pub reconnects: u64,
    /// How long it waited before.
    #[serde(default)]
    pub waiting_seconds: f64,
    /// SHA-256 over the sorted list of its messages' SHA-256, each a line of hexadecimal digits; of an audit.
    #[serde(default)]
    pub proof: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// Sums over its mailboxes.
    pub counts: Counts,
    /// Its mailboxes.
    pub mailboxes: Vec<MailboxReport>,
    /// Messages that could not be had.
    pub failures: Vec<FailedMessageReport>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What audit or validate found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What was audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditReport>,
    /// How the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Tested>,
    /// Whether the target can take the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflight>,
    /// Migrate: how each phase ended.
    #[serde(default)]
    pub phases: Vec<PhaseReport>,
    /// How archive and target compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// The same before what was missing was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_before: Option<Compared>,
}

/// How a phase of a migration ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Which one.
    pub phase: Phase,
    /// How it ended.
    pub status: Status,
    /// Wall time.
    pub seconds: f64,
    /// What it counted.
    pub counts: Counts,
}

/// What an audit has looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct AuditReport {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages with message file and sidecar.
    pub messages: u64,
    /// Bytes of the message files.
    pub bytes: u64,
    /// The source was asked too.
    pub against_source: bool,
    /// How many findings.
    #[serde(flatten)]
    pub findings: Tally,
}

impl AccountReport {
    /// True unless both sides were compared and the target has every message.
    #[must_use]
    pub fn lacks_messages(&self) -> bool {
        let is_missing =
            |finding: &Finding| matches!(finding.code, Code::Missing | Code::MailboxMissing);
        self.compared.is_none_or(|compared| compared.missing > 0)
            || self.findings.iter().any(is_missing)
    }

    /// An account that was not begun.
    #[must_use]
    pub fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            identity: None,
            target_identity: None,
            status: Status::NotStarted,
            parked_until: None,
            parked_for: None,
            login: None,
            cause: None,
            error: None,
            reconnects: 0,
            waiting_seconds: 0.0,
            proof: None,
            seconds: 0.0,
            counts: Counts::default(),
            mailboxes: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            findings: Vec::new(),
            audit: None,
            tested: None,
            preflight: None,
            phases: Vec::new(),
            compared: None,
            compared_before: None,
        }
    }
}

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

/// The format of the report for machines.
const FORMAT: u32 = 1;

/// Larger reports are not read.
const MOST_BYTES: u64 = 4 << 30;

fn machine() -> String {
    let about = rustix::system::uname();
    about.nodename().to_string_lossy().into_owned()
}

/// The whole run.
// Switches are bools.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// What the rest looks like: raised when something of it changes its meaning or goes.
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
    /// Every account is listed on paper, however many there are.
    #[serde(skip)]
    pub all_accounts: bool,
    /// Where the report for machines is, which has what the paper leaves out.
    #[serde(skip)]
    pub file: Option<String>,
    /// The accounts, in the configuration's order.
    pub accounts: Vec<AccountReport>,
    /// What concerns all of them.
    pub warnings: Vec<String>,
    /// What went wrong beside the accounts.
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
            format: FORMAT,
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

    /// Reads the report for machines of an earlier run.
    ///
    /// # Errors
    /// Those of the file system; a file that is no report, or one of another format.
    pub fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<u32>,
            tool: Option<String>,
        }
        let size = std::fs::metadata(path)?.len();
        if size > MOST_BYTES {
            bail!("it has {size} bytes, which is too large for a report");
        }
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let head = serde_json::from_slice::<Head>(&bytes);
            match head.map(|head| (head.tool, head.format)) {
                Ok((Some(tool), Some(format)))
                    if tool == env!("CARGO_PKG_NAME") && format != FORMAT =>
                {
                    anyhow!("it has format {format}, and this version reads format {FORMAT} only")
                }
                _ => anyhow!("it is not a report of this program: {error}"),
            }
        })
    }

    /// Adds up and decides the exit code.
    pub fn close(&mut self, stop: &Stop) {
        self.redact();
        self.finished = crate::clock::utc_now();
        self.seconds = self.began.elapsed().as_secs_f64();
        self.tell_causes();
        self.tell_tls();
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
            "accounts: {}; {} mailboxes, {} messages, {} bytes, {} failed, in {:.0} s",
            accounts.join(", "),
            counts.mailboxes,
            counts.new,
            counts.bytes,
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

    /// What the test of an account has seen of its server.
    fn tell_tls(&mut self) {
        for server in &mut self.servers {
            let place = format!("@{}:{}", server.host, server.port).to_ascii_lowercase();
            let mut there = self.accounts.iter().filter(|account| {
                let identity = account.identity.as_deref().unwrap_or_default();
                identity.ends_with(&place)
            });
            server.tls = there.find_map(|account| account.tested.as_ref()?.tls.clone());
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

    /// Takes the secrets in use out of all that servers and programs have said.
    fn redact(&mut self) {
        let run = [
            &mut self.warnings,
            &mut self.errors,
            &mut self.environment,
            &mut self.limits,
        ];
        run.into_iter().flatten().for_each(hide);
        for panel in self.provisioned.iter_mut().flat_map(|p| &mut p.mailboxes) {
            panel.note.iter_mut().for_each(hide);
        }
        for account in &mut self.accounts {
            account.error.iter_mut().for_each(hide);
            account.warnings.iter_mut().for_each(hide);
            for mailbox in &mut account.mailboxes {
                hide(&mut mailbox.mailbox);
                let others = [&mut mailbox.target, &mut mailbox.note];
                others.into_iter().flatten().for_each(hide);
            }
            for failed in &mut account.failures {
                hide(&mut failed.mailbox);
                hide(&mut failed.server);
            }
            for finding in &mut account.findings {
                hide(&mut finding.text);
                finding.mailbox.iter_mut().for_each(hide);
            }
            let tls = account
                .tested
                .as_mut()
                .and_then(|tested| tested.tls.as_mut());
            tls.into_iter().for_each(hide);
        }
    }

    /// Something went wrong beside the accounts.
    pub fn add_error(&mut self, error: &anyhow::Error) {
        error!("{error:#}");
        self.errors.push(format!("{error:#}"));
    }

    /// Writes the report for machines, 0600, as a whole or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let json = if self.mode_is_unknown {
            let mut value = serde_json::to_value(self).context("write JSON")?;
            value["mode"] = serde_json::Value::Null;
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string_pretty(self)
        };
        let json = json.context("write JSON")?;
        let json = escaped_json(&json) + "\n";
        write(path, json.as_bytes())
    }

    /// Writes it as one page for a browser, in the same way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_html(&self, path: &Path) -> Result<()> {
        write(path, html::page(self).as_bytes())
    }

    /// Writes the accounts as a table, in the same way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        csv::write(self, &mut bytes)?;
        write(path, &bytes)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = Output::create(path)?;
        file.write_all(bytes)?;
        file.finish()
    };
    write().with_context(|| format!("write the report {}", path.display()))
}

fn hide(text: &mut String) {
    if let Cow::Owned(hidden) = redacted(text) {
        *text = hidden;
    }
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
