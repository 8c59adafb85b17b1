//! A Google service account that acts for the users of a Workspace (RFC 7523, domain-wide delegation): one token a user.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::endpoint::{Endpoint, ErrorResponse, Granted, TokenReply, url};
use super::jwt::{Algorithm, Key};
use crate::credential::{Result, Template, Token, Who};
use crate::stop::Stop;

/// Shows all labels and messages, whatever the user's IMAP settings: for a source.
pub const READING: &str = "https://www.googleapis.com/auth/gmail.imap_admin";
/// All of a user's mail: for a target.
pub const WRITING: &str = "https://mail.google.com/";
/// How long an assertion is good, in seconds; Google allows an hour.
const LIFE: u64 = 3600;

/// What most likely lies behind an IMAP server that refuses a fresh token.
pub const REFUSED: &str = "IMAP is switched off for the user (Admin console > Apps > Google Workspace > Gmail > End User Access), \
     the scope is not one that IMAP takes, or the login is another address than the token's subject";

/// The file that Google gives out for a service account.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    private_key_id: String,
    private_key: Zeroizing<String>,
    #[serde(default)]
    token_uri: String,
}

/// A service account.
#[derive(Debug)]
pub struct ServiceAccount {
    endpoint: Endpoint,
    token_url: Url,
    email: String,
    client_id: String,
    key_id: String,
    key: Key,
    scope: String,
    subject: Template,
}

impl ServiceAccount {
    /// Reads the key file's text; `token_url` replaces the file's.
    ///
    /// # Errors
    /// Says what is wrong with the file, without a word of it.
    pub fn new(
        key_file: &[u8],
        token_url: Option<Url>,
        scope: String,
        subject: Template,
        endpoint: Endpoint,
    ) -> std::result::Result<Self, String> {
        let file: KeyFile = serde_json::from_slice(key_file)
            .map_err(|_| "is not the JSON key file of a service account".to_owned())?;
        if file.kind != "service_account" {
            return Err(
                "is not the key of a service account: its \"type\" must be \"service_account\""
                    .to_owned(),
            );
        }
        let key = Key::from_pem(file.private_key.as_bytes())
            .map_err(|why| format!("its \"private_key\" {why}"))?;
        let token_url = match token_url {
            Some(url) => url,
            None if file.token_uri.is_empty() => url("https://oauth2.googleapis.com/token")?,
            None => url(&file.token_uri).map_err(|why| format!("its \"token_uri\" {why}"))?,
        };
        Ok(Self {
            endpoint,
            token_url,
            email: file.client_email,
            client_id: file.client_id,
            key_id: file.private_key_id,
            key,
            scope,
            subject,
        })
    }

    /// The user whose mail it is.
    #[must_use]
    pub fn subject(&self, who: Who<'_>) -> String {
        self.subject.fill(who)
    }

    /// A token for a user.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn mint(&self, who: Who<'_>, stop: &Stop) -> Result<Token> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs());
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if !self.key_id.is_empty() {
            header["kid"] = json!(self.key_id);
        }
        let claims = json!({
            "iss": self.email,
            "sub": self.subject(who),
            "scope": self.scope,
            "aud": self.token_url.as_str(),
            "iat": now,
            "exp": now + LIFE,
        });
        let assertion = self.key.sign(Algorithm::Rs256, &header, &claims)?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ];
        let reply = self.endpoint.ask::<Granted>(&self.token_url, &form, stop);
        match reply? {
            TokenReply::Granted(granted) => granted.token(),
            TokenReply::Refused(refused) => {
                let cause = self.cause(&refused);
                Err(refused.error(&self.token_url, &cause))
            }
        }
    }

    /// Which of the administrator's steps is likely missing.
    fn cause(&self, refused: &ErrorResponse) -> String {
        let words = refused.error_description.to_ascii_lowercase();
        match refused.error.as_str() {
            "unauthorized_client" => {
                let id = if self.client_id.is_empty() {
                    "of the key file"
                } else {
                    &self.client_id
                };
                format!(
                    "the delegation is missing, has another scope, or is not in force yet (it can take a day), or the \
                     account is no Workspace user; Admin console > Security > Access and data control > API controls > \
                     Domain-wide delegation > Add new: client ID {id}, scope {}",
                    self.scope
                )
            }
            "invalid_grant" if words.contains("iat") || words.contains("timeframe") => {
                let ours = crate::clock::utc_now();
                let theirs = if refused.date.is_empty() {
                    String::new()
                } else {
                    format!(", Google's {}", refused.date)
                };
                format!("this machine's clock is wrong; it says {ours}{theirs}")
            }
            "invalid_grant" if words.contains("signature") => format!(
                "the key has been deleted or replaced; make a new one for {} and give it as key_file",
                self.email
            ),
            "invalid_grant" => {
                "there is no such user in the Workspace, or the user is suspended".to_owned()
            }
            "invalid_scope" => format!("the scope {} is misspelt", self.scope),
            "disabled_client" | "invalid_client" => {
                format!("the service account {} is disabled or deleted", self.email)
            }
            "access_denied" | "admin_policy_enforced" | "org_internal" => {
                "a policy of the organisation forbids it; Admin console > Security > API controls"
                    .to_owned()
            }
            _ => String::new(),
        }
    }
}
