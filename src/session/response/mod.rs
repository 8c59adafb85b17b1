//! The server's responses as our types: status lines, LIST, STATUS, EXAMINE data, FETCH attributes.
//!
//! Byte-oriented and lenient: attributes in any order and case, unknown ones skipped. What cannot be
//! understood is an error of that one response. Knows no connection.

mod fetch;
mod scanner;

use super::reader::Response;
use crate::mailbox::{Listed, Name};
pub use fetch::{Body, FetchData, parse_fetch, uid_hint};
use scanner::{Parsed, Scanner, Value};

/// OK, NO, BAD, or the untagged-only BYE and PREAUTH (RFC 3501 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The command succeeded, or information.
    Ok,
    /// The command failed.
    No,
    /// The command was not understood.
    Bad,
    /// The server closes the connection.
    Bye,
    /// The connection is logged in already.
    Preauth,
}

/// A status response: its condition, response code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusResponse {
    /// OK, NO, BAD, BYE or PREAUTH.
    pub condition: Condition,
    /// What stands in the brackets, without them.
    pub code: Option<String>,
    /// The text for people; 8-bit bytes that are not UTF-8 are replaced.
    pub text: String,
}

impl StatusResponse {
    /// Code and text as the server said them, for errors and reports.
    #[must_use]
    pub fn said(&self) -> String {
        let condition = match self.condition {
            Condition::Ok => "OK",
            Condition::No => "NO",
            Condition::Bad => "BAD",
            Condition::Bye => "BYE",
            Condition::Preauth => "PREAUTH",
        };
        let text = self.text.chars().filter(|c| !c.is_control());
        let text: String = text.take(500).collect();
        match &self.code {
            Some(code) => format!("{condition} [{code}] {text}"),
            None => format!("{condition} {text}"),
        }
    }

    /// The argument of the response code `name`, for example of `UIDNEXT 12`.
    #[must_use]
    pub fn code_argument(&self, name: &str) -> Option<&str> {
        let code = self.code.as_deref()?;
        let (head, rest) = code.split_once(' ').unwrap_or((code, ""));
        head.eq_ignore_ascii_case(name).then(|| rest.trim())
    }

    /// Most messages that the server takes in one command, where this one named more, and the UID at which it stopped
    /// (RFC 9738).
    #[must_use]
    pub fn message_limit(&self) -> Option<(u32, Option<u32>)> {
        let mut words = self.code_argument("MESSAGELIMIT")?.split_ascii_whitespace();
        let most = words.next()?.parse().ok().filter(|most| *most > 0)?;
        let last = words.next().and_then(|word| word.parse().ok());
        Some((most, last.filter(|uid| *uid > 0)))
    }
}

/// What kind of line a response is.
#[derive(Debug, PartialEq, Eq)]
pub enum ResponseKind<'a> {
    /// The end of the command with this tag.
    Tagged(&'a str, StatusResponse),
    /// `+`: the server waits for more of the command.
    Continuation,
    /// `* OK`, `* NO`, `* BAD`, `* BYE`, `* PREAUTH`.
    Untagged(StatusResponse),
    /// Any other `*` line.
    Data,
    /// Nothing that IMAP knows.
    Garbage,
}

/// Tells what kind of line a response is.
#[must_use]
pub fn classify(response: &Response) -> ResponseKind<'_> {
    let line = response.line();
    if line.starts_with(b"+") {
        return ResponseKind::Continuation;
    }
    let Some(space) = line.iter().position(|b| *b == b' ') else {
        return ResponseKind::Garbage;
    };
    let (tag, rest) = (&line[..space], line[space..].trim_ascii_start());
    let status = parse_status(rest);
    match (tag, status) {
        (b"*", Some(status)) => ResponseKind::Untagged(status),
        (b"*", None) => ResponseKind::Data,
        (tag, Some(status)) => match std::str::from_utf8(tag) {
            Ok(tag) if tag.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                ResponseKind::Tagged(tag, status)
            }
            _ => ResponseKind::Garbage,
        },
        _ => ResponseKind::Garbage,
    }
}

