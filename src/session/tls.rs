//! Before and after a TLS handshake: what a server must prove; the version, the certificate and its expiry.
//!
//! native-tls does not tell the version; it is in the server's first message (RFC 8446 section 4.1.3).

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use native_tls::{Certificate, TlsConnector};
use x509_cert::der::Decode;

use super::error::{Kind, Result, SessionError, Stage};
use crate::config::Server;
use crate::plural::counted;

/// Bytes from the server that are kept: its first message is far shorter.
const KEPT: usize = 1024;

/// A TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsDetails {
    /// `TLSv1.3` and the like; `None` where the server's first message is unusual.
    pub version: Option<&'static str>,
    /// Subject of the server's certificate.
    pub subject: Option<String>,
    /// Days until it expires; negative when it has.
    pub days_left: Option<i64>,
}

impl fmt::Display for TlsDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.unwrap_or("version unknown");
        let subject = self.subject.as_deref().unwrap_or("unknown");
        write!(f, "TLS: {version}, certificate of {subject}, ")?;
        match self.days_left {
            Some(days) if days < 0 => write!(f, "expired {} ago", counted(-days, "day")),
            Some(days) => write!(f, "expires in {}", counted(days, "day")),
            None => f.write_str("without a date that can be read"),
        }
    }
}

/// A TCP stream that remembers how the server began.
#[derive(Debug)]
pub struct Tap {
    tcp: TcpStream,
    first: Vec<u8>,
}

impl Tap {
    /// A stream on which nothing has been read.
    #[must_use]
    pub fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            first: Vec::new(),
        }
    }

    /// The connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.read(buffer)?;
        let room = KEPT - self.first.len();
        self.first.extend_from_slice(&buffer[..count.min(room)]);
        Ok(count)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// What the handshake has come to, of the server's certificate in DER and its first message.
#[must_use]
pub(super) fn details(der: Option<Vec<u8>>, tap: &Tap) -> TlsDetails {
    let certificate = der.and_then(|der| x509_cert::Certificate::from_der(&der).ok());
    let body = certificate.as_ref().map(|c| &c.tbs_certificate);
    TlsDetails {
        version: version(&tap.first),
        subject: body.map(|body| body.subject.to_string()),
        days_left: body.map(|body| {
            let end = body.validity.not_after.to_unix_duration().as_secs();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |now| now.as_secs());
            let left = i64::try_from(end).unwrap_or(i64::MAX) - i64::try_from(now).unwrap_or(0);
            left.div_euclid(86_400)
        }),
    }
}

/// The version in a `ServerHello`: that of the extension `supported_versions` (43), else its own.
fn version(bytes: &[u8]) -> Option<&'static str> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    const SUPPORTED_VERSIONS: u16 = 43;
    let number = |at: usize| -> Option<u16> {
        Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
    };
    if *bytes.first()? != HANDSHAKE || *bytes.get(5)? != SERVER_HELLO {
        return None;
    }
    // Record header 5, message header 4, version 2, random 32, session id, cipher 2, compression 1.
    let mut found = number(9)?;
    let mut at = 43 + 1 + usize::from(*bytes.get(43)?) + 3;
    if let Some(length) = number(at) {
        let end = at + 2 + usize::from(length);
        at += 2;
        while at < end {
            let (Some(kind), Some(length)) = (number(at), number(at + 2)) else {
                break;
            };
            if kind == SUPPORTED_VERSIONS {
                found = number(at + 4)?;
            }
            at += 4 + usize::from(length);
        }
    }
    match found {
        0x0304 => Some("TLSv1.3"),
        0x0303 => Some("TLSv1.2"),
        0x0302 => Some("TLSv1.1"),
        0x0301 => Some("TLSv1.0"),
        _ => None,
    }
}

/// What OpenSSL and servers say when one of them speaks only what the other no longer accepts.
fn is_too_old(lower: &str) -> bool {
    const WORDS: [&str; 10] = [
        "protocol version",
        "unsupported protocol",
        "no protocols available",
        "version too low",
        "handshake failure",
        "dh key too small",
        "ee key too small",
        "ca md too weak",
        "ca key too small",
        "legacy",
    ];
    WORDS.iter().any(|word| lower.contains(word))
}

/// What connections to this server are encrypted with.
///
/// # Errors
/// [`Kind::Permanent`] for a `ca_file` that cannot be read.
pub(super) fn connector(server: &Server) -> Result<TlsConnector> {
    let permanent = |text: String| SessionError::new(Kind::Permanent, text);
    let mut builder = TlsConnector::builder();
    if let Some(path) = &server.ca_file {
        for certificate in read_certificates(path)? {
            builder.add_root_certificate(certificate);
        }
    }
    if server.insecure_tls {
        builder.danger_accept_invalid_certs(true);
        builder.danger_accept_invalid_hostnames(true);
    }
    builder
        .build()
        .map_err(|error| permanent(format!("set up TLS: {error}")))
}

