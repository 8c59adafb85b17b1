//! Looks into a message for what a mail does not have: raw IMAP, a second mail behind the first, parts that are
//! missing.
//!
//! One pass over the bytes, a line at a time, in bounded memory. Precision counts here: mail that forwards mail, quotes
//! headers or talks about IMAP is legitimate, so a suspicion needs more than one sign.

mod header;
mod second_mail;

use std::io::{self, BufRead};

use memchr::{memchr, memmem};

use header::{Header, Shape};
use second_mail::SecondMail;

/// How much of a line is looked at, in bytes.
const LINE: usize = 512;
/// How much of the header is read, in bytes.
const HEADER: usize = 256 * 1024;

/// Something that a mail does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// No header field at all: this is not a mail.
    NoHeader,
    /// Fewer than two of the fields that nearly all mail has, as in a draft.
    SparseHeader,
    /// `Content-Type: multipart/…`, and not one part.
    NoParts,
    /// A line of the IMAP protocol where mail has none: its number and text.
    RawImap(u64, String),
    /// The header of another mail: the number of its first line.
    SecondMail(u64),
}

/// Where the line stands that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Header,
    /// In a body that is not multipart.
    Body,
    /// Before the first boundary or behind the last.
    OutsideParts,
    /// The header of a part.
    PartHeader,
    /// In a part.
    Part,
    /// Where another mail may stand: message/rfc822 and the like.
    Opaque,
}

/// Takes the bytes of a message in pieces.
pub struct Inspector {
    line: Vec<u8>,
    number: u64,
    place: Position,
    header: Vec<u8>,
    boundaries: Vec<Vec<u8>>,
    parts: u64,
    facts: Option<Header>,
    /// The first line that proves raw IMAP by its place.
    raw: Option<(u64, String)>,
    /// The first line that looks like IMAP, in a body that may be about it.
    perhaps_raw: Option<(u64, String)>,
    second: SecondMail,
}

impl Default for Inspector {
    fn default() -> Self {
        Self {
            line: Vec::with_capacity(LINE),
            number: 0,
            place: Position::Header,
            header: Vec::new(),
            boundaries: Vec::new(),
            parts: 0,
            facts: None,
            raw: None,
            perhaps_raw: None,
            second: SecondMail::default(),
        }
    }
}

impl Inspector {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.line.is_empty() {
                self.end_line(&line[..line.len().min(LINE)]);
            } else {
                self.keep(line);
                let kept = std::mem::take(&mut self.line);
                self.end_line(&kept);
                self.line = kept;
                self.line.clear();
            }
        }
        self.keep(bytes);
    }

    /// What was found. `again` reads the message once more, where a suspicion needs it.
    ///
    /// # Errors
    /// Those of reading again.
    pub fn finish<R: BufRead>(
        mut self,
        again: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<Vec<Oddity>> {
        if !self.line.is_empty() {
            let kept = std::mem::take(&mut self.line);
            self.end_line(&kept);
        }
        if self.place == Position::Header {
            self.end_header();
        }
        if self.place == Position::Part {
            // No boundary ends the last part: what stands in it may be another message's.
            self.second.end();
        } else if matches!(self.place, Position::Body | Position::OutsideParts) {
            self.second.end();
            if !self.boundaries.is_empty() {
                self.perhaps_raw = None;
            }
        } else {
            self.perhaps_raw = None;
        }
        let mut found = Vec::new();
        let facts = self.facts.unwrap_or_default();
        if facts.fields == 0 {
            found.push(Oddity::NoHeader);
        } else if facts.common < 2 {
            found.push(Oddity::SparseHeader);
        }
        if facts.shape == Shape::Multipart && self.parts == 0 {
            found.push(Oddity::NoParts);
        }
        if self.raw.is_none() && self.perhaps_raw.is_some() && !talks_of_imap(again()?)? {
            self.raw = self.perhaps_raw;
        }
        if let Some((line, text)) = self.raw {
            found.push(Oddity::RawImap(line, text));
        } else if let Some(line) = self.second.found() {
            found.push(Oddity::SecondMail(line));
        }
        Ok(found)
    }

    /// Keeps the beginning of a line that has not ended yet.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn end_line(&mut self, line: &[u8]) {
        self.number += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.place {
            Position::Header => {
                if line.is_empty() {
                    self.end_header();
                    return;
                }
                // Blanks before the first field are not fields and do not end the header.
                if self.header.is_empty() && line.trim_ascii().is_empty() {
                    return;
                }
                // A folded field may be about anything (RFC 5322 section 2.2.3).
                let is_folded = self.number > 1 && matches!(line[0], b' ' | b'\t');
                if !is_folded && is_raw_imap(line) {
                    note(&mut self.raw, self.number, line);
                } else if self.header.len() < HEADER {
                    let room = HEADER - self.header.len();
                    self.header.extend_from_slice(&line[..room.min(line.len())]);
                    self.header.extend_from_slice(b"\r\n");
                }
            }
            Position::Body => self.body_line(line),
            Position::OutsideParts => {
                if self.at_boundary(line) {
                    return;
                }
                if is_raw_imap(line) {
                    note(&mut self.raw, self.number, line);
                }
                self.second.line(self.number, line);
            }
            Position::PartHeader => {
                if self.at_boundary(line) {
                    return;
                }
                if line.is_empty() {
                    self.place = Position::Part;
                } else if header::nests(line) {
                    self.place = Position::Opaque;
                }
            }
            Position::Part => {
                if !self.at_boundary(line) {
                    self.body_line(line);
                }
            }
            Position::Opaque => {
                self.at_boundary(line);
            }
        }
    }

    fn body_line(&mut self, line: &[u8]) {
        if is_raw_imap(line) {
            note(&mut self.perhaps_raw, self.number, line);
        }
        self.second.line(self.number, line);
    }

    fn end_header(&mut self) {
        let facts = Header::read(&self.header);
        self.header = Vec::new();
        self.place = match facts.shape {
            Shape::Leaf => Position::Body,
            Shape::Nested => Position::Opaque,
            Shape::Multipart if facts.boundaries.is_empty() => Position::Body,
            Shape::Multipart => Position::OutsideParts,
        };
        self.boundaries.clone_from(&facts.boundaries);
        self.second.begin(self.place == Position::OutsideParts);
        self.facts = Some(facts);
    }

    /// Follows the boundaries of the outermost multipart (RFC 2046 section 5.1.1).
    fn at_boundary(&mut self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"--") else {
            return false;
        };
        let ends = |boundary: &Vec<u8>| {
            let rest = rest.strip_prefix(boundary.as_slice())?.trim_ascii_end();
            matches!(rest, b"" | b"--").then_some(rest)
        };
        let Some(rest) = self.boundaries.iter().find_map(ends) else {
            return false;
        };
        self.place = if rest.is_empty() {
            self.parts += 1;
            Position::PartHeader
        } else {
            Position::OutsideParts
        };
        self.perhaps_raw = None;
        self.second.begin(self.place == Position::OutsideParts);
        true
    }
}

