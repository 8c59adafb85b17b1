//! Hexadecimal, base64 and modified UTF-7 in the least code that will do. Knows no protocol.

use std::fmt::Write as _;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes behind hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("no hexadecimal digit: {digit}"),
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| value(pair[0]) << 4 | value(pair[1]))
        .collect()
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| {
            bits << 8 | u32::from(group.get(i).copied().unwrap_or(0))
        });
        for i in 0..4 {
            let index = (bits >> (18 - 6 * i)) & 63;
            text.push(if i <= group.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes behind base64; `None` where it is none.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|c| *c == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// A mailbox name in modified UTF-7 (RFC 3501 section 5.1.3).
pub fn utf7(name: &str) -> String {
    let mut encoded = String::new();
    let mut shifted = String::new();
    for c in name.chars().map(Some).chain([None]) {
        let direct = c.is_none_or(|c| (' '..='~').contains(&c));
        if direct && !shifted.is_empty() {
            let units: Vec<u8> = shifted.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let text = base64(&units).replace('/', ",");
            write!(encoded, "&{}-", text.trim_end_matches('=')).expect("a string");
            shifted.clear();
        }
        match c {
            Some('&') => encoded.push_str("&-"),
            Some(c) if direct => encoded.push(c),
            Some(c) => shifted.push(c),
            None => {}
        }
    }
    encoded
}

#[test]
fn codecs_know_what_the_rfcs_know() {
    assert_eq!(base64(b"foob"), "Zm9vYg==");
    assert_eq!(unbase64("Zm9vYg==").as_deref(), Some(&b"foob"[..]));
    assert_eq!(unbase64("Zm9v!"), None);
    assert_eq!(unhex(&hex(b"\x00\xff p")), b"\x00\xff p");
    // The example of RFC 3501, and an ampersand.
    assert_eq!(
        utf7("~peter/mail/台北/日本語"),
        "~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    );
    assert_eq!(utf7("R&D Entwürfe"), "R&-D Entw&APw-rfe");
}
