//! One mailbox's directory: pairs of message file and sidecar, named by UID.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::incoming::Incoming;
use super::listing::{META_FILE, VANISHED, is_leftover, parse_name};
use super::meta::{MailboxMeta, NameSource};
use super::original::{self, guessed_delimiter};
use super::path::hex;
use super::sidecar::Sidecar;
use super::state::MailboxState;
use super::sync;
use crate::disk::{file, is_about_us};
use crate::mailbox::Name;

/// What lies in a mailbox's directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// UIDs with message file and sidecar, ascending.
    pub pairs: Vec<u32>,
    /// UIDs with a message file only: not finished.
    pub unfinished: Vec<u32>,
    /// UIDs with a sidecar only.
    pub orphans: Vec<u32>,
    /// There is something left that a killed run was writing.
    pub leftovers: bool,
}

/// A mailbox's directory.
#[derive(Debug, Clone)]
pub struct MailboxDir {
    dir: PathBuf,
    /// Each file is synced when it is written.
    sync_each: bool,
}

impl MailboxDir {
    /// The directory as a mailbox's.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            sync_each: false,
        }
    }

    /// The same to be written into: where one sync for all does not reach the disk, each file is synced.
    pub(super) fn for_writing(dir: PathBuf) -> Self {
        Self {
            sync_each: sync::needs_each(&dir),
            dir,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What is there. Files that belong to no message are skipped.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn scan(&self) -> Result<Scan> {
        let mut found: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
        let mut scan = Scan::default();
        for entry in file::entries(&self.dir)? {
            let entry = entry?;
            if let Some((uid, is_message)) = parse_name(&entry.file_name()) {
                let both = found.entry(uid).or_default();
                if is_message {
                    both.0 = true;
                } else {
                    both.1 = true;
                }
            } else {
                scan.leftovers |= is_leftover(&entry.file_name().to_string_lossy());
            }
        }
        for (uid, both) in found {
            match both {
                (true, true) => scan.pairs.push(uid),
                (true, false) => scan.unfinished.push(uid),
                _ => scan.orphans.push(uid),
            }
        }
        Ok(scan)
    }

    /// Which mailbox it holds, and who says so; `None` where nobody does.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn identify(
        &self,
        state: Option<&MailboxState>,
    ) -> Result<Option<(MailboxMeta, NameSource)>> {
        if let Some(found) = load_meta(&self.dir)? {
            return Ok(Some(found));
        }
        if let Some(state) = state {
            return Ok(Some((state.meta(), NameSource::State)));
        }
        self.of_sidecars()
    }

    /// Is this what its `.mailbox.json` says, to the last byte of the name?
    pub(super) fn says(&self, meta: &MailboxMeta) -> Result<bool> {
        let written = load_meta(&self.dir)?;
        Ok(written.is_some_and(|(written, origin)| {
            origin == NameSource::Ours && written == *meta && written.name.is_written_as(&meta.name)
        }))
    }

    /// Replaces its `.mailbox.json`.
    pub(super) fn write_meta(&self, meta: &MailboxMeta) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(meta).context("write JSON")?;
        bytes.push(b'\n');
        self.replace(&self.dir.join(META_FILE), &bytes)
    }

    /// What the sidecars say, as early versions of the original Python tool leave them.
    ///
    /// Its names are as the server listed them; it kept neither delimiter nor UIDVALIDITY. Sidecars with a digest are of
    /// later versions, or this program's: their names are decoded.
    fn of_sidecars(&self) -> Result<Option<(MailboxMeta, NameSource)>> {
        for uid in self.scan()?.pairs {
            let Ok(sidecar) = self.read_sidecar(uid) else {
                continue;
            };
            if sidecar.mailbox.is_empty() {
                continue;
            }
            let given = sidecar.extra.get("source_delimiter");
            let given = given.and_then(|text| text.as_str()?.chars().next());
            let guessed = || guessed_delimiter(&sidecar.mailbox);
            let delimiter = Some(given.unwrap_or_else(guessed));
            let name = match sidecar.sha256 {
                Some(_) => Name::new(sidecar.mailbox),
                None => Name::listed(sidecar.mailbox),
            };
            let meta = MailboxMeta {
                name,
                delimiter,
                attributes: Vec::new(),
                uidvalidity: sidecar.uidvalidity.unwrap_or(0),
            };
            // The original tool says no `size`.
            let origin = match sidecar.size {
                Some(_) => NameSource::OurSidecars,
                None => NameSource::Sidecars,
            };
            return Ok(Some((meta, origin)));
        }
        Ok(None)
    }

    /// Bytes of message files, added up.
    ///
    /// # Errors
    /// Those of the file system; a missing file.
    pub fn bytes(&self, uids: impl Iterator<Item = u32>) -> Result<u64> {
        let mut sum = 0;
        for uid in uids {
            let path = self.message_path(uid);
            let there = fs::symlink_metadata(&path);
            sum += there
                .with_context(|| format!("look at {}", path.display()))?
                .len();
        }
        Ok(sum)
    }

    /// Path of a message file.
    #[must_use]
    pub fn message_path(&self, uid: u32) -> PathBuf {
        self.existing(uid, "eml")
    }

    /// Opens a message file for reading, unless it is a symlink or no file.
    ///
    /// # Errors
    /// Those of the file system, naming the path.
    pub fn open_message(&self, uid: u32) -> Result<fs::File> {
        file::open_regular(&self.message_path(uid))
    }

    /// Bytes of a message file, where there is one.
    #[must_use]
    pub fn message_length(&self, uid: u32) -> Option<u64> {
        let there = fs::symlink_metadata(self.message_path(uid)).ok()?;
        there.is_file().then_some(there.len())
    }

    /// Path of a sidecar.
    #[must_use]
    pub fn sidecar_path(&self, uid: u32) -> PathBuf {
        self.existing(uid, "json")
    }

    fn canonical(&self, uid: u32, extension: &str) -> PathBuf {
        self.dir.join(format!("u{uid:010}.{extension}"))
    }

    /// The canonical name, or that of the original Python tool where only it exists.
    fn existing(&self, uid: u32, extension: &str) -> PathBuf {
        let canonical = self.canonical(uid, extension);
        let short = self.dir.join(format!("u{uid}.{extension}"));
        if short != canonical && short.exists() && !canonical.exists() {
            return short;
        }
        canonical
    }

    /// Reads a sidecar.
    ///
    /// # Errors
    /// A missing or broken one.
    pub fn read_sidecar(&self, uid: u32) -> Result<Sidecar> {
        let path = self.canonical(uid, "json");
        let bytes = match file::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file::read(&self.existing(uid, "json"))
            }
            other => other,
        };
        let shown = path.display();
        let bytes = bytes.with_context(|| format!("read {shown}"))?;
        Sidecar::parse(&bytes).with_context(|| format!("{shown} is not a sidecar"))
    }

    /// True when the message file has the size and sha256 that its sidecar says. A broken sidecar vouches for nothing, and
    /// what cannot be read is not there.
    ///
    /// # Errors
    /// Those of this process and its limits.
    pub fn verify(&self, uid: u32) -> Result<bool> {
        let Ok(sidecar) = self.read_sidecar(uid) else {
            return Ok(false);
        };
        let (Some(size), Some(sha256)) = (sidecar.size, sidecar.sha256) else {
            return Ok(false);
        };
        match self.digest(uid) {
            Ok(digest) => Ok(sidecar.uid == uid && digest == Some((size, sha256))),
            Err(error) if is_about_us(error.as_ref()) => Err(error),
            Err(error) => {
                warn!(uid, "{error:#}");
                Ok(false)
            }
        }
    }

    /// Size and sha256 of a message file; `None` where there is none.
    fn digest(&self, uid: u32) -> Result<Option<(u64, String)>> {
        let path = self.message_path(uid);
        let mut message = match file::open(&path) {
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
        };
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0;
        loop {
            let count = message
                .read(&mut buffer)
                .with_context(|| format!("read {}", path.display()))?;
            if count == 0 {
                return Ok(Some((size, hex(&digest.finalize()))));
            }
            digest.update(&buffer[..count]);
            size += count as u64;
        }
    }

    /// A place for the next body.
    #[must_use]
    pub fn incoming(&self) -> Incoming {
        Incoming::new(&self.dir)
    }

    /// True when the message file holds the same bytes as the body that arrived.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn holds(&self, uid: u32, incoming: &Incoming) -> Result<bool> {
        Ok(self.digest(uid)? == Some((incoming.len(), incoming.sha256())))
    }

    /// Stores a message: the `.eml`, then the sidecar that commits it. Returns the sidecar as written.
    ///
    /// An unfinished message file is replaced; a sidecar that is there already is an error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store(&self, incoming: &mut Incoming, sidecar: Sidecar) -> Result<Sidecar> {
        let sidecar = Sidecar {
            size: Some(incoming.len()),
            sha256: Some(incoming.sha256()),
            ..sidecar
        };
        let message = self.canonical(sidecar.uid, "eml");
        let path = self.canonical(sidecar.uid, "json");
        if fs::symlink_metadata(&path).is_ok() {
            bail!(
                "{} is there already: the message that it vouches for is not overwritten",
                path.display()
            );
        }
        incoming
            .place(&message)
            .and_then(|()| self.sync(&message))
            .with_context(|| format!("write {}", message.display()))?;
        let json = sidecar.to_json().context("write the sidecar as JSON")?;
        file::write_new(&path, &json)
            .and_then(|()| self.sync(&path))
            .with_context(|| format!("write {}", path.display()))?;
        Ok(sidecar)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.sync_each {
            return file::sync(path);
        }
        Ok(())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if self.sync_each {
            return file::replace_durably(path, bytes);
        }
        file::replace(path, bytes)
    }

    /// Replaces a sidecar.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn rewrite_sidecar(&self, sidecar: &Sidecar) -> Result<()> {
        let json = sidecar.to_json().context("write the sidecar as JSON")?;
        self.replace(&self.sidecar_path(sidecar.uid), &json)
    }

    /// Writes a fresh sidecar for a message file that is known to be right, keeping fields that others added.
    ///
    /// # Errors
    /// Those of the file system; a missing message file.
    pub fn renew_sidecar(&self, sidecar: Sidecar) -> Result<()> {
        let uid = sidecar.uid;
        let (size, sha256) = self
            .digest(uid)?
            .ok_or_else(|| anyhow!("{} is gone", self.message_path(uid).display()))?;
        let extra = self.read_sidecar(uid).map(|old| old.extra);
        self.rewrite_sidecar(&Sidecar {
            size: Some(size),
            sha256: Some(sha256),
            extra: extra.unwrap_or_default(),
            ..sidecar
        })
    }

    /// Moves a pair that the source no longer has to `.vanished/`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn vanish(&self, uid: u32) -> Result<()> {
        self.move_pair(uid, VANISHED)
    }

    /// Moves a pair aside that is damaged, or whose UID belongs to another message now.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn set_aside(&self, uid: u32, uidvalidity: u32) -> Result<()> {
        self.move_pair(uid, &superseded(uidvalidity))
    }

    /// Moves all pairs aside after a change of UIDVALIDITY. Returns their number.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn supersede(&self, old_uidvalidity: u32) -> Result<u64> {
        let scan = self.scan()?;
        let uids = [scan.pairs, scan.unfinished, scan.orphans].concat();
        for uid in &uids {
            self.move_pair(*uid, &superseded(old_uidvalidity))?;
        }
        Ok(uids.len() as u64)
    }

    /// The sidecar goes first: a kill in between leaves an unfinished message file, and no pair twice.
    fn move_pair(&self, uid: u32, to: &str) -> Result<()> {
        let target = self.dir.join(to);
        file::make_dir(&target)?;
        let stem = file::free_stem(&target, &format!("u{uid:010}"), &[".json", ".eml"])?;
        for (from, to) in [
            (self.sidecar_path(uid), target.join(format!("{stem}.json"))),
            (self.message_path(uid), target.join(format!("{stem}.eml"))),
        ] {
            match file::rename(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("move {} to {}", from.display(), to.display()));
                }
                _ => {}
            }
        }
        for dir in [&target, &self.dir] {
            self.sync(dir)
                .with_context(|| format!("sync {}", dir.display()))?;
        }
        Ok(())
    }

    /// Removes what a killed run left of files that were being written. Nobody else may be at work here.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clean(&self) -> Result<()> {
        for entry in file::entries(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && is_leftover(&name.to_string_lossy()) {
                let path = entry.path();
                file::remove(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn superseded(uidvalidity: u32) -> String {
    format!(".superseded-{uidvalidity}")
}

/// Reads the directory's `.mailbox.json`; `None` where there is none, or a power loss left it without bytes.
///
/// # Errors
/// A file that cannot be read or understood.
fn load_meta(dir: &Path) -> Result<Option<(MailboxMeta, NameSource)>> {
    let path = dir.join(META_FILE);
    let shown = path.display();
    let bytes = match file::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {shown}")),
    };
    // A file's name can survive a power loss that its bytes do not: nothing that relies on it was committed.
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if let Some(meta) = original::meta(&bytes) {
        return Ok(Some((meta, NameSource::Original)));
    }
    let meta = serde_json::from_slice(&bytes).with_context(|| {
        format!("{shown} is damaged; if the server still has the mailbox, move its directory out of the archive and export again")
    })?;
    Ok(Some((meta, NameSource::Ours)))
}

#[cfg(test)]
mod tests;
