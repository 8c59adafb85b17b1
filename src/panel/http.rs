//! HTTP as panels need it: Basic login, no redirects, no proxy, bounded answers, patience where it is safe.

use std::error::Error;
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result as AnyResult};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Certificate, redirect};
use tracing::{debug, warn};
use url::Url;

use super::access::Access;
use super::text;
use super::{Kind, PanelError, Result};
use crate::stop::Stop;

/// Longest answer that is read, in bytes.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// How often a call is repeated that may be.
const REPEATS: u32 = 3;
/// An answer that goes on arriving is given up after so many time-outs.
const SLOWEST: u32 = 4;

/// A connection to one panel, kept between calls.
pub struct Http {
    name: &'static str,
    client: Client,
    access: Access,
    timeout: Duration,
    stop: Stop,
}

/// What the panel answered, whatever it is.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header `X-DirectAdmin`.
    pub x_directadmin: String,
    /// Header `X-Use-Https` says yes.
    pub use_https: bool,
    /// Header `Location`, as text that can be shown.
    pub location: String,
    /// Everything, with replacement characters for what is no UTF-8.
    pub body: String,
}

impl Answer {
    /// A server error, or too many requests: it may pass (RFC 9110 section 15.6, RFC 6585 section 4).
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.status == 429 || self.status >= 500
    }
}

impl Http {
    /// Prepares; nothing is sent. `name` is the panel's in log events.
    ///
    /// # Errors
    /// A CA file that cannot be read or holds no certificate.
    pub fn new(
        name: &'static str,
        access: &Access,
        timeout: Duration,
        stop: &Stop,
    ) -> AnyResult<Self> {
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
        if access.accept_any_certificate {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(file) = &access.ca_file {
            let shown = file.display();
            let pem = std::fs::read(file).with_context(|| format!("read --da-ca-file {shown}"))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|all| !all.is_empty())
                .with_context(|| {
                    format!("--da-ca-file {shown} holds no certificate in PEM form")
                })?;
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self {
            name,
            client: builder.build().context("prepare HTTPS for the panel")?,
            access: access.clone(),
            timeout,
            stop: stop.clone(),
        })
    }

    /// Who logs in, where.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// GET, repeated after time-outs, lost connections and server errors.
    pub fn get(&self, command: &str, query: &[(&str, &str)]) -> Result<Answer> {
        let mut url = self.url(command);
        url.query_pairs_mut().extend_pairs(query);
        let mut wait = Duration::from_secs(1);
        for _ in 0..REPEATS {
            let outcome = self.once(self.client.get(url.clone()));
            let trouble = match &outcome {
                Ok(answer) if answer.is_trouble() => format!("HTTP {}", answer.status),
                Err(error) if error.kind == Kind::Transient => error.to_string(),
                _ => return outcome,
            };
            let seconds = wait.as_secs();
            warn!(panel = %self.name, "{command}: {trouble}; asking again in {seconds} s");
            if self.stop.sleep(wait) {
                return Err(PanelError::new(Kind::Stopped, "the run was stopped"));
            }
            wait *= 2;
        }
        self.once(self.client.get(url))
    }

    /// POST of a form, once.
    pub fn post(&self, command: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .client
            .post(self.url(command))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body);
        self.once(request)
    }

    fn url(&self, command: &str) -> Url {
        let mut url = self.access.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(command);
        }
        url
    }

    fn once(&self, request: RequestBuilder) -> Result<Answer> {
        if self.stop.requested() {
            return Err(PanelError::new(Kind::Stopped, "the run was stopped"));
        }
        let began = Instant::now();
        let response = request
            .basic_auth(&self.access.user, Some(self.access.password.expose()))
            .header("Accept", "application/json, text/plain, */*")
            .send()
            .map_err(|error| self.failed(error))?;
        let answer = self.read(response, began)?;
        debug!(
            panel = %self.name,
            status = answer.status,
            bytes = answer.body.len(),
            milliseconds = began.elapsed().as_millis(),
            "answered"
        );
        Ok(answer)
    }

    fn read(&self, mut response: Response, began: Instant) -> Result<Answer> {
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map_or(String::new(), |value| {
                text::plain(&String::from_utf8_lossy(value.as_bytes()))
            })
        };
        let (x_directadmin, use_https) = (header("x-directadmin"), header("x-use-https"));
        let location = header("location");
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = response.read(&mut buffer).map_err(|error| {
                let text = format!("the answer breaks off: {error}");
                PanelError::new(Kind::Transient, text)
            })?;
            if count == 0 {
                break;
            }
            body.extend_from_slice(&buffer[..count]);
            if body.len() as u64 > MAX_BODY {
                let text = format!("the answer is longer than {MAX_BODY} bytes");
                return Err(PanelError::new(Kind::Unclear, text));
            }
            if began.elapsed() > self.timeout * SLOWEST {
                let text = "the answer arrives too slowly";
                return Err(PanelError::new(Kind::Transient, text));
            }
        }
        Ok(Answer {
            status,
            x_directadmin,
            use_https: use_https.eq_ignore_ascii_case("yes"),
            location,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// What a request without an answer means, with all that is known about why.
    fn failed(&self, error: reqwest::Error) -> PanelError {
        let error = error.without_url();
        let timed_out = error.is_timeout();
        let connecting = error.is_connect();
        let mut parts = vec![];
        let mut source: Option<&dyn Error> = error.source();
        while let Some(inner) = source {
            let part = text::plain(&inner.to_string());
            if !parts.iter().any(|before: &String| before.contains(&part)) {
                parts.push(part);
            }
            source = inner.source();
        }
        let why = parts.join(": ");
        let place = self.access.place();
        let kind = match (timed_out, connecting) {
            (false, true) => Kind::Unreachable,
            _ => Kind::Transient,
        };
        let message = if timed_out {
            let seconds = self.timeout.as_secs_f32();
            format!("no answer from {place} within {seconds} s")
        } else if why.contains("wrong version number") || why.contains("packet length") {
            format!(
                "{place} does not speak TLS on this port ({why}); if that is meant, write http:// and --da-allow-http"
            )
        } else if why.contains("certificate") {
            format!(
                "the certificate of {place} is not trusted: {why}; give its certificate authority with --da-ca-file, \
                 or, where nobody can be in between, --da-no-verify-ssl"
            )
        } else if connecting {
            format!(
                "{place} cannot be reached: {why}; check --da-url (DirectAdmin listens on port 2222 as a rule)"
            )
        } else {
            format!("the connection to {place} is lost: {why}")
        };
        PanelError::new(kind, message).hiding(&self.access.password)
    }
}
