//! What proves a login: a password or a token, where it comes from, how long it lasts.
//!
//! Knows files and HTTP; no IMAP, no session, no command.

pub mod cache;
mod error;
pub mod oauth;
mod printed;
pub mod source;
mod template;
mod token;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

pub use error::{CredentialError, CredentialErrorKind, Result, shown};
pub use template::Template;
pub use token::Token;
use tokens::Tokens;

use crate::secret::Secret;
use crate::stop::Stop;

/// Whom a credential is for.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The account's name.
    pub email: &'a str,
    /// The user name of its login.
    pub login: &'a str,
    /// The server's host.
    pub host: &'a str,
}

/// What proves a login.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// A bearer token.
    Token(Token),
}

impl Credential {
    /// The secret itself, to be sent or to be hidden.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Password(secret) => secret,
            Self::Token(token) => token.secret(),
        }
    }

    /// How long it still lasts, where that is known.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        match self {
            Self::Password(_) => None,
            Self::Token(token) => token.left(),
        }
    }
}

/// Where an account's credential comes from.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// A password.
    Password(source::PasswordSource),
    /// Tokens, shared by all accounts that have this source.
    Token(Arc<Tokens>),
}

/// What a refused login means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The token was an old one: another one may be taken, once.
    Renewable,
    /// Trying again is pointless; the likely cause, in words that say what to do.
    Final(&'static str),
}

impl CredentialSource {
    /// What proves the login now; asked at every connection.
    ///
    /// # Errors
    /// See [`CredentialErrorKind`] for the kinds.
    pub fn credential(&self, who: Who<'_>, stop: &Stop) -> Result<Credential> {
        match self {
            Self::Password(source) => match source.secret() {
                Ok(secret) => Ok(Credential::Password(secret)),
                Err(error) => Err(CredentialError::new(
                    CredentialErrorKind::Final,
                    format!("{error:#}"),
                )
                .context(format!("password of account {}", who.email))),
            },
            Self::Token(tokens) => {
                let token = tokens.token(who, stop);
                let token =
                    token.map_err(|error| error.context(format!("token for {}", who.email)));
                token.map(Credential::Token)
            }
        }
    }

    /// The server took it.
    pub fn accepted(&self, who: Who<'_>, credential: &Credential) {
        if let (Self::Token(tokens), Credential::Token(token)) = (self, credential) {
            tokens.accepted(who, token);
        }
    }

    /// The server refused it.
    #[must_use]
    pub fn refused(&self, who: Who<'_>, credential: &Credential) -> Refusal {
        match (self, credential) {
            (Self::Token(tokens), Credential::Token(token)) => tokens.refused(who, token),
            _ => Refusal::Final(""),
        }
    }

    /// What is likely missing where a login is accepted and opens no mailbox; empty where nothing is known.
    #[must_use]
    pub fn cause_of_no_mailbox(&self) -> &'static str {
        match self {
            Self::Password(_) => "",
            Self::Token(tokens) => tokens.cause_of_no_mailbox(),
        }
    }

    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Token(tokens) => tokens.name(),
        }
    }

    /// True where a token proves the login: no mailbox can be created with it.
    #[must_use]
    pub fn is_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}
