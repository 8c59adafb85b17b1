//! What is known of a target from one connection to the next.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::item::{Late, Owed};
use super::strangers::Others;
use crate::mailbox::uidset::UidSet;
use crate::session::blame::{Blame, Owner, Verdict};
use crate::target::mailbox::JobId;

/// What is known of a target from one connection to the next.
#[derive(Default)]
pub struct Experience {
    /// Who is to blame for ends that were not OK.
    pub(super) blame: Blame<Owner<JobId>>,
    /// Messages that were under way when a connection was lost: each goes alone.
    pub(super) careful: HashMap<JobId, UidSet>,
    /// It stores parts of a MULTIAPPEND that it refuses.
    pub(super) stores_in_part: bool,
    /// Its APPENDUID is not trusted.
    pub(super) distrusted: bool,
    /// It wants a list of flags, even an empty one.
    pub(super) always_list: bool,
    /// Keywords that a mailbox does not take.
    pub(super) refused_keywords: HashMap<JobId, HashSet<String>>,
    /// Others that append at the same time.
    pub(super) others: Others,
    /// Flags that are to be stored when the UIDs of their messages are known.
    pub(super) owed: Vec<Owed>,
    /// There is no room left for a message of this size; with the words that said so.
    pub(super) no_room: Option<(u64, String)>,
    /// Messages in a row that were found out to end connections, without one between them that the target took.
    passed_over: u32,
    /// When the first of them was under way for the first time.
    since: Option<Instant>,
    /// So many were found out since the last question.
    news: u32,
    /// Messages that were sent, and not answered when the connection was lost.
    unanswered: HashMap<JobId, UidSet>,
    /// When that was.
    lost: Option<Instant>,
    /// When the first copy of what was sent a second time was lost, as far as nobody has waited for it.
    lost_first_copy: Option<Instant>,
    /// Flags stored afterwards that connections ended with, by message: each goes alone, and then no more.
    late_deaths: HashSet<(JobId, u32, String)>,
}

/// So many in a row, in so long a time, are the messages' fault; more are the server's.
const MAX_PASSED_OVER: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(15 * 60);

impl Experience {
    /// An earlier run could not bring this message over: it goes alone, once.
    pub fn remember(&mut self, id: JobId, uid: u32) {
        self.blame.remember(Owner::Message(id, uid));
        self.careful.entry(id).or_default().insert(uid);
    }

    /// Counts an end that is not OK for a message.
    pub(super) fn count(&mut self, id: JobId, uid: u32, words: String) -> Verdict {
        let verdict = self.blame.count(Owner::Message(id, uid), words);
        let since = *self.since.get_or_insert_with(Instant::now);
        if verdict == Verdict::Over {
            self.passed_over += 1;
            let is_theirs = self.passed_over <= MAX_PASSED_OVER && since.elapsed() < PATIENCE;
            self.news += u32::from(is_theirs);
        }
        verdict
    }

    /// The connection ended while these flags were first in line to be stored; true when it did so before.
    pub(super) fn count_late(&mut self, late: &Late) -> bool {
        self.news += 1;
        !self.late_deaths.insert(key(late))
    }

    /// They go with nothing else in flight.
    pub(super) fn is_late_suspect(&self, late: &Late) -> bool {
        self.late_deaths.contains(&key(late))
    }

    /// The target has taken a message.
    pub(super) fn taken(&mut self, id: JobId, uid: u32) {
        self.passed_over = 0;
        self.since = None;
        self.blame.clear(&Owner::Message(id, uid));
        if let Some(careful) = self.careful.get_mut(&id) {
            careful.remove(uid);
        }
    }

    /// The connection was lost before this one was answered: it goes alone from now on.
    pub(super) fn lost(&mut self, id: JobId, uid: u32) {
        self.careful.entry(id).or_default().insert(uid);
        self.unanswered.entry(id).or_default().insert(uid);
        self.lost = Some(Instant::now());
    }

    /// A message is about to be sent.
    pub(super) fn sending(&mut self, id: JobId, uid: u32) {
        let unanswered = self.unanswered.get(&id);
        if unanswered.is_some_and(|unanswered| unanswered.contains(uid)) {
            self.lost_first_copy = self.lost;
        }
    }

    /// When the connection was lost on which something had been sent that was sent a second time since; asked once.
    pub fn take_lost_first_copy(&mut self) -> Option<Instant> {
        self.lost_first_copy.take()
    }

    /// True when a message was found out to end connections since the last call: the others get on.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news) > 0
    }

    pub(super) fn refuses_keyword(&self, id: JobId, flag: &str) -> bool {
        let refused = self.refused_keywords.get(&id);
        refused.is_some_and(|refused| refused.contains(flag))
    }

    pub(super) fn learn_keyword(&mut self, id: JobId, flag: &str) {
        let refused = self.refused_keywords.entry(id).or_default();
        refused.insert(flag.to_owned());
    }

    /// It was under way when a connection was lost: it goes alone.
    pub(super) fn is_careful(&self, id: JobId, uid: u32) -> bool {
        let careful = self.careful.get(&id);
        careful.is_some_and(|careful| careful.contains(uid))
    }

    /// The words that refused one of this size, or a smaller one, for lack of room.
    pub(super) fn no_room_for(&self, size: u64) -> Option<&str> {
        let no_room = self.no_room.as_ref();
        let no_room = no_room.filter(|(refused, _)| size >= *refused);
        no_room.map(|(_, words)| words.as_str())
    }
}

fn key(late: &Late) -> (JobId, u32, String) {
    (late.id, late.uid, late.flags.clone())
}
