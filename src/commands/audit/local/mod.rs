//! The archive of one account by itself: what lies there, and whether it is whole.

mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::inventory::Beside;
use super::pair::{self, Checked, MailboxClaims};
use crate::archive::account::AccountArchive;
use crate::archive::listing::{self, Entry, EntryKind};
use crate::archive::mailbox::MailboxDir;
use crate::archive::meta::{MailboxMeta, NameSource};
use crate::archive::original::Original;
use crate::archive::path;
use crate::archive::state::{ExportState, MailboxState};
use crate::filter::Filter;
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::uidset::UidSet;
use crate::plural::counted;
use crate::progress::{AccountProgress, Rest};
use crate::stop::Stop;

/// A mailbox of the archive.
pub struct ArchivedMailbox {
    /// Its directory.
    pub directory: String,
    /// What the directory holds.
    pub meta: MailboxMeta,
    /// Who says so.
    pub origin: NameSource,
    /// What the state says of it.
    pub state: Option<MailboxState>,
    /// Messages with message file and sidecar.
    pub pairs: UidSet,
    /// Messages that a finding calls missing or incomplete.
    pub known_missing: UidSet,
    /// Bytes of the message files.
    pub bytes: u64,
    /// What the sidecars say of flags and date, where it is wanted.
    pub beside: BTreeMap<u32, Beside>,
}

/// The archive of an account as it was found.
pub struct Local {
    /// Its mailboxes, those that are meant.
    pub mailboxes: Vec<ArchivedMailbox>,
    /// The state, where there is a readable one.
    pub state: Option<ExportState>,
    /// That of the original tool, where it is one.
    pub original: Option<Original>,
    /// This program has written into it.
    pub is_ours: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Lines for the manifest: digest and path below the archive's root.
    pub digests: Vec<(String, String)>,
    /// Digest of every message.
    pub proof: Vec<[u8; 32]>,
}

/// What the audit of an account needs.
pub struct AuditTask<'a> {
    /// The archive's root.
    pub root: &'a Path,
    /// The account.
    pub account: &'a str,
    /// The mailboxes that are meant.
    pub folders: &'a Filter,
    /// Threads that read messages.
    pub pool: &'a rayon::ThreadPool,
    /// Asks the run to stop.
    pub stop: &'a Stop,
    /// Digests are wanted.
    pub manifest: bool,
    /// Flags and dates are wanted.
    pub beside: bool,
}

/// Audits an account's directory.
///
/// # Errors
/// Those of the file system.
pub fn audit(task: &AuditTask<'_>, progress: &mut AccountProgress) -> Result<Local> {
    let dir = AccountArchive::directory(task.root, task.account);
    let mut audit = Audit {
        task,
        dir,
        local: Local {
            mailboxes: Vec::new(),
            state: None,
            original: None,
            is_ours: false,
            findings: Vec::new(),
            digests: Vec::new(),
            proof: Vec::new(),
        },
        unproven: 0,
    };
    audit.run(progress)?;
    Ok(audit.local)
}

/// What is to be read.
fn held(state: &ExportState) -> Rest {
    Rest {
        messages: state.mailboxes.iter().map(|mailbox| mailbox.messages).sum(),
        bytes: state.mailboxes.iter().map(|mailbox| mailbox.bytes).sum(),
        unsized_messages: 0,
    }
}

struct Audit<'a> {
    task: &'a AuditTask<'a>,
    dir: PathBuf,
    local: Local,
    /// Messages whose sidecar knows no digest.
    unproven: u64,
}

