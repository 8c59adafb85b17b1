//! A mailbox of the target whose flags follow: what its messages are to have, what they have, what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracing::{debug, warn};

use super::change::{FlagRefusal, SameChange, narrowed};
use super::suspects::FlagSuspects;
use crate::archive::journal::{Done, Flags, Journal};
use crate::plural::counted;
use crate::session::reader::Response;
use crate::session::response::{self, Condition, StatusResponse};
use crate::session::select::Selected;
use crate::target::flags;
use crate::target::mailbox::{Job, JobId};

/// A message whose flags changed in the archive.
pub(super) struct Changed {
    pub uid: u32,
    pub to_uid: u32,
    pub before: Flags,
    pub now: String,
}

/// A message whose flags are to be changed on the target.
struct Followed {
    uid: u32,
    /// Flags of the archive, now and when they last went.
    archived: String,
    before: Flags,
    /// What it is to have.
    wanted: String,
    /// How it gets there.
    add: String,
    remove: String,
}

/// A mailbox of the target whose flags follow.
pub(super) struct Follower {
    pub id: JobId,
    pub wire: Vec<u8>,
    uidvalidity: u32,
    pub changed: Vec<Changed>,
    pub opening: Selected,
    /// Why it is not open as the mailbox it was.
    pub closed: Option<String>,
    /// Why flags could not be read.
    pub unread: Option<String>,
    dry_run: bool,
    /// Flags on the target by UID, of the messages that were asked for; `None` where no answer has shown them.
    shown: HashMap<u32, Option<String>>,
    /// What is to be sent.
    pub changes: Vec<SameChange>,
    /// Messages, by their UIDs on the target.
    followed: BTreeMap<u32, Followed>,
    /// Messages that stay as they are, as somebody has changed them on the target.
    left: usize,
    /// What was refused of messages, by their UIDs on the target.
    refused: HashMap<u32, Vec<FlagRefusal>>,
}

/// What became of a message.
enum Outcome {
    Follows,
    /// But for these keywords.
    FollowsWithout(Vec<String>),
    Refused(String),
    /// The target said OK to it.
    NotKept,
    /// It is no longer there.
    Gone,
    /// Somebody changed it meanwhile.
    Left,
}

impl Follower {
    pub(super) fn new(id: JobId, job: &Job, changed: Vec<Changed>, dry_run: bool) -> Self {
        Self {
            id,
            wire: job.place().name.wire().to_vec(),
            uidvalidity: job.route().to_uidvalidity,
            changed,
            opening: Selected::default(),
            closed: None,
            unread: None,
            dry_run,
            shown: HashMap::new(),
            changes: Vec::new(),
            followed: BTreeMap::new(),
            left: 0,
            refused: HashMap::new(),
        }
    }

    /// It is about to be opened.
    pub(super) fn will_open(&mut self) {
        self.opening = Selected::default();
    }

    /// The answer to its opening is whole.
    pub(super) fn opened(&mut self, status: &StatusResponse) {
        let code = status.code.as_deref().unwrap_or_default();
        let closed = if status.condition != Condition::Ok {
            Some(status.said())
        } else if self.opening.uidvalidity != self.uidvalidity {
            Some("its UIDVALIDITY has changed".to_owned())
        } else if code.eq_ignore_ascii_case("READ-ONLY") && !self.dry_run {
            Some("the target opens the mailbox for reading only".to_owned())
        } else {
            None
        };
        self.closed = closed.or(self.closed.take());
    }

    /// What is known of these messages no longer holds.
    pub(super) fn forget(&mut self, to_uids: &[u32]) {
        self.shown
            .extend(to_uids.iter().map(|to_uid| (*to_uid, None)));
    }

    /// Takes the flags that a FETCH response shows of a message that was asked for.
    pub(super) fn note(&mut self, response: &Response) {
        if let Some(Ok(data)) = response::parse_fetch(response)
            && let Some((uid, flags)) = data.uid.zip(data.flags)
            && let Some(shown) = self.shown.get_mut(&uid)
        {
            *shown = Some(flags.join(" "));
        }
    }

    fn shows(&self, to_uid: u32) -> Option<&str> {
        self.shown.get(&to_uid)?.as_deref()
    }

