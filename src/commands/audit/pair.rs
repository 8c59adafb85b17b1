//! One message of the archive: its file, its sidecar, and whether the two are what they say.

use std::io::{self, BufReader, Read as _, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::inventory::Beside;
use crate::archive::listing;
use crate::archive::path::hex;
use crate::archive::sidecar::Sidecar;
use crate::disk::{self, file};
use crate::finding::Code;
use crate::finding::Severity::{self, Error, Note, Warning};
use crate::message::{Inspector, Oddity, digest_with_crlf};
use crate::plural::counted;

/// Bytes read at a time.
const BUFFER: usize = 128 * 1024;

/// What is said of the mailbox that the pair lies in.
pub struct MailboxClaims<'a> {
    /// Its name, in UTF-8 and as on the wire.
    pub names: [&'a str; 2],
    /// UIDVALIDITY; `None` where the archive does not know it.
    pub uidvalidity: Option<u32>,
    /// The sidecar must have a digest, as this program writes it.
    pub digest: bool,
}

/// A finding before it is known where.
pub type Flaw = (Severity, Code, String);

/// What the audit of a pair tells.
#[derive(Default)]
pub struct Checked {
    /// Bytes of the message file.
    pub bytes: u64,
    /// The digest that the message must have: as the sidecar says, else as it is.
    pub sha256: String,
    /// The sidecar knows no digest.
    pub unproven: bool,
    /// What the sidecar says of flags and date.
    pub beside: Option<Beside>,
    /// What is wrong with it.
    pub flaws: Vec<Flaw>,
}

/// Checks a pair.
///
/// # Errors
/// Those of this process and its limits: they say nothing about the archive.
pub fn check(
    message: &Path,
    sidecar: &Path,
    uid: u32,
    expected: &MailboxClaims<'_>,
) -> Result<Checked> {
    let mut checked = Checked::default();
    let known = read_sidecar(sidecar, uid, expected, &mut checked)?;
    checked.beside = known.as_ref().map(|known| {
        let flags = known.flags.split_whitespace();
        Beside::of(flags, &known.internaldate)
    });
    let read = match read_message(message, &mut checked) {
        Ok(read) => read,
        Err(error) if disk::is_about_us(error.as_ref()) => return Err(error),
        Err(error) => {
            let text = format!("cannot be read: {error:#}; {REPLACE}");
            checked.flaws.push((Error, Code::UnreadableMessage, text));
            return Ok(checked);
        }
    };
    let flaws = &mut checked.flaws;
    let restored = lost_line_ends(message, known.as_ref(), &read.sha256)?;
    let proven = restored || compare(known.as_ref(), checked.bytes, &read.sha256, flaws);
    if restored {
        let text = "has lost its line ends (CRLF became LF, as in a copy by text tools) and is what its sidecar says but for them; an import restores them".to_owned();
        flaws.push((Warning, Code::Sha256Mismatch, text));
    }
    let without = known.as_ref().is_some_and(|known| known.sha256.is_none());
    checked.unproven = without && !expected.digest;
    if without && expected.digest {
        let text = format!("its sidecar has no sha256, which an export always writes; {REPLACE}");
        flaws.push((Error, Code::NoDigest, text));
    }
    let is_sound = flaws.iter().all(|(severity, ..)| *severity != Error);
    if is_sound && known.as_ref().is_some_and(|known| !known.is_as_written()) {
        let text = format!(
            "its sidecar is not what the export wrote: flags, date or sizes were changed since; {RENEW}"
        );
        flaws.push((Error, Code::SidecarMismatch, text));
    }
    checked.sha256 = known.and_then(|known| known.sha256).unwrap_or(read.sha256);
    let oddities = read.oddities.into_iter();
    checked
        .flaws
        .extend(oddities.map(|oddity| flaw(oddity, proven)));
    Ok(checked)
}

/// What a message file is found to be.
struct Read {
    sha256: String,
    oddities: Vec<Oddity>,
}

fn read_message(path: &Path, checked: &mut Checked) -> Result<Read> {
    let mut file = file::open_regular(path)?;
    let shown = || format!("read {}", path.display());
    let there = file.metadata().with_context(shown)?;
    flag_open_mode(listing::others(&there), &mut checked.flaws);
    let mut digest = Sha256::new();
    let mut inspector = Inspector::default();
    let mut buffer = vec![0; BUFFER.min(usize::try_from(there.len()).unwrap_or(BUFFER) + 1)];
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(disk::advised).with_context(shown)?,
        };
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        inspector.feed(&buffer[..count]);
        checked.bytes += count as u64;
    }
    let mut oddities = Vec::new();
    if checked.bytes > 0 {
        oddities = inspector
            .finish(|| {
                file.seek(SeekFrom::Start(0))?;
                Ok(BufReader::new(&file))
            })
            .with_context(shown)?;
    }
    Ok(Read {
        sha256: hex(&digest.finalize()),
        oddities,
    })
}

