//! HTTP as panels need it: Basic login, no redirects, no proxy, bounded answers, retries where they are safe.

use std::time::{Duration, Instant};

use anyhow::Result as AnyResult;
use reqwest::blocking::RequestBuilder;
use tracing::{debug, warn};
use url::Url;

use super::access::Access;
use super::text;
use super::{PanelError, PanelErrorKind, Result};
use crate::http::{self, HttpFailure, HttpTrouble, Trust};
use crate::stop::Stop;

/// Longest answer that is read, in bytes.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// How often a call that may be repeated is.
const REPEATS: u32 = 3;

/// A connection to one panel, kept between calls.
pub struct PanelClient {
    name: &'static str,
    bounded: http::HttpClient,
    access: Access,
    stop: Stop,
}

/// What the panel answered, whatever it is.
#[derive(Debug)]
pub struct PanelAnswer {
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

impl PanelAnswer {
    fn of(answer: &http::HttpAnswer) -> Self {
        let header = |name: &str| {
            let value = answer.headers.get(name);
            value.map_or(String::new(), |value| {
                text::plain(&String::from_utf8_lossy(value.as_bytes()))
            })
        };
        Self {
            status: answer.status,
            x_directadmin: header("x-directadmin"),
            use_https: header("x-use-https").eq_ignore_ascii_case("yes"),
            location: header("location"),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }
    }

    /// A server error, or too many requests: it may pass (RFC 9110 section 15.6, RFC 6585 section 4).
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.status == 429 || self.status >= 500
    }
}

impl PanelClient {
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
        let ca_file = access.ca_file.as_deref();
        let trust = Trust {
            ca_file: ca_file.map(|file| (file, "--da-ca-file")),
            any: access.accept_any_certificate,
        };
        Ok(Self {
            name,
            bounded: http::HttpClient::new(trust, timeout, MAX_BODY)?,
            access: access.clone(),
            stop: stop.clone(),
        })
    }

    /// Who logs in, where.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// GET, repeated after time-outs, lost connections and server errors.
    pub fn get(&self, command: &str, query: &[(&str, &str)]) -> Result<PanelAnswer> {
        let mut url = self.url(command);
        url.query_pairs_mut().extend_pairs(query);
        let mut wait = Duration::from_secs(1);
        for _ in 0..REPEATS {
            let outcome = self.once(self.bounded.client().get(url.clone()));
            let trouble = match &outcome {
                Ok(answer) if answer.is_trouble() => format!("HTTP {}", answer.status),
                Err(error) if error.kind == PanelErrorKind::Transient => error.to_string(),
                _ => return outcome,
            };
            let seconds = wait.as_secs();
            warn!(panel = %self.name, "{command}: {trouble}; asking again in {seconds} s");
            if self.stop.sleep(wait) {
                return Err(PanelError::new(
                    PanelErrorKind::Stopped,
                    "the run was stopped",
                ));
            }
            wait *= 2;
        }
        self.once(self.bounded.client().get(url))
    }

    /// POST of a form, once.
    pub fn post(&self, command: &str, form: &[(&str, &str)]) -> Result<PanelAnswer> {
        let request = self.bounded.client().post(self.url(command));
        self.asked(|| self.bounded.post(self.with_login(request), form))
    }

    fn url(&self, command: &str) -> Url {
        let mut url = self.access.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(command);
        }
        url
    }

    fn once(&self, request: RequestBuilder) -> Result<PanelAnswer> {
        self.asked(|| self.bounded.send(self.with_login(request)))
    }

    fn with_login(&self, request: RequestBuilder) -> RequestBuilder {
        let login = format!("{}:{}", self.access.user, self.access.password.expose());
        crate::redact::sent_in_base64(zeroize::Zeroizing::new(login).as_bytes());
        request
            .basic_auth(&self.access.user, Some(self.access.password.expose()))
            .header("Accept", "application/json, text/plain, */*")
    }

    fn asked(
        &self,
        ask: impl FnOnce() -> std::result::Result<http::HttpAnswer, HttpFailure>,
    ) -> Result<PanelAnswer> {
        if self.stop.requested() {
            return Err(PanelError::new(
                PanelErrorKind::Stopped,
                "the run was stopped",
            ));
        }
        let began = Instant::now();
        let answer = PanelAnswer::of(&ask().map_err(|failure| self.failed(&failure))?);
        debug!(
            panel = %self.name,
            status = answer.status,
            bytes = answer.body.len(),
            milliseconds = began.elapsed().as_millis(),
            "answered"
        );
        Ok(answer)
    }

    /// What a request without an answer means, and what to do.
    fn failed(&self, failure: &HttpFailure) -> PanelError {
        let why = text::plain(&failure.why);
        let place = self.access.place();
        let kind = match failure.trouble {
            HttpTrouble::Unreachable | HttpTrouble::NoTls | HttpTrouble::Certificate => {
                PanelErrorKind::Unreachable
            }
            HttpTrouble::TooLong => PanelErrorKind::Unclear,
            _ => PanelErrorKind::Transient,
        };
        let message = match failure.trouble {
            HttpTrouble::TimedOut => {
                let seconds = self.bounded.timeout().as_secs_f32();
                format!("no answer from {place} within {seconds} s")
            }
            HttpTrouble::NoTls => format!(
                "{place} does not speak TLS on this port ({why}); if that is meant, write http:// and --da-allow-http"
            ),
            HttpTrouble::Certificate => format!(
                "the certificate of {place} is not trusted: {why}; give its certificate authority with --da-ca-file, \
                 or, where nobody can be in between, --da-no-verify-ssl"
            ),
            HttpTrouble::Unreachable => format!(
                "{place} cannot be reached: {why}; check --da-url (DirectAdmin usually listens on port 2222)"
            ),
            HttpTrouble::Lost => format!("the connection to {place} is lost: {why}"),
            HttpTrouble::BrokenOff => format!("the answer breaks off: {why}"),
            HttpTrouble::TooLong => format!("the answer is longer than {MAX_BODY} bytes"),
            HttpTrouble::TooSlow => "the answer arrives too slowly".to_owned(),
        };
        PanelError::new(kind, message)
    }
}
