//! Can the target take the archive? Told before hours of work.

use anyhow::Result;
use indicatif::HumanBytes;

use super::CheckRun;
use crate::config::Account;
use crate::mapping::Why;
use crate::report::{AccountReport, Preflight};
use crate::session::Session;
use crate::session::append::AppendSupport;
use crate::session::list;
use crate::session::select;
use crate::target::plan::{Plan, Want};
use crate::target::rehearsal::Placed;
use crate::target::trouble::Trouble;

/// Longest mailbox name that servers are known to take, in bytes.
const LONG_NAME: usize = 255;

/// Compares the archive of an account with what the target allows, or what the source lists where a migration has no
/// archive yet; trouble becomes warnings of the report.
pub fn check(
    run: &CheckRun<'_>,
    account: &Account,
    session: &mut Session,
    quota: Option<(u64, u64)>,
    report: &mut AccountReport,
) {
    let outcome = planned(run, account, session).and_then(|(found, placed)| {
        let mut warnings = Vec::new();
        let found = judged(found, &placed, session, quota, &mut warnings)?;
        Ok((found, placed, warnings))
    });
    match outcome {
        Ok((found, placed, warnings)) => {
            let rehearsal = &run.settings.rehearsal;
            rehearsal.found(&account.name, found, &warnings, &placed);
            report.warnings.extend(warnings);
            report.preflight = Some(found);
        }
        // The import itself says what is wrong with the archive.
        Err(error) => report.warnings.push(format!(
            "the archive cannot be compared with the target: {error:#}"
        )),
    }
}

/// What cannot be told before the export, where the target has a limit that it may be over.
pub fn unknown(accounts: &[AccountReport]) -> Vec<String> {
    let found = accounts.iter().filter_map(|account| account.preflight);
    let found: Vec<Preflight> = found.collect();
    let limits = found.iter().filter(|found| found.largest.is_none());
    let limits: Vec<u64> = limits.filter_map(|found| found.append_limit).collect();
    let quotas = found.iter().filter(|found| found.bytes.is_none());
    let quotas = quotas.filter_map(|found| found.quota_free).count();
    let mut told = Vec::new();
    if let Some(least) = limits.iter().min() {
        told.push(format!(
            "not known before the export (accounts: {}): whether a message is larger than the {} that the target takes \
             (APPENDLIMIT); the import names those that are",
            limits.len(),
            HumanBytes(*least)
        ));
    }
    if quotas > 0 {
        told.push(format!(
            "not known before the export (accounts: {quotas}): whether the mail fits into the quota, as the source does \
             not say how many bytes it has (STATUS=SIZE)"
        ));
    }
    told
}

/// Where each mailbox would go, and how much that is.
fn planned(
    run: &CheckRun<'_>,
    account: &Account,
    session: &mut Session,
) -> Result<(Preflight, Vec<Placed>)> {
    let settings = run.settings;
    let known = settings.rehearsal.of(&account.name);
    if known.is_listed() {
        let there = list::list(session.channel(), list::StatusItems::Plain, |_| false)?;
        let placed = known.place(&there, &settings.folders, &settings.config.folder_map);
        let placed = placed.unwrap_or_default();
        let mut found = Preflight::default();
        let messages = placed.iter().map(|mailbox| mailbox.messages);
        found.messages = messages.fold(0, u64::saturating_add);
        // Some servers give sums that overflow.
        let mut bytes = placed.iter().map(|mailbox| mailbox.bytes);
        found.bytes = bytes.try_fold(0, |sum: u64, bytes| Some(sum.saturating_add(bytes?)));
        return Ok((found, placed));
    }
    let want = Want {
        allow_incomplete: true,
        ..settings.want(account, false)
    };
    let (mut plan, mut journal) = Plan::read(want, None)?;
    let channel = session.channel();
    let (listing, names) = plan.map(channel, &mut journal)?;
    plan.recall(channel, &listing, &names, &journal, &mut Trouble::default())?;
    let mut found = Preflight::default();
    let mut placed = Vec::new();
    let (mut all, mut largest) = (0, 0);
    for job in &plan.jobs {
        let (mut messages, mut bytes) = (0, 0);
        for uid in job.missing() {
            let size = job.here().dir.bytes(std::iter::once(uid))?;
            messages += 1;
            bytes += size;
            largest = largest.max(size);
        }
        found.messages += messages;
        all += bytes;
        placed.push(Placed {
            name: job.name().to_owned(),
            to: job.place().name.text().to_owned(),
            why: job.place().why.clone(),
            exists: job.place().exists,
            messages,
            bytes: Some(bytes),
        });
    }
    (found.bytes, found.largest) = (Some(all), Some(largest));
    Ok((found, placed))
}

/// What speaks against it.
fn judged(
    mut found: Preflight,
    placed: &[Placed],
    session: &mut Session,
    quota: Option<(u64, u64)>,
    warnings: &mut Vec<String>,
) -> Result<Preflight> {
    for one in placed {
        let Placed {
            name,
            to,
            why,
            exists,
            ..
        } = one;
        let is_renamed = why.contains(&Why::Sanitised) || why.contains(&Why::Collision);
        found.new_mailboxes += u64::from(!exists);
        if to.len() > LONG_NAME || to.chars().any(char::is_control) {
            warnings.push(format!(
                "mailbox {name}: the target may refuse the name \"{to}\"; see folder_map"
            ));
        } else if is_renamed {
            found.renamed += 1;
            let reasons = one.reasons();
            warnings.push(format!(
                "mailbox {name} will be called \"{to}\" ({reasons}); see folder_map"
            ));
        }
    }
    let channel = session.channel();
    found.append_limit = AppendSupport::of(&channel.capabilities).limit;
    if let (Some(largest), Some(limit)) = (found.largest, found.append_limit)
        && largest > limit
    {
        warnings.push(format!(
            "the largest message has {}, the target takes up to {} (APPENDLIMIT)",
            HumanBytes(largest),
            HumanBytes(limit)
        ));
    }
    found.quota_free = quota.map(|(used, limit)| limit.saturating_sub(used).saturating_mul(1024));
    if let (Some(bytes), Some(free)) = (found.bytes, found.quota_free)
        && bytes > free
    {
        warnings.push(format!(
            "{} are to be imported, the account's quota has {} left",
            HumanBytes(bytes),
            HumanBytes(free)
        ));
    }
    let flags = select::permanent_flags(channel, b"INBOX")?;
    found.keywords = flags.map(|flags| flags.iter().any(|flag| flag == "\\*"));
    if found.keywords == Some(false) {
        warnings.push(
            "the target keeps no keywords of its users' choice: they will be left out".to_owned(),
        );
    }
    Ok(found)
}
