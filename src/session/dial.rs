//! From an account to a session: waits for a slot, asks for the credential, connects.
//!
//! A credential is asked for at every connection, as tokens expire. A refused token is replaced by another, once, if
//! it was an old one; a fresh one that is refused shows a wrong configuration.

use tracing::{debug, warn};

use super::Session;
use super::auth::Login;
use super::connect;
use super::error::{Kind, Result, SessionError, Stage};
use super::peer::Peer;
use super::steps::{Step, Steps};
use crate::config::Account;
use crate::credential::{self, CredentialError, Refusal};
use crate::stop::Stop;

/// Tokens that are tried one after the other before a refusal counts.
const MAX_TOKENS: u32 = 3;

/// Connects and logs in.
///
/// # Errors
/// See [`Kind`] for the kinds; texts name the host, the step and the server's words.
pub fn open(peer: &Peer, account: &Account, stop: &Stop) -> Result<Session> {
    open_in_steps(peer, account, stop, &mut Steps::default())
}

/// The same, noting how far it came.
///
/// # Errors
/// As for [`open`]; [`Steps::current`] is the step that failed.
pub fn open_in_steps(
    peer: &Peer,
    account: &Account,
    stop: &Stop,
    steps: &mut Steps,
) -> Result<Session> {
    let peer = &peer.of(account);
    connect::recall(peer)?;
    if let Some(way) = peer.budget.is_used_up() {
        return Err(SessionError::used_up(&peer.budget, way));
    }
    let mut refused = false;
    let mut tokens = 0;
    loop {
        peer.slots.turn(refused, stop)?;
        *steps = Steps::default();
        let credential = account
            .credential(stop)
            .map_err(|error| without_credential(&error))?;
        let login = Login {
            user: &account.login,
            authzid: account.authzid.as_deref(),
            mechanism: account.mechanism,
            credential: &credential,
            place: (&peer.server.host, peer.server.port),
        };
        let error = match connect::attempt(peer, &login, stop, steps) {
            Ok(session) => {
                account.accepted(&credential);
                return Ok(session);
            }
            Err(error) => error,
        };
        if error.kind == Kind::Authentication {
            tokens += 1;
            match account.refused(&credential) {
                Refusal::Renewable if tokens < MAX_TOKENS => {
                    debug!(error = %error, "the token has expired, taking another one");
                    continue;
                }
                Refusal::Final(cause) if !cause.is_empty() => {
                    return Err(error.followed_by(format!("likely cause: {cause}")));
                }
                Refusal::Renewable | Refusal::Final(_) => return Err(error),
            }
        }
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
        // When they are full, some servers close without a word, or do not even accept.
        Kind::Transient => {
            steps.current().is_some_and(|step| step < Step::Login) && peer.slots.any_open()
        }
        _ => false,
    }
}

/// What a missing credential means for a connection.
fn without_credential(error: &CredentialError) -> SessionError {
    let kind = match error.kind {
        credential::CredentialErrorKind::Passing(Some(wait)) => Kind::Throttled(wait),
        credential::CredentialErrorKind::Passing(None) => Kind::Transient,
        credential::CredentialErrorKind::Final => {
            return SessionError::new(Kind::Permanent, error.to_string()).at(Stage::Credential);
        }
        credential::CredentialErrorKind::Stopped => return SessionError::stopped(),
    };
    SessionError::new(kind, error.to_string())
}
