//! What `--mode index` is to write: checked before anything is asked.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::panel;
use crate::cli::Args;
use crate::config::{self, TlsMode};
use crate::panel::access::Access;
use crate::secret::Secret;

/// Which of a panel's domains are meant.
#[derive(Debug, Clone)]
pub enum Choice {
    /// All of them.
    All,
    /// By name.
    Named(Vec<String>),
    /// On the terminal.
    Ask,
}

/// What is to be written, checked before anything is asked.
pub struct IndexPlan {
    /// The panel.
    pub access: Access,
    /// Host name of the IMAP server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// The file to write.
    pub out: PathBuf,
    /// Replace it if it is there.
    pub overwrite: bool,
    /// Password of all accounts.
    pub password: Option<Secret>,
    /// Which domains.
    pub choice: Choice,
    /// Leave out domains that cannot be listed.
    pub ignore_errors: bool,
    /// Longest wait for the panel.
    pub timeout: Duration,
    /// What is allowed but worth knowing.
    pub warnings: Vec<String>,
}

impl IndexPlan {
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
        let access = panel::access(&args.panel, "--mode index", missing)?;
        let tls = match (index.imap_starttls, index.no_imap_ssl) {
            (true, _) => TlsMode::StartTls,
            (false, true) => TlsMode::None,
            (false, false) => TlsMode::Implicit,
        };
        let usual_port = if tls == TlsMode::Implicit { 993 } else { 143 };
        let out = index.out.clone().unwrap_or(config::EXPORT.into());
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

/// The file must be writable.
///
/// # Errors
/// Says why it is not, and what to do.
pub fn check_out(out: &Path, overwrite: bool) -> Result<()> {
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
    panel::one_of(&[
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
        return panel::from_file(file, "--default-password-file", warnings).map(Some);
    }
    if let Some(name) = &index.default_password_env {
        let secret = panel::from_env(name).context("--default-password-env")?;
        return Ok(Some(secret));
    }
    let given = index.default_password.clone();
    let given = given.filter(|secret| !secret.expose().is_empty());
    if given.is_some() {
        warnings.push(panel::visible(
            "--default-password",
            "--default-password-file",
        ));
    }
    Ok(given)
}
