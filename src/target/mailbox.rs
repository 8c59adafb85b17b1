//! One mailbox on its way: what is here, what is there, what is open.

use std::collections::VecDeque;

use anyhow::{Context, Result};

use super::flags;
use crate::archive::account::AccountArchive;
use crate::archive::journal::{Known, Route};
use crate::archive::mailbox::MailboxDir;
use crate::archive::uidset::UidSet;
use crate::filter::Filter;
use crate::mapping::Source;
use crate::session::reader::Response;
use crate::session::response::{self, Line};

/// A message that is not on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// UID in the archive.
    pub uid: u32,
    /// Size in bytes, where it is known.
    pub size: Option<u64>,
    /// The server's words, or what is wrong with the archive.
    pub reason: String,
}

/// One mailbox at work.
pub struct Job {
    /// Directory in the archive.
    pub directory: String,
    /// The same, opened.
    pub dir: MailboxDir,
    /// Name in the archive, in UTF-8.
    pub name: String,
    /// Attributes that the source listed.
    pub attributes: Vec<String>,
    /// UIDVALIDITY in the archive.
    pub uidvalidity: u32,
    /// The source had it subscribed.
    pub subscribed: bool,
    /// Messages of the archive.
    pub uids: UidSet,
    /// Messages that are a view of ones in other mailboxes.
    pub elsewhere: UidSet,
    /// Name on the target as planned, before it refused any.
    pub planned: String,
    /// Name on the target, in UTF-8.
    pub to: String,
    /// The same as on the wire.
    pub wire: Vec<u8>,
    /// Why it is called so.
    pub why: String,
    /// The target has it.
    pub exists: bool,
    /// Its parents that the target does not have.
    pub parents: Vec<Vec<u8>>,
    /// Those that must be made before it, as the target does not make them itself.
    pub first: Vec<Vec<u8>>,
    /// The target has it subscribed.
    pub is_subscribed: bool,
    /// UIDVALIDITY on the target.
    pub to_uidvalidity: u32,
    /// UIDNEXT on the target before this connection appended anything; 0 where it does not say.
    pub to_uidnext: u32,
    /// Messages on the target before this run.
    pub to_messages: Option<u64>,
    /// PERMANENTFLAGS of the target's SELECT.
    pub permanent_flags: Option<Vec<String>>,
    /// How often the target refused a name.
    pub attempts: u32,
    /// Names tried instead.
    pub tried: Vec<String>,
    /// What the journal knows.
    pub known: Known,
    /// Messages to append, ascending.
    pub todo: VecDeque<u32>,
    /// Messages appended in this run.
    pub appended: UidSet,
    /// Their bytes.
    pub bytes: u64,
    /// Messages found on the target in this run.
    pub found: UidSet,
    /// Messages that could not be brought there.
    pub refused: Vec<Refused>,
    /// Bytes of the messages in `todo` at first, in a dry run.
    pub bytes_wanted: u64,
    /// Messages that went without a keyword or flag.
    pub flags_dropped: u64,
    /// Messages that were mended.
    pub mended: u64,
    /// Messages whose date is not the source's.
    pub dates_guessed: u64,
    /// The mailbox as a whole cannot be brought there; why.
    pub failed: Option<String>,
    /// What a reader of the report should know.
    pub notes: Vec<String>,
}

impl Job {
    /// The target has opened it.
    pub fn opened(&mut self, there: Selected) {
        self.exists = true;
        self.is_subscribed |= self.subscribed;
        self.to_uidvalidity = there.uidvalidity;
        self.to_messages = Some(there.exists);
        self.to_uidnext = there.uidnext;
        self.permanent_flags = there.permanent_flags;
    }

    /// The route of the mailbox, once the target's UIDVALIDITY is known.
    #[must_use]
    pub fn route(&self) -> Route {
        Route {
            directory: self.directory.clone(),
            uidvalidity: self.uidvalidity,
            to: self.to.clone(),
            to_uidvalidity: self.to_uidvalidity,
        }
    }

    /// Messages that the target does not have, as far as is known.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        self.uids.iter().filter(|uid| {
            !self.known.done.contains(*uid)
                && !self.elsewhere.contains(*uid)
                && !self.appended.contains(*uid)
                && !self.found.contains(*uid)
                && !self.refused.iter().any(|refused| refused.uid == *uid)
        })
    }

    /// True when nothing is left to do and nothing was refused.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_none() && self.refused.is_empty() && self.missing().next().is_none()
    }

    /// The flags to send: `\Recent` never, and only what the target keeps. The second is true when some were dropped.
    #[must_use]
    pub fn keepable(&self, flags: &str) -> (String, bool) {
        flags::kept(self.permanent_flags.as_deref(), flags)
    }
}

