//! A command as it goes to the server: what is quoted, and what has to be a literal.

use super::capability::Capabilities;
use super::error::{Kind, Result, SessionError};

/// A command in the making; the tag and the end of line are added when it is sent.
#[derive(Debug, Clone)]
pub struct Command(Vec<u8>);

impl Command {
    /// A command of fixed words. Every command that is sent is spelled in this folder.
    #[must_use]
    pub(super) fn new(words: impl Into<Vec<u8>>) -> Self {
        Self(words.into())
    }

    /// Who we are (RFC 2971).
    #[must_use]
    pub fn identification() -> Self {
        Self::new(format!(
            r#"ID ("name" "{}" "version" "{}")"#,
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        ))
    }

    /// Adds a blank and a mailbox name: the exact bytes that the server listed, quoted, or as a
    /// non-synchronising literal (RFC 7888) where a quoted string may not hold them.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a name with a line break on a server without LITERAL+.
    pub(super) fn mailbox(mut self, name: &[u8], capabilities: &Capabilities) -> Result<Self> {
        self.0.push(b' ');
        let ascii = name.iter().all(|b| (0x20..0x7f).contains(b));
        let literals = capabilities.has("LITERAL+") || capabilities.has("LITERAL-");
        if !ascii && literals && name.len() <= 4096 {
            self.0
                .extend_from_slice(format!("{{{}+}}\r\n", name.len()).as_bytes());
            self.0.extend_from_slice(name);
            return Ok(self);
        }
        if name.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            let text = format!(
                "mailbox name \"{}\" holds a line break or NUL and the server offers no LITERAL+",
                name.escape_ascii()
            );
            return Err(SessionError::new(Kind::Refused, text));
        }
        self.0.push(b'"');
        for byte in name {
            if matches!(byte, b'"' | b'\\') {
                self.0.push(b'\\');
            }
            self.0.push(*byte);
        }
        self.0.push(b'"');
        Ok(self)
    }

    /// The command without tag and end of line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds further words, with what separates them.
    #[must_use]
    pub(super) fn words(mut self, words: &str) -> Self {
        self.0.extend_from_slice(words.as_bytes());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::response;
    use super::*;

    fn offered(words: &str) -> Capabilities {
        Capabilities(response::capability_words(words))
    }

    #[test]
    fn names_go_back_as_listed_and_cannot_inject_commands() {
        let none = offered("IMAP4rev1");
        let literal = offered("IMAP4rev1 LITERAL+");
        let command = |name: &[u8], caps: &Capabilities| {
            Command::new("EXAMINE")
                .mailbox(name, caps)
                .map(|command| command.0)
                .map_err(|error| error.kind)
        };
        assert_eq!(
            command(b"a\"b\\c", &none),
            Ok(b"EXAMINE \"a\\\"b\\\\c\"".to_vec())
        );
        assert_eq!(
            command(b"\xe9t\xe9", &none),
            Ok(b"EXAMINE \"\xe9t\xe9\"".to_vec())
        );
        assert_eq!(
            command(b"\xe9", &literal),
            Ok(b"EXAMINE {1+}\r\n\xe9".to_vec())
        );
        assert_eq!(command(b"a\r\nx DELETE b", &none), Err(Kind::Refused));
        assert_eq!(
            command(b"a\r\nb", &literal),
            Ok(b"EXAMINE {4+}\r\na\r\nb".to_vec())
        );
    }
}
