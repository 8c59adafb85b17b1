//! The JSON file with server and accounts: read as a whole, everything wrong with it reported at once.

mod account;
mod auth;
mod csv;
pub mod document;
mod json;
pub mod limits;
mod location;
mod oauth;
mod reader;
mod server;
mod side;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use zeroize::Zeroizing;

pub use auth::{Auth, Mechanism};
use limits::Limits;
use location::Location;
use reader::ConfigReader;

use crate::credential::{self, Credential, CredentialSource, Refusal, Who};
use crate::mapping::FolderMap;
use crate::plural;
use crate::secret::SecretJson;
use crate::stop::Stop;

/// The default file of modes that bring messages to a server.
pub const IMPORT: &str = "import.pass.config.json";
/// The default file of all other modes.
pub const EXPORT: &str = "export.pass.config.json";

/// What a configuration's servers are to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Mail comes from there.
    Source,
    /// Mail goes there.
    Target,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// With the connection, usually on port 993.
    Implicit,
    /// With STARTTLS, usually on port 143.
    StartTls,
    /// Never.
    None,
}

impl TlsMode {
    /// The word that states and reports use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }
}

/// The oldest version of TLS that is spoken with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinTls {
    /// TLS 1.0 (RFC 2246).
    V10,
    /// TLS 1.1 (RFC 4346).
    V11,
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

impl MinTls {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::V10, Self::V11, Self::V12, Self::V13];

    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V10 => "1.0",
            Self::V11 => "1.1",
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }

    /// Current systems refuse it (RFC 8996), along with the weak keys and digests that go with it.
    #[must_use]
    pub fn is_old(self) -> bool {
        matches!(self, Self::V10 | Self::V11)
    }
}

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    /// What accounts call it; the default one has no name.
    pub name: Option<String>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// PEM file with further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure_tls: bool,
    /// The oldest version of TLS, where it is not what the system demands.
    pub min_tls: Option<MinTls>,
    /// What a run may take of it.
    pub limits: Limits,
    /// How accounts log in that do not say so themselves.
    pub auth: Auth,
}

impl Server {
    /// Host and port.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// True where both are one host and port.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

/// One login.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account's name, which no other one has; its directory in the archive.
    pub name: String,
    /// Its address.
    pub email: String,
    /// User name for the login; `email` unless given.
    pub login: String,
    /// Whose mail it is, where the login is somebody else's (SASL PLAIN).
    pub authzid: Option<String>,
    /// How the proof is sent.
    pub mechanism: Mechanism,
    /// Where its mail is.
    pub server: Arc<Server>,
    /// Where the proof comes from.
    pub way: CredentialSource,
    /// It stands at the server: other accounts there use the same one.
    pub shares_way: bool,
}

impl Account {
    /// An account that never logs in.
    #[cfg(test)]
    pub(crate) fn for_tests(email: &str) -> Self {
        Self {
            name: email.to_owned(),
            email: email.to_owned(),
            login: email.to_owned(),
            server: Arc::new(Server {
                name: None,
                host: "localhost".to_owned(),
                port: 993,
                tls: TlsMode::Implicit,
                ca_file: None,
                insecure_tls: false,
                min_tls: None,
                limits: Limits::default(),
                auth: Auth::default(),
            }),
            authzid: None,
            mechanism: Mechanism::Auto,
            shares_way: false,
            way: CredentialSource::Password(credential::source::PasswordSource::Ready(
                crate::secret::Secret::new("secret".to_owned()),
            )),
        }
    }

    /// Whose mail it is, as the server knows him: an administrator's login is everybody's.
    #[must_use]
    pub fn whose(&self) -> &str {
        self.authzid.as_deref().unwrap_or(&self.login)
    }

    /// Whom its credential is for.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        Who {
            email: &self.email,
            login: &self.login,
            host: &self.server.host,
        }
    }

    /// What proves the login now; commands run, and tokens are asked for.
    ///
    /// # Errors
    /// A command that fails, hangs or says nothing; a token that cannot be had.
    pub fn credential(&self, stop: &Stop) -> credential::Result<Credential> {
        self.way.credential(self.who(), stop)
    }

    /// The server took the credential.
    pub fn accepted(&self, credential: &Credential) {
        self.way.accepted(self.who(), credential);
    }

    /// The server refused the credential.
    #[must_use]
    pub fn refused(&self, credential: &Credential) -> Refusal {
        self.way.refused(self.who(), credential)
    }
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// The accounts, in the file's order.
    pub accounts: Vec<Account>,
    /// Import: mailboxes of the archive that go to a mailbox of another name, by their exact names.
    pub folder_map: FolderMap,
    /// What is done with imapsync, where the command line does not say.
    pub imapsync: Option<UseImapsync>,
    /// What is allowed but worth knowing.
    pub warnings: Vec<String>,
    /// The servers that accounts name for the target; `None` of those that name none.
    pub targets: BTreeSet<Option<String>>,
    /// It says where each account goes, and how to get in there: both sides of a move.
    pub has_both_sides: bool,
    /// The JSON as written, for the import template.
    pub written: SecretJson,
}

