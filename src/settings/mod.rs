//! What the arguments and the configuration mean together: checked once, used everywhere.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

mod flags;
mod hint;
pub mod index;
mod only_failed;
mod panel;
mod parts;
pub mod report;

pub use flags::refuse_foreign_flags;
pub use parts::{Auditing, Importing, Provisioning, Validating};
use parts::{importing, validating};

use crate::archive::path::hex;
use crate::cli::Args;
use crate::config::UseImapsync;
use crate::config::{self, Account, Config, Side};
use crate::filter::Filter;
use crate::fleet::shard::{self, Part, Shard};
use crate::limits;
use crate::mode::{Mode, Phase};
use crate::report::{About, End, Filters, Report, ServerReport};
use crate::session::peer::Peers;
use crate::target::plan::Want;
use crate::target::rehearsal::Rehearsal;

/// Fewest workers by default: accounts wait for servers more than for processors.
const MIN_WORKERS: usize = 4;

/// A checked run.
// Switches are bools.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone)]
pub struct Settings {
    /// What to do.
    pub mode: Mode,
    /// Server and the accounts that are meant.
    pub config: Config,
    /// Which part of the accounts they are.
    pub shard: Option<Part>,
    /// Digest of all accounts that are meant, including those of other shards, and of what is meant of them.
    pub config_sha256: String,
    /// The archive's root.
    pub archive_dir: PathBuf,
    /// The archive is read, and is to go to the server of the configuration.
    pub is_target: bool,
    /// Where logs go.
    pub log_dir: PathBuf,
    /// Test environment and connections before the run.
    pub precheck: bool,
    /// What is done with imapsync.
    pub imapsync: UseImapsync,
    /// What an import does beyond the usual.
    pub importing: Importing,
    /// The same of an audit.
    pub auditing: Auditing,
    /// The same of a validation.
    pub validating: Validating,
    /// Accounts at a time.
    pub workers: usize,
    /// Stay where a server asks to be left alone for long.
    pub wait: bool,
    /// Go on after a failed account.
    pub ignore_errors: bool,
    /// Least free disk space, in bytes.
    pub min_free_bytes: u64,
    /// Longest wait for the server.
    pub timeout: Duration,
    /// The mailboxes that are meant.
    pub folders: Filter,
    /// What was typed to choose among accounts and mailboxes.
    pub filters: Filters,
    /// Write nothing.
    pub dry_run: bool,
    /// Show no progress.
    pub quiet: bool,
    /// A migration ends each account after this phase.
    pub until: Option<Phase>,
    /// The servers, once connections were prepared: all that is done in a run shares their limits.
    pub peers: Arc<OnceLock<Peers>>,
    /// What both sides of a migration have said before anything is copied.
    pub rehearsal: Arc<Rehearsal>,
    /// The other side of a migration.
    pub target: Option<Box<Settings>>,
}

impl Settings {
    /// Reads the configuration and checks what was typed.
    ///
    /// # Errors
    /// All problems of the configuration; a bad glob; an `--account` that matches nothing.
    pub fn new(args: &Args) -> Result<Self> {
        refuse_foreign_flags(args)?;
        let importing = importing(args)?;
        let accounts = Filter::new(&args.account, &args.exclude_account)
            .context("--account or --exclude-account")?;
        let folders = Filter::new(&args.folder, &args.exclude_folder)
            .context("--folder or --exclude-folder")?;
        let (side, config_name) = side(args);
        let path = args.config.as_deref().unwrap_or(Path::new(config_name));
        let mut config = config::load(path, side, can_ask(args))?;
        refuse_unmatched(&args.account, &config)?;
        config
            .accounts
            .retain(|account| accounts.matches_any(&[&account.email, &account.name]));
        if config.accounts.is_empty() {
            bail!(
                "--exclude-account leaves no account of {}",
                config.path.display()
            );
        }
        if let Some(path) = &args.only_failed {
            only_failed::keep(&mut config, path)?;
        }
        let config_sha256 = digest(&config, &args.folder, &args.exclude_folder);
        let shard = args
            .shard
            .as_deref()
            .map(|text| Shard::parse(text, |name| std::env::var(name).ok()).context("--shard"));
        let shard = shard.transpose()?.map(|shard| keep_own(&mut config, shard));
        let typed = args.given.iter().any(|flag| flag == "imapsync");
        let imapsync = config.imapsync.filter(|_| !typed).unwrap_or(args.imapsync);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut settings = Self {
            mode: args.mode,
            config,
            shard,
            config_sha256,
            archive_dir: archive_dir(args),
            is_target: side == Side::Target,
            log_dir: args.log_dir.clone(),
            precheck: !args.no_connectivity_test,
            imapsync,
            importing,
            auditing: Auditing {
                after_export: !args.no_audit_after_export,
                offline: args.audit_offline,
                manifest: args.manifest.clone(),
            },
            validating: validating(args),
            workers: args.max_workers.map_or(cores.max(MIN_WORKERS), usize::from),
            ignore_errors: args.ignore_errors,
            wait: args.wait,
            min_free_bytes: bytes(args.min_free_gb),
            timeout: Duration::from_secs(u64::from(args.imap_timeout)),
            folders,
            filters: filters(args),
            dry_run: args.dry_run,
            quiet: args.quiet,
            until: args.until,
            peers: Arc::default(),
            rehearsal: Arc::default(),
            target: None,
        };
        if args.mode == Mode::Migrate {
            settings.add_target(args.import_config.as_deref(), can_ask(args))?;
        }
        Ok(settings)
    }

