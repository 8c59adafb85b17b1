//! A layer of TLS: native-tls; or, where the configuration says which version is enough, OpenSSL itself, as native-tls
//! lowers neither the version that the system demands nor its level of security. Everything else is verified as usual.

use std::io::{self, Read, Write};

use native_tls::{TlsConnector, TlsStream};
use openssl::ssl::{self, MidHandshakeSslStream, SslConnector, SslMethod, SslOptions, SslStream};
use openssl::ssl::{SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509VerifyResult};
use tracing::debug;

use super::error::{Kind, Result, SessionError};
use super::tls::{self, Tap};
use crate::config::{MinTls, Server};

/// What old servers offer, without ciphers that neither authenticate nor encrypt. Level 0 takes short keys and SHA-1.
const OLD_CIPHERS: &str = "ALL:!aNULL:!eNULL:!EXPORT:@SECLEVEL=0";
/// `SSL_OP_LEGACY_SERVER_CONNECT`: servers that do not know RFC 5746.
const LEGACY_SERVER: u32 = 0x4;

/// What connections to a server are encrypted with.
#[derive(Clone)]
pub(super) enum Connector {
    Usual(TlsConnector),
    Own(SslConnector),
}

/// How far a handshake has come.
pub(super) enum Attempt {
    Done(Layer),
    /// The server is waited for.
    Halfway(Halfway),
    /// What went wrong.
    Failed(String),
}

/// A handshake that waits for the server.
pub(super) enum Halfway {
    Usual(native_tls::MidHandshakeTlsStream<Tap>),
    Own(MidHandshakeSslStream<Tap>),
}

/// A stream that is encrypted.
pub(super) enum Layer {
    Usual(TlsStream<Tap>),
    Own(SslStream<Tap>),
}

impl Connector {
    /// Prepared for this server.
    ///
    /// # Errors
    /// [`Kind::Permanent`] for a `ca_file` that cannot be read.
    pub(super) fn new(server: &Server) -> Result<Self> {
        match server.min_tls {
            None => tls::connector(server).map(Self::Usual),
            Some(least) => own(server, least).map(Self::Own),
        }
    }

    /// Begins the handshake.
    pub(super) fn connect(&self, server: &Server, tap: Tap) -> Attempt {
        match self {
            Self::Usual(connector) => usual(connector.connect(&server.host, tap)),
            Self::Own(connector) => match connector.configure() {
                Ok(one) => one
                    .verify_hostname(!server.insecure_tls)
                    .connect(&server.host, tap)
                    .into(),
                Err(error) => Attempt::Failed(error.to_string()),
            },
        }
    }
}

impl Halfway {
    /// Goes on with what has come.
    pub(super) fn go_on(self) -> Attempt {
        match self {
            Self::Usual(halfway) => usual(halfway.handshake()),
            Self::Own(halfway) => halfway.handshake().into(),
        }
    }
}

impl Layer {
    /// The stream below.
    pub(super) fn tap(&self) -> &Tap {
        match self {
            Self::Usual(tls) => tls.get_ref(),
            Self::Own(tls) => tls.get_ref(),
        }
    }

    /// The server's certificate, in DER.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match self {
            Self::Usual(tls) => tls.peer_certificate().ok()??.to_der().ok(),
            Self::Own(tls) => tls.ssl().peer_certificate()?.to_der().ok(),
        }
    }

    /// Tells the server that nothing more comes.
    ///
    /// # Errors
    /// Those of the connection.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Usual(tls) => tls.shutdown(),
            Self::Own(tls) => match tls.shutdown() {
                Ok(_) => Ok(()),
                Err(error) if error.code() == ssl::ErrorCode::ZERO_RETURN => Ok(()),
                Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
            },
        }
    }
}

impl Read for Layer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Usual(tls) => tls.read(buffer),
            Self::Own(tls) => tls.read(buffer),
        }
    }
}

impl Write for Layer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Usual(tls) => tls.write(bytes),
            Self::Own(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Usual(tls) => tls.flush(),
            Self::Own(tls) => tls.flush(),
        }
    }
}

fn usual(outcome: std::result::Result<TlsStream<Tap>, native_tls::HandshakeError<Tap>>) -> Attempt {
    match outcome {
        Ok(tls) => Attempt::Done(Layer::Usual(tls)),
        Err(native_tls::HandshakeError::WouldBlock(halfway)) => {
            Attempt::Halfway(Halfway::Usual(halfway))
        }
        Err(native_tls::HandshakeError::Failure(error)) => Attempt::Failed(error.to_string()),
    }
}

impl From<std::result::Result<SslStream<Tap>, ssl::HandshakeError<Tap>>> for Attempt {
    fn from(outcome: std::result::Result<SslStream<Tap>, ssl::HandshakeError<Tap>>) -> Self {
        match outcome {
            Ok(tls) => Self::Done(Layer::Own(tls)),
            Err(ssl::HandshakeError::WouldBlock(halfway)) => Self::Halfway(Halfway::Own(halfway)),
            Err(ssl::HandshakeError::SetupFailure(error)) => Self::Failed(error.to_string()),
            Err(ssl::HandshakeError::Failure(failed)) => {
                let text = failed.error().to_string();
                Self::Failed(match failed.ssl().verify_result() {
                    X509VerifyResult::OK => text,
                    why => format!("{text} ({why})"),
                })
            }
        }
    }
}

/// OpenSSL's own, with the version that is enough.
fn own(server: &Server, least: MinTls) -> Result<SslConnector> {
    let permanent = |text: String| SessionError::new(Kind::Permanent, text);
    let stack = |error: openssl::error::ErrorStack| permanent(format!("set up TLS: {error}"));
    let mut builder = SslConnector::builder(SslMethod::tls()).map_err(stack)?;
    // One failure must not hide the other.
    let known = openssl_probe::probe();
    let files = known
        .cert_file
        .iter()
        .map(|file| (Some(file.as_path()), None));
    let dirs = known.cert_dir.iter().map(|dir| (None, Some(dir.as_path())));
    for (file, dir) in files.chain(dirs) {
        if let Err(error) = builder.load_verify_locations(file, dir) {
            debug!(%error, "certificates of the system");
        }
    }
    if let Some(path) = &server.ca_file {
        for certificate in tls::read_certificates(path)? {
            let der = certificate.to_der();
            let der = der.map_err(|error| permanent(format!("set up TLS: {error}")))?;
            let certificate = X509::from_der(&der).map_err(stack)?;
            builder
                .cert_store_mut()
                .add_cert(certificate)
                .map_err(stack)?;
        }
    }
    if server.insecure_tls {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if least.is_old() {
        builder.set_cipher_list(OLD_CIPHERS).map_err(stack)?;
        builder.set_options(SslOptions::from_bits_retain(LEGACY_SERVER.into()));
    }
    let version = match least {
        MinTls::V10 => SslVersion::TLS1,
        MinTls::V11 => SslVersion::TLS1_1,
        MinTls::V12 => SslVersion::TLS1_2,
        MinTls::V13 => SslVersion::TLS1_3,
    };
    builder
        .set_min_proto_version(Some(version))
        .map_err(stack)?;
    Ok(builder.build())
}