/// All certificates of a PEM file.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Certificate>> {
    const END: &str = "-----END CERTIFICATE-----";
    let permanent = |text: String| SessionError::new(Kind::Permanent, text);
    let shown = path.display();
    let pem = std::fs::read_to_string(path)
        .map_err(|error| permanent(format!("read server.ca_file {shown}: {error}")))?;
    let mut certificates = Vec::new();
    for block in pem.split_inclusive(END) {
        let Some(begin) = block.find("-----BEGIN CERTIFICATE-----") else {
            continue;
        };
        let certificate = Certificate::from_pem(&block.as_bytes()[begin..])
            .map_err(|error| permanent(format!("server.ca_file {shown}: {error}")))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(permanent(format!(
            "server.ca_file {shown} holds no PEM certificate"
        )));
    }
    Ok(certificates)
}

/// A peer that hangs up during the handshake may be back later; a certificate stays wrong.
pub(super) fn handshake_error(server: &Server, text: &str) -> SessionError {
    let lower = text.to_ascii_lowercase();
    let lost = lower.contains("eof")
        || lower.contains("reset")
        || lower.contains("broken pipe")
        || lower.contains("syscall");
    let kind = if lost {
        Kind::Transient
    } else {
        Kind::Permanent
    };
    let (host, port) = (&server.host, server.port);
    let may_be_old = server.min_tls.is_none_or(|least| !least.is_old());
    let likely = likely_cause(&lower, lost, may_be_old)
        .map_or_else(String::new, |cause| format!(" (likely cause: {cause})"));
    let text = format!("TLS with {host} port {port} fails{likely}: {text}");
    SessionError::new(kind, text).at(Stage::Tls)
}

/// What lies behind a failed handshake, and what to do, by the words of OpenSSL in small letters. `may_be_old`: the
/// server may speak an old version that is not allowed here.
fn likely_cause(words: &str, lost: bool, may_be_old: bool) -> Option<&'static str> {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    Some(if has(&["hostname", "host name", "mismatch"]) {
        "the certificate is for another name than server.host; correct that"
    } else if has(&["expired", "not yet valid"]) {
        "the certificate is out of date, or the clock here is wrong; have it renewed"
    } else if has(&["certificate"]) {
        "the certificate is self-signed, or of an authority that is not known here; check server.host, or name the \
         issuing authority's PEM file in server.ca_file"
    } else if is_too_old(words) && may_be_old {
        "the server speaks only what is old (TLS 1.0 or 1.1, or weak keys): \"min_tls\": \"1.0\" at the server \
         reaches it, if need be"
    } else if has(&["wrong version", "packet length"]) {
        "the port does not speak TLS at once; check server.port, ssl and starttls"
    } else if lost && may_be_old {
        "the port does not speak TLS at once, see server.port, ssl and starttls; or a server that does so each time \
         speaks only TLS 1.0 or 1.1: \"min_tls\": \"1.0\" at the server reaches it, if need be"
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::{is_too_old, likely_cause, version};

    #[test]
    fn what_is_too_old_is_known_by_its_words() {
        for said in [
            "error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../ssl/record/rec_layer_s3.c",
            "error:0A000102:SSL routines:ssl_choose_client_version:unsupported protocol",
            "error:0A00018A:SSL routines:tls_process_ske_dhe:dh key too small",
            "error:0A000152:SSL routines:final_renegotiate:unsafe legacy renegotiation disabled",
            "error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure",
            "error:0A00018E:SSL routines:ssl_add_cert_to_buf:ca md too weak",
        ] {
            assert!(is_too_old(&said.to_lowercase()), "{said}");
        }
        for said in [
            "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed",
            "error:0A00010B:SSL routines:ssl3_get_record:wrong version number",
            "unexpected EOF",
        ] {
            assert!(!is_too_old(&said.to_lowercase()), "{said}");
        }
    }

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut bytes = vec![22, 3, 3, 0, 0, 2, 0, 0, 0, 3, 3];
        bytes.extend([7; 32]);
        bytes.extend([2, 1, 1, 0x13, 1, 0]);
        bytes.extend(extensions);
        bytes
    }

    #[test]
    fn the_version_is_read_and_rubbish_is_not() {
        let newest = hello(&[0, 10, 0, 51, 0, 0, 0, 43, 0, 2, 3, 4]);
        assert_eq!(version(&newest), Some("TLSv1.3"));
        assert_eq!(version(&hello(&[])), Some("TLSv1.2"));
        assert_eq!(version(b"* OK hello"), None);
        for end in 0..newest.len() {
            let _ = version(&newest[..end]);
        }
        assert_eq!(version(&[22; 1024]), None);
    }

    #[test]
    fn causes_fit_the_words() {
        let cases = [
            ("verify failed: (hostname mismatch)", "another name"),
            ("(self-signed certificate)", "self-signed"),
            ("(certificate has expired)", "out of date"),
            ("(unable to get local issuer certificate)", "ca_file"),
            ("wrong version number", "starttls"),
            ("unsupported protocol", "min_tls"),
        ];
        for (words, cause) in cases {
            let found = likely_cause(words, false, true);
            let fits = found.is_some_and(|found| found.contains(cause));
            assert!(fits, "{words}: {found:?}");
        }
        assert_eq!(likely_cause("internal error", false, true), None);
    }
}
