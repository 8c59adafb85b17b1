//! What makes two copies the same message, on two servers that may fold and order headers in their own ways.
//!
//! Message-ID alone loses different mails that share one, and byte equality fails as servers rewrite.

use mail_parser::{HeaderName, MessageParser};
use sha2::{Digest, Sha256};

/// The header fields that an identity is made of, as a FETCH asks for them.
pub const IDENTITY_FIELDS: &str = "MESSAGE-ID DATE FROM TO CC SUBJECT RECEIVED";

/// Always part of it, in this order.
const FIELDS: [&str; 6] = ["message-id", "date", "from", "to", "cc", "subject"];

/// 128 bits of a digest over the unfolded, blank-collapsed Message-ID, Date, From, To, Cc and Subject.
///
/// Without a Message-ID the topmost Received is part of it; without any of these fields, size and INTERNALDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    digest: [u8; 16],
    is_nameless: bool,
}

impl Identity {
    /// The identity of a message by its header, or by its beginning: a body behind an empty line is not read.
    ///
    /// `size` in bytes and `internaldate` in seconds since 1970 tell apart what has no header.
    #[must_use]
    pub fn of(head: &[u8], size: u64, internaldate: Option<i64>) -> Self {
        let fields = fields(head);
        let values = |name: &str| -> Vec<&Vec<u8>> {
            let named = fields.iter().filter(|(field, _)| field == name);
            named.map(|(_, value)| value).collect()
        };
        let mut digest = Sha256::new();
        let mut found = false;
        for name in FIELDS {
            for value in values(name) {
                found = true;
                digest.update(name.as_bytes());
                digest.update(b":");
                digest.update(value);
                digest.update(b"\n");
            }
        }
        if values("message-id").iter().all(|value| value.is_empty())
            && let Some(received) = values("received").first()
        {
            found = true;
            digest.update(b"received:");
            digest.update(received);
        }
        if !found {
            digest.update(format!("size {size} date {internaldate:?}"));
        }
        Self {
            digest: digest.finalize().first_chunk().copied().unwrap_or_default(),
            is_nameless: !found,
        }
    }

    /// The header has none of the fields that count: only size and date are in it.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.is_nameless
    }

    /// A number that spreads evenly over messages and is always the same for one.
    #[must_use]
    pub fn number(&self) -> u64 {
        let first = self.digest.first_chunk().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    }
}

/// What two headers have of the fields that count.
pub struct Common {
    same: usize,
    other: usize,
    /// In the first one only.
    gone: usize,
    /// In the second one only.
    added: usize,
    /// Both have the same Message-ID.
    has_message_id: bool,
}

impl Common {
    /// Compares two headers. Words with 8-bit characters in the first one may be anything in the second, and encoded
    /// words are what they say.
    #[must_use]
    pub fn of(here: &[u8], there: &[u8]) -> Self {
        let (here, there) = (fields(here), fields(there));
        let mut common = Self {
            same: 0,
            other: 0,
            gone: 0,
            added: 0,
            has_message_id: false,
        };
        for name in FIELDS {
            let values = |all: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                let named = all.iter().filter(|(field, _)| field == name);
                named.map(|(_, value)| value.clone()).collect()
            };
            let (one, other) = (values(&here), values(&there));
            if one.is_empty() || other.is_empty() {
                common.gone += usize::from(!one.is_empty());
                common.added += usize::from(!other.is_empty());
                continue;
            }
            let mut pairs = one.iter().zip(&other);
            let is_same =
                one.len() == other.len() && pairs.all(|(one, other)| is_written_anew(one, other));
            common.same += usize::from(is_same);
            common.other += usize::from(!is_same);
            common.has_message_id |= is_same && name == FIELDS[0] && !one[0].is_empty();
        }
        common
    }

    /// The first one has no field that counts.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.same + self.other + self.gone == 0
    }

    /// A server that adds fields may have made the second one of the first; one that leaves some out, too, where they
    /// have the Message-ID in common. Where the first one has nothing that counts, that says nothing of one that has.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.other == 0
            && (self.gone == 0 || self.has_message_id)
            && (self.added == 0 || self.same > 0)
    }

    /// Both have the same Message-ID.
    #[must_use]
    pub fn has_message_id(&self) -> bool {
        self.has_message_id
    }
}

/// The same, written in another way: encoded words are decoded, or others; or the words without 8-bit characters are in
/// the other value in their order.
fn is_written_anew(here: &[u8], there: &[u8]) -> bool {
    if here == there {
        return true;
    }
    let is_encoded = [here, there].iter().any(|value| is_encoded(value));
    if is_encoded && decoded(here) == decoded(there) {
        return true;
    }
    if here.is_ascii() {
        return false;
    }
    let mut left = there.split(|byte| *byte == b' ');
    let mut words = here
        .split(|byte| *byte == b' ')
        .filter(|word| word.is_ascii());
    words.all(|word| left.any(|other| other == word))
}

