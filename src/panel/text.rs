//! Plain text out of what a panel says: no tags, no entities, no encoding over an encoding, no control characters.

use crate::redact::redacted;

/// Most characters that are shown of what a panel says.
const SHOWN: usize = 400;
/// Layers of encoding that are taken off.
const LAYERS: usize = 3;

/// What can be shown of a text or a page. Secrets are taken out before: they could not be found in what is left of
/// them.
#[must_use]
pub fn plain(text: &str) -> String {
    // Each layer looks at all of it, which is not worth it for much more than what is shown.
    let mut text: String = text.chars().take(SHOWN * 64).collect();
    for _ in 0..LAYERS {
        let next = without_tags(&entities(&percent(&text)));
        if next == text {
            break;
        }
        text = next;
    }
    let text = redacted(&text);
    let visible = |c: char| {
        if c.is_control() || is_format(c) {
            ' '
        } else {
            c
        }
    };
    let text: String = text.chars().map(visible).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The title of a page, else its beginning.
#[must_use]
pub fn of_page(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let end = lower[start..].find("</title>")?;
        Some(plain(&page[start..start + end]))
    });
    title
        .filter(|title| !title.is_empty())
        .unwrap_or_else(|| plain(page))
}

/// Characters that change how the text around them is shown (Unicode bidirectional controls and joiners).
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Decodes a text that is percent-encoded still; one without such codes stays as it is.
fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let coded = bytes
        .windows(3)
        .any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit());
    if !coded || text.contains(' ') {
        return text.to_owned();
    }
    let decoded = url::form_urlencoded::parse(bytes);
    let parts: Vec<String> = decoded
        .map(|(key, value)| {
            if value.is_empty() {
                key.into_owned()
            } else {
                format!("{key}={value}")
            }
        })
        .collect();
    parts.join("&")
}

/// Leaves tags out, and scripts and styles with what is in them.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let tag = &rest[at + 1..];
        let begins = tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        let Some(end) = tag.find('>').filter(|_| begins) else {
            out.push('<');
            rest = tag;
            continue;
        };
        out.push(' ');
        let name = tag[..end].to_ascii_lowercase();
        rest = &tag[end + 1..];
        for dark in ["script", "style"] {
            if name.starts_with(dark) {
                let close = rest.to_ascii_lowercase().find(&format!("</{dark}"));
                rest = &rest[close.unwrap_or(rest.len())..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Decodes character references, also `&#46` as DirectAdmin writes it: two digits, no semicolon.
#[must_use]
pub fn entities(text: &str) -> String {
    const NAMED: [(&str, char); 6] = [
        ("amp;", '&'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("quot;", '"'),
        ("apos;", '\''),
        ("nbsp;", ' '),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let named = NAMED.iter().find(|(name, _)| rest.starts_with(name));
        if let Some((name, character)) = named {
            out.push(*character);
            rest = &rest[name.len()..];
        } else if let Some((character, length)) = numeric(rest) {
            out.push(character);
            rest = &rest[length..];
        } else {
            out.push('&');
        }
    }
    out.push_str(rest);
    out
}

/// The character that `#46` or the like at the beginning means, and the length of the reference in bytes.
fn numeric(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix('#')?;
    if let Some(hex) = digits.strip_prefix(['x', 'X']) {
        let end = hex.bytes().take(6).position(|b| !b.is_ascii_hexdigit())?;
        let code = u32::from_str_radix(&hex[..end], 16).ok()?;
        return (hex[end..].starts_with(';')).then_some((char::from_u32(code)?, end + 3));
    }
    let count = digits
        .bytes()
        .take(7)
        .take_while(u8::is_ascii_digit)
        .count();
    let closed = digits[count..].starts_with(';');
    // A leading zero, or a single digit, is no DirectAdmin's.
    if closed && (count == 1 || digits.starts_with('0')) {
        let code = digits[..count].parse().ok()?;
        return Some((char::from_u32(code)?, count + 2));
    }
    if count < 2 {
        return None;
    }
    let code = digits[..2].parse().ok()?;
    let length = 3 + usize::from(digits[2..].starts_with(';'));
    Some((char::from_u32(code)?, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_also_across_the_end() {
        let secret = "open sesame of the panel";
        crate::redact::keep(secret);
        let text = plain(&format!("{}{secret}", "x ".repeat(SHOWN / 2 - 4)));
        crate::redact::forget(secret);
        assert!(!text.contains("open"), "{text}");
    }

    #[test]
    fn layers_of_encoding_are_taken_off() {
        for (from, to) in [
            ("Unable to create user", "Unable to create user"),
            ("Unable%20to%20create", "Unable to create"),
            ("Unable%2520to%2520create%2520x", "Unable to create x"),
            ("bob@example&#46com exists", "bob@example.com exists"),
            ("v1&#461", "v1.1"),
            ("it&#039;s &#x41;", "it's A"),
            ("&lt;b&gt;No&lt;/b&gt;&nbsp;way", "No way"),
            ("<b>No</b><br>way<script>alert(1)</script>", "No way"),
            ("100% of 5 < 6 & more", "100% of 5 < 6 & more"),
            ("a\u{1b}[31mred\r\nb\u{202e}c", "a [31mred b c"),
            ("&#", "&#"),
            ("&#9", "&#9"),
        ] {
            assert_eq!(plain(from), to, "{from}");
        }
        assert_eq!(
            of_page("<html><TITLE> DirectAdmin Login</title>x"),
            "DirectAdmin Login"
        );
        assert_eq!(of_page("<p>Nothing here"), "Nothing here");
        assert!(plain(&"<".repeat(1_000_000)).len() < 2000);
    }
}
