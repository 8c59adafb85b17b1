//! What the target holds: identities, flags, dates, sizes, of all mailboxes in one flight.

use std::collections::VecDeque;

use anyhow::Result;
use tracing::debug;

use super::mailbox::Selected;
use crate::mailbox::Name;
use crate::message::{self, IDENTITY_FIELDS, Identity};
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::{self, Condition};

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// A message on the target.
pub struct Message {
    /// What makes two copies the same message.
    pub identity: Identity,
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE in bytes, where the server says a sane one.
    pub size: Option<u64>,
    /// INTERNALDATE in seconds since 1970.
    pub time: Option<i64>,
    /// Numbers into [`Holding::flags`], ascending.
    flags: Vec<u16>,
}

/// A mailbox on the target.
#[derive(Default)]
pub struct Holding {
    /// UIDVALIDITY; 0 where the server says none.
    pub uidvalidity: u32,
    /// The messages.
    pub messages: Vec<Message>,
    /// All flags that occur, in lower case: few, however many messages there are.
    flags: Vec<String>,
    /// How many flags all messages have together.
    flags_held: usize,
}

/// Most different flags in a mailbox, and most of one mailbox's messages together.
const MAX_FLAGS: (usize, usize) = (2000, 64_000_000);

impl Holding {
    fn number_of(&mut self, flag: &str) -> Option<u16> {
        let lower = flag.to_ascii_lowercase();
        if lower == "\\recent" {
            return None;
        }
        let known = self.flags.iter().position(|known| *known == lower);
        let number = known.unwrap_or_else(|| {
            self.flags.push(lower);
            self.flags.len() - 1
        });
        u16::try_from(number).ok()
    }

    fn has(&self, message: &Message, flag: &str) -> bool {
        let flag = flag.to_ascii_lowercase();
        let mut flags = message.flags.iter();
        flags.any(|number| self.flags[usize::from(*number)] == flag)
    }

    /// Flags of the archive, blank-separated, that the message lacks.
    #[must_use]
    pub fn lost_flags(&self, archived: &str, message: &Message) -> Vec<String> {
        archived
            .split_ascii_whitespace()
            .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent") && !self.has(message, flag))
            .map(str::to_owned)
            .collect()
    }

    /// True when the message has flags that the archive does not know.
    #[must_use]
    pub fn has_more_flags(&self, archived: &str, message: &Message) -> bool {
        message.flags.iter().any(|number| {
            let flag = &self.flags[usize::from(*number)];
            !archived
                .split_ascii_whitespace()
                .any(|known| known.eq_ignore_ascii_case(flag))
        })
    }
}

#[derive(Clone, Copy)]
enum Step {
    Open,
    Fetch(usize),
}

/// Reads the mailboxes with these names and hands each over when it is known whole.
///
/// # Errors
/// Those of the connection and of `take`; a mailbox that the server lists and does not open.
pub fn read(
    channel: &mut Channel,
    names: &[Vec<u8>],
    mut take: impl FnMut(usize, Holding) -> Result<()>,
) -> Result<()> {
    let fetch = Command::new(format!(
        "UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS ({IDENTITY_FIELDS})])"
    ));
    let mut queue = VecDeque::new();
    for (number, name) in names.iter().enumerate() {
        let open = Command::new("EXAMINE").mailbox(name, &channel.capabilities)?;
        queue.push_back((open, Step::Open));
        queue.push_back((fetch.clone(), Step::Fetch(number)));
    }
    let mut lane: Lane<'_, Step> = Lane::new(channel);
    let mut selected = Selected::default();
    let mut holding = Holding::default();
    let mut refused = None;
    loop {
        while lane.outstanding() < WINDOW {
            let Some((command, step)) = queue.pop_front() else {
                break;
            };
            lane.send(&command, step, Order::Strict)?;
        }
        if lane.outstanding() == 0 {
            return Ok(());
        }
        match lane.next(&mut NoBody)? {
            Answer::Untagged(Step::Open, response) => selected.take(response),
            Answer::Untagged(Step::Fetch(_), response) => match response::parse_fetch(response) {
                Some(Ok(data)) => note(&mut holding, data)?,
                Some(Err(reason)) => {
                    debug!(line = response.shown(), reason, "an inventory line is odd");
                }
                None => {}
            },
            Answer::Done(Step::Open, status) => {
                refused = (status.condition != Condition::Ok).then_some(status);
            }
            Answer::Done(Step::Fetch(number), status) => {
                let opened = std::mem::take(&mut selected);
                let mut whole = std::mem::take(&mut holding);
                whole.uidvalidity = opened.uidvalidity;
                let refused = refused.take();
                // A FETCH of nothing may be refused.
                let trouble = refused.or_else(|| {
                    (status.condition != Condition::Ok && opened.exists > 0).then_some(status)
                });
                if let Some(status) = trouble {
                    let kind = refusal::kind(&status, Kind::Refused);
                    let name = Name::listed(names[number].as_slice());
                    let name = name.text();
                    let text = format!(
                        "the target does not say what \"{name}\" holds: {}",
                        status.said()
                    );
                    return Err(SessionError::new(kind, text).into());
                }
                take(number, whole)?;
            }
        }
    }
}

fn note(holding: &mut Holding, data: response::FetchData) -> Result<()> {
    let (Some(uid), Some(header)) = (data.uid, data.header) else {
        return Ok(());
    };
    let time = data.internaldate.flatten();
    let time = time.as_deref().and_then(message::timestamp);
    let mut flags: Vec<u16> = data
        .flags
        .unwrap_or_default()
        .iter()
        .filter_map(|flag| holding.number_of(flag))
        .collect();
    flags.sort_unstable();
    flags.dedup();
    flags.shrink_to_fit();
    holding.flags_held += flags.len();
    if holding.flags.len() > MAX_FLAGS.0 || holding.flags_held > MAX_FLAGS.1 {
        let text = format!(
            "the target names more flags than a mailbox can have: {} different ones, {} in all",
            holding.flags.len(),
            holding.flags_held
        );
        return Err(SessionError::new(Kind::Refused, text).into());
    }
    holding.messages.push(Message {
        identity: Identity::of(&header, data.size.unwrap_or(0), time),
        uid,
        size: data.size,
        time,
        flags,
    });
    Ok(())
}

/// PERMANENTFLAGS of a mailbox: only SELECT tells them, EXAMINE says that nothing can be changed.
///
/// # Errors
/// Those of the connection.
pub fn permanent_flags(channel: &mut Channel, name: &[u8]) -> Result<Option<Vec<String>>> {
    let select = Command::new("SELECT").mailbox(name, &channel.capabilities)?;
    let mut selected = Selected::default();
    channel.run(&select, |response| selected.take(response))?;
    Ok(selected.permanent_flags)
}
