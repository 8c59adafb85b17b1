//! What comes before a mode's own work: creating mailboxes on a panel, and the connectivity test. Accounts that fail
//! here are left out of the run and put back into its report.

use std::collections::HashMap;

use anyhow::{Result, bail};
use tracing::{info, warn};

use super::check;
use super::provision::Provision;
use crate::archive::account::{AccountArchive, require_root};
use crate::config::Account;
use crate::disk::space::has_room;
use crate::mode::Mode;
use crate::plural::{counted, verb};
use crate::progress::Progress;
use crate::report::{AccountReport, ProvisionReport, ProvisionState, Report, Status};
use crate::settings::Settings;
use crate::stop::Stop;

/// Checks what is to be checked before the mode's own work, and has `carry_out` do that for the accounts that are left.
///
/// # Errors
/// Whatever keeps the run from beginning.
pub fn run(
    settings: &Settings,
    stop: &Stop,
    progress: &Progress,
    carry_out: impl FnOnce(&Settings, Option<&Provision<'_>>) -> Result<Report>,
) -> Result<Report> {
    let begun = settings.report();
    let has_precheck = matches!(
        settings.mode,
        Mode::Export | Mode::Import | Mode::Validate | Mode::Migrate
    );
    let only_panel = settings
        .importing
        .provisioning
        .as_ref()
        .is_some_and(|p| p.dry_run);
    if matches!(settings.mode, Mode::Import | Mode::Validate) && !only_panel {
        require_root(&settings.archive_dir)?;
    }
    let provision = Provision::new(settings, stop)?;
    let mut rest = settings.clone();
    let mut failed = HashMap::new();
    if let Some(provision) = &provision {
        let accounts = &settings.config.accounts;
        provision.prepare(accounts, settings.ignore_errors)?;
        let report = provision.report(accounts);
        if report.dry_run || stop.by_signal() || report.has_failed() && !settings.ignore_errors {
            return Ok(ended_with_panel(settings, report));
        }
        leave_out(&mut rest, &mut failed, not_on_panel(&report));
    }
    let mut report = None;
    let mut doubt = None;
    let mut environment = Vec::new();
    if has_precheck && settings.precheck && !rest.config.accounts.is_empty() {
        match check::precheck(&rest, provision.as_ref(), stop, progress)? {
            check::Precheck::End(ended) => report = Some(*ended),
            check::Precheck::GoOn(seen, more) => {
                environment = seen;
                leave_out(&mut rest, &mut failed, more);
                doubt = check_room(settings)?;
            }
        }
    } else {
        environment.extend(room_is_unknown(&rest));
    }
    let mut report = match report {
        Some(report) => report,
        None if rest.config.accounts.is_empty() => settings.report(),
        None => carry_out(&rest, provision.as_ref())?,
    };
    report.began_with(&begun);
    environment.append(&mut report.environment);
    report.environment = environment;
    report.warnings.extend(doubt);
    let accounts = &settings.config.accounts;
    put_back(accounts, &mut report, failed);
    // In a migration, the target's configuration says where mailboxes go.
    let target = settings.target.as_deref().unwrap_or(settings);
    for warning in target.config.folder_map.unmatched() {
        warn!("{warning}");
        report.warnings.push(warning);
    }
    report.provisioned = provision.map(|provision| provision.report(accounts));
    Ok(report)
}

/// Size of a message, in bytes, where nobody says it.
const USUAL: u64 = 75_000;

/// No hours of copying where there is known to be no room at the end. Accounts that the archive has in part are
/// checked when their turn comes, and those that fit are copied where errors are ignored. Where sizes are only guessed,
/// the run begins, with a warning.
fn check_room(settings: &Settings) -> Result<Option<String>> {
    let min_free = settings.min_free_bytes;
    if settings.dry_run || min_free == 0 {
        return Ok(None);
    }
    let (bytes, without_size) = settings.rehearsal.sums();
    let room = |bytes| has_room(&settings.archive_dir, min_free, bytes);
    let (fits, text) = room(bytes)?;
    if !fits && !settings.ignore_errors {
        bail!(
            "the accounts that are new to the archive: {text}; nothing was begun: make room, choose another directory, \
             copy fewer --account at a time, or take what goes in with --ignore-errors"
        );
    }
    let (fits, text) = room(bytes.saturating_add(without_size.saturating_mul(USUAL)))?;
    if fits || without_size == 0 {
        return Ok(None);
    }
    let doubt = format!(
        "the server does not say how large {} {}; with 75 kB each, as mail often has, {text}; \
         --dry-run asks for sizes",
        counted(without_size, "message"),
        verb(without_size, "is", "are")
    );
    warn!("{doubt}");
    Ok(Some(doubt))
}

/// Without the test nobody lists the accounts before the first byte of them all. Each is compared with the disk when it is
/// listed, and so before its own.
fn room_is_unknown(settings: &Settings) -> Option<String> {
    let copies = matches!(settings.mode, Mode::Export | Mode::Migrate);
    if !copies || settings.is_target || settings.dry_run || settings.min_free_bytes == 0 {
        return None;
    }
    let accounts = settings.config.accounts.iter();
    let new =
        accounts.filter(|account| AccountArchive::is_new(&settings.archive_dir, &account.name));
    let new = new.count();
    if new == 0 {
        return None;
    }
    let text = format!(
        "not known without the connectivity test: whether the accounts that are new to the archive ({new}) fit on the disk"
    );
    info!("{text}");
    Some(text)
}

/// The report of a run that ends after the panel.
fn ended_with_panel(settings: &Settings, provisioned: ProvisionReport) -> Report {
    let mut report = settings.report();
    report.ended_with_panel = true;
    report.precheck_failed = provisioned.has_failed() && !settings.ignore_errors;
    for mailbox in &provisioned.mailboxes {
        let mut account = AccountReport::new(&mailbox.account);
        match mailbox.state {
            ProvisionState::Failed => {
                account.status = Status::Failed;
                account.error.clone_from(&mailbox.note);
            }
            ProvisionState::NotTried => {}
            _ if provisioned.dry_run => account.status = Status::Complete,
            _ => {}
        }
        report.accounts.push(account);
    }
    report.provisioned = Some(provisioned);
    report
}

/// Reports of the accounts whose mailboxes cannot be had, by their names.
fn not_on_panel(report: &ProvisionReport) -> HashMap<String, AccountReport> {
    let failed = report
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.state == ProvisionState::Failed);
    failed
        .map(|mailbox| {
            let mut account = AccountReport::new(&mailbox.account);
            account.status = Status::Failed;
            let why = mailbox.note.as_deref().unwrap_or_default();
            account.error = Some(format!(
                "left out, as its mailbox is not on the panel: {why}"
            ));
            (mailbox.account.clone(), account)
        })
        .collect()
}

/// Takes accounts that have failed already out of a run.
fn leave_out(
    rest: &mut Settings,
    failed: &mut HashMap<String, AccountReport>,
    more: HashMap<String, AccountReport>,
) {
    failed.extend(more);
    let accounts = &mut rest.config.accounts;
    accounts.retain(|account| !failed.contains_key(&account.name));
}

/// Puts the accounts that were left out back into the report, at their places.
fn put_back(accounts: &[Account], report: &mut Report, mut failed: HashMap<String, AccountReport>) {
    if failed.is_empty() {
        return;
    }
    let mut done: HashMap<String, AccountReport> = report
        .accounts
        .drain(..)
        .map(|account| (account.account.clone(), account))
        .collect();
    for account in accounts {
        let one = failed.remove(&account.name);
        report
            .accounts
            .extend(one.or_else(|| done.remove(&account.name)));
    }
}
