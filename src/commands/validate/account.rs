//! One account of the archive against the target.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use anyhow::{Context, Result};
use tracing::info;

use super::deep::{self, Pair};
use crate::archive::account::Standing;
use crate::archive::journal::Journal;
use crate::archive::uidset::UidSet;
use crate::compare::{self, Held, Wanted};
use crate::config::Account;
use crate::finding::{Code, Finding, Severity};
use crate::report::{Compared, Counts, MailboxReport};
use crate::session::Session;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::list::Listing;
use crate::session::peer::Peer;
use crate::session::retry::keep_trying;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::flags;
use crate::target::holding::{self, Holding};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::mend::Repairs;
use crate::target::message::{self, Described};
use crate::target::plan::{Messages, Plan};

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
    let (mut plan, journal) = Plan::read(settings.want(account, false), None)?;
    let mut looked = Looked::default();
    keep_trying(stop, |_| {
        if stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = dial::open(peer, account, stop)?;
        let (listing, _) = plan.map(session.channel(), &journal)?;
        let comparing = Comparing {
            account: &account.name,
            settings,
            journal: &journal,
            looked: Looked::default(),
        };
        looked = comparing.run(&mut session, &listing, &plan.jobs)?;
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

struct Comparing<'a> {
    account: &'a str,
    settings: &'a Settings,
    journal: &'a Journal,
    looked: Looked,
}

/// A message that the archive has and the target must have.
struct Expected {
    /// Number of the job.
    job: JobId,
    uid: u32,
    described: Described,
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

    fn run(mut self, session: &mut Session, listing: &Listing, jobs: &Jobs) -> Result<Looked> {
        let groups = by_target(jobs);
        let there: Vec<&Vec<JobId>> = groups
            .iter()
            .filter(|g| jobs[g[0]].place().exists)
            .collect();
        let names: Vec<Vec<u8>> = there
            .iter()
            .map(|g| jobs[g[0]].place().wire.clone())
            .collect();
        let mut compared: HashMap<JobId, Compared> = HashMap::new();
        let mut pairs: Vec<Vec<Pair>> = Vec::new();
        let mut doubtful: Vec<(usize, JobId, u32, Vec<String>)> = Vec::new();
        for group in groups.iter().filter(|group| !jobs[group[0]].place().exists) {
            for &id in group {
                let counts = self.absent(&jobs[id]);
                compared.insert(id, counts);
            }
        }
        holding::read(session.channel(), &names, |at, holding| {
            let group = there[at];
            let found = self.mailbox(jobs, group, &holding, &mut compared, &mut doubtful, at)?;
            pairs.push(found);
            Ok(())
        })?;
        self.flags(session, jobs, &names, doubtful, &mut compared)?;
        if self.settings.validating.deep > 0 {
            for (at, pairs) in pairs.iter().enumerate() {
                self.deep(session, jobs, &names[at], pairs, &mut compared)?;
            }
        }
        self.others(listing, jobs);
        for (id, job) in jobs.numbered() {
            let counts = compared.remove(&id).unwrap_or_default();
            self.looked.mailboxes.push(MailboxReport {
                mailbox: job.name().to_owned(),
                directory: job.here().directory.clone(),
                target: Some(job.place().to.clone()),
                why: Some(job.place().why.clone()),
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

    /// Compares one mailbox of the target with what goes there; returns the pairs to be read back.
    fn mailbox(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        holding: &Holding,
        compared: &mut HashMap<JobId, Compared>,
        doubtful: &mut Vec<(usize, JobId, u32, Vec<String>)>,
        at: usize,
    ) -> Result<Vec<Pair>> {
        let (expected, wanted) = self.expected(jobs, group, holding)?;
        let held: Vec<Held> = holding
            .messages
            .iter()
            .map(|there| Held {
                identity: there.identity,
                uid: there.uid,
            })
            .collect();
        let result = compare::compare(&wanted, &held);
        for &id in group {
            let counts = compared.entry(id).or_default();
            counts.archive = expected.iter().filter(|e| e.job == id).count() as u64;
            counts.target = if id == group[0] { held.len() as u64 } else { 0 };
        }
        for &one in &result.missing {
            let Expected {
                job: id,
                uid,
                described,
            } = &expected[one];
            let job = &jobs[*id];
            let text = format!(
                "is missing on the target in \"{}\" ({} bytes)",
                job.place().to,
                described.size
            );
            self.add_of(Code::Missing, job, *uid, text);
            compared.entry(*id).or_default().missing += 1;
            let missing = self.looked.missing.entry(job.here().directory.clone());
            missing.or_default().insert(*uid);
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
            self.attributes(jobs, expected, there, holding, read_back, counts);
            let lost = holding.lost_flags(&expected.described.flags, there);
            if !lost.is_empty() {
                doubtful.push((at, expected.job, expected.uid, lost));
            }
            if read_back {
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }

    fn expected(
        &mut self,
        jobs: &Jobs,
        group: &[JobId],
        holding: &Holding,
    ) -> Result<(Vec<Expected>, Vec<Wanted>)> {
        let (mut all, mut wanted) = (Vec::new(), Vec::new());
        for &id in group {
            let job = &jobs[id];
            let route = job.route_to(holding.uidvalidity);
            let recorded: HashMap<u32, u32> =
                self.journal.known(&route).pairs.into_iter().collect();
            for uid in job.expected() {
                let Some(described) = message::describe(&job.here().dir, uid)
                    .with_context(|| format!("mailbox {}", job.name()))?
                else {
                    let text = "cannot be read in the archive; see --mode audit".to_owned();
                    self.add_of(Code::DamagedArchive, job, uid, text);
                    continue;
                };
                wanted.push(Wanted {
                    identity: described.identity,
                    to_uid: recorded.get(&uid).copied(),
                });
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
        there: &holding::Message,
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
        // Mending changes the size, and reading back says more than a size.
        let mends = self.settings.importing.repairs != Repairs::default();
        if let Some(size) = there.size.filter(|size| *size != described.size)
            && !mends
            && !read_back
        {
            counts.sizes_differ += 1;
            let text = format!(
                "has {size} bytes on the target, {} in the archive; --deep says in what they differ",
                described.size
            );
            self.add_of(Code::SizeDiffers, job, expected.uid, text);
        }
        if holding.has_more_flags(&described.flags, there) {
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
        for (at, id, uid, lost) in doubtful {
            let kept = match permanent.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(holding::permanent_flags(session.channel(), &names[at])?)
                }
            };
            let (keepable, _) = flags::kept(kept.as_deref(), &lost.join(" "));
            if !keepable.is_empty() {
                compared.entry(id).or_default().flags_differ += 1;
                let text = format!("has lost {keepable} on the target");
                self.add_of(Code::FlagsLost, &jobs[id], uid, text);
            }
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
        compared: &mut HashMap<JobId, Compared>,
    ) -> Result<()> {
        let repairs = self.settings.importing.repairs;
        let mut found = Vec::new();
        deep::read_back(
            session.channel(),
            wire,
            pairs,
            jobs,
            repairs,
            |pair, verdict| {
                let counts = compared.entry(pair.job).or_default();
                found.extend(verdict.count(counts).map(|flaw| (pair, flaw)));
            },
        )?;
        for (pair, (code, text)) in found {
            self.add_of(code, &jobs[pair.job], pair.uid, text);
        }
        Ok(())
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
