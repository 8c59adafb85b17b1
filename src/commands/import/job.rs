//! What is to be done for one mailbox of the archive, and how far it is.

use std::collections::VecDeque;

use crate::archive::journal::{Known, Route};
use crate::archive::mailbox::MailboxDir;
use crate::archive::uidset::UidSet;

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
    /// Delimiter in the archive.
    pub delimiter: Option<char>,
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
    /// The target has it subscribed.
    pub is_subscribed: bool,
    /// UIDVALIDITY on the target.
    pub to_uidvalidity: u32,
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
        let wanted: Vec<&str> = flags
            .split_whitespace()
            .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent") && is_flag(flag))
            .collect();
        let Some(permanent) = &self.permanent_flags else {
            return (wanted.join(" "), false);
        };
        let any_keyword = permanent.iter().any(|flag| flag == "\\*");
        let kept: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|flag| {
                any_keyword && !flag.starts_with('\\')
                    || permanent.iter().any(|kept| kept.eq_ignore_ascii_case(flag))
            })
            .collect();
        (kept.join(" "), kept.len() < wanted.len())
    }
}

/// A flag that can stand in a command: an atom (RFC 3501), with a backslash before it or not.
fn is_flag(flag: &str) -> bool {
    let atom = flag.strip_prefix('\\').unwrap_or(flag);
    let special = |b: u8| matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
    !atom.is_empty()
        && atom
            .bytes()
            .all(|b| (0x21..0x7f).contains(&b) && !special(b))
}