    /// A report on the run that begins now.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut servers = self.servers();
        let target = self.target.iter();
        servers.extend(target.flat_map(|target| target.servers()));
        let is_deep = self.validating.deep > 0;
        Report::begin(About {
            mode: self.mode,
            dry_run: self.dry_run,
            config: self.config.path.display().to_string(),
            config_sha256: self.config_sha256.clone(),
            archive: self.archive_dir.display().to_string(),
            shard: self.shard,
            servers,
            filters: self.filters.clone(),
            sample: is_deep.then_some(self.validating.deep),
            until: self.until,
            warnings: self.config.warnings.clone(),
        })
    }

    /// The servers of the accounts.
    fn servers(&self) -> Vec<ServerReport> {
        let mut servers: Vec<ServerReport> = Vec::new();
        for account in &self.config.accounts {
            let server = &account.server;
            let is_there = servers
                .iter()
                .any(|known| known.host == server.host && known.port == server.port);
            if !is_there {
                servers.push(ServerReport {
                    end: if self.is_target {
                        End::Target
                    } else {
                        End::Source
                    },
                    name: server.name.clone(),
                    host: server.host.clone(),
                    port: server.port,
                    protection: server.tls.as_str().to_owned(),
                    tls: None,
                });
            }
        }
        servers
    }

    /// Adds what connections have shown of the servers to a report.
    pub fn tell_tls(&self, report: &mut Report) {
        for server in &mut report.servers {
            let side = match (&self.target, server.end) {
                (Some(target), End::Target) => target,
                _ => self,
            };
            let peers = side.peers.get();
            server.tls = peers.and_then(|peers| peers.met(&server.host, server.port));
        }
    }

    /// The other side of a migration: the same accounts, at the servers of the import's configuration.
    fn add_target(&mut self, path: Option<&Path>, can_ask: bool) -> Result<()> {
        let path = match path {
            Some(path) => path,
            None if self.config.has_both_sides && !Path::new(config::IMPORT).exists() => {
                &self.config.path
            }
            None => Path::new(config::IMPORT),
        };
        let mut config = config::load(path, Side::Target, can_ask)?;
        let names = |config: &Config| -> HashSet<String> {
            let accounts = config.accounts.iter();
            accounts.map(|account| account.name.clone()).collect()
        };
        let (here, there) = (names(&self.config), names(&config));
        let mut missing: Vec<&str> = here.difference(&there).map(String::as_str).collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            bail!(
                "{} lacks {} of the accounts that are to be migrated:\n  {}",
                config.path.display(),
                missing.len(),
                missing.join("\n  ")
            );
        }
        let by_name = config.accounts.iter();
        let by_name: HashMap<&str, &Account> = by_name
            .map(|account| (account.name.as_str(), account))
            .collect();
        let onto_itself = self.config.accounts.iter().filter_map(|account| {
            let there = by_name.get(account.name.as_str())?;
            let is_same = there.server.is_at(&account.server) && there.whose() == account.whose();
            is_same.then_some(account.name.as_str())
        });
        let onto_itself: Vec<&str> = onto_itself.collect();
        if !onto_itself.is_empty() {
            bail!(
                "{} names for {} of the accounts the login and server that they come from; give them a target_server or a target_login:\n  {}",
                config.path.display(),
                onto_itself.len(),
                onto_itself.join("\n  ")
            );
        }
        // Over all its accounts: each shard has different ones.
        self.config_sha256 = format!("{}+{}", self.config_sha256, digest(&config, &[], &[]));
        let accounts = &mut config.accounts;
        accounts.retain(|account| here.contains(&account.name));
        self.config.warnings.append(&mut config.warnings);
        let target = Self {
            config,
            is_target: true,
            peers: Arc::default(),
            ..self.clone()
        };
        // Mailboxes are created at the target only.
        self.importing.provisioning = None;
        self.target = Some(Box::new(target));
        Ok(())
    }

    /// The servers of the accounts, as connections are made to them.
    ///
    /// # Errors
    /// A `ca_file` that cannot be read.
    pub fn peers(&self) -> Result<Peers> {
        if let Some(peers) = self.peers.get() {
            return Ok(peers.clone());
        }
        let shards = self.shard.map_or(1, |part| part.shard.count);
        let servers = self.config.servers();
        let peers = Peers::new(&servers, self.timeout, shards, &self.archive_dir)?;
        Ok(self.peers.get_or_init(|| peers).clone())
    }

    /// The limits that were kept to because of what servers, on either side, said they are.
    #[must_use]
    pub fn limits_told(&self) -> Vec<String> {
        let mut told = self.peers.get().map(Peers::limits_told).unwrap_or_default();
        let target = self.target.iter().flat_map(|target| target.limits_told());
        told.extend(target.collect::<Vec<_>>());
        told
    }

    /// What of an account is meant, for an import or a mode that looks as an import does.
    #[must_use]
    pub fn want<'a>(&'a self, account: &'a Account, write: bool) -> Want<'a> {
        Want {
            archive_dir: &self.archive_dir,
            email: &account.name,
            login: &account.login,
            host: &account.server.host,
            port: account.server.port,
            folders: &self.folders,
            folder_map: &self.config.folder_map,
            repairs: self.importing.repairs,
            allow_incomplete: self.importing.allow_incomplete,
            write,
        }
    }

    /// No more workers than there are accounts, and than the limit of open files allows; a warning about the latter.
    ///
    /// # Errors
    /// The limit is too low for any.
    pub fn fit_to_limits(&mut self) -> Result<Option<String>> {
        let wanted = self.workers.min(self.config.accounts.len());
        let (allowed, warning) = limits::workers_with_files(wanted)?;
        if allowed < wanted {
            self.workers = allowed;
        }
        if let Some(target) = &mut self.target {
            target.workers = self.workers;
        }
        Ok(warning)
    }
}

