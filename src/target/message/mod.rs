//! The archive's side of an import: messages proved to be whole, in the form in which they are sent.

mod described;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub use described::{Described, describe, may_have_header};

use super::repair::{Repaired, Repairer, Repairs};
use crate::archive::mailbox::MailboxDir;
use crate::archive::sidecar::Sidecar;
use crate::disk;
use crate::message::{self, DateSource, Fingerprint};
use crate::plural::counted;

/// Most of a message that is read for its dates, in bytes: its header, however long.
const DATES: usize = 16 * 1024 * 1024;
/// Bytes hashed at a time. A message of up to this size is read once.
const BUFFER: usize = 256 * 1024;

/// A message that may be sent.
pub struct Ready {
    /// UID in the archive.
    pub uid: u32,
    /// Flags and keywords as in the sidecar.
    pub flags: String,
    /// INTERNALDATE in the canonical form, and where it is from.
    pub internaldate: (Option<String>, DateSource),
    /// Bytes that will be sent.
    pub size: u64,
    /// Digest of the message file, in lower-case hex.
    pub sha256: String,
    /// What was repaired.
    pub repaired: Repaired,
    body: Content,
}

enum Content {
    Memory(Vec<u8>),
    File(File, Repairs),
}

/// A message of the archive that is not what its sidecar says; why.
#[derive(Debug)]
pub struct Damaged(pub String);

impl Damaged {
    /// Why it is not on the target.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("the archive is damaged here: {}", self.0)
    }
}

/// What the archive says of a message.
///
/// # Errors
/// As for [`Ready::load`].
pub fn sidecar(dir: &MailboxDir, uid: u32) -> Result<Result<Sidecar, Damaged>> {
    match dir.read_sidecar(uid) {
        Ok(sidecar) if sidecar.uid == uid => Ok(Ok(sidecar)),
        Ok(other) => {
            let text = format!("the sidecar is that of uid {}", other.uid);
            Ok(Err(Damaged(text)))
        }
        Err(error) if disk::is_about_us(error.as_ref()) => Err(error),
        Err(error) => Ok(Err(Damaged(format!("{error:#}")))),
    }
}

impl Ready {
    /// Proves and prepares a message.
    ///
    /// # Errors
    /// The outer ones of the file system; inside what is wrong with the pair.
    pub fn load(dir: &MailboxDir, uid: u32, mut repairs: Repairs) -> Result<Result<Self, Damaged>> {
        let damaged = |text: String| Ok(Err(Damaged(text)));
        let sidecar = match sidecar(dir, uid)? {
            Ok(sidecar) => sidecar,
            Err(damaged) => return Ok(Err(damaged)),
        };
        let mut file = match dir.open_message(uid) {
            Ok(file) => file,
            Err(error) if disk::is_about_us(error.as_ref()) => return Err(error),
            Err(error) => return damaged(format!("{error:#}")),
        };
        let read = || format!("read {}", dir.message_path(uid).display());
        let mut seen = match FilePass::of(&mut file, repairs) {
            Ok(seen) => seen,
            Err(error) if disk::is_about_us(&error) => return Err(error).with_context(read),
            Err(error) => return damaged(format!("{}: {}", read(), disk::advised(error))),
        };
        let known = sidecar.sha256.as_deref();
        if let Some(known) = known
            && !known.eq_ignore_ascii_case(&seen.sha256)
            && lost_line_ends(&mut file, known).with_context(read)?
        {
            // Proved by its digest once each line has its end again: what is sent is what the source had.
            repairs.bare_lf = true;
            file.seek(SeekFrom::Start(0)).with_context(read)?;
            seen = FilePass::of(&mut file, repairs).with_context(read)?;
            seen.sha256 = known.to_ascii_lowercase();
            seen.length = sidecar.size.unwrap_or(seen.length);
        }
        if sidecar.size.is_some_and(|size| size != seen.length) {
            let expected = sidecar.size.unwrap_or(0);
            let bytes = counted(seen.length, "byte");
            let text = format!("has {bytes}, its sidecar says {expected}");
            return damaged(text);
        }
        if known.is_some_and(|known| !known.eq_ignore_ascii_case(&seen.sha256)) {
            return damaged(format!(
                "its sha256 is {}, not what its sidecar says",
                seen.sha256
            ));
        }
        let internaldate = message::internaldate_for(&sidecar.internaldate, &seen.head);
        let body = if seen.whole {
            Content::Memory(std::mem::take(&mut seen.sent))
        } else {
            file.seek(SeekFrom::Start(0)).with_context(read)?;
            Content::File(file, repairs)
        };
        Ok(Ok(Self {
            uid,
            flags: sidecar.flags,
            internaldate,
            size: seen.sent_length,
            sha256: seen.sha256,
            repaired: seen.repaired,
            body,
        }))
    }

    /// The bytes to send; may be called again after a refusal.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn body(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match &mut self.body {
            Content::Memory(bytes) => Ok(Box::new(&bytes[..])),
            Content::File(file, repairs) => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(Repairer::new(file, *repairs)))
            }
        }
    }
}

