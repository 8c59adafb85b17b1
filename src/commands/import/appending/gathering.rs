//! Which messages go next, proved: no more than fit a batch, the day's budget and the server's limit.

use anyhow::Result;

use super::item::{Batch, Item};
use super::{Appender, BESIDE};
use crate::session::blame::{Owner, Verdict};
use crate::target::mailbox::{JobId, Refused};
use crate::target::message::Ready;

/// Messages in one journal entry, and in one MULTIAPPEND.
pub(super) const BATCH_MESSAGES: usize = 100;
/// Bytes after which a batch is sent.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;

/// How much goes into a batch.
#[derive(Clone, Copy)]
pub(super) struct BatchRoom {
    /// So many messages at most.
    pub messages: usize,
    /// So many bytes are left of the day.
    pub bytes: Option<u64>,
}

impl Appender<'_> {
    /// Proves and gathers the next messages of a mailbox, no more bytes than are left of the day, but for a single one;
    /// `None` when there are no more.
    pub(super) fn next_batch(&mut self, id: JobId, room: BatchRoom) -> Result<Option<Batch>> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < room.messages && bytes < BATCH_BYTES {
            let Some(uid) = self.jobs[id].pop() else {
                break;
            };
            let owner = Owner::Message(id, uid);
            if self.experience.blame.verdict(&owner) == Verdict::Over {
                let words = self.experience.blame.words(&owner).unwrap_or("no answer");
                let reason = format!("the connection ended each time it was sent: {words}");
                self.refuse(id, uid, None, reason)?;
                continue;
            }
            let dir = &self.jobs[id].here().dir;
            let ready = match Ready::load(dir, uid, self.settings.importing.repairs)? {
                Ok(ready) => ready,
                Err(damaged) => {
                    self.refuse(id, uid, None, damaged.reason())?;
                    continue;
                }
            };
            if let Some(reason) = self.is_too_large(ready.size) {
                self.refuse(id, uid, Some(ready.size), reason)?;
                continue;
            }
            if let Some(words) = self.experience.no_room_for(ready.size) {
                let reason = format!("no room on the target: {words}");
                let size = Some(ready.size);
                self.over_quota.push((id, Refused { uid, size, reason }));
                continue;
            }
            let more = bytes + ready.size + BESIDE;
            if !items.is_empty() && room.bytes.is_some_and(|left| more > left) {
                self.jobs[id].put_back(uid);
                break;
            }
            bytes = more;
            self.experience.sending(id, uid);
            items.push(Item::new(ready));
        }
        Ok((!items.is_empty()).then_some(Batch { id, items }))
    }

    fn is_too_large(&self, size: u64) -> Option<String> {
        let limit = self.ways.limit.filter(|limit| size > *limit)?;
        Some(format!(
            "larger than the {limit} bytes that the server takes (APPENDLIMIT)"
        ))
    }
}