    /// UID in the archive.
    pub(super) fn uid_of(&self, to_uid: u32) -> Option<u32> {
        self.followed.get(&to_uid).map(|one| one.uid)
    }

    /// Finds out what is to be changed, in commands of up to `batch` messages.
    pub(super) fn plan(&mut self, suspects: &FlagSuspects, batch: usize) {
        let mut groups: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        for one in &self.changed {
            let Some(current) = self.shows(one.to_uid) else {
                continue;
            };
            let permanent = self.opening.permanent_flags.as_deref();
            let permanent = permanent.filter(|_| !self.dry_run);
            let wanted = wanted(permanent, one);
            if !is_on_the_way(current, &one.before.sent, &wanted) {
                self.left += 1;
                continue;
            }
            let ours = format!("{} {wanted}", one.before.sent);
            let (add, remove) = (
                without(&wanted, current),
                without(&among(current, &ours), &wanted),
            );
            let followed = Followed {
                uid: one.uid,
                archived: one.now.clone(),
                before: one.before.clone(),
                wanted,
                add: add.clone(),
                remove: remove.clone(),
            };
            self.followed.insert(one.to_uid, followed);
            if let Some(words) = suspects.message_over(self.id, one.uid) {
                let refusal = FlagRefusal {
                    words,
                    is_about_flags: false,
                    is_bad: false,
                };
                self.refused.entry(one.to_uid).or_default().push(refusal);
            } else if suspects.is_suspect(self.id, one.uid) {
                let alone = suspects.goes_alone(self.id, one.uid);
                self.changes.push(SameChange {
                    add,
                    remove,
                    to_uids: vec![one.to_uid],
                    alone,
                    ..SameChange::default()
                });
            } else {
                groups.entry((add, remove)).or_default().push(one.to_uid);
            }
        }
        for ((add, remove), to_uids) in groups {
            self.changes
                .extend(to_uids.chunks(batch).map(|to_uids| SameChange {
                    add: add.clone(),
                    remove: remove.clone(),
                    to_uids: to_uids.to_vec(),
                    ..SameChange::default()
                }));
        }
        self.changes.retain(|change| change.ways().next().is_some());
    }

    /// The changes were answered: what was refused is tried again in parts.
    pub(super) fn narrow(&mut self, suspects: &mut FlagSuspects) {
        let answered = std::mem::take(&mut self.changes);
        if self.closed.is_some() {
            return;
        }
        for change in &answered {
            if let [to_uid] = change.to_uids[..]
                && let Some(uid) = self.uid_of(to_uid)
            {
                suspects.clear(self.id, uid);
            }
        }
        let (again, over) = narrowed(answered);
        for change in over {
            for to_uid in &change.to_uids {
                let refusals = self.refused.entry(*to_uid).or_default();
                refusals.extend(change.refused.clone());
            }
        }
        self.changes = again;
    }

    /// OK does not mean changed: what the answers do not show is stored again, alone, and checked.
    pub(super) fn again(&mut self) {
        let changes = self.doubtful().filter_map(|to_uid| {
            let Followed { add, remove, .. } = self.followed.get(&to_uid)?;
            Some(SameChange {
                add: add.clone(),
                remove: remove.clone(),
                to_uids: vec![to_uid],
                silently: true,
                ..SameChange::default()
            })
        });
        self.changes = changes.collect();
    }

