//! Messages of the target read whole, for what their headers and sizes do not tell.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use super::trouble::Trouble;
use crate::archive::uidset::UidSet;
use crate::message::{Fingerprint, Identity};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::fetch::{self, Assembler, Brought};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::BodySink;
use crate::session::refusal;
use crate::session::response::Condition;
use crate::session::select;

/// Messages asked for in one command.
const BATCH: usize = 200;
/// Most of a header that is kept, in bytes.
const HEAD: usize = 16 * 1024 * 1024;

/// What a message read whole tells.
#[derive(Default, Clone)]
pub struct Print {
    /// Its header; what is longer than anybody keeps is cut off.
    pub head: Vec<u8>,
    is_whole: bool,
    /// Bytes.
    pub length: u64,
    /// Its digests.
    pub fingerprint: Fingerprint,
}

impl Print {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.fingerprint.feed(bytes);
        self.length += bytes.len() as u64;
        if !self.is_whole && self.head.len() < HEAD {
            // The end of the header may lie between two pieces.
            let from = self.head.len().saturating_sub(3);
            let room = HEAD - self.head.len();
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            let end = self.head[from..]
                .windows(2)
                .position(|pair| pair == b"\n\n" || pair == b"\n\r");
            self.is_whole = end.is_some();
            if let Some(end) = end {
                self.head.truncate(from + end + 1);
            }
        }
    }

    /// What makes two copies the same message; `None` for a header without end.
    #[must_use]
    pub fn identity(&self, time: Option<i64>) -> Option<Identity> {
        let known = self.is_whole || self.head.len() < HEAD;
        known.then(|| Identity::of(&self.head, self.length, time))
    }
}

#[derive(Default)]
struct Sink(Print);

impl BodySink for Sink {
    fn begin(&mut self, _announced: u64) -> io::Result<()> {
        self.0 = Print::default();
        Ok(())
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.feed(chunk);
        Ok(())
    }
}

/// Reads messages of one mailbox. Each is handed over once: whole, or with the reason why it cannot be read.
///
/// One that ended a connection before is asked for alone, and then no more.
///
/// # Errors
/// Those of the connection, put down to the message that was under way; those of `take`.
pub fn read(
    channel: &mut Channel,
    wire: &[u8],
    uids: &UidSet,
    trouble: &mut Trouble,
    mut take: impl FnMut(u32, std::result::Result<Print, String>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let suspects = trouble.of(wire).cloned().unwrap_or_default();
    let mut left: BTreeSet<u32> = BTreeSet::new();
    let mut batches: Vec<Vec<u32>> = Vec::new();
    for uid in uids.iter() {
        match suspects.over(uid) {
            Some(words) => take(uid, Err(words.to_owned()))?,
            None => {
                left.insert(uid);
            }
        }
    }
    let together: Vec<u32> = left
        .iter()
        .copied()
        .filter(|uid| !suspects.alone().contains(*uid))
        .collect();
    batches.extend(together.chunks(BATCH).map(<[u32]>::to_vec));
    let alone = left.iter().filter(|uid| suspects.alone().contains(**uid));
    batches.extend(alone.map(|uid| vec![*uid]));
    if batches.is_empty() {
        return Ok(());
    }
    let mut reading = Reading {
        left,
        refusal: None,
    };
    let mut under_way = None;
    if let Err(error) = reading.all(channel, wire, batches, &mut under_way, &mut take) {
        if let Some(lost) = error.downcast_ref::<SessionError>() {
            trouble.count(wire, under_way, lost);
        }
        return Err(error);
    }
    let reason = reading.refusal.take();
    let reason = reason.unwrap_or_else(|| "the server answers without it".to_owned());
    for uid in reading.left {
        take(uid, Err(reason.clone()))?;
    }
    Ok(())
}

struct Reading {
    left: BTreeSet<u32>,
    refusal: Option<String>,
}

impl Reading {
    /// `under_way` is the first message that is asked for and not here.
    fn all(
        &mut self,
        channel: &mut Channel,
        wire: &[u8],
        batches: Vec<Vec<u32>>,
        under_way: &mut Option<u32>,
        take: &mut impl FnMut(u32, std::result::Result<Print, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let open = select::examine(wire, &channel.capabilities)?;
        let mut lane: Lane<'_, Vec<u32>> = Lane::new(channel);
        lane.send(&open, Vec::new(), Order::Strict)?;
        let mut assembler = Assembler::default();
        let mut sink = Sink::default();
        let mut batches = VecDeque::from(batches);
        loop {
            // The next command is on its way before this one is answered, but for those that go alone.
            while lane.outstanding() < 2
                && let Some(batch) = batches.front()
                && (batch.len() > 1 || lane.outstanding() == 0)
                && let Some(batch) = batches.pop_front()
            {
                let set: UidSet = batch.iter().copied().collect();
                lane.send(&fetch::messages(&set), batch, Order::Strict)?;
            }
            if lane.outstanding() == 0 {
                return Ok(());
            }
            let first = lane.steps().flatten();
            *under_way = first.copied().find(|uid| self.left.contains(uid));
            let brought = match lane.next(&mut sink)? {
                Answer::Untagged(_, response) => assembler.take(response, &mut sink)?,
                Answer::Done(batch, status) => {
                    assembler.clear();
                    if let Some((most, _)) = status.message_limit() {
                        self.again(&batch, most, &mut batches);
                        continue;
                    }
                    if status.condition != Condition::Ok {
                        refusal::check_state(&status)?;
                        self.refusal = Some(status.said());
                    }
                    continue;
                }
            };
            match brought {
                Brought::Whole(message) => {
                    if self.left.remove(&message.uid) {
                        take(message.uid, Ok(std::mem::take(&mut sink.0)))?;
                    }
                }
                Brought::Unfetchable(Some(uid), reason) => {
                    if self.left.remove(&uid) {
                        take(uid, Err(reason))?;
                    }
                }
                Brought::Nothing | Brought::Unfetchable(None, _) => {}
                Brought::Malformed(reason) => {
                    return Err(SessionError::new(Kind::Desync, reason).into());
                }
            }
        }
    }

    /// The server took a part of a batch (RFC 9738): the rest, in no more than it takes.
    fn again(&self, batch: &[u32], most: u32, batches: &mut VecDeque<Vec<u32>>) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let left = batch.iter().copied().filter(|uid| self.left.contains(uid));
        let left: Vec<u32> = left.collect();
        if left.len() < batch.len() || most < batch.len() {
            let pieces = left.chunks(most);
            batches.extend(pieces.map(<[u32]>::to_vec));
        }
    }
}
