//! The servers of a configuration: the default one and those that accounts choose by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::location::Location;
use super::reader::ConfigReader;
use super::{MinTls, Server, TlsMode};

const KEYS: [&str; 9] = [
    "host",
    "port",
    "ssl",
    "starttls",
    "ca_file",
    "insecure_tls",
    "min_tls",
    "limits",
    "auth",
];

/// All of them.
#[derive(Debug, Default)]
pub struct Servers {
    default: Option<Arc<Server>>,
    named: BTreeMap<String, Arc<Server>>,
}

impl Servers {
    /// The one of this name, or the default one.
    pub fn get(&self, name: Option<&str>) -> Option<Arc<Server>> {
        match name {
            None => self.default.clone(),
            Some(name) => self.named.get(name).cloned().or_else(|| self.at(name)),
        }
    }

    /// The only one on this host: lists of other tools name hosts.
    fn at(&self, host: &str) -> Option<Arc<Server>> {
        let all = self.default.iter().chain(self.named.values());
        let mut there = all.filter(|server| server.host.eq_ignore_ascii_case(host));
        let found = there.next()?;
        there.next().is_none().then(|| Arc::clone(found))
    }

    /// True where accounts can choose.
    pub fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// What an account can choose from, in words.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.named.keys().map(String::as_str).collect();
        if names.is_empty() {
            return "there is only the default one: give it a name in \"servers\"".to_owned();
        }
        format!("\"servers\" has: {}", names.join(", "))
    }
}

impl ConfigReader<'_> {
    pub fn servers(&mut self, json: &Value) -> Servers {
        let top = Location::top();
        if !json.is_object() {
            self.problem(&top, "must be an object with \"server\" and \"accounts\"");
            return Servers::default();
        }
        let mut servers = Servers::default();
        let has_named = match &json["servers"] {
            Value::Null => false,
            Value::Object(named) => {
                let at = top.key("servers");
                for (name, server) in named {
                    let Some(object) = server.as_object() else {
                        self.problem(at.key(name), "must be an object with \"host\"");
                        continue;
                    };
                    let server = self.server(object, &at.key(name), Some(name));
                    servers.named.insert(name.clone(), Arc::new(server));
                }
                !named.is_empty()
            }
            _ => {
                let text = "must be an object of servers: {\"name\": {\"host\": …}}";
                self.problem(top.key("servers"), text);
                false
            }
        };
        match &json["server"] {
            Value::Object(object) => {
                let server = self.server(object, &top.key("server"), None);
                servers.default = Some(Arc::new(server));
            }
            Value::Null if has_named => {}
            _ => self.problem("server", "is missing, or is not an object"),
        }
        servers
    }

    fn server(&mut self, object: &Map<String, Value>, at: &Location, name: Option<&str>) -> Server {
        self.unknown_keys(object, at, &KEYS);
        let host = self.string(object, at, "host");
        let host = host.map(|host| host.trim().to_owned()).unwrap_or_default();
        if host.is_empty() {
            self.problem(
                at.key("host"),
                "is missing or empty: the host name of the IMAP server",
            );
        }
        if host.starts_with("CHANGE_ME") {
            let text = format!("is still {host}: put the real host name in");
            self.problem(at.key("host"), text);
        }
        let tls = self.tls(object, at);
        let port = self.port(object, at, tls);
        let ca_file = self.string(object, at, "ca_file");
        let ca_file = ca_file.map(|file| self.resolve(&file));
        if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
            let text = format!("{} is not a file", file.display());
            self.problem(at.key("ca_file"), text);
        }
        let insecure_tls = self.boolean(object, at, "insecure_tls").unwrap_or(false);
        let min_tls = self.min_tls(object, at, &host, tls);
        let limits = self.limits(object, at);
        self.warn_insecure(at, &host, tls, insecure_tls);
        Server {
            name: name.map(str::to_owned),
            host,
            port,
            tls,
            ca_file,
            insecure_tls,
            min_tls,
            limits,
            auth: self.auth(object, at),
        }
    }

    fn tls(&mut self, object: &Map<String, Value>, at: &Location) -> TlsMode {
        let ssl = self.boolean(object, at, "ssl");
        let starttls = self.boolean(object, at, "starttls").unwrap_or(false);
        if ssl == Some(true) && starttls {
            self.problem(
                at.key("starttls"),
                "ssl and starttls cannot both be true: ssl is TLS from the first byte (port 993), starttls begins in plain text (port 143)",
            );
        }
        match (ssl, starttls) {
            (_, true) => TlsMode::StartTls,
            (Some(false), false) => TlsMode::None,
            (_, false) => TlsMode::Implicit,
        }
    }

    fn min_tls(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        host: &str,
        tls: TlsMode,
    ) -> Option<MinTls> {
        let at = at.key("min_tls");
        let word = match object.get("min_tls")? {
            Value::Null => return None,
            value => value.as_str().unwrap_or_default(),
        };
        let Some(least) = MinTls::ALL.into_iter().find(|one| one.as_str() == word) else {
            self.problem(at, "must be \"1.0\", \"1.1\", \"1.2\" or \"1.3\"");
            return None;
        };
        if tls == TlsMode::None {
            self.problem(at, "says nothing where neither ssl nor starttls is on");
        } else if least.is_old() {
            self.warnings.push(format!(
                "INSECURE: {at} is {word}: versions of TLS, ciphers and keys are accepted that have been broken for \
                 years; whoever is between here and {host} may be able to read all passwords and mail"
            ));
        }
        Some(least)
    }

    fn port(&mut self, object: &Map<String, Value>, at: &Location, tls: TlsMode) -> u16 {
        let default = if tls == TlsMode::Implicit { 993 } else { 143 };
        match object.get("port") {
            None | Some(Value::Null) => default,
            Some(value) => {
                let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
                port.filter(|port| *port > 0).unwrap_or_else(|| {
                    self.problem(at.key("port"), "must be a whole number from 1 to 65535");
                    default
                })
            }
        }
    }

    fn warn_insecure(&mut self, at: &Location, host: &str, tls: TlsMode, insecure_tls: bool) {
        if insecure_tls {
            self.warnings.push(format!(
                "INSECURE: {at}.insecure_tls is set, any certificate is accepted: whoever is between here and {host} can read all passwords and mail"
            ));
        }
        let loopback = host == "localhost" || host.starts_with("127.") || host == "::1";
        if tls == TlsMode::None && !loopback {
            self.warnings.push(format!(
                "INSECURE: without ssl or starttls all passwords and mail cross the network to {host} in plain text"
            ));
        }
    }
}
