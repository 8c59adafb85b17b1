//! What the header of a message says of its shape.

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
    /// How many of the fields that nearly all mail has.
    pub common: usize,
    /// What follows.
    pub shape: Shape,
    /// The boundary between the parts; empty where none is declared.
    pub boundary: Vec<u8>,
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
                header.boundary = boundary.trim_end().as_bytes().to_vec();
            }
        }
        header
    }
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
