//! From a host name to a logged-in session: greeting, STARTTLS, capabilities, login.
//!
//! Greeting, CAPABILITY, LOGIN and AUTHENTICATE are the `imap` crate's, behind the guard.

use std::cell::RefCell;
use std::rc::Rc;

use tracing::{debug, warn};

use super::Session;
use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{self, Kind, Result, SessionError};
use super::guard::Guard;
use super::peer::Peer;
use super::reader::{Reader, Response};
use super::refusal;
use super::response::{self, Condition, Line};
use super::steps::{Step, Steps};
use super::wire::Wire;
use crate::config::TlsMode;
use crate::redact;
use crate::secret::Secret;
use crate::stop::Stop;

type Shared = Rc<RefCell<Channel>>;
type Client = imap::Client<Guard>;

/// Who logs in.
pub struct Login<'a> {
    /// User name as the server wants it.
    pub user: &'a str,
    /// Password.
    pub password: &'a Secret,
}

/// Connects and logs in.
///
/// # Errors
/// What kind each failure is says [`Kind`]; texts name the host, the step and the server's words.
pub fn open(peer: &Peer, login: &Login<'_>, stop: &Stop) -> Result<Session> {
    open_in_steps(peer, login, stop, &mut Steps::default())
}

/// The same, telling how far it came.
///
/// # Errors
/// As for [`open`]; [`Steps::current`] is the step that failed.
pub fn open_in_steps(
    peer: &Peer,
    login: &Login<'_>,
    stop: &Stop,
    steps: &mut Steps,
) -> Result<Session> {
    let mut refused = false;
    loop {
        peer.slots.turn(refused, stop)?;
        *steps = Steps::default();
        let error = match attempt(peer, login, stop, steps) {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        if !has_no_slot(peer, &error, steps) {
            return Err(error);
        }
        refused = true;
        warn!(
            error = %error,
            "the server takes no further connection while others of this run are open; waiting until one of them has \
             ended (fewer --max-workers avoid that)"
        );
    }
}

/// True when it is our own other connections that leave no room for this one.
fn has_no_slot(peer: &Peer, error: &SessionError, steps: &Steps) -> bool {
    match error.kind {
        Kind::Busy => peer.slots.any_counted(),
        // Some servers close without a word, or do not even accept, when they are full.
        Kind::Transient => {
            steps.current().is_some_and(|step| step < Step::Login) && peer.slots.any_open()
        }
        _ => false,
    }
}

fn attempt(peer: &Peer, login: &Login<'_>, stop: &Stop, steps: &mut Steps) -> Result<Session> {
    let server = &peer.server;
    let wire = Wire::connect(peer, stop, steps)?;
    steps.begin(Step::Greeting);
    let channel = Rc::new(RefCell::new(Channel::new(Reader::new(wire))));
    let mut client = imap::Client::new(Guard::new(Rc::clone(&channel)));
    greeting(&channel, &mut client)
        .map_err(|error| error.context(format!("greeting of {}", server.host)))?;
    if server.tls == TlsMode::StartTls {
        start_tls(peer, &channel, steps)?;
    }
    steps.begin(Step::Login);
    if channel.borrow().capabilities.is_empty() {
        client
            .capabilities()
            .map_err(|error| crate_error(&channel, error, Kind::Refused).context("CAPABILITY"))?;
    }
    let before = std::mem::take(&mut channel.borrow_mut().capabilities);
    authenticate(&channel, client, login, &before)
        .map_err(|error| error.hiding(login.password))
        .map_err(|error| error.context(format!("login as {}", login.user)))?;
    let Some(channel) = Rc::into_inner(channel) else {
        let text = "the login still holds the connection";
        return Err(SessionError::new(Kind::Permanent, text));
    };
    let mut session = Session {
        channel: channel.into_inner(),
        _slot: peer.slots.take(),
    };
    steps.begin(Step::Capabilities);
    session.after_login(before)?;
    steps.end();
    Ok(session)
}

fn greeting(channel: &Shared, client: &mut Client) -> Result<()> {
    let bytes = client
        .read_greeting()
        .map_err(|error| crate_error(channel, error, Kind::Transient))?;
    let response = Response {
        bytes,
        ..Response::default()
    };
    let refuse = |text: String| Err(SessionError::new(Kind::Permanent, text));
    match response::classify(&response) {
        Line::Untagged(status) if status.condition == Condition::Ok => Ok(()),
        Line::Untagged(status) if status.condition == Condition::Preauth => refuse(
            "PREAUTH: the connection is logged in already, and not as the account".to_owned(),
        ),
        _ => refuse(format!(
            "this is no IMAP server, it says \"{}\"; check server.host and server.port",
            response.shown()
        )),
    }
}

/// STARTTLS (RFC 3501 section 6.2.1); what was sent in plain text before it is forgotten.
fn start_tls(peer: &Peer, channel: &Shared, steps: &mut Steps) -> Result<()> {
    steps.begin(Step::Tls);
    let mut channel = channel.borrow_mut();
    let host = &peer.server.host;
    if channel.capabilities.is_empty() {
        channel.run(&Command::new("CAPABILITY"), |_| {})?;
    }
    if !channel.capabilities.has("STARTTLS") {
        let text = format!(
            "{host} does not offer STARTTLS; there is no fall-back to plain text. \
             Check server.port, or set ssl for implicit TLS"
        );
        return Err(SessionError::new(Kind::Permanent, text));
    }
    let status = channel.run(&Command::new("STARTTLS"), |_| {})?;
    if status.condition != Condition::Ok {
        let text = format!("STARTTLS with {host} is refused: {}", status.said());
        return Err(SessionError::new(Kind::Permanent, text));
    }
    let injected = channel.reader().discard_buffered();
    if injected > 0 {
        warn!("{injected} bytes sent in plain text behind STARTTLS are ignored");
    }
    channel.capabilities = Capabilities::default();
    channel.reader().wire().start_tls(peer, steps)
}

/// LOGIN, or AUTHENTICATE PLAIN (RFC 4616) where LOGIN is disabled or cannot carry the password.
fn authenticate(
    channel: &Shared,
    client: Client,
    login: &Login<'_>,
    offered: &Capabilities,
) -> Result<()> {
    let plain_text = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b));
    let fits_login = plain_text(login.user) && plain_text(login.password.expose());
    let sasl_plain = offered.has("AUTH=PLAIN");
    let login_disabled = offered.has("LOGINDISABLED");
    let outcome = if sasl_plain && (login_disabled || !fits_login) {
        debug!("AUTHENTICATE PLAIN");
        client.authenticate("PLAIN", &SaslPlain(login))
    } else if login_disabled {
        return Err(SessionError::new(
            Kind::Permanent,
            "the server disables LOGIN and offers no AUTH=PLAIN; \
             if the connection is not encrypted, set ssl or starttls",
        ));
    } else {
        debug!("LOGIN");
        client.login(login.user, login.password.expose())
    };
    // The crate's session ends here, without a word to the server: all further commands are ours.
    outcome
        .map(drop)
        .map_err(|(error, _client)| crate_error(channel, error, Kind::Authentication))
}

struct SaslPlain<'a>(&'a Login<'a>);

impl imap::Authenticator for SaslPlain<'_> {
    type Response = Vec<u8>;

    fn process(&self, _challenge: &[u8]) -> Vec<u8> {
        let (user, password) = (self.0.user, self.0.password.expose());
        let response = [b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat();
        redact::sent_in_base64(&response);
        response
    }
}

/// The error behind one of the crate's, with the words of the server instead of the crate's.
pub(super) fn crate_error(channel: &Shared, error: imap::Error, refused: Kind) -> SessionError {
    match error {
        imap::Error::Io(error) => match error::from_io(&error) {
            Some(inner) => inner.clone(),
            None => SessionError::transport("talk to the server", &error),
        },
        imap::Error::No(_) | imap::Error::Bad(_) => match &channel.borrow().last_status {
            Some(status) => refusal::error(status, refused),
            None => SessionError::new(refused, "the server refuses"),
        },
        imap::Error::Validate(_) => SessionError::new(
            Kind::Permanent,
            "user name or password holds a line break, which LOGIN cannot carry",
        ),
        _ => SessionError::new(Kind::Desync, "the server's answer does not fit the command"),
    }
}
