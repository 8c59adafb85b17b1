//! What lies in the directories of an archive, whether it belongs there or not.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::incoming::SPILL_PREFIX;
use super::{failed, journal, spent, state};
use crate::disk::file;

/// Name of the file that says which mailbox a directory holds.
pub const META_FILE: &str = ".mailbox.json";

/// Where pairs go that the source no longer has.
pub(super) const VANISHED: &str = ".vanished";

/// Where mailboxes go that the source no longer has.
pub(super) const VANISHED_MAILBOXES: &str = ".vanished-mailboxes";

/// What a directory entry is, by its name and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// The message file of a UID.
    Message(u32),
    /// The sidecar of a UID.
    Sidecar(u32),
    /// A directory that may hold a mailbox.
    Mailbox,
    /// `.mailbox.json`, the state, the lock and the other files of an account, and what was moved aside.
    Known,
    /// What a run that was killed leaves behind.
    Leftover,
    /// A symlink: nothing here follows it.
    Symlink,
    /// Anything else.
    Foreign,
}

/// An entry of a directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name; bytes that are no UTF-8 are replaced.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// The entries of an account's directory, sorted by name.
///
/// # Errors
/// Those of the file system.
pub fn account(dir: &Path) -> Result<Vec<Entry>> {
    entries(dir, |name, is_dir| match name {
        state::FILE | failed::FILE | journal::FILE | spent::FILE | ".lock" if !is_dir => {
            EntryKind::Known
        }
        VANISHED_MAILBOXES if is_dir => EntryKind::Known,
        _ if is_dir && !name.starts_with('.') => EntryKind::Mailbox,
        _ if is_leftover(name) && !is_dir => EntryKind::Leftover,
        _ => EntryKind::Foreign,
    })
}

/// The entries of a mailbox's directory, sorted by name.
///
/// # Errors
/// Those of the file system.
pub fn mailbox(dir: &Path) -> Result<Vec<Entry>> {
    entries(dir, |name, is_dir| {
        if is_dir {
            let aside = name == VANISHED || name.starts_with(".superseded-");
            return if aside {
                EntryKind::Known
            } else {
                EntryKind::Foreign
            };
        }
        match parse_name(OsStr::new(name)) {
            Some((uid, true)) => EntryKind::Message(uid),
            Some((uid, false)) => EntryKind::Sidecar(uid),
            None if name == META_FILE => EntryKind::Known,
            None if is_leftover(name) => EntryKind::Leftover,
            None => EntryKind::Foreign,
        }
    })
}

/// UID and kind of `u0000000042.eml`, `u42.json` and the like.
pub(super) fn parse_name(name: &OsStr) -> Option<(u32, bool)> {
    let (stem, extension) = name.to_str()?.rsplit_once('.')?;
    let is_message = match extension {
        "eml" => true,
        "json" => false,
        _ => return None,
    };
    let digits = stem.strip_prefix('u')?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let uid = digits.parse().ok().filter(|uid| *uid > 0)?;
    Some((uid, is_message))
}

/// What a run that was killed leaves behind.
pub(super) fn is_leftover(name: &str) -> bool {
    name.starts_with(SPILL_PREFIX)
        || name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".tmp"))
            .is_some()
}

fn entries(dir: &Path, kind: impl Fn(&str, bool) -> EntryKind) -> Result<Vec<Entry>> {
    let shown = dir.display();
    let mut found = Vec::new();
    for entry in file::entries(dir)? {
        let entry = entry?;
        let file_type = entry.file_type().with_context(|| format!("read {shown}"))?;
        let os_name = entry.file_name();
        let name = os_name.to_string_lossy().into_owned();
        let kind = if file_type.is_symlink() {
            EntryKind::Symlink
        } else if os_name.to_str().is_none() || !file_type.is_dir() && !file_type.is_file() {
            EntryKind::Foreign
        } else {
            kind(&name, file_type.is_dir())
        };
        found.push(Entry { name, kind });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The permissions of a file or directory that others than its owner have; 0 where there are none.
///
/// # Errors
/// Those of the file system.
pub fn open_mode(path: &Path) -> Result<u32> {
    let there =
        fs::symlink_metadata(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(others(&there))
}

/// The same of metadata.
#[must_use]
pub fn others(there: &fs::Metadata) -> u32 {
    there.mode() & 0o077
}