fn parse_status(rest: &[u8]) -> Option<StatusResponse> {
    let end = rest
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(rest.len());
    let condition = match rest[..end].to_ascii_uppercase().as_slice() {
        b"OK" => Condition::Ok,
        b"NO" => Condition::No,
        b"BAD" => Condition::Bad,
        b"BYE" => Condition::Bye,
        b"PREAUTH" => Condition::Preauth,
        _ => return None,
    };
    let text = String::from_utf8_lossy(rest[end..].trim_ascii()).into_owned();
    let (code, text) = split_code(&text);
    Some(StatusResponse {
        condition,
        code,
        text,
    })
}

/// `[CODE arguments] text`; flags in a PERMANENTFLAGS list may hold brackets themselves.
fn split_code(text: &str) -> (Option<String>, String) {
    let Some(rest) = text.strip_prefix('[') else {
        return (None, text.to_owned());
    };
    let first = rest.find(']');
    let end = match rest.find('(') {
        Some(open) if first.is_none_or(|close| open < close) => {
            rest.find(")]").map(|at| at + 1).or(first)
        }
        _ => first,
    };
    match end {
        Some(end) => (
            Some(rest[..end].trim().to_owned()),
            rest[end + 1..].trim().to_owned(),
        ),
        None => (None, text.to_owned()),
    }
}

/// The numbers of a STATUS response (RFC 3501 section 7.2.4), each where the server sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Number of messages.
    pub messages: Option<u64>,
    /// The next UID; all present ones are below.
    pub uidnext: Option<u32>,
    /// Validity of the UIDs.
    pub uidvalidity: Option<u32>,
    /// Highest mod-sequence (RFC 7162); `None` also for 0, which means "not kept".
    pub highestmodseq: Option<u64>,
    /// RFC822.SIZE of all messages, added up (RFC 8438).
    pub size: Option<u64>,
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// Begins to scan `* NAME …`; `None` when the response is another one.
fn data<'a>(response: &'a Response, name: &[u8]) -> Option<Scanner<'a>> {
    let mut scanner = Scanner::new(response);
    (scanner.word() == b"*" && scanner.word().eq_ignore_ascii_case(name)).then_some(scanner)
}

/// The mailbox of a `* LIST` or `* LSUB` line, `None` for other responses.
///
/// # Errors
/// What is wrong with a LIST line.
#[must_use]
pub fn parse_list(response: &Response, name: &str) -> Option<Parsed<Listed>> {
    data(response, name.as_bytes()).map(list_line)
}

/// Most attributes of a mailbox that are kept; a dozen are known (RFC 5258, RFC 6154).
const MAX_ATTRIBUTES: usize = 32;

fn list_line(mut scanner: Scanner<'_>) -> Parsed<Listed> {
    let mut attributes = scanner.words_in_parentheses()?;
    attributes.truncate(MAX_ATTRIBUTES);
    attributes.shrink_to_fit();
    let delimiter = match scanner.value()? {
        Value::Nil => None,
        other => {
            let bytes = other.into_bytes().ok_or("the delimiter is not a string")?;
            let text = String::from_utf8_lossy(&bytes);
            text.chars().next()
        }
    };
    scanner.skip_spaces();
    let rest = scanner.rest();
    let name = match rest.first() {
        None => return Err("the mailbox name is missing"),
        Some(b'"') => Some(quoted_name(without_extension(rest))?),
        Some(_) if rest.starts_with(b"{") || rest.starts_with(b"~{") => {
            scanner.value()?.into_bytes()
        }
        Some(_) => Some(trim_blanks(without_extension(rest)).to_vec()),
    };
    let name = name.ok_or("the mailbox name is not a string, or is too long")?;
    let listed = Listed {
        name: Name::listed(name),
        delimiter,
        attributes,
    };
    // Some servers list their root like this: nothing is lost with it.
    let is_nothing = listed.has("\\Noselect") || listed.has("\\NonExistent");
    if listed.name.wire().is_empty() && !is_nothing {
        return Err("the mailbox name is empty");
    }
    Ok(listed)
}

