//! `--deep`: reads messages back from the target and compares them with the archive by their digests.

use std::collections::HashMap;

use anyhow::Result;

use crate::finding::Code;
use crate::mailbox::uidset::UidSet;
use crate::message::{Difference, Fingerprint, Identity};
use crate::report::Compared;
use crate::session::channel::Channel;
use crate::target::bodies;
use crate::target::mailbox::{JobId, Jobs};
use crate::target::message;
use crate::target::repair::Repairs;
use crate::target::trouble::Trouble;

/// A message and its copy on the target.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Number of the job that it belongs to.
    pub job: JobId,
    /// UID in the archive.
    pub uid: u32,
    /// UID on the target.
    pub to_uid: u32,
}

/// What reading a message back told.
pub enum ReadBack {
    /// The target did not give it; why.
    Unreadable(String),
    /// The archive's message is not what it was; why.
    Damaged(String),
    /// How the two differ.
    Read(Vec<Difference>),
}

impl ReadBack {
    /// Counts it; the finding, if it is one.
    pub fn count(self, counts: &mut Compared) -> Option<(Code, String)> {
        let differences = match self {
            Self::Unreadable(reason) => {
                let text = format!("cannot be read back from the target: {reason}");
                return Some((Code::UnreadableOnTarget, text));
            }
            Self::Damaged(reason) => {
                return Some((Code::DamagedArchive, reason));
            }
            Self::Read(differences) => differences,
        };
        counts.read_back += 1;
        if differences.is_empty() {
            counts.identical += 1;
            return None;
        }
        let mut texts = Vec::new();
        let mut code = Code::Rewritten;
        for difference in differences {
            match difference {
                Difference::FinalLineEnd => {
                    counts.final_line_end += 1;
                    texts.push("final line end".to_owned());
                }
                Difference::LineEnds => {
                    counts.line_ends += 1;
                    texts.push("line ends".to_owned());
                }
                Difference::HeaderAdded(names) => {
                    counts.header_added += 1;
                    texts.push(format!("header added: {}", names.join(", ")));
                }
                Difference::HeaderRefolded => {
                    counts.header_refolded += 1;
                    texts.push("header re-folded".to_owned());
                }
                Difference::Content(what) => {
                    counts.content_differs += u64::from(code != Code::ContentDiffers);
                    code = Code::ContentDiffers;
                    texts.push(what);
                }
            }
        }
        let text = format!("on the target: {}", texts.join("; "));
        Some((code, text))
    }
}

/// True for a message that belongs to the sample: always the same ones, `share` of 10,000.
#[must_use]
pub fn is_sampled(share: u32, identity: &Identity) -> bool {
    identity.number() % 10_000 < u64::from(share)
}

/// Reads the copies in one mailbox of the target; `read` has each once, those of earlier connections included.
///
/// # Errors
/// Those of the connection and of the archive's file system.
pub fn read_back(
    channel: &mut Channel,
    wire: &[u8],
    pairs: &[Pair],
    jobs: &Jobs,
    repairs: Repairs,
    trouble: &mut Trouble,
    read: &mut HashMap<(JobId, u32), ReadBack>,
) -> Result<()> {
    let left = pairs
        .iter()
        .filter(|pair| !read.contains_key(&(pair.job, pair.uid)));
    let left: HashMap<u32, Pair> = left.map(|pair| (pair.to_uid, *pair)).collect();
    let uids: UidSet = left.keys().copied().collect();
    bodies::read(channel, wire, &uids, trouble, |uid, print| {
        let Some(pair) = left.get(&uid) else {
            return Ok(());
        };
        let verdict = match print {
            Ok(print) => verdict(*pair, jobs, repairs, print.fingerprint)?,
            Err(reason) => ReadBack::Unreadable(reason),
        };
        read.insert((pair.job, pair.uid), verdict);
        Ok(())
    })
}

/// The archive's side is read as an import reads it: proved, and mended where that is asked for.
fn verdict(pair: Pair, jobs: &Jobs, repairs: Repairs, there: Fingerprint) -> Result<ReadBack> {
    let dir = &jobs[pair.job].here().dir;
    Ok(match message::fingerprint(dir, pair.uid, repairs)? {
        Ok(here) => ReadBack::Read(here.differences(there)),
        Err(damaged) => ReadBack::Damaged(damaged.0),
    })
}
