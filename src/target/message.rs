//! The archive's side of an import: messages proved to be whole, in the form in which they are sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::repair::{Repaired, Repairer, Repairs};
use crate::archive::mailbox::MailboxDir;
use crate::archive::sidecar::Sidecar;
use crate::compare::Wanted;
use crate::disk;
use crate::message::{self, DateSource, Fingerprint, Identity};
use crate::plural::counted;

/// Most of a message that is read for its header, in bytes.
const HEAD: usize = 16 * 1024 * 1024;
/// How much of a message is read for its dates, in bytes.
const DATES: usize = 256 * 1024;
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
            whole: true,
            sent: Vec::new(),
            sent_length: 0,
            repaired: Repaired::default(),
        };
        let mut repairer = Repairer::new(io::empty(), repairs);
        let mut buffer = vec![0; BUFFER];
        let mut mended = Vec::new();
        loop {
            let count = match file.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let chunk = &buffer[..count];
            digest.update(chunk);
            seen.length += count as u64;
            let room = DATES.saturating_sub(seen.head.len());
            seen.head.extend_from_slice(&chunk[..room.min(count)]);
            mended.clear();
            if count == 0 {
                repairer.finish(&mut mended);
            } else {
                repairer.mend(chunk, &mut mended);
            }
            seen.sent_length += mended.len() as u64;
            if seen.whole && seen.sent.len() + mended.len() <= BUFFER {
                seen.sent.extend_from_slice(&mended);
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

    /// A message that the target must have; `to_uid` is its UID there, where that is on record.
    #[must_use]
    pub fn wanted(&self, to_uid: Option<u32>) -> Wanted {
        Wanted {
            identity: self.identity,
            size: self.size,
            time: self.time,
            to_uid,
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
    let mut body = ready.body().with_context(read)?;
    let mut print = Fingerprint::default();
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
mod tests {
    use super::*;
    use crate::archive::path::hex;
    use crate::archive::sidecar::Sidecar;
    use std::fs;
    use std::io::Write;

    const MAIL: &[u8] = b"Subject: x\r\n\r\none\r\ntwo\r\n";

    fn digest(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    /// An archive of one message, with UID 7.
    fn archived(mail: &[u8]) -> (tempfile::TempDir, MailboxDir) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mailbox = MailboxDir::new(dir.path().to_path_buf());
        let sidecar = serde_json::json!({
            "mailbox": "INBOX", "uid": 7, "flags": "\\Seen", "internaldate": "17-Jul-1996 02:44:25 +0000",
        });
        let sidecar: Sidecar = serde_json::from_value(sidecar).expect("a sidecar");
        let mut incoming = mailbox.incoming();
        incoming.write_all(mail).expect("taken");
        mailbox.store(&mut incoming, sidecar).expect("stored");
        (dir, mailbox)
    }

    fn change(mailbox: &MailboxDir, change: impl Fn(&mut Sidecar)) {
        let mut sidecar = mailbox.read_sidecar(7).expect("read");
        change(&mut sidecar);
        let text = serde_json::to_vec(&sidecar).expect("written");
        fs::write(mailbox.sidecar_path(7), text).expect("written");
    }

    fn load(mailbox: &MailboxDir) -> Result<Ready, Damaged> {
        Ready::load(mailbox, 7, Repairs::default()).expect("read")
    }

    fn sent(ready: &mut Ready) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut body = ready.body().expect("there");
        body.read_to_end(&mut bytes).expect("read");
        bytes
    }

    #[test]
    fn what_is_sent_is_what_was_proved_as_often_as_it_is_asked_for() {
        let large = [MAIL, &b"a line of it\r\n".repeat(2 * BUFFER / 14)].concat();
        for mail in [MAIL, &large, &large[..BUFFER], &large[..=BUFFER]] {
            let (_dir, mailbox) = archived(mail);
            let mut ready = load(&mailbox).expect("whole");
            let length = mail.len() as u64;
            assert_eq!((ready.size, &ready.sha256), (length, &digest(mail)));
            assert!(!ready.repaired.any());
            assert!(
                sent(&mut ready) == mail && sent(&mut ready) == mail,
                "{length}"
            );
            let print = fingerprint(&mailbox, 7, Repairs::default()).expect("read");
            let mut expected = Fingerprint::default();
            expected.feed(mail);
            assert!(print.expect("whole").is_same(&expected), "{length}");
        }
    }

    #[test]
    fn what_is_not_as_its_sidecar_says_is_damaged() {
        let (_dir, mailbox) = archived(MAIL);
        change(&mailbox, |sidecar| {
            sidecar.sha256 = sidecar.sha256.as_ref().map(|text| text.to_uppercase());
        });
        load(&mailbox).expect("digits have no case");
        assert_eq!(content(&mailbox, 7).expect("read"), Some(digest(MAIL)));
        let says = |mailbox: &MailboxDir| load(mailbox).err().expect("damaged").0;
        change(&mailbox, |sidecar| sidecar.size = Some(5));
        assert!(says(&mailbox).contains("its sidecar says 5"));
        change(&mailbox, |sidecar| {
            sidecar.size = None;
            sidecar.sha256 = Some(digest(b"other"));
        });
        assert!(says(&mailbox).contains("its sha256 is"));
        change(&mailbox, |sidecar| {
            sidecar.sha256 = None;
            sidecar.uid = 8;
        });
        assert!(says(&mailbox).contains("that of uid 8"));
        // An old archive says neither size nor digest: then nothing contradicts.
        change(&mailbox, |sidecar| sidecar.uid = 7);
        load(&mailbox).expect("whole");
        assert_eq!(content(&mailbox, 7).expect("read"), Some(digest(MAIL)));
    }

    #[test]
    fn a_pair_that_cannot_be_read_is_its_own_matter() {
        let (_dir, torn) = archived(MAIL);
        fs::write(torn.sidecar_path(7), "{").expect("torn");
        assert_eq!(content(&torn, 7).expect("its own"), None);
        let (_dir, half) = archived(MAIL);
        fs::remove_file(half.message_path(7)).expect("removed");
        for mailbox in [torn, half] {
            assert!(load(&mailbox).is_err());
            let described = describe(&mailbox, 7, Repairs::default());
            assert!(described.expect("its own").is_none());
        }
    }

    #[test]
    fn line_ends_that_a_copy_has_lost_are_given_back_where_the_digest_proves_it() {
        let (_dir, mailbox) = archived(MAIL);
        let without: Vec<u8> = MAIL.iter().copied().filter(|byte| *byte != b'\r').collect();
        fs::write(mailbox.message_path(7), &without).expect("written");
        let mut ready = load(&mailbox).expect("proved");
        assert_eq!(
            (ready.size, &ready.sha256),
            (MAIL.len() as u64, &digest(MAIL))
        );
        assert_eq!(
            (sent(&mut ready), ready.repaired.bare_lf),
            (MAIL.to_vec(), 4)
        );
        fs::write(mailbox.message_path(7), [&without[..], b"more\n"].concat()).expect("written");
        assert!(load(&mailbox).is_err());
    }

    #[test]
    fn a_message_is_described_as_it_is_sent_by_its_whole_header() {
        let described = |mail: &[u8], repairs| {
            let (_dir, mailbox) = archived(mail);
            describe(&mailbox, 7, repairs)
                .expect("read")
                .expect("there")
        };
        let none = Repairs::default();
        let plain = described(MAIL, none);
        let time = Some(837_571_465);
        assert_eq!((plain.size, plain.time), (MAIL.len() as u64, time));
        assert_eq!(plain.identity, Identity::of(MAIL, plain.size, time));
        assert_eq!((plain.loose, plain.flags.as_str()), (None, "\\Seen"));
        // However long the header: what differs behind many pieces of it counts.
        let long = |last: &str| {
            let fill = " a word\r\n".repeat(10_000);
            described(
                format!("To: x\r\n{fill}Subject: {last}\r\n\r\n").as_bytes(),
                none,
            )
        };
        assert_ne!(long("one").identity, long("two").identity);
        // Servers that keep no 8-bit characters in headers have it otherwise.
        let eight = described("Subject: \u{e9}\r\n\r\n".as_bytes(), none);
        let blotted = Identity::of(b"Subject: XX\r\n\r\n", eight.size, eight.time);
        assert_eq!(eight.loose, Some(blotted));
        assert!(eight.has_identity(blotted) && eight.has_identity(eight.identity));
        assert!(!eight.has_identity(plain.identity) && !plain.has_identity(blotted));
        // Its size is that of what is mended, however much that is.
        let lines = 20_000;
        let bare = [b"To: x\n\n", &b"x\n".repeat(lines)[..]].concat();
        let bare_lf = Repairs {
            bare_lf: true,
            ..none
        };
        let mended = (bare.len() + 2 + lines) as u64;
        assert_eq!(described(&bare, bare_lf).size, mended);
        assert_eq!(described(&bare, none).size, bare.len() as u64);
    }
}
