//! Reads the text of a configuration as JSON, and says what an administrator most likely did wrong where it is none.
//!
//! A key that stands twice in one object is reported: of two accounts in one pair of braces one would be lost silently.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::location::Location;

/// The JSON, and the places of keys that stand twice.
///
/// # Errors
/// What is wrong with the text, with line and column and without a word of it: it may hold a password.
pub fn parse(bytes: &[u8]) -> Result<(Value, Vec<Location>), String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16; save it as UTF-8".to_owned());
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let twice = RefCell::default();
    let node = Node {
        at: Location::top(),
        twice: &twice,
    };
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = node.deserialize(&mut json);
    match value.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Ok((value, twice.into_inner())),
        Err(error) => Err(explained(&error, text)),
    }
}

/// serde's own message may quote the file; the place is enough.
fn explained(error: &serde_json::Error, text: &[u8]) -> String {
    let (line, column) = (error.line(), error.column());
    let place = format!("at line {line} column {column}");
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let start: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let end = (start + column).min(text.len());
    let here = text[..end].last().copied().unwrap_or_default();
    let before = text[..end.saturating_sub(1)].trim_ascii_end();
    if error.is_eof() {
        return format!("it ends too early {place}");
    }
    if matches!(here, b'}' | b']') && before.ends_with(b",") {
        return format!("there is a comma before the closing bracket {place}; take it out");
    }
    if here == b'/' || here == b'#' {
        return format!(
            "syntax error {place}: JSON has no comments; a key that begins with _ may hold one"
        );
    }
    if here == b'\'' || text[..end].ends_with(b"\xe2") || here >= 0x80 {
        return format!("syntax error {place}: texts stand in straight double quotes");
    }
    if here == b'"' && matches!(before.last(), Some(b'"' | b'}' | b']' | b'0'..=b'9')) {
        return format!("a comma or colon is missing {place}, or before");
    }
    if here == b'{' && before.ends_with(b"}") {
        return format!("a comma is missing between two objects {place}");
    }
    if std::str::from_utf8(text).is_err() {
        return format!("it is not UTF-8 {place}");
    }
    format!("syntax error {place}")
}

/// A value to be read, and where it stands.
struct Node<'a> {
    at: Location,
    twice: &'a RefCell<Vec<Location>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        Ok(number.map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let node = Node {
                at: self.at.element(values.len()),
                twice: self.twice,
            };
            let Some(value) = list.next_element_seed(node)? else {
                return Ok(Value::Array(values));
            };
            values.push(value);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let at = self.at.key(&key);
            let node = Node {
                at: at.clone(),
                twice: self.twice,
            };
            let value = object.next_value_seed(node)?;
            if values.insert(key, value).is_some() {
                self.twice.borrow_mut().push(at);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_stand_twice_are_found_at_any_depth() {
        let text =
            r#"{"a": 1, "l": [{"x": {"y": 1, "y": 2}}, {"x": 1}], "a": null, "b": {"a": 1}}"#;
        let (json, twice) = parse(text.as_bytes()).expect("JSON");
        let twice: Vec<String> = twice.iter().map(ToString::to_string).collect();
        assert_eq!(twice, ["l[0].x.y", "a"]);
        assert_eq!(json["b"]["a"], 1);
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place_and_not_quoted() {
        let cases: [(&[u8], &str); 9] = [
            (
                b"{\n \"a\": [1, 2,],\n}",
                "a comma before the closing bracket at line 2 column 13",
            ),
            (
                b"{\"a\": 1,\r\n}",
                "a comma before the closing bracket at line 2 column 1",
            ),
            (b"{\"a\": 'secret'}", "straight double quotes"),
            ("{“a”: 1}".as_bytes(), "straight double quotes"),
            (b"{ // secret\n}", "no comments"),
            (b"{\"a\": 1", "ends too early"),
            (b"{\"a\": 1 \"b\": 2}", "a comma or colon is missing"),
            (
                b"[{\"a\": 1} {\"b\": 2}]",
                "a comma is missing between two objects",
            ),
            (b"\xff\xfe{\0}\0", "UTF-16"),
        ];
        for (text, expected) in cases {
            let said = parse(text).expect_err("no JSON");
            assert!(
                said.contains(expected) && !said.contains("secret"),
                "{said} for {}",
                text.escape_ascii()
            );
        }
        assert!(parse(b"\xef\xbb\xbf{\"a\": -1.5}\r\n").is_ok());
    }
}
