//! `--mode migrate`: export, audit, import and validate: for one account one after the other, for several accounts
//! in parallel, so that the first are done while the last are still being read. Knows the order and what follows from
//! each outcome; the phases do the work.

mod combined;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};

use super::provision::Provision;
use super::{audit, before, export, import, validate};
use crate::accounts;
use crate::config::Account;
use crate::fleet::shard;
use crate::mode::Phase;
use crate::progress::{AccountProgress, Progress};
use crate::report::{AccountReport, Report, Status};
use crate::settings::Settings;
use crate::stop::Stop;
use combined::CombinedReport;

/// Migrates every account; an error means that the run could not begin.
///
/// # Errors
/// What keeps an export or an import from beginning.
pub(super) fn run(settings: &Settings, stop: &Stop, progress: &Progress) -> Result<Report> {
    let target = settings
        .target
        .as_deref()
        .context("a migration has a target")?;
    let names = |settings: &Settings| -> HashSet<String> {
        settings
            .config
            .accounts
            .iter()
            .map(|account| account.name.clone())
            .collect()
    };
    let mut target = target.clone();
    let sources = names(settings);
    target
        .config
        .accounts
        .retain(|account| sources.contains(&account.name));
    let mut report = before::run(&target, stop, progress, |target, provision| {
        let mut source = settings.clone();
        let reachable = names(target);
        source
            .config
            .accounts
            .retain(|account| reachable.contains(&account.name));
        carry_out(&source, target, provision, stop, progress)
    })?;
    name_both_sides(&settings.config.accounts, &mut report.accounts);
    Ok(report)
}

/// An account that failed the target's test is still known by its source: so are shards.
fn name_both_sides(sources: &[Account], reports: &mut [AccountReport]) {
    let sources: HashMap<&str, &Account> = sources
        .iter()
        .map(|source| (source.name.as_str(), source))
        .collect();
    for report in reports {
        let Some(source) = sources.get(report.account.as_str()) else {
            continue;
        };
        let server = &source.server;
        let identity = shard::identity(source.whose(), &server.host, server.port);
        if let Some(other) = report.identity.replace(identity.clone())
            && other != identity
        {
            report.target_identity = Some(other);
            report.login = Some(source.login.clone());
        }
    }
}

fn carry_out(
    source: &Settings,
    target: &Settings,
    provision: Option<&Provision<'_>>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report> {
    let mut report = source.report();
    let again = |peers: &_, account: &_, progress, missing| {
        import::again(target, peers, stop, account, progress, missing)
    };
    let migration = Migration {
        settings: source,
        target,
        export: export::begin(source, stop)?,
        audit: (source.auditing.after_export && !source.dry_run)
            .then(|| audit::AuditRun::new(source, stop))
            .transpose()?,
        import: import::begin(target, provision, stop)?,
        validation: validate::Validation::new(target, stop, progress, &again)?,
        stop,
        progress,
    };
    report.accounts = accounts::each(source, stop, progress, |account, progress, report| {
        *report = migration.account(account, progress);
        Ok(())
    })?;
    if let Some(audit) = migration.audit
        && let Err(error) = audit.finish(stop)
    {
        report.add_error(&error);
    }
    Ok(report)
}

struct Migration<'a> {
    settings: &'a Settings,
    target: &'a Settings,
    export: export::account::ExportRun<'a>,
    audit: Option<audit::AuditRun<'a>>,
    import: import::account::ImportRun<'a>,
    validation: validate::Validation<'a>,
    stop: &'a Stop,
    progress: &'a Progress,
}

impl Migration<'_> {
    fn account(&self, source: &Account, progress: AccountProgress) -> AccountReport {
        if self.settings.dry_run {
            return self.rehearse(source, progress);
        }
        let mut whole = CombinedReport::new(&source.name);
        self.phases(source, progress, &mut whole);
        whole.report
    }

    /// Looks at both sides, and says what would come and where it would go.
    fn rehearse(&self, source: &Account, progress: AccountProgress) -> AccountReport {
        let mut report = accounts::one(source, |report| {
            export::account::export(&self.export, source, progress, report)
        });
        let known = self.settings.rehearsal.of(&source.name);
        report.preflight = known.preflight;
        report.warnings.extend(known.warnings);
        for mailbox in &mut report.mailboxes {
            if let Some((to, why)) = known.places.get(&mailbox.mailbox) {
                mailbox.target = Some(to.clone());
                mailbox.why = Some(why.clone());
            }
        }
        report
    }

    fn phases(&self, source: &Account, progress: AccountProgress, whole: &mut CombinedReport) {
        let progress = progress.at(Phase::Export, self.settings.until);
        let exported = accounts::one(source, |report| {
            export::account::export(&self.export, source, progress, report)
        });
        let is_news = exported.counts.new > 0;
        if !whole.add(Phase::Export, exported)
            || whole.lacks_something(self.target.importing.allow_incomplete)
        {
            return;
        }
        if let Some(audit) = &self.audit {
            if self.is_stopped(whole) {
                return;
            }
            let audited = accounts::one(source, |report| {
                audit.after_export(source, self.step(source, Phase::Audit), report)
            });
            whole.add(Phase::Audit, audited);
        }
        let mut accounts = self.target.config.accounts.iter();
        let target = accounts.find(|account| account.name == source.name);
        // Accounts without one were left out before.
        if let Some(target) = target.filter(|_| self.settings.until != Some(Phase::Export)) {
            self.to_target(target, is_news, whole);
        }
    }

    fn to_target(&self, target: &Account, is_news: bool, whole: &mut CombinedReport) {
        let validated = || {
            accounts::one(target, |report| {
                let progress = self.step(target, Phase::Validate);
                self.validation.account(target, progress, report)
            })
        };
        if self.is_stopped(whole) {
            return;
        }
        // Where nothing is new, the target has it all, unless a run was cut off in between: the comparison shows that.
        if !is_news && self.settings.until.is_none() {
            let compared = validated();
            if !compared.lacks_messages() {
                whole.add(Phase::Validate, compared);
                return;
            }
            if self.is_stopped(whole) {
                return;
            }
        }
        let imported = accounts::one(target, |report| {
            let progress = self.step(target, Phase::Import);
            import::account::import(&self.import, target, progress, None, report)
        });
        if !whole.add(Phase::Import, imported) || self.settings.until == Some(Phase::Import) {
            return;
        }
        if !self.is_stopped(whole) {
            whole.add(Phase::Validate, validated());
        }
    }

    fn step(&self, account: &Account, phase: Phase) -> AccountProgress {
        let progress = self.progress.account(&account.name);
        progress.at(phase, self.settings.until)
    }

    fn is_stopped(&self, whole: &mut CombinedReport) -> bool {
        let stopped = self.stop.requested();
        if stopped {
            whole.report.status = Status::Stopped;
        }
        stopped
    }
}
