//! What it means when a server refuses a message: some refusals are about the message, some about us.

use crate::session::response::Status;
use crate::session::retry::{self, Kind};

/// What a refusal of an APPEND is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The server or the connection: later it may go.
    Wait(Kind),
    /// The account is full.
    Quota,
    /// The mailbox is gone, or closed to us.
    Mailbox,
    /// Flags or keywords.
    Flags,
    /// This message.
    Message,
}

/// Reads the response code (RFC 5530, RFC 4469) and, where there is none, the words.
#[must_use]
pub fn meaning(status: &Status) -> Meaning {
    let code = status
        .code
        .as_deref()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let text = status.text.to_ascii_lowercase();
    if code.starts_with("OVERQUOTA") || text.contains("quota") || text.contains("mailbox is full") {
        return Meaning::Quota;
    }
    let kind = retry::classify(status.code.as_deref(), &status.text, Kind::Refused);
    if !matches!(kind, Kind::Refused | Kind::Authentication) {
        return Meaning::Wait(kind);
    }
    if ["TRYCREATE", "NONEXISTENT", "NOPERM"].contains(&code.as_str()) {
        return Meaning::Mailbox;
    }
    if text.contains("flag") || text.contains("keyword") {
        return Meaning::Flags;
    }
    Meaning::Message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::response::Condition;

    #[test]
    fn refusals_are_told_apart() {
        let meaning = |code: Option<&str>, text: &str| {
            meaning(&Status {
                condition: Condition::No,
                code: code.map(str::to_owned),
                text: text.to_owned(),
            })
        };
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
        assert_eq!(
            meaning(Some("UNAVAILABLE"), "later"),
            Meaning::Wait(Kind::Transient)
        );
    }
}
