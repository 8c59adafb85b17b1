//! How accounts log in, as a configuration says it: mechanism, user names, and where the proof comes from.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::location::Location;
use super::reader::ConfigReader;
use crate::credential::source::{self, PasswordSource};
use crate::credential::tokens::{TokenSource, Tokens};
use crate::credential::{CredentialSource, Template};
use crate::secret::Secret;

const KEYS: [&str; 11] = [
    "mechanism",
    "login",
    "authzid",
    "password",
    "password_file",
    "password_env",
    "password_command",
    "token_file",
    "token_env",
    "token_command",
    "oauth",
];
/// The ways to give a password.
pub const PASSWORD_KEYS: &[&str] = KEYS.split_at(3).1.split_at(4).0;
/// The ways to give a password or a token.
const WAY_KEYS: &[&str] = KEYS.split_at(3).1;

/// How the proof is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// Whatever suits the credential and what the server offers.
    #[default]
    Auto,
    /// SASL PLAIN (RFC 4616).
    Plain,
    /// SASL LOGIN, or the command LOGIN where that is not offered.
    Login,
    /// XOAUTH2, as Google and Microsoft have it.
    XOAuth2,
    /// OAUTHBEARER (RFC 7628).
    OAuthBearer,
}

impl Mechanism {
    const ALL: [Self; 5] = [
        Self::Auto,
        Self::Plain,
        Self::Login,
        Self::XOAuth2,
        Self::OAuthBearer,
    ];

    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Login => "login",
            Self::XOAuth2 => "xoauth2",
            Self::OAuthBearer => "oauthbearer",
        }
    }

    pub(super) fn fits(self, way: &CredentialSource) -> bool {
        match self {
            Self::Auto => true,
            Self::Plain | Self::Login => !way.is_token(),
            Self::XOAuth2 | Self::OAuthBearer => way.is_token(),
        }
    }
}

/// What stands in `auth`, of a server or of an account.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// How the proof is sent.
    pub mechanism: Option<Mechanism>,
    /// The user name.
    pub login: Option<Template>,
    /// Whose mail it is, where that is somebody else (RFC 4616).
    pub authzid: Option<Template>,
    /// Where the proof comes from.
    pub way: Option<CredentialSource>,
    /// A source is named, whether or not it can be used.
    pub names_a_way: bool,
}

impl Auth {
    /// This one, filled in from the other where it says nothing.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            mechanism: self.mechanism.or(other.mechanism),
            login: self.login.or_else(|| other.login.clone()),
            authzid: self.authzid.or_else(|| other.authzid.clone()),
            way: self.way.or_else(|| other.way.clone()),
            names_a_way: self.names_a_way || other.names_a_way,
        }
    }
}

