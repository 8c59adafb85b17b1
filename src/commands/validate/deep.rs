//! `--deep`: reads messages back from the target and compares them with the archive by their digests.

use std::collections::HashMap;
use std::io::{self, Read};

use anyhow::{Context, Result};

use crate::archive::uidset::UidSet;
use crate::finding::Code;
use crate::message::{Difference, Fingerprint, Identity};
use crate::report::Compared;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch::{self, Assembler, Brought};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::BodySink;
use crate::session::refusal;
use crate::session::response::Condition;
use crate::target::mailbox::{JobId, Jobs};
use crate::target::mend::Repairs;
use crate::target::message::Ready;

/// Messages asked for in one command.
const BATCH: usize = 200;

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
pub enum Verdict {
    /// The target did not give it; why.
    Unreadable(String),
    /// The archive's message is not what it was; why.
    Damaged(String),
    /// How the two differ.
    Read(Vec<Difference>),
}

impl Verdict {
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

#[derive(Default)]
struct Sink(Fingerprint);

impl BodySink for Sink {
    fn begin(&mut self, _announced: u64) -> io::Result<()> {
        self.0 = Fingerprint::default();
        Ok(())
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.feed(chunk);
        Ok(())
    }
}

/// Reads the copies in one mailbox of the target; each message is told once.
///
/// # Errors
/// Those of the connection and of the archive's file system.
pub fn read_back(
    channel: &mut Channel,
    wire: &[u8],
    pairs: &[Pair],
    jobs: &Jobs,
    repairs: Repairs,
    mut tell: impl FnMut(Pair, Verdict),
) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut left: HashMap<u32, Pair> = pairs.iter().map(|pair| (pair.to_uid, *pair)).collect();
    let mut uids: Vec<u32> = left.keys().copied().collect();
    uids.sort_unstable();
    let mut batches = uids.chunks(BATCH);
    let open = Command::new("EXAMINE").mailbox(wire, &channel.capabilities)?;
    let mut lane: Lane<'_, ()> = Lane::new(channel);
    lane.send(&open, (), Order::Strict)?;
    let mut assembler = Assembler::default();
    let mut sink = Sink::default();
    let mut refusal = None;
    loop {
        // The next command is on its way before this one is answered.
        while lane.outstanding() < 2 {
            let Some(batch) = batches.next() else { break };
            let set: UidSet = batch.iter().copied().collect();
            lane.send(&fetch::messages(&set.to_string()), (), Order::Strict)?;
        }
        if lane.outstanding() == 0 {
            break;
        }
        let brought = match lane.next(&mut sink)? {
            Answer::Untagged((), response) => assembler.take(response, &mut sink)?,
            Answer::Done((), status) => {
                assembler.clear();
                if status.condition != Condition::Ok {
                    let kind = refusal::kind(&status, Kind::Refused);
                    if kind != Kind::Refused {
                        return Err(SessionError::new(kind, status.said()).into());
                    }
                    refusal = Some(status.said());
                }
                continue;
            }
        };
        match brought {
            Brought::Whole(message) => {
                if let Some(pair) = left.remove(&message.uid) {
                    let there = std::mem::take(&mut sink.0);
                    tell(pair, verdict(pair, jobs, repairs, there)?);
                }
            }
            Brought::Unfetchable(Some(uid), reason) => {
                if let Some(pair) = left.remove(&uid) {
                    tell(pair, Verdict::Unreadable(reason));
                }
            }
            Brought::Nothing | Brought::Unfetchable(None, _) => {}
            Brought::Malformed(reason) => {
                return Err(SessionError::new(Kind::Desync, reason).into());
            }
        }
    }
    let reason = refusal.unwrap_or_else(|| "the server answers without it".to_owned());
    for pair in left.into_values() {
        tell(pair, Verdict::Unreadable(reason.clone()));
    }
    Ok(())
}

/// The archive's side is read as an import reads it: proved, and mended where that is asked for.
fn verdict(pair: Pair, jobs: &Jobs, repairs: Repairs, there: Fingerprint) -> Result<Verdict> {
    let dir = &jobs[pair.job].here().dir;
    let mut ready = match Ready::load(dir, pair.uid, repairs)? {
        Ok(ready) => ready,
        Err(damaged) => return Ok(Verdict::Damaged(damaged.0)),
    };
    let read = || format!("read {}", dir.message_path(pair.uid).display());
    let mut body = ready.body().with_context(read)?;
    let mut here = Fingerprint::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = body.read(&mut buffer).with_context(read)?;
        if count == 0 {
            return Ok(Verdict::Read(here.differences(there)));
        }
        here.feed(&buffer[..count]);
    }
}
