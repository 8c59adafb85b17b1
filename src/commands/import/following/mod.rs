//! Flags that changed in the archive since their messages were imported follow, unless somebody changed them on the
//! target: theirs win.

mod flight;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use tracing::{info, warn};

use crate::archive::journal::{Done, Flags, Journal};
use crate::plural::counted;
use crate::session::channel::Channel;
use crate::session::reader::Response;
use crate::session::response;
use crate::session::select::Selected;
use crate::target::flags;
use crate::target::mailbox::{Job, JobId, Jobs};

/// Mailboxes, and messages, whose flags follow together.
const TOGETHER: (usize, usize) = (32, 20_000);

/// A message whose flags changed in the archive.
struct Changed {
    uid: u32,
    to_uid: u32,
    before: Flags,
    now: String,
}

/// A message whose flags are to be changed on the target.
struct Followed {
    uid: u32,
    to_uid: u32,
    /// What it is to have.
    flags: Flags,
}

/// Messages with the same change.
struct SameChange {
    /// Flags to be added, blank-separated.
    add: String,
    /// Flags to be taken away.
    remove: String,
    messages: Vec<Followed>,
    /// The words with which it was refused.
    refused: Option<String>,
}

impl SameChange {
    fn ended(&mut self, refused: Option<String>) {
        self.refused = refused.or(self.refused.take());
    }
}

/// A mailbox of the target whose flags follow.
struct Follower {
    id: JobId,
    wire: Vec<u8>,
    uidvalidity: u32,
    changed: Vec<Changed>,
    opening: Selected,
    /// Why it is not open as the mailbox it was.
    closed: Option<String>,
    /// Flags on the target by UID, of the messages that were asked for; `None` where no answer has shown them.
    shown: HashMap<u32, Option<String>>,
    changes: Vec<SameChange>,
}

/// Stores what changed; in a dry run it is only counted.
///
/// # Errors
/// Those of the connection.
pub fn follow(
    channel: &mut Channel,
    jobs: &mut Jobs,
    journal: &mut Journal,
    dry_run: bool,
) -> Result<()> {
    let mut followers: Vec<Follower> = Vec::new();
    let mut messages = 0;
    for id in jobs.ids() {
        let changed = changed(&jobs[id]);
        if changed.is_empty() {
            continue;
        }
        if dry_run {
            jobs[id].told_mut().change_flags(changed.len());
            continue;
        }
        messages += changed.len();
        followers.push(Follower::new(id, &jobs[id], changed));
        if followers.len() >= TOGETHER.0 || messages >= TOGETHER.1 {
            bring(channel, jobs, journal, std::mem::take(&mut followers))?;
            messages = 0;
        }
    }
    bring(channel, jobs, journal, followers)
}

/// What the archive has changed since.
fn changed(job: &Job) -> Vec<Changed> {
    let known = job.known();
    let to_uids: HashMap<u32, u32> = known.pairs.iter().copied().collect();
    let mut changed = Vec::new();
    if job.has_failed() || !job.place().exists {
        return changed;
    }
    for uid in job.uids().iter() {
        let (Some(before), Some(to_uid)) = (known.flags.get(&uid), to_uids.get(&uid)) else {
            continue;
        };
        let Ok(sidecar) = job.here().dir.read_sidecar(uid) else {
            continue;
        };
        let is_same = *sidecar.flags == *before.archived
            || flags::set(&sidecar.flags) == flags::set(&before.archived);
        if !is_same {
            changed.push(Changed {
                uid,
                to_uid: *to_uid,
                before: before.clone(),
                now: sidecar.flags,
            });
        }
    }
    changed
}

/// Stores the changes of these mailboxes: their flags are read in one flight, and changed in the next.
fn bring(
    channel: &mut Channel,
    jobs: &mut Jobs,
    journal: &mut Journal,
    mut followers: Vec<Follower>,
) -> Result<()> {
    flight::read(channel, &mut followers, |follower| {
        follower.changed.iter().map(|one| one.to_uid).collect()
    })?;
    for follower in &mut followers {
        if let Some(words) = &follower.closed {
            tell_refused(&mut jobs[follower.id], follower.changed.len(), words);
            continue;
        }
        let left = follower.plan();
        if left > 0 {
            let text = format!(
                "the flags of {} were changed on the target as well, and stay",
                counted(left, "message")
            );
            jobs[follower.id].tell(text);
        }
    }
    flight::store(channel, &mut followers)?;
    // OK does not mean changed: what the answers do not show is stored again, alone, and checked.
    flight::store_alone(channel, &mut followers)?;
    flight::read(channel, &mut followers, Follower::all_doubtful)?;
    for follower in followers {
        let id = follower.id;
        follower.note_changes(&mut jobs[id], journal);
        info!(
            mailbox = jobs[id].name(),
            messages = jobs[id].told().flags_changed(),
            "flags followed"
        );
    }
    Ok(())
}

