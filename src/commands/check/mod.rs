//! `--mode test`, also before export, import and validate: can the run work at all?

mod account;
mod cause;
mod logins;
mod preflight;

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Result;
use tracing::{info, warn};

use logins::Logins;

use super::provision::Provision;
use crate::accounts;
use crate::config::Config;
use crate::disk::space::check_space;
use crate::imapsync::{Imapsync, UseImapsync};
use crate::mode::Mode;
use crate::progress::Progress;
use crate::report::{AccountReport, Report, Status};
use crate::session::peer::Peer;
use crate::settings::Settings;
use crate::stop::Stop;

/// What all accounts of a test share.
struct Run<'a> {
    settings: &'a Settings,
    provision: Option<&'a Provision<'a>>,
    peer: Peer,
    stop: &'a Stop,
    logins: Logins,
    /// What imapsync says against the server.
    objection: Option<String>,
}

/// Tests every account; an error means that the environment does not allow a run.
///
/// # Errors
/// Too little free disk space; imapsync missing where it is required; threads that cannot be started.
pub(super) fn run(
    settings: &Settings,
    provision: Option<&Provision<'_>>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report> {
    let mut report = Report::new(settings);
    let (run, environment) = Run::new(settings, provision, stop)?;
    report.environment = environment;
    report.accounts = run.all(&settings.config, progress)?;
    if let Some(tls) = report
        .accounts
        .iter()
        .find_map(|account| account.tested.as_ref()?.tls.clone())
    {
        report.environment.push(tls);
    }
    Ok(report)
}

/// The report of a run that must not begin, or the accounts that it must leave out.
pub enum Verdict {
    /// All the same to the run: reports of the accounts that failed, by their names.
    GoOn(HashMap<String, AccountReport>),
    /// The run ends here.
    End(Box<Report>),
}

/// Tests before a run.
///
/// # Errors
/// As for [`run`].
pub(super) fn precheck(
    settings: &Settings,
    provision: Option<&Provision<'_>>,
    stop: &Stop,
    progress: &Progress,
) -> Result<Verdict> {
    let mut report = run(settings, provision, stop, progress)?;
    progress.finish();
    for line in &report.environment {
        info!("{line}");
    }
    for account in &report.accounts {
        for warning in &account.warnings {
            warn!(account = account.account, "{warning}");
        }
    }
    let all_passed = report
        .accounts
        .iter()
        .all(|account| account.status == Status::Complete);
    if stop.by_signal() || !all_passed && !settings.ignore_errors {
        report.precheck_failed = true;
        // What passed the test has not been exported, imported or validated.
        for account in &mut report.accounts {
            if account.status == Status::Complete {
                account.status = Status::NotStarted;
            }
        }
        return Ok(Verdict::End(Box::new(report)));
    }
    let failed = report.accounts.into_iter();
    let failed = failed.filter(|account| account.status != Status::Complete);
    Ok(Verdict::GoOn(
        failed
            .map(|mut account| {
                let error = account.error.take().unwrap_or_default();
                account.error = Some(format!(
                    "left out, as the connectivity test failed: {error}"
                ));
                account.status = Status::Failed;
                (account.account.clone(), account)
            })
            .collect(),
    ))
}

impl<'a> Run<'a> {
    /// Checks the environment.
    fn new(
        settings: &'a Settings,
        provision: Option<&'a Provision<'a>>,
        stop: &'a Stop,
    ) -> Result<(Self, Vec<String>)> {
        let mut environment = Vec::new();
        let dirs = match settings.mode {
            Mode::Test => vec![&settings.archive_dir, &settings.log_dir],
            Mode::Export | Mode::Import => vec![&settings.archive_dir],
            Mode::Validate | Mode::Audit | Mode::Index => Vec::new(),
        };
        for dir in dirs {
            environment.push(check_space(dir, settings.min_free_bytes)?);
        }
        let peer = Peer::new(&settings.config.server, settings.timeout)?;
        let mut run = Self {
            settings,
            provision,
            peer,
            stop,
            logins: Logins::default(),
            objection: None,
        };
        run.imapsync(&mut environment)?;
        Ok((run, environment))
    }

    /// Once for the one server that a configuration has.
    fn imapsync(&mut self, environment: &mut Vec<String>) -> Result<()> {
        let found = match self.settings.imapsync {
            UseImapsync::Never => return Ok(()),
            UseImapsync::Require => Imapsync::find()?,
            UseImapsync::Auto => match Imapsync::find() {
                Ok(found) => found,
                Err(error) => {
                    environment.push(format!("imapsync: not used: {error:#}"));
                    return Ok(());
                }
            },
        };
        environment.push(format!("imapsync: version {}", found.version));
        let server = &self.settings.config.server;
        let began = Instant::now();
        let place = format!("{}:{}", server.host, server.port);
        match found.just_connect(server, self.settings.timeout, self.stop) {
            Ok(()) => environment.push(format!(
                "imapsync --justconnect to {place}: ok ({:.1} s)",
                began.elapsed().as_secs_f64()
            )),
            Err(error) => {
                environment.push(format!("{error:#}"));
                self.objection = Some(format!("{error:#}"));
            }
        }
        Ok(())
    }

    /// A diagnosis looks at all accounts, whatever it finds.
    fn all(&self, config: &Config, progress: &Progress) -> Result<Vec<AccountReport>> {
        let (accounts, workers) = (&config.accounts, self.settings.workers);
        progress.start(accounts.len() as u64, self.settings.quiet);
        accounts::run(accounts, workers, true, self.stop, |account| {
            let _progress = progress.account(&account.email);
            account::test(self, account)
        })
    }
}
