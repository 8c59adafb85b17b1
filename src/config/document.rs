//! Writes configurations: the only place that spells their keys for writing. A file appears 0600, as a whole or not at
//! all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::auth::PASSWORD_KEYS;
use super::{Config, TlsMode};
use crate::disk::output::Output;
use crate::secret::SecretJson;

/// The host to be replaced there.
pub const HOST: &str = "CHANGE_ME.example.com";

/// A configuration to be written.
pub struct Document(SecretJson);

impl Document {
    /// One server and its accounts.
    #[must_use]
    pub fn new(host: &str, port: u16, tls: TlsMode, accounts: Vec<Value>) -> Self {
        let mut json = json!({"server": server(host, port, tls)});
        json["accounts"] = Value::Array(accounts);
        Self(SecretJson::new(json))
    }

    /// Writes it; an existing file stays unless `replace`: then false.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path, replace: bool) -> Result<bool> {
        let bytes = serde_json::to_vec_pretty(self.0.expose()).context("write JSON")?;
        let mut bytes = Zeroizing::new(bytes);
        bytes.push(b'\n');
        let write = || {
            let mut file = Output::create(path)?;
            file.write_all(&bytes)?;
            if replace {
                return file.finish().map(|()| true);
            }
            file.finish_unless_there()
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

/// One account, with a login where it is not the address.
#[must_use]
pub fn account(email: &str, login: Option<&str>, password: &str) -> Value {
    match login {
        Some(login) => json!({"email": email, "login": login, "password": password}),
        None => json!({"email": email, "password": password}),
    }
}

/// Writes the import template: the same accounts, and servers still to be named. Not if there is such a file already,
/// nor where the configuration says itself where each account goes. Returns its path when written.
///
/// # Errors
/// Those of the file system.
pub fn write_template(config: &Config) -> Result<Option<PathBuf>> {
    let path = config.path.with_file_name(super::IMPORT);
    if config.has_both_sides || fs::symlink_metadata(&path).is_ok() {
        return Ok(None);
    }
    let to_be_named = || server(HOST, 993, TlsMode::Implicit);
    let mut json = json!({});
    if config.targets.is_empty() || config.targets.contains(&None) {
        json["server"] = to_be_named();
    }
    for name in config.targets.iter().flatten() {
        json["servers"][name] = to_be_named();
    }
    let written = config.written.expose();
    for key in ["accounts", "accounts_file", "folder_map", "imapsync"] {
        if let Some(value) = written.get(key) {
            json[key] = value.clone();
        }
    }
    let accounts = json.get_mut("accounts").and_then(Value::as_array_mut);
    for account in accounts.into_iter().flatten() {
        if let Some(account) = account.as_object_mut() {
            leave_out_source(account);
        }
    }
    let template = Document(SecretJson::new(json));
    let written = template
        .write(&path, false)
        .context("the import template")?;
    Ok(written.then_some(path))
}

/// What an account says of the source alone. A mailbox's own password goes with it; a token, and what opens other
/// people's mailboxes, are not for another server to see.
fn leave_out_source(account: &mut Map<String, Value>) {
    account.remove("server");
    let Some(Value::Object(auth)) = account.remove("auth") else {
        return;
    };
    if auth.contains_key("login") || auth.contains_key("authzid") {
        return;
    }
    for (key, value) in auth {
        if PASSWORD_KEYS.contains(&key.as_str()) {
            account.insert(key, value);
        }
    }
}

fn server(host: &str, port: u16, tls: TlsMode) -> Value {
    json!({
        "host": host,
        "port": port,
        "ssl": tls == TlsMode::Implicit,
        "starttls": tls == TlsMode::StartTls,
    })
}
