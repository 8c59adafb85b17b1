//! What imports have done on which target: `import.journal.jsonl`, one JSON object a line.
//!
//! `pending` is durable before a message is sent, `done` is written after the target has it, `settled` when it is sure
//! that nothing is under way: the target has refused the message, or it was not sent after all. A message that
//! is pending and neither may or may not be there: the next run looks before it sends it again.

mod line;
mod route;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use line::{BatchLine, JournalLine};
pub use route::{Done, Flags, Route, RouteRecord};

use crate::disk::{advised, file};
use crate::mailbox::uidset::UidSet;

/// Name of the file in the account's directory.
pub const FILE: &str = "import.journal.jsonl";
/// Longest line that is read, in bytes; a batch of messages takes a thousandth of that.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// The journal of one account, for one target.
pub struct Journal {
    path: PathBuf,
    /// `None` where nothing is to be written.
    file: Option<File>,
    target: String,
    known: HashMap<Route, RouteRecord>,
    /// Where each mailbox went last, by its directory.
    names: HashMap<String, String>,
    /// Prefix of all names there, where a refusal has said it.
    prefix: Option<String>,
    unwritten: Vec<u8>,
    interned: HashSet<Arc<str>>,
    /// Lines that could not be understood: their messages are looked for on the target.
    pub damaged: u64,
}

