//! Flags that an APPEND could not have: they are stored when all is appended, each keyword alone.

use std::collections::HashMap;

use anyhow::Result;
use tracing::warn;

use super::item::{Late, Owed};
use super::{AppendStep, Appender};
use crate::archive::journal::{Done, Flags};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Lane, Order};
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

    /// STORE does not set these flags either: of several, each is tried alone.
    pub(super) fn refused_late(&mut self, late: &Late, answer: &str) {
        let flags: Vec<&str> = late.flags.split_ascii_whitespace().collect();
        if flags.len() < 2 {
            self.lost_flags(late, answer);
            return;
        }
        self.to_store.extend(flags.into_iter().map(|flag| Late {
            flags: flag.to_owned(),
            ..late.clone()
        }));
    }

    /// Flags that cannot be set.
    fn lost_flags(&mut self, stored: &Late, answer: &str) {
        let Late {
            id,
            uid,
            to_uid,
            flags,
        } = stored;
        warn!(uid, flags, answer, "the flags are lost");
        let told = self.jobs[*id].told_mut();
        told.lose_flags(*uid, flags.split_ascii_whitespace());
        if !flags.starts_with('\\') {
            self.experience.learn_keyword(*id, flags);
        }
        self.not_sent(*id, (*uid, Some(*to_uid)), flags);
    }

    /// The connection is gone: what was still to be stored is owed, but for what it ended with once more.
    pub(super) fn lost_unstored(&mut self, lane: &Lane<'_, AppendStep>, error: &SessionError) {
        let is_ours = matches!(error.kind, Kind::Transient | Kind::Desync);
        let mut first = lane.steps().next();
        for step in lane.steps() {
            let AppendStep::Flags(unstored) = step else {
                continue;
            };
            if first
                .take()
                .is_some_and(|first| is_ours && matches!(first, AppendStep::Flags(_)))
                && self.experience.count_late(unstored)
            {
                self.lost_flags(unstored, &error.to_string());
            } else {
                self.experience.owed.push(Owed::from(unstored.clone()));
            }
        }
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
        let mut to_store = std::mem::take(&mut self.to_store).into_iter();
        let is_any = to_store.len() > 0;
        let mut open = None;
        let outcome = to_store
            .by_ref()
            .try_for_each(|one| self.store_late(lane, one, &mut open));
        // What is not sent is still to be stored.
        self.to_store.extend(to_store);
        outcome?;
        Ok(is_any)
    }

    fn store_late(
        &mut self,
        lane: &mut Lane<'_, AppendStep>,
        one: Late,
        open: &mut Option<JobId>,
    ) -> Result<()> {
        if self.experience.refuses_keyword(one.id, &one.flags) {
            self.lost_flags(&one, "refused before");
            return Ok(());
        }
        let goes_alone = self.experience.is_late_suspect(&one);
        if goes_alone && let Err(error) = self.hear(lane) {
            self.to_store.push(one);
            return Err(error);
        }
        if *open != Some(one.id) {
            let wire = self.jobs[one.id].place().name.wire();
            let select = select::select(wire, lane.capabilities())?;
            lane.send(&select, AppendStep::Open, Order::Strict)?;
            *open = Some(one.id);
        }
        let store = store::flags_silently(one.to_uid, FlagChange::Add, &one.flags);
        lane.send(&store, AppendStep::Flags(one), Order::Loose)?;
        if goes_alone {
            self.hear(lane)?;
        }
        Ok(())
    }
}