impl Follower {
    fn new(id: JobId, job: &Job, changed: Vec<Changed>) -> Self {
        Self {
            id,
            wire: job.place().name.wire().to_vec(),
            uidvalidity: job.route().to_uidvalidity,
            changed,
            opening: Selected::default(),
            closed: None,
            shown: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// The answer to its opening is whole; with the words of a refusal.
    fn opened(&mut self, refused: Option<String>) {
        let is_another = self.opening.uidvalidity != self.uidvalidity;
        self.closed =
            refused.or_else(|| is_another.then(|| "its UIDVALIDITY has changed".to_owned()));
    }

    /// What is known of these messages no longer holds.
    fn forget(&mut self, to_uids: &[u32]) {
        self.shown
            .extend(to_uids.iter().map(|to_uid| (*to_uid, None)));
    }

    /// Takes the flags that a FETCH response shows of a message that was asked for.
    fn note(&mut self, response: &Response) {
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

    /// Finds out what is to be changed; how many messages are left alone, as somebody changed their flags on the target
    /// as well.
    fn plan(&mut self) -> u64 {
        let mut groups: BTreeMap<(String, String), Vec<Followed>> = BTreeMap::new();
        let mut left = 0;
        for one in std::mem::take(&mut self.changed) {
            let Some(current) = self.shows(one.to_uid) else {
                continue;
            };
            let kept = flags::kept(self.opening.permanent_flags.as_deref(), &one.now).flags;
            // As it is to be: stored on a connection that was lost before it said so, or by the user.
            let is_done = flags::set(current) == flags::set(&kept);
            if !is_done && flags::set(current) != flags::set(&one.before.sent) {
                left += 1;
                continue;
            }
            let change = if is_done {
                Default::default()
            } else {
                (
                    without(&kept, &one.before.sent),
                    without(&one.before.sent, &kept),
                )
            };
            let flags = Flags {
                archived: one.now.as_str().into(),
                sent: kept.as_str().into(),
            };
            let (uid, to_uid) = (one.uid, one.to_uid);
            let group = groups.entry(change).or_default();
            group.push(Followed { uid, to_uid, flags });
        }
        let changes = groups
            .into_iter()
            .map(|((add, remove), messages)| SameChange {
                add,
                remove,
                messages,
                refused: None,
            });
        self.changes = changes.collect();
        left
    }

    /// Messages of a change that was not refused and that no answer shows.
    fn doubtful<'a>(&'a self, change: &'a SameChange) -> impl Iterator<Item = &'a Followed> {
        let messages = change.messages.iter();
        messages.filter(|one| change.refused.is_none() && !self.is_as_wanted(one))
    }

    fn all_doubtful(&self) -> Vec<u32> {
        let doubtful = self.changes.iter().flat_map(|change| self.doubtful(change));
        doubtful.map(|one| one.to_uid).collect()
    }

    fn is_as_wanted(&self, message: &Followed) -> bool {
        let shown = self.shows(message.to_uid);
        shown.is_some_and(|shown| flags::set(shown) == flags::set(&message.flags.sent))
    }

    /// What became of each change.
    fn note_changes(mut self, job: &mut Job, journal: &mut Journal) {
        for change in std::mem::take(&mut self.changes) {
            let refused = change.refused.as_ref().or(self.closed.as_ref());
            if let Some(words) = refused {
                tell_refused(job, change.messages.len(), words);
                continue;
            }
            let (kept, lost): (Vec<_>, Vec<_>) = change
                .messages
                .into_iter()
                .partition(|one| self.is_as_wanted(one));
            if !lost.is_empty() {
                let text = format!(
                    "the target says OK to new flags of {} and does not keep them",
                    counted(lost.len(), "message")
                );
                tell(job, text);
            }
            job.told_mut().change_flags(kept.len());
            let route = job.route();
            for Followed { uid, to_uid, flags } in kept {
                let done = Done {
                    uid,
                    sha256: None,
                    to_uid: Some(to_uid),
                    flags: Some(flags),
                };
                journal.done(&route, &done);
            }
        }
    }
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

/// The flags of `one` that are not among those of `other`.
fn without(one: &str, other: &str) -> String {
    let known = flags::set(other);
    let words = one.split_ascii_whitespace();
    let words = words.filter(|flag| !known.contains(&flag.to_ascii_lowercase()));
    words.collect::<Vec<_>>().join(" ")
}
