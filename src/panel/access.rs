//! Where a panel is and who logs in there.

use std::path::PathBuf;

use url::Url;

use crate::secret::Secret;

/// A checked panel login.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where the panel is; without user, query and fragment.
    pub url: Url,
    /// User name; `admin|user` acts for a user.
    pub user: String,
    /// Password or login key.
    pub password: Secret,
    /// PEM file with further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub accept_any_certificate: bool,
    /// What is allowed but worth knowing.
    pub warnings: Vec<String>,
}

impl Access {
    /// Scheme, host and port.
    #[must_use]
    pub fn place(&self) -> String {
        let port = self
            .url
            .port()
            .map_or(String::new(), |port| format!(":{port}"));
        let host = self.url.host_str().unwrap_or_default();
        format!("{}://{host}{port}", self.url.scheme())
    }

    /// The user whose domains these are: of `admin|user` the second.
    #[must_use]
    pub fn effective_user(&self) -> &str {
        self.user.rsplit('|').next().unwrap_or(&self.user)
    }
}
