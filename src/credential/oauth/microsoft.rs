//! A Microsoft application with access to the mailboxes of a tenant (client credentials): one token for all of them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use url::Url;

use super::endpoint::{Endpoint, ErrorResponse, Granted, TokenReply};
use super::jwt::{self, Algorithm, Certificate, Key};
use crate::credential::source::PasswordSource;
use crate::credential::{CredentialError, Result, Token};
use crate::secret::Secret;
use crate::stop::Stop;

/// All application permissions that the tenant's administrator has granted.
pub const SCOPE: &str = "https://outlook.office365.com/.default";
/// How long an assertion is good, in seconds.
const LIFE: u64 = 600;

/// What most likely lies behind an IMAP server that refuses a fresh token.
pub const REFUSED: &str = "Exchange Online knows no service principal for the app, or one with another object id \
     (New-ServicePrincipal -AppId APP -ObjectId ID, with the Object ID of the Enterprise application, not of the App \
     registration), or the app lacks the permission IMAP.AccessAsApp with admin consent";
/// What most likely lies behind a login that is accepted and opens no mailbox.
pub const NO_MAILBOX: &str = "the app has no right to this mailbox (Add-MailboxPermission -Identity MAILBOX -User SERVICE_PRINCIPAL \
     -AccessRights FullAccess), IMAP is switched off for it (Set-CASMailbox -Identity MAILBOX -ImapEnabled $true), \
     or there is no such mailbox";

/// How the application proves itself.
#[derive(Debug)]
pub enum Proof {
    /// By a client secret.
    Secret(PasswordSource),
    /// By a certificate and its key.
    Certificate(Certificate, Key),
}

/// An application.
#[derive(Debug)]
pub struct App {
    /// Where tokens are asked for.
    pub endpoint: Endpoint,
    /// The tenant's endpoint.
    pub token_url: Url,
    /// The application's (client) id.
    pub client_id: String,
    /// Which permissions.
    pub scope: String,
    /// How it proves itself.
    pub proof: Proof,
}

impl App {
    /// A token for the tenant.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn mint(&self, stop: &Stop) -> Result<Token> {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("scope", &self.scope),
        ];
        let secret = match &self.proof {
            Proof::Secret(source) => source
                .secret()
                .map_err(|error| CredentialError::last(format!("client_secret: {error:#}")))?,
            Proof::Certificate(certificate, key) => self.assertion(certificate, key)?,
        };
        match &self.proof {
            Proof::Secret(_) => form.push(("client_secret", secret.expose())),
            Proof::Certificate(..) => form.extend([
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", secret.expose()),
            ]),
        }
        let reply = self.endpoint.ask::<Granted>(&self.token_url, &form, stop);
        match reply? {
            TokenReply::Granted(granted) => granted.token(),
            TokenReply::Refused(refused) => Err(refused.error(&self.token_url, cause(&refused))),
        }
    }

    fn assertion(&self, certificate: &Certificate, key: &Key) -> Result<Secret> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs());
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": certificate.thumbprint()?});
        let claims = json!({
            "aud": self.token_url.as_str(),
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": jwt::nonce()?,
            "nbf": now,
            "iat": now,
            "exp": now + LIFE,
        });
        key.sign(Algorithm::Ps256, &header, &claims)
    }
}

/// Which step is likely missing; Microsoft's numbers are hints for people and change no decision.
#[must_use]
pub fn cause(refused: &ErrorResponse) -> &'static str {
    let words = &refused.error_description;
    let says = |numbers: &[&str]| {
        numbers
            .iter()
            .any(|number| words.contains(&format!("AADSTS{number}:")))
    };
    if says(&["7000215"]) {
        return "the client secret is wrong; often the secret's ID was copied instead of its Value";
    }
    if says(&["7000222"]) {
        return "the client secret has expired; make a new one under App registrations > Certificates & secrets";
    }
    if says(&["700027", "700024"]) {
        return "the certificate is not uploaded to the app registration (Certificates & secrets > Certificates), or \
                this machine's clock is wrong";
    }
    if says(&["700016"]) {
        return "client_id is wrong, or the app is not in this tenant";
    }
    if says(&["90002", "900023"]) {
        return "tenant is wrong: the Directory (tenant) ID, or a domain of the tenant";
    }
    if says(&["65001"]) {
        return "nobody has consented; an administrator grants it under App registrations > API permissions > Grant \
                admin consent";
    }
    if says(&["50173", "700082", "70043", "70008"]) {
        return "the consent is over (unused for too long, a new password, or withdrawn): run --mode authorize again";
    }
    if says(&["50076", "50079"]) {
        return "a second factor is asked for: run --mode authorize again";
    }
    if says(&["53003"]) {
        return "a Conditional Access policy of the tenant forbids it (often \"Block device code flow\"): use the browser \
                flow, or have the policy changed";
    }
    if says(&["7000218"]) {
        return "the app is not a public client: App registrations > Authentication > Allow public client flows, or give \
                client_secret";
    }
    match refused.error.as_str() {
        "invalid_client" => "client_id, client secret or certificate are wrong",
        "unauthorized_client" => "the app is not allowed to do this in this tenant",
        "invalid_scope" => "scope is misspelt, or names more than one resource",
        "invalid_grant" | "interaction_required" => {
            "the consent is over: run --mode authorize again"
        }
        _ => "",
    }
}
