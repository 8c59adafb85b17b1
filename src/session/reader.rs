//! Cuts the server's bytes into responses (lines with literals inside) before anyone interprets them.
//!
//! So an odd response costs only itself, never the session. Message bodies go to a sink while they
//! arrive; all else is small and bounded. It knows no meaning beyond where a response ends.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use super::error::{Ending, Kind, Result, SessionError};
use super::wire::Wire;
use crate::budget::Direction;
use crate::plural::counted;
use crate::redact::redacted;

/// Longest line without its literals, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// The same for the responses that list a whole mailbox.
const MAX_LISTING: usize = 64 * 1024 * 1024;
/// Largest literal that is taken at its word, in bytes.
const MAX_LITERAL: u64 = 2 * 1024 * 1024 * 1024;
/// Largest literal that is kept in memory, in bytes: names, and header fields.
const MAX_INLINE: u64 = 256 * 1024;
/// Most bytes of one response kept in memory, its inline literals included.
const MAX_RESPONSE: usize = 1024 * 1024;
/// Read size; several TLS records (16 KiB) or a good part of a socket buffer.
const BUFFER: usize = 256 * 1024;

/// What trickles in below this rate, in bytes a second, is given up: a response after [`PATIENCE`], a command after
/// [`COMMAND_PATIENCE`], both in time-outs.
const SLOWEST: u64 = 1024;
/// Of one response; the wire waits for its beginning.
const PATIENCE: u32 = 4;
/// Of one command. A server that is busy for long says so now and then ("* OK Still here").
const COMMAND_PATIENCE: u32 = 10;

/// What a message body is written to while it arrives.
pub trait BodySink {
    /// A body of `announced` bytes begins; an earlier one that was begun and not taken is void.
    ///
    /// # Errors
    /// Any failure of the sink; it ends the session with [`Kind::Local`].
    fn begin(&mut self, announced: u64) -> io::Result<()>;

    /// The next bytes of the body.
    ///
    /// # Errors
    /// As for [`BodySink::begin`].
    fn write(&mut self, chunk: &[u8]) -> io::Result<()>;
}

/// For commands that fetch no bodies.
pub struct NoBody;

impl BodySink for NoBody {
    fn begin(&mut self, _announced: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _chunk: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// One response as it came: a line, its literals in place, its end of line included.
#[derive(Debug, Default, Clone)]
pub struct Response {
    /// The bytes, without those of the literals that are named in `elsewhere`.
    pub bytes: Vec<u8>,
    /// Offsets, each just behind a literal's announcement, where the literal's bytes were left out.
    pub elsewhere: Vec<usize>,
    /// How many bodies went to the sink.
    pub bodies: usize,
    /// An empty line stood behind a body, and was left out.
    pub blank_behind_body: bool,
}

impl Response {
    /// The bytes without the end of line.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        let line = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The line for a log or an error: ASCII only, at most 200 characters. Secrets are taken out of it before it is cut
    /// and escaped, as they could not be found afterwards.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = String::from_utf8_lossy(self.line());
        let line = match redacted(&text) {
            Cow::Owned(hidden) => &hidden.into_bytes(),
            Cow::Borrowed(_) => self.line(),
        };
        let mut shown = line[..line.len().min(200)].escape_ascii().to_string();
        if line.len() > 200 {
            shown.push('…');
        }
        shown
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.elsewhere.clear();
        self.bodies = 0;
        self.blank_behind_body = false;
    }
}

/// Reads responses from a [`Wire`].
pub struct Reader {
    wire: Wire,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Of this response, the wait for its first bytes left out.
    response: Throughput,
    /// Since a command ended.
    command: Throughput,
}

/// How long bytes were waited for, and how many came.
#[derive(Default)]
struct Throughput {
    waited: Duration,
    received: u64,
}

impl Throughput {
    fn add(&mut self, waited: Duration, received: usize) {
        self.waited += waited;
        self.received += received as u64;
    }

