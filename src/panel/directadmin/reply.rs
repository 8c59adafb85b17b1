//! What DirectAdmin answers, decoded: form-encoded, entity-encoded, JSON of several shapes, or a page.
//!
//! The legacy API's documentation: docs.directadmin.com/developer/api/legacy-api.html.

use serde_json::{Map, Value};

use crate::panel::text;
use crate::panel::{MailboxDetails, Names, PanelError, PanelErrorKind, Result};

/// A decoded body.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// HTML, or a text that is neither form nor JSON.
    Page(String),
    /// Everything else; an empty body is null.
    Data(Value),
}

/// What a reply says about success.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was done.
    Done,
    /// It was not, and why.
    Failed(String),
    /// It says neither.
    Silent,
}

impl Reply {
    /// Decodes a body by what it looks like: content types are not to be relied on.
    ///
    /// # Errors
    /// JSON that breaks off.
    pub fn decode(body: &str) -> Result<Self> {
        let body = body.trim_start_matches('\u{feff}').trim();
        match body.as_bytes().first() {
            None => Ok(Self::Data(Value::Null)),
            Some(b'<') => Ok(Self::Page(body.to_owned())),
            Some(b'{' | b'[') => serde_json::from_str(body).map(Self::Data).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                let message =
                    format!("the answer is not valid JSON, at line {line} column {column}");
                PanelError::new(PanelErrorKind::Unclear, message)
            }),
            Some(_) => {
                let decoded = text::entities(body);
                if decoded.contains('=') {
                    Ok(Self::Data(Value::Object(form(&decoded))))
                } else {
                    Ok(Self::Page(body.to_owned()))
                }
            }
        }
    }

    /// What it says about success. In JSON a failure has its title in `error` and the reason in `result`.
    #[must_use]
    pub fn verdict(&self) -> Claim {
        let Self::Data(Value::Object(fields)) = self else {
            return Claim::Silent;
        };
        let error = fields.get("error").map(|error| {
            is_set(error)
                || error
                    .as_str()
                    .is_some_and(|word| word.eq_ignore_ascii_case("no"))
        });
        let success = fields.get("success").map(is_set);
        match (error, success) {
            (Some(true), _) | (_, Some(false)) => Claim::Failed(words(fields)),
            (_, Some(true)) | (Some(false), None) => Claim::Done,
            (None, None) => Claim::Silent,
        }
    }

    /// The names of a list: `list[]=a&list[]=b`, `["a"]`, `{"list":["a"]}` and what else clients have met.
    ///
    /// # Errors
    /// `PanelErrorKind::Refused` with the panel's words; `PanelErrorKind::Unclear` for what is not a list.
    pub fn names(&self, is_name: impl Fn(&str) -> bool) -> Result<Names> {
        let Self::Data(value) = self else {
            return Err(self.unclear());
        };
        if let Claim::Failed(said) = self.verdict() {
            return Err(PanelError::new(PanelErrorKind::Refused, said));
        }
        let mut found = Vec::new();
        match value {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| scalars(item, &mut found)),
            Value::Object(fields) => {
                let numbered = |key: &str| key.parse::<u32>().is_ok();
                let mut any = fields.is_empty() || self.verdict() == Claim::Done;
                for (key, item) in fields {
                    let list = key == "list" || key == "users" || key == "emails";
                    let counted = ["list", "list[", "users", ""].iter().any(|prefix| {
                        key.strip_prefix(prefix)
                            .is_some_and(|rest| numbered(rest.trim_end_matches(']')))
                    });
                    if list || counted {
                        any = true;
                        scalars(item, &mut found);
                    }
                }
                if !any {
                    return Err(self.unclear());
                }
            }
            _ => return Err(self.unclear()),
        }
        let mut names = Names::default();
        for name in found.into_iter().filter(|name| !name.is_empty()) {
            if is_name(&name) {
                names.names.push(name);
            } else {
                names.odd.push(text::plain(&name));
            }
        }
        Ok(names)
    }

    /// The rows of `full_list`, whose values are forms themselves, or of an e-mail page's table.
    ///
    /// # Errors
    /// As for [`Reply::names`].
    pub fn details(&self) -> Result<Vec<MailboxDetails>> {
        let rows = match self {
            Self::Data(Value::Null) => return Ok(Vec::new()),
            Self::Data(Value::Array(items)) if items.is_empty() => return Ok(Vec::new()),
            Self::Data(Value::Object(fields)) => {
                let inner = fields.get("emails").or_else(|| fields.get("list"));
                inner.and_then(Value::as_object).unwrap_or(fields)
            }
            Self::Data(_) | Self::Page(_) => return Err(self.unclear()),
        };
        // A mailbox may be called "error": what has a row's fields is a row.
        let all: Vec<MailboxDetails> = rows
            .iter()
            .filter_map(|(key, value)| row(key, value))
            .collect();
        match self.verdict() {
            _ if !all.is_empty() => Ok(all),
            Claim::Failed(said) => Err(PanelError::new(PanelErrorKind::Refused, said)),
            Claim::Done => Ok(all),
            Claim::Silent if rows.is_empty() => Ok(all),
            Claim::Silent => Err(self.unclear()),
        }
    }

    /// The error of an answer that was not expected.
    #[must_use]
    pub fn unclear(&self) -> PanelError {
        let message = match self {
            Self::Page(page) => {
                format!("instead of data the panel sent \"{}\"", text::of_page(page))
            }
            Self::Data(Value::Object(fields)) => {
                let mut names: Vec<String> = fields.keys().map(|key| text::plain(key)).collect();
                names.truncate(5);
                format!(
                    "the answer has an unknown form; it has the fields {}",
                    names.join(", ")
                )
            }
            Self::Data(_) => "the answer has an unknown form".to_owned(),
        };
        PanelError::new(PanelErrorKind::Unclear, message)
    }
}