impl Audit<'_> {
    fn run(&mut self, progress: &mut AccountProgress) -> Result<()> {
        let loaded =
            ExportState::load(&self.dir).and_then(|state| Ok((state, Original::load(&self.dir)?)));
        match loaded {
            Ok((state, original)) => {
                self.local.is_ours = state.is_some();
                (self.local.state, self.local.original) = (state, original);
            }
            Err(error) => self.add(Code::UnreadableState, format!("{error:#}")),
        }
        if let Some(state) = &self.local.state {
            progress.expect(held(state));
        }
        let entries = listing::account(&self.dir)?;
        self.check_others(&self.dir.clone(), None, &entries)?;
        let directories: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Mailbox)
            .collect();
        for entry in directories {
            if self.task.stop.requested() {
                return Ok(());
            }
            self.mailbox(&entry.name, progress)?;
        }
        self.check_state()?;
        if self.unproven > 0 {
            let text = format!(
                "{} without sha256 in the sidecar, as the original tool leaves them: the bytes cannot be proved",
                counted(self.unproven, "message")
            );
            self.add(Code::NoDigest, text);
        }
        Ok(())
    }

    /// Is this directory there, in whatever form the file system gave its name?
    fn has(&self, directory: &str) -> Result<bool> {
        let found = path::find(&self.dir, directory);
        let found = found.with_context(|| format!("look into {}", self.dir.display()))?;
        Ok(found.is_some())
    }

    fn add(&mut self, code: Code, text: impl Into<String>) {
        let finding = Finding::new(code, self.task.account, text);
        self.local.findings.push(finding);
    }

    /// A path below the archive's root, for people.
    fn relative(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.task.root).unwrap_or(path);
        below.to_string_lossy().into_owned()
    }

    /// Everything in a directory that is not a message.
    fn check_others(&mut self, dir: &Path, mailbox: Option<&str>, entries: &[Entry]) -> Result<()> {
        let mut flaws = Vec::new();
        pair::flag_open_mode(listing::open_mode(dir)?, &mut flaws);
        let mut found: Vec<(PathBuf, pair::Flaw)> = flaws
            .into_iter()
            .map(|flaw| (dir.to_path_buf(), flaw))
            .collect();
        for entry in entries {
            let path = dir.join(&entry.name);
            let flaw = match entry.kind {
                EntryKind::Message(_) | EntryKind::Sidecar(_) | EntryKind::Mailbox => continue,
                EntryKind::Known => {
                    let mut flaws = Vec::new();
                    pair::flag_open_mode(listing::open_mode(&path)?, &mut flaws);
                    match flaws.pop() {
                        Some(flaw) => flaw,
                        None => continue,
                    }
                }
                EntryKind::Leftover => (
                    Code::Leftover.default_severity(),
                    Code::Leftover,
                    "was left by a run that was killed; the next export removes it, or it can be deleted".to_owned(),
                ),
                EntryKind::Symlink => (
                    Code::Symlink.default_severity(),
                    Code::Symlink,
                    "is a symlink: what it stands for is not part of the archive".to_owned(),
                ),
                EntryKind::Foreign => (
                    Code::ForeignFile.default_severity(),
                    Code::ForeignFile,
                    "does not belong in an archive".to_owned(),
                ),
            };
            found.push((path, flaw));
        }
        for (path, (severity, code, text)) in found {
            let file = self.relative(&path);
            let mut finding = Finding::new(code, self.task.account, text)
                .graded(severity)
                .in_file(file);
            finding.mailbox = mailbox.map(str::to_owned);
            self.local.findings.push(finding);
        }
        Ok(())
    }

    fn mailbox(&mut self, directory: &str, progress: &mut AccountProgress) -> Result<()> {
        let path = self.dir.join(directory);
        let state = self.local.state.as_ref();
        let state = state.and_then(|state| state.mailbox(directory)).cloned();
        let entries = listing::mailbox(&path)?;
        let meta = match MailboxDir::new(path.clone()).identify(state.as_ref()) {
            Ok(found) => found,
            Err(error) => {
                self.add_in(directory, Code::UnreadableMailbox, format!("{error:#}"));
                return Ok(());
            }
        };
        let Some((meta, origin)) = meta else {
            let text = "is a directory that holds no mailbox";
            let file = self.relative(&path);
            let finding = Finding::new(Code::ForeignFile, self.task.account, text);
            self.local.findings.push(finding.in_file(file));
            return Ok(());
        };
        self.local.is_ours |= matches!(origin, NameSource::Ours | NameSource::OurSidecars);
        if !self.task.folders.matches(meta.name.text()) {
            return Ok(());
        }
        progress.mailbox(meta.name.text());
        self.check_others(&path, Some(meta.name.text()), &entries)?;
        if matches!(origin, NameSource::State | NameSource::OurSidecars) {
            let text = "its .mailbox.json is missing, as after a copy without dot files; the next export writes it again";
            let finding = Finding::new(Code::UnreadableMailbox, self.task.account, text);
            let finding = finding
                .graded(Severity::Warning)
                .in_mailbox(meta.name.text());
            self.local.findings.push(finding);
        }
        let files = pairs(entries);
        let mut mailbox = ArchivedMailbox {
            directory: directory.to_owned(),
            meta,
            origin,
            state,
            pairs: UidSet::new(),
            known_missing: UidSet::new(),
            bytes: 0,
            beside: BTreeMap::new(),
        };
        self.check_files(&path, &files, &mut mailbox);
        self.check_messages(&path, &files, &mut mailbox, progress)?;
        self.compare_with_state(&mut mailbox);
        self.local.mailboxes.push(mailbox);
        Ok(())
    }

    fn add_in(&mut self, mailbox: &str, code: Code, text: impl Into<String>) {
        let finding = Finding::new(code, self.task.account, text).in_mailbox(mailbox);
        self.local.findings.push(finding);
    }

    /// Halves of pairs, and UIDs that two files claim.
    fn check_files(
        &mut self,
        dir: &Path,
        files: &BTreeMap<u32, UidFiles>,
        mailbox: &mut ArchivedMailbox,
    ) {
        for (uid, of_uid) in files {
            let (code, text, file) = match (&of_uid.messages[..], &of_uid.sidecars[..]) {
                ([_], [_]) => {
                    mailbox.pairs.insert(*uid);
                    continue;
                }
                ([message], []) => (
                    Code::NoSidecar,
                    "has no sidecar: unfinished, the next export fetches it again",
                    message,
                ),
                ([], [sidecar]) => (
                    Code::NoMessageFile,
                    "is a sidecar whose message file is missing; the next export fetches it again",
                    sidecar,
                ),
                ([_, more, ..], _) | (_, [_, more, ..]) => {
                    mailbox.pairs.insert(*uid);
                    (
                        Code::DuplicateUid,
                        "claims a UID that another file has too",
                        more,
                    )
                }
                ([], []) => continue,
            };
            if code != Code::DuplicateUid {
                mailbox.known_missing.insert(*uid);
            }
            let path = dir.join(file);
            let finding = Finding::new(code, self.task.account, text)
                .in_mailbox(mailbox.meta.name.text())
                .in_file(self.relative(&path))
                .of_uid(*uid);
            self.local.findings.push(finding);
        }
    }

    fn check_messages(
        &mut self,
        dir: &Path,
        files: &BTreeMap<u32, UidFiles>,
        mailbox: &mut ArchivedMailbox,
        progress: &mut AccountProgress,
    ) -> Result<()> {
        let whole: Vec<(u32, &UidFiles)> = files
            .iter()
            .filter(|(_, of_uid)| !of_uid.messages.is_empty() && !of_uid.sidecars.is_empty())
            .map(|(uid, of_uid)| (*uid, of_uid))
            .collect();
        let wire = String::from_utf8_lossy(mailbox.meta.name.wire()).into_owned();
        let expected = MailboxClaims {
            names: [mailbox.meta.name.text(), &wire],
            uidvalidity: Some(mailbox.meta.uidvalidity).filter(|value| *value > 0),
            digest: matches!(mailbox.origin, NameSource::Ours | NameSource::State)
                && self.local.state.is_some(),
        };
        let (stop, pool, read) = (self.task.stop, self.task.pool, progress.arriving());
        // A batch at a time, so that progress is shown and a stop is noticed.
        for batch in whole.chunks(2000) {
            if stop.requested() {
                return Ok(());
            }
            let checked: Vec<Result<Checked>> = pool.install(|| {
                batch
                    .par_iter()
                    .with_max_len(32)
                    .map(|(uid, of_uid)| {
                        let message = dir.join(&of_uid.messages[0]);
                        let sidecar = dir.join(&of_uid.sidecars[0]);
                        pair::check(&message, &sidecar, *uid, &expected)
                            .inspect(|checked| read.add(checked.bytes))
                    })
                    .collect()
            });
            for ((uid, of_uid), checked) in batch.iter().zip(checked) {
                let checked = checked?;
                mailbox.bytes += checked.bytes;
                self.unproven += u64::from(checked.unproven);
                if let Some(beside) = checked.beside.filter(|_| self.task.beside) {
                    mailbox.beside.insert(*uid, beside);
                }
                progress.message(checked.bytes);
                let path = dir.join(&of_uid.messages[0]);
                for (severity, code, text) in checked.flaws {
                    let finding = Finding::new(code, self.task.account, text)
                        .graded(severity)
                        .in_mailbox(mailbox.meta.name.text())
                        .in_file(self.relative(&path))
                        .of_uid(*uid);
                    self.local.findings.push(finding);
                }
                self.local.proof.extend(digest_of(&checked.sha256));
                if self.task.manifest && !checked.sha256.is_empty() {
                    self.local
                        .digests
                        .push((checked.sha256, self.relative(&path)));
                }
            }
        }
        Ok(())
    }
}

/// The files that claim a UID.
#[derive(Default)]
struct UidFiles {
    messages: Vec<String>,
    sidecars: Vec<String>,
}

fn pairs(entries: Vec<Entry>) -> BTreeMap<u32, UidFiles> {
    let mut files: BTreeMap<u32, UidFiles> = BTreeMap::new();
    for entry in entries {
        let names = match entry.kind {
            EntryKind::Message(uid) => &mut files.entry(uid).or_default().messages,
            EntryKind::Sidecar(uid) => &mut files.entry(uid).or_default().sidecars,
            _ => continue,
        };
        // Nearly always just one, and there may be a million of these.
        names.reserve_exact(1);
        names.push(entry.name);
    }
    files
}

/// The 32 bytes of a digest in hexadecimal digits.
fn digest_of(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
