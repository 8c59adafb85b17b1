//! What a mailbox of the target holds, as a multiset of identities.

use std::collections::HashMap;

use tracing::{debug, warn};

use crate::archive::uidset::UidSet;
use crate::message::{self, IDENTITY_FIELDS, Identity};
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::error::{Kind, Result, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::reader::NoBody;
use crate::session::refusal;
use crate::session::response::{self, Condition};

/// Identities of the messages that a mailbox holds, with their UIDs.
pub struct Inventory {
    /// Sorted.
    there: Vec<(Identity, u32)>,
    /// Where a run of equal identities begins → how many of it are taken.
    taken: HashMap<usize, usize>,
}

impl Inventory {
    /// Reads it from a UID on, streaming: 20 bytes a message stay. Messages with the UIDs `but` are left out.
    ///
    /// # Errors
    /// Those of the connection; [`Kind::Refused`] with the server's words.
    pub fn read(channel: &mut Channel, wire: &[u8], from: u32, but: &UidSet) -> Result<Self> {
        let open = Command::new("EXAMINE").mailbox(wire, &channel.capabilities)?;
        let fetch = Command::new(format!(
            "UID FETCH {from}:* (UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS ({IDENTITY_FIELDS})])"
        ));
        let mut lane = Lane::new(channel);
        lane.send(&open, false, Order::Strict)?;
        lane.send(&fetch, true, Order::Strict)?;
        let mut found = Vec::new();
        let mut unreadable = 0_u64;
        while lane.outstanding() > 0 {
            match lane.next(&mut NoBody)? {
                Answer::Untagged(true, response) => match response::parse_fetch(response) {
                    Some(Ok(data)) => {
                        // `n:*` names the last message even where it is below n.
                        let wanted = |uid: &u32| *uid >= from && !but.contains(*uid);
                        let Some(uid) = data.uid.filter(wanted) else {
                            continue;
                        };
                        let Some(header) = data.header else { continue };
                        let received = data.internaldate.flatten();
                        let received = received.as_deref().and_then(message::timestamp);
                        let identity = Identity::of(&header, data.size.unwrap_or(0), received);
                        found.push((identity, uid));
                    }
                    Some(Err(reason)) => {
                        unreadable += 1;
                        debug!(line = response.shown(), reason, "an inventory line is odd");
                    }
                    None => {}
                },
                Answer::Done(_, status) if status.condition != Condition::Ok => {
                    refusal::check_state(&status)?;
                    let text = format!("the target does not say what it holds: {}", status.said());
                    return Err(SessionError::new(Kind::Refused, text));
                }
                Answer::Untagged(..) | Answer::Done(..) => {}
            }
        }
        if unreadable > 0 {
            warn!(unreadable, "messages on the target cannot be compared");
        }
        found.sort_unstable();
        found.dedup();
        Ok(Self {
            there: found,
            taken: HashMap::new(),
        })
    }

    /// Takes one message of this identity out; its UID, the lowest first.
    pub fn take(&mut self, identity: &Identity) -> Option<u32> {
        let first = self.there.partition_point(|(there, _)| there < identity);
        let taken = self.taken.get(&first).copied().unwrap_or(0);
        let (there, uid) = self.there.get(first + taken)?;
        if there != identity {
            return None;
        }
        self.taken.insert(first, taken + 1);
        Some(*uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_is_a_multiset() {
        let identity =
            |subject: &str| Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None);
        let mut there = vec![(identity("a"), 1), (identity("b"), 2), (identity("a"), 3)];
        there.sort_unstable();
        let mut inventory = Inventory {
            there,
            taken: HashMap::new(),
        };
        assert_eq!(inventory.take(&identity("a")), Some(1));
        assert_eq!(inventory.take(&identity("c")), None);
        assert_eq!(inventory.take(&identity("a")), Some(3));
        assert_eq!(inventory.take(&identity("a")), None);
        assert_eq!(inventory.take(&identity("b")), Some(2));
        assert_eq!(inventory.take(&identity("b")), None);
    }
}
