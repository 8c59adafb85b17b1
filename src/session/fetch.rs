//! Streaming UID FETCH: puts the parts of a message together, whatever order and responses they come in.
//!
//! Bodies are in the sink already; this decides when a message is whole, and whose body it was.

use std::collections::HashMap;
use std::fmt::Display;

use super::command::Command;
use super::error::{Kind, Result, SessionError};
use super::reader::{BodySink, Response};
use super::response::{self, Body, FetchData};
use crate::message::IDENTITY_FIELDS;

/// Messages that may be half known at a time; parts beyond that are forgotten and asked for again.
const MAX_PARTIAL: usize = 4096;

/// A message whose body lies whole in the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// UID.
    pub uid: u32,
    /// Flags and keywords, blank-separated, without `\Recent`, which is the session's and not the message's.
    pub flags: String,
    /// INTERNALDATE as sent; `None` where the server has none.
    pub internaldate: Option<String>,
    /// RFC822.SIZE as announced, in bytes. Servers lie; for planning and doubts only.
    pub announced: Option<u64>,
    /// Length of the body in the sink, in bytes.
    pub length: u64,
}

impl Message {
    /// RFC822.SIZE, where the body is shorter than rounding or other line ends can explain.
    #[must_use]
    pub fn cut_from(&self) -> Option<u64> {
        let announced = self.announced?;
        let missing = announced.checked_sub(self.length)?;
        let is_large = missing >= 1024 && missing >= announced / 10;
        let is_rounded = announced % 1000 == 0 || announced % 1024 == 0;
        let is_most = missing >= 32 && missing >= announced / 2 && !is_rounded;
        (is_large || is_most).then_some(announced)
    }
}

/// What one response brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing that ends a message.
    Nothing,
    /// The message whose body is in the sink.
    Whole(Message),
    /// The server cannot give this message; why.
    Unfetchable(Option<u32>, String),
    /// A response that makes no sense; why. If it held a body, what follows cannot be trusted either.
    Malformed(&'static str),
}

/// The command for whole messages of a UID set.
#[must_use]
pub fn messages(set: impl Display) -> Command {
    fetch(set, "UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]")
}

/// The command for the inventory of a mailbox: what is there, without bodies.
#[must_use]
pub fn inventory(set: impl Display) -> Command {
    fetch(set, "UID FLAGS INTERNALDATE RFC822.SIZE")
}

/// The inventory of a mailbox that is new here: what is to come, and how much that is.
#[must_use]
pub fn sizes(set: impl Display) -> Command {
    fetch(set, "UID RFC822.SIZE")
}

/// What an audit compares beside the bytes.
#[must_use]
pub fn beside(set: impl Display) -> Command {
    fetch(set, "UID FLAGS INTERNALDATE")
}

/// The flags; and the cheapest inventory, where only the UIDs matter: Dovecot answers it from its index alone.
#[must_use]
pub fn flags(set: impl Display) -> Command {
    fetch(set, "UID FLAGS")
}

/// Sizes and dates of messages, and their flags where those are wanted.
#[must_use]
pub fn described(set: impl Display, with_flags: bool) -> Command {
    fetch(set, described_by(with_flags))
}

/// The same with the fields that tell one message from another.
#[must_use]
pub fn identified(set: impl Display, with_flags: bool) -> Command {
    let items = described_by(with_flags);
    let fields = format!("BODY.PEEK[HEADER.FIELDS ({IDENTITY_FIELDS})]");
    fetch(set, &format!("{items} {fields}"))
}

/// Who a message is from and what it is about.
#[must_use]
pub fn envelope(uid: u32) -> Command {
    fetch(uid, "UID BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]")
}

/// The UIDs of all messages, from another index than FETCH uses.
#[must_use]
pub fn search_all() -> Command {
    Command::new("UID SEARCH ALL")
}

fn described_by(with_flags: bool) -> &'static str {
    if with_flags {
        "UID FLAGS RFC822.SIZE INTERNALDATE"
    } else {
        "UID RFC822.SIZE INTERNALDATE"
    }
}

