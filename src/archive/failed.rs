//! `failed.jsonl`: the messages that the last export or import could not bring over, one JSON object a line.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};

use crate::disk::file;
use crate::redact::redacted;

/// Name of the file in the account's directory.
pub const FILE: &str = "failed.jsonl";

/// Which way a message was to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transfer {
    /// From the source to the archive.
    #[default]
    Export,
    /// From the archive to the target.
    Import,
}

/// A message that was not brought over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMessage {
    /// The account.
    pub account: String,
    /// The mailbox, in UTF-8.
    pub mailbox: String,
    /// UID; `null` for a whole mailbox, or for messages that the server counts and does not name.
    #[serde(deserialize_with = "uid_or_none")]
    pub uid: Option<u32>,
    /// RFC822.SIZE in bytes, where the server says it.
    pub size: Option<u64>,
    /// INTERNALDATE, UTC, where the source gives it though not the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Its sender, where the source says it of a message that it does not give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its subject, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The server's words, or what is wrong with them.
    pub server: String,
    /// When it was given up, UTC.
    pub at: String,
    /// Which way it was to go.
    #[serde(default)]
    pub during: Transfer,
}

/// Earlier versions wrote 0 where there is none.
fn uid_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u32>, D::Error> {
    let uid = Option::<u32>::deserialize(deserializer)?;
    Ok(uid.filter(|uid| *uid > 0))
}

/// The messages that one direction could not bring over; lines that cannot be read are skipped.
///
/// # Errors
/// Those of the file system.
pub fn load(dir: &Path, during: Transfer) -> Result<Vec<FailedMessage>> {
    let mut all = load_all(dir)?;
    all.retain(|message| message.during == during);
    Ok(all)
}

fn load_all(dir: &Path) -> Result<Vec<FailedMessage>> {
    let path = dir.join(FILE);
    let bytes = match file::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// Replaces the list of one direction; lines of the other stay. An empty list removes the file.
///
/// # Errors
/// Those of the file system.
pub fn write(dir: &Path, during: Transfer, failed: &[FailedMessage]) -> Result<()> {
    let path = dir.join(FILE);
    let shown = path.display();
    let mut all = load_all(dir)?;
    all.retain(|message| message.during != during);
    all.extend_from_slice(failed);
    let mut lines = Vec::new();
    for message in &mut all {
        message.server = redacted(&message.server).into_owned();
        serde_json::to_writer(&mut lines, &*message).context("write JSON")?;
        lines.push(b'\n');
    }
    if !lines.is_empty() {
        return file::replace(&path, &lines);
    }
    match file::remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {shown}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_keeps_its_own_lines() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let failed = |during, uid| FailedMessage {
            account: "a".to_owned(),
            mailbox: "INBOX".to_owned(),
            uid: Some(uid),
            size: None,
            date: None,
            from: None,
            subject: None,
            server: "NO".to_owned(),
            at: "now".to_owned(),
            during,
        };
        let lines =
            || std::fs::read_to_string(dir.path().join(FILE)).map_or(0, |t| t.lines().count());
        let (export, import) = (Transfer::Export, Transfer::Import);
        write(dir.path(), export, &[failed(export, 1), failed(export, 2)]).expect("written");
        write(dir.path(), import, &[failed(import, 3)]).expect("written");
        assert_eq!(lines(), 3);
        write(dir.path(), export, &[]).expect("written");
        assert_eq!(lines(), 1);
        write(dir.path(), import, &[]).expect("written");
        assert!(!dir.path().join(FILE).exists());
    }
}
