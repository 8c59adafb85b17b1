//! Proves who logs in: LOGIN, AUTHENTICATE PLAIN (RFC 4616), XOAUTH2 and OAUTHBEARER (RFC 7628).
//!
//! Passwords go through the `imap` crate; tokens through commands of our own, as the crate knows no initial response
//! (RFC 4959). It does not ask where a credential comes from.

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
use crate::secret::Secret;

/// Challenges after which a server is given up.
const MAX_CHALLENGES: u32 = 4;
/// Gives an exchange up (RFC 3501 section 6.2.2).
const CANCEL: &[u8] = b"*\r\n";

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

    /// The answer to a challenge that says why; only then does the server say NO.
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
            let exchange = Exchange {
                mechanism: bearer.name(),
                replies: vec![in_base64(&bearer.initial(login, token.secret()))],
                after_failure: bearer.after_failure(),
            };
            exchange.run(&mut channel.borrow_mut(), offered.has("SASL-IR"))?;
            Ok(bearer.name())
        }
    }
}

/// LOGIN, or a SASL mechanism where LOGIN is disabled or cannot carry the login.
fn with_password(
    channel: &Rc<RefCell<Channel>>,
    client: imap::Client<Guard>,
    login: &Login<'_>,
    password: &Secret,
    offered: &Capabilities,
) -> Result<&'static str> {
    let Some(exchange) = exchange(login, password, offered)? else {
        debug!("LOGIN");
        // The crate's session ends here, without a word to the server: all further commands are ours.
        return client
            .login(login.user, password.expose())
            .map(|_session| "LOGIN")
            .map_err(|(error, _client)| crate_error(channel, error, Kind::Authentication));
    };
    drop(client);
    let with_command = exchange.replies.len() == 1 && offered.has("SASL-IR");
    exchange.run(&mut channel.borrow_mut(), with_command)?;
    Ok(exchange.mechanism)
}

/// The SASL exchange for a password; `None` where the command LOGIN does it.
fn exchange(
    login: &Login<'_>,
    password: &Secret,
    offered: &Capabilities,
) -> Result<Option<Exchange>> {
    let plain_text = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b));
    let fits_login = plain_text(login.user) && plain_text(password.expose());
    let disabled = offered.has("LOGINDISABLED");
    let (plain, sasl_login) = (offered.has("AUTH=PLAIN"), offered.has("AUTH=LOGIN"));
    let refuse = |text: &str| Err(SessionError::new(Kind::Permanent, text));
    if login.mechanism == Mechanism::Plain || login.authzid.is_some() {
        if plain {
            return Ok(Some(Exchange::plain(login, password)));
        }
        return refuse(
            "the server offers no AUTH=PLAIN, which \"mechanism\" or \"authzid\" ask for; \
             if the connection is not encrypted, set ssl or starttls",
        );
    }
    let wants_sasl = disabled || !fits_login || login.mechanism == Mechanism::Login;
    let takes_plain = plain && login.mechanism != Mechanism::Login;
    if wants_sasl && takes_plain {
        return Ok(Some(Exchange::plain(login, password)));
    }
    if wants_sasl && sasl_login {
        return Ok(Some(Exchange::login(login, password)));
    }
    if disabled {
        return refuse(
            "the server disables LOGIN and offers none of AUTH=PLAIN and AUTH=LOGIN, so no password was sent; \
             if the connection is not encrypted, set ssl or starttls",
        );
    }
    Ok(None)
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

/// What is said in a SASL exchange (RFC 4422), in base64.
struct Exchange {
    mechanism: &'static str,
    /// A reply to each challenge of the server.
    replies: Vec<Secret>,
    /// The answer to a challenge beyond them; only then does the server say NO.
    after_failure: &'static [u8],
}

impl Exchange {
    /// RFC 4616.
    fn plain(login: &Login<'_>, password: &Secret) -> Self {
        let authzid = login.authzid.unwrap_or_default();
        let parts = Zeroizing::new([authzid, login.user, password.expose()].join("\0"));
        Self {
            mechanism: "PLAIN",
            replies: vec![in_base64(&parts)],
            after_failure: CANCEL,
        }
    }

    /// Never a standard (draft-murchison-sasl-login), but all that some hosting panels offer.
    fn login(login: &Login<'_>, password: &Secret) -> Self {
        Self {
            mechanism: "LOGIN",
            replies: vec![in_base64(login.user), in_base64(password.expose())],
            after_failure: CANCEL,
        }
    }

    /// The first reply goes with the command where that is allowed (RFC 4959), else after the first challenge.
    fn run(&self, channel: &mut Channel, with_command: bool) -> Result<()> {
        debug!("AUTHENTICATE {}", self.mechanism);
        let mut replies = self.replies.iter();
        let mut lane = Lane::new(channel);
        let mut sent = Zeroizing::new(lane.begin((), Order::Strict));
        sent.extend_from_slice(b"AUTHENTICATE ");
        sent.extend_from_slice(self.mechanism.as_bytes());
        if with_command && let Some(first) = replies.next() {
            sent.push(b' ');
            sent.extend_from_slice(first.expose().as_bytes());
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
                    error.context(format!("the login is refused with {why}"))
                });
            }
            if let Some(reply) = replies.next() {
                let reply = Zeroizing::new(format!("{}\r\n", reply.expose()));
                lane.write(reply.as_bytes())?;
            } else {
                why = reason(&lane.torn().bytes);
                lane.write(self.after_failure)?;
            }
        }
        let text = format!("the server asks again and again in {}", self.mechanism);
        Err(SessionError::new(Kind::Authentication, text))
    }
}

fn in_base64(text: &str) -> Secret {
    Secret::new(openssl::base64::encode_block(text.as_bytes()))
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
