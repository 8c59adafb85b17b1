//! Proves who logs in: LOGIN, AUTHENTICATE PLAIN (RFC 4616), XOAUTH2 and OAUTHBEARER (RFC 7628).
//!
//! Passwords go by the `imap` crate; tokens by commands of our own, as the crate knows no initial response (RFC 4959).
//! It does not ask where a credential comes from.

use std::cell::RefCell;
use std::rc::Rc;

use tracing::debug;
use zeroize::Zeroizing;

use super::capability::Capabilities;
use super::channel::Channel;
use super::error::{Kind, Result, SessionError};
use super::guard::{Guard, crate_error};
use super::lane::{Lane, Order};
use super::refusal;
use super::response::Condition;
use crate::config::Mechanism;
use crate::credential::{Credential, shown};
use crate::redact;
use crate::secret::Secret;

/// Challenges after which a server is given up.
const MAX_CHALLENGES: u32 = 4;

/// Who logs in.
pub struct Login<'a> {
    /// User name as the server wants it.
    pub user: &'a str,
    /// Whose mail it is, where that is somebody else.
    pub authzid: Option<&'a str>,
    /// How the proof is sent.
    pub mechanism: Mechanism,
    /// The proof.
    pub credential: &'a Credential,
    /// Where the server is: OAUTHBEARER says it.
    pub place: (&'a str, u16),
}

/// A mechanism that carries a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bearer {
    XOAuth2,
    OAuthBearer,
}

impl Bearer {
    fn name(self) -> &'static str {
        match self {
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    fn initial(self, login: &Login<'_>, token: &Secret) -> Zeroizing<String> {
        let (user, token) = (login.user, token.expose());
        Zeroizing::new(match self {
            Self::XOAuth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
            Self::OAuthBearer => {
                let (host, port) = login.place;
                // A name of GS2 (RFC 5801 section 4).
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
            }
        })
    }

    /// What a challenge that says why is answered with; only then the server says NO.
    fn after_failure(self) -> &'static [u8] {
        match self {
            Self::XOAuth2 => b"\r\n",
            Self::OAuthBearer => b"AQ==\r\n",
        }
    }
}

/// Logs in; returns the mechanism that did it.
pub(super) fn authenticate(
    channel: &Rc<RefCell<Channel>>,
    client: imap::Client<Guard>,
    login: &Login<'_>,
    offered: &Capabilities,
) -> Result<&'static str> {
    match login.credential {
        Credential::Password(password) => with_password(channel, client, login, password, offered),
        Credential::Token(token) => {
            // The crate's part of the connection ends here, without a word to the server.
            drop(client);
            let bearer = bearer(login.mechanism, offered)?;
            let initial = bearer.initial(login, token.secret());
            let initial = Secret::new(openssl::base64::encode_block(initial.as_bytes()));
            let mut channel = channel.borrow_mut();
            with_token(&mut channel, bearer, &initial, offered.has("SASL-IR"))
                .map_err(|error| error.hiding(&initial))?;
            Ok(bearer.name())
        }
    }
}

/// LOGIN, or AUTHENTICATE PLAIN where LOGIN is disabled or cannot carry what is to be said.
fn with_password(
    channel: &Rc<RefCell<Channel>>,
    client: imap::Client<Guard>,
    login: &Login<'_>,
    password: &Secret,
    offered: &Capabilities,
) -> Result<&'static str> {
    let plain_text = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b));
    let fits_login = plain_text(login.user) && plain_text(password.expose());
    let sasl_plain = offered.has("AUTH=PLAIN");
    let login_disabled = offered.has("LOGINDISABLED");
    let wants_plain = login.mechanism == Mechanism::Plain || login.authzid.is_some();
    let prefers_plain = login.mechanism != Mechanism::Login && (login_disabled || !fits_login);
    let refuse = |text: &str| Err(SessionError::new(Kind::Permanent, text));
    if wants_plain && !sasl_plain {
        return refuse(
            "the server offers no AUTH=PLAIN, which \"mechanism\" or \"authzid\" ask for; \
             if the connection is not encrypted, set ssl or starttls",
        );
    }
    let (mechanism, outcome) = if wants_plain || sasl_plain && prefers_plain {
        debug!("AUTHENTICATE PLAIN");
        let outcome = client.authenticate("PLAIN", &SaslPlain(login, password));
        ("PLAIN", outcome)
    } else if login_disabled {
        return refuse(
            "the server disables LOGIN and offers no AUTH=PLAIN; \
             if the connection is not encrypted, set ssl or starttls",
        );
    } else {
        debug!("LOGIN");
        ("LOGIN", client.login(login.user, password.expose()))
    };
    // The crate's session ends here, without a word to the server: all further commands are ours.
    outcome
        .map(|_session| mechanism)
        .map_err(|(error, _client)| crate_error(channel, error, Kind::Authentication))
}

struct SaslPlain<'a>(&'a Login<'a>, &'a Secret);

impl imap::Authenticator for SaslPlain<'_> {
    type Response = Vec<u8>;

    fn process(&self, _challenge: &[u8]) -> Vec<u8> {
        let authzid = self.0.authzid.unwrap_or_default();
        let parts = [authzid, self.0.user, self.1.expose()];
        let response = parts.join("\0").into_bytes();
        redact::sent_in_base64(&response);
        response
    }
}

