//! From a host name to a logged-in session: greeting, STARTTLS, capabilities, login.
//!
//! Greeting, CAPABILITY, LOGIN and AUTHENTICATE are the `imap` crate's, behind the guard.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tracing::warn;

use super::Session;
use super::auth::{self, Login};
use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{Ending, Kind, Result, SessionError};
use super::guard::{Guard, SharedChannel, crate_error};
use super::pace::Ahead;
use super::peer::Peer;
use super::preset;
use super::reader::{Reader, Response};
use super::refusal;
use super::response::{self, Condition, ResponseKind};
use super::steps::{Step, Steps};
use super::wire::Wire;
use crate::config::TlsMode;
use crate::plural::{counted, verb};
use crate::stop::Stop;

type Client = imap::Client<Guard>;

/// Connects and logs in, once.
///
/// # Errors
/// See [`Kind`] for the kinds; texts name the host, the step and the server's words. [`Steps::current`] is
/// the step that failed.
pub fn attempt(peer: &Peer, login: &Login<'_>, stop: &Stop, steps: &mut Steps) -> Result<Session> {
    let server = &peer.server;
    let wire = Wire::connect(peer, stop, steps)?;
    steps.begin(Step::Greeting);
    let channel = Rc::new(RefCell::new(Channel::new(Reader::new(wire))));
    let mut client = imap::Client::new(Guard::new(Rc::clone(&channel)));
    greeting(&channel, &mut client)
        .map_err(|error| error.context(format!("greeting of {}", server.host)))?;
    channel.borrow_mut().pace = Arc::clone(&peer.pace);
    if is_concurrent(&channel.borrow()) {
        let why = format!(
            "{} carries out what is sent ahead in any order",
            server.host
        );
        peer.pace.limit(Ahead::Appends, &why);
    }
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
    let mechanism = auth::authenticate(&channel, client, login, &before)
        .map_err(|error| perhaps_refused(&channel, error))
        .map_err(|error| error.context(format!("login as {}", login.user)))?;
    let Some(channel) = Rc::into_inner(channel) else {
        let text = "the login still holds the connection";
        return Err(SessionError::new(Kind::Permanent, text));
    };
    let mut session = Session {
        channel: channel.into_inner(),
        mechanism,
        token_left: login.credential.left(),
        _slot: peer.slots.take(),
    };
    steps.begin(Step::Capabilities);
    session.after_login(before)?;
    if let Some(preset) = preset::of(&session.channel) {
        peer.follow(preset);
        recall(peer)?;
        session.channel.check_budget()?;
    }
    steps.end();
    Ok(session)
}

/// What earlier runs have used up of the day's budget.
///
/// # Errors
/// A record that cannot be read.
pub(super) fn recall(peer: &Peer) -> Result<()> {
    let begun = peer.budget.begin();
    begun.map_err(|error| SessionError::new(Kind::Local, format!("{error:#}")))
}

/// A server that answers a login with an untagged NO, or with a BYE that speaks of the login, and hangs up has refused
/// it: trying again could lock the account.
fn perhaps_refused(channel: &SharedChannel, error: SessionError) -> SessionError {
    let channel = channel.borrow();
    let Some(status) = &channel.objection else {
        return error;
    };
    let is_refusal = match status.condition {
        Condition::Bye => error.ending == Some(Ending::Goodbye) && refusal::is_about_login(status),
        _ => true,
    };
    if error.kind == Kind::Transient && is_refusal {
        return refusal::error(status, Kind::Authentication);
    }
    error
}

/// Stalwart gives its name in the greeting: no need to find out that it mixes up answers.
fn is_concurrent(channel: &Channel) -> bool {
    let greeting = channel.greeting.as_deref().unwrap_or_default();
    greeting.to_ascii_lowercase().contains("stalwart")
}

fn greeting(channel: &SharedChannel, client: &mut Client) -> Result<()> {
    let bytes = client
        .read_greeting()
        .map_err(|error| crate_error(channel, error, Kind::Transient))?;
    let response = Response {
        bytes,
        ..Response::default()
    };
    let refuse = |text: String| Err(SessionError::new(Kind::Permanent, text));
    match response::classify(&response) {
        ResponseKind::Untagged(status) if status.condition == Condition::Ok => Ok(()),
        ResponseKind::Untagged(status) if status.condition == Condition::Preauth => refuse(
            "PREAUTH: the connection is logged in already, and not as the account".to_owned(),
        ),
        _ => refuse(format!(
            "this is not an IMAP server, it says \"{}\"; check server.host and server.port",
            response.shown()
        )),
    }
}

/// STARTTLS (RFC 3501 section 6.2.1); what was sent in plain text before it is forgotten.
fn start_tls(peer: &Peer, channel: &SharedChannel, steps: &mut Steps) -> Result<()> {
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
        warn!(
            "{} sent in plain text behind STARTTLS {} ignored",
            counted(injected, "byte"),
            verb(injected, "is", "are")
        );
    }
    channel.capabilities = Capabilities::default();
    channel.reader().wire().start_tls(peer, steps)
}