fn is_encoded(value: &[u8]) -> bool {
    value.windows(2).any(|pair| pair == b"=?")
}

/// What a value says, its encoded words (RFC 2047) decoded; blanks and quotes do not count.
fn decoded(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).map_or_else(
        |_| value.iter().map(|byte| char::from(*byte)).collect(),
        str::to_owned,
    );
    let field = format!("Subject: {text}\r\n\r\n");
    let parser = MessageParser::new().header_text(HeaderName::Subject);
    let parsed = parser.parse_headers(field.as_bytes());
    let parsed = parsed.as_ref().and_then(|parsed| parsed.subject());
    let text = parsed.unwrap_or(&text);
    text.chars()
        .filter(|it| !it.is_whitespace() && *it != '"')
        .collect()
}

/// Lower-case names and unfolded values of the header fields that count. Lines that are not fields are skipped.
fn fields(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    // Does a continuation line belong to the last field found?
    let mut open = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line[0] == b' ' || line[0] == b'\t' {
            if let Some((_, value)) = found.last_mut().filter(|_| open) {
                append_collapsed(value, line);
            }
            continue;
        }
        open = false;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = String::from_utf8_lossy(line[..colon].trim_ascii_end()).to_ascii_lowercase();
        if name == "received" || FIELDS.contains(&name.as_str()) {
            let mut value = Vec::new();
            append_collapsed(&mut value, &line[colon + 1..]);
            found.push((name, value));
            open = true;
        }
    }
    found
}

