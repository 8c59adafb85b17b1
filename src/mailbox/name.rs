//! A mailbox's name as a value: the bytes that the server knows it by, and the text that people read.

use std::hash::{Hash, Hasher};

use super::utf7;

/// The name of a mailbox.
///
/// Two are equal when a server means the same mailbox by them: their bytes are, or both are INBOX (RFC 9051 section 5.1).
/// Two that are not may read the same.
#[derive(Debug, Clone, Default)]
pub struct Name {
    wire: Vec<u8>,
    text: String,
}

impl Name {
    /// A name as a server lists it.
    #[must_use]
    pub fn listed(wire: impl Into<Vec<u8>>) -> Self {
        let wire = wire.into();
        Self {
            text: display(&wire),
            wire,
        }
    }

    /// A name for a server that has no such mailbox yet: in modified UTF-7.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            wire: utf7::encode(&text),
            text,
        }
    }

    /// A name whose two forms were written down.
    #[must_use]
    pub fn of_both(wire: Vec<u8>, text: String) -> Self {
        Self { wire, text }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The name for people, in UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is it INBOX, in whatever case?
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        is_inbox(&self.wire)
    }

    /// Are both the same to the last byte, and read the same?
    #[must_use]
    pub fn is_written_as(&self, other: &Self) -> bool {
        self.wire == other.wire && self.text == other.text
    }

    /// What tells mailboxes apart.
    fn key(&self) -> &[u8] {
        if self.is_inbox() {
            b"INBOX"
        } else {
            &self.wire
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

fn is_inbox(wire: &[u8]) -> bool {
    wire.eq_ignore_ascii_case(b"INBOX")
}

/// The text of a name: modified UTF-7 decoded, raw UTF-8 as it is.
///
/// A name that is neither stays as listed; bytes that are no UTF-8 show as `%XX`. INBOX is `INBOX`.
fn display(wire: &[u8]) -> String {
    if is_inbox(wire) {
        return "INBOX".to_owned();
    }
    if wire.is_ascii() {
        let listed = String::from_utf8_lossy(wire);
        return utf7::decode(&listed).unwrap_or_else(|| listed.into_owned());
    }
    wire.utf8_chunks()
        .flat_map(|chunk| {
            let invalid = chunk.invalid().iter().map(|byte| format!("%{byte:02X}"));
            std::iter::once(chunk.valid().to_owned()).chain(invalid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_for_people() {
        let cases: [(&[u8], &str); 13] = [
            (b"inBox", "INBOX"),
            (b"INBOX/inbox", "INBOX/inbox"),
            (b"Entw&APw-rfe", "Entwürfe"),
            (b"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
            (b"&U,BTFw-/&ZeVnLIqe-", "台北/日本語"),
            (b"&2D3eAA-", "😀"),
            (b"R&-D", "R&D"),
            (b"R&D", "R&D"),
            (b"&AP", "&AP"),
            (b"&AB-", "&AB-"),
            (b"&2D0-", "&2D0-"),
            ("Größe".as_bytes(), "Größe"),
            (b"caf\xe9", "caf%E9"),
        ];
        for (wire, name) in cases {
            assert_eq!(Name::listed(wire).text(), name, "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn names_are_equal_where_a_server_means_one_mailbox() {
        let same = |one: &[u8], other: &[u8]| Name::listed(one) == Name::listed(other);
        assert!(same(b"inbox", b"INBOX"));
        assert!(!same(b"inbox/a", b"INBOX/a"));
        assert!(!same(b"Work", b"work"));
        // The same text, two mailboxes.
        assert!(!same(b"Gr&APYA3w-e", "Größe".as_bytes()));
        let names = [b"Inbox", b"INBOX", b"inbox"].map(|wire| Name::listed(*wire));
        assert_eq!(std::collections::HashSet::from(names).len(), 1);
    }
}
