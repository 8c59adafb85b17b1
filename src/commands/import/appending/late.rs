//! Flags that an APPEND could not have: they are stored when all is appended, each keyword alone.

use std::collections::HashMap;

use anyhow::Result;
use tracing::warn;

use super::item::{Late, Owed};
use super::{AppendStep, Appender};
use crate::archive::journal::{Done, Flags};
use crate::session::channel::Channel;
use crate::session::lane::{Lane, Order};
use crate::session::response::StatusResponse;
use crate::session::select;
use crate::session::store::{self, FlagChange};
use crate::target::mailbox::JobId;

impl Appender<'_> {
    /// These are to be stored when the UID of their message is known.
    pub(super) fn owe(&mut self, id: JobId, uid: u32, flags: &[&str]) {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.experience.owed.push(Owed { id, uid, flags });
    }

    /// Stores what could not be stored so far, as the UIDs were unknown.
    ///
    /// # Errors
    /// As for [`Appender::run`].
    pub fn pay(&mut self, channel: &mut Channel) -> Result<()> {
        let mut to_uids: HashMap<JobId, HashMap<u32, u32>> = HashMap::new();
        for Owed { id, uid, flags } in std::mem::take(&mut self.experience.owed) {
            let route = self.jobs[id].route();
            let known = to_uids
                .entry(id)
                .or_insert_with(|| self.journal.known(&route).pairs.into_iter().collect());
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            if let Some(to_uid) = known.get(&uid) {
                self.to_store.extend(Late::of(id, uid, *to_uid, &flags));
                continue;
            }
            let words = flags.join(" ");
            warn!(uid, flags = words, "the flags are lost: no UID is known");
            self.jobs[id].told_mut().lose_flags(uid, flags);
            self.not_sent(id, (uid, None), &words);
        }
        if self.to_store.is_empty() {
            return Ok(());
        }
        self.run(channel)
    }

    /// Flags that STORE cannot set either.
    pub(super) fn lost_flags(&mut self, stored: &Late, status: &StatusResponse) {
        let Late {
            id,
            uid,
            to_uid,
            flags,
        } = stored;
        warn!(uid, flags, answer = status.said(), "the flags are lost");
        let told = self.jobs[*id].told_mut();
        told.lose_flags(*uid, flags.split_ascii_whitespace());
        if !flags.starts_with('\\') {
            self.experience.learn_keyword(*id, flags);
        }
        self.not_sent(*id, (*uid, Some(*to_uid)), flags);
    }

    /// The journal does not count these flags as sent.
    fn not_sent(&mut self, id: JobId, (uid, to_uid): (u32, Option<u32>), flags: &str) {
        let route = self.jobs[id].route();
        let Some(known) = self.journal.flags_of(&route, uid) else {
            return;
        };
        let sent = known.sent.split_ascii_whitespace();
        let sent: Vec<&str> = sent
            .filter(|flag| !flags.split(' ').any(|lost| lost == *flag))
            .collect();
        let flags = Flags {
            archived: known.archived.clone(),
            sent: sent.join(" ").into(),
        };
        let done = Done {
            uid,
            sha256: None,
            to_uid,
            flags: Some(flags),
        };
        self.journal.done(&route, &done);
    }

    /// Some servers refuse in APPEND what they take in STORE; true when there was something to store.
    pub(super) fn store_flags(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<bool> {
        let mut open = None;
        let to_store = std::mem::take(&mut self.to_store);
        let is_any = !to_store.is_empty();
        for one in to_store {
            if open != Some(one.id) {
                let wire = self.jobs[one.id].place().name.wire();
                let select = select::select(wire, lane.capabilities())?;
                lane.send(&select, AppendStep::Open, Order::Strict)?;
                open = Some(one.id);
            }
            let store = store::flags_silently(one.to_uid, FlagChange::Add, &one.flags);
            lane.send(&store, AppendStep::Flags(one), Order::Loose)?;
        }
        Ok(is_any)
    }
}
