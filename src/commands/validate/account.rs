//! One account of the archive against the target.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context, Result};
use tracing::info;

use super::deep::{self, Pair, Verdict};
use super::record::Record;
use crate::archive::account::Standing;
use crate::archive::journal::Journal;
use crate::archive::uidset::UidSet;
use crate::compare::{Comparison, Held, Wanted};
use crate::config::Account;
use crate::finding::{Code, Finding, Severity};
use crate::report::{Compared, Counts, MailboxReport};
use crate::session::Session;
use crate::session::channel::Channel;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::list::Listing;
use crate::session::peer::Peer;
use crate::session::retry::keep_trying;
use crate::session::select;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::flags;
use crate::target::holding::{self, Extent, Holding, Which};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::matching::{self, Origin};
use crate::target::message::{self, Described};
use crate::target::plan::{Messages, Plan};
use crate::target::trouble::Trouble;

/// What a comparison tells.
#[derive(Default)]
pub struct Looked {
    /// A line for each mailbox of the archive.
    pub mailboxes: Vec<MailboxReport>,
    /// What differs.
    pub findings: Vec<Finding>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// Messages that the target does not have; a mailbox that it does not have is named even when it is empty.
    pub missing: Messages,
}

/// Compares an account, on as many connections as it takes.
///
/// # Errors
/// An archive that cannot be read; those of the connection.
pub fn look(settings: &Settings, peer: &Peer, stop: &Stop, account: &Account) -> Result<Looked> {
    let (mut plan, mut journal) = Plan::read(settings.want(account, false), None)?;
    let mut looked = Looked::default();
    let mut memory = Memory::default();
    keep_trying(stop, |backoff| {
        if memory.trouble.take_news() {
            backoff.progress();
        }
        if stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = dial::open(peer, account, stop)?;
        let (listing, _) = plan.map(session.channel(), &mut journal)?;
        let comparing = Comparing {
            account: &account.name,
            settings,
            journal: &journal,
            looked: Looked::default(),
            changed_since: BTreeMap::new(),
        };
        looked = comparing.run(&mut session, &listing, &plan.jobs, &mut memory)?;
        session.logout();
        Ok(())
    })?;
    looked.warnings.append(&mut plan.warnings);
    let mut findings = shortcomings(&account.name, &plan);
    findings.append(&mut looked.findings);
    looked.findings = findings;
    Ok(looked)
}

/// What the archive lacks by its own record: the target may hold all that is there, and yet not everything.
fn shortcomings(account: &str, plan: &Plan<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let standing = match plan.standing() {
        Standing::Incomplete => Some((Code::Incomplete, "the archive is not complete")),
        Standing::RecordLost => Some((
            Code::NoState,
            "the archive has no export-state.json: nothing says whether it is complete",
        )),
        _ => None,
    };
    if let Some((code, text)) = standing {
        found.push(Finding::new(code, account, text).graded(Severity::Error));
    }
    for (name, messages) in &plan.lost {
        let text = format!("its directory is gone from the archive, with {messages} messages");
        found.push(Finding::new(Code::MailboxGone, account, text).in_mailbox(name));
    }
    for job in plan.jobs.iter().filter(|job| job.lost().count() > 0) {
        let lost = job.lost();
        let text = match lost.unnamed {
            0 => format!("{} are gone from the archive", lost.uids.told()),
            more => format!("{more} messages are gone from the archive"),
        };
        found.push(Finding::new(Code::MessageGone, account, text).in_mailbox(job.name()));
    }
    found
}

/// What is remembered from one connection to the next.
#[derive(Default)]
struct Memory {
    trouble: Trouble,
    /// What was read back already.
    read_back: HashMap<(JobId, u32), Verdict>,
}

/// The target's side of a comparison.
struct Side<'a> {
    /// Number of the mailbox.
    at: usize,
    channel: &'a mut Channel,
    trouble: &'a mut Trouble,
    holding: &'a Holding,
}

struct Comparing<'a> {
    account: &'a str,
    settings: &'a Settings,
    journal: &'a Journal,
    looked: Looked,
    /// Messages whose flags the archive has changed since their import.
    changed_since: BTreeMap<JobId, u64>,
}

/// A message that the archive has and the target must have.
struct Expected {
    /// Number of the job.
    job: JobId,
    uid: u32,
    described: Described,
}

impl Expected {
    fn origin(&self) -> Origin {
        Origin {
            job: self.job,
            uid: self.uid,
        }
    }
}

