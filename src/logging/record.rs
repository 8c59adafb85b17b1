//! One event as a line: for people on a terminal, for people in a file, for collectors. Free of secrets and of anything
//! that a terminal obeys, whatever the text was.

use std::fmt::{Debug, Write};

use serde_json::{Map, Value};
use tracing::Level;
use tracing::field::{Field, Visit};

use crate::printable::{escaped_json, printable, printable_lines};
use crate::redact::redacted;

/// The field that names an account: the administrator's word, not a server's.
const ACCOUNT: &str = "account";
/// The field that holds the text.
const MESSAGE: &str = "message";

/// What a span or an event carries, in its order.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Adds those of an inner span or of the event.
    pub fn extend(&mut self, inner: &Self) {
        self.0.extend(inner.0.iter().cloned());
    }

    fn push(&mut self, field: &Field, value: Value) {
        self.0.push((field.name(), value));
    }

    fn text(&self, name: &str) -> Option<&str> {
        let mut of_name = self.0.iter().filter(|(field, _)| *field == name);
        of_name.find_map(|(_, value)| value.as_str())
    }

    /// Everything but account and text.
    fn others(&self) -> impl Iterator<Item = (&'static str, String)> {
        let others = self
            .0
            .iter()
            .filter(|(name, _)| ![ACCOUNT, MESSAGE].contains(name));
        others.map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            (*name, clean(&text))
        })
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.push(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}

/// An event with all that is around it.
pub struct LogRecord {
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// How bad it is.
    pub level: Level,
    /// Of the spans, the outermost first, and of the event.
    pub fields: Fields,
}

impl LogRecord {
    /// The line for a terminal: `12:00:05 WARN  anna@example.com: text (mailbox=INBOX, uid=7)`.
    #[must_use]
    pub fn for_terminal(&self, colours: bool) -> String {
        let time = self.time.get(11..19).unwrap_or(&self.time);
        let account = self
            .account()
            .map_or_else(String::new, |a| format!("{a}: "));
        let others: Vec<String> = self.others().collect();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!(" ({})", others.join(", "))
        };
        let level = self.level(colours);
        format!("{time} {level} {account}{}{others}\n", self.message())
    }

    /// The line for a file: `2026-11-25T12:00:05Z WARN  account=anna@example.com text mailbox=INBOX uid=7`.
    #[must_use]
    pub fn for_file(&self) -> String {
        let mut line = format!("{} {} ", self.time, self.level(false));
        if let Some(account) = self.account() {
            // Writing to a String cannot fail.
            let _ = write!(line, "account={account} ");
        }
        line.push_str(&self.message());
        for other in self.others() {
            line.push(' ');
            line.push_str(&other);
        }
        line.push('\n');
        line
    }

    /// The line for a collector: one JSON object.
    #[must_use]
    pub fn for_collector(&self) -> String {
        let mut object = Map::new();
        object.insert("time".to_owned(), self.time.clone().into());
        object.insert("level".to_owned(), self.level.as_str().into());
        for (name, value) in &self.fields.0 {
            let value = match value {
                Value::String(text) if *name != ACCOUNT => redacted(text).into_owned().into(),
                value => value.clone(),
            };
            object.insert((*name).to_owned(), value);
        }
        let mut line = escaped_json(&Value::Object(object).to_string());
        line.push('\n');
        line
    }

    /// `name=value` of everything but account and text; a value that is more than a word is quoted.
    fn others(&self) -> impl Iterator<Item = String> {
        self.fields.others().map(|(name, value)| {
            if !value.is_empty() && !value.contains([' ', '"', '=']) {
                format!("{name}={value}")
            } else {
                format!("{name}={}", Value::from(value))
            }
        })
    }

    fn account(&self) -> Option<String> {
        self.fields.text(ACCOUNT).map(printable)
    }

    /// Further lines of a text are indented, so that none can pass for a line of the log.
    fn message(&self) -> String {
        let text = self.fields.text(MESSAGE).unwrap_or_default();
        printable_lines(&redacted(text)).replace('\n', "\n    ")
    }

    fn level(&self, colours: bool) -> String {
        let word = format!("{:<5}", self.level.as_str());
        let colour = match self.level {
            _ if !colours => return word,
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            _ => 2,
        };
        format!("\u{1b}[{colour}m{word}\u{1b}[0m")
    }
}

fn clean(text: &str) -> String {
    printable(&redacted(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LogRecord {
        LogRecord {
            time: "2026-11-25T12:00:05Z".into(),
            level: Level::WARN,
            fields: Fields(vec![
                ("account", "anna@example.com".into()),
                ("mailbox", "Sent \u{1b}[2J".into()),
                ("uid", 7.into()),
                ("message", "is\u{9b} odd\n2026 forged".into()),
            ]),
        }
    }

    #[test]
    fn lines_are_for_people() {
        assert_eq!(
            record().for_terminal(false),
            "12:00:05 WARN  anna@example.com: is\u{fffd} odd\n    2026 forged (mailbox=\"Sent \u{fffd}[2J\", uid=7)\n"
        );
        assert_eq!(
            record().for_file(),
            "2026-11-25T12:00:05Z WARN  account=anna@example.com is\u{fffd} odd\n    2026 forged \
             mailbox=\"Sent \u{fffd}[2J\" uid=7\n"
        );
    }

    #[test]
    fn a_collector_gets_one_object_a_line() {
        let line = record().for_collector();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(
            !line.contains(|c: char| c != '\n' && c.is_control()),
            "{line:?}"
        );
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&read["uid"], &read["level"]), (&7.into(), &"WARN".into()));
        assert_eq!(read["message"], "is\u{9b} odd\n2026 forged");
    }
}