fn bearer(mechanism: Mechanism, offered: &Capabilities) -> Result<Bearer> {
    let is_offered = |bearer: &Bearer| offered.has(&format!("AUTH={}", bearer.name()));
    let wanted: &[Bearer] = match mechanism {
        Mechanism::XOAuth2 => &[Bearer::XOAuth2],
        Mechanism::OAuthBearer => &[Bearer::OAuthBearer],
        _ => &[Bearer::XOAuth2, Bearer::OAuthBearer],
    };
    wanted.iter().copied().find(is_offered).ok_or_else(|| {
        let names: Vec<&str> = wanted.iter().map(|bearer| bearer.name()).collect();
        let text = format!(
            "the server takes no token: it does not offer {}",
            names.join(" or ")
        );
        SessionError::new(Kind::Permanent, text)
    })
}

/// The initial response goes with the command where the server offers SASL-IR, else behind its first challenge.
fn with_token(
    channel: &mut Channel,
    bearer: Bearer,
    initial: &Secret,
    with_command: bool,
) -> Result<()> {
    debug!("AUTHENTICATE {}", bearer.name());
    let mut lane = Lane::new(channel);
    let mut sent = Zeroizing::new(lane.begin((), Order::Strict));
    sent.extend_from_slice(b"AUTHENTICATE ");
    sent.extend_from_slice(bearer.name().as_bytes());
    let mut is_sent = with_command;
    if is_sent {
        sent.push(b' ');
        sent.extend_from_slice(initial.expose().as_bytes());
    }
    sent.extend_from_slice(b"\r\n");
    lane.write(&sent)?;
    let mut why = String::new();
    for _ in 0..MAX_CHALLENGES {
        if let Some(((), status)) = lane.await_go_ahead()? {
            if status.condition == Condition::Ok {
                return Ok(());
            }
            let error = refusal::error(&status, Kind::Authentication);
            return Err(if why.is_empty() {
                error
            } else {
                error.context(format!("the token is refused with {why}"))
            });
        }
        if is_sent {
            why = reason(&lane.torn().bytes);
            lane.write(bearer.after_failure())?;
        } else {
            is_sent = true;
            let reply = Zeroizing::new(format!("{}\r\n", initial.expose()));
            lane.write(reply.as_bytes())?;
        }
    }
    let text = format!("the server asks again and again in {}", bearer.name());
    Err(SessionError::new(Kind::Authentication, text))
}

/// What a challenge says in base64, as text that can be shown.
fn reason(challenge: &[u8]) -> String {
    let text = String::from_utf8_lossy(challenge);
    let encoded = text.trim_start_matches('+').trim();
    match openssl::base64::decode_block(encoded) {
        Ok(json) if !json.is_empty() => shown(&String::from_utf8_lossy(&json)),
        _ => shown(encoded),
    }
}

#[cfg(test)]
mod tests {
    use super::super::response;
    use super::*;
    use crate::credential::Token;

    fn login(credential: &Credential) -> Login<'_> {
        Login {
            user: "a,b=c@example.com",
            authzid: None,
            mechanism: Mechanism::Auto,
            credential,
            place: ("imap.example.com", 993),
        }
    }

    #[test]
    fn initial_responses_are_as_specified() {
        let token = Credential::Token(Token::new(Secret::new("t".to_owned()), None));
        let initial = |bearer: Bearer| bearer.initial(&login(&token), token.secret());
        assert_eq!(
            *initial(Bearer::XOAuth2),
            "user=a,b=c@example.com\x01auth=Bearer t\x01\x01"
        );
        assert_eq!(
            *initial(Bearer::OAuthBearer),
            "n,a=a=2Cb=3Dc@example.com,\x01host=imap.example.com\x01port=993\x01auth=Bearer t\x01\x01"
        );
    }

    #[test]
    fn what_is_offered_is_taken() {
        let chosen = |mechanism, words: &str| {
            let offered = Capabilities(response::capability_words(words));
            bearer(mechanism, &offered).ok()
        };
        let both = "IMAP4rev1 AUTH=OAUTHBEARER AUTH=XOAUTH2";
        assert_eq!(chosen(Mechanism::Auto, both), Some(Bearer::XOAuth2));
        assert_eq!(
            chosen(Mechanism::OAuthBearer, both),
            Some(Bearer::OAuthBearer)
        );
        assert_eq!(
            chosen(Mechanism::Auto, "AUTH=OAUTHBEARER"),
            Some(Bearer::OAuthBearer)
        );
        assert_eq!(chosen(Mechanism::Auto, "AUTH=PLAIN"), None);
    }

    #[test]
    fn challenges_are_shown_as_what_they_are() {
        assert_eq!(
            reason(b"+ eyJzdGF0dXMiOiI0MDEifQo=\r\n"),
            r#"{"status":"401"}"#
        );
        assert_eq!(reason(b"+ not base64!\r\n"), "not base64!");
        assert_eq!(reason(b"+\r\n"), "");
    }
}