impl Comparing<'_> {
    fn add(&mut self, code: Code, job: &Job, text: String) {
        let finding = Finding::new(code, self.account, text).in_mailbox(job.name());
        self.looked.findings.push(finding);
    }

    fn add_of(&mut self, code: Code, job: &Job, uid: u32, text: String) {
        let path = job.here().dir.message_path(uid);
        let below = path
            .strip_prefix(&self.settings.archive_dir)
            .unwrap_or(&path);
        let finding = Finding::new(code, self.account, text)
            .in_mailbox(job.name())
            .in_file(below.to_string_lossy())
            .of_uid(uid);
        self.looked.findings.push(finding);
    }

    fn run(
        mut self,
        session: &mut Session,
        listing: &Listing,
        jobs: &Jobs,
        memory: &mut Memory,
    ) -> Result<Looked> {
        let groups = by_target(jobs);
        let there_of: Vec<&[JobId]> = groups
            .iter()
            .filter(|g| jobs[g[0]].place().exists)
            .map(Vec::as_slice)
            .collect();
        let names: Vec<Vec<u8>> = there_of
            .iter()
            .map(|g| jobs[g[0]].place().wire.clone())
            .collect();
        let mut compared: HashMap<JobId, Compared> = HashMap::new();
        let mut pairs: Vec<Vec<Pair>> = vec![Vec::new(); names.len()];
        let mut doubtful: Vec<(usize, JobId, u32, Vec<String>)> = Vec::new();
        for group in groups.iter().filter(|group| !jobs[group[0]].place().exists) {
            for &id in group {
                let counts = self.absent(&jobs[id]);
                compared.insert(id, counts);
            }
        }
        let channel = session.channel();
        let take = |at: usize,
                    channel: &mut Channel,
                    there: Result<Holding, String>,
                    trouble: &mut Trouble| {
            let group: &[JobId] = there_of[at];
            match there {
                Ok(holding) => {
                    let mut side = Side {
                        at,
                        channel,
                        trouble,
                        holding: &holding,
                    };
                    pairs[at] =
                        self.mailbox(jobs, group, &mut side, &mut compared, &mut doubtful)?;
                }
                Err(words) => self.closed(jobs, group, &words, &mut compared),
            }
            Ok(())
        };
        let trouble = &mut memory.trouble;
        holding::read(channel, &names, Which::All, Extent::Flags, trouble, take)?;
        self.flags(session, jobs, &names, doubtful, &mut compared)?;
        if self.settings.validating.deep > 0 {
            for (at, pairs) in pairs.iter().enumerate() {
                self.deep(session, jobs, &names[at], pairs, memory, &mut compared)?;
            }
        }
        self.subscriptions(listing, jobs);
        self.others(listing, jobs);
        for (id, job) in jobs.numbered() {
            let counts = compared.remove(&id).unwrap_or_default();
            self.looked.mailboxes.push(MailboxReport {
                mailbox: job.name().to_owned(),
                directory: job.here().directory.clone(),
                target: Some(job.place().to.clone()),
                why: Some(job.place().reasons()),
                counts: Counts {
                    mailboxes: 1,
                    unchanged: counts.matched,
                    ..Counts::default()
                },
                compared: Some(counts),
                note: (!job.told.notes.is_empty()).then(|| job.told.notes.join("; ")),
            });
        }
        info!(
            mailboxes = jobs.len(),
            findings = self.looked.findings.len(),
            "compared"
        );
        Ok(self.looked)
    }

    /// A mailbox that the target does not have.
    fn absent(&mut self, job: &Job) -> Compared {
        if job.is_mere_view() {
            return Compared::default();
        }
        let missing: UidSet = job.expected().collect();
        let count = missing.len();
        let text = format!(
            "the target has no mailbox \"{}\": {count} messages are missing",
            job.place().to
        );
        self.add(Code::MailboxMissing, job, text);
        self.looked
            .missing
            .insert(job.here().directory.clone(), missing);
        Compared {
            archive: count,
            missing: count,
            ..Compared::default()
        }
    }

    /// A mailbox that the target does not open: nobody knows what it holds.
    fn closed(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        words: &str,
        compared: &mut HashMap<JobId, Compared>,
    ) {
        for &id in group {
            let job = &jobs[id];
            let count = job.expected().count() as u64;
            let text = format!(
                "the target does not say what \"{}\" holds, so {count} messages cannot be looked for: {words}",
                job.place().to
            );
            self.add(Code::UnreadableOnTarget, job, text);
            let counts = compared.entry(id).or_default();
            counts.archive = count;
            counts.unknown = count;
        }
    }

    /// Compares one mailbox of the target with what goes there; returns the pairs to be read back.
    fn mailbox(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        side: &mut Side<'_>,
        compared: &mut HashMap<JobId, Compared>,
        doubtful: &mut Vec<(usize, JobId, u32, Vec<String>)>,
    ) -> Result<Vec<Pair>> {
        let (at, holding) = (side.at, side.holding);
        let mut records: HashMap<JobId, Record> = group
            .iter()
            .map(|id| (*id, Record::of(&jobs[*id], self.journal, holding)))
            .collect();
        let (expected, wanted) = self.expected(jobs, group, &records)?;
        let held = &holding.messages;
        let origins: Vec<Origin> = expected.iter().map(Expected::origin).collect();
        let wire = &jobs[group[0]].place().wire;
        let sides = (&origins[..], &wanted[..]);
        let repairs = self.settings.importing.repairs;
        let (result, note) = matching::compare(
            side.channel,
            jobs,
            wire,
            sides,
            holding,
            repairs,
            side.trouble,
        )?;
        self.looked.warnings.extend(note);
        for &id in group {
            let counts = compared.entry(id).or_default();
            counts.archive = expected.iter().filter(|e| e.job == id).count() as u64;
            counts.target = if id == group[0] { held.len() as u64 } else { 0 };
        }
        self.unknown(jobs, group, &expected, &result, holding, compared);
        prove(&mut records, &expected, &result, held);
        for &one in &result.missing {
            self.missing(jobs, &expected[one], &records, compared);
        }
        let first = &jobs[group[0]];
        let uids = |at: &[usize]| at.iter().map(|at| held[*at].uid).collect::<UidSet>();
        for (code, extra, what) in [
            (
                Code::Doubled,
                uids(&result.doubled),
                "more copies than the archive has of them",
            ),
            (Code::Extra, uids(&result.extra), "not from the archive"),
        ] {
            if !extra.is_empty() {
                let messages = extra.told();
                let text = format!(
                    "{messages} in \"{}\" on the target: {what}",
                    first.place().to
                );
                self.add(code, first, text);
            }
        }
        let counts = compared.entry(group[0]).or_default();
        counts.doubled += result.doubled.len() as u64;
        counts.extra += result.extra.len() as u64;
        for &(one, other) in &result.rewritten {
            // Reading back says more than a header that the target picks its fields from.
            if deep::is_sampled(self.settings.validating.deep, &wanted[one].identity) {
                continue;
            }
            let Expected { job, uid, .. } = &expected[one];
            let text = format!(
                "its header is another one on the target (uid {} there, as the journal says)",
                held[other].uid
            );
            self.add_of(Code::HeaderDiffers, &jobs[*job], *uid, text);
        }
        let mut pairs = Vec::new();
        for &(one, other) in result.matched.iter().chain(&result.rewritten) {
            let expected = &expected[one];
            let counts = compared.entry(expected.job).or_default();
            counts.matched += 1;
            let there = &holding.messages[other];
            let pair = Pair {
                job: expected.job,
                uid: expected.uid,
                to_uid: there.uid,
            };
            let read_back = deep::is_sampled(self.settings.validating.deep, &wanted[one].identity);
            self.attributes(jobs, expected, (there, other), holding, read_back, counts);
            let lacking = holding.lost_flags(&expected.described.flags, other);
            let lacking = records[&expected.job].lacking(expected.uid, there.uid, lacking);
            if !lacking.lost.is_empty() {
                doubtful.push((at, expected.job, expected.uid, lacking.lost));
            }
            if !lacking.later.is_empty() {
                *self.changed_since.entry(expected.job).or_default() += 1;
            }
            if read_back {
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }

    /// The target does not have it, or not any more.
    fn missing(
        &mut self,
        jobs: &Jobs,
        expected: &Expected,
        records: &HashMap<JobId, Record>,
        compared: &mut HashMap<JobId, Compared>,
    ) {
        let Expected {
            job: id,
            uid,
            described,
        } = expected;
        let job = &jobs[*id];
        let (to, size) = (&job.place().to, described.size);
        let counts = compared.entry(*id).or_default();
        if records[id].was_deleted(*uid) {
            counts.deleted += 1;
            let text =
                format!("was deleted on the target in \"{to}\" after its import ({size} bytes)");
            self.add_of(Code::DeletedOnTarget, job, *uid, text);
        } else {
            counts.missing += 1;
            let text = format!("is missing on the target in \"{to}\" ({size} bytes)");
            self.add_of(Code::Missing, job, *uid, text);
        }
        let missing = self.looked.missing.entry(job.here().directory.clone());
        missing.or_default().insert(*uid);
    }

    /// What cannot be seen is neither there nor missing.
    fn unknown(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        expected: &[Expected],
        result: &Comparison,
        holding: &Holding,
        compared: &mut HashMap<JobId, Compared>,
    ) {
        let first = &jobs[group[0]];
        let unread: UidSet = holding.unread().collect();
        if let Some((counted, named)) = holding.shortfall() {
            let text = format!(
                "the target counts {counted} messages in \"{}\" and names {named}: {} of the archive cannot be looked for",
                first.place().to,
                result.unknown.len()
            );
            self.add(Code::UnreadableOnTarget, first, text);
        } else if !unread.is_empty() {
            let text = format!(
                "the target does not give uid {unread} in \"{}\": what it is cannot be told",
                first.place().to
            );
            let finding = Finding::new(Code::UnreadableOnTarget, self.account, text);
            let finding = finding.in_mailbox(first.name()).graded(Severity::Warning);
            self.looked.findings.push(finding);
        }
        for &one in &result.unknown {
            let Expected { job, uid, .. } = expected[one];
            compared.entry(job).or_default().unknown += 1;
            if holding.shortfall().is_none() {
                let text =
                    "whether the target has it cannot be told: it may be what cannot be read there"
                        .to_owned();
                self.add_of(Code::UnreadableOnTarget, &jobs[job], uid, text);
            }
        }
    }

    fn expected(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        records: &HashMap<JobId, Record>,
    ) -> Result<(Vec<Expected>, Vec<Wanted>)> {
        let (mut all, mut wanted) = (Vec::new(), Vec::new());
        for &id in group {
            let job = &jobs[id];
            for uid in job.expected() {
                let Some(described) =
                    message::describe(&job.here().dir, uid, self.settings.importing.repairs)
                        .with_context(|| format!("mailbox {}", job.name()))?
                else {
                    let text = "cannot be read in the archive; see --mode audit".to_owned();
                    self.add_of(Code::DamagedArchive, job, uid, text);
                    continue;
                };
                wanted.push(described.wanted(records[&id].to_uid(uid)));
                all.push(Expected {
                    job: id,
                    uid,
                    described,
                });
            }
        }
        Ok((all, wanted))
    }

    /// Date, size, and flags that somebody set on the target.
    fn attributes(
        &mut self,
        jobs: &Jobs,
        expected: &Expected,
        (there, at): (&Held, usize),
        holding: &Holding,
        read_back: bool,
        counts: &mut Compared,
    ) {
        let job = &jobs[expected.job];
        let described = &expected.described;
        if let (Some(one), Some(other)) = (described.time, there.time)
            && one != other
        {
            counts.dates_differ += 1;
            let text = format!(
                "INTERNALDATE is {} on the target, {} in the archive",
                shown(other),
                shown(one)
            );
            self.add_of(Code::DateDiffers, job, expected.uid, text);
        }
        // Reading back says more than a size.
        if let Some(size) = there.size.filter(|size| *size != described.size)
            && !read_back
        {
            counts.sizes_differ += 1;
            let text = format!(
                "has {size} bytes on the target, {} in the archive; --deep says in what they differ",
                described.size
            );
            self.add_of(Code::SizeDiffers, job, expected.uid, text);
        }
        if holding.has_more_flags(&described.flags, at) {
            counts.flags_added += 1;
        }
    }

    /// Flags that the target lacks count only where it could keep them.
    fn flags(
        &mut self,
        session: &mut Session,
        jobs: &Jobs,
        names: &[Vec<u8>],
        doubtful: Vec<(usize, JobId, u32, Vec<String>)>,
        compared: &mut HashMap<JobId, Compared>,
    ) -> Result<()> {
        let mut permanent: HashMap<usize, Option<Vec<String>>> = HashMap::new();
        let mut dropped: BTreeMap<JobId, (u64, BTreeSet<String>)> = BTreeMap::new();
        for (at, id, uid, lost) in doubtful {
            let kept = match permanent.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(select::permanent_flags(session.channel(), &names[at])?)
                }
            };
            let kept = flags::kept(kept.as_deref(), &lost.join(" "));
            if !kept.flags.is_empty() {
                compared.entry(id).or_default().flags_differ += 1;
                let text = format!("has lost {} on the target", kept.flags);
                self.add_of(Code::FlagsLost, &jobs[id], uid, text);
            }
            if !kept.dropped.is_empty() {
                let (count, names) = dropped.entry(id).or_default();
                *count += 1;
                names.extend(kept.dropped);
            }
        }
        for (id, (count, names)) in dropped {
            let names: Vec<String> = names.into_iter().take(10).collect();
            let names = names.join(", ");
            let text = format!(
                "{count} messages are without flags that the target does not keep: {names}"
            );
            let finding = Finding::new(Code::FlagsLost, self.account, text);
            let finding = finding.in_mailbox(jobs[id].name()).graded(Severity::Note);
            self.looked.findings.push(finding);
        }
        for (id, count) in std::mem::take(&mut self.changed_since) {
            let text = format!(
                "{count} messages have got flags in the archive since their import; the next import stores them, but where they were changed on the target as well"
            );
            let finding = Finding::new(Code::FlagsLost, self.account, text);
            let finding = finding.in_mailbox(jobs[id].name()).graded(Severity::Note);
            self.looked.findings.push(finding);
        }
        for (id, job) in jobs.numbered() {
            let added = compared.get(&id).map_or(0, |counts| counts.flags_added);
            if added > 0 {
                let text = format!(
                    "{added} messages have flags on the target that they have not in the archive, as after reading"
                );
                self.add(Code::FlagsAdded, job, text);
            }
        }
        Ok(())
    }

    fn deep(
        &mut self,
        session: &mut Session,
        jobs: &Jobs,
        wire: &[u8],
        pairs: &[Pair],
        memory: &mut Memory,
        compared: &mut HashMap<JobId, Compared>,
    ) -> Result<()> {
        let repairs = self.settings.importing.repairs;
        let mut found = Vec::new();
        let channel = session.channel();
        deep::read_back(
            channel,
            wire,
            pairs,
            jobs,
            repairs,
            &mut memory.trouble,
            &mut memory.read_back,
        )?;
        for pair in pairs {
            let verdict = memory.read_back.remove(&(pair.job, pair.uid));
            let counts = compared.entry(pair.job).or_default();
            found.extend(
                verdict
                    .and_then(|it| it.count(counts))
                    .map(|flaw| (*pair, flaw)),
            );
        }
        for (pair, (code, text)) in found {
            self.add_of(code, &jobs[pair.job], pair.uid, text);
        }
        Ok(())
    }

    /// Mailboxes that clients will not show, as they did before.
    fn subscriptions(&mut self, listing: &Listing, jobs: &Jobs) {
        for job in jobs.iter().filter(|job| job.here().subscribed) {
            let mut mailboxes = listing.mailboxes.iter();
            let there = mailboxes.find(|one| one.listed.name.wire() == job.place().wire);
            if there.is_some_and(|there| !there.subscribed) {
                let text = "was subscribed on the source, and is not on the target".to_owned();
                self.add(Code::NotSubscribed, job, text);
            }
        }
    }

    /// Mailboxes of the target that nothing of the archive goes to.
    fn others(&mut self, listing: &Listing, jobs: &Jobs) {
        for there in &listing.mailboxes {
            let name = there.listed.name.text();
            let count = there.status.as_ref().and_then(|status| status.messages);
            let known = jobs
                .iter()
                .any(|job| job.place().wire == there.listed.name.wire());
            if let Some(count) = count.filter(|count| *count > 0 && !known)
                && self.settings.folders.include().is_empty()
                && self.settings.folders.exclude().is_empty()
            {
                let text =
                    format!("the target has {count} messages here that are not from the archive");
                let finding = Finding::new(Code::ExtraMailbox, self.account, text);
                self.looked.findings.push(finding.in_mailbox(name));
            }
        }
    }
}

