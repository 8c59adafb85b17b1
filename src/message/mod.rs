//! What is read from a message itself: Message-ID, identity, dates. The only user of mail-parser.

mod content;
mod date;
mod envelope;
mod fingerprint;
mod gist;
mod identity;
mod line_ends;

pub use content::{Inspector, Oddity};
pub use date::{DateSource, internaldate_for, timestamp};
pub use envelope::Envelope;
pub use fingerprint::{Difference, Fingerprint};
pub use gist::Gist;
pub use identity::{Common, IDENTITY_FIELDS, Identity};
pub use line_ends::digest_with_crlf;

use mail_parser::MessageParser;

/// The Message-ID in the header of a message, without its angle brackets.
///
/// `head` is the beginning of the message; a header that is cut off there is read as far as it goes.
#[must_use]
pub fn message_id(head: &[u8]) -> Option<String> {
    MessageParser::new()
        .with_message_ids()
        .parse_headers(header(head))?
        .message_id()
        .map(str::to_owned)
}

/// What precedes the first empty line, that line included; all of it where there is none.
fn header(head: &[u8]) -> &[u8] {
    match head.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) => &head[..end + 4],
        None => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_id_is_found_where_there_is_one() {
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"Subject: x\r\nMessage-ID: <a@b>\r\n\r\nbody", Some("a@b")),
            (b"message-id:\r\n <a@b>\r\n", Some("a@b")),
            (b"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", None),
            (
                b"Subject: \xff\r\nMessage-Id: <\xe9@b>\r\n\r\n",
                Some("\u{fffd}@b"),
            ),
            (b"", None),
            (b"no header at all", None),
        ];
        for (head, expected) in cases {
            assert_eq!(
                message_id(head).as_deref(),
                expected,
                "{}",
                head.escape_ascii()
            );
        }
    }
}
