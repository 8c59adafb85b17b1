//! The archive's side of an export: commits messages, keeps the state durable.
//!
//! Deals in UIDs and directories; it does not know where the bytes come from.

mod record;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use tracing::{debug, info, warn};

use super::job::{Job, JobId, Jobs};
use crate::archive::account::AccountArchive;
use crate::archive::checkpoint::Checkpoint;
use crate::archive::incoming::Incoming;
use crate::archive::mailbox::MailboxDir;
use crate::archive::sidecar::Sidecar;
use crate::archive::state::ExportState;
use crate::archive::sync::Syncer;
use crate::archive::writer::Writer;
use crate::disk::space::{self, Promise};
use crate::message;
use crate::plural;
use crate::session::fetch::Message;

/// The account's archive while an export works on it.
pub struct Store {
    archive: AccountArchive,
    state: ExportState,
    open: HashMap<JobId, MailboxDir>,
    writer: Writer,
    checkpoint: Checkpoint,
    min_free: u64,
    /// Room for what is still to come.
    room: Promise,
    /// The state on disk does not claim to be complete while this run changes the archive.
    unclaimed: bool,
    /// Directories of mailboxes that the server no longer has.
    moved: HashSet<String>,
}

impl Store {
    /// A store over a locked archive; `state` is the one to be written, without mailboxes.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(
        archive: AccountArchive,
        state: ExportState,
        syncer: Arc<Syncer>,
        min_free: u64,
        room: Promise,
    ) -> Result<Self> {
        syncer.include(archive.dir())?;
        Ok(Self {
            archive,
            writer: Writer::start()?,
            state,
            open: HashMap::new(),
            checkpoint: Checkpoint::new(syncer),
            min_free,
            room,
            unclaimed: false,
            moved: HashSet::new(),
        })
    }

    /// The archive.
    pub fn archive(&mut self) -> &mut AccountArchive {
        &mut self.archive
    }

    /// The source has said the prefix of its personal namespace.
    pub fn comes_from(&mut self, prefix: &str) {
        prefix.clone_into(&mut self.state.prefix);
    }

    /// Before a change: a run that is cut off leaves no state that calls the archive complete.
    fn touch(&mut self) -> Result<()> {
        self.checkpoint.touch();
        if self.unclaimed {
            return Ok(());
        }
        self.unclaimed = true;
        let before = self.archive.state();
        if before.is_some_and(|before| !before.complete) {
            return Ok(());
        }
        ExportState {
            complete: false,
            finished: None,
            ..before.unwrap_or(&self.state).clone()
        }
        .save(self.archive.dir())
    }

    /// Opens the mailbox's directory, creating it; pairs of an older UIDVALIDITY move aside.
    ///
    /// # Errors
    /// Those of the file system, naming the path.
    pub fn open(&mut self, id: JobId, job: &mut Job) -> Result<()> {
        let old = self.archive.uidvalidity_of(job.directory());
        let new = job.freeze().uidvalidity;
        let known = self.open.contains_key(&id);
        if known && old == Some(new) {
            job.opened();
            return Ok(());
        }
        if old.is_some_and(|old| old != new) {
            self.supersede(job)?;
            job.begins_anew();
        }
        self.touch()?;
        let (directory, dir) = self.archive.create_mailbox(job.directory(), job.meta())?;
        job.goes_to(directory);
        self.checkpoint.include(dir.path())?;
        self.open.insert(id, dir);
        job.opened();
        Ok(())
    }

    /// Opens the mailbox's directory as it is, to compare it with what the server has.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn look(&mut self, id: JobId, job: &Job) -> Result<()> {
        if let Some(dir) = self.archive.mailbox(job.directory())? {
            self.open.insert(id, dir);
        }
        Ok(())
    }

    /// Moves all pairs aside: they belong to a mailbox that the server does not have.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn supersede(&mut self, job: &mut Job) -> Result<()> {
        self.writer.drain()?;
        self.touch()?;
        let old = self.archive.uidvalidity_of(job.directory());
        let old = old.unwrap_or_default();
        let new = job.freeze().uidvalidity;
        let dir = self.archive.mailbox(job.directory())?;
        let moved = dir
            .map_or(Ok(0), |dir| dir.supersede(old))
            .with_context(|| format!("move messages of UIDVALIDITY {old} aside"))?;
        if moved == 0 {
            return Ok(());
        }
        let cause = match job.origin() {
            Some(origin) => format!("the archive holds another mailbox, of {origin}"),
            None => format!("UIDVALIDITY changed from {old} to {new}"),
        };
        let messages = plural::counted(moved, "message");
        let note = format!("{cause}: {messages} moved to .superseded-{old}, all fetched again");
        warn!("{note}");
        job.tell(note);
        Ok(())
    }

    /// True where date and size of a message are those of its sidecar, as far as both are known.
    ///
    /// # Errors
    /// Those of messages that could not be written before.
    pub fn is_alike(
        &self,
        id: JobId,
        uid: u32,
        internaldate: Option<&str>,
        announced: Option<u64>,
    ) -> Result<bool> {
        self.writer.drain()?;
        let Ok(sidecar) = self.dir(id)?.read_sidecar(uid) else {
            return Ok(false);
        };
        let same_date = internaldate.is_none_or(|date| same_date(date, &sidecar.internaldate));
        let size = sidecar.rfc822_size.or(sidecar.size);
        let same_size = announced.zip(size).is_none_or(|(now, then)| now == then);
        Ok(same_date && same_size)
    }

    /// True where the message file holds these bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn is_same(&self, id: JobId, uid: u32, incoming: &Incoming) -> Result<bool> {
        self.dir(id)?.holds(uid, incoming)
    }

    /// Where bodies of this mailbox go.
    #[must_use]
    pub fn place(&self, id: JobId) -> Option<&MailboxDir> {
        self.open.get(&id)
    }

    fn dir(&self, id: JobId) -> Result<&MailboxDir> {
        self.open
            .get(&id)
            .context("the mailbox directory is not open")
    }

    /// Hands the message whose body has arrived to the writer, unless the archive has it already.
    ///
    /// # Errors
    /// Those of the file system, also for messages before this one.
    pub fn commit(
        &mut self,
        id: JobId,
        job: &Job,
        message: Message,
        incoming: Incoming,
    ) -> Result<Stored> {
        if incoming.len() != message.length {
            bail!("the body does not belong to uid {}", message.uid);
        }
        self.touch()?;
        let uid = message.uid;
        let sidecar = Sidecar {
            mailbox: job.name().to_owned(),
            uid,
            uidvalidity: Some(job.freeze().uidvalidity),
            flags: message.flags,
            internaldate: message.internaldate.unwrap_or_default(),
            size: None,
            rfc822_size: message.announced,
            sha256: None,
            message_id: message::message_id(incoming.head()),
            extra: serde_json::Map::new(),
        };
        let dir = self.dir(id)?;
        let known = job.is_doubtful(uid);
        let storing = || format!("store uid {uid}");
        if known && dir.holds(uid, &incoming).with_context(storing)? {
            dir.renew_sidecar(sidecar).with_context(storing)?;
            return Ok(Stored::Known(message.length));
        }
        if known {
            dir.set_aside(uid, job.freeze().uidvalidity)
                .with_context(storing)?;
        }
        let size = incoming.len();
        self.writer
            .store(dir.clone(), incoming, sidecar, id.number())?;
        self.checkpoint.wrote(size);
        self.room.took(size);
        Ok(Stored::New(size))
    }

    /// Compares an inventory line with the sidecar: rewrites changed flags.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn refresh(
        &mut self,
        id: JobId,
        uid: u32,
        flags: &str,
        internaldate: Option<&str>,
        announced: Option<u64>,
    ) -> Result<Refreshed> {
        self.writer.drain()?;
        let dir = self.dir(id)?;
        let mut sidecar = match dir.read_sidecar(uid) {
            Ok(sidecar) => sidecar,
            Err(error) => {
                warn!(uid, "a sidecar cannot be read: {error:#}");
                return Ok(Refreshed::Doubtful(counted(dir, uid)));
            }
        };
        let other_date = internaldate.is_some_and(|date| !same_date(date, &sidecar.internaldate));
        let other_size = announced
            .zip(sidecar.rfc822_size)
            .is_some_and(|(now, then)| now != then);
        if other_date || other_size {
            return Ok(Refreshed::Doubtful(counted(dir, uid)));
        }
        if same_flags(&sidecar.flags, flags) && sidecar.is_as_written() {
            return Ok(Refreshed::Same);
        }
        flags.clone_into(&mut sidecar.flags);
        self.touch()?;
        self.dir(id)?.rewrite_sidecar(&sidecar)?;
        Ok(Refreshed::FlagsChanged)
    }

    /// Moves a message aside that the server no longer has. Returns its size in bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn vanish(&mut self, id: JobId, uid: u32) -> Result<u64> {
        self.touch()?;
        self.writer.drain()?;
        let dir = self.dir(id)?;
        let size = counted(dir, uid);
        dir.vanish(uid)?;
        Ok(size)
    }

    /// Moves the directory of a mailbox aside that the server no longer has; `None` where there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn move_mailbox_away(&mut self, directory: &str) -> Result<Option<PathBuf>> {
        self.touch()?;
        self.moved.insert(directory.to_owned());
        let there = self.archive.mailbox(directory)?.is_some();
        let to = self.archive.move_mailbox_away(directory)?;
        Ok(there.then_some(to))
    }

    /// A mailbox that is there again under its UIDVALIDITY gets the directory back that was moved aside.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn bring_back(&mut self, job: &Job) -> Result<()> {
        let name = job.listed_name();
        if self.archive.directory_of(name).is_some() {
            return Ok(());
        }
        let uidvalidity = job.uidvalidity_by_status();
        if let Some(from) = self.archive.vanished_mailbox(name, uidvalidity)? {
            self.touch()?;
            info!(mailbox = job.name(), "the mailbox is there again");
            self.archive.bring_mailbox_back(&from)?;
        }
        Ok(())
    }

    /// Moves halves of messages aside that the server no longer has: nothing would ever complete them. Returns their
    /// number.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear_halves(&mut self, job: &Job) -> Result<u64> {
        let halves = job.halves_without_message();
        if halves.is_empty() {
            return Ok(0);
        }
        self.checkpoint.touch();
        let dir = self.archive.mailbox(job.directory())?;
        for uid in halves.iter().filter(|_| dir.is_some()) {
            dir.iter().try_for_each(|dir| dir.vanish(uid))?;
        }
        Ok(halves.len())
    }

    /// Checks that there is room for this many bytes, beside what other accounts at work fetch, before they are asked for.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn check_room(&mut self, bytes: u64) -> Result<()> {
        // Whoever keeps nothing free wants as much as fits.
        if self.min_free == 0 {
            return Ok(());
        }
        self.room.ask(self.archive.dir(), self.min_free, bytes).map_err(|error| {
            anyhow!(
                "{error:#}; make room, choose another --output-dir, or take what goes in with --min-free-gb 0"
            )
        })
    }

    /// Makes durable in the background what has been committed, when it is time for it.
    ///
    /// # Errors
    /// What went wrong with the checkpoint before; too little free disk space.
    pub fn checkpoint_if_due(&mut self, jobs: &Jobs) -> Result<()> {
        if !self.checkpoint.is_due() {
            return Ok(());
        }
        self.check_space()?;
        let mut state = ExportState {
            complete: false,
            finished: None,
            ..self.state.clone()
        };
        let fill = || {
            record::fill(&self.archive, &mut state, jobs, &self.moved);
            state
        };
        let (dir, written) = (self.archive.dir(), self.writer.barrier());
        self.checkpoint.begin(dir, written, fill)
    }

    fn check_space(&self) -> Result<()> {
        let dir = self.archive.dir();
        let free = space::free_at(dir)?;
        if free < self.min_free {
            bail!(
                "only {free} bytes are free in {}, less than --min-free-gb asks for",
                dir.display()
            );
        }
        Ok(())
    }

    /// Waits for the writer; what it could not write was not received.
    ///
    /// # Errors
    /// Why a message could not be written.
    pub fn settle(&mut self, jobs: &mut Jobs) -> Result<()> {
        let outcome = self.writer.drain();
        for unwritten in self.writer.take_unwritten() {
            if let Some(job) = jobs.numbered(unwritten.owner) {
                job.unwritten(unwritten.uid, unwritten.size);
            }
        }
        outcome
    }

    /// Ends a run on this account: everything durable, then the state.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(&mut self, jobs: &Jobs, complete: bool) -> Result<()> {
        self.checkpoint.finish()?;
        let mut state = self.state.clone();
        state.finished = Some(crate::clock::utc_now());
        record::fill(&self.archive, &mut state, jobs, &self.moved);
        let lost = jobs.iter().find(|job| record::is_lost(&self.archive, job));
        // The record covers the whole, including what a filtered run leaves alone.
        let whole = state.mailboxes.iter().all(|mailbox| mailbox.complete);
        state.complete = complete && whole;
        debug!(complete = state.complete, "write the state");
        state.save(self.archive.dir())?;
        if let Some(lost) = lost {
            bail!(
                "{} was removed while the export was at work; run it again",
                self.archive.dir().join(lost.directory()).display()
            );
        }
        Ok(())
    }
}

