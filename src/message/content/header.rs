//! What the header of a message says about its structure.

use std::sync::LazyLock;

use mail_parser::{HeaderName, MessageParser, MimeHeaders};

/// What follows the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// One body.
    #[default]
    Leaf,
    /// Parts between boundaries.
    Multipart,
    /// Another message.
    Nested,
}

/// What is known of a header.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// Fields.
    pub fields: usize,
    /// How many of the fields it has that nearly all mail has.
    pub common: usize,
    /// What follows.
    pub shape: Shape,
    /// The boundary between the parts; none where none is declared, two where it is folded: relays fold it in the body
    /// too.
    pub boundaries: Vec<Vec<u8>>,
}

impl Header {
    /// Reads the lines of a header, without the empty line that ends it.
    pub fn read(lines: &[u8]) -> Self {
        static PARSER: LazyLock<MessageParser> =
            LazyLock::new(|| MessageParser::new().with_mime_headers());
        let whole = [lines, b"\r\n"].concat();
        let Some(message) = PARSER.parse_headers(&whole) else {
            return Self::default();
        };
        let mut header = Self::default();
        let mut seen = Vec::new();
        for field in message.headers() {
            if !field.name.as_str().bytes().all(|b| b.is_ascii_graphic()) {
                continue;
            }
            header.fields += 1;
            if is_common(&field.name) && !seen.contains(&field.name) {
                seen.push(field.name.clone());
            }
        }
        header.common = seen.len();
        if let Some(content_type) = message.content_type() {
            header.shape = match content_type.ctype() {
                kind if kind.eq_ignore_ascii_case("multipart") => Shape::Multipart,
                kind if kind.eq_ignore_ascii_case("message") => Shape::Nested,
                _ => Shape::Leaf,
            };
            if header.shape == Shape::Multipart {
                let boundary = content_type.attribute("boundary").unwrap_or_default();
                let boundary = boundary.trim_end().as_bytes().to_vec();
                header.boundaries = vec![boundary];
                header.boundaries.extend(boundary_forms(lines));
                header.boundaries.retain(|boundary| !boundary.is_empty());
                header.boundaries.dedup();
            }
        }
        header
    }
}

/// The boundary where blanks or folds stand around its `=`, as RFC 822 section 3.1.4 allows: whole, and up to a fold in
/// it.
fn boundary_forms(lines: &[u8]) -> Vec<Vec<u8>> {
    let mut value = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_folded && !value.is_empty() {
            value.push(FOLD);
            value.extend_from_slice(line);
        } else if !value.is_empty() {
            break;
        } else if let Some((name, rest)) = field(line)
            && name.eq_ignore_ascii_case(b"content-type")
        {
            value.extend_from_slice(rest);
        }
    }
    let boundary = parameters(&value).into_iter().find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, given) = parameter.split_at(equals);
        let is_boundary = name.trim_ascii().eq_ignore_ascii_case(b"boundary");
        is_boundary.then(|| unquoted(given[1..].trim_ascii()))
    });
    let boundary = boundary.unwrap_or_default();
    let whole = boundary.iter().copied().filter(|byte| *byte != FOLD);
    let whole: Vec<u8> = whole.collect();
    let first = boundary.split(|byte| *byte == FOLD).next();
    let forms = [whole.as_slice(), first.unwrap_or_default()];
    forms.map(|form| form.trim_ascii_end().to_vec()).to_vec()
}

/// Stands for a fold in a value whose lines are joined; blank, so that it counts as one around tokens.
const FOLD: u8 = b'\n';

/// What stands between the semicolons of a field, those in quotes apart.
fn parameters(value: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut start, mut in_quotes, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b';' if !in_quotes => {
                found.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&value[start..]);
    found
}

/// A token, or what a quoted string stands for.
fn unquoted(given: &[u8]) -> Vec<u8> {
    let Some(quoted) = given.strip_prefix(b"\"") else {
        let end = given.iter().position(u8::is_ascii_whitespace);
        return given[..end.unwrap_or(given.len())].to_vec();
    };
    let mut plain = Vec::new();
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    plain
}

fn is_common(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::From
            | HeaderName::To
            | HeaderName::Subject
            | HeaderName::Date
            | HeaderName::MessageId
            | HeaderName::MimeVersion
            | HeaderName::ContentType
            | HeaderName::Received
    )
}

/// A Content-Type field of a part that holds other parts or another message.
pub fn nests(line: &[u8]) -> bool {
    let Some((name, value)) = field(line) else {
        return false;
    };
    let value = value.trim_ascii_start();
    let is = |kind: &[u8]| {
        value
            .get(..kind.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(kind))
    };
    name.eq_ignore_ascii_case(b"content-type") && (is(b"message/") || is(b"multipart/"))
}

/// Name and value of a line that has the form of a header field.
pub fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const LONGEST_NAME: usize = 60;
    if !line.first()?.is_ascii_alphabetic() {
        return None;
    }
    let colon = line
        .iter()
        .take(LONGEST_NAME)
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_'))?;
    (line[colon] == b':').then(|| (&line[..colon], &line[colon + 1..]))
}
