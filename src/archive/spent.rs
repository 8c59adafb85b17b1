//! `spent.json`: what an account has taken of the day's budget of its servers, down and up, so that the next run knows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::disk::file;

/// Name of the file in the account's directory.
pub const FILE: &str = "spent.json";

/// What was taken on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The day, of UTC, as `2026-11-23`.
    pub day: String,
    /// Bytes that came.
    #[serde(default)]
    pub down: u64,
    /// Bytes that went.
    #[serde(default)]
    pub up: u64,
    /// Messages that came.
    #[serde(default)]
    pub messages_down: u64,
    /// Messages that went.
    #[serde(default)]
    pub messages_up: u64,
}

type Record = BTreeMap<String, Spent>;

/// What was taken from a server (`login@host:port`) on a day; nothing is on record without a file, or for other
/// days.
///
/// # Errors
/// A file that cannot be read or understood.
pub fn load(dir: &Path, server: &str, day: &str) -> Result<Spent> {
    let spent = read(dir)?.remove(server).filter(|spent| spent.day == day);
    Ok(spent.unwrap_or_else(|| Spent {
        day: day.to_owned(),
        ..Spent::default()
    }))
}

/// Adds to what is on record for that server and day; returns what is on record now.
///
/// # Errors
/// Those of the file system.
pub fn add(dir: &Path, server: &str, more: &Spent) -> Result<Spent> {
    let mut record = read(dir)?;
    let spent = record.entry(server.to_owned()).or_default();
    if spent.day != more.day {
        *spent = Spent {
            day: more.day.clone(),
            ..Spent::default()
        };
    }
    spent.down = spent.down.saturating_add(more.down);
    spent.up = spent.up.saturating_add(more.up);
    spent.messages_down = spent.messages_down.saturating_add(more.messages_down);
    spent.messages_up = spent.messages_up.saturating_add(more.messages_up);
    let now = spent.clone();
    let mut bytes = serde_json::to_vec(&record).context("write what was spent")?;
    bytes.push(b'\n');
    file::replace(&dir.join(FILE), &bytes)?;
    Ok(now)
}

fn read(dir: &Path) -> Result<Record> {
    let path = dir.join(FILE);
    let shown = path.display();
    match file::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!("{shown} is damaged; remove it if the day's budget is not used up")
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::new()),
        Err(error) => Err(error).with_context(|| format!("read {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(day: &str, down: u64) -> Spent {
        Spent {
            day: day.to_owned(),
            down,
            ..Spent::default()
        }
    }

    #[test]
    fn what_runs_take_adds_up_until_the_next_day() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        assert_eq!(
            load(dir, "a@h:993", "2026-11-23").expect("none"),
            of("2026-11-23", 0)
        );
        add(dir, "a@h:993", &of("2026-11-23", 5)).expect("written");
        add(dir, "a@other:993", &of("2026-11-23", 100)).expect("written");
        let now = add(dir, "a@h:993", &of("2026-11-23", 7)).expect("written");
        assert_eq!(now, of("2026-11-23", 12));
        assert_eq!(
            load(dir, "a@h:993", "2026-11-24").expect("read"),
            of("2026-11-24", 0)
        );
        let next = add(dir, "a@h:993", &of("2026-11-24", 1)).expect("written");
        assert_eq!(next, of("2026-11-24", 1));
    }

    #[test]
    fn a_damaged_record_is_told_and_not_taken_for_none() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(FILE), b"{\"a@h:9").expect("written");
        let error = load(dir.path(), "a@h:993", "2026-11-23").expect_err("damaged");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}