/// Holds the records against what was found.
fn prove(
    records: &mut HashMap<JobId, Record>,
    expected: &[Expected],
    result: &Comparison,
    held: &[Held],
) {
    let pairs = result.matched.iter().chain(&result.rewritten);
    let found: HashMap<usize, u32> = pairs.map(|(one, at)| (*one, held[*at].uid)).collect();
    let there: HashSet<u32> = held.iter().map(|there| there.uid).collect();
    for (id, record) in records {
        let of_job = expected.iter().zip(0..).filter(|(one, _)| one.job == *id);
        let uids = of_job.map(|(one, at)| (one.uid, found.get(&at).copied()));
        record.prove(uids, &there);
    }
}

/// Jobs that go to the same mailbox, in their order.
fn by_target(jobs: &Jobs) -> Vec<Vec<JobId>> {
    let mut groups: Vec<Vec<JobId>> = Vec::new();
    for (id, job) in jobs.numbered() {
        match groups
            .iter_mut()
            .find(|group| jobs[group[0]].place().wire == job.place().wire)
        {
            Some(group) => group.push(id),
            None => groups.push(vec![id]),
        }
    }
    groups
}

/// A time before 1970 is no date of mail.
fn shown(time: i64) -> String {
    crate::clock::utc(u64::try_from(time).unwrap_or(0))
}
