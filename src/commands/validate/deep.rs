//! `--deep`: reads messages back from the target and compares them with the archive by their digests.

use std::collections::HashMap;

use anyhow::Result;

use crate::finding::Code;
use crate::mailbox::uidset::UidSet;
use crate::message::{Difference, Identity};
use crate::report::Compared;
use crate::session::channel::Channel;
use crate::target::bodies;
use crate::target::matching::{ArchiveSide, MessageRef};
use crate::target::trouble::Trouble;

/// A message and its copy on the target.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// In the archive.
    pub here: MessageRef,
    /// UID on the target.
    pub to_uid: u32,
}

/// What reading a message back showed.
pub enum ReadBack {
    /// The target did not give it; why.
    Unreadable(String),
    /// The archive's message is damaged; why.
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

/// What was read back, on this connection and on earlier ones.
#[derive(Default)]
pub struct Reread(HashMap<MessageRef, ReadBack>);

impl Reread {
    /// Reads the copies in one mailbox of the target, each once.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn read(
        &mut self,
        channel: &mut Channel,
        wire: &[u8],
        pairs: &[Pair],
        archive: ArchiveSide<'_>,
        trouble: &mut Trouble,
    ) -> Result<()> {
        let left = pairs.iter().filter(|pair| !self.0.contains_key(&pair.here));
        let left: HashMap<u32, Pair> = left.map(|pair| (pair.to_uid, *pair)).collect();
        let uids: UidSet = left.keys().copied().collect();
        bodies::read(channel, wire, &uids, trouble, |uid, print| {
            let Some(pair) = left.get(&uid) else {
                return Ok(());
            };
            let verdict = match print {
                Err(reason) => ReadBack::Unreadable(reason),
                Ok(print) => match archive.fingerprint(pair.here)? {
                    Ok(here) => ReadBack::Read(here.differences(print.fingerprint)),
                    Err(damaged) => ReadBack::Damaged(damaged.0),
                },
            };
            self.0.insert(pair.here, verdict);
            Ok(())
        })
    }

    /// What reading this one told.
    pub fn take(&mut self, message: MessageRef) -> Option<ReadBack> {
        self.0.remove(&message)
    }
}
