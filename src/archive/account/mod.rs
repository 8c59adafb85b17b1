//! One account's directory: its lock, its state, and which directory holds which mailbox.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use unicode_normalization::UnicodeNormalization;

use super::listing::{self, EntryKind, VANISHED, VANISHED_MAILBOXES};
use super::lock::Lock;
use super::mailbox::MailboxDir;
use super::meta::{MailboxMeta, NameSource};
use super::original::Original;
use super::path::{self, digest, encode_name};
use super::state::{self, ExportState};
use crate::disk::file;
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;

/// Names in an account's directory that no mailbox may have.
const RESERVED: [&str; 4] = [
    state::FILE,
    super::failed::FILE,
    super::journal::FILE,
    super::spent::FILE,
];

/// How whole an archive is by its own record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The last export brought everything.
    Complete,
    /// It did not finish.
    Incomplete,
    /// This program's mailboxes are there, but no record: the first export was cut off, or the file is lost.
    RecordLost,
    /// There is no record: early versions of the original Python tool wrote none.
    NoRecord,
    /// It is empty.
    Empty,
}

/// Messages that the record of an archive has and the archive has not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Their UIDs.
    pub uids: UidSet,
    /// Those of which the record has only the number.
    pub unnamed: u64,
}

impl Lost {
    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.uids.len() + self.unnamed
    }
}

/// The archive of one account.
#[derive(Debug)]
pub struct AccountArchive {
    dir: PathBuf,
    /// `None` when it was opened for reading only.
    lock: Option<Lock>,
    state: Option<ExportState>,
    /// The original tool's, where it is one.
    original: Option<Original>,
    /// A mailbox has been written by this program.
    is_ours: bool,
    /// Directory name → mailbox, of those that are there or were given a name in this run.
    mailboxes: BTreeMap<String, MailboxMeta>,
    /// The same by name, and by what tells directories apart where case does not.
    by_name: HashMap<Name, String>,
    folded: HashSet<String>,
    /// Directories that were given a name in this run and are not made yet.
    unmade: HashSet<String>,
}

/// Creates the archive's root, 0700, with its parents.
///
/// # Errors
/// A directory that cannot be created or written.
pub fn create_root(root: &Path) -> Result<()> {
    file::make_parents(root)?;
    // The root itself may be a symlink: where the archive lies is for the administrator to decide.
    if !root.is_dir() {
        file::make_dir(root)?;
    }
    file::probe(root)
        .with_context(|| format!("the output directory {} cannot be written", root.display()))
}

/// The archive that is to be read must be there.
///
/// # Errors
/// There is no such directory.
pub fn require_root(root: &Path) -> Result<()> {
    if !root.is_dir() {
        bail!(
            "there is no archive at {}; name it with --input-dir",
            root.display()
        );
    }
    Ok(())
}

impl AccountArchive {
    /// The directory of an account.
    #[must_use]
    pub fn directory(root: &Path, account: &str) -> PathBuf {
        root.join(encode_name(account))
    }

    /// True where the archive has nothing of an account yet.
    #[must_use]
    pub fn is_new(root: &Path, account: &str) -> bool {
        !Self::directory(root, account).join(state::FILE).exists()
    }