fn fetch(set: impl Display, items: &str) -> Command {
    Command::new(format!("UID FETCH {set} ({items})"))
}

#[derive(Default)]
struct Partial {
    data: FetchData,
    length: Option<u64>,
}

/// Collects FETCH responses of one mailbox.
#[derive(Default)]
pub struct Assembler {
    partials: HashMap<u64, Partial>,
    /// The message whose body the sink holds.
    held: Option<u64>,
}

impl Assembler {
    /// Takes a response whose literal body went to `sink`; a quoted one goes there now.
    ///
    /// # Errors
    /// [`Kind::Local`]: the sink's.
    pub fn take(&mut self, response: &Response, sink: &mut dyn BodySink) -> Result<Fetched> {
        if response.bodies > 0 {
            self.release();
        }
        Ok(match response::parse_fetch(response) {
            Some(Ok(data)) if response.blank_behind_body && !is_as_announced(&data) => {
                Fetched::Malformed("an empty line follows a body of another size than announced")
            }
            Some(Ok(data)) => {
                if let Body::Quoted(bytes) = &data.body {
                    pour(bytes, sink)?;
                }
                self.merge(data)
            }
            Some(Err(reason)) => Fetched::Malformed(reason),
            None if response.bodies > 0 => Fetched::Malformed("a body outside a FETCH response"),
            None => {
                // Sequence numbers have shifted: what is half known can no longer be told apart.
                if response::parse_expunge(response).is_some() {
                    self.clear();
                }
                Fetched::Nothing
            }
        })
    }

    /// Forgets what is half known, at the end of a command.
    pub fn clear(&mut self) {
        self.partials.clear();
        self.held = None;
    }

    /// The message that was asked for alone, if its body came but not all of its attributes.
    pub fn lone(&mut self, uid: u32) -> Option<Message> {
        let key = self.held.take()?;
        let partial = self.partials.remove(&key)?;
        let fits = partial.data.uid.is_none_or(|given| given == uid);
        self.clear();
        fits.then(|| partial.into_message(uid)).flatten()
    }

    fn release(&mut self) {
        if let Some(old) = self.held.take()
            && let Some(partial) = self.partials.get_mut(&old)
        {
            partial.length = None;
        }
    }

    fn merge(&mut self, data: FetchData) -> Fetched {
        if self.partials.len() >= MAX_PARTIAL {
            self.clear();
        }
        let key = match (data.sequence, data.uid) {
            (0, Some(uid)) => u64::from(uid) | 1 << 63,
            (sequence, _) => sequence,
        };
        let body = data.body.clone();
        if matches!(body, Body::Streamed(_) | Body::Quoted(_)) {
            self.release();
            self.held = Some(key);
        }
        let partial = self.partials.entry(key).or_default();
        partial.data.uid = data.uid.or(partial.data.uid);
        partial.data.flags = data.flags.or(partial.data.flags.take());
        partial.data.internaldate = data.internaldate.or(partial.data.internaldate.take());
        partial.data.size = data.size.or(partial.data.size);
        match body {
            Body::Absent => {}
            Body::Nil => {
                let uid = partial.data.uid;
                return Fetched::Unfetchable(uid, "BODY[] NIL".to_owned());
            }
            Body::Streamed(length) => partial.length = Some(length),
            Body::Quoted(bytes) => partial.length = Some(bytes.len() as u64),
        }
        self.whole(key)
    }

    fn whole(&mut self, key: u64) -> Fetched {
        let Some(partial) = self.partials.get(&key) else {
            return Fetched::Nothing;
        };
        let (Some(uid), Some(length)) = (partial.data.uid, partial.length) else {
            return Fetched::Nothing;
        };
        if length == 0
            && let Some(announced) = partial.data.size.filter(|size| *size > 0)
        {
            let reason = format!("RFC822.SIZE is {announced}, but the body is empty");
            return Fetched::Unfetchable(Some(uid), reason);
        }
        if partial.data.flags.is_none() || partial.data.internaldate.is_none() {
            return Fetched::Nothing;
        }
        self.held = None;
        let message = self
            .partials
            .remove(&key)
            .and_then(|partial| partial.into_message(uid));
        message.map_or(Fetched::Nothing, Fetched::Whole)
    }
}

