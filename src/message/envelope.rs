//! Who a message is from and what it is about, so that people recognise it.

use mail_parser::{Addr, MessageParser};

use super::header;

/// Longer texts are cut: a header may hold anything.
const LONGEST: usize = 200;

/// What a mail program shows of a message in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Name and address of the first sender.
    pub from: Option<String>,
    /// Its subject, decoded.
    pub subject: Option<String>,
}

impl Envelope {
    /// Reads it from the beginning of a message.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let parsed = MessageParser::new()
            .with_address_headers()
            .header_text(mail_parser::HeaderName::Subject)
            .parse_headers(header(head));
        let Some(message) = parsed else {
            return Self::default();
        };
        let from = message.from().and_then(|from| from.first()).and_then(name);
        Self {
            from: from.as_deref().and_then(shortened),
            subject: message.subject().and_then(shortened),
        }
    }
}

fn name(addr: &Addr<'_>) -> Option<String> {
    match (addr.name(), addr.address()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (name, address) => name.or(address).map(str::to_owned),
    }
}

fn shortened(text: &str) -> Option<String> {
    let text = text.trim();
    let cut = text.char_indices().nth(LONGEST).map(|(at, _)| at);
    match cut {
        Some(at) => Some(format!("{}…", &text[..at])),
        None => (!text.is_empty()).then(|| text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_and_subject_are_decoded_and_bounded_whatever_they_hold() {
        let of = |head: &str| {
            let envelope = Envelope::of(head.as_bytes());
            (envelope.from, envelope.subject)
        };
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            (
                "From: =?utf-8?q?Bj=C3=B6rn?= <b@example.com>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nbody",
                (some("Björn <b@example.com>"), some("Grüße")),
            ),
            (
                "From: a@example.com, c@example.com\r\n\r\nSubject: of the body\r\n",
                (some("a@example.com"), None),
            ),
            (
                "From: \"<script>\" <x@y>\r\nSubject:\r\n\r\n",
                (some("<script> <x@y>"), None),
            ),
            ("", (None, None)),
            ("no header at all", (None, None)),
        ];
        for (head, expected) in cases {
            assert_eq!(of(head), expected, "{head}");
        }
        let (_, long) = of(&format!("Subject: {}\r\n\r\n", "ä".repeat(5000)));
        assert_eq!(long.map(|text| text.chars().count()), Some(LONGEST + 1));
    }
}
