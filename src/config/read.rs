//! Walks the JSON of a configuration and collects what is wrong with it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Account, Server, TlsMode};
use crate::credential::source::Source;
use crate::secret::Secret;

const SERVER_KEYS: [&str; 6] = ["host", "port", "ssl", "starttls", "ca_file", "insecure_tls"];
const ACCOUNT_KEYS: [&str; 6] = [
    "email",
    "login",
    "password",
    "password_file",
    "password_env",
    "password_command",
];
const SECRET_KEYS: &[&str] = ACCOUNT_KEYS.split_at(2).1;

/// Collects problems and warnings while it reads.
pub struct Reader<'a> {
    path: &'a Path,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a Path) -> Self {
        Self {
            path,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn into_findings(self) -> (Vec<String>, Vec<String>) {
        (self.problems, self.warnings)
    }

    fn problem(&mut self, at: &str, text: impl AsRef<str>) {
        self.problems.push(format!("{at}: {}", text.as_ref()));
    }

    /// Passwords are for their owner only.
    pub fn check_mode(&mut self, path: &Path, what: &str) {
        self.warnings.extend(super::readable_by_others(path, what));
    }

    /// A path in the configuration is relative to the configuration.
    fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    pub fn unknown_keys(&mut self, value: &Value, at: &str, known: &[&str]) {
        let Some(object) = value.as_object() else {
            return;
        };
        for key in object.keys() {
            if !known.contains(&key.as_str()) && !key.starts_with('_') {
                let dot = if at.is_empty() { "" } else { "." };
                let text = format!(
                    "{}: {at}{dot}{key}: unknown, ignored (known here: {})",
                    self.path.display(),
                    known.join(", ")
                );
                self.warnings.push(text);
            }
        }
    }

    fn string(&mut self, object: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        match object.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => {
                self.problem(&format!("{at}.{key}"), "must be a string");
                None
            }
        }
    }

    fn boolean(&mut self, object: &Map<String, Value>, at: &str, key: &str) -> Option<bool> {
        match object.get(key)? {
            Value::Null => None,
            Value::Bool(value) => Some(*value),
            _ => {
                self.problem(&format!("{at}.{key}"), "must be true or false");
                None
            }
        }
    }

    pub fn server(&mut self, json: &Value) -> Server {
        let empty = Map::new();
        let object = json["server"].as_object().unwrap_or(&empty);
        if !json.is_object() {
            self.problem(
                "(top level)",
                "must be an object with \"server\" and \"accounts\"",
            );
        } else if !json["server"].is_object() {
            self.problem("server", "is missing, or is not an object");
        }
        self.unknown_keys(&json["server"], "server", &SERVER_KEYS);
        let host = self.string(object, "server", "host");
        let host = host.map(|host| host.trim().to_owned()).unwrap_or_default();
        if host.is_empty() && json["server"].is_object() {
            self.problem(
                "server.host",
                "is missing or empty: the host name of the IMAP server",
            );
        }
        if host.starts_with("CHANGE_ME") {
            self.problem(
                "server.host",
                format!("is still {host}: put the real host name in"),
            );
        }
        let tls = self.tls(object);
        let port = self.port(object, tls);
        let ca_file = self
            .string(object, "server", "ca_file")
            .map(|file| self.resolve(&file));
        if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
            self.problem(
                "server.ca_file",
                format!("{} is not a file", file.display()),
            );
        }
        let insecure_tls = self
            .boolean(object, "server", "insecure_tls")
            .unwrap_or(false);
        self.warn_insecure(&host, tls, insecure_tls);
        Server {
            host,
            port,
            tls,
            ca_file,
            insecure_tls,
        }
    }

    fn tls(&mut self, object: &Map<String, Value>) -> TlsMode {
        let ssl = self.boolean(object, "server", "ssl");
        let starttls = self.boolean(object, "server", "starttls").unwrap_or(false);
        if ssl == Some(true) && starttls {
            self.problem(
                "server.starttls",
                "ssl and starttls cannot both be true: ssl is TLS from the first byte (port 993), starttls begins in plain text (port 143)",
            );
        }
        match (ssl, starttls) {
            (_, true) => TlsMode::StartTls,
            (Some(false), false) => TlsMode::None,
            (_, false) => TlsMode::Implicit,
        }
    }

    fn port(&mut self, object: &Map<String, Value>, tls: TlsMode) -> u16 {
        let default = if tls == TlsMode::Implicit { 993 } else { 143 };
        match object.get("port") {
            None | Some(Value::Null) => default,
            Some(value) => {
                let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
                port.filter(|port| *port > 0).unwrap_or_else(|| {
                    self.problem("server.port", "must be a whole number from 1 to 65535");
                    default
                })
            }
        }
    }

    fn warn_insecure(&mut self, host: &str, tls: TlsMode, insecure_tls: bool) {
        if insecure_tls {
            self.warnings.push(format!(
                "INSECURE: server.insecure_tls is set, any certificate is accepted: whoever is between here and {host} can read all passwords and mail"
            ));
        }
        let loopback = host == "localhost" || host.starts_with("127.") || host == "::1";
        if tls == TlsMode::None && !loopback {
            self.warnings.push(format!(
                "INSECURE: without ssl or starttls all passwords and mail cross the network to {host} in plain text"
            ));
        }
    }

    pub fn folder_map(&mut self, json: &Value) -> BTreeMap<String, String> {
        let map = match &json["folder_map"] {
            Value::Null => return BTreeMap::new(),
            Value::Object(map) => map.clone(),
            _ => {
                let text = "must be an object of names: {\"from\": \"to\"}";
                self.problem("folder_map", text);
                return BTreeMap::new();
            }
        };
        let mut names = BTreeMap::new();
        for (from, to) in map {
            match to {
                Value::String(to) if !to.is_empty() => {
                    names.insert(from, to);
                }
                _ => self.problem(&format!("folder_map.{from}"), "must be a mailbox name"),
            }
        }
        names
    }

    pub fn accounts(&mut self, json: &Value) -> Vec<Account> {
        let Some(list) = json["accounts"].as_array() else {
            if json.is_object() {
                self.problem("accounts", "is missing, or is not a list");
            }
            return Vec::new();
        };
        if list.is_empty() {
            self.problem("accounts", "is empty: there is nothing to do");
        }
        let mut seen = HashMap::new();
        let mut accounts = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let at = format!("accounts[{index}]");
            let Some(object) = value.as_object() else {
                self.problem(&at, "must be an object with \"email\" and \"password\"");
                continue;
            };
            self.unknown_keys(value, &at, &ACCOUNT_KEYS);
            let Some(account) = self.account(object, &at) else {
                continue;
            };
            if let Some(first) = seen.insert(account.email.to_lowercase(), index) {
                let text = format!("{} is the same account as accounts[{first}]", account.email);
                self.problem(&format!("{at}.email"), text);
            }
            accounts.push(account);
        }
        accounts
    }

    fn account(&mut self, object: &Map<String, Value>, at: &str) -> Option<Account> {
        let email = self.string(object, at, "email").unwrap_or_default();
        let email = email.trim().to_owned();
        if email.is_empty() || email.chars().any(char::is_control) {
            self.problem(
                &format!("{at}.email"),
                "is missing, empty, or holds control characters",
            );
        }
        let login = self
            .string(object, at, "login")
            .unwrap_or_else(|| email.clone());
        if !email.is_empty() && (login.is_empty() || login.chars().any(char::is_control)) {
            self.problem(
                &format!("{at}.login"),
                "is empty, or holds control characters",
            );
        }
        let source = self.source(object, at, &email)?;
        Some(Account {
            email,
            login,
            source,
        })
    }

    /// Exactly one of the four ways to give a password.
    fn source(&mut self, object: &Map<String, Value>, at: &str, email: &str) -> Option<Source> {
        let given: Vec<&str> = SECRET_KEYS
            .iter()
            .copied()
            .filter(|key| object.get(*key).is_some_and(|value| !value.is_null()))
            .collect();
        let [key] = given[..] else {
            let text = if given.is_empty() {
                format!(
                    "account {email} has no password; give one of {}",
                    SECRET_KEYS.join(", ")
                )
            } else {
                format!(
                    "account {email} has more than one password source: {}",
                    given.join(", ")
                )
            };
            self.problem(&format!("{at}.password"), text);
            return None;
        };
        let path = format!("{at}.{key}");
        if key == "password_command" {
            return self.command(&object[key], &path);
        }
        let text = self.string(object, at, key)?;
        let secret = match key {
            "password" => Ok(text),
            "password_env" => std::env::var(&text)
                .map_err(|_| format!("the environment variable {text} is not set, or is no UTF-8")),
            _ => self.password_file(&text),
        };
        match secret {
            Ok(secret) if secret.is_empty() => {
                self.problem(&path, format!("the password of account {email} is empty"));
                None
            }
            Ok(secret) => Some(Source::Ready(Secret::new(secret))),
            Err(reason) => {
                self.problem(&path, reason);
                None
            }
        }
    }

    fn password_file(&mut self, name: &str) -> Result<String, String> {
        let path = self.resolve(name);
        let shown = path.display();
        let bytes = std::fs::read(&path).map_err(|error| format!("read {shown}: {error}"))?;
        self.check_mode(&path, "the password file");
        String::from_utf8(bytes)
            .map(crate::credential::source::without_line_end)
            .map_err(|_| format!("{shown} is not UTF-8"))
    }

    fn command(&mut self, value: &Value, at: &str) -> Option<Source> {
        let words: Option<Vec<String>> = match value {
            Value::String(command) => Some(vec!["sh".into(), "-c".into(), command.clone()]),
            Value::Array(words) => words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        let words = words.filter(|words| words.iter().any(|word| !word.trim().is_empty()));
        if words.is_none() {
            self.problem(at, "must be a command as a string, or a list of its words");
        }
        words.map(Source::Command)
    }
}
