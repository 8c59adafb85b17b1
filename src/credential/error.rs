//! Why there is no credential, and what can be done about it.

use std::fmt;
use std::time::Duration;

use crate::redact::redacted;

/// What can be done about a [`CredentialError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialErrorKind {
    /// It may pass: no answer, a server error, too many requests; with the wait that was asked for.
    Passing(Option<Duration>),
    /// Nothing that another try would change.
    Final,
    /// The run was asked to stop.
    Stopped,
}

/// Why there is no credential; the text holds no secret.
#[derive(Debug, Clone)]
pub struct CredentialError {
    /// What can be done about it.
    pub kind: CredentialErrorKind,
    message: String,
}

/// Result of asking for a credential.
pub type Result<T> = std::result::Result<T, CredentialError>;

impl CredentialError {
    /// An error; `message` is lower case, without a full stop. It may be remembered for longer than the secrets that the
    /// other side repeats in it.
    pub fn new(kind: CredentialErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: redacted(&message.into()).into_owned(),
        }
    }

    /// Nothing that another try would change.
    pub fn last(message: impl Into<String>) -> Self {
        Self::new(CredentialErrorKind::Final, message)
    }

    /// The error of a run that was asked to stop.
    #[must_use]
    pub fn stopped() -> Self {
        Self::new(CredentialErrorKind::Stopped, "the run was stopped")
    }

    /// Puts what was being done before the text.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CredentialError {}

/// Most characters that are shown of what another side says.
const SHOWN: usize = 400;

/// What can be shown of a text from outside: one line, no control or formatting characters, bounded. Secrets are taken
/// out before: they could not be found in what is left of them.
#[must_use]
pub fn shown(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text: String = redacted(text)
        .chars()
        .take(SHOWN * 4)
        .map(|c| if hidden(c) { ' ' } else { c })
        .collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_bounded_line() {
        assert_eq!(shown("a\r\n\x1b[31m b\u{202e}c"), "a [31m b c");
        assert_eq!(shown(&"x".repeat(9_000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn a_secret_is_hidden_also_across_the_end_and_with_its_spaces() {
        let secret = "open  sesame of the error";
        crate::redact::keep(secret);
        let text = format!("{}{secret}", "x ".repeat(SHOWN / 2 - 4));
        let (cut, whole) = (shown(&text), shown(secret));
        crate::redact::forget(secret);
        assert!(
            !cut.contains("open") && !whole.contains("open"),
            "{cut} {whole}"
        );
    }
}
