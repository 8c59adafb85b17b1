//! `failed.jsonl`: the messages that the source did not give in the last run, one JSON object a line.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::file;

/// Name of the file in the account's directory.
pub const FILE: &str = "failed.jsonl";

/// A message that is on the server and not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMessage {
    /// The account.
    pub account: String,
    /// The mailbox, in UTF-8.
    pub mailbox: String,
    /// UID; 0 when the server counts messages whose UIDs it does not name.
    pub uid: u32,
    /// RFC822.SIZE in bytes, where the server says it.
    pub size: Option<u64>,
    /// The server's words, or what is wrong with them.
    pub server: String,
    /// When it was given up, UTC.
    pub at: String,
}

/// Replaces the list; an empty one removes the file.
///
/// # Errors
/// Those of the file system.
pub fn write(dir: &Path, failed: &[FailedMessage]) -> Result<()> {
    let path = dir.join(FILE);
    if failed.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        };
    }
    let mut lines = Vec::new();
    for message in failed {
        serde_json::to_writer(&mut lines, message).context("write JSON")?;
        lines.push(b'\n');
    }
    file::replace(&path, &lines)
}