impl Journal {
    /// Opens the journal of an account's directory, creating it, and reads what concerns this target.
    ///
    /// A last line without its end, from a run that was killed, is cut off.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(dir: &Path, host: &str, port: u16, login: &str, read_only: bool) -> Result<Self> {
        let path = dir.join(FILE);
        let shown = path.display().to_string();
        let opened = if read_only {
            file::open(&path)
        } else {
            file::open_to_append(&path)
        };
        let file = match opened {
            Ok(file) => Some(file),
            Err(error) if read_only && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(advised(error)).with_context(|| format!("open {shown}")),
        };
        let mut journal = Self {
            path,
            file: None,
            target: format!("{login} at {host}:{port}"),
            known: HashMap::new(),
            names: HashMap::new(),
            prefix: None,
            unwritten: Vec::new(),
            interned: HashSet::new(),
            damaged: 0,
        };
        if let Some(file) = file {
            let whole = journal
                .read(&file)
                .with_context(|| format!("read {shown}"))?;
            if !read_only {
                if whole < file.metadata().map_or(whole, |there| there.len()) {
                    file.set_len(whole)
                        .with_context(|| format!("cut off the unfinished last line of {shown}"))?;
                }
                journal.file = Some(file);
            }
        }
        Ok(journal)
    }

    /// Returns how many bytes are whole lines.
    fn read(&mut self, file: &File) -> Result<u64> {
        let (mut whole, mut length) = (0, 0);
        let mut line = Vec::new();
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(0))?;
        loop {
            line.clear();
            let count = reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)?;
            if count == 0 {
                break;
            }
            let is_beginning = length == 0;
            length += count as u64;
            if !line.ends_with(b"\n") {
                continue;
            }
            whole += std::mem::take(&mut length);
            match serde_json::from_slice(&line) {
                Ok(line) if is_beginning => self.note(line),
                _ => self.damaged += 1,
            }
        }
        for known in self.known.values_mut() {
            known.pending.remove_all(&known.done);
        }
        Ok(whole)
    }

    fn note(&mut self, line: JournalLine) {
        match line {
            JournalLine::Pending(batch) if batch.target == self.target => {
                let (known, uids) = self.entry_of(batch);
                known.pending.insert_all(&uids);
            }
            JournalLine::Done {
                target,
                mailbox,
                uidvalidity,
                uid,
                to,
                to_uidvalidity,
                to_uid,
                sha256: _,
                flags,
                sent,
            } if target == self.target => {
                let flags = flags.map(|archived| Flags {
                    sent: self.intern(sent.as_deref().unwrap_or(&archived)),
                    archived: self.intern(&archived),
                });
                let known = self.entry(mailbox, uidvalidity, to, to_uidvalidity);
                known.finish(uid, to_uid, flags);
            }
            JournalLine::Settled(batch) if batch.target == self.target => {
                let (known, uids) = self.entry_of(batch);
                known.pending.remove_all(&uids);
            }
            JournalLine::Forgotten(batch) if batch.target == self.target => {
                *self.entry_of(batch).0 = RouteRecord::default();
            }
            JournalLine::Named {
                target,
                mailbox,
                to,
            } if target == self.target => {
                self.names.insert(mailbox, to);
            }
            JournalLine::Prefix { target, prefix } if target == self.target => {
                self.prefix = Some(prefix);
            }
            _ => {}
        }
    }

    fn entry_of(&mut self, batch: BatchLine) -> (&mut RouteRecord, UidSet) {
        let known = self.entry(
            batch.mailbox,
            batch.uidvalidity,
            batch.to,
            batch.to_uidvalidity,
        );
        (known, batch.uids)
    }

    fn batch(&self, route: &Route, uids: &UidSet) -> BatchLine {
        BatchLine {
            target: self.target.clone(),
            mailbox: route.directory.clone(),
            uidvalidity: route.uidvalidity,
            uids: uids.clone(),
            to: route.to.clone(),
            to_uidvalidity: route.to_uidvalidity,
        }
    }

    fn entry(
        &mut self,
        directory: String,
        uidvalidity: u32,
        to: String,
        to_uidvalidity: u32,
    ) -> &mut RouteRecord {
        self.names.insert(directory.clone(), to.clone());
        let route = Route {
            directory,
            uidvalidity,
            to,
            to_uidvalidity,
        };
        self.known.entry(route).or_default()
    }

    /// Few sets of flags occur, however many messages there are.
    fn intern(&mut self, flags: &str) -> Arc<str> {
        if let Some(known) = self.interned.get(flags) {
            return Arc::clone(known);
        }
        let flags: Arc<str> = flags.into();
        self.interned.insert(Arc::clone(&flags));
        flags
    }

    /// The mailbox on the target that messages of a directory went to last.
    #[must_use]
    pub fn name_of(&self, directory: &str) -> Option<&str> {
        self.names.get(directory).map(String::as_str)
    }

    /// All directories, with the mailbox on the target that messages of each went to last.
    pub fn directories(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.iter();
        names.map(|(directory, name)| (directory.as_str(), name.as_str()))
    }

    /// The prefix that the target has asked for in a refusal.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Notes the prefix that the target asks for; durable after [`Journal::commit`].
    pub fn learn_prefix(&mut self, prefix: &str) {
        if self.prefix() == Some(prefix) {
            return;
        }
        self.write(&JournalLine::Prefix {
            target: self.target.clone(),
            prefix: prefix.to_owned(),
        });
        self.prefix = Some(prefix.to_owned());
    }

    /// Notes where a mailbox goes whose planned name the target refuses; durable after [`Journal::commit`].
    pub fn learn_name(&mut self, directory: &str, to: &str) {
        if self.name_of(directory) == Some(to) {
            return;
        }
        self.write(&JournalLine::Named {
            target: self.target.clone(),
            mailbox: directory.to_owned(),
            to: to.to_owned(),
        });
        self.names.insert(directory.to_owned(), to.to_owned());
    }

    /// What is known of a route.
    #[must_use]
    pub fn known(&self, route: &Route) -> RouteRecord {
        self.known.get(route).cloned().unwrap_or_default()
    }

    /// The flags that a message on record has been given.
    #[must_use]
    pub fn flags_of(&self, route: &Route, uid: u32) -> Option<Flags> {
        self.known.get(route)?.flags.get(&uid).cloned()
    }

    /// True where something of a directory went, or was sent, to the mailbox of this name and UIDVALIDITY.
    #[must_use]
    pub fn has_filled(&self, directory: &str, to: &str, to_uidvalidity: u32) -> bool {
        self.known.iter().any(|(route, known)| {
            route.directory == directory
                && route.to == to
                && route.to_uidvalidity == to_uidvalidity
                && !(known.done.is_empty() && known.pending.is_empty())
        })
    }

    /// True for a name to which another directory went last.
    #[must_use]
    pub fn is_anothers(&self, directory: &str, to: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|(known, name)| known != directory && name == to)
    }

    /// Was one of these messages sent, to any mailbox, without an answer being seen?
    #[must_use]
    pub fn was_sent(
        &self,
        directory: &str,
        uidvalidity: u32,
        mut uids: impl Iterator<Item = u32>,
    ) -> bool {
        let of_these =
            |route: &Route| route.directory == directory && route.uidvalidity == uidvalidity;
        let routes = self.known.iter().filter(|(route, _)| of_these(route));
        let pending: Vec<&UidSet> = routes.map(|(_, known)| &known.pending).collect();
        uids.any(|uid| pending.iter().any(|set| set.contains(uid)))
    }

    /// Routes from a directory to a mailbox of this name that something is known of.
    #[must_use]
    pub fn routes(&self, directory: &str, to: &str) -> Vec<(Route, RouteRecord)> {
        let routes = self.known.iter().filter(|(route, known)| {
            route.directory == directory && route.to == to && !known.done.is_empty()
        });
        routes
            .map(|(route, known)| (route.clone(), known.clone()))
            .collect()
    }

    /// All routes by which something went.
    pub fn filled(&self) -> impl Iterator<Item = (&Route, &RouteRecord)> {
        self.known
            .iter()
            .filter(|(_, known)| !known.done.is_empty())
    }

    /// Notes that the mailbox of a route has another name now; durable after [`Journal::commit`].
    pub fn renamed(&mut self, route: &Route, to: &str) {
        let Some(known) = self.known.get(route).cloned() else {
            return;
        };
        // Another mailbox may have the name by now.
        self.forget(route);
        let route = Route {
            to: to.to_owned(),
            ..route.clone()
        };
        if !known.pending.is_empty() {
            self.pending(&route, &known.pending);
        }
        let to_uids: HashMap<u32, u32> = known.pairs.iter().copied().collect();
        for uid in known.done.iter() {
            let done = Done {
                uid,
                sha256: None,
                to_uid: to_uids.get(&uid).copied(),
                flags: known.flags.get(&uid).cloned(),
            };
            self.done(&route, &done);
        }
        self.names.insert(route.directory, route.to);
    }

    /// UIDs of a mailbox of the target that are on record, whatever they came from.
    #[must_use]
    pub fn claimed(&self, to: &str, to_uidvalidity: u32) -> UidSet {
        let mut claimed = UidSet::new();
        for (route, known) in &self.known {
            if route.to == to && route.to_uidvalidity == to_uidvalidity {
                claimed.insert_all(&known.to_uids);
            }
        }
        claimed
    }

    /// Messages of this mailbox that are pending on other routes than this one.
    #[must_use]
    pub fn pending_elsewhere(&self, than: &Route) -> Vec<(Route, UidSet)> {
        let others = self.known.iter().filter(|(route, known)| {
            route.directory == than.directory && *route != than && !known.pending.is_empty()
        });
        others
            .map(|(route, known)| (route.clone(), known.pending.clone()))
            .collect()
    }

    /// Notes that what is known of a route no longer holds; durable after [`Journal::commit`].
    pub fn forget(&mut self, route: &Route) {
        self.write(&JournalLine::Forgotten(self.batch(route, &UidSet::new())));
        self.known.remove(route);
    }

    /// Notes that these messages are about to be sent; durable after [`Journal::commit`].
    pub fn pending(&mut self, route: &Route, uids: &UidSet) {
        self.write(&JournalLine::Pending(self.batch(route, uids)));
        let known = self.known.entry(route.clone()).or_default();
        known.pending.insert_all(uids);
    }

    /// Notes that the target has a message; durable after [`Journal::commit`].
    pub fn done(&mut self, route: &Route, done: &Done) {
        self.write(&JournalLine::Done {
            target: self.target.clone(),
            mailbox: route.directory.clone(),
            uidvalidity: route.uidvalidity,
            uid: done.uid,
            sha256: done.sha256.clone(),
            to: route.to.clone(),
            to_uidvalidity: route.to_uidvalidity,
            to_uid: done.to_uid,
            flags: done.flags.as_ref().map(|flags| flags.archived.to_string()),
            sent: done
                .flags
                .as_ref()
                .filter(|flags| flags.sent != flags.archived)
                .map(|flags| flags.sent.to_string()),
        });
        let known = self.known.entry(route.clone()).or_default();
        known.finish(done.uid, done.to_uid, done.flags.clone());
    }

    /// Notes that these messages are no longer about to arrive, and not there; durable after [`Journal::commit`].
    pub fn settled(&mut self, route: &Route, uids: &UidSet) {
        self.write(&JournalLine::Settled(self.batch(route, uids)));
        let known = self.known.entry(route.clone()).or_default();
        known.pending.remove_all(uids);
    }

    fn write(&mut self, line: &JournalLine) {
        serde_json::to_writer(&mut self.unwritten, line)
            .expect("names, numbers and sets of them are JSON, and memory takes it");
        self.unwritten.push(b'\n');
    }

    /// Makes everything noted durable: one write, one sync.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn commit(&mut self) -> Result<()> {
        let Some(file) = self.file.as_mut().filter(|_| !self.unwritten.is_empty()) else {
            return Ok(());
        };
        let whole = file.metadata().map(|there| there.len());
        if let Err(error) = file
            .write_all(&self.unwritten)
            .and_then(|()| file.sync_data())
        {
            // A later write must not follow half a line. What cannot be cut off now will be read as a damaged line.
            let _ = whole.and_then(|whole| file.set_len(whole));
            return Err(advised(error)).with_context(|| format!("write {}", self.path.display()));
        }
        if !file::has_name(file, &self.path) {
            bail!(
                "{} was removed while the run was at work; what it said is looked for on the target next time",
                self.path.display()
            );
        }
        self.unwritten.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
