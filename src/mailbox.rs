//! Mailbox names: from the bytes on the wire to what people read. Knows no connection and no files.

use crate::session::list::is_inbox;

/// The name for people: modified UTF-7 decoded (RFC 3501 section 5.1.3), raw UTF-8 as it is.
///
/// A name that is neither stays as listed; bytes that are no UTF-8 show as `%XX`. INBOX is `INBOX`.
/// Two names on the wire may read the same; what tells them apart are the bytes.
#[must_use]
pub fn display_name(wire: &[u8]) -> String {
    if is_inbox(wire) {
        return "INBOX".to_owned();
    }
    if wire.is_ascii() {
        let listed = String::from_utf8_lossy(wire);
        return decode_utf7(&listed).unwrap_or_else(|| listed.into_owned());
    }
    wire.utf8_chunks()
        .flat_map(|chunk| {
            let invalid = chunk.invalid().iter().map(|byte| format!("%{byte:02X}"));
            std::iter::once(chunk.valid().to_owned()).chain(invalid)
        })
        .collect()
}

/// Modified UTF-7; `None` when the text is not in it.
fn decode_utf7(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        let shifted = &rest[start + 1..];
        let end = shifted.find('-')?;
        if end == 0 {
            decoded.push('&');
        } else {
            decoded.push_str(&decode_shifted(&shifted[..end])?);
        }
        rest = &shifted[end + 1..];
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// UTF-16 big endian in base64 with `,` for `/` and without padding.
fn decode_shifted(text: &str) -> Option<String> {
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut units = Vec::new();
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b',' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push(u16::try_from(bits >> held & 0xffff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    let clean_end = held < 6 && bits == 0;
    clean_end.then(|| String::from_utf16(&units).ok()).flatten()
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
            assert_eq!(display_name(wire), name, "{}", wire.escape_ascii());
        }
    }
}
