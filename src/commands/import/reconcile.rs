//! What the target already has of a mailbox: by the journal, by looking, and after waiting where that is not settled
//! yet.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, info_span, warn};

use crate::archive::journal::{Done, Flags, Journal, RouteRecord};
use crate::compare::{Board, Comparison};
use crate::mailbox::uidset::UidSet;
use crate::plural;
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::stop::Stop;
use crate::target::bodies;
use crate::target::flags;
use crate::target::holding::{self, Detail, Holding, MailboxQuery, Which};
use crate::target::mailbox::{Job, JobId, Jobs, Refused};
use crate::target::matching::{ArchiveSide, MessageRef, Sought};
use crate::target::repair::Repairs;
use crate::target::trouble::Trouble;

/// How long a server is given to finish what a connection that is gone had sent. Bytes that it has received and not
/// yet processed, at most a window of the lane, are still appended although nobody waits for the answer.
const SETTLE: Duration = Duration::from_secs(10);

/// Why the journal is not trusted.
const ANOTHER: &str = "another message has the newest UID on record";

/// Waits until nothing of an earlier connection can still arrive, where the journal says that something was under way.
///
/// Else a look at the target could miss messages that appear a moment later, and they would be there twice. `connected`
/// is when this connection was made; a server that answers within `timeout` has no more than that to process.
///
/// # Errors
/// [`Kind::Stopped`] when the run is asked to stop meanwhile.
pub fn let_settle(
    jobs: &Jobs,
    journal: &Journal,
    connected: Instant,
    timeout: Duration,
    stop: &Stop,
) -> Result<()> {
    let wait = SETTLE.min(timeout).saturating_sub(connected.elapsed());
    if wait.is_zero() || !jobs.iter().any(|job| was_under_way(job, journal)) {
        return Ok(());
    }
    info!(
        "messages were under way when an earlier connection ended: waiting {:.1} s until the target has settled",
        wait.as_secs_f32()
    );
    if stop.sleep(wait) {
        return Err(SessionError::stopped().into());
    }
    Ok(())
}

/// Was something sent that the target may or may not have?
#[must_use]
pub fn was_under_way(job: &Job, journal: &Journal) -> bool {
    journal.was_sent(&job.here().directory, job.here().uidvalidity, job.missing())
}

/// Finds out what the target has already; beside it only the connection is needed.
pub struct Reconciler<'a> {
    /// The mailboxes.
    pub jobs: &'a mut Jobs,
    /// What earlier runs have done.
    pub journal: &'a mut Journal,
    /// What cannot be read on the target.
    pub trouble: &'a mut Trouble,
    /// What is repaired in messages.
    pub repairs: Repairs,
    /// Nothing is written.
    pub dry_run: bool,
}