/// Is the message what its sidecar says, apart from line ends that a copy of the archive has lost?
fn lost_line_ends(file: &mut File, known: &str) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let restored = message::digest_with_crlf(file)?;
    let restored = restored.map(|digest| crate::archive::path::hex(&digest));
    Ok(restored.is_some_and(|restored| restored.eq_ignore_ascii_case(known)))
}

/// What one pass over a message file shows.
struct FilePass {
    length: u64,
    sha256: String,
    head: Vec<u8>,
    /// The header ends in `head`.
    has_header: bool,
    /// True when `sent` is all of it.
    whole: bool,
    sent: Vec<u8>,
    sent_length: u64,
    repaired: Repaired,
}

impl FilePass {
    fn of(file: &mut File, repairs: Repairs) -> io::Result<Self> {
        let mut digest = Sha256::new();
        let mut seen = Self {
            length: 0,
            sha256: String::new(),
            head: Vec::new(),
            has_header: false,
            whole: true,
            sent: Vec::new(),
            sent_length: 0,
            repaired: Repaired::default(),
        };
        let mut repairer = Repairer::new(io::empty(), repairs);
        let mut buffer = vec![0; BUFFER];
        let mut to_send = Vec::new();
        loop {
            let count = match file.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let chunk = &buffer[..count];
            digest.update(chunk);
            seen.length += count as u64;
            if !seen.has_header {
                seen.take_head(chunk);
            }
            to_send.clear();
            if count == 0 {
                repairer.finish(&mut to_send);
            } else {
                repairer.repair(chunk, &mut to_send);
            }
            seen.sent_length += to_send.len() as u64;
            if seen.whole && seen.sent.len() + to_send.len() <= BUFFER {
                seen.sent.extend_from_slice(&to_send);
            } else {
                seen.whole = false;
                seen.sent = Vec::new();
            }
            if count == 0 {
                break;
            }
        }
        seen.repaired = repairer.repaired();
        seen.sha256 = crate::archive::path::hex(&digest.finalize());
        Ok(seen)
    }
}

impl FilePass {
    fn take_head(&mut self, chunk: &[u8]) {
        // An empty line may lie between two pieces.
        let from = self.head.len().saturating_sub(3);
        let room = DATES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&chunk[..room.min(chunk.len())]);
        let end = |pair: &[u8]| pair == b"\n\n" || pair == b"\n\r";
        self.has_header = self.head.len() >= DATES || self.head[from..].windows(2).any(end);
    }
}

/// The digest of a message's content, as the sidecar has it; `None` for a pair that cannot be read.
///
/// # Errors
/// Those of the file system.
pub fn content(dir: &MailboxDir, uid: u32) -> Result<Option<String>> {
    let sidecar = match dir.read_sidecar(uid) {
        Ok(sidecar) => sidecar,
        Err(error) if disk::is_about_us(error.as_ref()) => return Err(error),
        Err(_) => return Ok(None),
    };
    if let Some(digest) = sidecar.sha256 {
        return Ok(Some(digest.to_ascii_lowercase()));
    }
    let ready = Ready::load(dir, uid, Repairs::default())?;
    Ok(ready.ok().map(|ready| ready.sha256))
}

/// The same of a message that can be sent, as far as its size tells; what has another is proved.
///
/// # Errors
/// Those of the file system.
pub fn content_to_send(dir: &MailboxDir, uid: u32) -> Result<Option<String>> {
    let sidecar = match dir.read_sidecar(uid) {
        Ok(sidecar) => sidecar,
        Err(error) if disk::is_about_us(error.as_ref()) => return Err(error),
        Err(_) => return Ok(None),
    };
    let length = dir.message_length(uid);
    if let Some(digest) = sidecar.sha256.filter(|_| length == sidecar.size) {
        return Ok(Some(digest.to_ascii_lowercase()));
    }
    let ready = Ready::load(dir, uid, Repairs::default())?;
    Ok(ready.ok().map(|ready| ready.sha256))
}

/// The digests of a message in the form in which it is sent.
///
/// # Errors
/// The outer ones of the file system; inside what is wrong with the pair.
pub fn fingerprint(
    dir: &MailboxDir,
    uid: u32,
    repairs: Repairs,
) -> Result<Result<Fingerprint, Damaged>> {
    let mut ready = match Ready::load(dir, uid, repairs)? {
        Ok(ready) => ready,
        Err(damaged) => return Ok(Err(damaged)),
    };
    let read = || format!("read {}", dir.message_path(uid).display());
    let mended_zeros = ready.repaired.nul > 0;
    let mut body = ready.body().with_context(read)?;
    let mut print = Fingerprint::default();
    if mended_zeros {
        print.note_zeros();
    }
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = body.read(&mut buffer).with_context(read)?;
        if count == 0 {
            return Ok(Ok(print));
        }
        print.feed(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests;
