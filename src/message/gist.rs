//! What two messages are compared by where there are many of them: digests, and the header as it stands.

use sha2::{Digest, Sha256};

use super::identity::Common;

/// A digest of a header field, unfolded.
pub type FieldDigest = [u8; 16];

/// What a body is known by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest {
    /// Digest of the body apart from line ends, zero bytes and 0x80.
    pub plain: [u8; 32],
    /// A number for zero bytes and 0x80, and where they are.
    pub odd: u64,
    /// There are zero bytes, which servers leave out or write 0x80 for.
    pub has_zero: bool,
}

/// What is kept of a message that was read.
pub struct Gist {
    whole: [u8; 32],
    body: BodyDigest,
    has_text: bool,
    fields: Vec<FieldDigest>,
    header: Vec<u8>,
}

impl Gist {
    /// The digests of the message and of its body, those of its header's fields, the header.
    #[must_use]
    pub fn new(
        whole: [u8; 32],
        body: BodyDigest,
        mut fields: Vec<FieldDigest>,
        header: Vec<u8>,
    ) -> Self {
        fields.sort_unstable();
        Self {
            whole,
            body,
            has_text: body.plain != <[u8; 32]>::from(Sha256::digest([])),
            fields,
            header,
        }
    }

    /// Of a message that cannot be read, but whose digest is known, in hex.
    #[must_use]
    pub fn of_digest(hex: &str) -> Option<Self> {
        let mut whole = [0; 32];
        if hex.len() != 2 * whole.len() || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in whole.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        // No body has the digest of a whole message.
        let body = BodyDigest {
            plain: whole,
            odd: 0,
            has_zero: false,
        };
        Some(Self::new(whole, body, Vec::new(), Vec::new()))
    }

    /// Are both byte for byte the same?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.whole == other.whole
    }

    /// Do both have the same body, apart from line ends, and from what servers make of zero bytes where there are any?
    #[must_use]
    pub fn has_body_of(&self, other: &Self) -> bool {
        let has_zero = self.body.has_zero || other.body.has_zero;
        self.body.plain == other.body.plain && (has_zero || self.body.odd == other.body.odd)
    }

    /// Bytes of the header that is kept.
    #[must_use]
    pub fn header_length(&self) -> u64 {
        self.header.len() as u64
    }

    /// Has the other one each field of this one, however folded, in whatever order?
    #[must_use]
    pub fn is_kept_in(&self, other: &Self) -> bool {
        let mut there = other.fields.iter();
        let mut here = self.fields.iter();
        here.all(|field| there.any(|other| other == field))
    }

    /// A server that changes headers may have made the other one of this one: the same body, and the header's fields as
    /// far as they count. Where none counts all must be there, and no others unless there is a body to tell it by.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        if !self.has_body_of(other) {
            return false;
        }
        let common = Common::of(&self.header, &other.header);
        if common.is_nameless() {
            return self.is_kept_in(other) && (self.has_text || other.is_kept_in(self));
        }
        common.is_all()
    }

    /// The same of a message that was put where the other one is: its Message-ID is enough.
    #[must_use]
    pub fn may_be_on_record(&self, other: &Self) -> bool {
        let is_named_alike = || Common::of(&self.header, &other.header).has_message_id();
        self.has_body_of(other) && (self.may_be(other) || is_named_alike())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fingerprint;
    use super::*;

    fn gist(text: &str) -> Gist {
        let mut print = Fingerprint::default();
        print.feed(text.as_bytes());
        print.gist()
    }

    #[test]
    fn fields_may_be_added_folded_and_moved_and_none_may_go() {
        let mail = gist("Subject: a b\r\nTo: c\r\nTo: c\r\n\r\nbody\r\n");
        let cases = [
            // The text; is each field in it, is the body the same?
            (
                "To: c\nX-New: y\nto:c\nSubject: a\n b\n\nbody\n\n",
                true,
                true,
            ),
            ("Subject: a b\nTo: c\n\nbody\n", false, true),
            ("Subject: a c\nTo: c\nTo: c\n\nbody\n", false, true),
            ("Subject: a b\nTo: c\nTo: c\n\nbodies\n", true, false),
            ("", false, false),
        ];
        for (text, is_kept, is_body) in cases {
            let other = gist(text);
            let found = (mail.is_kept_in(&other), mail.has_body_of(&other));
            assert_eq!(found, (is_kept, is_body), "{text}");
            assert!(!mail.is_same(&other) && other.is_same(&gist(text)));
        }
        assert!(gist("\r\n").is_kept_in(&mail));
    }

    #[test]
    fn what_a_server_may_have_made_of_a_message_has_its_body_and_what_counts_of_its_header() {
        let cases = [
            // Here and there; may it be, and on record.
            (
                "Subject: a\n\nbody",
                "Subject: a\nTo: c\n\nbody",
                true,
                true,
            ),
            ("Subject: a\n\nbody", "Subject: b\n\nbody", false, false),
            ("Subject: a\n\nbody", "Subject: a\n\nbodies", false, false),
            (
                "Message-ID: <1@x>\nSubject: a\n\nbody",
                "Message-ID: <1@x>\nSubject: b\n\nbody",
                false,
                true,
            ),
            (
                "Message-ID: <1@x>\nSubject: a\n\nbody",
                "Message-ID: <1@x>\nSubject: a\n\nbodies",
                false,
                false,
            ),
            (
                "Message-ID: <1@x>\nSubject: a\n\nbody",
                "Message-ID: <2@x>\nSubject: a\n\nbody",
                false,
                false,
            ),
            // Where nothing counts, no field may go, and without a body none may come.
            ("X: y\n\nbody", "X: y\nZ: z\n\nbody", true, true),
            ("X: y\n\nbody", "Z: z\n\nbody", false, false),
            ("X: y z\n\n", "x:  y\n z\n\n", true, true),
            ("X: y\n\n", "X: y\nZ: z\n\n", false, false),
        ];
        for (here, there, may_be, on_record) in cases {
            let (here_is, there_is) = (gist(here), gist(there));
            let found = (
                here_is.may_be(&there_is),
                here_is.may_be_on_record(&there_is),
            );
            assert_eq!(found, (may_be, on_record), "{here:?} {there:?}");
        }
    }

    #[test]
    fn a_digest_alone_is_that_of_the_same_bytes_only() {
        let mail = gist("Subject: a\r\n\r\nbody\r\n");
        let digits = |byte: &u8| [byte >> 4, byte & 15].map(u32::from);
        let digits = mail.whole.iter().flat_map(digits);
        let digest: String = digits.filter_map(|it| char::from_digit(it, 16)).collect();
        let digest = digest.to_uppercase();
        let known = Gist::of_digest(&digest).expect("a digest");
        assert!(known.is_same(&mail) && !known.has_body_of(&mail));
        for text in [
            "",
            &digest[2..],
            &digest.replace('A', "g"),
            &"\u{e9}".repeat(32),
        ] {
            assert!(text == digest || Gist::of_digest(text).is_none(), "{text}");
        }
    }
}