/// The shortest configuration that works.
const EXAMPLE: &str = r#"
  {
    "server": {"host": "imap.example.com"},
    "accounts": [
      {"email": "anna@example.com", "password": "her password"}
    ]
  }"#;

/// Problems that are listed; the rest are counted.
const SHOWN: usize = 200;

const KEYS: [&str; 7] = [
    "imapsync",
    "accounts_file",
    "server",
    "servers",
    "accounts",
    "folder_map",
    "source_server",
];

impl Config {
    /// The servers that the accounts are on, each once.
    #[must_use]
    pub fn servers(&self) -> Vec<&Arc<Server>> {
        let mut servers: Vec<&Arc<Server>> = Vec::new();
        for account in &self.accounts {
            if !servers
                .iter()
                .any(|known| Arc::ptr_eq(known, &account.server))
            {
                servers.push(&account.server);
            }
        }
        servers
    }
}

/// Reads and checks a configuration. If somebody can be asked, a password may be missing: it is typed later.
///
/// # Errors
/// A file that cannot be read, is no JSON (with line and column), or has problems (all of them, each with its JSON
/// path).
pub fn load(path: &Path, side: Side, can_ask: bool) -> Result<Config> {
    let shown = path.display();
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| unreadable(path, &error))?);
    let (json, twice) = json::parse(&bytes).map_err(|why| {
        let list = csv::instead_of(path, &bytes);
        list.map_or_else(
            || anyhow!("{shown} is not valid JSON: {why}"),
            |instead| anyhow!("{instead}"),
        )
    })?;
    let json = SecretJson::new(json);
    let mut reader = ConfigReader::new(path, side, can_ask);
    reader.check_mode(path, "the configuration");
    for at in twice {
        let text =
            "stands twice in one object, and only one can be meant; is there a \"}, {\" missing?";
        reader.problem(at, text);
    }
    let servers = reader.servers(json.expose());
    let accounts = reader.accounts(json.expose(), &servers);
    let folder_map = FolderMap::new(reader.folder_map(json.expose()));
    let mut imapsync = None;
    if let Some(object) = json.expose().as_object() {
        imapsync = reader.imapsync(object);
        reader.unknown_keys(object, &Location::top(), &KEYS);
    }
    let targets = std::mem::take(&mut reader.targets);
    let is_here = |name: &Option<String>| name.is_some() && servers.get(name.as_deref()).is_some();
    let has_both_sides = !targets.is_empty() && targets.iter().all(is_here);
    let (problems, warnings) = reader.into_findings();
    if !problems.is_empty() {
        let count = plural::counted(problems.len(), "problem");
        // A misspelt name, which is only a warning, often explains the problem beside it.
        let all = [problems, warnings].concat();
        let (first, rest) = all.split_at(all.len().min(SHOWN));
        let mut lines = first.to_vec();
        if !rest.is_empty() {
            lines.push(format!("and {} more", rest.len()));
        }
        bail!("{shown} has {count}:\n  {}", lines.join("\n  "));
    }
    Ok(Config {
        path: path.to_path_buf(),
        accounts,
        folder_map,
        imapsync,
        warnings,
        targets,
        has_both_sides,
        written: json,
    })
}

/// The warning about a file with passwords that others than its owner can read.
#[must_use]
pub fn readable_by_others(path: &Path, what: &str) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let mode = metadata.mode();
    let shown = path.display();
    (mode & 0o077 != 0 && metadata.is_file()).then(|| {
        format!(
            "{what} {shown} can be read by others than its owner (mode {:04o}); run: chmod 600 {shown}",
            mode & 0o7777
        )
    })
}

/// Why there is no configuration, and what to do about it.
fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let shown = path.display();
    if error.kind() != std::io::ErrorKind::NotFound {
        return anyhow!("read the configuration {shown}: {error}; name another one with --config");
    }
    let here = std::env::current_dir().unwrap_or_default();
    let place = path.parent().unwrap_or(Path::new(""));
    anyhow!(
        "there is no {} in {}: write one, or name one with --config. An example:\n{EXAMPLE}",
        path.file_name().unwrap_or_default().display(),
        here.join(place).display()
    )
}

/// What is done with imapsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseImapsync {
    /// Without it nothing is begun.
    Require,
    /// Where it is there it is run.
    Auto,
    /// It is not run.
    Never,
}

impl UseImapsync {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Require, Self::Auto, Self::Never];

    /// The word in options and configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Auto => "auto",
            Self::Never => "never",
        }
    }
}

#[cfg(test)]
mod tests;