/// Adds the words of a line, one blank between any two.
fn append_collapsed(value: &mut Vec<u8>, line: &[u8]) {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    for word in line.split(blank).filter(|word| !word.is_empty()) {
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Identity {
        Identity::of(head.as_bytes(), 10, Some(5))
    }

    #[test]
    fn folding_blanks_and_other_fields_do_not_matter() {
        let plain = of("Message-ID: <a@b>\r\nSubject: one two three\r\nDate: x\r\n\r\nbody");
        for same in [
            "Message-ID: <a@b>\r\nSubject: one two\r\n three\r\nDate: x\r\n\r\n",
            "MESSAGE-ID:<a@b>\r\nX-New: y\r\nSubject:  one\ttwo three \r\nDate: x\r\n\r\nother body",
            "Date: x\nSubject: one two three\nReceived: z\nMessage-ID: <a@b>\n",
            "Message-ID: <a@b>\r\nSubject: one two three\r\nX: a\r\n b\r\nDate: x",
        ] {
            assert_eq!(of(same), plain, "{same}");
        }
        for other in [
            "Message-ID: <a@c>\r\nSubject: one two three\r\nDate: x\r\n\r\nbody",
            "Message-ID: <a@b>\r\nSubject: one two\r\nDate: x\r\n\r\nbody",
            "Message-ID: <a@b>\r\nSubject: one two three\r\n\r\nDate: x\r\n",
        ] {
            assert_ne!(of(other), plain, "{other}");
        }
    }

    #[test]
    fn a_header_that_a_server_changed_has_all_of_it_and_no_field_of_another() {
        let header = "Message-ID: <1@x>\nSubject: gr\u{fc}n and more\nFrom: a@x\n";
        let unnamed = "Subject: gr\u{fc}n and more\nFrom: a@x\n";
        let encoded = "Subject: =?UTF-8?Q?gr=C3=BC?= =?UTF-8?Q?n?= \"more\"\n";
        let cases = [
            // What may be the same, and what has the same Message-ID.
            (header, header, true, true),
            (
                header,
                "Message-ID: <1@x>\nSubject: gr??n and  more\nCc: y\n",
                true,
                true,
            ),
            (
                header,
                "Message-ID: <1@x>\nSubject: gr\u{fc}n and less\nFrom: a@x\n",
                false,
                true,
            ),
            (
                header,
                "Message-ID: <2@x>\nSubject: gr\u{fc}n and more\nFrom: a@x\n",
                false,
                false,
            ),
            (header, unnamed, false, false),
            (unnamed, header, true, false),
            (unnamed, "From: a@x\nTo: b@x\n", false, false),
            (
                header,
                "Message-ID: <1@x>\nMessage-ID: <1@x>\n",
                false,
                false,
            ),
            (header, "Cc: y\n", false, false),
            (header, "", false, false),
            ("X: y\n", header, false, false),
            ("X: y\n", "Y: z\n", true, false),
            ("", "", true, false),
            // What had no 8-bit characters keeps its words.
            (
                "Subject: and more\n",
                "Subject: gr\u{fc}n and more\n",
                false,
                false,
            ),
            // Blanks within words count where none is encoded.
            ("Subject: a b\n", "Subject: ab\n", false, false),
            // Encoded words are what they say.
            (encoded, "Subject: gr\u{fc}n more\n", true, false),
            ("Subject: gr\u{fc}n \"more\"\n", encoded, true, false),
            (
                encoded,
                "Subject: =?ISO-8859-1?B?Z3L8biBtb3Jl?=\n",
                true,
                false,
            ),
            (
                encoded,
                "Subject: =?ISO-8859-1?Q?gr=FCn?= less\n",
                false,
                false,
            ),
        ];
        for (here, there, all, id) in cases {
            let common = Common::of(here.as_bytes(), there.as_bytes());
            let found = (common.is_all(), common.has_message_id());
            assert_eq!(found, (all, id), "{here} {there}");
        }
        let latin: &[u8] = b"Subject: gr\xfcn more\n";
        assert!(Common::of(encoded.as_bytes(), latin).is_all());
    }

    #[test]
    fn a_header_is_nameless_where_none_of_its_fields_counts() {
        for (head, is_nameless) in [
            ("", true),
            ("X: y\n", true),
            ("To: x\n", false),
            ("Received: x\n", false),
        ] {
            assert_eq!(of(head).is_nameless(), is_nameless, "{head:?}");
        }
        for (here, there, is_nameless) in [
            ("X: y\n", "To: x\n", true),
            ("", "", true),
            ("To: x\n", "To: x\n", false),
            ("To: x\n", "To: y\n", false),
            ("To: x\n", "", false),
            ("To: x\nCc: x\n", "To: x\n", false),
            ("To: x\nCc: x\n", "To: x\nCc: y\n", false),
        ] {
            let common = Common::of(here.as_bytes(), there.as_bytes());
            assert_eq!(common.is_nameless(), is_nameless, "{here:?} {there:?}");
        }
    }

    #[test]
    fn each_field_counts_and_so_does_its_name() {
        let fields = ["Message-ID", "Date", "From", "To", "Cc", "Subject"];
        let head = |changed: usize| -> String {
            let line = |(at, name): (usize, &&str)| {
                format!("{name}: {}\r\n", if at == changed { "y" } else { "x" })
            };
            fields.iter().enumerate().map(line).collect()
        };
        let mut all: Vec<Identity> = (0..=fields.len()).map(|at| of(&head(at))).collect();
        all.push(of("From: x\r\n"));
        all.push(of("To: x\r\n"));
        all.push(of("From: x\r\nFrom: x\r\n"));
        all.push(of("From: x x\r\n"));
        all.push(of("From: xx\r\n"));
        all.push(of("From:\r\n"));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_ne!(of("From: x\r\n").number(), of("To: x\r\n").number());
        assert_eq!(of("From: x\r\n").number(), of("from:x\n").number());
    }

    #[test]
    fn an_empty_message_id_is_none_and_the_topmost_received_tells_apart() {
        for id in ["", "Message-ID:\r\n", "Message-ID:  \r\n"] {
            let with = |received: &str| of(&format!("{id}Subject: x\r\n{received}"));
            assert_ne!(with("Received: a\r\n"), with("Received: b\r\n"), "{id}");
            assert_ne!(with("Received: a\r\n"), with(""), "{id}");
            let two = "Received: a\r\nReceived: b\r\n";
            assert_eq!(with("Received: a\r\n"), with(two), "{id}");
        }
    }

    #[test]
    fn size_and_date_tell_apart_only_what_has_no_field() {
        let with = |head: &str, size, date| Identity::of(head.as_bytes(), size, date);
        assert_ne!(with("", 1, Some(5)), with("", 1, Some(6)));
        assert_ne!(with("", 1, None), with("", 1, Some(0)));
        assert_eq!(with("To: x\n", 1, None), with("To: x\n", 2, Some(6)));
        assert_eq!(with("X-Other: x\n", 1, None), with("", 1, None));
    }

    #[test]
    fn received_counts_where_there_is_no_message_id_and_size_where_there_is_nothing() {
        assert_ne!(
            of("Subject: x\r\nReceived: a\r\n"),
            of("Subject: x\r\nReceived: b\r\n")
        );
        assert_eq!(
            of("Message-ID: <a>\r\nReceived: a\r\n"),
            of("Message-ID: <a>\r\nReceived: b\r\n")
        );
        assert_ne!(
            Identity::of(b"no header", 9, None),
            Identity::of(b"no header", 10, None)
        );
        assert_eq!(
            Identity::of(b"no header", 9, None),
            Identity::of(b"\r\nother", 9, None)
        );
    }
}
