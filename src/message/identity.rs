//! What makes two copies the same message, on two servers that may fold and order headers in their own ways.
//!
//! Message-ID alone loses different mails that share one, and byte equality fails as servers rewrite.

use sha2::{Digest, Sha256};

/// The header fields that an identity is made of, as a FETCH asks for them.
pub const IDENTITY_FIELDS: &str = "MESSAGE-ID DATE FROM TO CC SUBJECT RECEIVED";

/// Always part of it, in this order.
const FIELDS: [&str; 6] = ["message-id", "date", "from", "to", "cc", "subject"];

/// 128 bits of a digest over the unfolded, blank-collapsed Message-ID, Date, From, To, Cc and Subject.
///
/// Without a Message-ID the topmost Received is part of it; without any of these fields, size and INTERNALDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 16]);

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
        let digest = digest.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }
}

impl Identity {
    /// A number that spreads evenly over messages and is always the same for one.
    #[must_use]
    pub fn number(&self) -> u64 {
        let first = self.0.first_chunk().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    }
}

/// What two headers have of the fields that count, as far as both have them.
pub struct Common {
    same: usize,
    other: usize,
    /// The first one has none.
    is_nameless: bool,
}

impl Common {
    /// Compares two headers. Words with 8-bit characters in the first one may be anything in the second.
    #[must_use]
    pub fn of(here: &[u8], there: &[u8]) -> Self {
        let (here, there) = (fields(here), fields(there));
        let mut common = Self {
            same: 0,
            other: 0,
            is_nameless: !here.iter().any(|(name, _)| FIELDS.contains(&name.as_str())),
        };
        for name in FIELDS {
            let values = |all: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                let named = all.iter().filter(|(field, _)| field == name);
                named.map(|(_, value)| value.clone()).collect()
            };
            let (one, other) = (values(&here), values(&there));
            if one.is_empty() || other.is_empty() {
                continue;
            }
            let mut pairs = one.iter().zip(&other);
            let is_same = one.len() == other.len()
                && pairs.all(|(one, other)| is_same_but_for_8_bit(one, other));
            common.same += usize::from(is_same);
            common.other += usize::from(!is_same);
        }
        common
    }

    /// A server that adds fields, or leaves some out, may have made the second one of the first.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.other == 0 && (self.same > 0 || self.is_nameless)
    }

    /// A server that changes what it likes may have: something is as it was.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.same > 0 || self.other == 0
    }
}

/// The same, or the words without 8-bit characters are in the other value in their order.
fn is_same_but_for_8_bit(here: &[u8], there: &[u8]) -> bool {
    if here == there || here.is_ascii() {
        return here == there;
    }
    let mut left = there.split(|byte| *byte == b' ');
    let mut words = here
        .split(|byte| *byte == b' ')
        .filter(|word| word.is_ascii());
    words.all(|word| left.any(|other| other == word))
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
    fn a_header_that_a_server_changed_has_much_in_common_and_no_field_of_another() {
        let header = "Message-ID: <1@x>\nSubject: gr\u{fc}n and more\nFrom: a@x\n";
        let cases = [
            // What is all the same, and what is any the same.
            (header, header, true, true),
            (header, "Subject: gr??n and  more\n", true, true),
            (
                header,
                "Subject: and more\nReceived: x\nCc: y\n",
                true,
                true,
            ),
            (
                header,
                "Subject: gr\u{fc}n and less\nFrom: a@x\n",
                false,
                true,
            ),
            (
                header,
                "Subject: gr\u{fc}n more and\nFrom: b@x\n",
                false,
                false,
            ),
            (
                header,
                "Message-ID: <1@x>\nMessage-ID: <1@x>\n",
                false,
                false,
            ),
            (header, "Cc: y\n", false, true),
            (header, "", false, true),
            ("X: y\n", header, true, true),
            ("", "", true, true),
            // What had no 8-bit characters keeps its words.
            (
                "Subject: and more\n",
                "Subject: gr\u{fc}n and more\n",
                false,
                false,
            ),
        ];
        for (here, there, all, any) in cases {
            let common = Common::of(here.as_bytes(), there.as_bytes());
            assert_eq!((common.is_all(), common.is_any()), (all, any), "{there}");
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
