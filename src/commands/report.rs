//! `--mode report`: reads reports of earlier runs, proves that those of shards are one run, and has them rendered.
//! Talks to no server and looks into no archive.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::config::{self, Side};
use crate::exit::Exit;
use crate::fleet::merge::{self, Merged, Merging};
use crate::fleet::shard::{self, Shard};
use crate::mode::ReportList;
use crate::report::{Report, Status};

/// What is to be rendered.
#[derive(Debug)]
pub struct Rendering {
    /// The reports.
    pub reports: Vec<PathBuf>,
    /// The configuration that says which accounts are missing.
    pub config: Option<PathBuf>,
    /// Only the names of some accounts.
    pub list: Option<ReportList>,
}

/// What came of it.
#[derive(Debug)]
pub struct Rendered {
    /// The one report.
    pub report: Report,
    /// The names that were asked for.
    pub names: Option<Vec<String>>,
}

/// Reads and merges.
///
/// # Errors
/// Files that cannot be read or are not reports; reports that contradict each other.
pub fn run(plan: &Rendering) -> Result<Rendered> {
    let Merged {
        mut report,
        missing,
    } = read(plan)?;
    let (unknown, strangers) = match &plan.config {
        Some(path) => unknown(path, &report, &missing)?,
        None => (Vec::new(), Vec::new()),
    };
    for name in strangers {
        let error = format!("account {name} is in a report and not in the configuration");
        report.errors.push(error);
        report.exit_code = report.exit_code.merge(Exit::Findings);
    }
    for (name, whose) in &unknown {
        let whose = whose.map_or_else(String::new, |shard| format!(" ({shard})"));
        report
            .errors
            .push(format!("no report has account {name}{whose}"));
        report.exit_code = report.exit_code.merge(Exit::Findings);
    }
    let names = match plan.list {
        None => None,
        Some(ReportList::Missing) if plan.config.is_none() => {
            bail!("--list missing needs --config: reports do not say which accounts they lack")
        }
        Some(ReportList::Missing) => Some(unknown.into_iter().map(|(name, _)| name).collect()),
        Some(ReportList::Failed) => Some(names(&report, Status::is_trouble)),
        Some(ReportList::Parked) => Some(names(&report, |status| status == Status::Parked)),
    };
    Ok(Rendered { report, names })
}

fn names(report: &Report, is_meant: impl Fn(Status) -> bool) -> Vec<String> {
    let accounts = report.accounts.iter();
    let meant = accounts.filter(|account| is_meant(account.status));
    meant.map(|account| account.account.clone()).collect()
}

/// Accounts of the configuration that the report does not know, each with the missing shard that it belongs to; those
/// of the report that the configuration does not know.
fn unknown(
    path: &Path,
    report: &Report,
    missing: &[Shard],
) -> Result<(Vec<Unreported>, Vec<String>)> {
    let accounts = report.accounts.iter();
    let known: HashSet<&str> = accounts.map(|account| account.account.as_str()).collect();
    let config = config::load(path, Side::Source, false)?;
    let unknown = config
        .accounts
        .iter()
        .filter(|account| !known.contains(account.name.as_str()));
    let unknown = unknown
        .map(|account| {
            let server = &account.server;
            let identity = shard::identity(account.whose(), &server.host, server.port);
            let whose = missing.iter().find(|shard| shard.owns(&identity));
            (account.name.clone(), whose.copied())
        })
        .collect();
    let accounts = config.accounts.iter();
    let meant: HashSet<&str> = accounts.map(|account| account.name.as_str()).collect();
    let strangers = known.into_iter().filter(|name| !meant.contains(name));
    let mut strangers: Vec<String> = strangers.map(str::to_owned).collect();
    strangers.sort_unstable();
    Ok((unknown, strangers))
}

/// An account without a report, and its shard.
type Unreported = (String, Option<Shard>);

/// One report as it is; several as one.
fn read(plan: &Rendering) -> Result<Merged> {
    let mut merging = Merging::default();
    for path in &plan.reports {
        let report = Report::read(path).with_context(|| {
            let shown = path.display().to_string();
            // A shell hands on a pattern that matches nothing as it is.
            if shown.contains(['*', '?']) && !path.exists() {
                format!("no report is called {shown}")
            } else {
                format!("read the report {shown}")
            }
        })?;
        if plan.reports.len() == 1 && report.shard.is_none_or(|part| part.shard.count == 1) {
            let wrong = merge::wrong_sums(&report);
            if !wrong.is_empty() {
                bail!(
                    "{} proves nothing: it {}",
                    path.display(),
                    wrong.join("; it ")
                );
            }
            return Ok(Merged {
                report,
                missing: Vec::new(),
            });
        }
        merging.add(&path.display().to_string(), report);
    }
    merging.finish()
}