impl ConfigReader<'_> {
    /// The `auth` of a server or an account; empty where there is none.
    pub fn auth(&mut self, object: &Map<String, Value>, at: &Location) -> Auth {
        let auth = match object.get("auth") {
            None | Some(Value::Null) => return Auth::default(),
            Some(Value::Object(auth)) => auth,
            Some(_) => {
                self.problem(at.key("auth"), "must be an object");
                return Auth::default();
            }
        };
        let at = at.key("auth");
        self.unknown_keys(auth, &at, &KEYS);
        let mechanism = self.string(auth, &at, "mechanism").and_then(|word| {
            let found = Mechanism::ALL
                .into_iter()
                .find(|one| word.eq_ignore_ascii_case(one.as_str()));
            if found.is_none() {
                let known = Mechanism::ALL.map(Mechanism::as_str).join(", ");
                self.problem(at.key("mechanism"), format!("must be one of {known}"));
            }
            found
        });
        let login = self.template(auth, &at, "login");
        let authzid = self.template(auth, &at, "authzid");
        let way = self.way(auth, &at, WAY_KEYS);
        if authzid.is_some()
            && !matches!(mechanism, None | Some(Mechanism::Auto | Mechanism::Plain))
        {
            self.problem(at.key("authzid"), "goes with the mechanism plain only");
        }
        if let Some(way) = &way {
            self.check_mechanism(&at, mechanism, way);
        }
        Auth {
            mechanism,
            login,
            authzid,
            way,
            names_a_way: WAY_KEYS
                .iter()
                .any(|key| auth.get(*key).is_some_and(|value| !value.is_null())),
        }
    }

    /// A password goes by a mechanism for passwords, a token by one for tokens.
    pub(super) fn check_mechanism(
        &mut self,
        at: &Location,
        mechanism: Option<Mechanism>,
        way: &CredentialSource,
    ) {
        if mechanism.is_none_or(|mechanism| mechanism.fits(way)) {
            return;
        }
        let text = if way.is_token() {
            "sends a password, and what is given is a token; use xoauth2, oauthbearer or auto"
        } else {
            "sends a token, and what is given is a password; use plain, login or auto"
        };
        self.problem(at.key("mechanism"), text);
    }

    pub(super) fn template(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        key: &str,
    ) -> Option<Template> {
        let text = self.string(object, at, key)?;
        let template = Template::new(&text);
        if template.is_none() || text.is_empty() || text.chars().any(char::is_control) {
            let text =
                "must be a text with {email}, {login}, {local} or {domain} where they belong";
            self.problem(at.key(key), text);
            return None;
        }
        template
    }

    /// The one of `keys` that is given; several are a problem, none is none.
    pub(super) fn way(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        keys: &[&str],
    ) -> Option<CredentialSource> {
        let is_given = |key: &&str| object.get(*key).is_some_and(|value| !value.is_null());
        let given: Vec<&str> = keys.iter().copied().filter(is_given).collect();
        let key = match given[..] {
            [] => return None,
            [key] => key,
            _ => {
                let given = given.join(", ");
                if let Some(email) = email(object) {
                    let text =
                        format!("account {email} has more than one password source: {given}");
                    self.problem(at.key("password"), text);
                } else {
                    let text = format!("more than one source of a password or token: {given}");
                    self.problem(at, text);
                }
                return None;
            }
        };
        let source = match key {
            "token_file" => {
                let name = self.template(object, at, key)?;
                TokenSource::File(name, self.resolve(""))
            }
            "token_env" => TokenSource::Env(self.string(object, at, key)?),
            "token_command" => {
                let is_shell = object[key].is_string();
                TokenSource::Command(self.token_command(&object[key], &at.key(key))?, is_shell)
            }
            "oauth" => TokenSource::Oauth(Box::new(self.oauth(&object[key], &at.key(key))?)),
            _ => {
                return self
                    .password(object, at, key)
                    .map(CredentialSource::Password);
            }
        };
        Some(CredentialSource::Token(Arc::new(Tokens::new(source))))
    }

    /// A password or a client's secret, by any of its four keys.
    pub(super) fn password(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        key: &str,
    ) -> Option<PasswordSource> {
        if key.ends_with("_command") {
            let words = self.command(&object[key], &at.key(key));
            return words.map(PasswordSource::command);
        }
        let text = self.string(object, at, key)?;
        let secret = if key.ends_with("_env") {
            std::env::var(&text)
                .map_err(|_| format!("the environment variable {text} is not set, or is no UTF-8"))
        } else if key.ends_with("_file") {
            self.secret_file(&text)
        } else {
            Ok(text)
        };
        match secret {
            Ok(secret) if secret.is_empty() => {
                let text = match email(object) {
                    Some(email) => format!("the password of account {email} is empty"),
                    None => "is empty".to_owned(),
                };
                self.problem(at.key(key), text);
                None
            }
            Ok(secret) => Some(PasswordSource::Ready(Secret::new(secret))),
            Err(reason) => {
                self.problem(at.key(key), reason);
                None
            }
        }
    }

    fn secret_file(&mut self, name: &str) -> Result<String, String> {
        let path = self.resolve(name);
        let shown = path.display();
        let bytes = std::fs::read(&path).map_err(|error| format!("read {shown}: {error}"))?;
        self.check_mode(&path, "the password file");
        String::from_utf8(bytes)
            .map(source::without_line_end)
            .map_err(|_| format!("{shown} is not UTF-8"))
    }

    fn command(&mut self, value: &Value, at: &Location) -> Option<Vec<String>> {
        let words: Option<Vec<String>> = match value {
            Value::String(command) => Some(vec!["sh".into(), "-c".into(), command.clone()]),
            Value::Array(words) => words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        let words = words.filter(|words| words.iter().any(|word| !word.trim().is_empty()));
        if words.is_none() {
            self.problem(at, "must be a command as a string, or a list of its words");
        }
        words
    }

    fn token_command(&mut self, value: &Value, at: &Location) -> Option<Vec<Template>> {
        let words = self.command(value, at)?;
        let templates: Option<Vec<Template>> =
            words.iter().map(|word| Template::new(word)).collect();
        if templates.is_none() {
            self.problem(
                at,
                "has places other than {email}, {login}, {local}, {domain}",
            );
        }
        templates
    }
}

/// Of an account, its name.
fn email(object: &Map<String, Value>) -> Option<&str> {
    object.get("email").and_then(Value::as_str)
}
