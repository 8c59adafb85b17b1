//! The accounts of a configuration.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Account;
use super::place::Place;
use super::read::Reader;
use super::server::Servers;
use crate::credential::source::{self, Source};
use crate::secret::Secret;

const KEYS: [&str; 8] = [
    "email",
    "login",
    "server",
    "archive",
    "password",
    "password_file",
    "password_env",
    "password_command",
];
const SECRET_KEYS: &[&str] = KEYS.split_at(4).1;

impl Reader<'_> {
    pub fn accounts(&mut self, json: &Value, servers: &Servers) -> Vec<Account> {
        let list_at = Place::top().key("accounts");
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
            let at = list_at.element(index);
            let Some(object) = value.as_object() else {
                self.problem(&at, "must be an object with \"email\" and \"password\"");
                continue;
            };
            self.unknown_keys(object, &at, &KEYS);
            let Some(account) = self.account(object, &at, servers) else {
                continue;
            };
            if let Some(first) = seen.insert(account.name.to_lowercase(), at.clone()) {
                let name = &account.name;
                let text = format!(
                    "{name} is the same account as {first}; where it is another server's, \"archive\" gives it a directory of its own"
                );
                self.problem(at.key("email"), text);
            }
            accounts.push(account);
        }
        accounts
    }

    fn account(
        &mut self,
        object: &Map<String, Value>,
        at: &Place,
        servers: &Servers,
    ) -> Option<Account> {
        let email = self.string(object, at, "email").unwrap_or_default();
        let email = email.trim().to_owned();
        if email.is_empty() || email.chars().any(char::is_control) {
            self.problem(
                at.key("email"),
                "is missing, empty, or holds control characters",
            );
        }
        let login = self.string(object, at, "login");
        let login = login.unwrap_or_else(|| email.clone());
        let unusable = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        if !email.is_empty() && unusable(&login) {
            self.problem(at.key("login"), "is empty, or holds control characters");
        }
        let archive = self.string(object, at, "archive");
        if archive.as_deref().is_some_and(unusable) {
            self.problem(at.key("archive"), "is empty, or holds control characters");
        }
        let chosen = self.string(object, at, "server");
        let server = servers.get(chosen.as_deref());
        match (&server, &chosen) {
            (None, Some(chosen)) => {
                let text = format!(
                    "there is no server {chosen}; \"servers\" has: {}",
                    servers.names()
                );
                self.problem(at.key("server"), text);
            }
            (None, None) if servers.has_named() => {
                let text = format!(
                    "is missing, and there is no default \"server\"; \"servers\" has: {}",
                    servers.names()
                );
                self.problem(at.key("server"), text);
            }
            _ => {}
        }
        let source = self.source(object, at, &email)?;
        Some(Account {
            name: archive.unwrap_or_else(|| email.clone()),
            email,
            login,
            server: server?,
            source,
        })
    }

    /// Exactly one of the four ways to give a password.
    fn source(&mut self, object: &Map<String, Value>, at: &Place, email: &str) -> Option<Source> {
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
            self.problem(at.key("password"), text);
            return None;
        };
        let path = at.key(key);
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
                self.problem(path, format!("the password of account {email} is empty"));
                None
            }
            Ok(secret) => Some(Source::Ready(Secret::new(secret))),
            Err(reason) => {
                self.problem(path, reason);
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
            .map(source::without_line_end)
            .map_err(|_| format!("{shown} is not UTF-8"))
    }

    fn command(&mut self, value: &Value, at: &Place) -> Option<Source> {
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
