//! One account's directory: its lock, its state, and which directory holds which mailbox.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use unicode_normalization::UnicodeNormalization;

use super::listing::{self, Kind, VANISHED, VANISHED_MAILBOXES};
use super::lock::Lock;
use super::mailbox::{MailboxDir, check_directory};
use super::meta::{MailboxMeta, Origin};
use super::original::Original;
use super::path::{self, digest, encode_name};
use super::state::{self, State};
use super::uidset::UidSet;
use crate::disk::{advised, file};
use crate::mailbox::Name;

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
    /// It did not come to its end.
    Incomplete,
    /// There is no record beside mailboxes of this program: the first export was cut off, or the file is lost.
    RecordLost,
    /// There is none, as early versions of the original Python tool leave it.
    NoRecord,
    /// There is nothing.
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
    state: Option<State>,
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
    if let Some(parent) = root
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent)
            .map_err(advised)
            .with_context(|| format!("create {}", parent.display()))?;
    }
    // The root itself may be a symlink: where the archive lies is the administrator's to say.
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

    /// Opens an account's archive for writing, creating it; `command` is for whoever finds it locked.
    ///
    /// # Errors
    /// A run at work on it, a damaged state, those of the file system.
    pub fn open(root: &Path, account: &str, command: &str) -> Result<Self> {
        let dir = Self::directory(root, account);
        file::make_dir(&dir)?;
        let lock = Lock::take(&dir, account, command)?;
        for entry in listing::account(&dir)? {
            if entry.kind == Kind::Leftover {
                let path = dir.join(&entry.name);
                fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
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
        if !check_directory(&dir)? {
            return Ok(None);
        }
        Self::read(dir, None).map(Some)
    }

    fn read(dir: PathBuf, lock: Option<Lock>) -> Result<Self> {
        let state = State::load(&dir)?;
        let original = Original::load(&dir)?;
        let mut is_ours = false;
        let mut mailboxes = BTreeMap::new();
        let shown = dir.display().to_string();
        for entry in fs::read_dir(&dir).with_context(|| format!("read {shown}"))? {
            let entry = entry.with_context(|| format!("read {shown}"))?;
            let kind = entry.file_type().with_context(|| format!("read {shown}"))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !kind.is_dir() || name.starts_with('.') {
                continue;
            }
            let of_state = state.as_ref().and_then(|state| state.mailbox(&name));
            let found = MailboxDir::new(entry.path()).identify(of_state)?;
            if let Some((meta, origin)) = found {
                is_ours |= matches!(origin, Origin::Ours | Origin::OurSidecars);
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
    pub fn state(&self) -> Option<&State> {
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

    /// Mailboxes that the record has and that are not there any more, by name, with their numbers of messages.
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

    /// Neither in its place nor moved aside by an export that did not come to writing it down.
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
        Ok(check_directory(&path)?.then(|| MailboxDir::new(path)))
    }

    /// UIDVALIDITY of the pairs on disk; `None` where there are none.
    #[must_use]
    pub fn uidvalidity_of(&self, directory: &str) -> Option<u32> {
        let path = self.component(directory).ok()?;
        let on_disk = check_directory(&path).unwrap_or(false);
        let meta = self.mailboxes.get(directory).filter(|_| on_disk)?;
        Some(meta.uidvalidity)
    }

    /// Creates the mailbox's directory, and writes `.mailbox.json` where it changed. Returns the directory's name: another
    /// one than was assigned where the file system takes that for another mailbox's.
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
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(advised(error))
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

    /// The directory below `.vanished-mailboxes/` that held this mailbox last, under this UIDVALIDITY where one is given.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn vanished_mailbox(
        &self,
        name: &Name,
        uidvalidity: Option<u32>,
    ) -> Result<Option<PathBuf>> {
        let parent = self.dir.join(VANISHED_MAILBOXES);
        if !check_directory(&parent)? {
            return Ok(None);
        }
        let shown = parent.display();
        let mut last = None;
        for entry in fs::read_dir(&parent).with_context(|| format!("read {shown}"))? {
            let path = entry.with_context(|| format!("read {shown}"))?.path();
            let Ok(true) = check_directory(&path) else {
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
        fs::rename(from, &to)
            .map_err(advised)
            .with_context(|| format!("move {shown} to {}", to.display()))
    }

    /// A directory name comes from a state file too: only a plain component stays inside.
    fn component(&self, directory: &str) -> Result<PathBuf> {
        let mut components = Path::new(directory).components();
        match (components.next(), components.next()) {
            (Some(std::path::Component::Normal(_)), None) => Ok(self.dir.join(directory)),
            _ => bail!("\"{directory}\" is no directory name of a mailbox"),
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
    if !check_directory(path)? {
        return Ok(false);
    }
    let there = MailboxDir::new(path.to_path_buf()).identify(None)?;
    Ok(there.is_some_and(|(there, _)| there.name != meta.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(name: &str, wire: &[u8]) -> MailboxMeta {
        MailboxMeta {
            name: Name::of_both(wire.to_vec(), name.to_owned()),
            delimiter: Some('/'),
            attributes: vec!["\\HasNoChildren".to_owned()],
            uidvalidity: 3,
        }
    }

    fn open(root: &Path) -> AccountArchive {
        AccountArchive::open(root, "../a@example.org", "export").expect("opened")
    }

    #[test]
    fn mailboxes_never_share_a_directory() {
        let root = tempfile::tempdir().expect("temporary directory");
        let mut archive = open(root.path());
        let mailboxes = [
            meta("Work", b"Work"),
            meta("work", b"work"),
            meta("Größe", b"Gr&APYA3w-e"),
            meta("Größe", "Größe".as_bytes()),
            meta("export-state.json", b"export-state.json"),
            meta("../../etc", b"../../etc"),
        ];
        let mut seen = std::collections::HashSet::new();
        for mailbox in &mailboxes {
            let directory = archive.assign_directory(mailbox.clone());
            assert!(seen.insert(folded(&directory)), "{directory}");
            archive
                .create_mailbox(&directory, mailbox.clone())
                .expect("created");
        }
        drop(archive);
        let again = open(root.path());
        for mailbox in &mailboxes {
            let directory = again.directory_of(&mailbox.name).expect("found");
            assert!(seen.contains(&folded(directory)));
        }
        assert_eq!(
            fs::read_dir(root.path()).expect("read").count(),
            1,
            "all stays inside"
        );
    }

    #[test]
    fn a_directory_that_the_file_system_takes_for_anothers_is_not_shared() {
        let root = tempfile::tempdir().expect("temporary directory");
        let mut archive = open(root.path());
        let (sharp, capital) = (meta("Straße", b"Stra&AN8-e"), meta("STRASSE", b"STRASSE"));
        let directory = archive.assign_directory(sharp.clone());
        // What a file system that folds them would show under either name.
        let twin = MailboxDir::new(archive.dir().join(&directory));
        file::make_dir(twin.path()).expect("made");
        twin.write_meta(&capital).expect("written");
        let (other, dir) = archive
            .create_mailbox(&directory, sharp.clone())
            .expect("created");
        assert_ne!(other, directory);
        assert_eq!(dir.path(), archive.dir().join(&other));
        assert_eq!(archive.directory_of(&sharp.name), Some(other.as_str()));
        assert!(
            twin.says(&capital).expect("read"),
            "the twin's is untouched"
        );
        drop(archive);
        let again = open(root.path());
        assert_eq!(again.directory_of(&sharp.name), Some(other.as_str()));
        assert_eq!(again.directory_of(&capital.name), Some(directory.as_str()));
    }

    #[test]
    fn what_a_killed_run_was_writing_is_removed() {
        let root = tempfile::tempdir().expect("temporary directory");
        let mut archive = open(root.path());
        let (_, dir) = archive
            .create_mailbox("A", meta("A", b"A"))
            .expect("created");
        let left = [
            archive.dir().join(".failed.jsonl.tmp"),
            dir.path().join(".mailbox.json.tmp"),
            dir.path().join(".incoming-1-1"),
        ];
        for path in &left {
            fs::write(path, "x").expect("written");
        }
        drop(archive);
        assert!(dir.scan().expect("scanned").leftovers);
        open(root.path());
        dir.clean().expect("cleaned");
        assert!(left.iter().all(|path| !path.exists()));
        assert!(!dir.scan().expect("scanned").leftovers);
    }

    /// An archive with a mailbox of these messages, and a state that claims so.
    fn recorded(root: &Path, uids: &str, complete: bool) -> MailboxDir {
        let mut archive = open(root);
        let (directory, dir) = archive
            .create_mailbox("A", meta("A", b"A"))
            .expect("created");
        let uids: UidSet = uids.parse().expect("a set");
        for uid in uids.iter() {
            for extension in ["eml", "json"] {
                let path = dir.path().join(format!("u{uid:010}.{extension}"));
                fs::write(path, "{}").expect("written");
            }
        }
        let known = state::MailboxState {
            directory,
            name: Name::new("A"),
            delimiter: Some('/'),
            attributes: Vec::new(),
            subscribed: false,
            uidvalidity: 3,
            uidnext: None,
            highestmodseq: None,
            messages: uids.len(),
            bytes: 0,
            complete,
            uidvalidity_moves: false,
            origin: None,
            uids,
        };
        let state = State {
            complete,
            mailboxes: vec![known],
            ..State::default()
        };
        state.save(archive.dir()).expect("saved");
        dir
    }

    #[test]
    fn what_the_record_has_and_the_disk_has_not_is_lost() {
        let root = tempfile::tempdir().expect("temporary directory");
        let dir = recorded(root.path(), "1:5", true);
        let lost = |there: &str| {
            let there = there.parse().expect("a set");
            let lost = open(root.path()).lost_messages("A", &there);
            assert_eq!(lost.count(), lost.uids.len());
            lost.uids.to_string()
        };
        assert_eq!(lost("1:5"), "");
        assert_eq!(lost("1:2,5,9"), "3:4");
        // A finished export has written down what it moved aside.
        dir.vanish(4).expect("moved");
        assert_eq!(lost("1:2,5"), "3:4");
        assert!(open(root.path()).lost_mailboxes().is_empty());
        fs::remove_dir_all(dir.path()).expect("removed");
        assert_eq!(open(root.path()).lost_mailboxes(), [("A".to_owned(), 5)]);
    }

    #[test]
    fn what_an_unfinished_export_moved_aside_is_not_lost() {
        let root = tempfile::tempdir().expect("temporary directory");
        let dir = recorded(root.path(), "1:3", false);
        dir.vanish(2).expect("moved");
        let there = "1".parse().expect("a set");
        assert_eq!(
            open(root.path())
                .lost_messages("A", &there)
                .uids
                .to_string(),
            "3"
        );
        open(root.path()).move_mailbox_away("A").expect("moved");
        assert!(open(root.path()).lost_mailboxes().is_empty());
    }

    #[test]
    fn an_archive_says_how_whole_it_is() {
        let root = tempfile::tempdir().expect("temporary directory");
        assert_eq!(open(root.path()).standing(), Standing::Empty);
        let dir = recorded(root.path(), "1", true);
        assert_eq!(open(root.path()).standing(), Standing::Complete);
        recorded(root.path(), "1", false);
        assert_eq!(open(root.path()).standing(), Standing::Incomplete);
        let account = open(root.path()).dir().to_path_buf();
        let state = account.join(state::FILE);
        fs::remove_file(&state).expect("removed");
        assert_eq!(open(root.path()).standing(), Standing::RecordLost);
        fs::remove_file(dir.path().join(".mailbox.json")).expect("removed");
        let sidecar = dir.path().join("u0000000001.json");
        fs::write(&sidecar, r#"{"mailbox":"A","uid":1,"size":2}"#).expect("written");
        assert_eq!(
            open(root.path()).standing(),
            Standing::RecordLost,
            "our sidecars"
        );
        fs::write(&sidecar, r#"{"mailbox":"A","uid":1}"#).expect("written");
        assert_eq!(open(root.path()).standing(), Standing::NoRecord);
        for (complete, expected) in [(true, Standing::Complete), (false, Standing::Incomplete)] {
            let json = serde_json::json!({"schema_version": 1, "complete": complete, "mailboxes": [
                {"mailbox": "A", "path": "A", "message_count": 3},
                {"mailbox": "B", "path": "B", "message_count": 2},
            ]});
            fs::write(&state, json.to_string()).expect("written");
            let archive = open(root.path());
            assert_eq!(archive.standing(), expected);
            let there = "1".parse().expect("a set");
            assert_eq!(archive.lost_messages("A", &there).count(), 2);
            assert_eq!(archive.lost_mailboxes(), [("B".to_owned(), 2)]);
        }
    }

    #[test]
    fn a_vanished_mailbox_overwrites_no_earlier_one() {
        let root = tempfile::tempdir().expect("temporary directory");
        let mut archive = open(root.path());
        let mut places = std::collections::HashSet::new();
        for _ in 0..3 {
            archive
                .create_mailbox("Old", meta("Old", b"Old"))
                .expect("created");
            places.insert(archive.move_mailbox_away("Old").expect("moved"));
        }
        assert_eq!(places.len(), 3);
        assert!(archive.directory_of(&Name::new("Old")).is_none());
    }

    #[test]
    fn no_name_leads_out() {
        let root = tempfile::tempdir().expect("temporary directory");
        let mut archive = open(root.path());
        for name in ["..", "a/b", "/etc", ".", ""] {
            archive
                .create_mailbox(name, meta("x", b"x"))
                .expect_err(name);
        }
        let outside = tempfile::tempdir().expect("temporary directory");
        std::os::unix::fs::symlink(outside.path(), archive.dir().join("link")).expect("symlink");
        archive
            .create_mailbox("link", meta("x", b"x"))
            .expect_err("a symlink");
    }
}
