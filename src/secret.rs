//! A string that never shows: not in Debug output, not in logs, not in errors.

use std::fmt;

use zeroize::Zeroizing;

/// A password or token; wiped from memory when dropped. Read it with [`Secret::expose`], where it is sent and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the secret: some servers repeat what they were sent.
    ///
    /// Secrets of up to three bytes stay, as hiding them would spell them out.
    #[must_use]
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.len() < 4 {
            return text.to_owned();
        }
        text.replace(self.expose(), "[secret]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn it_does_not_show() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(secret.hide_in("is hunter2 right?"), "is [secret] right?");
    }
}
