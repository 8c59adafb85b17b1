//! The HTTP client that panels and token endpoints share: blocking, no redirects, no proxy, certificates verified
//! unless told otherwise, answers bounded in length and time. Knows neither panels nor tokens, and words no advice.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, redirect};

/// An answer that is still arriving is given up after this many time-outs.
const SLOWEST: u32 = 4;

/// Whom a client trusts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust<'a> {
    /// A PEM file with further certificate authorities, and what it is called in errors.
    pub ca_file: Option<(&'a Path, &'a str)>,
    /// Any certificate will do.
    pub any: bool,
}

/// A client with its bounds.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
    timeout: Duration,
    longest: u64,
}

/// What was answered, whatever it is.
#[derive(Debug)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// Everything, within the bound.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpTrouble {
    /// Nothing came within the time-out.
    TimedOut,
    /// There is no connection.
    Unreachable,
    /// The other side does not speak TLS on this port.
    NoTls,
    /// The certificate is not trusted.
    Certificate,
    /// The connection broke.
    Lost,
    /// The answer breaks off.
    BrokenOff,
    /// The answer is longer than it may be.
    TooLong,
    /// The answer arrives too slowly.
    TooSlow,
}

/// A request without an answer.
#[derive(Debug)]
pub struct HttpFailure {
    /// What happened.
    pub trouble: HttpTrouble,
    /// What the system says about it, without URL; text from outside.
    pub why: String,
}

impl HttpClient {
    /// Prepares; nothing is sent. `longest` is the most bytes of an answer that are read.
    ///
    /// # Errors
    /// A CA file that cannot be read or holds no certificate.
    pub fn new(trust: Trust<'_>, timeout: Duration, longest: u64) -> Result<Self> {
        let mut builder = Client::builder()
            .tls_backend_native()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            .connect_timeout(timeout)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ));
        if trust.any {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some((file, name)) = trust.ca_file {
            let shown = file.display();
            let pem = std::fs::read(file).with_context(|| format!("read {name} {shown}"))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|all| !all.is_empty())
                .with_context(|| format!("{name} {shown} holds no certificate in PEM form"))?;
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self {
            client: builder.build().context("prepare HTTPS")?,
            timeout,
            longest,
        })
    }

    /// The client, to make requests with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a request, once, and reads the answer.
    ///
    /// # Errors
    /// See [`HttpTrouble`].
    pub fn send(&self, request: RequestBuilder) -> Result<HttpAnswer, HttpFailure> {
        let began = Instant::now();
        let response = request.send().map_err(|error| failed(&error))?;
        self.read(response, began)
    }

    /// POST of a form, as [`HttpClient::send`].
    ///
    /// # Errors
    /// See [`HttpTrouble`].
    pub fn post(
        &self,
        request: RequestBuilder,
        form: &[(&str, &str)],
    ) -> Result<HttpAnswer, HttpFailure> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.send(
            request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(body),
        )
    }

    fn read(&self, mut response: Response, began: Instant) -> Result<HttpAnswer, HttpFailure> {
        let failure = |trouble, why: String| HttpFailure { trouble, why };
        let mut body = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = response
                .read(&mut buffer)
                .map_err(|error| failure(HttpTrouble::BrokenOff, error.to_string()))?;
            if count == 0 {
                break;
            }
            body.extend_from_slice(&buffer[..count]);
            if body.len() as u64 > self.longest {
                return Err(failure(HttpTrouble::TooLong, String::new()));
            }
            if began.elapsed() > self.timeout * SLOWEST {
                return Err(failure(HttpTrouble::TooSlow, String::new()));
            }
        }
        Ok(HttpAnswer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }
}

/// What a request without an answer means, with all that is known about why.
fn failed(error: &reqwest::Error) -> HttpFailure {
    let mut parts: Vec<String> = vec![];
    let mut source: Option<&dyn Error> = error.source();
    while let Some(inner) = source {
        let part = inner.to_string();
        if !parts.iter().any(|before| before.contains(&part)) {
            parts.push(part);
        }
        source = inner.source();
    }
    let why = parts.join(": ");
    let trouble = if error.is_timeout() {
        HttpTrouble::TimedOut
    } else if why.contains("wrong version number") || why.contains("packet length") {
        HttpTrouble::NoTls
    } else if why.contains("certificate") {
        HttpTrouble::Certificate
    } else if error.is_connect() {
        HttpTrouble::Unreachable
    } else {
        HttpTrouble::Lost
    };
    HttpFailure { trouble, why }
}
