//! Messages of the target read whole, for what their headers and sizes do not tell.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use tracing::warn;

use super::trouble::{Suspects, Trouble, UnderWay};
use crate::mailbox::uidset::UidSet;
use crate::message::{Fingerprint, Identity};
use crate::session::channel::Channel;
use crate::session::error::{Ending, Kind, SessionError};
use crate::session::fetch::{self, Assembler, Fetched};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::{BodySink, Response};
use crate::session::refusal;
use crate::session::response::{self, Condition, StatusResponse};
use crate::session::select;

/// Messages asked for in one command.
const BATCH: usize = 200;
/// Most of a header that is kept, in bytes.
const HEAD: usize = 16 * 1024 * 1024;

/// What reading a whole message shows.
#[derive(Default, Clone)]
pub struct Print {
    /// Its header; what is longer than anybody needs is cut off.
    pub head: Vec<u8>,
    is_whole: bool,
    /// Bytes.
    pub length: u64,
    /// What RFC822.SIZE says, where that is so much more that the message is not whole.
    pub cut_from: Option<u64>,
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
        let is_all = self.head.len() < HEAD && self.cut_from.is_none();
        let known = self.is_whole || is_all;
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
    let mut reading = Reading {
        left: uids.iter().collect(),
        is_refused: false,
        refusal: None,
    };
    loop {
        let batches = reading.batches(trouble.of(wire), &mut take)?;
        if batches.is_empty() {
            return Ok(());
        }
        let mut under_way = Vec::new();
        let Err(error) = reading.all(channel, wire, batches, &mut under_way, &mut take) else {
            break;
        };
        let lost = error.downcast_ref::<SessionError>();
        if let Some(lost) = lost {
            trouble.count(wire, UnderWay::Bodies(&under_way), lost);
        }
        // Such a response costs its message, not the connection.
        let misread = lost.is_some_and(|lost| lost.ending == Some(Ending::Misread));
        let closed = trouble
            .of(wire)
            .is_some_and(|known| known.closed().is_some());
        if !misread || closed || under_way.is_empty() || !channel.find_place().unwrap_or(false) {
            return Err(error);
        }
        warn!("{error:#}: the others are asked for again");
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
    /// The mailbox is not open.
    is_refused: bool,
    refusal: Option<String>,
}

impl Reading {
    /// What is asked for together, and behind it what goes alone. What is no longer asked for is handed over.
    fn batches(
        &mut self,
        suspects: Option<&Suspects>,
        take: &mut impl FnMut(u32, std::result::Result<Print, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<Vec<u32>>> {
        let known = suspects.map(Suspects::bodies).cloned().unwrap_or_default();
        for uid in self.left.clone() {
            if let Some(words) = known.over(uid) {
                self.left.remove(&uid);
                take(uid, Err(words.to_owned()))?;
            }
        }
        Ok(known.commands(self.left.iter().copied(), BATCH))
    }

    /// `under_way` are the messages that the oldest command asks for and that are not here.
    fn all(
        &mut self,
        channel: &mut Channel,
        wire: &[u8],
        batches: Vec<Vec<u32>>,
        under_way: &mut Vec<u32>,
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
            match lane.next(&mut sink) {
                Ok(Answer::Untagged(_, response)) => {
                    let brought = assembler.take(response, &mut sink)?;
                    if let Fetched::Malformed(reason) = brought {
                        if let Err(error) = misread(response, reason) {
                            let named = self.named_in(response);
                            *under_way = self.under_way(lane.steps(), named);
                            return Err(error.into());
                        }
                    } else {
                        self.brought(brought, &mut sink, take)?;
                    }
                }
                Ok(Answer::Done(batch, status)) => {
                    // Some servers do not say all of a message that was asked for with it.
                    if let [uid] = batch[..]
                        && let Some(message) = assembler.lone(uid)
                    {
                        self.brought(Fetched::Whole(message), &mut sink, take)?;
                    }
                    assembler.clear();
                    self.ended(&batch, &status, &mut batches)?;
                }
                Err(error) => {
                    let is_misread = error.ending == Some(Ending::Misread);
                    let named = is_misread.then(|| self.named_in(lane.torn())).flatten();
                    *under_way = self.under_way(lane.steps(), named);
                    return Err(error.into());
                }
            }
        }
    }

    fn brought(
        &mut self,
        brought: Fetched,
        sink: &mut Sink,
        take: &mut impl FnMut(u32, std::result::Result<Print, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // What comes where the mailbox could not be opened is another one's.
        if self.is_refused {
            return Ok(());
        }
        let (uid, print) = match brought {
            Fetched::Whole(message) => {
                let mut print = std::mem::take(&mut sink.0);
                print.cut_from = message.cut_from();
                (message.uid, Ok(print))
            }
            Fetched::Unfetchable(Some(uid), reason) => (uid, Err(reason)),
            _ => return Ok(()),
        };
        if self.left.remove(&uid) {
            take(uid, print)?;
        }
        Ok(())
    }

    fn named_in(&self, response: &Response) -> Option<u32> {
        response::uid_hint(response).filter(|uid| self.left.contains(uid))
    }

    /// The one that is named, or else what the oldest command asks for and has not brought.
    fn under_way<'a>(
        &self,
        mut asked: impl Iterator<Item = &'a Vec<u32>>,
        named: Option<u32>,
    ) -> Vec<u32> {
        let not_here = |uids: &Vec<u32>| {
            let left = uids.iter().copied().filter(|uid| self.left.contains(uid));
            Some(left.collect()).filter(|left: &Vec<u32>| !left.is_empty())
        };
        match named {
            Some(uid) => vec![uid],
            None => asked.find_map(not_here).unwrap_or_default(),
        }
    }

    /// What a batch has not brought is asked for again: in smaller parts where the server takes no more (RFC 9738),
    /// else alone.
    fn ended(
        &mut self,
        batch: &[u32],
        status: &StatusResponse,
        batches: &mut VecDeque<Vec<u32>>,
    ) -> Result<(), SessionError> {
        if let Some((most, _)) = status.message_limit() {
            self.again(batch, most, batches);
            return Ok(());
        }
        if status.condition != Condition::Ok {
            if let Some(error) = refusal::about_host(status) {
                return Err(error);
            }
            self.refusal = Some(status.said());
            self.is_refused |= batch.is_empty();
        }
        if self.is_refused {
            batches.clear();
        } else if batch.len() > 1 {
            let left = batch.iter().filter(|uid| self.left.contains(uid));
            batches.extend(left.map(|uid| vec![*uid]));
        }
        Ok(())
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

/// A response that makes no sense: what follows a body of the wrong length may be the body's own text.
fn misread(response: &Response, reason: &str) -> Result<(), SessionError> {
    warn!(line = response.shown(), reason, "a FETCH response is odd");
    if response.bodies == 0 {
        return Ok(());
    }
    let text = format!("a response with a body makes no sense, {reason}");
    Err(SessionError::new(Kind::Desync, text).by(Ending::Misread))
}

#[cfg(test)]
mod tests;
