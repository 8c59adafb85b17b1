//! Modified UTF-7 (RFC 3501 section 5.1.3), both ways. Knows no mailbox.

/// The text in modified UTF-7.
pub(super) fn encode(name: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    let digit = |bits: u32| DIGITS[(bits & 63) as usize];
    let mut out = Vec::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '&' => out.extend(b"&-"),
            ' '..='~' => out.push(character as u8),
            _ => {
                let mut shifted = String::from(character);
                while let Some(next) = characters.next_if(|c| !(' '..='~').contains(c)) {
                    shifted.push(next);
                }
                out.push(b'&');
                let (mut bits, mut held) = (0_u32, 0);
                for unit in shifted.encode_utf16() {
                    bits = bits << 16 | u32::from(unit);
                    held += 16;
                    while held >= 6 {
                        held -= 6;
                        out.push(digit(bits >> held));
                    }
                    bits &= (1 << held) - 1;
                }
                if held > 0 {
                    out.push(digit(bits << (6 - held)));
                }
                out.push(b'-');
            }
        }
    }
    out
}

/// The text that stands in modified UTF-7; `None` when it is not in it.
pub(super) fn decode(text: &str) -> Option<String> {
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
    fn what_is_encoded_is_decoded() {
        for text in [
            "",
            "&",
            "R&D",
            "Entwürfe",
            "é-",
            "a💩b",
            "台北/日本語",
            "😀&😀",
            "\t~\u{7f}",
        ] {
            let wire = encode(text);
            assert!(
                wire.iter().all(|byte| (0x20..0x7f).contains(byte)),
                "{text}"
            );
            let wire = String::from_utf8(wire).expect("ASCII");
            assert_eq!(decode(&wire).as_deref(), Some(text), "{wire}");
        }
        assert_eq!(encode("Entwürfe & co"), b"Entw&APw-rfe &- co");
    }
}