/// What stands before extended data (RFC 5258 section 6), where that is what the parentheses hold.
///
/// Names with parentheses come unquoted from some servers: only the items that exist are taken for items.
fn without_extension(rest: &[u8]) -> &[u8] {
    const ITEMS: [&[u8]; 2] = [b"CHILDINFO", b"OLDNAME"];
    let is_item = |inside: &[u8]| {
        let inside = inside.strip_prefix(b"\"").unwrap_or(inside);
        ITEMS.iter().any(|item| {
            let word = inside.get(..item.len());
            word.is_some_and(|word| word.eq_ignore_ascii_case(item))
                && matches!(inside.get(item.len()), Some(b'"' | b' '))
        })
    };
    let mut pairs = rest.windows(2).enumerate();
    let begin = pairs.find(|(at, pair)| *pair == b" (" && is_item(&rest[at + 2..]));
    match begin {
        Some((at, _)) if trim_blanks(rest).ends_with(b"))") => &rest[..at],
        _ => rest,
    }
}

/// A name in quotes. Where the quotes inside are not escaped, it goes on to the last one.
fn quoted_name(text: &[u8]) -> Parsed<Vec<u8>> {
    let inside = trim_blanks(text).strip_prefix(b"\"");
    let inside = inside.and_then(|inside| inside.strip_suffix(b"\""));
    let inside = inside.ok_or("a quoted string without end")?;
    let mut name = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return Ok(inside.to_vec()),
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b'\\')) => name.push(*escaped),
                _ => return Ok(inside.to_vec()),
            },
            other => name.push(*other),
        }
    }
    Ok(name)
}

/// Blanks that servers add; a tab may be the name's own.
fn trim_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| **byte == b' ');
    &text[..text.len() - blanks.count()]
}

/// The mailbox and numbers of a `* STATUS` line, `None` for other responses.
///
/// # Errors
/// What is wrong with a STATUS line. A number that cannot be read is left out.
#[must_use]
pub fn parse_mailbox_status(response: &Response) -> Option<Parsed<(Name, MailboxStatus)>> {
    data(response, b"STATUS").map(status_line)
}

fn status_line(mut scanner: Scanner<'_>) -> Parsed<(Name, MailboxStatus)> {
    let name = scanner.value()?.into_bytes();
    let name = name.ok_or("the mailbox name is missing")?;
    let words = scanner.words_in_parentheses()?;
    let mut status = MailboxStatus::default();
    for pair in words.chunks(2) {
        let [item, value] = pair else { continue };
        match item.to_ascii_uppercase().as_str() {
            "MESSAGES" => status.messages = value.parse().ok(),
            "UIDNEXT" => status.uidnext = value.parse().ok().filter(|n| *n > 0),
            "UIDVALIDITY" => status.uidvalidity = value.parse().ok().filter(|n| *n > 0),
            "SIZE" => status.size = value.parse().ok(),
            "HIGHESTMODSEQ" => status.highestmodseq = value.parse().ok().filter(|n| *n > 0),
            _ => {}
        }
    }
    Ok((Name::listed(name), status))
}

/// The number of a `* n EXISTS` line.
#[must_use]
pub fn parse_exists(response: &Response) -> Option<u64> {
    numbered(response, b"EXISTS")
}

/// The number of a `* n EXPUNGE` line.
#[must_use]
pub fn parse_expunge(response: &Response) -> Option<u64> {
    numbered(response, b"EXPUNGE")
}

fn numbered(response: &Response, name: &[u8]) -> Option<u64> {
    let mut scanner = Scanner::new(response);
    if scanner.word() != b"*" {
        return None;
    }
    let count = number(scanner.word())?;
    scanner.word().eq_ignore_ascii_case(name).then_some(count)
}

