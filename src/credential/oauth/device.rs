//! Consent by a code that is typed on another device (RFC 8628).

use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing::debug;
use url::Url;

use super::endpoint::{Granted, TokenReply};
use super::microsoft;
use super::refresh::Refresh;
use crate::credential::error::shown;
use crate::credential::{CredentialError, CredentialErrorKind, Result};
use crate::stop::Stop;

/// The wait between two questions, where the endpoint names none (RFC 8628 section 3.2), in seconds.
const INTERVAL: u64 = 5;
/// What `slow_down` adds to it, for good (section 3.5).
const SLOWER: u64 = 5;
/// The longest interval that is believed, in seconds.
const LONGEST_INTERVAL: u64 = 60;
/// The longest time that a code is waited for, in seconds.
const LONGEST: u64 = 1800;

/// A code that waits to be typed.
#[derive(Deserialize)]
pub struct DeviceCode {
    #[serde(rename = "device_code")]
    device: String,
    #[serde(rename = "user_code")]
    user: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: u64,
    interval: Option<u64>,
}

impl DeviceCode {
    /// Where to go, as text that can be shown.
    #[must_use]
    pub fn place(&self) -> String {
        shown(&self.verification_uri)
    }

    /// What to type there.
    #[must_use]
    pub fn code(&self) -> String {
        shown(&self.user)
    }

    /// How much time there is.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.expires_in.min(LONGEST))
    }
}

/// Asks for a code.
///
/// # Errors
/// No answer, or a refusal.
pub fn begin(client: &Refresh, url: &Url, stop: &Stop) -> Result<DeviceCode> {
    let mut form = vec![("client_id", client.client_id.as_str())];
    form.extend(client.scope.as_ref().map(|scope| ("scope", scope.as_str())));
    match client.endpoint.ask(url, &form, stop)? {
        TokenReply::Granted(code) => Ok(code),
        TokenReply::Refused(refused) => Err(refused.error(url, microsoft::cause(&refused))),
    }
}

/// Waits until the code has been typed.
///
/// # Errors
/// The user declines, the time is over, the run is asked to stop, or a refusal.
pub fn wait(client: &Refresh, code: &DeviceCode, stop: &Stop) -> Result<Granted> {
    let began = Instant::now();
    let mut interval = code.interval.unwrap_or(INTERVAL).clamp(1, LONGEST_INTERVAL);
    let secret = client.secret()?;
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client.client_id.as_str()),
        ("device_code", code.device.as_str()),
    ];
    form.extend(secret.as_ref().map(|it| ("client_secret", it.expose())));
    let over = || CredentialError::last("nobody has typed the code in time; begin again");
    loop {
        if stop.sleep(Duration::from_secs(interval)) {
            return Err(CredentialError::stopped());
        }
        if began.elapsed() > code.time() {
            return Err(over());
        }
        let refused = match client.endpoint.once(&client.token_url, &form) {
            Ok(TokenReply::Granted(granted)) => return Ok(granted),
            Ok(TokenReply::Refused(refused)) => refused,
            // A connection that breaks says nothing about the user (section 3.5: ask more slowly).
            Err(error) if matches!(error.kind, CredentialErrorKind::Passing(_)) => {
                debug!("{error}");
                interval = (interval * 2).min(LONGEST_INTERVAL);
                continue;
            }
            Err(error) => return Err(error),
        };
        match refused.error.as_str() {
            "authorization_pending" => {}
            "slow_down" => interval = (interval + SLOWER).min(LONGEST_INTERVAL),
            "expired_token" | "code_expired" => return Err(over()),
            "authorization_declined" | "access_denied" => {
                return Err(refused.error(&client.token_url, "the user has declined"));
            }
            _ => {
                let cause = microsoft::cause(&refused);
                return Err(refused.error(&client.token_url, cause));
            }
        }
    }
}
