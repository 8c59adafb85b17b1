//! Mailboxes and their messages as servers name them. Knows no connection and no files.

pub mod loss;
mod name;
pub mod uidset;
mod utf7;

pub use name::Name;
pub use uidset::UidSet;

/// A mailbox as a server lists it (RFC 3501 section 7.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// The hierarchy delimiter; `None` for NIL, a flat name.
    pub delimiter: Option<char>,
    /// Attributes as sent, for example `\HasNoChildren`, `\Sent`.
    pub attributes: Vec<String>,
}

impl Listed {
    /// True for the attribute in any case, given with its backslash.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|given| given.eq_ignore_ascii_case(attribute))
    }
}
