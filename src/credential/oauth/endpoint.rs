//! A token endpoint: HTTPS, bounded answers, no redirects; retries where they may help, never after a refusal.

use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::{debug, warn};
use url::{Host, Url};

use crate::credential::error::shown;
use crate::credential::{CredentialError, CredentialErrorKind, Result, Token};
use crate::http::{HttpAnswer, HttpClient, HttpFailure, HttpTrouble, Trust};
use crate::secret::Secret;
use crate::stop::Stop;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// How often a request is sent whose failure may pass.
const TRIES: u32 = 3;
/// The longest wait between two of them; if more is asked for, the connection's own retries take over.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a token lasts whose endpoint does not say so, in seconds (RFC 6749 section 5.1 recommends that it does).
const USUAL_LIFE: u64 = 3600;

/// A client for the endpoints of one provider.
#[derive(Debug, Clone)]
pub struct Endpoint {
    http: HttpClient,
}

/// What an endpoint gives out (RFC 6749 section 5.1).
#[derive(Deserialize)]
pub struct Granted {
    access_token: String,
    expires_in: Option<serde_json::Value>,
    /// A new one replaces the old one (section 6).
    pub refresh_token: Option<String>,
}

/// What an endpoint refuses with (RFC 6749 section 5.2).
#[derive(Debug, Clone, Deserialize)]
pub struct ErrorResponse {
    /// The code: the only part that decisions are made from.
    pub error: String,
    /// For people.
    #[serde(default)]
    pub error_description: String,
    /// What the endpoint's clock says, where it tells.
    #[serde(skip)]
    pub date: String,
}

/// An answer that was understood.
pub enum TokenReply<T> {
    /// Yes.
    Granted(T),
    /// No.
    Refused(ErrorResponse),
}

impl Granted {
    /// The token.
    ///
    /// # Errors
    /// There is none, or it does not look like a token.
    pub fn token(&self) -> Result<Token> {
        let token = &self.access_token;
        if token.is_empty() || !crate::credential::printed::is_token(token) {
            let text = "the endpoint's answer holds no access_token that can be sent";
            return Err(CredentialError::last(text));
        }
        let life = self.expires_in.as_ref().and_then(|life| {
            let text = life.as_str().and_then(|text| text.parse().ok());
            life.as_u64().or(text)
        });
        let token = Secret::new(token.clone());
        Ok(Token::new(token, Some(life.unwrap_or(USUAL_LIFE))))
    }
}

impl ErrorResponse {
    /// The error, in the endpoint's words, with what to do.
    #[must_use]
    pub fn error(&self, url: &Url, cause: &str) -> CredentialError {
        let (code, words) = (shown(&self.error), shown(&self.error_description));
        let words = if words.is_empty() {
            String::new()
        } else {
            format!(" ({words})")
        };
        let cause = if cause.is_empty() {
            String::new()
        } else {
            format!("; likely cause: {cause}")
        };
        CredentialError::last(format!("{} refuses: {code}{words}{cause}", place(url)))
    }
}

impl Endpoint {
    /// Prepares; nothing is sent.
    ///
    /// # Errors
    /// A CA file that cannot be read or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> anyhow::Result<Self> {
        let trust = Trust {
            ca_file: ca_file.map(|file| (file, "ca_file")),
            any: false,
        };
        Ok(Self {
            http: HttpClient::new(trust, PATIENCE, LONGEST)?,
        })
    }

    /// Sends a form, again where no answer, a server error or "too many requests" may pass.
    ///
    /// # Errors
    /// No answer in the end, or one that cannot be understood.
    pub fn ask<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        stop: &Stop,
    ) -> Result<TokenReply<T>> {
        let mut tries = 0;
        loop {
            if stop.requested() {
                return Err(CredentialError::stopped());
            }
            let outcome = self.once(url, form);
            tries += 1;
            let error = match outcome {
                Err(error) if matches!(error.kind, CredentialErrorKind::Passing(_)) => error,
                other => return other,
            };
            let asked = match error.kind {
                CredentialErrorKind::Passing(wait) => wait,
                _ => None,
            };
            let wait = asked.unwrap_or(Duration::from_secs(u64::from(tries)));
            if tries >= TRIES || wait > LONGEST_WAIT {
                return Err(error);
            }
            warn!("{error}; asking again in {} s", wait.as_secs());
            if stop.sleep(wait) {
                return Err(CredentialError::stopped());
            }
        }
    }

    /// Sends a form, once.
    ///
    /// # Errors
    /// No answer, or one that cannot be understood.
    pub fn once<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<TokenReply<T>> {
        let request = self
            .http
            .client()
            .post(url.clone())
            .header("Accept", "application/json");
        let answer = self.http.post(request, form);
        let answer = answer.map_err(|failure| failed(url, &failure))?;
        debug!(endpoint = place(url), status = answer.status, "answered");
        understood(url, &answer)
    }
}

