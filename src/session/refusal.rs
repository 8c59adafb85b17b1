//! What a server's NO, BAD or BYE means, by its response code (RFC 5530 and relatives) and its words.
//!
//! The only place that reads server texts to find that out.

use std::time::Duration;

use super::error::{Ending, Kind, Result, SessionError};
use super::response::{Condition, StatusResponse};

/// The longest wait that a run stays for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a status that is not OK means; `fallback` where it says nothing that is known.
#[must_use]
pub fn kind(status: &StatusResponse, fallback: Kind) -> Kind {
    classify(status.code.as_deref(), &status.text, fallback)
}

/// What a NO, BAD or BYE means by its response code (RFC 5530 and relatives) and its text.
///
/// `fallback` is what it means when neither says anything that is known.
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
/// hour (`Session expired, please login again`). Gmail says the latter to whoever is too fast, too: the retry loop tells
/// them apart by how often it comes.
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

/// A refusal that is about us (too many connections, too fast, later please) and not about what was asked for.
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

/// The NO or BAD to a command about one object, where it is the host's all the same: its words speak of connections or pace.
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

/// True for a goodbye that refuses the login, and says nothing of a state that passes.
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
    /// This message has no room, or the account is full.
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
/// Codes such as `SERVERBUG` and `LIMIT` speak of the message: only words about connections and time speak of us.
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

/// Words for a full account, of servers that know no code for it (`GroupWise` and others).
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
mod tests {
    use super::super::response::Condition;
    use super::*;

    #[test]
    fn server_texts_are_classified() {
        let cases = [
            (
                None,
                "Request is throttled. Suggested Backoff Time: 299961 milliseconds",
                Kind::Throttled(Duration::from_millis(299_961)),
            ),
            (
                Some("UNAVAILABLE"),
                "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
                Kind::Busy,
            ),
            (
                Some("ALERT"),
                "Too many simultaneous connections. (Failure)",
                Kind::Busy,
            ),
            (
                Some("UNAVAILABLE"),
                "Temporary authentication failure.",
                Kind::Transient,
            ),
            (
                Some("AUTHENTICATIONFAILED"),
                "Authentication failed.",
                Kind::Authentication,
            ),
            (None, "Success [THROTTLED]", Kind::Busy),
            (Some("NONEXISTENT"), "Unknown Mailbox", Kind::Refused),
            (None, "Too many connections, try again later", Kind::Busy),
            (None, "Too many simultaneous logins", Kind::Busy),
            (None, "Connection limit reached", Kind::Busy),
            (None, "Too many messages", Kind::Refused),
            (None, "No such connection", Kind::Refused),
            (Some("limit 5"), "no", Kind::Busy),
            (Some("THROTTLED"), "no", Kind::Busy),
            (Some("INUSE"), "no", Kind::Transient),
            (Some("SERVERBUG"), "no", Kind::Transient),
            (Some("AUTHORIZATIONFAILED"), "no", Kind::Authentication),
            (Some("EXPIRED"), "no", Kind::Authentication),
            (Some("CONTACTADMIN"), "no", Kind::Authentication),
            (Some("PRIVACYREQUIRED"), "no", Kind::Authentication),
            (
                Some("UNAVAILABLE"),
                "Suggested Backoff Time: 900000 milliseconds",
                Kind::Throttled(PATIENCE),
            ),
            (
                None,
                "Suggested Backoff Time: 900001 milliseconds",
                Kind::Parked(Duration::from_millis(900_001)),
            ),
        ];
        for (code, text, kind) in cases {
            assert_eq!(classify(code, text, Kind::Refused), kind, "{text}");
        }
    }

