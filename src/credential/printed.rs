//! What a file, a variable or a command says as a token: the token alone, or JSON around it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::{CredentialError, Result, Token};
use crate::secret::Secret;

/// What token commands print, with the names that are in use.
#[derive(Deserialize)]
struct Printed {
    #[serde(alias = "accessToken")]
    access_token: String,
    expires_in: Option<Number>,
    /// Seconds since 1970.
    expires_on: Option<Number>,
}

/// A number, also in quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Float(f64),
    Text(String),
}

impl Number {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn seconds(&self) -> Option<u64> {
        let number = match self {
            Self::Float(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    }
}

/// The token in a text; `what` says where the text is from.
///
/// # Errors
/// Nothing, JSON without a token, or what does not look like one.
pub fn token(text: &str, what: &str) -> Result<Token> {
    let refuse = |why: &str| Err(CredentialError::last(format!("{what} {why}")));
    let trimmed = text.trim();
    let (secret, life) = if trimmed.starts_with('{') {
        let Ok(printed) = serde_json::from_str::<Printed>(trimmed) else {
            return refuse("is JSON without an \"access_token\" that can be read");
        };
        let life = printed
            .expires_in
            .and_then(|number| number.seconds())
            .or_else(|| Some(until(printed.expires_on?.seconds()?)));
        (Secret::new(printed.access_token), life)
    } else {
        let first = trimmed.lines().next().unwrap_or_default().trim();
        // Some tools print a JSON string.
        let inside = first
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let first = inside.unwrap_or(first);
        (Secret::new(first.to_owned()), None)
    };
    if secret.expose().is_empty() {
        return refuse("is empty");
    }
    if trimmed.starts_with('<') {
        return refuse("is a page of HTML or XML, not a token");
    }
    if !is_token(secret.expose()) {
        return refuse("holds characters that no token has");
    }
    Ok(Token::new(secret, life))
}

/// Visible ASCII (RFC 6750 section 2.1 allows less, servers give out more).
pub fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

fn until(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    seconds.saturating_sub(now.map_or(0, |now| now.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Token> {
        token(text, "it")
    }

    #[test]
    fn tokens_stand_alone_or_in_json() {
        let left = |text: &str| {
            said(text)
                .expect("a token")
                .left()
                .map(|left| left.as_secs())
        };
        assert_eq!(
            said(" ya29.x\nmore\n").expect("one").secret().expose(),
            "ya29.x"
        );
        assert_eq!(
            said("\"ya29.x\"\n").expect("one").secret().expose(),
            "ya29.x"
        );
        assert_eq!(left("ya29.x"), None);
        assert!(left(r#"{"access_token":"a","expires_in":"3599"}"#).is_some_and(|s| s >= 3598));
        assert!(left(r#"{"accessToken":"a","expires_on":4107542400}"#).is_some_and(|s| s > 9));
        assert_eq!(left(r#"{"access_token":"a","expires_on":1}"#), Some(0));
    }

    #[test]
    fn what_is_none_is_told_without_being_shown() {
        for text in [
            "",
            "\n",
            "two words",
            "<html>",
            "\"\"",
            "{\"token\":\"hunter2\"}",
            "{",
        ] {
            let error = said(text).expect_err(text).to_string();
            assert!(
                !error.contains("hunter2") && !error.contains("words"),
                "{error}"
            );
        }
    }
}
