//! What was typed about a panel and about the configuration that is made from it.

// Doc comments are what --help prints.
#![allow(rustdoc::bare_urls)]

use std::path::PathBuf;

use clap::Args;

use crate::secret::Secret;

/// The panel: who logs in where. The aliases are those of the original indexer.
#[derive(Debug, Clone, Args)]
// Switches on a command line are bools; help is no Markdown.
#[allow(clippy::struct_excessive_bools, clippy::doc_markdown)]
pub struct PanelArgs {
    /// Import: create mailboxes that the panel does not have yet, with the passwords of the configuration
    #[arg(long)]
    pub auto_provision_da: bool,

    /// The panel, as in https://panel.example.com:2222
    #[arg(long, visible_alias = "url", value_name = "URL")]
    pub da_url: Option<String>,

    /// User name on the panel; "admin|user" acts for a user
    #[arg(long, visible_alias = "username", value_name = "NAME")]
    pub da_username: Option<String>,

    /// Password or login key; others can see it in the process list, a file or variable is better
    #[arg(long, visible_alias = "password", value_name = "SECRET", value_parser = secret, allow_hyphen_values = true)]
    pub da_password: Option<Secret>,

    /// File with the password or login key
    #[arg(long, visible_alias = "password-file", value_name = "FILE")]
    pub da_password_file: Option<PathBuf>,

    /// Environment variable with the password or login key [default: DA_PASSWORD]
    #[arg(long, visible_alias = "password-env", value_name = "VARIABLE")]
    pub da_password_env: Option<String>,

    /// PEM file with the certificate authority of the panel
    #[arg(long, value_name = "FILE")]
    pub da_ca_file: Option<PathBuf>,

    /// Accept any certificate of the panel (INSECURE)
    #[arg(long, visible_alias = "no-verify-ssl")]
    pub da_no_verify_ssl: bool,

    /// Allow a URL that begins with http:// (INSECURE)
    #[arg(long)]
    pub da_allow_http: bool,

    /// Import: show which mailboxes exist and which would be created, then end
    #[arg(long)]
    pub da_dry_run: bool,

    /// Import: quota of created mailboxes, in MB; 0 is unlimited [default: 0]
    #[arg(long, value_name = "N")]
    pub da_quota_mb: Option<u32>,
}

impl PanelArgs {
    /// True when one of the flags says where the password is.
    #[must_use]
    pub fn names_a_password(&self) -> bool {
        self.da_password.is_some()
            || self.da_password_file.is_some()
            || self.da_password_env.is_some()
    }
}

/// The configuration that index writes.
#[derive(Debug, Clone, Args)]
// Switches on a command line are bools.
#[allow(clippy::struct_excessive_bools)]
pub struct IndexArgs {
    /// Host name of the IMAP server, for the configuration
    #[arg(long, value_name = "HOST")]
    pub imap_host: Option<String>,

    /// Port of the IMAP server [default: 993, or 143 with --no-imap-ssl or --imap-starttls]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub imap_port: Option<u16>,

    /// TLS from the first byte on, which is the default
    #[arg(long, overrides_with = "no_imap_ssl")]
    pub imap_ssl: bool,

    /// No TLS from the first byte on
    #[arg(long, overrides_with = "imap_ssl")]
    pub no_imap_ssl: bool,

    /// TLS with STARTTLS
    #[arg(long)]
    pub imap_starttls: bool,

    /// The file to write [default: export.pass.config.json]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,

    /// Replace the file if it is there already
    #[arg(long)]
    pub overwrite: bool,

    /// Password of all accounts; others can see it in the process list, a file is better
    #[arg(long, value_name = "SECRET", value_parser = secret, allow_hyphen_values = true)]
    pub default_password: Option<Secret>,

    /// File with the password of all accounts
    #[arg(long, value_name = "FILE")]
    pub default_password_file: Option<PathBuf>,

    /// Environment variable with the password of all accounts
    #[arg(long, value_name = "VARIABLE")]
    pub default_password_env: Option<String>,

    /// Take this domain instead of asking; may be given several times
    #[arg(long, value_name = "DOMAIN", conflicts_with = "all_domains")]
    pub domain: Vec<String>,

    /// Take all domains instead of asking
    #[arg(long)]
    pub all_domains: bool,
}

// The signature is clap's.
#[allow(clippy::unnecessary_wraps)]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}
