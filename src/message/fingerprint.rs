//! What is kept of a message's bytes to say how two copies differ: digests and the header, not the message.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use super::gist::{BodyDigest, Gist};

/// How much of the header is kept, in bytes; a longer one counts as body from there on.
const HEADER: usize = 16 * 1024 * 1024;
/// Spreads what it is multiplied with over all bits.
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// Most of a field's name, in bytes, and most fields that are told.
const MAX_NAME: usize = 100;
const MAX_NAMES: usize = 20;

/// How two copies of a message differ; all but the last are habits of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Line ends at the end of the message.
    FinalLineEnd,
    /// CR LF against LF.
    LineEnds,
    /// The other copy has additional header fields, by their names.
    HeaderAdded(Vec<String>),
    /// Header fields are folded or spaced differently.
    HeaderRefolded,
    /// Header fields or body differ; which.
    Content(String),
}

/// Takes the bytes of a message in pieces.
#[derive(Clone)]
pub struct Fingerprint {
    whole: Sha256,
    header: Vec<u8>,
    in_header: bool,
    /// Digest of the body with LF for every line end, without those at its end, and without what `odd` counts.
    body: Sha256,
    /// Zero bytes, which servers leave out or, as Dovecot does, write 0x80 for; and where in the body they are.
    odd: u64,
    /// There is a zero byte, or was one before the message was mended.
    has_zero: bool,
    /// Bytes of the body so far, without line ends.
    length: u64,
    /// Line ends not yet known to be in the middle of the body.
    pending: u64,
    /// Line ends that are a lone LF.
    bare: u64,
    /// A CR that may be half a line end.
    held_cr: bool,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self {
            whole: Sha256::new(),
            header: Vec::new(),
            in_header: true,
            body: Sha256::new(),
            odd: 0,
            has_zero: false,
            length: 0,
            pending: 0,
            bare: 0,
            held_cr: false,
        }
    }
}

impl Fingerprint {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        let mut rest = bytes;
        while self.in_header && !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (line, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            self.header.extend_from_slice(line);
            rest = behind;
            let ended = self.header.ends_with(b"\n\r\n")
                || self.header.ends_with(b"\n\n")
                || self.header == b"\r\n"
                || self.header == b"\n";
            self.in_header = !ended && self.header.len() < HEADER;
        }
        self.body(rest);
    }

    fn body(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => {
                    let cr = if at > 0 {
                        bytes[at - 1] == b'\r'
                    } else {
                        self.held_cr
                    };
                    let end = if at > from && cr { at - 1 } else { at };
                    self.text(&bytes[from..end.max(from)]);
                    self.bare += u64::from(!cr);
                    self.pending += 1;
                    self.held_cr = false;
                    from = at + 1;
                }
                _ if self.held_cr && at == 0 => {
                    // The CR at the end of the last piece was not half a line end.
                    self.held_cr = false;
                    self.text(b"\r");
                }
                _ => {}
            }
        }
        let rest = &bytes[from..];
        if let Some(text) = rest.strip_suffix(b"\r") {
            self.text(text);
            self.held_cr = true;
        } else {
            self.text(rest);
        }
    }

    /// Bytes within a line.
    fn text(&mut self, bytes: &[u8]) {
        if !bytes.iter().any(|byte| is_odd(*byte)) {
            self.plain(bytes);
            return;
        }
        for piece in bytes.split_inclusive(|byte| is_odd(*byte)) {
            let (plain, odd) = match piece.split_last() {
                Some((last, plain)) if is_odd(*last) => (plain, Some(*last)),
                _ => (piece, None),
            };
            self.plain(plain);
            if let Some(odd) = odd {
                let place = self.length << 8 | u64::from(odd);
                self.odd = self.odd.wrapping_add(1).wrapping_mul(PRIME) ^ place;
                self.has_zero |= odd == 0;
                self.length += 1;
            }
        }
    }

    /// Those that no server changes.
    fn plain(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.pending) {
            self.body.update(b"\n");
        }
        self.body.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// Are both byte for byte the same?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.whole.clone().finalize() == other.whole.clone().finalize()
    }

    /// Zero bytes were left out of what was taken.
    pub fn note_zeros(&mut self) {
        self.has_zero = true;
    }

    /// What many messages are compared by.
    #[must_use]
    pub fn gist(mut self) -> Gist {
        self.end();
        let fields = fields(&self.header).into_iter().map(|field| {
            let mut value = field.unfolded;
            value.retain(|byte| !is_odd(*byte));
            let digest = Sha256::digest(&value);
            digest.first_chunk().copied().unwrap_or_default()
        });
        let fields = fields.collect();
        let (whole, body) = (self.whole.finalize().into(), self.body.finalize().into());
        let body = BodyDigest {
            plain: body,
            odd: self.odd,
            has_zero: self.has_zero,
        };
        Gist::new(whole, body, fields, self.header)
    }

    /// Nothing more comes: a CR at the end is no half of a line end.
    fn end(&mut self) {
        if std::mem::take(&mut self.held_cr) {
            self.text(b"\r");
        }
    }

    /// How `other` differs from this copy; nothing when they are byte for byte the same.
    #[must_use]
    pub fn differences(mut self, mut other: Self) -> Vec<Difference> {
        if self.whole.finalize_reset() == other.whole.finalize_reset() {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.end();
        other.end();
        if self.odd != other.odd || self.body.finalize_reset() != other.body.finalize_reset() {
            found.push(Difference::Content("the body differs".to_owned()));
        }
        compare_headers(&fields(&self.header), &fields(&other.header), &mut found);
        if found
            .iter()
            .any(|one| matches!(one, Difference::Content(_)))
        {
            found.retain(|one| matches!(one, Difference::Content(_)));
            return found;
        }
        let bare = |one: &Self| one.bare + bare_line_ends(&one.header);
        if bare(&self) != bare(&other) {
            found.push(Difference::LineEnds);
        }
        if self.pending != other.pending || found.is_empty() {
            found.push(Difference::FinalLineEnd);
        }
        found
    }
}