    /// Messages that nothing was refused of, and that no answer shows as they are to be.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = u32> + '_ {
        let messages = self.followed.iter();
        messages
            .filter(|(to_uid, one)| {
                !self.refused.contains_key(to_uid) && !self.is_as_wanted(**to_uid, one)
            })
            .map(|(to_uid, _)| *to_uid)
    }

    fn is_as_wanted(&self, to_uid: u32, message: &Followed) -> bool {
        let shown = self.shows(to_uid);
        shown.is_some_and(|shown| flags::own(shown, &message.wanted) == flags::set(&message.wanted))
    }

    fn outcome(&self, to_uid: u32, message: &Followed) -> Outcome {
        if self.is_as_wanted(to_uid, message) {
            return Outcome::Follows;
        }
        let refusals = self.refused.get(&to_uid).map_or(&[][..], Vec::as_slice);
        let closed = self.closed.as_ref().or(self.unread.as_ref());
        let Some(shown) = self.shows(to_uid) else {
            let words = refusals.first().map(|one| &one.words).or(closed);
            return words.map_or(Outcome::Gone, |words| Outcome::Refused(words.clone()));
        };
        let missing = without(&message.wanted, shown);
        let surplus = flags::own(&without(shown, &message.wanted), &message.wanted);
        let only_keywords = surplus.is_empty() && !missing.contains('\\');
        if only_keywords && closed.is_none() && refusals.iter().all(|one| one.is_about_flags) {
            let missing = missing.split(' ').map(str::to_owned);
            return Outcome::FollowsWithout(missing.collect());
        }
        if let Some(words) = refusals.first().map(|one| &one.words).or(closed) {
            return Outcome::Refused(words.clone());
        }
        if surplus.is_subset(&flags::set(&message.remove)) {
            Outcome::NotKept
        } else {
            Outcome::Left
        }
    }

    /// What became of each message, for the report and the journal.
    pub(super) fn conclude(mut self, job: &mut Job, journal: &mut Journal) {
        if let Some(words) = self.closed.as_ref().filter(|_| self.followed.is_empty()) {
            tell_refused(job, self.changed.len(), words);
            return;
        }
        if let Some(words) = self.unread.as_ref() {
            let shown = |one: &&Changed| self.shows(one.to_uid).is_none();
            let unseen = self.changed.iter().filter(shown);
            let unseen = unseen.filter(|one| !self.followed.contains_key(&one.to_uid));
            match unseen.count() {
                0 => {}
                count => tell_refused(job, count, words),
            }
        }
        let (mut not_kept, mut refused, mut follow) = (0, BTreeMap::new(), 0);
        for (to_uid, message) in std::mem::take(&mut self.followed) {
            let lost = match self.outcome(to_uid, &message) {
                Outcome::Follows => Vec::new(),
                Outcome::FollowsWithout(lost) => lost,
                Outcome::Refused(words) => {
                    *refused.entry(words).or_insert(0) += 1;
                    continue;
                }
                Outcome::NotKept => {
                    not_kept += 1;
                    continue;
                }
                Outcome::Gone => {
                    debug!(uid = message.uid, "no longer there");
                    continue;
                }
                Outcome::Left => {
                    self.left += 1;
                    continue;
                }
            };
            follow += 1;
            message.record(to_uid, &lost, job, journal);
        }
        self.tell_left(job);
        for (words, messages) in refused {
            tell_refused(job, messages, &words);
        }
        if not_kept > 0 {
            let text = format!(
                "the target says OK to new flags of {} and does not keep them",
                counted(not_kept, "message")
            );
            tell(job, text);
        }
        job.told_mut().change_flags(follow);
    }

    /// What would be done, for the report.
    pub(super) fn rehearse(self, job: &mut Job) {
        job.told_mut().change_flags(self.followed.len());
        self.tell_left(job);
        let closed = self.closed.as_ref().or(self.unread.as_ref());
        if let Some(words) = closed.filter(|_| self.followed.is_empty() && self.left == 0) {
            tell_refused(job, self.changed.len(), words);
        }
    }

    fn tell_left(&self, job: &mut Job) {
        if self.left > 0 {
            job.tell(format!(
                "the flags of {} were changed on the target as well, and stay",
                counted(self.left, "message")
            ));
        }
    }
}

impl Followed {
    /// The target has its flags now, but for keywords that it does not take.
    fn record(self, to_uid: u32, lost: &[String], job: &mut Job, journal: &mut Journal) {
        let uid = self.uid;
        let kept = job.keepable(&self.archived);
        let is_new =
            |flag: &str| !flags::set(&self.before.archived).contains(&flag.to_ascii_lowercase());
        let dropped = without(&kept.dropped.join(" "), &self.wanted);
        let dropped = dropped.split_ascii_whitespace().filter(|flag| is_new(flag));
        let lost_words = lost.iter().map(String::as_str);
        job.told_mut().lose_flags(uid, dropped.chain(lost_words));
        let encoded = kept.encoded.into_iter().filter(|(flag, _)| is_new(flag));
        job.told_mut().encode_flags(encoded.collect());
        let flags = Flags {
            sent: without(&self.wanted, &lost.join(" ")).into(),
            archived: self.archived.into(),
        };
        let done = Done {
            uid,
            sha256: None,
            to_uid: Some(to_uid),
            flags: Some(flags),
        };
        journal.done(&job.route(), &done);
    }
}

