//! The test kit: real servers, scripted servers, a reader that is not ours, the real binary, mail.
//!
//! It refuses to know the product's code: what it says about archives and servers would prove nothing otherwise.

pub mod mail;
pub mod run;
pub mod servers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The password of all accounts for which it does not matter; a word that nothing else holds.
pub const PASSWORD: &str = "hush-7Qz-not-to-be-seen";

/// Where a client connects to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The CA that vouches for the server.
    pub ca_file: Option<PathBuf>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// By STARTTLS.
    StartTls,
    /// By TLS from the first byte.
    Tls,
}

impl Security {
    /// The word that the reader's script knows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }
}

impl Endpoint {
    /// An unprotected port on loopback.
    pub fn plain(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            security: Security::Plain,
            ca_file: None,
        }
    }
}

/// Is this the long form, `tests/run --long`?
pub fn is_long() -> bool {
    std::env::var_os("E2E_LONG").is_some_and(|value| value == "1")
}

/// How long anything may take before a test gives up on it; generous, as machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition; panics naming it when [`PATIENCE`] is over.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
