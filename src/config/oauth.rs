//! The `oauth` of a configuration: who gives tokens, and how to ask for them.

use serde_json::{Map, Value};
use url::Url;

use super::location::Location;
use super::reader::ConfigReader;
use crate::credential::oauth::google::{self, ServiceAccount};
use crate::credential::oauth::jwt::{Certificate, Key};
use crate::credential::oauth::microsoft::{self, App, Proof};
use crate::credential::oauth::refresh::{Consent, Refresh};
use crate::credential::oauth::{self, Endpoint, Oauth};
use crate::credential::source::PasswordSource;
use crate::credential::{Template, Who};

const GOOGLE: &str = "google-service-account";
const MICROSOFT: &str = "microsoft";
const REFRESH: &str = "refresh";

const GOOGLE_KEYS: [&str; 6] = [
    "provider",
    "key_file",
    "scope",
    "subject",
    "token_url",
    "ca_file",
];
const MICROSOFT_KEYS: [&str; 11] = [
    "provider",
    "tenant",
    "client_id",
    "client_secret",
    "client_secret_file",
    "client_secret_env",
    "client_secret_command",
    "certificate_file",
    "key_file",
    "scope",
    "token_url",
];
const REFRESH_KEYS: [&str; 12] = [
    "provider",
    "tenant",
    "client_id",
    "client_secret",
    "client_secret_file",
    "client_secret_env",
    "client_secret_command",
    "refresh_token_file",
    "scope",
    "token_url",
    "device_url",
    "authorize_url",
];
const CLIENT_SECRET_KEYS: &[&str] = MICROSOFT_KEYS.split_at(3).1.split_at(4).0;

/// Google's own endpoints, where a refresh token is asked for without others.
const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";
const GOOGLE_AUTHORIZE: &str = "https://accounts.google.com/o/oauth2/v2/auth";
/// What a user grants Microsoft's clients, and that it lasts.
const MICROSOFT_USER_SCOPE: &str =
    "https://outlook.office.com/IMAP.AccessAsUser.All offline_access";

type Object = Map<String, Value>;

