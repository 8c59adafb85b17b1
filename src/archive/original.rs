//! What the original Python tool leaves in an archive: a `.mailbox.json` and an `export-state.json` of its own.
//!
//! It writes UIDVALIDITY as text, names decoded, and a delimiter only where the name has levels. Earlier versions of it
//! left neither file.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::lenient;
use super::meta::MailboxMeta;
use super::state;
use crate::disk::file;
use crate::mailbox::Name;

/// Its `export-state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Original {
    /// True when its export finished.
    #[serde(default)]
    pub complete: bool,
    /// The mailboxes.
    pub mailboxes: Vec<OriginalMailbox>,
}

/// A mailbox of [`Original`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OriginalMailbox {
    /// Its name, in UTF-8.
    pub mailbox: String,
    /// Its directory.
    pub path: String,
    /// How many messages it has.
    #[serde(rename = "message_count")]
    pub messages: u64,
}

impl Original {
    /// The state of an account's directory, where it is this tool's.
    ///
    /// # Errors
    /// A file that cannot be read; one of this tool that cannot be understood.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(state::FILE);
        let bytes = match file::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        if !state::is_of_original(&bytes) {
            return Ok(None);
        }
        serde_json::from_slice(&bytes).map(Some).with_context(|| {
            format!(
                "{} is damaged, as the original tool left it",
                path.display()
            )
        })
    }
}

#[derive(Deserialize)]
struct Marker {
    mailbox: String,
    #[serde(default, deserialize_with = "lenient::number")]
    uidvalidity: Option<u32>,
    #[serde(default)]
    source_delimiter: Option<String>,
    #[serde(default)]
    source_attributes: Vec<String>,
}

/// Its `.mailbox.json`; `None` where it is not one of its.
pub(super) fn meta(bytes: &[u8]) -> Option<MailboxMeta> {
    let marker: Marker = serde_json::from_slice(bytes).ok()?;
    let given = marker.source_delimiter.and_then(|text| text.chars().next());
    Some(MailboxMeta {
        delimiter: Some(given.unwrap_or_else(|| guessed_delimiter(&marker.mailbox))),
        name: Name::new(marker.mailbox),
        attributes: marker.source_attributes,
        uidvalidity: marker.uidvalidity.unwrap_or(0),
    })
}

/// The delimiter of a name that came without one.
pub(super) fn guessed_delimiter(name: &str) -> char {
    let by_dots = name.starts_with("INBOX.") || !name.contains('/') && name.contains('.');
    if by_dots { '.' } else { '/' }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"account": "a@x.test", "complete": true, "completed_at": 1795644445,
        "mailboxes": [{"mailbox": "Work/2024", "message_count": 3, "path": "Work_2024",
            "source_delimiter": "/", "source_path_segments": ["Work", "2024"], "uidvalidity": "17"}],
        "schema_version": 1, "source_server": {"host": "h", "port": 143}}"#;

    #[test]
    fn its_state_is_told_from_ours() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join(state::FILE);
        assert_eq!(Original::load(dir.path()).expect("none"), None);
        state::ExportState::default()
            .save(dir.path())
            .expect("saved");
        assert_eq!(Original::load(dir.path()).expect("ours"), None);
        std::fs::write(&path, STATE).expect("written");
        let original = Original::load(dir.path()).expect("read").expect("its");
        assert!(original.complete);
        let mailbox = &original.mailboxes[0];
        assert_eq!((mailbox.path.as_str(), mailbox.messages), ("Work_2024", 3));
        assert_eq!(
            state::ExportState::load(dir.path()).expect("not ours"),
            None
        );
        std::fs::write(&path, r#"{"schema_version": 1, "mailboxes": 5}"#).expect("written");
        Original::load(dir.path()).expect_err("damaged");
    }

    #[test]
    fn its_marker_has_name_delimiter_and_uidvalidity() {
        let read = |json: &str| meta(json.as_bytes());
        let caf = read(r#"{"mailbox": "Café", "message_count": 1, "uidvalidity": "1795644430"}"#);
        let caf = caf.expect("a marker");
        assert_eq!(caf.name.wire(), b"Caf&AOk-");
        assert_eq!((caf.name.text(), caf.uidvalidity), ("Café", 1_795_644_430));
        let work = read(r#"{"mailbox": "W.a/b", "source_delimiter": "/", "uidvalidity": 9}"#);
        let work = work.expect("a marker");
        assert_eq!((work.delimiter, work.uidvalidity), (Some('/'), 9));
        let dots = read(r#"{"mailbox": "INBOX.Sent"}"#).expect("a marker");
        assert_eq!((dots.delimiter, dots.uidvalidity), (Some('.'), 0));
        assert!(read(r#"{"name": "x", "wire": "x"}"#).is_none());
    }
}