/// A zero byte, or what Dovecot writes for it.
fn is_odd(byte: u8) -> bool {
    matches!(byte, 0 | 0x80)
}

fn bare_line_ends(header: &[u8]) -> u64 {
    let lines = header.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n"))
        .count() as u64
}

/// A header field: as it stands, with LF for every line end, and unfolded.
struct Field {
    raw: Vec<u8>,
    unfolded: Vec<u8>,
}

impl Field {
    fn name(&self) -> String {
        let name = self.unfolded.split(|byte| *byte == b':').next();
        let name = name.unwrap_or_default();
        String::from_utf8_lossy(&name[..name.len().min(MAX_NAME)]).into_owned()
    }
}

fn fields(header: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for line in header.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let continues = matches!(line[0], b' ' | b'\t');
        match fields.last_mut() {
            Some(field) if continues => {
                field.raw.push(b'\n');
                field.raw.extend_from_slice(line);
            }
            _ => fields.push(Field {
                raw: line.to_vec(),
                unfolded: Vec::new(),
            }),
        }
    }
    for field in &mut fields {
        let words = field.raw.split(u8::is_ascii_whitespace);
        let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
        let unfolded = words.join(&b' ');
        // Blanks behind the name do not matter either.
        let colon = unfolded.iter().position(|byte| *byte == b':');
        field.unfolded = match colon {
            Some(colon) => {
                let (name, value) = unfolded.split_at(colon + 1);
                [
                    name.to_ascii_lowercase().as_slice(),
                    value.trim_ascii_start(),
                ]
                .concat()
            }
            None => unfolded,
        };
    }
    fields
}

