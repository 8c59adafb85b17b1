//! FETCH responses: the attributes of a message.

use super::number;
use super::scanner::{Parsed, Scanner, Value};
use crate::session::reader::{Response, is_body_name};

/// A message body as a FETCH response names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// The response is about other attributes.
    #[default]
    Absent,
    /// `NIL`: the server cannot give it.
    Nil,
    /// This many bytes went to the sink.
    Streamed(u64),
    /// It came as a quoted string.
    Quoted(Vec<u8>),
}

/// The attributes of one FETCH response (RFC 3501 section 7.4.2), each where it was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchData {
    /// Message sequence number; 0 for `UIDFETCH`, which has none.
    pub sequence: u64,
    /// UID.
    pub uid: Option<u32>,
    /// Flags and keywords as sent.
    pub flags: Option<Vec<String>>,
    /// INTERNALDATE as sent; the inner `None` is NIL.
    #[expect(clippy::option_option, reason = "NIL has come, and says nothing")]
    pub internaldate: Option<Option<String>>,
    /// RFC822.SIZE where it is a sane number, in bytes.
    pub size: Option<u64>,
    /// The body.
    pub body: Body,
    /// Header fields, where a `BODY[HEADER…]` brought them.
    pub header: Option<Vec<u8>>,
}

/// The attributes of a `* n FETCH` line, `None` for other responses.
///
/// # Errors
/// What is wrong with a FETCH line; none of it can be trusted then.
#[must_use]
pub fn parse_fetch(response: &Response) -> Option<Parsed<FetchData>> {
    let mut scanner = Scanner::new(response);
    if scanner.word() != b"*" {
        return None;
    }
    let count = number::<u64>(scanner.word())?;
    let name = scanner.word();
    if name.eq_ignore_ascii_case(b"FETCH") {
        return Some(fetch_line(scanner, count, None));
    }
    if name.eq_ignore_ascii_case(b"UIDFETCH") {
        let uid = u32::try_from(count).ok().filter(|uid| *uid > 0);
        return Some(fetch_line(scanner, 0, uid));
    }
    None
}

fn fetch_line(mut scanner: Scanner<'_>, sequence: u64, uid: Option<u32>) -> Parsed<FetchData> {
    scanner.skip_spaces();
    if !scanner.eat(b'(') {
        return Err("an opening parenthesis is missing");
    }
    let mut data = FetchData {
        sequence,
        uid,
        ..FetchData::default()
    };
    let mut is_closed = false;
    loop {
        scanner.skip_spaces();
        // Some servers close the list before its last attributes.
        is_closed |= scanner.eat(b')');
        scanner.skip_spaces();
        if is_closed && scanner.rest().is_empty() {
            return Ok(data);
        }
        if is_closed && data.body != Body::Absent && !is_behind_list(scanner.rest(), &data) {
            // Where the size also says that the body had ended, words behind the list mean nothing.
            if matches!(data.body, Body::Streamed(length) if data.size == Some(length)) {
                return Ok(data);
            }
            return Err("there is more behind the closing parenthesis");
        }
        let name = scanner.attribute_name();
        if name.is_empty() {
            return Err("an attribute name is missing, or the body was longer than announced");
        }
        fetch_attribute(&mut scanner, name, &mut data)?;
        if !(scanner.at_separator() || is_closed && scanner.rest().is_empty()) {
            return Err(
                "an attribute does not end where it should, or the body was longer than announced",
            );
        }
    }
}

/// What may stand behind the closing parenthesis: attributes that are still missing, and no bodies. Anything else may
/// be the end of a body that was longer than announced.
fn is_behind_list(rest: &[u8], data: &FetchData) -> bool {
    let is = |name: &[u8]| {
        let begin = rest.get(..name.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
    };
    is(b"UID ") && data.uid.is_none()
        || is(b"FLAGS ") && data.flags.is_none()
        || is(b"INTERNALDATE ") && data.internaldate.is_none()
        || is(b"RFC822.SIZE ") && data.size.is_none()
}

fn fetch_attribute(scanner: &mut Scanner<'_>, name: &[u8], data: &mut FetchData) -> Parsed<()> {
    match name.to_ascii_uppercase().as_slice() {
        b"FLAGS" => data.flags = Some(scanner.words_in_parentheses()?),
        b"INTERNALDATE" => data.internaldate = Some(internal_date(scanner)?),
        b"UID" => {
            let value = scanner.value()?.into_bytes().unwrap_or_default();
            let uid = number(&value).filter(|uid| *uid > 0);
            data.uid = Some(uid.ok_or("the UID is not a number from 1 to 4294967295")?);
        }
        b"RFC822.SIZE" => {
            let value = scanner.value()?.into_bytes().unwrap_or_default();
            data.size = number(&value);
        }
        name if is_body_name(name) => {
            if data.body != Body::Absent {
                return Err("two bodies in one response");
            }
            data.body = match scanner.value()? {
                Value::Nil => Body::Nil,
                Value::Elsewhere(size) => Body::Streamed(size),
                Value::Text(bytes) => Body::Quoted(bytes.into_owned()),
                Value::Atom(_) | Value::List => return Err("the body is not a string"),
            };
        }
        name if name.starts_with(b"BODY[HEADER") => data.header = scanner.value()?.into_bytes(),
        _ => {
            scanner.value()?;
        }
    }
    Ok(())
}

/// Quoted, NIL, or (seen in the field) the bare words of a date.
fn internal_date(scanner: &mut Scanner<'_>) -> Parsed<Option<String>> {
    scanner.skip_spaces();
    let text = match scanner.value()? {
        Value::Atom(date) => {
            let mut words = vec![date];
            while words.len() < 3
                && scanner.rest().first() == Some(&b' ')
                && scanner
                    .rest()
                    .get(1)
                    .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'))
            {
                words.push(scanner.word());
            }
            Some(words.join(&b' '))
        }
        other => other.into_bytes(),
    };
    Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

/// The UID in a response that cannot be parsed, as far as it can be read before the body.
#[must_use]
pub fn uid_hint(response: &Response) -> Option<u32> {
    let end = response.elsewhere.first().copied();
    let head = &response.bytes[..end.unwrap_or(response.bytes.len())];
    let head = String::from_utf8_lossy(head).to_ascii_uppercase();
    let mut words = head.split([' ', '(', ')', '\r']);
    words.find(|word| *word == "UID")?;
    words.find(|word| !word.is_empty())?.parse().ok()
}
