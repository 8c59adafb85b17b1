//! `export-state.json`: what the last run knew of the source, and which messages were durable then.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::meta::MailboxMeta;
use super::name_json;
use super::path::same_name;
use crate::disk::file;
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;

/// Name of the file in the account's directory.
pub const FILE: &str = "export-state.json";
/// Version of the archive's format.
const FORMAT: u32 = 1;

/// The server that an account was exported from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceServer {
    /// Host as configured.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `implicit`, `starttls` or `none`.
    pub tls: String,
}

/// State of an account's export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportState {
    /// Version of the archive's format.
    pub format: u32,
    /// Name of the program that wrote it.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// The source.
    pub server: SourceServer,
    /// Login on the source.
    pub user: String,
    /// Start of the last run, UTC.
    pub started: String,
    /// Its end; `null` while it runs, or if it was cut off.
    pub finished: Option<String>,
    /// True when the last run brought everything it was to bring, durably.
    pub complete: bool,
    /// `--folder` patterns of the last run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// `--exclude-folder` patterns of the last run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_folders: Vec<String>,
    /// Prefix of the personal namespace (RFC 2342) on the source, in UTF-8; it does not say where a mailbox belongs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The mailboxes, in the server's order.
    pub mailboxes: Vec<MailboxState>,
}

/// State of one mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailboxState {
    /// Its directory.
    pub directory: String,
    /// Its name: `name` in UTF-8, `wire` as on the wire.
    #[serde(flatten, with = "name_json")]
    pub name: Name,
    /// Hierarchy delimiter; `null` for a flat name.
    pub delimiter: Option<char>,
    /// Attributes as listed.
    pub attributes: Vec<String>,
    /// True when it was subscribed.
    pub subscribed: bool,
    /// UIDVALIDITY; 0 where the server has none.
    pub uidvalidity: u32,
    /// UIDNEXT when the run looked at it.
    pub uidnext: Option<u32>,
    /// HIGHESTMODSEQ (RFC 7162) then.
    pub highestmodseq: Option<u64>,
    /// Messages in the archive.
    pub messages: u64,
    /// Their size, in bytes.
    pub bytes: u64,
    /// True when all messages of that moment are in the archive.
    pub complete: bool,
    /// UIDVALIDITY differs each time it is opened, while the messages are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uidvalidity_moves: bool,
    /// Login, host and port that it was exported from, where those are not the state's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The messages that were durable at the last checkpoint.
    pub uids: UidSet,
}

impl MailboxState {
    /// What its directory is to say of it.
    #[must_use]
    pub fn meta(&self) -> MailboxMeta {
        MailboxMeta {
            name: self.name.clone(),
            delimiter: self.delimiter,
            attributes: self.attributes.clone(),
            uidvalidity: self.uidvalidity,
        }
    }
}

impl Default for ExportState {
    fn default() -> Self {
        Self {
            format: FORMAT,
            tool: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server: SourceServer::default(),
            user: String::new(),
            started: String::new(),
            finished: None,
            complete: false,
            folders: Vec::new(),
            exclude_folders: Vec::new(),
            prefix: String::new(),
            mailboxes: Vec::new(),
        }
    }
}

impl ExportState {
    /// The state of an account's directory; `None` where there is none yet, or one of the original tool.
    ///
    /// # Errors
    /// A file that cannot be read or understood, or is of a newer format.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        let shown = path.display();
        let bytes = match file::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read {shown}")),
        };
        if is_of_original(&bytes) {
            return Ok(None);
        }
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| {
            anyhow!(
                "{shown} is damaged: {error}; rename it away and run again: messages in the archive are then checked by their sha256 instead of being fetched again"
            )
        })?;
        if state.format > FORMAT {
            bail!(
                "{shown} is of format {}, this program knows up to {FORMAT}; use a newer version",
                state.format
            );
        }
        Ok(Some(state))
    }

    /// What it says of the mailbox in a directory.
    #[must_use]
    pub fn mailbox(&self, directory: &str) -> Option<&MailboxState> {
        let exact = self.mailboxes.iter().find(|one| one.directory == directory);
        exact.or_else(|| {
            let mut mailboxes = self.mailboxes.iter();
            mailboxes.find(|one| same_name(&one.directory, directory))
        })
    }

    /// Where the account was exported from: login, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        let SourceServer { host, port, .. } = &self.server;
        format!("{}@{}:{port}", self.user, host.to_ascii_lowercase())
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).context("write the state as JSON")?;
        bytes.push(b'\n');
        file::replace_durably(&dir.join(FILE), &bytes)
    }
}