/// The numbers of a `* SEARCH` line; `None` for other responses.
#[must_use]
pub fn parse_search(response: &Response) -> Option<Vec<u32>> {
    let scanner = data(response, b"SEARCH")?;
    let words = scanner.rest().split(u8::is_ascii_whitespace);
    let words = words.filter(|word| !word.is_empty());
    // A mod-sequence may follow in parentheses (RFC 7162).
    Some(words.map_while(number).filter(|uid| *uid > 0).collect())
}

/// The first word of data, `LIST` in `* LIST …`.
#[must_use]
pub fn data_word(response: &Response) -> &[u8] {
    let mut scanner = Scanner::new(response);
    scanner.word();
    scanner.word()
}

/// Of a FETCH or UIDFETCH line the number that it begins with, and the UID that it names; `None` for other responses.
#[must_use]
pub fn fetch_key(response: &Response) -> Option<(u64, Option<u32>)> {
    const NAME: &[u8] = b"UID ";
    let mut scanner = Scanner::new(response);
    scanner.word();
    let number = number::<u64>(scanner.word())?;
    let kind = scanner.word();
    if kind.eq_ignore_ascii_case(b"UIDFETCH") {
        return Some((number, u32::try_from(number).ok()));
    }
    if !kind.eq_ignore_ascii_case(b"FETCH") {
        return None;
    }
    let rest = scanner.rest();
    let mut words = rest.windows(NAME.len());
    let at = words.position(|window| window.eq_ignore_ascii_case(NAME));
    let uid = at.and_then(|at| {
        let digits = rest[at + NAME.len()..].split(|byte| !byte.is_ascii_digit());
        digits.into_iter().next().and_then(self::number::<u32>)
    });
    Some((number, uid))
}

/// The words of a `* CAPABILITY` line, in upper case.
#[must_use]
pub fn parse_capability(response: &Response) -> Option<Vec<String>> {
    let scanner = data(response, b"CAPABILITY")?;
    Some(capability_words(&String::from_utf8_lossy(scanner.rest())))
}

/// Splits capabilities, however many blanks stand between them.
#[must_use]
pub fn capability_words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace()
        .map(str::to_ascii_uppercase)
        .collect()
}

/// Storage used and allowed, in KiB, of a `* QUOTA` line (RFC 9208 section 4.2.1).
#[must_use]
pub fn parse_quota(response: &Response) -> Option<(u64, u64)> {
    let mut scanner = data(response, b"QUOTA")?;
    scanner.value().ok()?;
    let words = scanner.words_in_parentheses().ok()?;
    words.chunks(3).find_map(|resource| match resource {
        [name, used, limit] if name.eq_ignore_ascii_case("STORAGE") => {
            Some((used.parse().ok()?, limit.parse().ok()?))
        }
        _ => None,
    })
}

/// The first personal namespace of a `* NAMESPACE` line (RFC 2342): prefix and delimiter.
#[must_use]
pub fn parse_namespace(response: &Response) -> Option<(Vec<u8>, Option<char>)> {
    let mut scanner = data(response, b"NAMESPACE")?;
    scanner.skip_spaces();
    // The list of namespaces, then the first of it.
    if !scanner.eat(b'(') {
        return None;
    }
    scanner.skip_spaces();
    if !scanner.eat(b'(') {
        return None;
    }
    let prefix = scanner.value().ok()?.into_bytes()?;
    let delimiter = scanner.value().ok()?.into_bytes();
    let delimiter = delimiter.and_then(|bytes| String::from_utf8_lossy(&bytes).chars().next());
    Some((prefix, delimiter))
}

/// The flags of a `* OK [PERMANENTFLAGS (…)]` argument or any list of flags.
#[must_use]
pub fn flag_words(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches('(').trim_end_matches(')');
    inner.split_ascii_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