impl Partial {
    fn into_message(self, uid: u32) -> Option<Message> {
        let length = self.length?;
        if length == 0 && self.data.size.is_some_and(|size| size > 0) {
            return None;
        }
        Some(Message {
            uid,
            flags: self.data.flags.map(join_flags).unwrap_or_default(),
            internaldate: self.data.internaldate.flatten(),
            announced: self.data.size,
            length,
        })
    }
}

/// Does RFC822.SIZE also say that the body ends where it ended?
fn is_as_announced(data: &FetchData) -> bool {
    matches!(data.body, Body::Streamed(length) if data.size == Some(length))
}

fn pour(bytes: &[u8], sink: &mut dyn BodySink) -> Result<()> {
    sink.begin(bytes.len() as u64)
        .and_then(|()| sink.write(bytes))
        .map_err(|error| SessionError::new(Kind::Local, error.to_string()))
}

/// Flags as the sidecar holds them: blank-separated, as sent, without `\Recent`.
#[must_use]
pub fn join_flags(flags: Vec<String>) -> String {
    let mut flags = flags;
    flags.retain(|flag| !flag.eq_ignore_ascii_case("\\Recent"));
    flags.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::reader::NoBody;
    use super::*;

    fn untagged(line: &str) -> Response {
        let mut response = Response {
            bytes: format!("{line}\r\n").into_bytes(),
            ..Response::default()
        };
        if let Some(at) = line.find("BODY[] {") {
            let end = line[at..].find('\n').map_or(line.len(), |end| at + end + 1);
            response.elsewhere.push(end);
            response.bodies = 1;
        }
        response
    }

    fn take(assembler: &mut Assembler, line: &str) -> Fetched {
        let taken = assembler.take(&untagged(line), &mut NoBody);
        taken.expect("a sink that takes all")
    }

    fn uid_of(brought: &Fetched) -> Option<u32> {
        match brought {
            Fetched::Whole(message) => Some(message.uid),
            _ => None,
        }
    }

    const DATE: &str = "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"";

    #[test]
    fn attributes_come_in_any_order_and_case() {
        let mut assembler = Assembler::default();
        for line in [
            format!(
                "* 1 FETCH (UID 7 FLAGS (\\Seen \\Recent) {DATE} RFC822.SIZE 3 BODY[] {{3}}\r\n)"
            ),
            format!("* 1 FETCH (BODY[] {{3}}\r\n rfc822.size 3 {DATE} flags (\\Seen) uid 7)"),
            format!("* 1  FETCH ( UID 7 FLAGS  (\\Seen)  {DATE} EMAILID (x) BODY[] {{3}}\r\n )"),
            format!(
                "* 1 FETCH (UID 7 X (\"UID 9\" {{1}}\r\n) ) FLAGS (\\Seen) {DATE} BODY[] \"abc\")"
            ),
        ] {
            let brought = take(&mut assembler, &line);
            let Fetched::Whole(message) = brought else {
                panic!("{line}: {brought:?}");
            };
            assert_eq!(
                (message.uid, message.flags.as_str()),
                (7, "\\Seen"),
                "{line}"
            );
            assert_eq!(message.length, 3, "{line}");
        }
    }

    #[test]
    fn a_message_may_be_split_over_responses() {
        let mut assembler = Assembler::default();
        let parts = [
            "* 1 FETCH (FLAGS (\\Seen))".to_owned(),
            "* 1 FETCH (BODY[] {3}\r\n)".to_owned(),
            "* 2 FETCH (FLAGS ())".to_owned(),
            format!("* 1 FETCH (UID 7 {DATE})"),
        ];
        let uids: Vec<_> = parts
            .iter()
            .map(|part| uid_of(&take(&mut assembler, part)))
            .collect();
        assert_eq!(uids, [None, None, None, Some(7)]);
    }

    #[test]
    fn a_body_that_was_overwritten_is_not_committed() {
        let mut assembler = Assembler::default();
        take(&mut assembler, "* 1 FETCH (UID 7 BODY[] {3}\r\n)");
        take(&mut assembler, "* 2 FETCH (UID 8 BODY[] {3}\r\n)");
        let late = take(&mut assembler, &format!("* 1 FETCH (FLAGS () {DATE})"));
        assert_eq!(late, Fetched::Nothing);
        let second = take(&mut assembler, &format!("* 2 FETCH (FLAGS () {DATE})"));
        assert_eq!(uid_of(&second), Some(8));
    }

    #[test]
    fn an_expunge_makes_half_known_messages_unknown() {
        let mut assembler = Assembler::default();
        take(&mut assembler, "* 2 FETCH (UID 7 BODY[] {3}\r\n)");
        take(&mut assembler, "* 1 EXPUNGE");
        let late = take(&mut assembler, &format!("* 2 FETCH (FLAGS () {DATE})"));
        assert_eq!(late, Fetched::Nothing);
    }

    #[test]
    fn what_the_server_cannot_give_is_no_empty_message() {
        let mut assembler = Assembler::default();
        let nil = take(
            &mut assembler,
            &format!("* 1 FETCH (UID 7 FLAGS () {DATE} BODY[] NIL)"),
        );
        assert_eq!(nil, Fetched::Unfetchable(Some(7), "BODY[] NIL".to_owned()));
        let empty = format!("* 1 FETCH (UID 7 FLAGS () {DATE} RFC822.SIZE 9 BODY[] {{0}}\r\n)");
        assert!(matches!(
            take(&mut assembler, &empty),
            Fetched::Unfetchable(Some(7), _)
        ));
        let truly_empty = format!("* 1 FETCH (UID 7 FLAGS () {DATE} RFC822.SIZE 0 BODY[] \"\")");
        assert_eq!(uid_of(&take(&mut assembler, &truly_empty)), Some(7));
    }

    #[test]
    fn odd_responses_are_malformed_and_nothing_else() {
        for line in [
            "* 1 FETCH (UID 0 FLAGS ())",
            "* 1 FETCH (UID 4294967296)",
            "* 1 FETCH UID 7",
            "* 1 FETCH (UID 7 BODY[] {3}\r\nabc)",
            "* 1 FETCH (UID 7 BODY[] {3}\r\n) more",
            "* 1 FETCH (UID 7 BODY[] \"a\" BODY[] \"b\")",
            "* 1 FETCH (FLAGS (\\Seen)",
        ] {
            let brought = take(&mut Assembler::default(), line);
            assert!(
                matches!(brought, Fetched::Malformed(_)),
                "{line}: {brought:?}"
            );
        }
    }

    #[test]
    fn odd_dates_and_sizes_are_taken_as_they_are() {
        let cases = [
            ("INTERNALDATE NIL", None),
            (
                "INTERNALDATE \" 7-Jul-1996 02:44:25 GMT\"",
                Some(" 7-Jul-1996 02:44:25 GMT"),
            ),
            (
                "INTERNALDATE 7-Jul-1996 02:44:25 -0700",
                Some("7-Jul-1996 02:44:25 -0700"),
            ),
        ];
        for (attribute, expected) in cases {
            let line =
                format!("* 1 FETCH (UID 7 {attribute} RFC822.SIZE -1 FLAGS () BODY[] {{3}}\r\n)");
            let Fetched::Whole(message) = take(&mut Assembler::default(), &line) else {
                panic!("{line}");
            };
            assert_eq!(message.internaldate.as_deref(), expected, "{line}");
            assert_eq!(message.announced, None);
        }
    }
}
