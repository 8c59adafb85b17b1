//! Combines the reports of shards into one of the whole run. What contradicts itself or the others is refused; what
//! is missing is named. Knows reports, and of files their names only.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};

use super::shard::Shard;
use crate::exit::Exit;
use crate::mode::Phase;
use crate::plural::counted;
use crate::report::{AccountReport, Counts, Report, ServerReport, ShardReport, Status};

/// Mailboxes that a merged report names one by one; beyond that, those of complete accounts stand in the shards' own
/// reports only: the report of a large run must fit into memory.
const MAILBOXES: usize = 100_000;

/// Contradictions that are named; the rest are counted.
const NAMED: usize = 20;

/// Reports that are being merged.
#[derive(Default)]
pub struct Merging {
    whole: Option<Report>,
    /// The file that each shard's report came from.
    files: BTreeMap<u32, String>,
    /// The file that each account's report came from.
    accounts: HashMap<String, String>,
    /// Shards whose runs ended before their accounts were begun.
    not_begun: Vec<u32>,
    problems: Vec<String>,
    mailboxes: usize,
}

/// One report of all.
pub struct Merged {
    /// The report.
    pub report: Report,
    /// Shards without one.
    pub missing: Vec<Shard>,
}

impl Merging {
    /// Takes in the report of one shard.
    pub fn add(&mut self, file: &str, mut part: Report) {
        let mut problems = contradictions(&part);
        let Some(shard) = part.shard.map(|shard| shard.shard) else {
            let why = part.error.map_or_else(String::new, |error| {
                format!(", but of a run that could not begin: {error}")
            });
            self.refuse(file, &format!("is not the report of a shard{why}"));
            return;
        };
        if part.config_sha256.is_empty() {
            problems.push("does not say of which configuration it is".to_owned());
        }
        if let Some(whole) = &self.whole {
            problems.extend(differences(whole, &part));
        }
        if let Some(other) = self.files.insert(shard.index, file.to_owned()) {
            problems.push(format!("is of {shard}, and so is {other}"));
        }
        problems.extend(self.foreign(file, shard, &part.accounts));
        for problem in problems {
            self.refuse(file, &problem);
        }
        if let Some(error) = part.error.take() {
            part.errors.push(format!(
                "{shard} did not begin, or was ended at once: {error}"
            ));
            if part.accounts.is_empty() {
                self.not_begun.push(shard.index);
            }
        }
        let about = ShardReport {
            shard,
            file: file.to_owned(),
            machine: part.machine.clone(),
            started: part.started.clone(),
            finished: part.finished.clone(),
            exit_code: part.exit_code,
            accounts: part.accounts.len(),
        };
        self.mailboxes += part
            .accounts
            .iter()
            .map(|account| account.mailboxes.len())
            .sum::<usize>();
        match &mut self.whole {
            None => {
                part.shards.push(about);
                self.whole = Some(part);
            }
            Some(whole) => {
                whole.shards.push(about);
                take_in(whole, part);
            }
        }
        if self.mailboxes > MAILBOXES
            && let Some(whole) = &mut self.whole
        {
            leave_out_mailboxes(whole);
        }
    }

    /// Accounts that a report should not have, as another one has them or they belong to another shard.
    fn foreign(&mut self, file: &str, shard: Shard, accounts: &[AccountReport]) -> Vec<String> {
        let mut problems = Vec::new();
        for account in accounts {
            let name = &account.account;
            if let Some(other) = self.accounts.insert(name.clone(), file.to_owned()) {
                problems.push(format!("has account {name}, and so has {other}"));
                continue;
            }
            let Some(identity) = &account.identity else {
                continue;
            };
            if !shard.owns(identity) {
                problems.push(format!("has account {name}, which is not of {shard}"));
            }
        }
        problems
    }

    fn refuse(&mut self, file: &str, problem: &str) {
        self.problems.push(format!("{file} {problem}"));
    }

    /// The report of them all.
    ///
    /// # Errors
    /// No report at all; reports that contradict themselves or each other.
    pub fn finish(mut self) -> Result<Merged> {
        let Some(mut report) = self.whole.take().filter(|_| self.problems.is_empty()) else {
            let count = self.problems.len();
            self.problems.truncate(NAMED);
            if count > NAMED {
                self.problems.push(format!("… and {} more", count - NAMED));
            }
            bail!(
                "the reports do not fit together, so that they prove nothing:\n  {}",
                self.problems.join("\n  ")
            );
        };
        let part = report.shard.take();
        let count = part.map_or(0, |part| part.shard.count);
        let is_there = |index: &u32| self.files.contains_key(index);
        let shards = (1..=count).filter(|index| !is_there(index) || self.not_begun.contains(index));
        let missing: Vec<Shard> = shards.map(|index| Shard { index, count }).collect();
        let configured = part.map_or(0, |part| part.configured);
        let there = report.accounts.len();
        if missing.is_empty() && there != configured {
            bail!(
                "all {count} shards are there, but they have {} and not the {configured} of the configuration",
                counted(there, "account")
            );
        }
        for shard in missing.iter().filter(|shard| !is_there(&shard.index)) {
            report.errors.push(format!("there is no report of {shard}"));
        }
        if !missing.is_empty() {
            let open = configured.saturating_sub(there);
            report.errors.push(format!(
                "nothing is known of {open} of {}",
                counted(configured, "account")
            ));
            report.exit_code = report.exit_code.merge(Exit::Findings);
        }
        // That would not be true of a whole of which a part was begun.
        if report.exit_code == Exit::Precheck && !report.precheck_failed {
            report.exit_code = Exit::Findings;
        }
        if self.mailboxes > MAILBOXES {
            report.warnings.push(format!(
                "{} mailboxes are too many for one report: those of complete accounts are in the reports of the shards",
                self.mailboxes
            ));
        }
        report
            .accounts
            .sort_by(|one, other| one.account.cmp(&other.account));
        Ok(Merged { report, missing })
    }
}

