//! A message of the archive as a comparison sees it: by its header, size and date, in the form in which it is sent.

use std::fs::File;
use std::io::{self, Read};

use anyhow::{Context, Result};

use crate::archive::mailbox::MailboxDir;
use crate::compare::{Recorded, Wanted};
use crate::disk;
use crate::message::{self, Identity};
use crate::target::repair::{Repairer, Repairs};

/// Most of a message that is read for its header, in bytes.
const HEAD: usize = 16 * 1024 * 1024;

/// What a comparison needs to know about a message of the archive.
pub struct Described {
    /// What makes two copies the same message, in the form in which it is sent.
    pub identity: Identity,
    /// The same as a server has it that writes `X` for 8-bit characters in headers; `None` where there are none.
    pub loose: Option<Identity>,
    /// Flags and keywords as in the sidecar.
    pub flags: String,
    /// Bytes, as sent.
    pub size: u64,
    /// INTERNALDATE as an import sends it, in seconds since 1970.
    pub time: Option<i64>,
}

impl Described {
    /// True where this is the identity of the message, as it was sent or as servers have it that keep no 8-bit headers.
    #[must_use]
    pub fn has_identity(&self, identity: Identity) -> bool {
        self.identity == identity || self.loose == Some(identity)
    }

    /// A message that the target must have.
    #[must_use]
    pub fn wanted(&self, recorded: Option<Recorded>) -> Wanted {
        Wanted {
            identity: self.identity,
            loose: self.loose,
            size: self.size,
            time: self.time,
            recorded,
        }
    }
}

/// Describes a message; `None` for a pair that cannot be read.
///
/// # Errors
/// Those of the file system.
pub fn describe(dir: &MailboxDir, uid: u32, repairs: Repairs) -> Result<Option<Described>> {
    let opened = dir
        .read_sidecar(uid)
        .and_then(|sidecar| Ok((sidecar, dir.open_message(uid)?)));
    let (sidecar, file) = match opened {
        Ok(opened) => opened,
        Err(error) if disk::is_about_us(error.as_ref()) => return Err(error),
        Err(_) => return Ok(None),
    };
    let length = file.metadata().map_or(0, |there| there.len());
    let (head, size) = match head_and_size(file, length, repairs) {
        Ok(read) => read,
        Err(error) if disk::is_about_us(&error) => {
            return Err(error).with_context(|| format!("read {}", dir.message_path(uid).display()));
        }
        Err(_) => return Ok(None),
    };
    let (date, _) = message::internaldate_for(&sidecar.internaldate, &head);
    let time = date.as_deref().and_then(message::timestamp);
    let loose = head.iter().any(|byte| !byte.is_ascii()).then(|| {
        let ascii = head
            .iter()
            .map(|byte| if byte.is_ascii() { *byte } else { b'X' });
        Identity::of(&ascii.collect::<Vec<_>>(), size, time)
    });
    Ok(Some(Described {
        identity: Identity::of(&head, size, time),
        loose,
        flags: sidecar.flags,
        size,
        time,
    }))
}

/// Can this header of the target be that of a message of the archive, changed by a server?
///
/// # Errors
/// Those of the file system.
pub fn may_have_header(
    dir: &MailboxDir,
    uid: u32,
    repairs: Repairs,
    header: &[u8],
) -> Result<bool> {
    let Ok(file) = dir.open_message(uid) else {
        return Ok(true);
    };
    let length = file.metadata().map_or(0, |there| there.len());
    let (head, _) = head_and_size(file, length, repairs)
        .with_context(|| format!("read {}", dir.message_path(uid).display()))?;
    Ok(message::Common::of(&head, header).is_all())
}

/// The header, however long, and the bytes that will be sent. Only what is repaired must be read for its size.
fn head_and_size(file: File, length: u64, repairs: Repairs) -> io::Result<(Vec<u8>, u64)> {
    let mends = repairs != Repairs::default();
    let mut reader = Repairer::new(file, repairs);
    let mut head = Vec::new();
    let (mut size, mut is_whole) = (0, false);
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        size += count as u64;
        if !is_whole {
            // An empty line may lie between two pieces.
            let from = head.len().saturating_sub(3);
            head.extend_from_slice(&buffer[..count]);
            let end = |pair: &[u8]| pair == b"\n\n" || pair == b"\n\r";
            is_whole = head.len() >= HEAD || head[from..].windows(2).any(end);
        }
        if count == 0 || is_whole && !mends {
            break;
        }
    }
    Ok((head, if mends { size } else { length }))
}
