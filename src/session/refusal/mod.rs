//! What a server's NO, BAD or BYE means, by its response code (RFC 5530 and relatives) and its words.
//!
//! The only place that reads server texts to find that out.

use std::time::Duration;

use super::error::{Ending, Kind, Result, SessionError};
use super::response::{Condition, StatusResponse};

/// The longest wait that a run stays for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a status that is not OK means; `fallback` where it says nothing known.
#[must_use]
pub fn kind(status: &StatusResponse, fallback: Kind) -> Kind {
    classify(status.code.as_deref(), &status.text, fallback)
}

/// What a NO, BAD or BYE means by its response code (RFC 5530 and relatives) and its text.
///
/// `fallback` is what it means when neither says anything known.
#[must_use]
pub fn classify(code: Option<&str>, text: &str, fallback: Kind) -> Kind {
    if let Some(wait) = suggested_backoff(text) {
        return if wait > PATIENCE {
            Kind::Parked(wait)
        } else {
            Kind::Throttled(wait)
        };
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("too many") && lower.contains("connection")
        || lower.contains("maximum number of connections")
        || lower.contains("connection limit")
        || lower.contains("too many simultaneous")
    {
        return Kind::Busy;
    }
    let name = code
        .and_then(|code| code.split_ascii_whitespace().next())
        .unwrap_or_default()
        .to_ascii_uppercase();
    match name.as_str() {
        "UNAVAILABLE" | "INUSE" | "SERVERBUG" => Kind::Transient,
        "THROTTLED" | "LIMIT" => Kind::Busy,
        "AUTHENTICATIONFAILED"
        | "AUTHORIZATIONFAILED"
        | "EXPIRED"
        | "CONTACTADMIN"
        | "PRIVACYREQUIRED" => Kind::Authentication,
        _ if lower.contains("throttl") => Kind::Busy,
        _ => fallback,
    }
}

/// The error for a status that is not OK, with the server's words.
#[must_use]
pub fn error(status: &StatusResponse, fallback: Kind) -> SessionError {
    SessionError::new(
        kind(status, fallback),
        format!("the server says {}", status.said()),
    )
}

/// The error for a server's goodbye.
///
/// Exchange Online ends a session with its token (`Session invalidated - AccessTokenExpired`), Gmail after about an
/// hour (`Session expired, please login again`). Gmail also says the latter to clients that are too fast: the retry
/// loop tells them apart by how often it comes.
#[must_use]
pub fn goodbye(status: &StatusResponse) -> SessionError {
    let lower = status.text.to_ascii_lowercase();
    let over = [
        "accesstokenexpired",
        "session expired",
        "session invalidated",
    ];
    if over.iter().any(|words| lower.contains(words)) {
        let text = format!("the server says {}", status.said());
        return SessionError::new(Kind::Transient, text).by(Ending::SessionOver);
    }
    error(status, Kind::Transient).by(Ending::Goodbye)
}

/// A refusal that is about us (too many connections, too fast, later please), not about what was asked for.
///
/// # Errors
/// That refusal.
pub fn check_state(status: &StatusResponse) -> Result<()> {
    if let Some(error) = about_host(status) {
        return Err(error);
    }
    // [LIMIT] is a limit of what was asked for, unless the words speak of connections.
    match kind(status, Kind::Refused) {
        Kind::Refused | Kind::Authentication => Ok(()),
        _ => {
            let text = format!("the server says {}", status.said());
            Err(SessionError::new(Kind::Transient, text))
        }
    }
}

/// The NO or BAD to a command about one object that is about the host all the same: it speaks of connections or pace.
/// Codes such as `[LIMIT]` or `[UNAVAILABLE]` (RFC 5530) are about the object.
#[must_use]
pub fn about_host(status: &StatusResponse) -> Option<SessionError> {
    let code = status.code.as_deref();
    let code = code.filter(|code| code.eq_ignore_ascii_case("THROTTLED"));
    let kind = classify(code, &status.text, Kind::Refused);
    matches!(kind, Kind::Throttled(_) | Kind::Parked(_) | Kind::Busy)
        .then(|| SessionError::new(kind, format!("the server says {}", status.said())))
}

/// True for a refusal whose words say that the command came while another was under way.
#[must_use]
pub fn is_about_sending_ahead(status: &StatusResponse) -> bool {
    const WORDS: [&str; 5] = [
        "pipelin",
        "too many commands",
        "in progress",
        "at a time",
        "concurrent",
    ];
    let text = status.text.to_ascii_lowercase();
    status.condition != Condition::Ok && WORDS.iter().any(|words| text.contains(words))
}

/// True for a BYE that refuses the login, and says nothing about a state that will pass.
#[must_use]
pub fn is_about_login(status: &StatusResponse) -> bool {
    const LOGIN: [&str; 8] = [
        "login",
        "log in",
        "logon",
        "authenti",
        "password",
        "credential",
        "user name",
        "username",
    ];
    const PASSING: [&str; 11] = [
        "temporar",
        "try again",
        "later",
        "unavailable",
        "timeout",
        "timed out",
        "time-out",
        "internal",
        "shutting down",
        "too many logins",
        "simultaneous",
    ];
    let text = status.text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    says(&LOGIN) && !says(&PASSING)
}

/// True for a refusal of an object that another try may change (RFC 5530).
#[must_use]
pub fn may_pass(status: &StatusResponse) -> bool {
    const PASSING: [&str; 6] = [
        "SERVERBUG",
        "UNAVAILABLE",
        "INUSE",
        "LIMIT",
        "NOPERM",
        "CANNOT",
    ];
    let code = status.code.as_deref().unwrap_or_default();
    let name = code.split_ascii_whitespace().next().unwrap_or_default();
    PASSING.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The time that a server names, as in `Suggested Backoff Time: 299961 milliseconds`.
///
/// More than a day is taken as a day.
#[must_use]
pub fn suggested_backoff(text: &str) -> Option<Duration> {
    const PHRASE: &str = "suggested backoff time:";
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let lower = text.to_ascii_lowercase();
    let rest = lower[lower.find(PHRASE)? + PHRASE.len()..].trim_start();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = rest[..digits].parse().unwrap_or(u64::MAX);
    let unit = rest[digits..].trim_start();
    if digits == 0 {
        return None;
    }
    let wait = if unit.starts_with("ms") || unit.starts_with("milli") || unit.is_empty() {
        Duration::from_millis(number)
    } else if unit.starts_with("min") {
        Duration::from_secs(number.saturating_mul(60))
    } else {
        Duration::from_secs(number)
    };
    Some(wait.min(LONGEST))
}

/// What a refusal of an APPEND is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The server or the connection: later it may go.
    Wait(Kind),
    /// There is no room for this message, or the account is full.
    Quota,
    /// This message, for now: later it may go.
    Later,
    /// The mailbox is gone, or closed to us.
    Mailbox,
    /// Flags or keywords.
    Flags,
    /// This message.
    Message,
}

/// Reads the response code (RFC 5530, RFC 4469) and, where there is none, the words.
///
/// Codes such as `SERVERBUG` and `LIMIT` speak of the message: only words about connections and time are about us.
#[must_use]
pub fn meaning(status: &StatusResponse) -> Meaning {
    let code = status.code.as_deref().unwrap_or_default();
    let code = code.split_ascii_whitespace().next().unwrap_or_default();
    let text = status.text.to_ascii_lowercase();
    if code.eq_ignore_ascii_case("OVERQUOTA") || is_about_room(&text) {
        return Meaning::Quota;
    }
    let (by_words, by_code) = (
        classify(None, &status.text, Kind::Refused),
        kind(status, Kind::Refused),
    );
    if !matches!(by_words, Kind::Refused | Kind::Authentication) {
        return Meaning::Wait(by_words);
    }
    match code.to_ascii_uppercase().as_str() {
        "TRYCREATE" | "NONEXISTENT" | "NOPERM" => return Meaning::Mailbox,
        "UNAVAILABLE" | "INUSE" | "SERVERBUG" => return Meaning::Later,
        "LIMIT" => {}
        _ if !matches!(by_code, Kind::Refused | Kind::Authentication) => {
            return Meaning::Wait(by_code);
        }
        _ => {}
    }
    if text.contains("flag") || text.contains("keyword") {
        return Meaning::Flags;
    }
    Meaning::Message
}

/// True for the words of a server that finds a name too long.
#[must_use]
pub fn is_about_length(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    ["too long", "length", "longer than"]
        .iter()
        .any(|phrase| lower.contains(phrase))
}

/// Words for a full account, from servers that know no code for it (`GroupWise` and others).
fn is_about_room(text: &str) -> bool {
    let phrases = [
        "quota",
        "mailbox is full",
        "mailbox full",
        "storage limit",
        "not enough space",
        "no space left",
        "insufficient storage",
        "out of storage",
    ];
    phrases.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests;
