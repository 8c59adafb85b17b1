//! A real pymap, an IMAP server in Python that shares no code with the others. Knows nothing of the product.
//!
//! Its in-memory backend keeps every byte of a message; its Maildir backend writes each one anew with Python's
//! mail library, and so without its carriage returns.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::supervise::Supervised;
use super::tls::{Certificates, Shown};
use crate::kit::run::python;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::port;
use crate::kit::{Endpoint, PATIENCE, Security};

/// What `tests/run` was to install; a copy lies beside what it has installed.
const REQUIREMENTS: &str = include_str!("pymap/requirements.txt");

/// Half a million rounds of a digest for each login prove nothing here.
const PROGRAM: &str = "import functools, pymap.config as config, pymap.main as main
config.BuiltinHash = functools.partial(config.BuiltinHash, rounds=1)
main.main()";

/// A running pymap with one user; stops, and forgets everything, when dropped.
pub struct Pymap {
    port: u16,
    ca_file: PathBuf,
    // The process goes before its directory.
    _process: Supervised,
    _dir: TempDir,
}

impl Pymap {
    /// Starts one for this user and waits until it answers.
    pub fn start(user: &str, password: &str) -> Self {
        let packages = packages();
        let dir = TempDir::new();
        let certificates = Certificates::make(dir.path(), Shown::Good);
        for _ in 0..10 {
            let port = port::free();
            let login = (user, password);
            match launch(&packages, dir.path(), &certificates, port, login) {
                Ok(process) => {
                    return Self {
                        port,
                        ca_file: certificates.ca_file,
                        _process: process,
                        _dir: dir,
                    };
                }
                Err(console) => assert!(
                    console.contains("address already in use"),
                    "pymap does not start (it needs python3 3.11):\n{console}"
                ),
            }
        }
        panic!("no free port for pymap");
    }

    /// STARTTLS.
    pub fn starttls(&self) -> Endpoint {
        Endpoint {
            host: "localhost".to_owned(),
            port: self.port,
            security: Security::StartTls,
            ca_file: Some(self.ca_file.clone()),
        }
    }
}

/// Where pymap is installed, in the version that is asked for.
fn packages() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pymap");
    let installed = fs::read_to_string(dir.join("requirements.txt"));
    assert!(
        installed.is_ok_and(|installed| installed == REQUIREMENTS),
        "pymap is missing, or another version than asked for: tests/run installs it into {}",
        dir.display()
    );
    dir
}

/// Starts the process on this port; the error is what it printed.
fn launch(
    packages: &Path,
    dir: &Path,
    certificates: &Certificates,
    port: u16,
    (user, password): (&str, &str),
) -> Result<Supervised, String> {
    // The greeting tells the host name, here one that no other server has.
    let name = dir.file_name().expect("a name").to_string_lossy();
    let console = dir.join("console");
    let process = Supervised::start(
        &[
            "env",
            &format!("PYTHONPATH={}", packages.display()),
            &format!("FQDN={name}"),
            // The packages may belong to another user than the one who runs the tests.
            "PYTHONDONTWRITEBYTECODE=1",
            &python::interpreter().display().to_string(),
            // Nothing but what is in PYTHONPATH: no other package of the machine may change what pymap does.
            "-S",
            "-c",
            PROGRAM,
            "--host=127.0.0.1",
            &format!("--port={port}"),
            &format!("--cert={}", certificates.certificate.display()),
            &format!("--key={}", certificates.key.display()),
            "dict",
            &format!("--demo-user={user}"),
            &format!("--demo-password={password}"),
        ],
        &console,
    );
    let start = Instant::now();
    while !greets(port, &name) {
        let said = fs::read_to_string(&console).unwrap_or_default();
        if said.contains("Error") || start.elapsed() > PATIENCE {
            return Err(said);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(process)
}

/// Is it this very server that greets? The port may be another's by now.
fn greets(port: u16, name: &str) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut greeting = String::new();
    let read = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| BufReader::new(stream).read_line(&mut greeting));
    read.is_ok() && greeting.trim_end().ends_with(&format!(" {name}"))
}