fn compare_headers(one: &[Field], other: &[Field], found: &mut Vec<Difference>) {
    // Those that are the same one after another: there may be very many.
    let mut left: HashMap<&[u8], VecDeque<usize>> = HashMap::new();
    for (at, field) in other.iter().enumerate() {
        left.entry(&field.unfolded).or_default().push_back(at);
    }
    let mut is_left = vec![true; other.len()];
    let mut gone = Vec::new();
    let mut refolded = false;
    for field in one {
        let same = left.get_mut(&field.unfolded[..]);
        match same.and_then(VecDeque::pop_front) {
            Some(at) => {
                is_left[at] = false;
                refolded |= other[at].raw != field.raw;
            }
            None => gone.push(field.name()),
        }
    }
    let left: Vec<&Field> = other
        .iter()
        .zip(is_left)
        .filter_map(|(field, is_left)| is_left.then_some(field))
        .collect();
    if !gone.is_empty() {
        gone.dedup();
        gone.truncate(MAX_NAMES);
        let text = format!("header fields changed or gone: {}", gone.join(", "));
        found.push(Difference::Content(text));
    }
    if !left.is_empty() {
        let mut names: Vec<String> = left.iter().map(|field| field.name()).collect();
        names.dedup();
        names.truncate(MAX_NAMES);
        found.push(Difference::HeaderAdded(names));
    }
    if refolded {
        found.push(Difference::HeaderRefolded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(one: &str, other: &str) -> Vec<Difference> {
        let print = |text: &str, size: usize| {
            let mut print = Fingerprint::default();
            text.as_bytes().chunks(size).for_each(|c| print.feed(c));
            print
        };
        let whole = print(one, 10_000).differences(print(other, 10_000));
        for size in [1, 2, 3] {
            let pieces = print(one, size).differences(print(other, 5));
            assert_eq!(pieces, whole, "pieces of {size} bytes of {one:?}");
        }
        whole
    }

    #[test]
    fn servers_habits_are_told_from_other_content() {
        use Difference::{Content, FinalLineEnd, HeaderAdded, HeaderRefolded, LineEnds};
        let mail = "Subject: a b\r\nTo: c\r\n\r\nbody\r\n\r\nmore\r\n";
        let cases = [
            (mail.to_owned(), vec![]),
            (mail.trim_end().to_owned(), vec![FinalLineEnd]),
            (format!("{mail}\r\n"), vec![FinalLineEnd]),
            (mail.replace("\r\n", "\n"), vec![LineEnds]),
            (
                format!("X-New: 1\r\n{mail}"),
                vec![HeaderAdded(vec!["x-new".to_owned()])],
            ),
            (mail.replace("a b", "a\r\n b"), vec![HeaderRefolded]),
            (mail.replace("Subject: ", "SUBJECT:"), vec![HeaderRefolded]),
            (
                mail.replace("more", "less"),
                vec![Content("the body differs".to_owned())],
            ),
            (
                mail.replace("a b", "a c"),
                vec![Content("header fields changed or gone: subject".to_owned())],
            ),
            (
                format!("X-New: 1\r\n{}\r\n", mail.replace("a b", "a\r\n b")),
                vec![
                    HeaderAdded(vec!["x-new".to_owned()]),
                    HeaderRefolded,
                    FinalLineEnd,
                ],
            ),
        ];
        for (other, expected) in cases {
            assert_eq!(differences(mail, &other), expected, "{other:?}");
        }
        // Dovecot writes 0x80 for a zero byte: told, but no other message.
        let zero = "A: b\r\n\r\none\0two\r\n\0\r\n";
        let without = zero.replace('\0', "");
        let moved = "A: b\r\n\r\non\0etwo\r\n\0\r\n";
        for other in [&without, moved] {
            let expected = vec![Content("the body differs".to_owned())];
            assert_eq!(differences(zero, other), expected, "{other:?}");
        }
        let gist = |bytes: &[u8]| {
            let mut print = Fingerprint::default();
            print.feed(bytes);
            print.gist()
        };
        let dovecots: Vec<u8> = zero
            .bytes()
            .map(|it| if it == 0 { 0x80 } else { it })
            .collect();
        for other in [without.as_bytes(), &dovecots] {
            assert!(gist(zero.as_bytes()).has_body_of(&gist(other)));
        }
        // Where there was none, 0x80 is a character as any other.
        assert!(!gist(without.as_bytes()).has_body_of(&gist(&dovecots)));
        assert!(!gist(&dovecots).has_body_of(&gist(without.as_bytes())));
        assert!(gist(&dovecots).has_body_of(&gist(&dovecots)));
        let mut mended = Fingerprint::default();
        mended.feed(without.as_bytes());
        mended.note_zeros();
        assert!(mended.gist().has_body_of(&gist(&dovecots)));
        assert_ne!(differences("A: b\r\n\r\na\rb", "A: b\r\n\r\nab"), []);
        assert_ne!(differences("", "A: b\r\n\r\n"), []);
    }
}
