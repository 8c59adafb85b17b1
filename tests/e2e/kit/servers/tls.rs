//! Certificates of a throw-away CA, made with the openssl command. Knows no server.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::kit::run::tempdir::TempDir;

/// Which certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// One for localhost and 127.0.0.1, by the CA that [`Certificates::ca_file`] names.
    #[default]
    Good,
    /// One for another host, by the right CA.
    WrongName,
    /// One for the right host, by a CA that nobody trusts.
    Untrusted,
}

/// A CA and what it has issued for one server.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The CA that clients are told to trust.
    pub ca_file: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM, PKCS 8.
    pub key: PathBuf,
}

impl Certificates {
    /// Puts everything into `dir`, which must exist. All servers of a run have the same: to make it takes longer than
    /// most tests.
    pub fn make(dir: &Path, shown: Shown) -> Self {
        static GOOD: LazyLock<Files> = LazyLock::new(|| issued(Shown::Good));
        static WRONG_NAME: LazyLock<Files> = LazyLock::new(|| issued(Shown::WrongName));
        static UNTRUSTED: LazyLock<Files> = LazyLock::new(|| issued(Shown::Untrusted));
        let files = match shown {
            Shown::Good => &GOOD,
            Shown::WrongName => &WRONG_NAME,
            Shown::Untrusted => &UNTRUSTED,
        };
        files.put_into(dir);
        Self {
            ca_file: dir.join("ca.pem"),
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
        }
    }

    /// The server's side of TLS for servers inside this process.
    pub fn acceptor(&self) -> native_tls::TlsAcceptor {
        let read = |path: &Path| fs::read(path).expect("read what openssl wrote");
        let identity = native_tls::Identity::from_pkcs8(&read(&self.certificate), &read(&self.key));
        native_tls::TlsAcceptor::new(identity.expect("certificate and key")).expect("acceptor")
    }
}

/// What openssl wrote, to be put into as many directories as want it.
pub struct Files(Vec<(OsString, u32, Vec<u8>)>);

impl Files {
    /// All that `make` writes into the directory that it is given, with its permissions.
    pub fn made_by(make: impl FnOnce(&Path)) -> Self {
        let dir = TempDir::new();
        make(dir.path());
        let files = fs::read_dir(dir.path()).expect("list what was made");
        let read = files.map(|file| {
            let file = file.expect("a file");
            let mode = file.metadata().expect("its mode").permissions().mode();
            let bytes = fs::read(file.path()).expect("read what was made");
            (file.file_name(), mode, bytes)
        });
        Self(read.collect())
    }

    /// Writes them there.
    pub fn put_into(&self, dir: &Path) {
        for (name, mode, bytes) in &self.0 {
            let path = dir.join(name);
            fs::write(&path, bytes).expect("write what was made");
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("set its mode");
        }
    }
}

/// An authority that has issued nothing, as `authority.pem`: the only one that runs of the program know of the system's,
/// since to read the real ones takes longer than most runs.
pub static AUTHORITY: LazyLock<Files> =
    LazyLock::new(|| Files::made_by(|dir| make_ca(dir, "authority")));

fn issued(shown: Shown) -> Files {
    Files::made_by(|dir| issue(dir, shown))
}

fn issue(dir: &Path, shown: Shown) {
    make_ca(dir, "ca");
    let issuer = if shown == Shown::Untrusted {
        make_ca(dir, "other-ca");
        "other-ca"
    } else {
        "ca"
    };
    let names = match shown {
        Shown::WrongName => "subjectAltName=DNS:elsewhere.example",
        Shown::Good | Shown::Untrusted => "subjectAltName=DNS:localhost,IP:127.0.0.1",
    };
    fs::write(dir.join("names"), names).expect("write the certificate's names");
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=kit",
    );
    openssl(
        dir,
        &format!(
            "x509 -req -in server.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 30 -extfile names -out server.pem"
        ),
    );
}

fn make_ca(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN=throw-away-{name}"
        ),
    );
}

/// Runs an openssl command in `dir`.
pub fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(dir)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
