//! Walks over the bytes of one response: words, strings, literals, lists.

use std::borrow::Cow;

use super::super::reader::Response;

/// A value inside a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Nil,
    Atom(&'a [u8]),
    Text(Cow<'a, [u8]>),
    /// A literal of this many bytes that is not in the response.
    Elsewhere(u64),
    /// Something in parentheses.
    List,
}

impl Value<'_> {
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Value::Atom(bytes) => Some(bytes.to_vec()),
            Value::Text(bytes) => Some(bytes.into_owned()),
            Value::Nil | Value::Elsewhere(_) | Value::List => None,
        }
    }
}

pub(super) type Parsed<T> = Result<T, &'static str>;

/// Walks over the bytes of one response.
pub(super) struct Scanner<'a> {
    response: &'a Response,
    at: usize,
    end: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(response: &'a Response) -> Self {
        Self {
            response,
            at: 0,
            end: response.line().len(),
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.response.bytes[self.at..self.end]
    }

    pub(super) fn skip_spaces(&mut self) {
        while self
            .rest()
            .first()
            .is_some_and(|b| *b == b' ' || *b == b'\t')
        {
            self.at += 1;
        }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// Bytes up to a space, a parenthesis or the end.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest
            .iter()
            .position(|b| matches!(b, b' ' | b'(' | b')' | b'\r' | b'\n'))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The name of a FETCH attribute; a section in brackets belongs to it.
    pub(super) fn attribute_name(&mut self) -> &'a [u8] {
        self.skip_spaces();
        let start = self.at;
        let mut in_section = false;
        while let Some(byte) = self.rest().first() {
            match byte {
                b'[' => in_section = true,
                b']' => in_section = false,
                b' ' | b'(' | b')' | b'\r' | b'\n' if !in_section => break,
                _ => {}
            }
            self.at += 1;
        }
        &self.response.bytes[start..self.at]
    }

    pub(super) fn value(&mut self) -> Parsed<Value<'a>> {
        self.skip_spaces();
        match self.rest().first() {
            Some(b'"') => self.quoted().map(Value::Text),
            Some(b'(') => self.skip_list().map(|()| Value::List),
            Some(b'{') => self.literal(),
            Some(b'~') if self.rest().get(1) == Some(&b'{') => {
                self.at += 1;
                self.literal()
            }
            Some(b')') | None => Err("a value is missing"),
            Some(_) => {
                let word = self.word();
                if word.eq_ignore_ascii_case(b"NIL") {
                    Ok(Value::Nil)
                } else {
                    Ok(Value::Atom(word))
                }
            }
        }
    }

    pub(super) fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let rest = &self.rest()[1..];
        let plain = rest
            .iter()
            .position(|b| matches!(b, b'"' | b'\\'))
            .ok_or("a quoted string without end")?;
        if rest[plain] == b'"' {
            self.at += plain + 2;
            return Ok(Cow::Borrowed(&rest[..plain]));
        }
        let mut text = Vec::new();
        let mut bytes = rest.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.at += at + 2;
                    return Ok(Cow::Owned(text));
                }
                b'\\' => text.extend(bytes.next().map(|(_, escaped)| *escaped)),
                other => text.push(*other),
            }
        }
        Err("a quoted string without end")
    }

    pub(super) fn literal(&mut self) -> Parsed<Value<'a>> {
        let rest = self.rest();
        let line = rest
            .iter()
            .position(|b| *b == b'\n')
            .ok_or("a literal without bytes")?;
        let digits: Vec<u8> = rest[1..line]
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .collect();
        let size: u64 = std::str::from_utf8(&digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or("a literal without size")?;
        self.at += line + 1;
        if self.response.elsewhere.contains(&self.at) {
            return Ok(Value::Elsewhere(size));
        }
        let size = usize::try_from(size).map_err(|_| "a literal too large")?;
        let bytes = self.rest().get(..size).ok_or("a literal cut short")?;
        self.at += size;
        Ok(Value::Text(Cow::Borrowed(bytes)))
    }

    /// True where an attribute may end: behind it comes a blank or the closing parenthesis.
    pub(super) fn at_separator(&self) -> bool {
        matches!(self.rest().first(), Some(b' ' | b')'))
    }

    fn skip_list(&mut self) -> Parsed<()> {
        let mut depth = 0_usize;
        while let Some(byte) = self.rest().first() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'"' => {
                    self.quoted()?;
                    continue;
                }
                b'{' => {
                    self.literal()?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err("a list without end")
    }

    /// Words between parentheses, for flags and attributes: anything but space and `)` belongs to one.
    ///
    /// Some servers list keywords with parentheses of their own, as in `($Label (x) Work)`.
    pub(super) fn words_in_parentheses(&mut self) -> Parsed<Vec<String>> {
        self.skip_spaces();
        if !self.eat(b'(') {
            return Err("an opening parenthesis is missing");
        }
        let rest = self.rest();
        let end = end_of_words(rest).ok_or("a closing parenthesis is missing")?;
        self.at += end + 1;
        Ok(rest[..end]
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect())
    }
}

/// Where a list of words ends: at the parenthesis that closes it, or before, where the line or another attribute
/// follows; else at the first.
fn end_of_words(rest: &[u8]) -> Option<usize> {
    const ATTRIBUTES: [&[u8]; 8] = [
        b" UID ",
        b" INTERNALDATE ",
        b" RFC822",
        b" BODY",
        b" BINARY[",
        b" MODSEQ ",
        b" EMAILID ",
        b" X-GM-",
    ];
    let mut depth = 0_usize;
    let mut first = None;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                let behind = &rest[at + 1..];
                let is_attribute = |name: &&[u8]| {
                    let begin = behind.get(..name.len());
                    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
                };
                let is_last = behind.strip_prefix(b")").is_some_and(<[u8]>::is_empty);
                if depth == 0 || is_last || ATTRIBUTES.iter().any(is_attribute) {
                    return Some(at);
                }
                first = first.or(Some(at));
                depth -= 1;
            }
            _ => {}
        }
    }
    first
}
