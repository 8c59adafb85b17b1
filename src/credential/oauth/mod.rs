//! OAuth 2.0: who gives tokens, what is sent there, and what its answers mean.

pub mod device;
mod endpoint;
pub mod google;
pub mod jwt;
pub mod loopback;
pub mod microsoft;
pub mod refresh;

pub use endpoint::{Endpoint, url};

use super::{Result, Token, Who};
use crate::stop::Stop;

/// Who gives tokens.
#[derive(Debug)]
pub enum Oauth {
    /// Google, for all users of a Workspace.
    Google(google::ServiceAccount),
    /// Microsoft, for all mailboxes of a tenant.
    Microsoft(microsoft::App),
    /// Anybody, for a user who has agreed.
    Refresh(refresh::Refresh),
}

impl Oauth {
    /// A new token.
    ///
    /// # Errors
    /// No answer, or a refusal, with what it most likely means.
    pub fn mint(&self, who: Who<'_>, stop: &Stop) -> Result<Token> {
        match self {
            Self::Google(account) => account.mint(who, stop),
            Self::Microsoft(app) => app.mint(stop),
            Self::Refresh(refresh) => refresh.mint(who, stop),
        }
    }

    /// Whom a token serves: a Google one a user, a Microsoft one the tenant.
    #[must_use]
    pub fn key(&self, who: Who<'_>) -> String {
        match self {
            Self::Google(account) => account.subject(who),
            Self::Microsoft(_) => String::new(),
            Self::Refresh(refresh) => refresh.file(who).display().to_string(),
        }
    }

    /// The provider, as the configuration calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Google(_) => "google-service-account",
            Self::Microsoft(_) => "microsoft",
            Self::Refresh(_) => "refresh",
        }
    }

    /// What most likely lies behind an IMAP server that refuses a token minted just now.
    #[must_use]
    pub fn cause_of_refusal(&self) -> &'static str {
        match self {
            Self::Google(_) => google::REFUSED,
            Self::Microsoft(_) => microsoft::REFUSED,
            Self::Refresh(_) => refresh::REFUSED,
        }
    }

    /// What most likely lies behind a login that is accepted and opens no mailbox.
    #[must_use]
    pub fn cause_of_no_mailbox(&self) -> &'static str {
        match self {
            Self::Google(_) => "",
            Self::Microsoft(_) => microsoft::NO_MAILBOX,
            Self::Refresh(_) => refresh::NO_MAILBOX,
        }
    }
}
