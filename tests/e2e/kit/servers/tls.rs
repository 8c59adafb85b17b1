//! Certificates of a throw-away CA, made with the openssl command. Knows no server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// Makes everything inside `dir`, which must exist.
    pub fn make(dir: &Path, shown: Shown) -> Self {
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

fn make_ca(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN=throw-away-{name}"
        ),
    );
}

fn openssl(dir: &Path, arguments: &str) {
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
