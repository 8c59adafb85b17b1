//! One mailbox of the target against what goes there.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};

use super::super::deep::{self, Pair};
use super::super::record::JournalRecord;
use super::Comparing;
use super::flags::FlagLoss;
use crate::compare::{Comparison, Held, Wanted};
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::uidset::UidSet;
use crate::plural;
use crate::report::Compared;
use crate::session::channel::Channel;
use crate::target::holding::Holding;
use crate::target::mailbox::{Job, JobId};
use crate::target::matching::{MessageRef, Sought};
use crate::target::message::Described;
use crate::target::trouble::Trouble;

/// The target's side of a comparison.
pub(super) struct TargetSide<'a> {
    /// Number of the mailbox.
    pub at: usize,
    pub channel: &'a mut Channel,
    pub trouble: &'a mut Trouble,
    pub holding: &'a Holding,
}

/// A message that the archive has and the target must have.
struct Expected {
    message: MessageRef,
    described: Described,
}

impl<'a> Comparing<'a> {
    /// A mailbox that the target does not have.
    pub(super) fn absent(&mut self, job: &Job) -> Compared {
        if job.is_mere_view() {
            return Compared::default();
        }
        let all: UidSet = job.expected().collect();
        let count = all.len();
        let is_deleted = |uid: &u32| job.deleted_with().is_some_and(|with| with.contains(*uid));
        let deleted = all.iter().filter(is_deleted).count() as u64;
        let (missing, to) = (count - deleted, job.place().name.text());
        if deleted > 0 {
            let text = format!(
                "the mailbox \"{to}\" was deleted on the target after its import, with {}",
                plural::counted(deleted, "message")
            );
            self.add(Code::DeletedOnTarget, job, text);
        }
        if missing > 0 || deleted == 0 {
            let text = format!(
                "the target has no mailbox \"{to}\": {} {} missing",
                plural::counted(missing, "message"),
                plural::verb(missing, "is", "are")
            );
            self.add(Code::MailboxMissing, job, text);
        }
        let directory = job.here().directory.clone();
        self.looked.missing.insert(directory, all);
        Compared {
            archive: count,
            missing,
            deleted,
            ..Compared::default()
        }
    }

    /// A mailbox that the target does not open: nobody knows what it holds.
    pub(super) fn closed(&mut self, group: &[JobId], words: &str) {
        for &id in group {
            let job = &self.jobs[id];
            let count = job.expected().count() as u64;
            let text = format!(
                "the target does not say what \"{}\" holds, so {} cannot be looked for: {words}",
                job.place().name.text(),
                plural::counted(count, "message")
            );
            self.add(Code::UnreadableOnTarget, job, text);
            let counts = self.compared.entry(id).or_default();
            counts.archive = count;
            counts.unknown = count;
        }
    }

    /// Compares one mailbox of the target with what goes there; returns the pairs to be read back.
    pub(super) fn mailbox(
        &mut self,
        group: &[JobId],
        side: &mut TargetSide<'_>,
    ) -> Result<Vec<Pair>> {
        let (jobs, holding) = (self.jobs, side.holding);
        let mut records: HashMap<JobId, JournalRecord> = group
            .iter()
            .map(|id| (*id, JournalRecord::of(&jobs[*id], self.journal, holding)))
            .collect();
        let (expected, sought) = self.expected(group, &records)?;
        let held = &holding.messages;
        let wire = jobs[group[0]].place().name.wire();
        let (result, note) = sought.compare(side.channel, wire, holding, side.trouble)?;
        self.looked.warnings.extend(note);
        for &id in group {
            let counts = self.compared.entry(id).or_default();
            let of_job = expected.iter().filter(|one| one.message.job == id);
            counts.archive = of_job.count() as u64;
            counts.target = if id == group[0] { held.len() as u64 } else { 0 };
        }
        self.unknown(group, &expected, &result, holding);
        prove(&mut records, &expected, &result, held);
        for &one in &result.missing {
            self.missing(&expected[one], &records);
        }
        self.not_from_here(group[0], &result, held);
        self.rewritten(&expected, &sought.wanted, &result, held);
        let mut pairs = Vec::new();
        for &(one, other) in result.matched.iter().chain(&result.rewritten) {
            let (expected, there) = (&expected[one], &held[other]);
            let here = expected.message;
            self.compared.entry(here.job).or_default().matched += 1;
            let identity = &sought.wanted[one].identity;
            let is_read_back = deep::is_sampled(self.settings.validating.deep, identity);
            self.attributes(expected, there, is_read_back);
            self.flags_of(expected, &records[&here.job], side, other);
            if is_read_back {
                let to_uid = there.uid;
                pairs.push(Pair { here, to_uid });
            }
        }
        Ok(pairs)
    }

