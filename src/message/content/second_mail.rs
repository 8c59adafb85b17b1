//! Finds the header of another mail in a body, and tells it from a header that somebody quotes.
//!
//! People who quote a header say so: a line of dashes, "Forwarded message", a colon. Forwards by hand name From, To,
//! Subject and Date only; Message-ID, Received and MIME fields are written by machines.

use super::header::field;

/// Fields that people quote too.
const BY_PEOPLE: [&[u8]; 4] = [b"from", b"to", b"subject", b"date"];
/// Fields that hardly anybody quotes.
const BY_MACHINES: [&[u8]; 4] = [b"message-id", b"mime-version", b"content-type", b"received"];
const ALL_BY_PEOPLE: u8 = 0b0000_1111;
const MESSAGE_ID: u8 = 0b0001_0000;
const MIME: u8 = 0b0110_0000;
const RECEIVED: u8 = 0b1000_0000;

/// Watches the lines of a body.
#[derive(Default)]
pub struct SecondMail {
    /// Behind the end of a multipart, where nothing needs to stand before it.
    behind_parts: bool,
    /// Something stood before.
    content: bool,
    /// The last line with something in it, which may announce a quotation.
    last: Vec<u8>,
    /// The last line was empty.
    after_blank: bool,
    block: Option<HeaderBlock>,
    found: Option<u64>,
}

/// What a line says of those behind it.
enum Announced {
    Nothing,
    /// It talks about mail: people who quote a header under it leave an empty line.
    Perhaps,
    Quotation,
}

/// Lines in a row that have the form of header fields.
struct HeaderBlock {
    first: u64,
    /// One bit for each of `BY_PEOPLE`, then of `BY_MACHINES`.
    fields: u8,
    /// How many of them make a mail: fewer behind an mbox separator.
    enough: u32,
    announced: bool,
    content: bool,
    real_date: bool,
}

impl SecondMail {
    /// A body begins, or what stands outside of the parts. What was suspected in a part is forgotten: a boundary ends
    /// it.
    pub fn begin(&mut self, outside_parts: bool) {
        if self.behind_parts {
            self.settle();
        } else {
            self.found = None;
        }
        self.last.clear();
        *self = Self {
            behind_parts: outside_parts,
            found: self.found,
            last: std::mem::take(&mut self.last),
            ..Self::default()
        };
    }

    /// The body ends.
    pub fn end(&mut self) {
        self.settle();
    }

    /// Number of the first line of another mail's header.
    pub fn found(&self) -> Option<u64> {
        self.found
    }

    /// Takes the next line.
    pub fn line(&mut self, number: u64, line: &[u8]) {
        let after_blank = std::mem::replace(&mut self.after_blank, line.is_empty());
        if line.is_empty() {
            self.settle();
            return;
        }
        if let Some(block) = &mut self.block {
            if matches!(line[0], b' ' | b'\t') {
                return;
            }
            if let Some((name, value)) = field(line) {
                block.add(name, value);
                return;
            }
            self.block = None;
        }
        let mbox = is_mbox_line(line);
        let starts = mbox || field(line).is_some_and(|(_, value)| !value.trim_ascii().is_empty());
        if starts {
            let mut block = HeaderBlock {
                first: number,
                fields: 0,
                enough: if mbox { 2 } else { 3 },
                announced: match Announced::by(&self.last) {
                    Announced::Nothing => false,
                    Announced::Perhaps => after_blank,
                    Announced::Quotation => true,
                },
                content: self.content,
                real_date: false,
            };
            if let Some((name, value)) = field(line) {
                block.add(name, value);
            }
            self.block = Some(block);
        }
        self.content = true;
        self.last.clear();
        self.last.extend_from_slice(line);
    }

    /// A block of fields ends with an empty line, or with the body.
    fn settle(&mut self) {
        let Some(block) = self.block.take() else {
            return;
        };
        if self.found.is_none() && block.is_mail() && (block.content || self.behind_parts) {
            self.found = Some(block.first);
        }
    }
}

