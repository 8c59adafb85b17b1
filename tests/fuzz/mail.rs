//! Messages: what is looked for in them, and what they are known by.

use std::io::Cursor;

use imapsync_bulk_migrator::testing::{
    DateSource, Fingerprint, Identity, Inspector, Oddity, internaldate_for, message_id, timestamp,
};

use crate::fuzz;

pub const WORDS: [&str; 18] = [
    "\r\n\r\n",
    "\r\n",
    "From: a@example.com\r\n",
    "To: b@example.com\r\n",
    "Subject: x\r\n",
    "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
    "Message-ID: <x@example.com>\r\n",
    "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: message/rfc822\r\n",
    "--b\r\n",
    "--b--\r\n",
    "* 5 FETCH (UID 7 BODY[] {5}\r\n",
    "a1 OK FETCH completed\r\n",
    "-----Original Message-----\r\n",
    "From x Tue Nov 14 22:13:20 2023\r\n",
    "> ",
    "31-Feb-9999 99:99:99 +9999",
];

/// As much of a message as the program reads for its header, in bytes.
const HEAD: usize = 256 * 1024;

fn oddities(pieces: &[&[u8]], whole: &[u8]) -> Vec<Oddity> {
    let mut inspector = Inspector::default();
    for piece in pieces {
        inspector.feed(piece);
    }
    inspector
        .finish(|| Ok(Cursor::new(whole)))
        .expect("memory can be read again")
}

/// Everything that looks at a message; the same in one piece and in many.
pub fn look(input: &[u8]) {
    let pieces: Vec<&[u8]> = input.chunks(7.max(input.len() / 1000)).collect();
    assert_eq!(oddities(&[input], input), oddities(&pieces, input));
    let head = &input[..input.len().min(HEAD)];
    let size = input.len() as u64;
    assert_eq!(
        Identity::of(head, size, None),
        Identity::of(head, size, None)
    );
    let mut one = Fingerprint::default();
    one.feed(input);
    let mut other = Fingerprint::default();
    for piece in &pieces {
        other.feed(piece);
    }
    assert_eq!(one.differences(other), []);
    let raw = String::from_utf8_lossy(&input[..input.len().min(60)]);
    let _ = internaldate_for(&raw, head);
    let _ = timestamp(&raw);
    let _ = message_id(head);
}

#[test]
fn messages() {
    fuzz("mail", &WORDS, look);
}

#[test]
fn dates() {
    fuzz("dates", &WORDS, |input| {
        let raw = String::from_utf8_lossy(input);
        let seconds = timestamp(&raw);
        if let (Some(written), DateSource::Server) = internaldate_for(&raw, b"") {
            // Servers store a date before 1970 as another, or not at all: the first second of 1970 stands for it.
            let expected = seconds.map(|seconds| seconds.max(0));
            assert_eq!(timestamp(&written), expected, "{raw} is written {written}");
        }
    });
}
