//! `--mode test`, also before export, import and validate: can the run work at all?

mod account;
mod cause;
mod logins;
mod preflight;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tracing::{info, warn};

use logins::Logins;

use super::provision::Provision;
use crate::accounts::{self, Handling, OnFailure};
use crate::config::UseImapsync;
use crate::config::{Account, Config, Server};
use crate::disk::space::check_space;
use crate::imapsync::Imapsync;
use crate::mode::Mode;
use crate::progress::Progress;
use crate::report::{AccountReport, Report, Status};
use crate::session::peer::Peers;
use crate::settings::Settings;
use crate::stop::Stop;

/// What all accounts of a test share.
struct CheckRun<'a> {
    settings: &'a Settings,
    provision: Option<&'a Provision<'a>>,
    peers: Peers,
    stop: &'a Stop,
    hosts: Vec<Host>,
}

/// A host that accounts are on: it counts refused logins, whatever entry of the configuration they come by.
struct Host {
    server: Arc<Server>,
    logins: Logins,
    /// What imapsync has against it.
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
    let mut report = settings.report();
    let (run, environment) = CheckRun::new(settings, provision, stop)?;
    report.environment = environment;
    report.accounts = run.all(&settings.config, progress)?;
    report.environment.extend(run.tls(&report.accounts));
    let unknown = preflight::unknown(&report.accounts);
    report.environment.extend(unknown);
    Ok(report)
}

/// The report of a run that must not begin, or the accounts that it must leave out.
pub enum Precheck {
    /// The run may begin: what was seen of machine and servers, and the reports of the accounts that failed, by
    /// their names.
    GoOn(Vec<String>, HashMap<String, AccountReport>),
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
) -> Result<Precheck> {
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
        .all(|account| matches!(account.status, Status::Complete | Status::Parked));
    if stop.by_signal() || !all_passed && !settings.ignore_errors {
        report.precheck_failed = true;
        // What passed the test has not been exported, imported or validated.
        for account in &mut report.accounts {
            if account.status == Status::Complete {
                account.status = Status::NotStarted;
            }
        }
        return Ok(Precheck::End(Box::new(report)));
    }
    let failed = report.accounts.into_iter();
    // Waiting for parked accounts is done in the run.
    let is_left_out = |status| match status {
        Status::Complete => false,
        Status::Parked => !settings.wait,
        _ => true,
    };
    let failed = failed.filter(|account| is_left_out(account.status));
    Ok(Precheck::GoOn(
        report.environment,
        failed
            .map(|mut account| {
                if account.status == Status::Parked {
                    return (account.account.clone(), account);
                }
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

impl<'a> CheckRun<'a> {
    /// Checks the environment.
    fn new(
        settings: &'a Settings,
        provision: Option<&'a Provision<'a>>,
        stop: &'a Stop,
    ) -> Result<(Self, Vec<String>)> {
        let mut environment = Vec::new();
        let dirs = match settings.mode {
            Mode::Test => vec![&settings.archive_dir, &settings.log_dir],
            Mode::Export | Mode::Import | Mode::Migrate => vec![&settings.archive_dir],
            Mode::Validate | Mode::Audit | Mode::Index | Mode::Report | Mode::Authorize => {
                Vec::new()
            }
        };
        for dir in dirs {
            environment.push(check_space(dir, settings.min_free_bytes)?);
        }
        let peers = settings.peers()?;
        let mut run = Self {
            settings,
            provision,
            peers,
            stop,
            hosts: hosts(&settings.config),
        };
        run.imapsync(&mut environment)?;
        Ok((run, environment))
    }

    /// The host that an account is on.
    fn host(&self, account: &Account) -> &Host {
        let mut hosts = self.hosts.iter();
        let own = hosts.find(|host| host.server.is_at(&account.server));
        own.expect("made from the servers of all accounts")
    }

    /// What TLS was negotiated, once for each host; which one is said where there are several.
    fn tls(&self, reports: &[AccountReport]) -> Vec<String> {
        let accounts = &self.settings.config.accounts;
        let one = |host: &Host| {
            let mut of_host = accounts
                .iter()
                .zip(reports)
                .filter(|(account, _)| host.server.is_at(&account.server));
            let tls = of_host.find_map(|(_, report)| report.tested.as_ref()?.tls.as_deref())?;
            Some(if self.hosts.len() > 1 {
                format!("{}: {tls}", host.server.place())
            } else {
                tls.to_owned()
            })
        };
        self.hosts.iter().filter_map(one).collect()
    }

    /// Once for each host.
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
        for host in &mut self.hosts {
            let began = Instant::now();
            match found.just_connect(&host.server, self.settings.timeout, self.stop) {
                Ok(()) => environment.push(format!(
                    "imapsync --justconnect to {}: ok ({:.1} s)",
                    host.server.place(),
                    began.elapsed().as_secs_f64()
                )),
                Err(error) => {
                    environment.push(format!("{error:#}"));
                    host.objection = Some(format!("{error:#}"));
                }
            }
        }
        Ok(())
    }

    /// A test looks at all accounts, whatever it finds.
    fn all(&self, config: &Config, progress: &Progress) -> Result<Vec<AccountReport>> {
        let accounts = &config.accounts;
        let on_failure = OnFailure {
            ignore_errors: true,
            wait: false,
        };
        progress.start(
            Mode::Test.as_str(),
            accounts.len() as u64,
            self.settings.quiet,
        );
        accounts::run(
            accounts,
            Handling {
                on_failure,
                ..Handling::beside(Mode::Test, self.settings)
            },
            self.stop,
            progress,
            |account, report| {
                let _progress = progress.account(&account.name);
                account::test(self, account, report)
            },
        )
    }
}

/// The hosts that accounts are on, each once.
fn hosts(config: &Config) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    for server in config.servers() {
        if !hosts.iter().any(|host| host.server.is_at(server)) {
            hosts.push(Host {
                server: Arc::clone(server),
                logins: Logins::default(),
                objection: None,
            });
        }
    }
    hosts
}
