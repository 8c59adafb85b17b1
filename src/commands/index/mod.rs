//! `--mode index`: writes the configuration from what a panel lists.

mod choose;
mod listing;
mod summary;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tracing::warn;

use choose::Choice;
use listing::Listings;
use summary::{Indexed, Summary};

use crate::cli::Args;
use crate::config::{TlsMode, write};
use crate::panel::access::{self, Access};
use crate::panel::address::domain_to_ascii;
use crate::panel::directadmin::DirectAdmin;
use crate::panel::{Names, Panel};
use crate::secret::{Secret, SecretJson};
use crate::stop::Stop;

/// What is to be written, checked before anything is asked.
pub struct Plan {
    access: Access,
    host: String,
    port: u16,
    tls: TlsMode,
    out: PathBuf,
    overwrite: bool,
    password: Option<Secret>,
    choice: Choice,
    ignore_errors: bool,
    timeout: Duration,
    /// What is allowed but worth knowing.
    pub warnings: Vec<String>,
}

/// How an index ended.
pub enum Outcome {
    /// The configuration is written.
    Written(Summary),
    /// The user chose to leave; nothing is written.
    Left,
}

impl Plan {
    /// Checks what was typed.
    ///
    /// # Errors
    /// What is missing, all at once; a file that is there already; no terminal to choose on.
    pub fn new(args: &Args) -> Result<Self> {
        let index = &args.index;
        let host = index.imap_host.as_deref().unwrap_or_default().trim();
        let missing: &[&str] = if host.is_empty() {
            &["--imap-host"]
        } else {
            &[]
        };
        let access = Access::new(&args.panel, "--mode index", missing)?;
        let tls = match (index.imap_starttls, index.no_imap_ssl) {
            (true, _) => TlsMode::StartTls,
            (false, true) => TlsMode::None,
            (false, false) => TlsMode::Implicit,
        };
        let usual_port = if tls == TlsMode::Implicit { 993 } else { 143 };
        let out = index
            .out
            .clone()
            .unwrap_or("export.pass.config.json".into());
        check_out(&out, index.overwrite)?;
        let choice = if index.all_domains {
            Choice::All
        } else if !index.domain.is_empty() {
            Choice::Named(index.domain.clone())
        } else if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            Choice::Ask
        } else {
            bail!(
                "there is no terminal to choose domains on: name them with --domain, or take all with --all-domains"
            );
        };
        let mut warnings = access.warnings.clone();
        Ok(Self {
            host: host.to_owned(),
            port: index.imap_port.unwrap_or(usual_port),
            tls,
            out,
            overwrite: index.overwrite,
            password: default_password(args, &mut warnings)?,
            choice,
            ignore_errors: args.ignore_errors,
            timeout: Duration::from_secs(u64::from(args.imap_timeout)),
            access,
            warnings,
        })
    }
}

/// Asks the panel, lets the user choose, writes the configuration.
///
/// # Errors
/// A panel that cannot be asked; domains that it does not have; those of the file system. Nothing is written then.
pub fn run(plan: &Plan, stop: &Stop) -> Result<Outcome> {
    let panel = DirectAdmin::new(&plan.access, plan.timeout, stop)?;
    let domains = domains(&panel)?;
    let listings = Arc::new(Listings::new(domains.names, Box::new(panel)));
    let workers = listing::start(&listings);
    let Some(chosen) = choose::choose(&plan.choice, &listings)? else {
        return Ok(Outcome::Left);
    };
    listings.only(&chosen);
    workers.finish();
    if stop.requested() {
        bail!("the run was stopped; nothing is written");
    }
    let mut indexed = Indexed::default();
    indexed.odd_domains(&domains.odd);
    for number in chosen {
        let listing = listings.get(number);
        if let Err(error) = &listing.names
            && !plan.ignore_errors
        {
            bail!("{error}; nothing is written (--ignore-errors leaves such domains out)");
        }
        indexed.add(listing, listings.user());
    }
    if indexed.accounts.is_empty() {
        bail!("there is no mailbox in the chosen domains; nothing is written");
    }
    let password = plan.password.as_ref().map_or("", |secret| secret.expose());
    let accounts = indexed.accounts.iter().map(|account| match &account.login {
        Some(login) => json!({"email": account.email, "login": login, "password": password}),
        None => json!({"email": account.email, "password": password}),
    });
    let accounts = accounts.collect();
    let mut config = json!({
        "server": {
            "host": plan.host,
            "port": plan.port,
            "ssl": plan.tls == TlsMode::Implicit,
            "starttls": plan.tls == TlsMode::StartTls,
        },
    });
    config["accounts"] = Value::Array(accounts);
    let config = SecretJson::new(config);
    if !write::write(&plan.out, &config, plan.overwrite)? {
        check_out(&plan.out, false)?;
    }
    Ok(Outcome::Written(Summary::new(
        plan,
        &indexed,
        listings.user(),
    )))
}

/// The user's domains, sorted, each once.
fn domains(panel: &DirectAdmin) -> Result<Names> {
    let mut found = panel.domains()?;
    for odd in &found.odd {
        warn!(panel = %panel.name(), "the panel lists {odd:?}, which is no domain name; it is left out");
    }
    found.names.sort_by_key(|name| name.to_lowercase());
    found.names.dedup_by_key(|name| name.to_lowercase());
    if found.names.is_empty() {
        let user = panel.user();
        bail!(
            "the panel's user {user} has no domains; as an administrator act for their owner with \
             --da-username 'admin|OWNER'"
        );
    }
    Ok(found)
}

/// The file must be one that can be written.
fn check_out(out: &Path, overwrite: bool) -> Result<()> {
    let shown = out.display();
    if out.is_dir() {
        bail!("--out {shown} is a directory");
    }
    if !overwrite && std::fs::symlink_metadata(out).is_ok() {
        bail!(
            "{shown} exists already; replace it with --overwrite, or write another file with --out"
        );
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        bail!("there is no directory {} for --out", parent.display());
    }
    Ok(())
}

fn default_password(args: &Args, warnings: &mut Vec<String>) -> Result<Option<Secret>> {
    let index = &args.index;
    access::one_of(&[
        ("--default-password", index.default_password.is_some()),
        (
            "--default-password-file",
            index.default_password_file.is_some(),
        ),
        (
            "--default-password-env",
            index.default_password_env.is_some(),
        ),
    ])?;
    if let Some(file) = &index.default_password_file {
        return access::from_file(file, "--default-password-file", warnings).map(Some);
    }
    if let Some(name) = &index.default_password_env {
        let secret = access::from_env(name).context("--default-password-env")?;
        return Ok(Some(secret));
    }
    let given = index.default_password.clone();
    let given = given.filter(|secret| !secret.expose().is_empty());
    if given.is_some() {
        warnings.push(access::visible(
            "--default-password",
            "--default-password-file",
        ));
    }
    Ok(given)
}

/// The numbers of named domains among those of the panel.
fn numbers_of(named: &[String], domains: &[String]) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    let mut unknown = Vec::new();
    for name in named {
        let wanted = domain_to_ascii(name);
        let same = |domain: &String| wanted.is_some() && domain_to_ascii(domain) == wanted;
        match domains.iter().position(same) {
            Some(number) if numbers.contains(&number) => {}
            Some(number) => numbers.push(number),
            None => unknown.push(name.as_str()),
        }
    }
    if !unknown.is_empty() {
        bail!(
            "the panel has no domain {}; it has {}",
            unknown.join(", "),
            summary::some(domains)
        );
    }
    Ok(numbers)
}