/// Is it the state of the original Python tool, and not ours?
pub(super) fn is_of_original(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        format: Option<serde_json::Value>,
        schema_version: Option<serde_json::Value>,
    }
    let head: Option<Head> = serde_json::from_slice(bytes).ok();
    head.is_some_and(|head| head.format.is_none() && head.schema_version.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(directory: &str) -> MailboxState {
        MailboxState {
            directory: directory.to_owned(),
            name: Name::new(directory),
            delimiter: Some('/'),
            attributes: vec!["\\Sent".to_owned()],
            subscribed: true,
            uidvalidity: 7,
            uidnext: Some(12),
            highestmodseq: None,
            messages: 3,
            bytes: 100,
            complete: true,
            uidvalidity_moves: false,
            origin: None,
            uids: "1:2,9".parse().expect("a set"),
        }
    }

    #[test]
    fn the_file_says_what_the_format_says() {
        let state = ExportState {
            complete: true,
            mailboxes: vec![mailbox("Sent")],
            ..ExportState::default()
        };
        let json = serde_json::to_value(&state).expect("valid");
        assert_eq!(
            (&json["format"], &json["complete"]),
            (&1.into(), &true.into())
        );
        assert!(json.get("folders").is_none(), "a whole run has no filter");
        let expected = serde_json::json!({
            "directory": "Sent", "name": "Sent", "wire": "Sent", "delimiter": "/", "attributes": ["\\Sent"],
            "subscribed": true, "uidvalidity": 7, "uidnext": 12, "highestmodseq": null, "messages": 3,
            "bytes": 100, "complete": true, "uids": "1:2,9",
        });
        assert_eq!(json["mailboxes"][0], expected);
        // What says nothing of its completeness is no state.
        let mut without = json.clone();
        without
            .as_object_mut()
            .expect("an object")
            .remove("complete");
        assert!(serde_json::from_value::<ExportState>(without).is_err());
        assert_eq!(
            serde_json::from_value::<ExportState>(json).expect("read"),
            state
        );
        assert!(!ExportState::default().complete);
    }

    #[test]
    fn a_mailbox_is_found_by_its_directory_also_in_another_composition() {
        let state = ExportState {
            mailboxes: vec![
                mailbox("Cafe\u{301}"),
                mailbox("Caf\u{e9}"),
                mailbox("Work"),
            ],
            ..ExportState::default()
        };
        let found = |directory: &str| state.mailbox(directory).map(|one| one.directory.clone());
        for exact in ["Cafe\u{301}", "Caf\u{e9}", "Work"] {
            assert_eq!(found(exact).as_deref(), Some(exact));
        }
        assert_eq!(found("work"), None);
        let meta = state.mailboxes[2].meta();
        assert_eq!((meta.name.text(), meta.uidvalidity), ("Work", 7));
    }

    #[test]
    fn a_damaged_or_newer_state_is_an_error_and_a_missing_one_is_none() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(ExportState::load(dir.path()).expect("none").is_none());
        let state = ExportState::default();
        state.save(dir.path()).expect("saved");
        assert_eq!(ExportState::load(dir.path()).expect("read"), Some(state));
        for (content, word) in [("{\"format\":", "damaged"), ("{\"format\":2,", "damaged")] {
            std::fs::write(dir.path().join(FILE), content).expect("written");
            let error = ExportState::load(dir.path())
                .expect_err("refused")
                .to_string();
            assert!(error.contains(word) && error.contains(FILE), "{error}");
        }
        let newer = ExportState {
            format: 2,
            ..ExportState::default()
        };
        newer.save(dir.path()).expect("saved");
        assert!(
            ExportState::load(dir.path())
                .expect_err("refused")
                .to_string()
                .contains("format 2")
        );
    }

    #[test]
    fn only_a_state_that_is_not_there_or_another_tools_is_none() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join(FILE);
        std::fs::write(&path, r#"{"schema_version":1}"#).expect("written");
        assert_eq!(ExportState::load(dir.path()).expect("read"), None);
        for ours in ["{}", r#"{"format":1,"schema_version":1}"#] {
            std::fs::write(&path, ours).expect("written");
            ExportState::load(dir.path()).expect_err("damaged");
        }
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("created");
        ExportState::load(dir.path()).expect_err("cannot be read");
    }

    #[test]
    fn an_origin_is_login_host_and_port_and_a_host_has_no_case() {
        let origin = |user: &str, host: &str, port| {
            let server = SourceServer {
                host: host.to_owned(),
                port,
                tls: "implicit".to_owned(),
            };
            let state = ExportState {
                server,
                user: user.to_owned(),
                ..ExportState::default()
            };
            state.origin()
        };
        let one = origin("anna", "a.example", 993);
        assert_eq!(origin("anna", "A.Example", 993), one);
        assert_ne!(origin("Anna", "a.example", 993), one);
        assert_ne!(origin("anna", "b.example", 993), one);
        assert_ne!(origin("anna", "a.example", 143), one);
    }
}