impl HeaderBlock {
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let all = BY_PEOPLE.iter().chain(&BY_MACHINES);
        if let Some(at) = all
            .enumerate()
            .find_map(|(at, known)| name.eq_ignore_ascii_case(known).then_some(at))
        {
            self.fields |= 1 << at;
            self.real_date |= at == 3 && is_real_date(value);
        }
    }

    fn is_mail(&self) -> bool {
        let count = self.fields.count_ones();
        let by_machine =
            self.fields & (MESSAGE_ID | RECEIVED) != 0 || self.fields & MIME != 0 && self.real_date;
        // Forms that people fill in have a sender, a date and a subject, but hardly ever a recipient.
        let by_hand = self.fields & ALL_BY_PEOPLE == ALL_BY_PEOPLE && self.real_date;
        let behind_mbox_line = self.enough < 3;
        !self.announced && count >= self.enough && (by_machine || by_hand || behind_mbox_line)
    }
}

/// A date as RFC 5322 section 3.3 writes it, with its zone.
fn is_real_date(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let clocks = value.contains(&b':');
    let zone = value
        .rsplit(|byte| *byte == b' ')
        .find(|word| !word.starts_with(b"("))
        .unwrap_or_default();
    let numeric = zone.len() == 5
        && matches!(zone[0], b'+' | b'-')
        && zone[1..].iter().all(u8::is_ascii_digit);
    clocks && (numeric || matches!(zone, b"GMT" | b"UT" | b"UTC" | b"Z"))
}

/// `From anna@example.org Mon Jan  1 …`: begins a mail in an mbox. Git's, with a commit in place of the address, begins
/// a patch.
fn is_mbox_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let mut words = rest
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let sender = words.next().unwrap_or_default();
    let day = words.next().unwrap_or_default();
    let days: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let is_commit = sender.len() >= 40 && sender.iter().all(u8::is_ascii_hexdigit);
    !is_commit && days.contains(&day)
}

/// What people and programs write before a header that they quote.
const QUOTING: [&[u8]; 20] = [
    b"original message",
    b"original-nachricht",
    b"nachricht",
    b"forwarded",
    b"weitergeleitet",
    b"message d'origine",
    b"header",
    b"kopfzeile",
    b"copy of",
    b"kopie",
    b"below",
    b"above",
    b"returned",
    b"bounce",
    b"quoted",
    b"mensaje",
    b"unmodified",
    b"354 ",
    b"http/1",
    b"sip/2",
];
/// What people write when they ask about a mail.
const TALKING: [&[u8]; 9] = [
    b"mail", b"message", b"spam", b"phish", b"virus", b"follow", b"here", b"see ", b"look",
];

impl Announced {
    fn by(line: &[u8]) -> Self {
        let line = line.trim_ascii();
        let (Some(first), Some(last)) = (line.first(), line.last()) else {
            return Self::Nothing;
        };
        // The end of a signature or of a page is the end of a mail.
        let lower = line.to_ascii_lowercase();
        if line.starts_with(b"-----END ")
            || line.starts_with(b"</")
            || lower.ends_with(b"</html>")
            || lower.ends_with(b"</body>")
        {
            return Self::Nothing;
        }
        let ruled =
            |run: &[u8]| b"-=_*#~<>|`".contains(&run[0]) && run.iter().all(|byte| *byte == run[0]);
        let has_rule = line.len() >= 3 && (ruled(&line[..3]) || ruled(&line[line.len() - 3..]))
            || line.windows(4).any(ruled);
        let has = |words: &[&[u8]]| words.iter().any(|word| super::contains(&lower, word));
        let quotes = matches!(last, b':' | b'>' | b'{')
            || matches!((first, last), (b'[', b']') | (b'(', b')'))
            || has_rule
            || line == b"DATA"
            || line.starts_with(b"From ")
            || line.starts_with(b"diff ")
            || has(&QUOTING);
        if quotes {
            Self::Quotation
        } else if has(&TALKING) {
            Self::Perhaps
        } else {
            Self::Nothing
        }
    }
}