/// The flags that a message is to have: what the target once took and no longer names is not taken away.
fn wanted(permanent: Option<&[String]>, one: &Changed) -> String {
    let kept = flags::kept(permanent, &one.now).flags;
    let all = flags::kept(None, &one.now).flags;
    let still = without(&among(&all, &one.before.sent), &kept);
    format!("{kept} {still}").trim().to_owned()
}

/// Has a message on the target what was sent, or a part of the way from there to what it is to have? That is a change
/// that was cut off, or one that a user has made as well; anything else is a user's, and stays.
fn is_on_the_way(current: &str, sent: &str, wanted: &str) -> bool {
    let (sent, wanted) = (flags::set(sent), flags::set(wanted));
    let current: BTreeSet<String> = flags::set(current);
    let known = |flag: &String| sent.contains(flag) || wanted.contains(flag);
    let strange = current.iter().filter(|flag| !known(flag));
    let strange = strange.filter(|flag| !flags::is_servers(flag));
    strange.count() == 0
        && sent
            .intersection(&wanted)
            .all(|flag| current.contains(flag))
}

fn tell_refused(job: &mut Job, messages: usize, words: &str) {
    let messages = counted(messages, "message");
    tell(
        job,
        format!("the flags of {messages} cannot be changed: {words}"),
    );
}

fn tell(job: &mut Job, text: String) {
    warn!(mailbox = job.name(), "{text}");
    job.tell(text);
}

/// The flags of `one` that are not among those of `other`, without `\Recent`, which nobody can change.
fn without(one: &str, other: &str) -> String {
    let (own, known) = (flags::set(one), flags::set(other));
    let words = one.split_ascii_whitespace().filter(|flag| {
        let flag = flag.to_ascii_lowercase();
        own.contains(&flag) && !known.contains(&flag)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The flags of `one` that are.
fn among(one: &str, other: &str) -> String {
    without(one, &without(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_is_half_done_goes_on_and_a_users_stays() {
        let cases = [
            ("", "", "\\Seen", true),
            ("\\Flagged", "\\Flagged", "\\Seen", true),
            ("\\Flagged \\Seen", "\\Flagged", "\\Seen", true),
            ("\\Seen", "\\Flagged", "\\Seen", true),
            ("", "\\Flagged", "\\Seen", true),
            ("\\RECENT $hasNoAttachment", "", "\\Seen", true),
            ("\\Answered", "\\Flagged", "\\Seen", false),
            ("", "\\Flagged", "\\Flagged \\Seen", false),
            ("\\flagged", "\\Flagged", "\\Flagged \\Seen", true),
            ("\\Flagged $mine", "\\Flagged", "\\Flagged \\Seen", false),
        ];
        for (current, sent, wanted, expected) in cases {
            let is = is_on_the_way(current, sent, wanted);
            assert_eq!(is, expected, "{current} between {sent} and {wanted}");
        }
    }

    #[test]
    fn flags_are_told_apart_in_any_case_and_recent_is_none() {
        assert_eq!(without("\\Recent \\Seen $a \\recent", "\\SEEN"), "$a");
        assert_eq!(among("\\Recent \\Seen $A", "$a \\Recent"), "$A");
        assert_eq!(among("", "$a"), "");
    }

    #[test]
    fn what_the_target_no_longer_names_is_neither_added_nor_taken_away() {
        let one = Changed {
            uid: 1,
            to_uid: 1,
            before: Flags {
                archived: "\\Flagged $a $b".into(),
                sent: "\\Flagged $a".into(),
            },
            now: "\\Flagged $a $b $c \\Seen".to_owned(),
        };
        let permanent = ["\\Seen".to_owned()];
        let seen = wanted(Some(&permanent), &one);
        assert_eq!(flags::set(&seen), flags::set("\\Seen \\Flagged $a"));
        assert_eq!(flags::set(&wanted(None, &one)), flags::set(&one.now));
    }
}
