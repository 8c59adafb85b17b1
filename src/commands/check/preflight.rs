//! Can the target take the archive? Told before hours of work.

use anyhow::Result;
use indicatif::HumanBytes;

use super::Run;
use crate::config::Account;
use crate::mapping::Why;
use crate::report::{AccountReport, Preflight};
use crate::session::Session;
use crate::session::append::Ways;
use crate::session::list;
use crate::session::select;
use crate::target::plan::{Plan, Want};
use crate::target::rehearsal::Placed;

/// Longest mailbox name that servers are known to take, in bytes.
const LONG_NAME: usize = 255;

/// Compares the archive of an account with what the target allows, or what the source lists where a migration has no
/// archive yet; trouble becomes warnings of the report.
pub fn check(
    run: &Run<'_>,
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

/// Where each mailbox would go, and how much that is.
fn planned(
    run: &Run<'_>,
    account: &Account,
    session: &mut Session,
) -> Result<(Preflight, Vec<Placed>)> {
    let settings = run.settings;
    let known = settings.rehearsal.of(&account.name);
    if known.is_listed() {
        let there = list::list(session.channel(), list::Numbers::Plain, |_| false)?;
        let placed = known.place(&there, &settings.folders, &settings.config.folder_map);
        let placed = placed.unwrap_or_default();
        let mut found = Preflight::default();
        for mailbox in &placed {
            found.messages += mailbox.messages;
            found.bytes += mailbox.bytes;
        }
        return Ok((found, placed));
    }
    let want = Want {
        allow_incomplete: true,
        ..settings.want(account, false)
    };
    let (mut plan, mut journal) = Plan::read(want, None)?;
    let channel = session.channel();
    let (listing, _) = plan.map(channel, &mut journal)?;
    plan.recall(channel, &listing, &journal)?;
    let mut found = Preflight::default();
    let mut placed = Vec::new();
    for job in &plan.jobs {
        let (mut messages, mut bytes) = (0, 0);
        for uid in job.missing() {
            let size = job.here().dir.bytes(std::iter::once(uid))?;
            messages += 1;
            bytes += size;
            found.largest = found.largest.max(size);
        }
        found.messages += messages;
        found.bytes += bytes;
        placed.push(Placed {
            name: job.name().to_owned(),
            to: job.place().to.clone(),
            why: job.place().why.clone(),
            exists: job.place().exists,
            messages,
            bytes,
        });
    }
    Ok((found, placed))
}

/// What stands against it.
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
    found.append_limit = Ways::of(&channel.capabilities).limit;
    if let Some(limit) = found.append_limit.filter(|limit| found.largest > *limit) {
        warnings.push(format!(
            "the largest message has {}, the target takes up to {} (APPENDLIMIT)",
            HumanBytes(found.largest),
            HumanBytes(limit)
        ));
    }
    found.quota_free = quota.map(|(used, limit)| limit.saturating_sub(used).saturating_mul(1024));
    if let Some(free) = found.quota_free.filter(|free| found.bytes > *free) {
        warnings.push(format!(
            "{} are to be imported, the account's quota has {} left",
            HumanBytes(found.bytes),
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