    /// Flags that it has lost there, that the archive has got since, that have another form, that somebody has set.
    fn flags_of(
        &mut self,
        expected: &Expected,
        record: &JournalRecord,
        side: &TargetSide<'_>,
        at: usize,
    ) {
        let (message, holding) = (expected.message, side.holding);
        let (flags, to_uid) = (&expected.described.flags, holding.messages[at].uid);
        if holding.has_more_flags(flags, at) {
            self.compared.entry(message.job).or_default().flags_added += 1;
        }
        let lacking = record.lacking(message.uid, to_uid, holding.lost_flags(flags, at));
        if !lacking.lost.is_empty() || !lacking.refused.is_empty() {
            self.doubtful.push(FlagLoss {
                at: side.at,
                message,
                lost: lacking.lost,
                refused: lacking.refused,
            });
        }
        if !lacking.later.is_empty() {
            *self.changed_since.entry(message.job).or_default() += 1;
        }
        let mut encoded = holding.encoded_flags(flags, at).peekable();
        if encoded.peek().is_some() {
            let (count, forms) = self.encoded.entry(message.job).or_default();
            *count += 1;
            forms.extend(encoded);
        }
    }

    /// The target does not have it, or no longer.
    fn missing(&mut self, expected: &Expected, records: &HashMap<JobId, JournalRecord>) {
        let MessageRef { job: id, uid } = expected.message;
        let job = &self.jobs[id];
        let to = job.place().name.text();
        let size = plural::counted(expected.described.size, "byte");
        let counts = self.compared.entry(id).or_default();
        if records[&id].was_deleted(uid) {
            counts.deleted += 1;
            let text = format!("was deleted on the target in \"{to}\" after its import ({size})");
            self.add_of(Code::DeletedOnTarget, job, uid, text);
        } else {
            counts.missing += 1;
            let text = format!("is missing on the target in \"{to}\" ({size})");
            self.add_of(Code::Missing, job, uid, text);
        }
        let missing = self.looked.missing.entry(job.here().directory.clone());
        missing.or_default().insert(uid);
    }

    /// What cannot be seen is neither there nor missing.
    fn unknown(
        &mut self,
        group: &[JobId],
        expected: &[Expected],
        result: &Comparison,
        holding: &Holding,
    ) {
        let first = &self.jobs[group[0]];
        let unread: UidSet = holding.unread().collect();
        if let Some((counted, named)) = holding.shortfall() {
            let text = format!(
                "the target counts {} in \"{}\" and names {named}: {} of the archive cannot be looked for",
                plural::counted(counted, "message"),
                first.place().name.text(),
                result.unknown.len()
            );
            self.add(Code::UnreadableOnTarget, first, text);
        } else if !unread.is_empty() {
            let text = format!(
                "the target does not give uid {unread} in \"{}\": there is no telling what it is",
                first.place().name.text()
            );
            let finding = Finding::new(Code::UnreadableOnTarget, self.account, text);
            let finding = finding.in_mailbox(first.name()).graded(Severity::Warning);
            self.looked.findings.push(finding);
        }
        for &one in &result.unknown {
            let MessageRef { job, uid } = expected[one].message;
            self.compared.entry(job).or_default().unknown += 1;
            if holding.shortfall().is_none() {
                let text =
                    "there is no telling whether the target has it: it may be what cannot be read there"
                        .to_owned();
                self.add_of(Code::UnreadableOnTarget, &self.jobs[job], uid, text);
            }
        }
    }