/// The same for the same accounts at the same servers, in whatever order, and without their secrets.
fn digest(config: &Config, meant: &[String], left_out: &[String]) -> String {
    let mut lines: Vec<String> = config
        .accounts
        .iter()
        .map(|account| {
            let server = &account.server;
            let tls = server.tls.as_str();
            format!(
                "{}\0{}\0{}\0{tls}\n",
                account.name,
                account.login,
                server.place()
            )
        })
        .collect();
    lines.sort_unstable();
    let folders = config.folder_map.names().iter();
    lines.extend(folders.map(|(from, to)| format!("{from}\0{to}\n")));
    lines.extend(meant.iter().map(|pattern| format!("{pattern}\n")));
    lines.extend(left_out.iter().map(|pattern| format!("\0{pattern}\n")));
    hex(&Sha256::digest(lines.concat()))
}

/// Leaves only the accounts that are the shard's.
fn keep_own(config: &mut Config, shard: Shard) -> Part {
    let configured = config.accounts.len();
    config.accounts.retain(|account| {
        shard.owns(&shard::identity(
            account.whose(),
            &account.server.host,
            account.server.port,
        ))
    });
    Part {
        shard,
        accounts: config.accounts.len(),
        configured,
    }
}

/// Whether it makes sense to ask for passwords: the run logs in, and somebody sits at a terminal.
fn can_ask(args: &Args) -> bool {
    let logs_in = match args.mode {
        Mode::Export | Mode::Import | Mode::Validate | Mode::Test | Mode::Migrate => {
            !args.panel.da_dry_run
        }
        Mode::Audit => !args.audit_offline,
        Mode::Index | Mode::Report | Mode::Authorize => false,
    };
    logs_in && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What the configuration's servers are to the run, and what the file is called where none is named.
fn side(args: &Args) -> (Side, &'static str) {
    match args.mode {
        Mode::Import | Mode::Validate => (Side::Target, config::IMPORT),
        Mode::Test if args.input_dir.is_some() => (Side::Target, config::EXPORT),
        _ => (Side::Source, config::EXPORT),
    }
}

/// Each pattern of `--account` must match something: it may be misspelt.
fn refuse_unmatched(patterns: &[String], config: &Config) -> Result<()> {
    for pattern in patterns {
        let one = Filter::new(std::slice::from_ref(pattern), &[])?;
        let matches = |account: &Account| one.matches_any(&[&account.email, &account.name]);
        if !config.accounts.iter().any(matches) {
            bail!(hint::no_account(pattern, config));
        }
    }
    Ok(())
}

fn archive_dir(args: &Args) -> PathBuf {
    let named = match args.mode {
        Mode::Export | Mode::Migrate => &args.output_dir,
        _ => args
            .input_dir
            .as_ref()
            .map_or(&args.output_dir, |_| &args.input_dir),
    };
    named.clone().unwrap_or("./exported".into())
}

fn filters(args: &Args) -> Filters {
    Filters {
        account: args.account.clone(),
        exclude_account: args.exclude_account.clone(),
        folder: args.folder.clone(),
        exclude_folder: args.exclude_folder.clone(),
    }
}

/// Gigabytes, as disks count them, in bytes; the argument parser keeps them between 0 and 10^9.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bytes(gigabytes: f64) -> u64 {
    (gigabytes * 1e9) as u64
}
