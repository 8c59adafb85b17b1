//! What a server says it can do.

/// What the server can do (RFC 3501 section 7.2.1), in upper case.
#[derive(Debug, Clone, Default)]
pub struct Capabilities(pub(super) Vec<String>);

impl Capabilities {
    /// True when the server offers `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given == name)
    }

    /// The value of `NAME=value`, where the server offers it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|given| given.strip_prefix(name)?.strip_prefix('='))
    }

    /// True before any was heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
