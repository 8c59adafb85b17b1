//! Messages on their way, and the form in which each is tried.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::mailbox::uidset::UidSet;
use crate::progress::Arriving;
use crate::target::mailbox::JobId;
use crate::target::message::Ready;

/// A message that is counted while it is sent.
pub struct Counted<'a> {
    /// The message.
    pub body: Box<dyn Read + 'a>,
    /// Where it is counted.
    pub sent: &'a Arriving,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(into)?;
        self.sent.add(count as u64);
        Ok(count)
    }
}

/// How a message is tried after the server refused it for its flags, or for words that do not say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Try {
    /// With all flags that the server says it keeps.
    Flags,
    /// Without keywords.
    NoKeywords,
    /// With an empty list of flags; they are stored afterwards.
    Bare,
}

/// A message on its way.
pub struct Item {
    /// The message, proved.
    pub ready: Ready,
    /// In which form.
    pub how: Try,
    /// The flags that it was last sent with; `None` without a list.
    pub sent: Option<String>,
    /// What the server said to the first form.
    pub first_words: Option<String>,
    /// The server refused its date.
    pub undated: bool,
}

/// A flag, or flags, of a message that its APPEND could not have: they are stored afterwards.
#[derive(Clone)]
pub struct Late {
    /// The mailbox.
    pub id: JobId,
    /// UID in the archive.
    pub uid: u32,
    /// UID on the target.
    pub to_uid: u32,
    /// Blank-separated.
    pub flags: String,
}

/// Flags that are still to be stored, of a message whose UID on the target is to be looked up.
pub struct Owed {
    /// The mailbox.
    pub id: JobId,
    /// UID in the archive.
    pub uid: u32,
    /// The flags.
    pub flags: Vec<String>,
}

/// Messages of one mailbox that go together.
pub struct Batch {
    /// The mailbox.
    pub id: JobId,
    /// The messages.
    pub items: Vec<Item>,
}

impl Item {
    /// A message in its first form.
    pub fn new(ready: Ready) -> Self {
        Self {
            ready,
            how: Try::Flags,
            sent: None,
            first_words: None,
            undated: false,
        }
    }

    /// UID in the archive.
    pub fn uid(&self) -> u32 {
        self.ready.uid
    }

    /// Bytes that will be sent.
    pub fn size(&self) -> u64 {
        self.ready.size
    }

    /// INTERNALDATE and the bytes to send.
    pub fn date_and_body(&mut self) -> (Option<String>, io::Result<Box<dyn Read + '_>>) {
        let date = self.ready.internaldate.0.clone();
        (date.filter(|_| !self.undated), self.ready.body())
    }

    /// The form after this one, by the flags that it was sent with; `None` when there is no other.
    pub fn next_try(&self) -> Option<Try> {
        let sent = self.sent.as_deref().unwrap_or_default();
        let mut sent = sent.split_ascii_whitespace();
        match self.how {
            Try::Flags if sent.any(|flag| !flag.starts_with('\\')) => Some(Try::NoKeywords),
            Try::Flags | Try::NoKeywords => Some(Try::Bare),
            Try::Bare => None,
        }
    }
}

impl Late {
    /// What is to be stored for a message: all system flags together, as they are rarely what was refused, and each
    /// keyword alone, so that a refusal names the culprit.
    pub fn of(id: JobId, uid: u32, to_uid: u32, flags: &[&str]) -> Vec<Self> {
        let (system, keywords): (Vec<&str>, Vec<&str>) =
            flags.iter().partition(|flag| flag.starts_with('\\'));
        let system = (!system.is_empty()).then(|| system.join(" "));
        let keywords = keywords.into_iter().map(str::to_owned);
        let all = system.into_iter().chain(keywords);
        all.map(|flags| Self {
            id,
            uid,
            to_uid,
            flags,
        })
        .collect()
    }
}

impl From<Late> for Owed {
    fn from(late: Late) -> Self {
        let words = late.flags.split_ascii_whitespace();
        Self {
            id: late.id,
            uid: late.uid,
            flags: words.map(str::to_owned).collect(),
        }
    }
}

impl Batch {
    /// UIDs in the archive.
    pub fn uids(&self) -> UidSet {
        self.items.iter().map(Item::uid).collect()
    }

    /// Bytes that will be sent.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(Item::size).sum()
    }

    /// The same in parts: what must go alone, and what stands between.
    pub fn parts(self, alone: impl Fn(&Item) -> bool) -> VecDeque<Self> {
        let id = self.id;
        let mut parts: VecDeque<Self> = VecDeque::new();
        let mut is_open = false;
        for item in self.items {
            let is_alone = alone(&item);
            match parts.back_mut().filter(|_| is_open && !is_alone) {
                Some(part) => part.items.push(item),
                None => parts.push_back(Self {
                    id,
                    items: vec![item],
                }),
            }
            is_open = !is_alone;
        }
        parts
    }

    /// Its two halves.
    pub fn halves(mut self) -> [Self; 2] {
        let second = self.items.split_off(self.items.len() / 2);
        let id = self.id;
        [self, Self { id, items: second }]
    }
}