    /// Opens an account's archive for writing, creating it; `command` is shown to whoever finds it locked.
    ///
    /// # Errors
    /// A run at work on it, a damaged state, those of the file system.
    pub fn open(root: &Path, account: &str, command: &str) -> Result<Self> {
        let dir = Self::directory(root, account);
        file::make_dir(&dir)?;
        let lock = Lock::take(&dir, account, command)?;
        for entry in listing::account(&dir)? {
            if entry.kind == EntryKind::Leftover {
                let path = dir.join(&entry.name);
                file::remove(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        Self::read(dir, Some(lock))
    }

    /// Opens it for reading, without a lock; `None` where there is none.
    ///
    /// # Errors
    /// A damaged state, those of the file system.
    pub fn open_read_only(root: &Path, account: &str) -> Result<Option<Self>> {
        let dir = Self::directory(root, account);
        if !file::check_dir(&dir)? {
            return Ok(None);
        }
        Self::read(dir, None).map(Some)
    }

    fn read(dir: PathBuf, lock: Option<Lock>) -> Result<Self> {
        let state = ExportState::load(&dir)?;
        let original = Original::load(&dir)?;
        let mut is_ours = false;
        let mut mailboxes = BTreeMap::new();
        for entry in file::entries(&dir)? {
            let entry = entry?;
            let kind = entry.file_type();
            let kind = kind.with_context(|| format!("read {}", dir.display()))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !kind.is_dir() || name.starts_with('.') {
                continue;
            }
            let of_state = state.as_ref().and_then(|state| state.mailbox(&name));
            let found = MailboxDir::new(entry.path()).identify(of_state)?;
            if let Some((meta, origin)) = found {
                is_ours |= matches!(origin, NameSource::Ours | NameSource::OurSidecars);
                mailboxes.insert(name, meta);
            }
        }
        let mut archive = Self {
            dir,
            lock,
            state,
            original,
            is_ours,
            mailboxes: BTreeMap::new(),
            by_name: HashMap::new(),
            folded: HashSet::new(),
            unmade: HashSet::new(),
        };
        for (directory, meta) in mailboxes {
            archive.note(directory, meta);
        }
        Ok(archive)
    }

    /// Where two directories claim one mailbox, the first in order has it.
    fn note(&mut self, directory: String, meta: MailboxMeta) {
        self.by_name
            .entry(meta.name.clone())
            .or_insert_with(|| directory.clone());
        self.folded.insert(folded(&directory));
        self.mailboxes.insert(directory, meta);
    }

    /// Is it open for writing, and nobody else at work on it?
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Is this the lasting part of what a mailbox's directory says?
    #[must_use]
    pub fn describes(&self, directory: &str, meta: &MailboxMeta) -> bool {
        let known = self.mailboxes.get(directory);
        known.is_some_and(|known| known.describes_same(meta))
    }

    /// The account's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The state as the last run left it.
    #[must_use]
    pub fn state(&self) -> Option<&ExportState> {
        self.state.as_ref()
    }

    /// How whole it is by its own record.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let state = self.state.as_ref().map(|state| state.complete);
        let original = self.original.as_ref().map(|original| original.complete);
        match state.or(original) {
            Some(true) => Standing::Complete,
            Some(false) => Standing::Incomplete,
            None if self.is_ours => Standing::RecordLost,
            None if self.mailboxes.is_empty() => Standing::Empty,
            None => Standing::NoRecord,
        }
    }

    /// Mailboxes that the record has and that are no longer there, by name, with their numbers of messages.
    #[must_use]
    pub fn lost_mailboxes(&self) -> Vec<(String, u64)> {
        let ours = self.state.iter().flat_map(|state| &state.mailboxes);
        let ours = ours.map(|one| (&one.directory, one.name.text(), one.messages));
        let theirs = self.original.iter().flat_map(|state| &state.mailboxes);
        let theirs = theirs.map(|one| (&one.path, one.mailbox.as_str(), one.messages));
        ours.chain(theirs)
            .filter(|(directory, ..)| self.is_lost(directory))
            .map(|(_, name, messages)| (name.to_owned(), messages))
            .collect()
    }

    /// Neither in its place nor moved aside by an export that ended before it could record that.
    fn is_lost(&self, directory: &str) -> bool {
        let gone = |dir: &Path| matches!(path::find(dir, directory), Ok(None));
        let is_written_down = self.standing() == Standing::Complete;
        gone(&self.dir) && (is_written_down || gone(&self.dir.join(VANISHED_MAILBOXES)))
    }

    /// What the record has of a mailbox's messages and is not among those that are there.
    #[must_use]
    pub fn lost_messages(&self, directory: &str, there: &UidSet) -> Lost {
        let state = self.state.as_ref();
        if let Some(known) = state.and_then(|state| state.mailbox(directory)) {
            let is_current = self.uidvalidity_of(directory) == Some(known.uidvalidity);
            let aside = self.dir.join(directory).join(VANISHED);
            let is_written_down = self.standing() == Standing::Complete;
            let is_lost = |uid: &u32| {
                !there.contains(*uid)
                    && (is_written_down || !aside.join(format!("u{uid:010}.eml")).exists())
            };
            return Lost {
                uids: known
                    .uids
                    .iter()
                    .filter(|_| is_current)
                    .filter(is_lost)
                    .collect(),
                unnamed: 0,
            };
        }
        let mailboxes = self.original.iter().flat_map(|state| &state.mailboxes);
        let known = mailboxes.filter(|one| one.path == directory);
        Lost {
            uids: UidSet::new(),
            unnamed: known
                .map(|one| one.messages.saturating_sub(there.len()))
                .sum(),
        }
    }

    /// The mailboxes on disk, and those that were given a directory in this run.
    pub fn mailboxes(&self) -> impl Iterator<Item = (&str, &MailboxMeta)> {
        self.mailboxes
            .iter()
            .map(|(directory, meta)| (directory.as_str(), meta))
    }

    /// The directory of the mailbox with this name.
    #[must_use]
    pub fn directory_of(&self, name: &Name) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// The directory for a mailbox: its own where it has one, else a new name that no other mailbox has,
    /// not even on a file system that ignores case. Nothing is created yet.
    pub fn assign_directory(&mut self, meta: MailboxMeta) -> String {
        if let Some(directory) = self.directory_of(&meta.name) {
            return directory.to_owned();
        }
        let plain = encode_name(meta.name.text());
        let directory = if self.is_taken(&plain) {
            apart(&meta)
        } else {
            plain
        };
        self.unmade.insert(directory.clone());
        self.note(directory.clone(), meta);
        directory
    }

    fn is_taken(&self, directory: &str) -> bool {
        let folded = folded(directory);
        RESERVED.contains(&folded.as_str())
            || self.folded.contains(&folded)
            || fs::symlink_metadata(self.dir.join(directory)).is_ok_and(|there| !there.is_dir())
    }

    /// The mailbox's directory, if it is on disk.
    ///
    /// # Errors
    /// Something else in its place.
    pub fn mailbox(&self, directory: &str) -> Result<Option<MailboxDir>> {
        if directory.is_empty() {
            return Ok(None);
        }
        let path = self.component(directory)?;
        Ok(file::check_dir(&path)?.then(|| MailboxDir::new(path)))
    }

    /// UIDVALIDITY of the pairs on disk; `None` where there are none.
    #[must_use]
    pub fn uidvalidity_of(&self, directory: &str) -> Option<u32> {
        let path = self.component(directory).ok()?;
        let on_disk = file::check_dir(&path).unwrap_or(false);
        let meta = self.mailboxes.get(directory).filter(|_| on_disk)?;
        Some(meta.uidvalidity)
    }

    /// Creates the mailbox's directory, and writes `.mailbox.json` where it changed. Returns the directory's name:
    /// another one than was assigned where the file system takes that for another mailbox's.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create_mailbox(
        &mut self,
        directory: &str,
        meta: MailboxMeta,
    ) -> Result<(String, MailboxDir)> {
        let mut directory = directory.to_owned();
        let mut path = self.component(&directory)?;
        if self.unmade.remove(&directory) && is_anothers(&path, &meta)? {
            self.mailboxes.remove(&directory);
            self.by_name.remove(&meta.name);
            directory = apart(&meta);
            path = self.component(&directory)?;
            if is_anothers(&path, &meta)? {
                bail!(
                    "{} holds another mailbox than \"{}\"",
                    path.display(),
                    meta.name.text()
                );
            }
        }
        file::make_dir(&path)?;
        let mailbox = MailboxDir::for_writing(path);
        if !mailbox.says(&meta)? {
            mailbox.write_meta(&meta)?;
        }
        self.note(directory.clone(), meta);
        mailbox.clean()?;
        Ok((directory, mailbox))
    }

    /// Moves a mailbox's directory to `.vanished-mailboxes/`, overwriting nothing. Returns the new place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn move_mailbox_away(&mut self, directory: &str) -> Result<PathBuf> {
        let from = self.component(directory)?;
        let parent = self.dir.join(VANISHED_MAILBOXES);
        file::make_dir(&parent)?;
        let to = parent.join(file::free_stem(&parent, directory, &[""])?);
        match file::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error)
                .with_context(|| format!("move {} to {}", from.display(), to.display()))?,
            _ => {}
        }
        self.folded.remove(&folded(directory));
        if let Some(meta) = self.mailboxes.remove(directory) {
            let mut others = self.mailboxes.iter();
            match others.find(|(_, other)| other.name == meta.name) {
                Some((other, _)) => self.by_name.insert(meta.name, other.clone()),
                None => self.by_name.remove(&meta.name),
            };
        }
        Ok(to)
    }

    /// The directory below `.vanished-mailboxes/` that held this mailbox last, under this UIDVALIDITY where one is
    /// given.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn vanished_mailbox(
        &self,
        name: &Name,
        uidvalidity: Option<u32>,
    ) -> Result<Option<PathBuf>> {
        let parent = self.dir.join(VANISHED_MAILBOXES);
        if !file::check_dir(&parent)? {
            return Ok(None);
        }
        let mut last = None;
        for entry in file::entries(&parent)? {
            let path = entry?.path();
            let Ok(true) = file::check_dir(&path) else {
                continue;
            };
            let Ok(Some((meta, _))) = MailboxDir::new(path.clone()).identify(None) else {
                continue;
            };
            let same = uidvalidity.is_none_or(|uidvalidity| meta.uidvalidity == uidvalidity);
            if meta.name != *name || !same {
                continue;
            }
            let changed = fs::symlink_metadata(&path).and_then(|there| there.modified());
            let changed = changed.ok();
            if last.as_ref().is_none_or(|(latest, _)| changed >= *latest) {
                last = Some((changed, path));
            }
        }
        Ok(last.map(|(_, path)| path))
    }

    /// Moves such a directory back to where its mailbox belongs.
    ///
    /// # Errors
    /// Those of the file system; a directory without `.mailbox.json`.
    pub fn bring_mailbox_back(&mut self, from: &Path) -> Result<()> {
        let shown = from.display();
        let found = MailboxDir::new(from.to_path_buf()).identify(None)?;
        let (meta, _) = found.with_context(|| format!("{shown} holds no mailbox"))?;
        let directory = self.assign_directory(meta);
        let to = self.component(&directory)?;
        file::rename(from, &to).with_context(|| format!("move {shown} to {}", to.display()))
    }

    /// A directory name comes from a state file too: only a plain component stays inside.
    fn component(&self, directory: &str) -> Result<PathBuf> {
        let mut components = Path::new(directory).components();
        match (components.next(), components.next()) {
            (Some(std::path::Component::Normal(_)), None) => Ok(self.dir.join(directory)),
            _ => bail!("\"{directory}\" is not the directory name of a mailbox"),
        }
    }
}

/// A directory name that no other mailbox has, whatever its file system takes for one name.
fn apart(meta: &MailboxMeta) -> String {
    let plain = encode_name(meta.name.text());
    format!("{plain}~{}", digest(meta.name.wire()))
}

/// One form for directories that a file system may take for one.
fn folded(directory: &str) -> String {
    let composed: String = directory.nfc().collect();
    composed.to_lowercase()
}

/// Does this directory hold another mailbox already? Names that differ may be one to the file system.
fn is_anothers(path: &Path, meta: &MailboxMeta) -> Result<bool> {
    if !file::check_dir(path)? {
        return Ok(false);
    }
    let there = MailboxDir::new(path.to_path_buf()).identify(None)?;
    Ok(there.is_some_and(|(there, _)| there.name != meta.name))
}

#[cfg(test)]
mod tests;
