//! `imapsync --justconnect`: a second opinion on whether a server can be reached. It needs no password and gets none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tracing::{debug, info};

use crate::child::{self, ChildOutput};
use crate::config::{Server, TlsMode};
use crate::stop::Stop;

/// Most bytes that it may print.
const MAX_OUTPUT: usize = 1024 * 1024;
/// How long it may take by itself, apart from waiting for the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// What it may see of our environment; the rest may hold passwords.
const ENVIRONMENT: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PERL5LIB",
    "PERL_LOCAL_LIB_ROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
];

/// imapsync as it was found.
#[derive(Debug)]
pub struct Imapsync {
    path: PathBuf,
    /// What it calls its version.
    pub version: String,
}

impl Imapsync {
    /// The first one on `PATH`, if it runs.
    ///
    /// # Errors
    /// None there, or one that does not say its version.
    pub fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .map(|dir| dir.join("imapsync"))
            .find(|path| is_program(path));
        let Some(path) = found else {
            bail!(
                "imapsync is not on PATH. Install it (https://imapsync.lamiral.info/#install; some distributions have a package), \
                 or go without it: --imapsync never"
            );
        };
        let shown = path.display().to_string();
        let unusable = |text: String| {
            anyhow!("{shown} --version {text}; repair imapsync, or go without it: --imapsync never")
        };
        let ran = child::run(
            command(&path).arg("--version"),
            PATIENCE,
            MAX_OUTPUT,
            || false,
        )
        .map_err(|failure| unusable(failure.to_string()))?;
        log(&ran);
        let version = first_line(&ran.stdout);
        if !ran.status.success() || version.is_empty() {
            let said = first_line(&ran.stderr);
            return Err(unusable(format!("failed ({}): {said}", ran.status)));
        }
        info!(path = shown, version, "imapsync");
        Ok(Self { path, version })
    }

    /// Connects to the server, without logging in.
    ///
    /// # Errors
    /// What imapsync has against it.
    pub fn just_connect(&self, server: &Server, timeout: Duration, stop: &Stop) -> Result<()> {
        let mut command = command(&self.path);
        command
            .arg("--justconnect")
            .args(["--host1", &server.host])
            .args(["--port1", &server.port.to_string()])
            .args(match server.tls {
                TlsMode::Implicit => &["--ssl1"][..],
                TlsMode::StartTls => &["--tls1"],
                TlsMode::None => &["--nossl1", "--notls1"],
            })
            .args(["--timeout1", &timeout.as_secs().to_string()])
            .args(["--nolog", "--noreleasecheck"]);
        let doing = format!("imapsync --justconnect to {}:{}", server.host, server.port);
        let ran = child::run(&mut command, timeout + PATIENCE, MAX_OUTPUT, || {
            stop.requested()
        })
        .map_err(|failure| anyhow!("{doing} {failure}"))?;
        log(&ran);
        if ran.status.success() {
            return Ok(());
        }
        let said = [&ran.stdout[..], &ran.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<String> = said
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(3)
            .map(printable)
            .collect();
        let lines: Vec<&str> = lines.iter().rev().map(String::as_str).collect();
        bail!(
            "{doing} failed ({}): {}; go without it: --imapsync never",
            ran.status,
            lines.join(" / ")
        )
    }
}

fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear();
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|there| there.is_file() && there.permissions().mode() & 0o111 != 0)
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    printable(text.lines().next().unwrap_or_default().trim())
}

fn printable(line: &str) -> String {
    crate::printable::printable(line)
        .chars()
        .filter(|c| *c != '\u{fffd}')
        .take(200)
        .collect()
}

fn log(ran: &ChildOutput) {
    for line in String::from_utf8_lossy(&ran.stdout)
        .lines()
        .chain(String::from_utf8_lossy(&ran.stderr).lines())
        .take(200)
    {
        debug!("imapsync: {}", printable(line));
    }
}