fn note(place: &mut Option<(u64, String)>, number: u64, line: &[u8]) {
    if place.is_none() {
        let shown = line[..line.len().min(80)].escape_ascii().to_string();
        *place = Some((number, shown));
    }
}

/// A line that only an IMAP server writes: the beginning of a FETCH response (RFC 3501 section 7.4.2), one of its
/// attributes, or the end of a FETCH command.
fn is_raw_imap(line: &[u8]) -> bool {
    let line = line.strip_prefix(b" ").unwrap_or(line);
    let upper = |prefix: &[u8]| {
        line.get(..prefix.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
    };
    match line.first() {
        Some(b'*') => {
            let rest = line.strip_prefix(b"* ").unwrap_or_default();
            let digits = leading_digits(rest);
            digits > 0 && rest[digits..].to_ascii_uppercase().starts_with(b" FETCH (")
        }
        Some(b'F' | b'f') => {
            upper(b"FLAGS (")
                && match line[7..] {
                    [b'\\' | b')', ..] => true,
                    [b'$', first, ..] => first.is_ascii_alphabetic(),
                    _ => false,
                }
        }
        Some(b'I' | b'i') => {
            upper(b"INTERNALDATE \"") && matches!(line.get(14), Some(b' ' | b'0'..=b'9'))
        }
        Some(b'B' | b'b') if upper(b"BODY[") => {
            let close = line.iter().position(|byte| *byte == b']');
            close.is_some_and(|close| announces(&line[close + 1..]))
        }
        Some(b'R' | b'r') if upper(b"RFC822 ") => announces(&line[6..]),
        Some(b'U' | b'u') if upper(b"UID ") => {
            let digits = leading_digits(&line[4..]);
            let rest = line[4 + digits..].to_ascii_uppercase();
            digits > 0
                && [
                    b" FLAGS (".as_slice(),
                    b" INTERNALDATE \"",
                    b" RFC822",
                    b" BODY[",
                ]
                .iter()
                .any(|next| rest.starts_with(next))
        }
        Some(first) if first.is_ascii_alphanumeric() => is_fetch_end(line),
        _ => false,
    }
}

/// ` {123}`, ` "` or ` NIL`.
fn announces(rest: &[u8]) -> bool {
    match rest {
        [b' ', b'{', digit, ..] => digit.is_ascii_digit(),
        [b' ', b'"', ..] => true,
        _ => rest.eq_ignore_ascii_case(b" NIL"),
    }
}

/// `A12 OK Fetch completed`, where the tag has a digit.
fn is_fetch_end(line: &[u8]) -> bool {
    let Some(blank) = line.iter().take(24).position(|byte| *byte == b' ') else {
        return false;
    };
    let (tag, rest) = line.split_at(blank);
    if !tag.iter().all(u8::is_ascii_alphanumeric)
        || !tag.iter().any(u8::is_ascii_digit)
        || !rest.starts_with(b" OK ")
    {
        return false;
    }
    let rest = rest.to_ascii_lowercase();
    contains(&rest, b"fetch complete")
}

fn leading_digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

fn contains(line: &[u8], words: &[u8]) -> bool {
    memmem::find(line, words).is_some()
}

/// True for mail whose subject or prose is about IMAP: then a protocol line in it is a quotation.
fn talks_of_imap(mut message: impl BufRead) -> io::Result<bool> {
    const WORDS: [&[u8]; 14] = [
        b"imap",
        b"fetch",
        b"dovecot",
        b"cyrus",
        b"courier",
        b"rfc 3501",
        b"rfc3501",
        b"mailbox",
        b"mail server",
        b"mailserver",
        b"postfach",
        b"protocol",
        b"protokoll",
        b"internaldate",
    ];
    let mut in_header = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if read_line(&mut message, &mut line)? == 0 {
            return Ok(false);
        }
        let text = line.trim_ascii_end();
        in_header &= !text.is_empty();
        let lower = text.to_ascii_lowercase();
        let counts = if in_header {
            lower.starts_with(b"subject:")
        } else {
            // Prose has blanks, base64 has none; nobody talks in fields of a second header.
            text.contains(&b' ') && !is_raw_imap(text) && header::field(text).is_none()
        };
        if counts && WORDS.iter().any(|word| contains(&lower, word)) {
            return Ok(true);
        }
    }
}

/// A line with its end, or the next 64 KiB of a longer one; 0 at the end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    io::Read::take(reader, 64 * 1024).read_until(b'\n', line)
}

#[cfg(test)]
mod tests;