/// Sums of a report that are not those of its accounts.
#[must_use]
pub fn wrong_sums(report: &Report) -> Vec<String> {
    let mut problems = Vec::new();
    let mut totals = Counts::default();
    let mut by_status = BTreeMap::new();
    for account in &report.accounts {
        totals += account.counts;
        *by_status.entry(account.status).or_insert(0) += 1;
    }
    if totals != report.totals {
        problems.push("has totals that are not the sums of its accounts".to_owned());
    }
    if by_status != report.by_status {
        problems.push("has counts by status that are not those of its accounts".to_owned());
    }
    problems
}

/// What does not agree within one report.
fn contradictions(part: &Report) -> Vec<String> {
    let mut problems = wrong_sums(part);
    let all_complete = part
        .accounts
        .iter()
        .all(|account| account.status == Status::Complete);
    if part.exit_code == Exit::Clean && !all_complete {
        problems.push("says that all is well, but not all its accounts do".to_owned());
    }
    let is_silent = part.errors.is_empty() && part.error.is_none();
    if part.exit_code != Exit::Clean && all_complete && is_silent {
        problems.push("says that not all is well, but not why".to_owned());
    }
    problems.extend(part.accounts.iter().filter_map(contradiction));
    let is_begun = part.error.is_none() || !part.accounts.is_empty();
    if let Some(shard) = part.shard.filter(|_| is_begun)
        && shard.accounts != part.accounts.len()
    {
        let there = part.accounts.len();
        let accounts = counted(shard.accounts, "account");
        problems.push(format!("is of {accounts} and has {there}"));
    }
    problems
}

/// What contradicts an account that is called complete.
fn contradiction(account: &AccountReport) -> Option<String> {
    if account.status != Status::Complete {
        return None;
    }
    let against = if account.error.is_some() {
        "has an error".to_owned()
    } else if account
        .compared
        .is_some_and(|compared| compared.missing > 0)
    {
        "lacks messages on the target".to_owned()
    } else {
        let mut phases = account.phases.iter();
        let open = phases.find(|phase| phase.status != Status::Complete)?;
        format!("did not complete its {}", open.phase.as_str())
    };
    let name = &account.account;
    Some(format!(
        "says that account {name} is complete, but that it {against}"
    ))
}

/// What shows that a report is not of the same run as the others.
fn differences(whole: &Report, part: &Report) -> Vec<String> {
    let shards = |report: &Report| {
        let part = report.shard;
        part.map(|part| {
            let accounts = counted(part.configured, "account");
            format!("{}, {accounts}", counted(part.shard.count, "shard"))
        })
    };
    let words = |report: &Report| {
        [
            ("version", report.version.clone()),
            ("mode", report.mode.as_str().to_owned()),
            ("dry run", report.dry_run.to_string()),
            ("configuration", report.config_sha256.clone()),
            ("shards", shards(report).unwrap_or_default()),
            (
                "last phase (--until)",
                report.until.map_or("validate", Phase::as_str).to_owned(),
            ),
            (
                "messages that are read back (--deep, --sample)",
                format!("{} of 10,000", report.sample.unwrap_or_default()),
            ),
        ]
    };
    let pairs = words(whole).into_iter().zip(words(part));
    pairs
        .filter(|(one, other)| one != other)
        .map(|((what, one), (_, other))| {
            format!("differs from the first in its {what}: {other}, not {one}")
        })
        .collect()
}

fn take_in(whole: &mut Report, part: Report) {
    whole.totals += part.totals;
    for (status, count) in part.by_status {
        *whole.by_status.entry(status).or_default() += count;
    }
    whole.accounts.extend(part.accounts);
    for server in part.servers {
        let mut known = whole.servers.iter_mut();
        let is_same = |one: &&mut ServerReport| {
            (one.end, &one.host, one.port) == (server.end, &server.host, server.port)
        };
        match known.find(is_same) {
            Some(known) => known.tls = known.tls.take().or(server.tls),
            None => whole.servers.push(server),
        }
    }
    for warning in part.warnings {
        if !whole.warnings.contains(&warning) {
            whole.warnings.push(warning);
        }
    }
    for limit in part.limits {
        if !whole.limits.contains(&limit) {
            whole.limits.push(limit);
        }
    }
    whole.errors.extend(part.errors);
    whole.environment.extend(part.environment);
    whole.exit_code = whole.exit_code.merge(part.exit_code);
    whole.precheck_failed &= part.precheck_failed;
    whole.seconds = whole.seconds.max(part.seconds);
    // Both are UTC in one form, so they sort by time.
    whole.started = std::mem::take(&mut whole.started).min(part.started);
    whole.finished = std::mem::take(&mut whole.finished).max(part.finished);
}

fn leave_out_mailboxes(whole: &mut Report) {
    let complete = whole
        .accounts
        .iter_mut()
        .filter(|account| account.status == Status::Complete);
    complete.for_each(|account| account.mailboxes = Vec::new());
}

#[cfg(test)]
mod tests;
