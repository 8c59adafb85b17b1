//! What a run is about: known before it begins, whatever becomes of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::fleet::shard::Part;
use crate::mode::{Mode, Phase};
use crate::redact::redacted;

/// Which accounts and mailboxes were meant, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Of `--account`.
    pub account: Vec<String>,
    /// Of `--exclude-account`.
    pub exclude_account: Vec<String>,
    /// Of `--folder`.
    pub folder: Vec<String>,
    /// Of `--exclude-folder`.
    pub exclude_folder: Vec<String>,
}

/// Which end of a move a server is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Mail comes from it.
    #[default]
    Source,
    /// Mail goes to it.
    Target,
}

/// A server of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Which end it is.
    #[serde(default)]
    pub end: End,
    /// What accounts call it; the default one has no name.
    pub name: Option<String>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `implicit`, `starttls` or `none`.
    pub protection: String,
    /// Version, certificate and its expiry, where there was a TLS connection.
    pub tls: Option<String>,
}

/// A run that is to begin.
#[derive(Debug, Clone)]
pub struct About {
    /// What is to be done.
    pub mode: Mode,
    /// Nothing is to be changed.
    pub dry_run: bool,
    /// The configuration's file.
    pub config: String,
    /// What it means, without secrets.
    pub config_sha256: String,
    /// The archive's root.
    pub archive: String,
    /// Which part of the accounts.
    pub shard: Option<Part>,
    /// Of those that are meant.
    pub servers: Vec<ServerReport>,
    /// What was typed to choose among accounts and mailboxes.
    pub filters: Filters,
    /// How many of 10,000 messages are read back.
    pub sample: Option<u32>,
    /// A migration ends each account after this phase.
    pub until: Option<Phase>,
    /// Known already.
    pub warnings: Vec<String>,
}

impl About {
    /// A run of which only the mode is known.
    #[must_use]
    pub fn unknown(mode: Mode) -> Self {
        Self {
            mode,
            dry_run: false,
            config: String::new(),
            config_sha256: String::new(),
            archive: String::new(),
            shard: None,
            servers: Vec::new(),
            filters: Filters::default(),
            sample: None,
            until: None,
            warnings: Vec::new(),
        }
    }
}

/// The command line, without secrets and without the directory of the program.
#[must_use]
pub fn command() -> Vec<String> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = |word: String| {
        let name = Path::new(&word).file_name().map(|n| n.to_string_lossy());
        name.map_or(word.clone(), std::borrow::Cow::into_owned)
    };
    words
        .enumerate()
        .map(|(index, word)| {
            let word = if index == 0 { program(word) } else { word };
            redacted(&word).into_owned()
        })
        .collect()
}