impl ConfigReader<'_> {
    pub(super) fn oauth(&mut self, value: &Value, at: &Location) -> Option<Oauth> {
        let Some(object) = value.as_object() else {
            self.problem(at, "must be an object with \"provider\"");
            return None;
        };
        let ca_file = self.string(object, at, "ca_file");
        let ca_file = ca_file.map(|file| self.resolve(&file));
        let endpoint = match Endpoint::new(ca_file.as_deref()) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.problem(at.key("ca_file"), format!("{error:#}"));
                return None;
            }
        };
        match self.string(object, at, "provider").as_deref() {
            Some(GOOGLE) => self.google(object, at, endpoint).map(Oauth::Google),
            Some(MICROSOFT) => self.microsoft(object, at, endpoint).map(Oauth::Microsoft),
            Some(REFRESH) => self.refresh(object, at, endpoint).map(Oauth::Refresh),
            _ => {
                let text = format!("must be one of {GOOGLE}, {MICROSOFT}, {REFRESH}");
                self.problem(at.key("provider"), text);
                None
            }
        }
    }

    fn google(
        &mut self,
        object: &Object,
        at: &Location,
        endpoint: Endpoint,
    ) -> Option<ServiceAccount> {
        self.unknown_keys(object, at, &GOOGLE_KEYS);
        let scope = self.string(object, at, "scope");
        let scope = scope.unwrap_or_else(|| {
            let default = if self.is_target() {
                google::WRITING
            } else {
                google::READING
            };
            default.to_owned()
        });
        let subject = match object.get("subject") {
            None | Some(Value::Null) => Template::new("{email}"),
            Some(_) => self.template(object, at, "subject"),
        };
        let token_url = self.url(object, at, "token_url");
        let key_file = self.key_file(object, at, "key_file");
        let account = ServiceAccount::new(&key_file?, token_url, scope, subject?, endpoint);
        self.usable(at, "key_file", account)
    }

    fn microsoft(&mut self, object: &Object, at: &Location, endpoint: Endpoint) -> Option<App> {
        let mut keys = MICROSOFT_KEYS.to_vec();
        keys.push("ca_file");
        self.unknown_keys(object, at, &keys);
        let client_id = self.required(object, at, "client_id");
        let scope = self.string(object, at, "scope");
        let tenant = self.tenant(object, at);
        let token_url = self.url(object, at, "token_url");
        if tenant.is_none() && token_url.is_none() {
            let text = "is missing: the Directory (tenant) ID, or a domain of the tenant";
            self.problem(at.key("tenant"), text);
        }
        if matches!(
            tenant.as_deref(),
            Some("common" | "organizations" | "consumers")
        ) {
            let text = "must be one tenant: its Directory (tenant) ID, or a domain of it";
            self.problem(at.key("tenant"), text);
        }
        let proof = self.proof(object, at);
        let token_url = token_url.or_else(|| microsoft_url(tenant.as_deref()?, "token"));
        Some(App {
            endpoint,
            token_url: token_url?,
            client_id: client_id?,
            scope: scope.unwrap_or_else(|| microsoft::SCOPE.to_owned()),
            proof: proof?,
        })
    }

    /// A client secret, or a certificate with its key.
    fn proof(&mut self, object: &Object, at: &Location) -> Option<Proof> {
        let secret = self.client_secret(object, at);
        let has = |key: &str| object.get(key).is_some_and(|value| !value.is_null());
        if !has("certificate_file") && !has("key_file") {
            if secret.is_none() && !CLIENT_SECRET_KEYS.iter().any(|key| has(key)) {
                let text = "is missing; give it, or certificate_file and key_file";
                self.problem(at.key("client_secret"), text);
            }
            return secret.map(Proof::Secret);
        }
        if secret.is_some() {
            let text = "is given beside a client secret; give one of them";
            self.problem(at.key("certificate_file"), text);
        }
        let certificate = self.required(object, at, "certificate_file");
        let certificate = certificate.and_then(|name| self.bytes(at, "certificate_file", &name));
        let certificate = certificate.and_then(|pem| {
            let read = Certificate::from_pem(&pem);
            let read = read.ok_or_else(|| "holds no certificate in PEM form".to_owned());
            self.usable(at, "certificate_file", read)
        });
        let key = self.key_file(object, at, "key_file");
        let key = key.and_then(|pem| self.usable(at, "key_file", Key::from_pem(&pem)));
        let (certificate, key) = (certificate?, key?);
        if !key.fits(&certificate) {
            self.problem(at.key("key_file"), "is not the key of certificate_file");
            return None;
        }
        Some(Proof::Certificate(certificate, key))
    }

    fn refresh(&mut self, object: &Object, at: &Location, endpoint: Endpoint) -> Option<Refresh> {
        let mut keys = REFRESH_KEYS.to_vec();
        keys.push("ca_file");
        self.unknown_keys(object, at, &keys);
        let client_id = self.required(object, at, "client_id");
        let client_secret = self.client_secret(object, at);
        let tenant = self.tenant(object, at);
        let of_tenant = |what: &str| microsoft_url(tenant.as_deref()?, what);
        let token_url = self
            .url(object, at, "token_url")
            .or_else(|| of_tenant("token"));
        if token_url.is_none() && !object.contains_key("token_url") {
            let text = "is missing: the provider's token endpoint (or, of Microsoft, \"tenant\")";
            self.problem(at.key("token_url"), text);
        }
        let is_google = token_url
            .as_ref()
            .is_some_and(|url| url.as_str() == GOOGLE_TOKEN);
        let scope = self.string(object, at, "scope").or_else(|| {
            let default = if is_google {
                Some(google::WRITING)
            } else {
                tenant.as_ref().map(|_| MICROSOFT_USER_SCOPE)
            };
            default.map(str::to_owned)
        });
        let device_url = self.url(object, at, "device_url");
        let authorize_url = self.url(object, at, "authorize_url");
        let of_google = || oauth::url(GOOGLE_AUTHORIZE).ok().filter(|_| is_google);
        let consent = Consent {
            // Whoever names a page for the browser wants a browser.
            device_url: device_url
                .or_else(|| of_tenant("devicecode").filter(|_| authorize_url.is_none())),
            authorize_url: authorize_url
                .or_else(|| of_tenant("authorize"))
                .or_else(of_google),
        };
        if object.get("refresh_token_file").is_none_or(Value::is_null) {
            let text = "is missing: the file that --mode authorize writes";
            self.problem(at.key("refresh_token_file"), text);
        }
        let file = self.template(object, at, "refresh_token_file")?;
        if file.is_same_for_all() {
            let nobody = Who {
                email: "",
                login: "",
                host: "",
            };
            let path = self.resolve(&file.fill_path(nobody));
            self.check_mode(&path, "the refresh token");
        }
        Some(Refresh {
            endpoint,
            token_url: token_url?,
            client_id: client_id?,
            client_secret,
            scope,
            file,
            beside: self.resolve(""),
            consent,
        })
    }

    fn client_secret(&mut self, object: &Object, at: &Location) -> Option<PasswordSource> {
        let is_given = |key: &&&str| object.get(**key).is_some_and(|value| !value.is_null());
        let given: Vec<&&str> = CLIENT_SECRET_KEYS.iter().filter(is_given).collect();
        match given[..] {
            [] => None,
            [key] => self.password(object, at, key),
            _ => {
                let text = "more than one source of it is given";
                self.problem(at.key("client_secret"), text);
                None
            }
        }
    }

    fn tenant(&mut self, object: &Object, at: &Location) -> Option<String> {
        let tenant = self.string(object, at, "tenant")?;
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if tenant.is_empty() || !tenant.chars().all(good) {
            let text = "must be the Directory (tenant) ID, or a domain of the tenant";
            self.problem(at.key("tenant"), text);
            return None;
        }
        Some(tenant)
    }

    fn required(&mut self, object: &Object, at: &Location, key: &str) -> Option<String> {
        let text = self.string(object, at, key);
        let text = text
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        if text.is_none() {
            self.problem(at.key(key), "is missing or empty");
        }
        text
    }

    fn url(&mut self, object: &Object, at: &Location, key: &str) -> Option<Url> {
        let text = self.string(object, at, key)?;
        let url = oauth::url(&text);
        self.usable(at, key, url)
    }

    /// The bytes of a file with a private key, wiped when dropped.
    fn key_file(
        &mut self,
        object: &Object,
        at: &Location,
        key: &str,
    ) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let name = self.required(object, at, key)?;
        self.check_mode(&self.resolve(&name), "the private key");
        self.bytes(at, key, &name).map(zeroize::Zeroizing::new)
    }

    fn bytes(&mut self, at: &Location, key: &str, name: &str) -> Option<Vec<u8>> {
        let path = self.resolve(name);
        let read = std::fs::read(&path);
        let read = read.map_err(|error| format!("read {}: {error}", path.display()));
        self.usable(at, key, read)
    }

    fn usable<T>(&mut self, at: &Location, key: &str, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|why| self.problem(at.key(key), why)).ok()
    }
}

/// An endpoint of a tenant at Microsoft.
fn microsoft_url(tenant: &str, what: &str) -> Option<Url> {
    let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{what}");
    oauth::url(&url).ok()
}