    /// Is that slower than [`SLOWEST`], `patience` put aside?
    fn is_too_slow(&self, patience: Duration) -> bool {
        self.waited > patience + Duration::from_secs(self.received / SLOWEST)
    }
}

impl Reader {
    /// A reader at the beginning of the server's bytes.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            response: Throughput::default(),
            command: Throughput::default(),
        }
    }

    /// A command has ended: the next one has its own time.
    pub fn command_ended(&mut self) {
        self.command = Throughput::default();
    }

    /// The connection, to write to.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// True when something has come that is not yet used.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        self.start < self.end || self.wire.has_arrived()
    }

    /// Forgets what was read and not yet used: before a TLS handshake anybody may have sent it
    /// (RFC 9051 section 11.3, "STARTTLS" injection). Returns the number of bytes.
    pub fn discard_buffered(&mut self) -> usize {
        let discarded = self.end - self.start;
        (self.start, self.end) = (0, 0);
        discarded
    }

    /// Reads the next response into `response`; a body goes to `sink`.
    ///
    /// On an error `response` holds what had arrived of it.
    ///
    /// # Errors
    /// Those of [`Wire::read`]; [`Kind::Desync`] for a line or literal over the limits; [`Kind::Local`] from the sink.
    pub fn read_response(
        &mut self,
        response: &mut Response,
        sink: &mut dyn BodySink,
    ) -> Result<()> {
        response.clear();
        self.response = Throughput::default();
        self.response.add(Duration::ZERO, self.end - self.start);
        loop {
            let from = response.bytes.len();
            self.read_line(response)?;
            self.pass_over_blank(response, from)?;
            let Some(announcement) = literal_at_end(&response.bytes, from) else {
                return Ok(());
            };
            let size = announcement.size.filter(|size| *size <= MAX_LITERAL);
            let Some(size) = size else {
                let text = format!("a literal of more than 2 GiB: {}", response.shown());
                return Err(SessionError::new(Kind::Desync, text));
            };
            if announcement.is_body {
                response.elsewhere.push(response.bytes.len());
                response.bodies += 1;
                self.wire.one_message(Direction::Down)?;
                sink.begin(size).map_err(|error| local(&error))?;
                self.stream_literal(size, sink)?;
            } else if size <= MAX_INLINE && response.bytes.len() < limit(&response.bytes) {
                self.read_literal(size, &mut response.bytes)?;
            } else {
                response.elsewhere.push(response.bytes.len());
                self.stream_literal(size, &mut NoBody)?;
            }
        }
    }

    /// Throws away what comes before the line that begins so, and that line. A body may hold any line except one that
    /// its writer could not guess.
    ///
    /// # Errors
    /// Those of reading; [`Kind::Desync`] where such a line does not come in time.
    pub fn skip_line(&mut self, beginning: &[u8]) -> Result<()> {
        self.response = Throughput::default();
        let until = Instant::now() + self.wire.timeout() * COMMAND_PATIENCE;
        let mut matched = Some(0);
        loop {
            if self.start == self.end {
                self.fill()?;
            }
            let byte = self.buffer[self.start];
            self.start += 1;
            if byte == b'\n' {
                if matched == Some(beginning.len()) {
                    return Ok(());
                }
                matched = Some(0);
                if Instant::now() > until {
                    let text = "the server does not stop talking";
                    return Err(SessionError::new(Kind::Desync, text));
                }
            } else if let Some(count) = matched.filter(|count| *count < beginning.len()) {
                matched = (byte == beginning[count]).then_some(count + 1);
            }
        }
    }

    fn read_line(&mut self, response: &mut Response) -> Result<()> {
        let from = response.bytes.len();
        loop {
            let unread = &self.buffer[self.start..self.end];
            let newline = unread.iter().position(|byte| *byte == b'\n');
            let take = newline.map_or(unread.len(), |at| at + 1);
            response.bytes.extend_from_slice(&unread[..take]);
            self.start += take;
            let length = response.bytes.len();
            if length > limit(&response.bytes) || from > 0 && length - from > MAX_LISTING {
                let text = format!("a line without end: {}", response.shown());
                return Err(SessionError::new(Kind::Desync, text).by(Ending::Misread));
            }
            if newline.is_some() {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Some servers put an empty line behind a body, before the parenthesis that closes the list.
    fn pass_over_blank(&mut self, response: &mut Response, from: usize) -> Result<()> {
        if response.bodies == 0 || !response.bytes[from..].trim_ascii().is_empty() {
            return Ok(());
        }
        if self.start == self.end {
            self.fill()?;
        }
        if matches!(self.buffer[self.start], b')' | b' ') {
            response.bytes.truncate(from);
            response.blank_behind_body = true;
            self.read_line(response)?;
        }
        Ok(())
    }

    fn read_literal(&mut self, size: u64, into: &mut Vec<u8>) -> Result<()> {
        self.each_chunk(size, |chunk| {
            into.extend_from_slice(chunk);
            Ok(())
        })
    }

    fn stream_literal(&mut self, size: u64, sink: &mut dyn BodySink) -> Result<()> {
        self.each_chunk(size, |chunk| {
            sink.write(chunk).map_err(|error| local(&error))
        })
    }

    fn each_chunk(&mut self, size: u64, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = size;
        while left > 0 {
            if self.start == self.end {
                self.fill()?;
            }
            let there = self.end - self.start;
            let count = usize::try_from(left).map_or(there, |left| left.min(there));
            take(&self.buffer[self.start..self.start + count])?;
            self.start += count;
            left -= count as u64;
        }
        Ok(())
    }

    /// Reads more; everything read before has been used.
    fn fill(&mut self) -> Result<()> {
        (self.start, self.end) = (0, 0);
        let (is_first, began) = (self.response.received == 0, Instant::now());
        self.end = self.wire.read(&mut self.buffer)?;
        let waited = began.elapsed();
        self.command.add(waited, self.end);
        let waited = if is_first { Duration::ZERO } else { waited };
        self.response.add(waited, self.end);
        let timeout = self.wire.timeout();
        let (pace, doing) = if self.response.is_too_slow(PATIENCE * timeout) {
            (&self.response, "sends")
        } else if self.command.is_too_slow(COMMAND_PATIENCE * timeout) {
            (&self.command, "ends no command and sends")
        } else {
            return Ok(());
        };
        let text = format!(
            "the server {doing} less than {SLOWEST} bytes a second: {} in {} s",
            counted(pace.received, "byte"),
            pace.waited.as_secs()
        );
        Err(SessionError::new(Kind::Transient, text))
    }
}

fn local(error: &io::Error) -> SessionError {
    SessionError::new(Kind::Local, error.to_string())
}

/// How many bytes of this response may be held.
fn limit(bytes: &[u8]) -> usize {
    const LISTINGS: [&[u8]; 3] = [b"* SEARCH", b"* ESEARCH", b"* VANISHED"];
    // These name one thing each, with attributes; parsed, a line takes many times its size.
    const RICH: [&[u8]; 6] = [
        b"* LIST ",
        b"* LSUB ",
        b"* CAPABILITY",
        b"* STATUS ",
        b"* FLAGS ",
        b"* OK [PERMANENTFLAGS ",
    ];
    let is_listing = |start: &&[u8]| {
        bytes
            .get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    if LISTINGS.iter().any(is_listing) {
        MAX_LISTING
    } else if RICH.iter().any(is_listing) || bytes.contains(&b'\n') {
        MAX_RESPONSE
    } else {
        MAX_LINE
    }
}

struct Announcement {
    /// `None` for a number that does not fit.
    size: Option<u64>,
    is_body: bool,
}

/// The literal that the last line of `bytes` (it begins at `from`) announces: `{n}`, `{n+}` or `~{n}`.
///
/// Only data may hold one; a status text that happens to end so is a text (RFC 3501 section 9, `resp-text`).
fn literal_at_end(bytes: &[u8], from: usize) -> Option<Announcement> {
    let line = &bytes[from..];
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let digits = inner
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let before = inner[..inner.len() - digits].strip_suffix(b"{")?;
    if digits == 0 || !holds_data(bytes) {
        return None;
    }
    let number = std::str::from_utf8(&inner[inner.len() - digits..]).ok()?;
    let before = before.strip_suffix(b"~").unwrap_or(before);
    Some(Announcement {
        size: number.parse().ok(),
        is_body: is_fetch(bytes) && ends_with_body_name(before),
    })
}

/// An untagged response that is not a status response.
fn holds_data(bytes: &[u8]) -> bool {
    const TEXTS: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    let Some(rest) = bytes.strip_prefix(b"* ") else {
        return false;
    };
    let word = rest.split(u8::is_ascii_whitespace).next();
    word.is_some_and(|word| !TEXTS.iter().any(|text| word.eq_ignore_ascii_case(text)))
}

/// `* n FETCH` or `* n UIDFETCH` (RFC 9586).
fn is_fetch(bytes: &[u8]) -> bool {
    let mut words = bytes[..bytes.len().min(64)]
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .skip(2);
    words.next().is_some_and(|word| {
        word.eq_ignore_ascii_case(b"FETCH") || word.eq_ignore_ascii_case(b"UIDFETCH")
    })
}

/// The attribute that holds a whole message: `BODY[]`, `BODY[]<0>`, `BINARY[]` or `RFC822`.
fn ends_with_body_name(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let name_at = before
        .iter()
        .rposition(|b| *b == b' ' || *b == b'(')
        .map_or(0, |at| at + 1);
    is_body_name(&before[name_at..])
}

/// True for the name of an attribute that holds a whole message.
#[must_use]
pub fn is_body_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"<0>").unwrap_or(name);
    [b"BODY[]".as_slice(), b"RFC822", b"BINARY[]", b"BODY.PEEK[]"]
        .iter()
        .any(|body| name.eq_ignore_ascii_case(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_also_across_the_end_and_in_letters_that_are_escaped() {
        let secret = "öpen sesame of the reader";
        crate::redact::keep(secret);
        let response = Response {
            bytes: format!("* OK {secret} {}{secret}\r\n", "x".repeat(150)).into_bytes(),
            ..Response::default()
        };
        let shown = response.shown();
        crate::redact::forget(secret);
        assert!(!shown.contains("pen"), "{shown}");
        let odd = Response {
            bytes: b"* OK \xe4\r\n".to_vec(),
            ..Response::default()
        };
        assert_eq!(
            odd.shown(),
            "* OK \\xe4",
            "what is no secret stays as it is"
        );
    }

    fn announced(line: &str) -> Option<(Option<u64>, bool)> {
        literal_at_end(line.as_bytes(), 0).map(|found| (found.size, found.is_body))
    }

    #[test]
    fn only_data_announces_literals() {
        let cases = [
            ("* 1 FETCH (UID 5 BODY[] {10}\r\n", Some((Some(10), true))),
            ("* 1 fetch (body[] ~{10}\r\n", Some((Some(10), true))),
            ("* 1 FETCH (RFC822 {0}\r\n", Some((Some(0), true))),
            ("* 1 FETCH (BODY[]<0> {3}\n", Some((Some(3), true))),
            ("* 1 FETCH (X-NAME {3}\r\n", Some((Some(3), false))),
            ("* LIST () \"/\" {4}\r\n", Some((Some(4), false))),
            ("* LIST () \"/\" {4+}\r\n", Some((Some(4), false))),
            (
                "* 1 FETCH (BODY[] {99999999999999999999}\r\n",
                Some((None, true)),
            ),
            ("* OK look at this {10}\r\n", None),
            ("a1 NO bad literal {10}\r\n", None),
            ("* LIST () \"/\" \"x{4}\"\r\n", None),
            ("* 1 FETCH (BODY[] {}\r\n", None),
        ];
        for (line, expected) in cases {
            assert_eq!(announced(line), expected, "{line}");
        }
    }
}