/// One mailbox of a table; `None` for what is none.
fn row(key: &str, value: &Value) -> Option<MailboxDetails> {
    let row = match value {
        Value::String(text) => form(&text::entities(text)),
        Value::Object(row) => row.clone(),
        _ => return None,
    };
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    if key == "info" || !row.contains_key("suspended") && !row.contains_key("quota") {
        return None;
    }
    let account = text("account").unwrap_or(key);
    let login = text("login").filter(|login| !login.is_empty() && !login.contains('@'));
    Some(MailboxDetails {
        local: account.split('@').next().unwrap_or(account).to_owned(),
        suspended: row.get("suspended").is_some_and(is_set),
        login: login.map(str::to_owned),
    })
}

/// Decodes a form; keys that end with `[]` gather their values.
fn form(text: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let value = Value::String(value.into_owned());
        match key.strip_suffix("[]") {
            Some(list) => {
                let values = fields
                    .entry(list)
                    .or_insert_with(|| Value::Array(Vec::new()));
                match values {
                    Value::Array(values) => values.push(value),
                    other => *other = Value::Array(vec![other.take(), value]),
                }
            }
            None => {
                fields.insert(key.into_owned(), value);
            }
        }
    }
    fields
}

/// The strings and numbers in a value; a text may name several, with commas.
fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let text = text::entities(text);
            found.extend(text.split(',').map(|name| name.trim().to_owned()));
        }
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(fields) => {
            let named = ["account", "user", "email", "name", "domain"].iter();
            let name = named
                .filter_map(|key| fields.get(*key))
                .find(|value| value.is_string());
            match name {
                Some(name) => scalars(name, found),
                None => fields
                    .iter()
                    .filter(|(key, _)| *key != "info")
                    .for_each(|(_, item)| scalars(item, found)),
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// True unless a field says no in one of the ways seen.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(text.as_str(), "" | "0" | "no" | "false")
        }
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Title and reason of a failure.
fn words(fields: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for key in ["text", "error", "message", "details", "result"] {
        let Some(Value::String(said)) = fields.get(key) else {
            continue;
        };
        let said = text::plain(said);
        let says_nothing = matches!(said.as_str(), "" | "0" | "1" | "yes" | "true");
        if !says_nothing && !parts.contains(&said) {
            parts.push(said);
        }
    }
    if parts.is_empty() {
        "the panel gives no reason".to_owned()
    } else {
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Result<Vec<String>> {
        let reply = Reply::decode(body)?;
        reply
            .names(|name| !name.contains(' '))
            .map(|names| names.names)
    }

    #[test]
    fn lists_are_read_in_every_spelling() {
        for body in [
            "list[]=alice&list[]=john.doe",
            "list%5B%5D=alice&list%5B%5D=john.doe",
            "list&#91&#93=alice&list&#91&#93=john&#46doe",
            "list%5B%5D=alice&list%5B%5D=john&#46doe\n",
            "list=alice,john.doe",
            "list0=alice&list1=john.doe",
            "error=0&list[]=alice&list[]=john.doe",
            r#"["alice","john.doe"]"#,
            r#"{"list":["alice","john.doe"]}"#,
            r#"{"list":{"0":"alice","1":"john.doe"}}"#,
            r#"{"0":"alice","1":"john.doe"}"#,
            r#"{"error":"0","list":["alice","john&#46doe"]}"#,
            r#"{"emails":{"0":{"account":"alice","quota":"1"},"1":{"account":"john.doe"},"info":{"rows":"2"}}}"#,
        ] {
            let found = names(body).unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(found, ["alice", "john.doe"], "{body}");
        }
        for body in [
            "",
            "\n",
            "[]",
            "{}",
            r#"{"list":[]}"#,
            "error=0",
            "list=",
            r#"{"list":""}"#,
        ] {
            assert!(names(body).expect(body).is_empty(), "{body}");
        }
        assert_eq!(names("[123]").expect("a list"), ["123"]);
    }

    #[test]
    fn what_is_no_list_is_no_empty_list() {
        for body in [
            "<html><b>Oops</b>",
            "foo=bar",
            "hello",
            "{\"a\":1",
            "[\"alice\"",
        ] {
            let error = names(body).expect_err(body);
            assert_eq!(error.kind, PanelErrorKind::Unclear, "{body}");
        }
        for body in [
            "error=1&text=No&details=Domain+does+not+belong+to+you",
            "details=Domain&#32does not belong to you&text=No&error=1",
            r#"{"error":"No","result":"Domain does not belong to you"}"#,
            r#"{"error":1,"text":"No","details":"<p>Domain does not&nbsp;belong to you</p>"}"#,
            "error=1&text=No&details=Domain%2520does%2520not%2520belong%2520to%2520you",
        ] {
            let error = names(body).expect_err(body);
            assert_eq!(error.kind, PanelErrorKind::Refused, "{body}");
            assert_eq!(
                error.to_string(),
                "No: Domain does not belong to you",
                "{body}"
            );
        }
        let odd = Reply::decode("list[]=a&list[]=b c").expect("decodes");
        let odd = odd.names(|name| !name.contains(' ')).expect("a list");
        assert_eq!(
            (odd.names, odd.odd),
            (vec!["a".to_owned()], vec!["b c".to_owned()])
        );
    }

    #[test]
    fn success_is_told_from_failure_and_from_neither() {
        let verdict = |body: &str| Reply::decode(body).expect("decodes").verdict();
        for body in [
            "error=0&text=User+created&details=",
            r#"{"success":"Account created"}"#,
            r#"{"error":"0","text":"done"}"#,
            r#"{"error":false}"#,
            r#"{"success":true,"error":""}"#,
        ] {
            assert_eq!(verdict(body), Claim::Done, "{body}");
        }
        for body in [
            "error=1&text=Cannot&details=quota",
            r#"{"error":"Cannot","result":"quota"}"#,
            r#"{"error":"Cannot","success":"no","details":"quota"}"#,
            r#"{"success":"no","text":"Cannot","details":"quota"}"#,
        ] {
            assert_eq!(
                verdict(body),
                Claim::Failed("Cannot: quota".to_owned()),
                "{body}"
            );
        }
        for body in ["", "[]", "text=hello", "<html>", "ok"] {
            assert_eq!(verdict(body), Claim::Silent, "{body}");
        }
    }

    #[test]
    fn rows_tell_who_is_suspended() {
        for body in [
            "bob=limit%3D0%26quota%3D1024%26suspended%3Dno%26usage%3D0.01&jo&#46e=quota%3D5%26suspended%3Dyes",
            r#"{"bob":"quota=1024&suspended=no","jo.e":"quota=5&suspended=yes"}"#,
            r#"{"bob":{"quota":"1024","suspended":"no"},"jo.e":{"quota":"5","suspended":"yes"}}"#,
            r#"{"emails":{"0":{"account":"bob","login":"bob@example.com","suspended":"no"},
                "1":{"account":"jo.e","suspended":"yes"},"info":{"rows":"2"}}}"#,
        ] {
            let rows = Reply::decode(body)
                .and_then(|reply| reply.details())
                .expect(body);
            let told: Vec<_> = rows
                .iter()
                .map(|row| (row.local.as_str(), row.suspended))
                .collect();
            assert_eq!(told, [("bob", false), ("jo.e", true)], "{body}");
        }
        let unknown = Reply::decode("list[]=bob").expect("decodes");
        assert!(unknown.details().is_err());
    }
}