fn read_sidecar(
    path: &Path,
    uid: u32,
    expected: &MailboxClaims<'_>,
    checked: &mut Checked,
) -> Result<Option<Sidecar>> {
    let flaws = &mut checked.flaws;
    let mut bytes = Vec::new();
    let read = file::open_regular(path).and_then(|mut file| {
        let there = file.metadata()?;
        flag_open_mode(listing::others(&there), flaws);
        file.read_to_end(&mut bytes)?;
        Ok(())
    });
    if let Err(error) = read {
        if disk::is_about_us(error.as_ref()) {
            return Err(error);
        }
        let text = format!("its sidecar cannot be read: {error:#}");
        flaws.push((Error, Code::UnreadableSidecar, text));
        return Ok(None);
    }
    let sidecar = match Sidecar::parse(&bytes) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            let text = format!("its sidecar is damaged: {error}");
            flaws.push((Error, Code::UnreadableSidecar, text));
            return Ok(None);
        }
    };
    if sidecar.uid != uid {
        let text = format!("its sidecar is that of uid {}", sidecar.uid);
        flaws.push((Error, Code::UidMismatch, text));
    }
    let other_mailbox =
        !sidecar.mailbox.is_empty() && !expected.names.contains(&sidecar.mailbox.as_str());
    let other_validity = matches!(
        (sidecar.uidvalidity, expected.uidvalidity),
        (Some(one), Some(other)) if one != other
    );
    if other_mailbox || other_validity {
        let text = format!(
            "its sidecar is of mailbox \"{}\", UIDVALIDITY {}",
            sidecar.mailbox,
            sidecar.uidvalidity.unwrap_or(0)
        );
        flaws.push((Error, Code::SidecarMismatch, text));
    }
    Ok(Some(sidecar))
}

/// Are the bytes those of the sidecar's digest once each line has its CRLF again?
fn lost_line_ends(path: &Path, known: Option<&Sidecar>, sha256: &str) -> Result<bool> {
    let digest = known.and_then(|known| known.sha256.as_deref());
    let Some(digest) = digest.filter(|digest| !digest.eq_ignore_ascii_case(sha256)) else {
        return Ok(false);
    };
    let file = file::open_regular(path)?;
    let restored = digest_with_crlf(file).with_context(|| format!("read {}", path.display()))?;
    Ok(restored.is_some_and(|restored| hex(&restored).eq_ignore_ascii_case(digest)))
}

/// How to repair a damaged message.
const REPLACE: &str =
    "take it out of the archive and run the export again, while the source still has it";

/// How to repair a sidecar.
const RENEW: &str = "take the sidecar out of the archive and run the export again, while the source still has the message";

/// True when the sidecar proves the bytes.
fn compare(known: Option<&Sidecar>, bytes: u64, sha256: &str, flaws: &mut Vec<Flaw>) -> bool {
    let size = known.and_then(|known| known.size);
    let digest = known.and_then(|known| known.sha256.as_deref());
    let size_differs = size.is_some_and(|size| size != bytes);
    let digest_differs = digest.is_some_and(|digest| !digest.eq_ignore_ascii_case(sha256));
    let proven = digest.is_some() && !size_differs && !digest_differs;
    if bytes == 0 {
        let severity = if proven { Warning } else { Error };
        let text = match size {
            Some(size) if size > 0 => {
                format!("is empty; its sidecar says {}", counted(size, "byte"))
            }
            _ => "is empty".to_owned(),
        };
        flaws.push((severity, Code::EmptyMessage, text));
    } else if size_differs {
        let size = size.unwrap_or(0);
        let text = format!(
            "has {}, its sidecar says {size}; {REPLACE}",
            counted(bytes, "byte")
        );
        flaws.push((Error, Code::SizeMismatch, text));
    } else if digest_differs {
        let text = format!("its sha256 is {sha256}, not what its sidecar says; {REPLACE}");
        flaws.push((Error, Code::Sha256Mismatch, text));
    }
    proven
}

/// A message that is byte for byte what the server sent is odd, but not damaged by the archive.
fn flaw(oddity: Oddity, proven: bool) -> Flaw {
    let grave = if proven { Warning } else { Error };
    let origin = if proven {
        "; the server sent it so"
    } else {
        ""
    };
    match oddity {
        Oddity::NoHeader => (
            grave,
            Code::NotMail,
            format!("has no header field and is not a mail{origin}"),
        ),
        Oddity::SparseHeader => (
            Note,
            Code::SparseHeader,
            "has hardly any header fields; perhaps a draft".to_owned(),
        ),
        Oddity::NoParts => (
            Warning,
            Code::NoParts,
            "declares itself multipart but has no parts".to_owned(),
        ),
        Oddity::RawImap(line, text) => {
            // What follows may be somebody's subject.
            let words: Vec<&str> = text.split_whitespace().take(3).collect();
            let words = words.join(" ");
            (
                grave,
                Code::RawImap,
                format!("holds raw IMAP in line {line}: {words} …{origin}"),
            )
        }
        Oddity::SecondMail(line) => (
            grave,
            Code::Glued,
            format!("holds a second mail from line {line} on{origin}"),
        ),
    }
}

/// Others than its owner can read or write it.
pub fn flag_open_mode(others: u32, flaws: &mut Vec<Flaw>) {
    if others != 0 {
        let text =
            format!("is open to others than its owner (mode …{others:03o}); run: chmod go= on it");
        if !flaws.iter().any(|(_, code, _)| *code == Code::OpenMode) {
            flaws.push((Warning, Code::OpenMode, text));
        }
    }
}