/// All mailboxes of the archive as the mapping needs them, each with its directory, in the order of the source.
#[must_use]
pub fn sources(archive: &AccountArchive) -> Vec<(String, Source)> {
    let mut all: Vec<(String, Source)> = archive
        .mailboxes()
        .map(|(directory, meta)| {
            let source = Source {
                name: meta.name.clone(),
                delimiter: meta.delimiter,
                attributes: meta.attributes.clone(),
            };
            (directory.to_owned(), source)
        })
        .collect();
    let states = archive.state().map(|state| state.mailboxes.as_slice());
    let states = states.unwrap_or_default();
    all.sort_by_key(|(directory, source)| {
        let order = states
            .iter()
            .position(|state| state.directory == *directory);
        (
            source.name != "INBOX",
            order.unwrap_or(usize::MAX),
            source.name.clone(),
        )
    });
    all
}

/// The mailboxes of the archive that are meant.
///
/// # Errors
/// Those of the file system.
pub fn read_all(
    archive: &AccountArchive,
    sources: &[(String, Source)],
    folders: &Filter,
) -> Result<Vec<Job>> {
    let states = archive.state().map(|state| state.mailboxes.as_slice());
    let mut jobs = Vec::new();
    for (directory, source) in sources {
        if !folders.matches(&source.name) {
            continue;
        }
        let Some(dir) = archive.mailbox(directory)? else {
            continue;
        };
        let mut known = states.unwrap_or_default().iter();
        let state = known.find(|state| state.directory == *directory);
        let scan = dir
            .scan()
            .with_context(|| format!("mailbox {}", source.name))?;
        let mut uids = UidSet::new();
        scan.pairs.iter().for_each(|uid| uids.insert(*uid));
        let mut job = Job {
            directory: directory.clone(),
            dir,
            name: source.name.clone(),
            attributes: source.attributes.clone(),
            uidvalidity: archive.uidvalidity_of(directory).unwrap_or(0),
            subscribed: state.is_some_and(|state| state.subscribed),
            uids,
            elsewhere: UidSet::new(),
            planned: String::new(),
            to: String::new(),
            wire: Vec::new(),
            why: String::new(),
            exists: false,
            parents: Vec::new(),
            first: Vec::new(),
            is_subscribed: false,
            to_uidvalidity: 0,
            to_uidnext: 0,
            to_messages: None,
            permanent_flags: None,
            attempts: 0,
            tried: Vec::new(),
            known: Known::default(),
            todo: VecDeque::new(),
            appended: UidSet::new(),
            bytes: 0,
            found: UidSet::new(),
            refused: Vec::new(),
            bytes_wanted: 0,
            flags_dropped: 0,
            mended: 0,
            dates_guessed: 0,
            failed: None,
            notes: Vec::new(),
        };
        if !scan.unfinished.is_empty() || !scan.orphans.is_empty() {
            let count = scan.unfinished.len() + scan.orphans.len();
            job.notes.push(format!(
                "{count} messages of the archive are unfinished and not imported"
            ));
        }
        jobs.push(job);
    }
    Ok(jobs)
}

/// What the answers to a SELECT or EXAMINE say.
#[derive(Default)]
pub struct Selected {
    /// Number of messages.
    pub exists: u64,
    /// UIDVALIDITY; 0 where the server says none.
    pub uidvalidity: u32,
    uidnext: u32,
    /// PERMANENTFLAGS.
    pub permanent_flags: Option<Vec<String>>,
}

impl Selected {
    /// Takes an untagged answer.
    pub fn take(&mut self, response: &Response) {
        if let Some(count) = response::parse_exists(response) {
            self.exists = count;
        }
        let Line::Untagged(status) = response::classify(response) else {
            return;
        };
        if let Some(value) = status.code_argument("UIDVALIDITY") {
            self.uidvalidity = value.parse().unwrap_or(0);
        }
        if let Some(value) = status.code_argument("UIDNEXT") {
            self.uidnext = value.parse().unwrap_or(0);
        }
        if let Some(flags) = status.code_argument("PERMANENTFLAGS") {
            self.permanent_flags = Some(response::flag_words(flags));
        }
    }
}