impl Reconciler<'_> {
    /// Without UIDPLUS: looks which UIDs the target gave to what was appended on this connection.
    ///
    /// It helps the next run to tell our messages from others; if the server refuses, nothing else is lost.
    pub fn learn_uids(&mut self, channel: &mut Channel, id: JobId) -> Result<()> {
        let job = &self.jobs[id];
        let known = self.journal.known(&job.route());
        let taken = job.taken().iter();
        let new: Vec<u32> = taken.filter(|uid| known.blind.contains(*uid)).collect();
        let from = job.uidnext_there();
        if new.is_empty() || from == 0 {
            return Ok(());
        }
        let mut sought = Sought::new(ArchiveSide {
            jobs: self.jobs,
            repairs: self.repairs,
        });
        sought.read(id, new, &HashMap::new())?;
        let Sought {
            wanted, origins, ..
        } = sought;
        let claimed = self.claimed(id);
        let wire = job.place().name.wire().to_vec();
        let mut there = match holding::read_one(channel, &wire, Which::From(from), self.trouble) {
            Ok(Ok(there)) => there,
            Ok(Err(words)) => {
                warn!(words, "the UIDs on the target are not known");
                return Ok(());
            }
            Err(error) if is_refusal(&error) => {
                warn!("the UIDs on the target are not known: {error:#}");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        there.leave_out(&claimed);
        let mut board = Board::new(&wanted, &there.messages);
        for group in board.candidates().unwrap_or_default() {
            board.accept(&group);
            board.count(&group);
        }
        for (one, at) in board.settled().matched {
            self.note_found(origins[one], there.messages[at].uid, None);
        }
        Ok(())
    }

    /// The flags that a message was found with, where they are those that it would be given: from then on it is as if
    /// we had sent them.
    fn flags_if_ours(&self, origin: MessageRef, shown: &str) -> Option<Flags> {
        let job = &self.jobs[origin.job];
        let archived = job.here().dir.read_sidecar(origin.uid).ok()?.flags;
        let sent = job.keepable(&archived).flags;
        let is_ours = flags::own(shown, &sent) == flags::set(&sent);
        is_ours.then(|| Flags {
            archived: archived.into(),
            sent: sent.into(),
        })
    }

    /// The target was seen to have a message.
    fn note_found(&mut self, origin: MessageRef, to_uid: u32, flags: Option<Flags>) {
        if !self.dry_run {
            let done = Done {
                uid: origin.uid,
                sha256: None,
                to_uid: Some(to_uid),
                flags,
            };
            self.journal.done(&self.jobs[origin.job].route(), &done);
        }
    }

    /// UIDs of the target's mailbox that are on record, whatever came there.
    fn claimed(&self, id: JobId) -> UidSet {
        let route = self.jobs[id].route();
        self.journal.claimed(&route.to, route.to_uidvalidity)
    }

    /// These mailboxes, those together that go to one of the target; what cannot be brought there is left out.
    pub fn groups(&self, ids: &[JobId]) -> Vec<Vec<JobId>> {
        let mut groups: Vec<Vec<JobId>> = Vec::new();
        for &id in ids.iter().filter(|id| !self.jobs[**id].has_failed()) {
            let wire = self.jobs[id].place().name.wire();
            let mut known = groups.iter_mut();
            match known.find(|group| self.jobs[group[0]].place().name.wire() == wire) {
                Some(group) => group.push(id),
                None => groups.push(vec![id]),
            }
        }
        groups
    }

    /// Compares with what the target holds, unless the journal knows it all; these mailboxes go to one of the target.
    ///
    /// # Errors
    /// Those of the connection and of the archive's file system.
    pub fn find_missing(&mut self, channel: &mut Channel, group: &[JobId]) -> Result<()> {
        let first = group[0];
        let span = info_span!("mailbox", mailbox = self.jobs[first].name());
        let _entered = span.enter();
        let mut on_record: HashMap<JobId, HashMap<u32, u32>> = HashMap::new();
        for &id in group {
            let why = match (self.jobs[id].is_rolled_back(), self.jobs[id].is_doubted()) {
                (true, _) => "UIDNEXT is not above UIDs on record",
                (false, true) => ANOTHER,
                (false, false) => continue,
            };
            let pairs = self.forget(id, why);
            on_record.insert(id, pairs);
        }
        let is_settled = |id: &JobId| self.jobs[*id].missing().next().is_none();
        let job = &self.jobs[first];
        // An empty mailbox needs no inventory.
        if group.iter().all(is_settled) || !job.place().exists || job.is_empty_there() {
            for &id in group {
                let missing: Vec<u32> = self.jobs[id].missing().collect();
                self.jobs[id].queue(missing);
                self.settle(id);
            }
            return Ok(());
        }
        let wire = job.place().name.wire().to_vec();
        let query = MailboxQuery {
            which: Which::All,
            detail: Detail::FlagsIfAny,
        };
        let mut there = match holding::read_with(channel, &wire, query, self.trouble)? {
            Ok(there) => there,
            Err(words) => {
                for &id in group {
                    let text = format!("the target does not say what it holds: {words}");
                    self.jobs[id].fail(text);
                }
                return Ok(());
            }
        };
        there.doubt_emptiness(channel, &wire, self.jobs[first].messages_listed())?;
        let nothing = HashMap::new();
        for &id in group {
            if let Some(pairs) = self.doubt_record(channel, id, &there)? {
                on_record.insert(id, pairs);
            }
        }
        let mut sought = Sought::new(ArchiveSide {
            jobs: self.jobs,
            repairs: self.repairs,
        });
        let mut unreadable: Vec<(JobId, Vec<u32>)> = Vec::new();
        for &id in group {
            let on_record = on_record.get(&id).unwrap_or(&nothing);
            let job = &self.jobs[id];
            // Without UIDPLUS nobody knows which messages there are ours: we count as many as we appended.
            let uids: UidSet = job.missing().chain(job.to_be_placed()).collect();
            let before = sought.origins.len();
            sought.read(id, uids.iter(), on_record)?;
            let described = sought.origins[before..].iter().map(|origin| origin.uid);
            let described: UidSet = described.collect();
            // Appending reports what is wrong with those that cannot be read.
            let rest = job.missing().filter(|uid| !described.contains(*uid));
            unreadable.push((id, rest.collect()));
        }
        there.leave_out(&self.claimed(first));
        let (result, note) = sought.compare(channel, &wire, &there, self.trouble)?;
        let origins = sought.origins;
        for (id, uids) in unreadable {
            self.jobs[id].queue(uids);
        }
        let is_cut = note.is_some();
        if let Some(note) = note {
            self.jobs[first].tell(note);
        }
        self.take_over(group, &origins, (&there, is_cut), &result);
        Ok(())
    }

    /// What the comparison means for each message; it may have been cut short.
    fn take_over(
        &mut self,
        group: &[JobId],
        origins: &[MessageRef],
        (there, is_cut): (&Holding, bool),
        result: &Comparison,
    ) {
        for &(one, at) in result.matched.iter().chain(&result.rewritten) {
            let origin = origins[one];
            if !self.jobs[origin.job].is_to_be_placed(origin.uid) {
                self.jobs[origin.job].found(origin.uid);
            }
            let flags = there.shown_flags(at);
            let flags = flags.and_then(|shown| self.flags_if_ours(origin, &shown));
            self.note_found(origin, there.messages[at].uid, flags);
        }
        let is_wanted =
            |jobs: &Jobs, origin: &MessageRef| !jobs[origin.job].is_to_be_placed(origin.uid);
        for &one in &result.missing {
            let origin = origins[one];
            if is_wanted(self.jobs, &origin) {
                self.jobs[origin.job].queue([origin.uid]);
            }
        }
        let mut unknown: BTreeMap<JobId, Vec<u32>> = BTreeMap::new();
        for &one in &result.unknown {
            let origin = origins[one];
            if is_wanted(self.jobs, &origin) {
                unknown.entry(origin.job).or_default().push(origin.uid);
            }
        }
        let unread: UidSet = there.unread().collect();
        for (id, uids) in unknown {
            if let Some((counted, named)) = there.shortfall() {
                self.jobs[id].fail(format!(
                    "the target counts {} here and names {named}: which of {} it has is not known, and nothing is appended",
                    plural::counted(counted, "message"),
                    uids.len()
                ));
                continue;
            }
            for uid in uids {
                let reason = why_unknown(&unread, is_cut);
                self.jobs[id].refuse(Refused {
                    uid,
                    size: None,
                    reason,
                });
            }
        }
        if !unread.is_empty() {
            let text = format!(
                "messages of the target that cannot be read, or compared: uid {unread} there"
            );
            warn!("{text}");
            self.jobs[group[0]].tell(text);
        }
        for &id in group {
            self.settle(id);
        }
    }

    /// The same where the newest message on record is another one.
    fn doubt_record(
        &mut self,
        channel: &mut Channel,
        id: JobId,
        there: &Holding,
    ) -> Result<Option<HashMap<u32, u32>>> {
        let Some(newest) = self.jobs[id].known().newest() else {
            return Ok(None);
        };
        let is_another = self.is_another(channel, id, newest, there)?;
        Ok(is_another.then(|| self.forget(id, ANOTHER)))
    }

    /// The journal is not trusted, except for where each message may be.
    fn forget(&mut self, id: JobId, why: &str) -> HashMap<u32, u32> {
        let text = format!(
            "the target was rolled back or recreated ({why}): the journal is not trusted, and everything is looked for"
        );
        let job = &mut self.jobs[id];
        warn!(mailbox = job.name(), "{text}");
        job.tell(text);
        let route = job.route();
        let pairs = job.known().pairs.iter().copied().collect();
        job.recall(RouteRecord::default());
        self.journal.forget(&route);
        pairs
    }

    /// By its header, and, as some targets rewrite headers, by its date and its content.
    fn is_another(
        &mut self,
        channel: &mut Channel,
        id: JobId,
        (uid, to_uid): (u32, u32),
        there: &Holding,
    ) -> Result<bool> {
        let mut messages = there.messages.iter();
        let there = messages.find(|one| one.uid == to_uid);
        let Some((there, identity)) = there.and_then(|there| Some((there, there.identity?))) else {
            return Ok(false);
        };
        let (archive, message) = (
            ArchiveSide {
                jobs: self.jobs,
                repairs: self.repairs,
            },
            MessageRef { job: id, uid },
        );
        let Some(here) = archive.describe(message)? else {
            return Ok(false);
        };
        if here.has_identity(identity) || here.time != there.time {
            return Ok(!here.has_identity(identity));
        }
        let Ok(here) = archive.fingerprint(message)? else {
            return Ok(false);
        };
        let here = here.gist();
        let (mut is_another, only) = (false, [to_uid].into_iter().collect());
        let wire = self.jobs[id].place().name.wire();
        bodies::read(channel, wire, &only, self.trouble, |_, print| {
            is_another = print.is_ok_and(|print| {
                print.cut_from.is_none() && !here.may_be(&print.fingerprint.gist())
            });
            Ok(())
        })?;
        Ok(is_another)
    }

    /// The mailbox has been looked at: what an earlier connection had under way elsewhere no longer matters.
    fn settle(&mut self, id: JobId) {
        if self.dry_run {
            return;
        }
        for (route, uids) in self.journal.pending_elsewhere(&self.jobs[id].route()) {
            self.journal.settled(&route, &uids);
        }
    }
}

/// `unread` are messages of the target whose headers cannot be read; `is_cut`: more was to be read than one run may.
fn why_unknown(unread: &UidSet, is_cut: bool) -> String {
    let which = if is_cut {
        "messages that look like it, too many to be read in one run, and this may be one of them"
            .to_owned()
    } else if unread.is_empty() {
        "a message that looks like it, whose content cannot be read, and this may be it".to_owned()
    } else {
        format!("messages that cannot be read (uid {unread} there), and this may be one of them")
    };
    format!("the target has {which}: it is not appended")
}

fn is_refusal(error: &anyhow::Error) -> bool {
    let lost = error.downcast_ref::<SessionError>();
    lost.is_some_and(|error| error.kind == Kind::Refused)
}