/// What became of a message, with its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the archive now.
    New(u64),
    /// It was there already, byte for byte.
    Known(u64),
}

/// What an inventory line means for a message in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing changed.
    Same,
    /// The sidecar has the new flags.
    FlagsChanged,
    /// INTERNALDATE and RFC822.SIZE cannot change, or the sidecar cannot be read: what is here, of this
    /// size in bytes, may be another message.
    Doubtful(u64),
}

/// A date is the same in every zone.
fn same_date(one: &str, other: &str) -> bool {
    let moment = |date: &str| message::timestamp(date);
    one == other || moment(one).is_some() && moment(one) == moment(other)
}

/// Flags are a set: servers list them in any order.
fn same_flags(one: &str, other: &str) -> bool {
    let sorted = |flags: &str| {
        let mut flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        flags.sort_unstable();
        flags
    };
    one == other || sorted(one) == sorted(other)
}

/// What a message adds to its mailbox's bytes.
fn counted(dir: &MailboxDir, uid: u32) -> u64 {
    let sidecar = dir.read_sidecar(uid).ok();
    sidecar
        .and_then(|sidecar| sidecar.size)
        .or_else(|| dir.bytes(std::iter::once(uid)).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{same_date, same_flags};

    #[test]
    fn a_date_is_the_same_in_another_zone() {
        let date = "17-Jul-1996 02:44:25 -0700";
        assert!(same_date(date, "17-Jul-1996 09:44:25 +0000"));
        assert!(same_date(date, "17-Jul-1996 11:44:25 +0200"));
        assert!(!same_date(date, "17-Jul-1996 02:44:25 +0000"));
        assert!(same_date("odd", "odd") && !same_date("odd", "odder"));
    }

    #[test]
    fn flags_are_compared_as_sets() {
        assert!(same_flags("\\Seen $Fwd", "$Fwd \\Seen"));
        assert!(!same_flags("\\Seen", ""));
    }
}