fn understood<T: DeserializeOwned>(url: &Url, answer: &HttpAnswer) -> Result<TokenReply<T>> {
    let place = place(url);
    let status = answer.status;
    if status == 429 || status >= 500 {
        let wait = retry_after(&answer.headers);
        let text = format!("{place} answers HTTP {status}");
        return Err(CredentialError::new(
            CredentialErrorKind::Passing(wait),
            text,
        ));
    }
    if (300..400).contains(&status) {
        return Err(CredentialError::last(format!(
            "{place} answers with a redirect (HTTP {status}), which is not followed: give the right token_url"
        )));
    }
    if status == 200 {
        return match serde_json::from_slice(&answer.body) {
            Ok(granted) => Ok(TokenReply::Granted(granted)),
            Err(_) => Err(CredentialError::last(format!(
                "{place} does not answer like a token endpoint; check token_url"
            ))),
        };
    }
    match serde_json::from_slice::<ErrorResponse>(&answer.body) {
        Ok(refused) if refused.error == "temporarily_unavailable" => Err(CredentialError::new(
            CredentialErrorKind::Passing(retry_after(&answer.headers)),
            format!("{place} is temporarily unavailable"),
        )),
        Ok(mut refused) => {
            let date = answer
                .headers
                .get("date")
                .and_then(|date| date.to_str().ok());
            refused.date = shown(date.unwrap_or_default());
            Ok(TokenReply::Refused(refused))
        }
        Err(_) => Err(CredentialError::last(format!(
            "{place} answers HTTP {status}; check token_url"
        ))),
    }
}

fn failed(url: &Url, failure: &HttpFailure) -> CredentialError {
    let (place, why) = (place(url), shown(&failure.why));
    let (kind, text) = match failure.trouble {
        HttpTrouble::Certificate => (
            CredentialErrorKind::Final,
            format!(
                "the certificate of {place} is not trusted: {why}; give its authority as ca_file of oauth"
            ),
        ),
        HttpTrouble::NoTls => (
            CredentialErrorKind::Final,
            format!("{place} does not speak TLS on this port: {why}"),
        ),
        HttpTrouble::TooLong => (
            CredentialErrorKind::Final,
            format!("{place} answers with more than {LONGEST} bytes"),
        ),
        HttpTrouble::TimedOut | HttpTrouble::TooSlow => (
            CredentialErrorKind::Passing(None),
            format!("no answer from {place} within {} s", PATIENCE.as_secs()),
        ),
        HttpTrouble::Unreachable => (
            CredentialErrorKind::Passing(None),
            format!("{place} cannot be reached: {why}"),
        ),
        HttpTrouble::Lost | HttpTrouble::BrokenOff => (
            CredentialErrorKind::Passing(None),
            format!("the connection to {place} is lost: {why}"),
        ),
    };
    CredentialError::new(kind, text)
}

/// Seconds only: endpoints send no dates there.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Scheme, host, port and path.
fn place(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// A URL that secrets may be sent to: HTTPS, or loopback.
///
/// # Errors
/// Says what is wrong; the text itself is not repeated.
pub fn url(text: &str) -> std::result::Result<Url, String> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(Url::has_host)
        .ok_or("is no URL")?;
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err("must begin with https://, as secrets are sent there".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must hold no user name, password or fragment".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_https_or_stay_here() {
        for good in [
            "https://oauth2.googleapis.com/token",
            "http://127.0.0.1:8080/t",
            "http://localhost/t",
            "http://[::1]/t",
        ] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/token",
            "http://127.0.0.1.example.com/",
            "ftp://localhost/",
            "https://user:hunter2@example.com/",
            "token",
        ] {
            let error = url(bad).expect_err(bad);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    fn answer(status: u16, body: &str) -> Result<TokenReply<Granted>> {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().expect("a value"));
        let url = url("https://idp.example/token").expect("a URL");
        let body = body.as_bytes().to_vec();
        understood(
            &url,
            &HttpAnswer {
                status,
                headers,
                body,
            },
        )
    }

    #[test]
    fn answers_mean_what_they_say() {
        let kind = |status, body: &str| answer(status, body).err().map(|error| error.kind);
        let seven = Some(Duration::from_secs(7));
        assert_eq!(kind(429, "{}"), Some(CredentialErrorKind::Passing(seven)));
        assert_eq!(kind(503, ""), Some(CredentialErrorKind::Passing(seven)));
        assert_eq!(kind(302, ""), Some(CredentialErrorKind::Final));
        assert_eq!(kind(200, "<html>"), Some(CredentialErrorKind::Final));
        assert_eq!(kind(400, "<html>"), Some(CredentialErrorKind::Final));
        let refused = answer(
            400,
            r#"{"error":"invalid_grant","error_description":"a\nb"}"#,
        );
        let Ok(TokenReply::Refused(refused)) = refused else {
            panic!("a refusal");
        };
        let url = url("https://idp.example/token?x=1").expect("a URL");
        assert_eq!(
            refused.error(&url, "the clock").to_string(),
            "https://idp.example/token refuses: invalid_grant (a b); likely cause: the clock"
        );
    }

    #[test]
    fn a_life_may_stand_in_quotes_or_be_left_out() {
        let life = |text: &str| {
            let Ok(TokenReply::Granted(granted)) = answer(200, text) else {
                panic!("a token");
            };
            let token = granted.token().expect("a token");
            token.left().map(|left| left.as_secs() + 1)
        };
        assert_eq!(life(r#"{"access_token":"a","expires_in":99}"#), Some(99));
        assert_eq!(life(r#"{"access_token":"a","expires_in":"99"}"#), Some(99));
        assert_eq!(life(r#"{"access_token":"a"}"#), Some(3600));
    }
}
