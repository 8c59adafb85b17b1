//! The server's side of the wire: cuts commands out of the client's bytes, literals included. Answers nothing but `+`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use native_tls::TlsAcceptor;

use super::listener::Stream;

/// One command as the client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// Tag.
    pub tag: String,
    /// The command in capitals; `UID FETCH` and its kin as one.
    pub name: String,
    /// All bytes from the tag to the final line end, which is left out; literals are in place.
    pub raw: Vec<u8>,
}

/// A literal that a command announces, before any of it is read.
pub struct Announced<'a> {
    /// Number of the connection.
    connection: usize,
    /// The command up to the announcement, which ends it.
    pub so_far: &'a [u8],
    /// Bytes that are to come.
    pub length: usize,
    /// Does the client wait for `+`?
    pub synchronising: bool,
}

impl Announced<'_> {
    /// The command as far as it came.
    pub fn command(&self) -> Received {
        Received::parse(self.connection, self.so_far.to_vec())
    }
}

/// What becomes of an announced literal.
pub enum Verdict {
    /// Send this, then read the literal.
    Take(Vec<u8>),
    /// Send this; a client that waits for `+` takes it for the end of the command.
    Refuse(Vec<u8>),
    /// Send this, read so many bytes of the literal, and that is the end.
    Cut(Vec<u8>, usize),
}

impl Verdict {
    /// What a patient server does.
    pub fn patient(literal: &Announced) -> Self {
        let ask: &[u8] = if literal.synchronising {
            b"+ go on\r\n"
        } else {
            b""
        };
        Self::Take(ask.to_vec())
    }
}

impl Received {
    fn parse(connection: usize, raw: Vec<u8>) -> Self {
        let words = words(&raw);
        let word = |index: usize| -> String {
            words
                .get(index)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .unwrap_or_default()
        };
        let mut name = word(1).to_ascii_uppercase();
        if name == "UID" {
            name = format!("UID {}", word(2).to_ascii_uppercase());
        }
        Self {
            connection,
            tag: word(0),
            name,
            raw,
        }
    }

    /// The arguments: quotes and literals undone, a parenthesised list as one word.
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let before = 1 + self.name.split(' ').count();
        words(&self.raw).split_off(before.min(words(&self.raw).len()))
    }

    /// The command as text, for assertions and failure messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

/// One client's connection.
pub struct Wire {
    connection: usize,
    stream: Stream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Over this connection.
    pub fn new(connection: usize, stream: TcpStream) -> Self {
        Self {
            connection,
            stream: Stream::Plain(stream),
            buffer: Vec::new(),
        }
    }

    /// Sends at once.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next command; `None` when the client is gone. Synchronising literals are asked for.
    pub fn command(&mut self) -> io::Result<Option<Received>> {
        self.command_judging(Verdict::patient)
    }

    /// The next command that is not refused; `None` when the client is gone, or was cut off.
    pub fn command_judging(
        &mut self,
        mut judge: impl FnMut(&Announced) -> Verdict,
    ) -> io::Result<Option<Received>> {
        let mut raw = Vec::new();
        loop {
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            raw.extend_from_slice(&line);
            let Some((length, synchronising)) = literal(&line) else {
                return Ok(Some(Received::parse(self.connection, raw)));
            };
            let verdict = judge(&Announced {
                connection: self.connection,
                so_far: &raw,
                length,
                synchronising,
            });
            match verdict {
                Verdict::Take(words) => self.send(&words)?,
                Verdict::Refuse(words) => {
                    self.send(&words)?;
                    raw.clear();
                    continue;
                }
                Verdict::Cut(words, count) => {
                    self.send(&words)?;
                    self.fill_to(count.min(length))?;
                    return Ok(None);
                }
            }
            raw.extend_from_slice(b"\r\n");
            if !self.fill_to(length)? {
                return Ok(None);
            }
            raw.extend(self.buffer.drain(..length));
        }
    }

    /// The next line without its end, `None` when the client is gone.
    pub fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.buffer[seen..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=seen + end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            seen = self.buffer.len();
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Does a command begin within this time? False also when the client waits for us.
    pub fn more_within(&mut self, time: Duration) -> io::Result<bool> {
        if !self.buffer.is_empty() {
            return Ok(true);
        }
        self.timeout(Some(time))?;
        let more = self.fill();
        self.timeout(None)?;
        match more {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(false)
            }
            other => other,
        }
    }

