//! A panel of one's own: `standin.py` over real HTTPS, with its own CA. Knows nothing of the product.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::run::python;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::control::Control;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::supervise::Supervised;
use crate::kit::servers::tls::{Certificates, Shown};
use crate::kit::wait_until;

/// The user that every panel of a test has, and the password.
pub const USER: &str = "bob";
/// Its password.
pub const SECRET: &str = "panel&secret+1";

/// The spellings of answers that standin.py knows.
pub const STYLES: [&str; 7] = [
    "form",
    "percent",
    "entity",
    "comma",
    "json",
    "json-list",
    "json-old",
];

/// A running panel; stops when dropped.
pub struct Panel {
    /// The CA that clients are to trust.
    pub ca_file: PathBuf,
    port: u16,
    plain: bool,
    control: Control,
    _process: Supervised,
    dir: TempDir,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `domains`, `list`, `full_list`, `create`.
    pub action: String,
    /// GET or POST.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// Query of the URL, undecoded.
    pub query: String,
    /// Body, undecoded.
    pub body: String,
    /// Who logged in.
    pub user: String,
    /// Port of the client's connection.
    pub connection: u64,
    /// Requests that the panel was at work on, this one included.
    pub at_work: u64,
}

impl Panel {
    /// One with these domains of [`USER`], as `{"example.org": ["anna"]}`.
    pub fn start(domains: &Value) -> Self {
        Self::start_with(domains, Shown::Good, false)
    }

    /// The same with another certificate, or without TLS.
    pub fn start_with(domains: &Value, shown: Shown, plain: bool) -> Self {
        let dir = TempDir::new();
        let certificates = Certificates::make(dir.path(), shown);
        let control = json!({
            "users": {USER: SECRET, "admin": "of the admin"},
            "domains": {USER: domains},
        });
        let path = |name: &str| dir.join(name);
        let control = Control::new(dir.path(), control);
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/kit/servers/panel/standin.py"
        );
        let place = dir.path().display().to_string();
        let mut command = python::words(&[script, &place]);
        command.extend(plain.then_some("--plain"));
        let process = Supervised::start(&command, &path("console"));
        wait_until("the panel listens", || path("port").exists());
        let port = fs::read_to_string(path("port")).expect("read the port");
        Self {
            ca_file: certificates.ca_file,
            port: port.parse().expect("a port"),
            plain,
            control,
            _process: process,
            dir,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// The flags that lead to it and trust it.
    pub fn flags(&self) -> Vec<String> {
        let ca_file = self.ca_file.display().to_string();
        let key = self.dir.join("panel.key");
        fs::write(&key, format!("{SECRET}\n")).expect("write");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("set its mode");
        let (url, key) = (self.url(), key.display().to_string());
        let words = [
            "--da-url",
            &url,
            "--da-username",
            USER,
            "--da-password-file",
            &key,
            "--da-ca-file",
            &ca_file,
        ];
        words.map(str::to_owned).to_vec()
    }

    /// Changes how it behaves from the next request on.
    pub fn set(&mut self, key: &str, value: Value) -> &mut Self {
        self.control.set(key, value);
        self
    }

    /// It misbehaves as told, see standin.py.
    pub fn faults(&mut self, faults: Value) -> &mut Self {
        self.set("faults", faults)
    }

    /// Mailboxes created from now on can log in to this server.
    pub fn provisions(&mut self, server: &Dovecot) -> &mut Self {
        let target = server.provisioning();
        self.set("provision", target)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        let text = fs::read_to_string(self.dir.join("requests.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).expect("a line of JSON");
                let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
                Asked {
                    action: text("action"),
                    method: text("method"),
                    path: text("path"),
                    query: text("query"),
                    body: text("body"),
                    user: text("user"),
                    connection: line["connection"].as_u64().unwrap_or_default(),
                    at_work: line["at_work"].as_u64().unwrap_or_default(),
                }
            })
            .collect()
    }

    /// The requests of one kind so far.
    pub fn asked_to(&self, action: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.action == action);
        asked
    }

    /// Mailboxes that were created.
    pub fn mailboxes(&self) -> Value {
        let text = fs::read_to_string(self.dir.join("mailboxes.json")).unwrap_or("null".to_owned());
        serde_json::from_str(&text).expect("JSON")
    }
}
