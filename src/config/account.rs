//! The accounts of a configuration.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::auth::{Auth, PASSWORD_KEYS};
use super::location::Location;
use super::reader::ConfigReader;
use super::server::Servers;
use super::{Account, Server, side};
use crate::credential::source::PasswordSource;
use crate::credential::{CredentialSource, Who};

const KEYS: [&str; 16] = [
    "email",
    "login",
    "server",
    "archive",
    "auth",
    "password",
    "password_file",
    "password_env",
    "password_command",
    "target_email",
    "target_login",
    "target_server",
    "target_password",
    "target_password_file",
    "target_password_env",
    "target_password_command",
];

/// The accounts so far, and where each name was met.
#[derive(Default)]
struct AccountList {
    list: Vec<Account>,
    seen: HashMap<String, Location>,
}

impl ConfigReader<'_> {
    pub fn accounts(&mut self, json: &Value, servers: &Servers) -> Vec<Account> {
        let file = match json.as_object() {
            Some(object) => self.string(object, &Location::top(), "accounts_file"),
            None => return Vec::new(),
        };
        let mut accounts = AccountList::default();
        self.written(json, servers, file.is_none(), &mut accounts);
        if let Some(file) = file {
            let before = self.problems();
            self.list(&file, |reader, at, row| {
                reader.note_target(row);
                let object = side::seen_from(reader.side, row, true);
                let account = reader.account(&object, at, servers);
                reader.add(account, at, &mut accounts);
            });
            if accounts.list.is_empty() && self.problems() == before {
                let text = format!("{file} has no line with an account: there is nothing to do");
                self.problem("accounts_file", text);
            }
        }
        accounts.list
    }

    /// Those of the JSON itself.
    fn written(
        &mut self,
        json: &Value,
        servers: &Servers,
        is_needed: bool,
        accounts: &mut AccountList,
    ) {
        let list = match &json["accounts"] {
            Value::Array(list) => list,
            Value::Null if !is_needed => return,
            _ => return self.problem("accounts", "is missing, or is not a list"),
        };
        if list.is_empty() && is_needed {
            self.problem("accounts", "is empty: there is nothing to do");
        }
        let list_at = Location::top().key("accounts");
        for (index, value) in list.iter().enumerate() {
            let at = list_at.element(index);
            let Some(object) = value.as_object() else {
                self.problem(&at, "must be an object with \"email\" and \"password\"");
                continue;
            };
            self.note_target(object);
            let can_ask = self.can_ask;
            // A password under an unknown name is not asked for.
            self.can_ask &= !self.unknown_keys(object, &at, &KEYS);
            let object = side::seen_from(self.side, object, false);
            let account = self.account(&object, &at, servers);
            self.can_ask = can_ask;
            self.add(account, &at, accounts);
        }
    }

    fn note_target(&mut self, object: &Map<String, Value>) {
        let name = object.get("target_server").and_then(Value::as_str);
        // In a long list nearly all name the same one.
        if !self.targets.iter().any(|known| known.as_deref() == name) {
            self.targets.insert(name.map(str::to_owned));
        }
    }

    /// Takes an account in, unless it is the same as another.
    fn add(&mut self, account: Option<Account>, at: &Location, accounts: &mut AccountList) {
        let Some(account) = account else { return };
        if let Some(first) = accounts
            .seen
            .insert(account.name.to_lowercase(), at.clone())
        {
            let name = &account.name;
            let text = format!(
                "{name} is the same account as {first}; where it is another server's, \"archive\" gives it a directory of its own"
            );
            self.problem(at.key("email"), text);
        }
        accounts.list.push(account);
    }

    fn account(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
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
        let unusable = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        if login.as_deref().is_some_and(unusable) {
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
                let text = format!("there is no server {chosen}; {}", servers.names());
                self.problem(at.key("server"), text);
            }
            (None, None) if servers.has_named() => {
                let text = format!(
                    "is missing, and there is no default \"server\"; {}",
                    servers.names()
                );
                self.problem(at.key("server"), text);
            }
            _ => {}
        }
        let own = self.auth(object, at);
        let auth = match &server {
            Some(server) => own.clone().or(&server.auth),
            None => own.clone(),
        };
        let way = self.way_of(object, at, &own, &auth, server.as_deref());
        let who = |login| Who {
            email: &email,
            login,
            host: "",
        };
        let login = login.unwrap_or_else(|| {
            let login = auth.login.as_ref().map(|login| login.fill(who(&email)));
            login.unwrap_or_else(|| email.clone())
        });
        let authzid = auth.authzid.as_ref().map(|name| name.fill(who(&login)));
        Some(Account {
            name: archive.unwrap_or_else(|| email.clone()),
            login,
            authzid,
            mechanism: auth.mechanism.unwrap_or_default(),
            shares_way: own.way.is_none()
                && !gives_any(object, PASSWORD_KEYS)
                && server
                    .as_ref()
                    .is_some_and(|server| server.auth.way.is_some()),
            server: server?,
            way: way?,
            email,
        })
    }

    /// Where the proof comes from: of the account itself, of its `auth`, or of its server.
    fn way_of(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        own: &Auth,
        auth: &Auth,
        server: Option<&Server>,
    ) -> Option<CredentialSource> {
        let password = self.way(object, at, PASSWORD_KEYS);
        if password.is_some() && own.way.is_some() {
            self.problem(
                at.key("auth"),
                "is given beside a password; give one of them",
            );
        }
        let way = password.or_else(|| auth.way.clone());
        let Some(way) = way else {
            // What is given but cannot be used has been reported already.
            if gives_any(object, PASSWORD_KEYS) || auth.names_a_way {
                return None;
            }
            if let Some(server) = server.filter(|_| self.can_ask) {
                let typed = CredentialSource::Password(self.typed(object, own, server));
                if auth.mechanism.is_none_or(|one| one.fits(&typed)) {
                    return Some(typed);
                }
            }
            let email = object.get("email").and_then(Value::as_str);
            let text = format!(
                "account {} has no password; give one of {}, or \"auth\", here or at its server",
                email.unwrap_or_default(),
                PASSWORD_KEYS.join(", ")
            );
            self.problem(at.key("password"), text);
            return None;
        };
        self.check_mechanism(at, auth.mechanism, &way);
        Some(way)
    }

    /// A password to be typed: that of the login which its server says for all, else its own.
    fn typed(
        &mut self,
        object: &Map<String, Value>,
        own: &Auth,
        server: &Server,
    ) -> PasswordSource {
        let says_login = |auth: &Auth| auth.login.is_some() || auth.authzid.is_some();
        let text = |key| object.get(key).and_then(Value::as_str);
        if says_login(&server.auth) && !says_login(own) && text("login").is_none() {
            let asked = self.asked.entry(server.name.clone());
            let whose = || format!("for all accounts at {}", server.place());
            return asked
                .or_insert_with(|| PasswordSource::typed(whose()))
                .clone();
        }
        let email = text("email").unwrap_or_default().trim();
        PasswordSource::typed(format!("of {email} at {}", server.place()))
    }
}

fn gives_any(object: &Map<String, Value>, keys: &[&str]) -> bool {
    let is_given = |key: &&str| object.get(*key).is_some_and(|value| !value.is_null());
    keys.iter().any(is_given)
}
