//! What the archive knows of a message that a report names, so that people recognise it and find it.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::mailbox::MailboxDir;
use crate::clock;
use crate::disk::file;
use crate::message::{self, Envelope};

/// How much of a message is read for its header, in bytes.
const HEAD: u64 = 256 * 1024;

/// Date, sender, size and digest of a message. The subject is private: only where it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// When it came, UTC: INTERNALDATE, or what its header says where that is missing.
    pub date: Option<String>,
    /// Its sender.
    pub from: Option<String>,
    /// Its subject, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its bytes, as its sidecar says, or else as they are.
    pub size: Option<u64>,
    /// Its digest, as its sidecar says.
    pub sha256: Option<String>,
}

impl Excerpt {
    /// That of a message in a mailbox's directory; `None` where the archive has neither the message nor its sidecar.
    ///
    /// It only explains what was found already, so nothing that goes wrong here is an error.
    #[must_use]
    pub fn of(dir: &Path, uid: u32, with_subject: bool) -> Option<Self> {
        if !file::check_dir(dir).unwrap_or(false) {
            return None;
        }
        let dir = MailboxDir::new(dir.to_path_buf());
        let sidecar = dir.read_sidecar(uid).ok();
        let file = dir.open_message(uid).ok();
        let length = file.as_ref().and_then(|file| file.metadata().ok());
        let length = length.map(|there| there.len());
        let mut head = Vec::new();
        if let Some(file) = &file {
            // As far as it can be read.
            let _ = file.take(HEAD).read_to_end(&mut head);
        }
        if file.is_none() && sidecar.is_none() {
            return None;
        }
        let sidecar = sidecar.as_ref();
        let raw = sidecar.map_or("", |sidecar| sidecar.internaldate.as_str());
        let (date, _) = message::internaldate_for(raw, &head);
        let date = date.as_deref().and_then(message::timestamp);
        let envelope = Envelope::of(&head);
        Some(Self {
            date: date.and_then(|seconds| Some(clock::utc(u64::try_from(seconds).ok()?))),
            from: envelope.from,
            subject: envelope.subject.filter(|_| with_subject),
            size: sidecar.and_then(|sidecar| sidecar.size).or(length),
            sha256: sidecar.and_then(|sidecar| sidecar.sha256.clone()),
        })
    }
}