    fn expected(
        &mut self,
        group: &[JobId],
        records: &HashMap<JobId, JournalRecord>,
    ) -> Result<(Vec<Expected>, Sought<'a>)> {
        let archive = self.archive_side();
        let (mut all, mut sought) = (Vec::new(), Sought::new(archive));
        for &id in group {
            let job = &self.jobs[id];
            for uid in job.expected() {
                let message = MessageRef { job: id, uid };
                let described = archive.describe(message);
                let described = described.with_context(|| format!("mailbox {}", job.name()))?;
                let Some(described) = described else {
                    let text = "cannot be read in the archive; see --mode audit".to_owned();
                    self.add_of(Code::DamagedArchive, job, uid, text);
                    continue;
                };
                *self.bytes.entry(id).or_default() += described.size;
                sought.add(message, &described, records[&id].recorded(uid));
                all.push(Expected { message, described });
            }
        }
        Ok((all, sought))
    }

    /// Date and size.
    fn attributes(&mut self, expected: &Expected, there: &Held, is_read_back: bool) {
        let MessageRef { job: id, uid } = expected.message;
        let (job, described) = (&self.jobs[id], &expected.described);
        if let (Some(one), Some(other)) = (described.time, there.time)
            && one != other
        {
            self.compared.entry(id).or_default().dates_differ += 1;
            let text = format!(
                "INTERNALDATE is {} on the target, {} in the archive",
                shown(other),
                shown(one)
            );
            self.add_of(Code::DateDiffers, job, uid, text);
        }
        // Reading back says more than a size.
        if let Some(size) = there.size.filter(|size| *size != described.size)
            && !is_read_back
        {
            self.compared.entry(id).or_default().sizes_differ += 1;
            let text = format!(
                "has {} on the target, {} in the archive; --deep says in what they differ",
                plural::counted(size, "byte"),
                described.size
            );
            self.add_of(Code::SizeDiffers, job, uid, text);
        }
    }

    /// Copies too many, and what the archive does not have.
    fn not_from_here(&mut self, first: JobId, result: &Comparison, held: &[Held]) {
        let job = &self.jobs[first];
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
                    job.place().name.text()
                );
                self.add(code, job, text);
            }
        }
        let counts = self.compared.entry(first).or_default();
        counts.doubled += result.doubled.len() as u64;
        counts.extra += result.extra.len() as u64;
    }

    /// Messages that only their bodies prove, as their headers differ.
    fn rewritten(
        &mut self,
        expected: &[Expected],
        wanted: &[Wanted],
        result: &Comparison,
        held: &[Held],
    ) {
        for &(one, other) in &result.rewritten {
            // Reading back says more than a few header fields.
            if deep::is_sampled(self.settings.validating.deep, &wanted[one].identity) {
                continue;
            }
            let MessageRef { job, uid } = expected[one].message;
            let text = format!(
                "its header differs on the target (uid {} there)",
                held[other].uid
            );
            self.add_of(Code::HeaderDiffers, &self.jobs[job], uid, text);
        }
    }
}

/// Holds the records against what was found.
fn prove(
    records: &mut HashMap<JobId, JournalRecord>,
    expected: &[Expected],
    result: &Comparison,
    held: &[Held],
) {
    let pairs = result.matched.iter().chain(&result.rewritten);
    let found: HashMap<usize, u32> = pairs.map(|(one, at)| (*one, held[*at].uid)).collect();
    let there: HashSet<u32> = held.iter().map(|there| there.uid).collect();
    for (id, record) in records {
        let of_job = expected
            .iter()
            .zip(0..)
            .filter(|(one, _)| one.message.job == *id);
        let uids = of_job.map(|(one, at)| (one.message.uid, found.get(&at).copied()));
        record.prove(uids, &there);
    }
}

/// A time before 1970 is not a mail's date.
fn shown(time: i64) -> String {
    crate::clock::utc(u64::try_from(time).unwrap_or(0))
}
