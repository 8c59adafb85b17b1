//! Can the target take the archive? Told before hours of work.

use anyhow::Result;
use indicatif::HumanBytes;

use super::Run;
use crate::config::Account;
use crate::mapping::Why;
use crate::report::{AccountReport, Preflight};
use crate::session::Session;
use crate::session::append::Ways;
use crate::session::select;
use crate::target::plan::{Plan, Want};

/// Longest mailbox name that servers are known to take, in bytes.
const LONG_NAME: usize = 255;

/// Compares the archive of an account with what the target allows; trouble becomes warnings of the report.
pub fn check(
    run: &Run<'_>,
    account: &Account,
    session: &mut Session,
    quota: Option<(u64, u64)>,
    report: &mut AccountReport,
) {
    match read(run, account, session, quota) {
        Ok((preflight, warnings)) => {
            report.warnings.extend(warnings);
            report.preflight = Some(preflight);
        }
        // The import itself says what is wrong with the archive.
        Err(error) => report.warnings.push(format!(
            "the archive cannot be compared with the target: {error:#}"
        )),
    }
}

fn read(
    run: &Run<'_>,
    account: &Account,
    session: &mut Session,
    quota: Option<(u64, u64)>,
) -> Result<(Preflight, Vec<String>)> {
    let want = Want {
        allow_incomplete: true,
        ..run.settings.want(account, false)
    };
    let (mut plan, mut journal) = Plan::read(want, None)?;
    let channel = session.channel();
    let (listing, _) = plan.map(channel, &mut journal)?;
    plan.recall(&listing, &journal);
    let mut found = Preflight::default();
    let mut warnings = Vec::new();
    for job in &plan.jobs {
        let missing: Vec<u32> = job.missing().collect();
        found.messages += missing.len() as u64;
        for uid in missing {
            let bytes = job.here().dir.bytes(std::iter::once(uid))?;
            found.bytes += bytes;
            found.largest = found.largest.max(bytes);
        }
        found.new_mailboxes += u64::from(!job.place().exists);
        let why = &job.place().why;
        let is_renamed = why.contains(&Why::Sanitised) || why.contains(&Why::Collision);
        if job.place().to.len() > LONG_NAME || job.place().to.chars().any(char::is_control) {
            warnings.push(format!(
                "mailbox {}: the target may refuse the name \"{}\"; see folder_map",
                job.name(),
                job.place().to
            ));
        } else if is_renamed {
            found.renamed += 1;
            warnings.push(format!(
                "mailbox {} will be called \"{}\" ({}); see folder_map",
                job.name(),
                job.place().to,
                job.place().reasons()
            ));
        }
    }
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
    Ok((found, warnings))
}