    /// Reads and forgets until the client is gone. Did it go in good order, under TLS by `close_notify`?
    pub fn stall(&mut self) -> bool {
        loop {
            match self.fill() {
                Ok(true) => self.buffer.clear(),
                end => return end.is_ok(),
            }
        }
    }

    /// Ends the connection so that the client reads all that was sent, then its end: closing a socket
    /// while commands are unread would be a reset, which overtakes what was sent. Did the client go in good order?
    pub fn close(&mut self) -> bool {
        if let Some(socket) = self.stream.socket() {
            let _ = socket.shutdown(Shutdown::Write);
        }
        self.stall()
    }

    /// The handshake. What the client sent ahead of it in plain text is lost.
    pub fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        self.buffer.clear();
        self.stream.start_tls(acceptor)
    }

    fn timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match self.stream.socket() {
            Some(socket) => socket.set_read_timeout(time),
            None => Ok(()),
        }
    }

    /// Reads until so many bytes are here; false if the client ends before.
    fn fill_to(&mut self, length: usize) -> io::Result<bool> {
        while self.buffer.len() < length {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what is there; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

/// Length of the literal announced at the end of a line, and whether the client waits for `+` (RFC 7888).
fn literal(line: &[u8]) -> Option<(usize, bool)> {
    let start = line.iter().rposition(|b| *b == b'{')?;
    let inside = line[start + 1..].strip_suffix(b"}")?;
    let digits = inside.strip_suffix(b"+").unwrap_or(inside);
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((length, digits.len() == inside.len()))
}

/// Splits a command: quotes and literals undone, lists whole.
fn words(raw: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = raw;
    while let Some(first) = rest.first() {
        let (word, after) = match first {
            b' ' => {
                rest = &rest[1..];
                continue;
            }
            b'"' => quoted(rest),
            b'(' => list(rest),
            b'{' => counted(rest),
            _ => {
                let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
                (rest[..end].to_vec(), &rest[end..])
            }
        };
        words.push(word);
        rest = after;
    }
    words
}

/// A quoted string at the start of a text, and what follows it.
pub fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut word = Vec::new();
    let mut bytes = text.iter().enumerate().skip(1);
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return (word, &text[index + 1..]),
            b'\\' => word.extend(bytes.next().map(|(_, escaped)| *escaped)),
            _ => word.push(*byte),
        }
    }
    (word, &[])
}

/// A list at the start of a text, brackets included, and what follows it.
///
/// Brackets inside quotes do not count; literals do not occur in the lists that clients send.
pub fn list(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut depth, mut inside_quotes) = (0, false);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'"' => inside_quotes = !inside_quotes,
            b'(' if !inside_quotes => depth += 1,
            b')' if !inside_quotes => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (text[..=index].to_vec(), &text[index + 1..]);
        }
    }
    (text.to_vec(), &[])
}

/// A literal at the start of a text, and what follows it.
pub fn counted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let line = text.split(|b| *b == b'\r').next().unwrap_or(text);
    match literal(line) {
        Some((length, _)) if text.len() >= line.len() + 2 + length => {
            let start = line.len() + 2;
            (
                text[start..start + length].to_vec(),
                &text[start + length..],
            )
        }
        _ => (text.to_vec(), &[]),
    }
}

#[test]
fn commands_are_split_as_servers_do() {
    let raw = b"a7 uid fetch 1:3 (UID \"(\" BODY[HEADER.FIELDS (To)]) \"q \\\"\\\\\" {3+}\r\nx y {2}\r\n\"b".to_vec();
    let command = Received::parse(4, raw);
    assert_eq!(
        (command.tag.as_str(), command.name.as_str()),
        ("a7", "UID FETCH")
    );
    let expected: [&[u8]; 5] = [
        b"1:3",
        b"(UID \"(\" BODY[HEADER.FIELDS (To)])",
        b"q \"\\",
        b"x y",
        b"\"b",
    ];
    assert_eq!(command.arguments(), expected);
}
