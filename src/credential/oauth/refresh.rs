//! A refresh token of a user who has agreed (RFC 6749 section 6): kept in a file, replaced when the endpoint gives a
//! new one, by one process at a time.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use url::Url;
use zeroize::Zeroizing;

use super::endpoint::{Endpoint, ErrorResponse, Granted, TokenReply};
use super::microsoft;
use crate::credential::source::PasswordSource;
use crate::credential::{CredentialError, CredentialErrorKind, Result, Template, Token, Who};
use crate::disk::output::Output;
use crate::disk::{file, lock};
use crate::secret::Secret;
use crate::stop::Stop;

/// How long another process may be at the same refresh token.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often to check whether it has finished.
const TICK: Duration = Duration::from_millis(50);

/// What most likely lies behind an IMAP server that refuses a fresh token.
pub const REFUSED: &str = "the token is for another user, for another scope or resource than IMAP's, or IMAP is switched off for the \
     mailbox";
/// What most likely lies behind a login that is accepted and opens no mailbox.
pub const NO_MAILBOX: &str = "the user who agreed is not the one of this mailbox and has no FullAccess to it, or IMAP is switched off \
     for it";

/// How a user agrees.
#[derive(Debug)]
pub struct Consent {
    /// Where a device code is asked for (RFC 8628).
    pub device_url: Option<Url>,
    /// Where a browser goes.
    pub authorize_url: Option<Url>,
}

/// A client that acts for users who have agreed.
#[derive(Debug)]
pub struct Refresh {
    /// Where tokens are asked for.
    pub endpoint: Endpoint,
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<PasswordSource>,
    /// Which rights.
    pub scope: Option<String>,
    /// Where an account's refresh token is; relative to `beside`.
    pub file: Template,
    /// The configuration's directory.
    pub beside: PathBuf,
    /// How a user agrees.
    pub consent: Consent,
}

impl Refresh {
    /// Where an account's refresh token is.
    #[must_use]
    pub fn file(&self, who: Who<'_>) -> PathBuf {
        self.beside.join(self.file.fill_path(who))
    }

    /// The client's secret.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn secret(&self) -> Result<Option<Secret>> {
        let secret = self
            .client_secret
            .as_ref()
            .map(PasswordSource::secret)
            .transpose();
        secret.map_err(|error| CredentialError::last(format!("client_secret: {error:#}")))
    }

    /// A token for the user who has agreed.
    ///
    /// # Errors
    /// No refresh token, no answer, or a refusal.
    pub fn mint(&self, who: Who<'_>, stop: &Stop) -> Result<Token> {
        let path = self.file(who);
        let secret = self.secret()?;
        let _lock = locked(&path, stop)?;
        let old = read(&path)?;
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("refresh_token", old.expose()),
        ];
        form.extend(self.scope.as_ref().map(|scope| ("scope", scope.as_str())));
        form.extend(secret.as_ref().map(|it| ("client_secret", it.expose())));
        let reply = self.endpoint.ask::<Granted>(&self.token_url, &form, stop);
        match reply? {
            TokenReply::Granted(granted) => {
                let token = granted.token();
                // The old one may be worthless from now on: the new one is saved before anything else.
                if let Some(new) = granted.refresh_token.map(Secret::new)
                    && new != old
                    && !new.expose().is_empty()
                {
                    write(&path, &new)?;
                }
                token
            }
            TokenReply::Refused(refused) => Err(refused.error(&self.token_url, cause(&refused))),
        }
    }

    /// Stores the refresh token of a user who has agreed just now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, who: Who<'_>, token: &Secret, stop: &Stop) -> Result<PathBuf> {
        let path = self.file(who);
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            file::make_dirs(parent).map_err(|error| {
                CredentialError::last(format!("create directory {}: {error}", parent.display()))
            })?;
        }
        let _lock = locked(&path, stop)?;
        write(&path, token)?;
        Ok(path)
    }
}

/// Why a refresh token is refused.
fn cause(refused: &ErrorResponse) -> &'static str {
    let said = microsoft::cause(refused);
    match refused.error.as_str() {
        _ if !said.is_empty() && refused.error_description.contains("AADSTS") => said,
        "invalid_grant" => {
            "the consent is over: withdrawn, unused for too long, or a new password (Google: 7 days while the app is in \
             \"Testing\"); run --mode authorize again"
        }
        "invalid_client" => "client_id or client_secret is wrong",
        _ => said,
    }
}

fn read(path: &Path) -> Result<Secret> {
    let shown = path.display();
    match std::fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim().to_owned())),
        Ok(_) => Err(CredentialError::last(format!(
            "refresh_token_file {shown} is empty; --mode authorize writes it"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CredentialError::last(
            format!("refresh_token_file {shown} is not there; --mode authorize writes it"),
        )),
        Err(error) => Err(CredentialError::last(format!(
            "read refresh_token_file {shown}: {error}"
        ))),
    }
}

/// A link to a file elsewhere stays one, as [`Output`] does it.
fn write(path: &Path, token: &Secret) -> Result<()> {
    let text = Zeroizing::new(format!("{}\n", token.expose()));
    let write = || {
        let mut file = Output::create(path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    write().map_err(|error| {
        let shown = path.display();
        CredentialError::last(format!("keep the new refresh token in {shown}: {error}"))
    })
}

/// Of two processes that use a refresh token at the same time, one would use up what the other has.
fn locked(path: &Path, stop: &Stop) -> Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    let beside = path.with_file_name(name);
    let shown = beside.display();
    let failed = |error: io::Error| CredentialError::last(format!("lock {shown}: {error}"));
    let file = lock::open(&beside).map_err(failed)?;
    let began = Instant::now();
    loop {
        if lock::try_alone(&file).map_err(failed)? {
            return Ok(file);
        }
        if began.elapsed() > PATIENCE {
            let text = format!(
                "another process has held {shown} for {} s",
                PATIENCE.as_secs()
            );
            return Err(CredentialError::new(
                CredentialErrorKind::Passing(None),
                text,
            ));
        }
        if stop.sleep(TICK) {
            return Err(CredentialError::stopped());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_written_for_its_owner_only_and_one_holds_the_lock() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("anna.token");
        assert!(
            read(&path)
                .expect_err("missing")
                .to_string()
                .contains("--mode authorize")
        );
        let stop = Stop::new();
        let held = locked(&path, &stop).expect("free");
        write(&path, &Secret::new("r1".to_owned())).expect("written");
        assert_eq!(read(&path).expect("read").expose(), "r1");
        assert_eq!(path.metadata().expect("there").mode() & 0o777, 0o600);
        stop.request();
        assert_eq!(
            locked(&path, &stop).expect_err("held").kind,
            CredentialErrorKind::Stopped
        );
        drop(held);
        locked(&path, &stop).expect("free again");
    }
}
