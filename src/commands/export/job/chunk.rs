//! One FETCH command to be sent: which UIDs go together.

use std::collections::{HashMap, VecDeque};

use crate::mailbox::uidset::UidSet;

/// Most messages asked for in one command.
pub const MOST: u64 = 500;
/// Longest UID set in one command, in bytes; the shortest command limit of known servers is 1000.
const CHUNK_SET: usize = 900;

/// The messages of one FETCH command.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The set as sent.
    pub set: String,
    /// The UIDs in it; empty when they are not known.
    uids: UidSet,
    alone: bool,
}

impl Chunk {
    /// All that a mailbox has below a UIDNEXT, whatever it is.
    #[must_use]
    pub fn all_below(uidnext: u32) -> Self {
        Self {
            set: format!("1:{}", uidnext.saturating_sub(1)),
            uids: UidSet::new(),
            alone: false,
        }
    }

    /// All that a mailbox has.
    #[must_use]
    pub fn all() -> Self {
        Self {
            set: "1:*".to_owned(),
            uids: UidSet::new(),
            alone: false,
        }
    }

    /// One message, because it did not come with others.
    #[must_use]
    pub fn alone(uid: u32) -> Self {
        Self {
            set: uid.to_string(),
            uids: UidSet::from_iter([uid]),
            alone: true,
        }
    }

    /// The message that was asked for alone.
    #[must_use]
    pub fn lone(&self) -> Option<u32> {
        self.uids.iter().next().filter(|_| self.alone)
    }

    /// The messages asked for, as far as they are known.
    pub fn uids(&self) -> impl Iterator<Item = u32> + '_ {
        self.uids.iter()
    }
}

/// What messages weigh, where a day's budget is to be kept to.
#[derive(Debug, Default)]
pub struct Weights {
    sizes: HashMap<u32, u64>,
    /// Bytes that one command may bring, unless it is for one message.
    most: u64,
}

impl Weights {
    /// The bytes that a FETCH response has beside the message, about.
    const BESIDE: u64 = 256;

    /// For commands of this many bytes.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self {
            sizes: HashMap::new(),
            most,
        }
    }

    /// As the inventory says.
    pub fn note(&mut self, uid: u32, size: u64) {
        self.sizes.insert(uid, size);
    }

    /// What a message brings with it.
    #[must_use]
    pub fn of(&self, uid: u32) -> u64 {
        let size = self.sizes.get(&uid).copied().unwrap_or_default();
        size.saturating_add(Self::BESIDE)
    }
}

/// Deals ascending UIDs out to commands of limited messages, and of limited bytes where that matters.
#[must_use]
pub fn deal(
    uids: impl IntoIterator<Item = u32>,
    most: u64,
    weights: Option<&Weights>,
) -> VecDeque<Chunk> {
    let mut chunks = VecDeque::new();
    let mut chunk = UidSet::new();
    let (mut length, mut last, mut bytes) = (0, 0, 0_u64);
    for uid in uids {
        // At worst each gap adds ",4294967295:4294967295".
        let grows = if uid == last + 1 { 0 } else { 22 };
        let weight = weights.map_or(0, |weights| weights.of(uid));
        let is_heavy = weights.is_some_and(|weights| bytes.saturating_add(weight) > weights.most);
        if chunk.len() >= most || length + grows > CHUNK_SET || is_heavy {
            chunks.extend(close(&mut chunk));
            (length, bytes) = (0, 0);
        }
        length += grows;
        bytes = bytes.saturating_add(weight);
        chunk.insert(uid);
        last = uid;
    }
    chunks.extend(close(&mut chunk));
    chunks
}

fn close(chunk: &mut UidSet) -> Option<Chunk> {
    let uids = std::mem::take(chunk);
    (!uids.is_empty()).then(|| Chunk {
        set: uids.to_string(),
        uids,
        alone: false,
    })
}