    #[test]
    fn a_backoff_is_bounded_and_needs_a_number() {
        assert_eq!(suggested_backoff("Suggested Backoff Time: soon"), None);
        assert_eq!(
            suggested_backoff("suggested backoff time: 99999999999999999999 milliseconds"),
            Some(Duration::from_secs(24 * 3600))
        );
        for (text, seconds) in [
            ("2000", 2),
            ("2000 ms", 2),
            ("2000milliseconds.", 2),
            ("3 seconds", 3),
            ("5 minutes", 300),
        ] {
            assert_eq!(
                suggested_backoff(&format!("Slow. Suggested Backoff Time: {text}")),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(suggested_backoff("2000 milliseconds"), None);
    }

    fn no(code: Option<&str>, text: &str) -> StatusResponse {
        StatusResponse {
            condition: Condition::No,
            code: code.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_goodbye_is_told_with_the_servers_words_and_from_a_session_that_is_over() {
        for over in [
            "Session invalidated - AccessTokenExpired",
            "AccessTokenExpired",
            "Session expired, please login again",
        ] {
            let error = goodbye(&no(None, over));
            let (kind, ending) = (error.kind, error.ending);
            assert_eq!((kind, ending), (Kind::Transient, Some(Ending::SessionOver)));
            assert!(error.to_string().contains(over), "{error}");
        }
        let error = goodbye(&no(Some("ALERT"), "Too many simultaneous connections"));
        let (kind, ending) = (error.kind, error.ending);
        assert_eq!((kind, ending), (Kind::Busy, Some(Ending::Goodbye)));
        assert!(error.to_string().contains("[ALERT] Too many"), "{error}");
        assert_eq!(goodbye(&no(None, "Bye")).kind, Kind::Transient);
    }

    #[test]
    fn what_is_about_us_is_told_from_what_is_about_what_was_asked_for() {
        let state = |code, text| check_state(&no(code, text)).map_err(|error| error.kind);
        let host = |code, text| about_host(&no(code, text)).map(|error| error.kind);
        for (code, text) in [
            (None, "No such mailbox"),
            (Some("NONEXISTENT"), "No such mailbox"),
            (Some("AUTHENTICATIONFAILED"), "no"),
        ] {
            assert_eq!(
                (state(code, text), host(code, text)),
                (Ok(()), None),
                "{text}"
            );
        }
        // Codes that RFC 5530 gives to objects: a state that passes, and nothing that concerns others.
        for code in [Some("UNAVAILABLE"), Some("INUSE"), Some("LIMIT")] {
            let both = (state(code, "no"), host(code, "no"));
            assert_eq!(both, (Err(Kind::Transient), None), "{code:?}");
        }
        let wait = "Suggested Backoff Time: 1000";
        let throttled = Kind::Throttled(Duration::from_secs(1));
        let parked = Kind::Parked(Duration::from_secs(3600));
        for (code, text, kind) in [
            (Some("throttled"), "no", Kind::Busy),
            (Some("LIMIT"), "Too many connections", Kind::Busy),
            (None, wait, throttled),
            (None, "Suggested Backoff Time: 60 minutes", parked),
        ] {
            assert_eq!(
                (state(code, text), host(code, text)),
                (Err(kind), Some(kind))
            );
        }
        let said = about_host(&no(None, "You are throttled")).expect("about us");
        assert_eq!(said.to_string(), "the server says NO You are throttled");
    }

    #[test]
    fn a_goodbye_refuses_a_login_where_it_speaks_of_one_and_of_nothing_that_passes() {
        for (text, is) in [
            ("Login refused", true),
            ("Wrong PASSWORD", true),
            ("Authentication failed", true),
            ("Login failed, try again later", false),
            ("Too many logins", false),
            ("Shutting down", false),
            ("Goodbye", false),
        ] {
            assert_eq!(is_about_login(&no(None, text)), is, "{text}");
        }
    }

    #[test]
    fn codes_that_another_try_may_change_are_known_in_any_case_and_with_arguments() {
        for code in [
            "SERVERBUG",
            "unavailable",
            "INUSE x",
            "LIMIT",
            "NOPERM",
            "CANNOT",
        ] {
            assert!(may_pass(&no(Some(code), "")), "{code}");
        }
        for code in [
            None,
            Some("OVERQUOTA"),
            Some("NONEXISTENT"),
            Some("LIMITED"),
        ] {
            assert!(!may_pass(&no(code, "later")), "{code:?}");
        }
    }

    #[test]
    fn a_name_is_too_long_where_the_words_say_so() {
        for (text, is) in [
            ("Mailbox name TOO LONG", true),
            ("Exceeds maximum length", true),
            ("Name is longer than 255", true),
            ("Invalid name", false),
        ] {
            assert_eq!(is_about_length(text), is, "{text}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let meaning = |code: Option<&str>, text: &str| meaning(&no(code, text));
        assert_eq!(meaning(Some("OVERQUOTA"), "full"), Meaning::Quota);
        assert_eq!(
            meaning(None, "Quota exceeded (mailbox for user is full)"),
            Meaning::Quota
        );
        assert_eq!(meaning(Some("TOOBIG"), "too large"), Meaning::Message);
        assert_eq!(meaning(Some("TRYCREATE"), "gone"), Meaning::Mailbox);
        assert_eq!(
            meaning(None, "Message contains bare newlines"),
            Meaning::Message
        );
        assert_eq!(
            meaning(None, "Invalid system flag \\$NOTJUNK"),
            Meaning::Flags
        );
        assert_eq!(meaning(Some("overquota 5"), "no"), Meaning::Quota);
        for words in [
            "Mailbox full",
            "Mailbox is full",
            "Storage limit has been exceeded",
            "Not enough space",
            "No space left on device",
            "Insufficient storage",
            "Out of storage",
        ] {
            assert_eq!(meaning(None, words), Meaning::Quota, "{words}");
        }
        for code in ["NONEXISTENT", "noperm"] {
            assert_eq!(meaning(Some(code), "no"), Meaning::Mailbox, "{code}");
        }
        for code in ["UNAVAILABLE", "INUSE", "SERVERBUG x"] {
            assert_eq!(meaning(Some(code), "later"), Meaning::Later, "{code}");
        }
        // A limit is the message's, unless the words speak of us.
        assert_eq!(meaning(Some("LIMIT"), "no"), Meaning::Message);
        let busy = Meaning::Wait(Kind::Busy);
        assert_eq!(meaning(Some("LIMIT"), "Too many connections"), busy);
        assert_eq!(meaning(Some("THROTTLED"), "no"), busy);
        assert_eq!(meaning(Some("EXPIRED"), "no"), Meaning::Message);
        assert_eq!(meaning(None, "Keyword refused"), Meaning::Flags);
    }
}
