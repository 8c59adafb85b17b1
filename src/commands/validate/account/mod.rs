//! One account of the archive against the target.

mod deleted;
mod flags;
mod mailbox;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use flags::FlagLoss;
use mailbox::TargetSide;
use tracing::debug;

use super::deep::{Pair, Reread};
use crate::archive::account::Standing;
use crate::archive::journal::Journal;
use crate::config::Account;
use crate::finding::{Code, Finding, Severity};
use crate::plural::counted;
use crate::report::{Compared, Counts, MailboxReport};
use crate::session::Session;
use crate::session::channel::Channel;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::list::Listing;
use crate::session::peer::Peer;
use crate::session::retry::keep_trying;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::holding::{self, Detail, Holding, MailboxQuery, Which};
use crate::target::mailbox::{Job, JobId, Jobs};
use crate::target::matching::{ArchiveSide, MessageRef};
use crate::target::plan::{Messages, Plan};
use crate::target::trouble::Trouble;

/// What a comparison tells.
#[derive(Default)]
pub struct Examined {
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
pub fn look(settings: &Settings, peer: &Peer, stop: &Stop, account: &Account) -> Result<Examined> {
    let (mut plan, mut journal) = Plan::read(settings.want(account, false), None)?;
    let mut looked = Examined::default();
    let mut memory = Memory::default();
    keep_trying(stop, |backoff| {
        if memory.trouble.take_news() {
            backoff.progress();
        }
        if stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = dial::open(peer, account, stop)?;
        let (listing, names) = plan.map(session.channel(), &mut journal)?;
        plan.recall(
            session.channel(),
            &listing,
            &names,
            &journal,
            &mut memory.trouble,
        )?;
        let comparing = Comparing {
            account: &account.name,
            settings,
            journal: &journal,
            jobs: &plan.jobs,
            looked: Examined::default(),
            compared: HashMap::new(),
            doubtful: Vec::new(),
            changed_since: BTreeMap::new(),
            bytes: HashMap::new(),
            encoded: BTreeMap::new(),
        };
        looked = comparing.run(&mut session, &listing, &mut memory)?;
        session.logout();
        Ok(())
    })?;
    looked.warnings.append(&mut plan.warnings);
    let mut findings = shortcomings(&account.name, &plan);
    findings.append(&mut looked.findings);
    looked.findings = findings;
    Ok(looked)
}

/// What the archive lacks by its own record: the target may hold all that the archive has, and still not everything.
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
        let text = format!(
            "its directory is gone from the archive, with {}",
            counted(*messages, "message")
        );
        found.push(Finding::new(Code::MailboxGone, account, text).in_mailbox(name));
    }
    for job in plan.jobs.iter().filter(|job| job.lost().count() > 0) {
        let lost = job.lost();
        let text = match lost.unnamed {
            0 => format!("{} gone from the archive", lost.uids.told()),
            more => format!("{} gone from the archive", counted(more, "message")),
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
    read_back: Reread,
}

struct Comparing<'a> {
    account: &'a str,
    settings: &'a Settings,
    journal: &'a Journal,
    jobs: &'a Jobs,
    looked: Examined,
    /// What the report counts of each mailbox.
    compared: HashMap<JobId, Compared>,
    /// Messages that lack flags, which the target may not keep.
    doubtful: Vec<FlagLoss>,
    /// Messages whose flags the archive has changed since their import.
    changed_since: BTreeMap<JobId, u64>,
    /// Bytes of what the archive has.
    bytes: HashMap<JobId, u64>,
    /// Messages whose keywords have another form than in the archive, and which form each keyword got.
    encoded: BTreeMap<JobId, (u64, BTreeMap<String, String>)>,
}

impl<'a> Comparing<'a> {
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

    fn archive_side(&self) -> ArchiveSide<'a> {
        ArchiveSide {
            jobs: self.jobs,
            repairs: self.settings.importing.repairs,
        }
    }

    fn run(
        mut self,
        session: &mut Session,
        listing: &Listing,
        memory: &mut Memory,
    ) -> Result<Examined> {
        let jobs = self.jobs;
        let groups = by_target(jobs);
        let there_of: Vec<&[JobId]> = groups
            .iter()
            .filter(|g| jobs[g[0]].place().exists)
            .map(Vec::as_slice)
            .collect();
        let names: Vec<Vec<u8>> = there_of
            .iter()
            .map(|g| jobs[g[0]].place().name.wire().to_vec())
            .collect();
        let mut pairs: Vec<Vec<Pair>> = vec![Vec::new(); names.len()];
        for group in groups.iter().filter(|group| !jobs[group[0]].place().exists) {
            for &id in group {
                let counts = self.absent(&jobs[id]);
                self.compared.insert(id, counts);
            }
        }
        let channel = session.channel();
        let take = |at: usize,
                    channel: &mut Channel,
                    there: Result<Holding, String>,
                    trouble: &mut Trouble| {
            let group: &[JobId] = there_of[at];
            match there {
                Ok(mut holding) => {
                    let mut listed = listing.mailboxes.iter();
                    let listed = listed.find(|one| one.listed.name.wire() == names[at].as_slice());
                    let status = listed.and_then(|one| one.status.as_ref());
                    let count = status.and_then(|status| status.messages);
                    holding.doubt_emptiness(channel, &names[at], count)?;
                    let mut side = TargetSide {
                        at,
                        channel,
                        trouble,
                        holding: &holding,
                    };
                    pairs[at] = self.mailbox(group, &mut side)?;
                }
                Err(words) => self.closed(group, &words),
            }
            Ok(())
        };
        let trouble = &mut memory.trouble;
        let query = MailboxQuery {
            which: Which::All,
            detail: Detail::Flags,
        };
        holding::read(channel, &names, query, trouble, take)?;
        self.flags(session, &names)?;
        if self.settings.validating.deep > 0 {
            for (at, pairs) in pairs.iter().enumerate() {
                self.deep(session, &names[at], pairs, memory)?;
            }
        }
        self.subscriptions(listing);
        self.others(listing);
        self.most_deleted();
        self.tell();
        debug!(
            mailboxes = jobs.len(),
            findings = self.looked.findings.len(),
            "compared"
        );
        Ok(self.looked)
    }

    /// The report's line of each mailbox.
    fn tell(&mut self) {
        for (id, job) in self.jobs.numbered() {
            let counts = self.compared.remove(&id).unwrap_or_default();
            self.looked.mailboxes.push(MailboxReport {
                mailbox: job.name().to_owned(),
                directory: job.here().directory.clone(),
                target: Some(job.place().name.text().to_owned()),
                why: Some(job.place().reasons()),
                counts: Counts {
                    mailboxes: 1,
                    unchanged: counts.matched,
                    bytes: self.bytes.remove(&id).unwrap_or_default(),
                    ..Counts::default()
                },
                compared: Some(counts),
                note: Some(job.told().notes().join("; ")).filter(|note| !note.is_empty()),
            });
        }
    }

    fn deep(
        &mut self,
        session: &mut Session,
        wire: &[u8],
        pairs: &[Pair],
        memory: &mut Memory,
    ) -> Result<()> {
        let (archive, read) = (self.archive_side(), &mut memory.read_back);
        read.read(session.channel(), wire, pairs, archive, &mut memory.trouble)?;
        for MessageRef { job, uid } in pairs.iter().map(|pair| pair.here) {
            let verdict = read.take(MessageRef { job, uid });
            let counts = self.compared.entry(job).or_default();
            if let Some((code, text)) = verdict.and_then(|verdict| verdict.count(counts)) {
                self.add_of(code, &self.jobs[job], uid, text);
            }
        }
        Ok(())
    }

    /// Mailboxes that clients will not show, as they did before.
    fn subscriptions(&mut self, listing: &Listing) {
        for job in self.jobs.iter().filter(|job| job.here().subscribed) {
            let mut mailboxes = listing.mailboxes.iter();
            let there = mailboxes.find(|one| one.listed.name.wire() == job.place().name.wire());
            if there.is_some_and(|there| !there.subscribed) {
                let text = "was subscribed on the source, but is not on the target".to_owned();
                self.add(Code::NotSubscribed, job, text);
            }
        }
    }

    /// Mailboxes of the target that nothing from the archive goes to.
    fn others(&mut self, listing: &Listing) {
        for there in &listing.mailboxes {
            let name = there.listed.name.text();
            let count = there.status.as_ref().and_then(|status| status.messages);
            let known = self
                .jobs
                .iter()
                .any(|job| job.place().name.wire() == there.listed.name.wire());
            if let Some(count) = count.filter(|count| *count > 0 && !known)
                && self.settings.folders.include().is_empty()
                && self.settings.folders.exclude().is_empty()
            {
                let messages = counted(count, "message");
                let text = format!("the target has {messages} here, not from the archive");
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
            .find(|group| jobs[group[0]].place().name.wire() == job.place().name.wire())
        {
            Some(group) => group.push(id),
            None => groups.push(vec![id]),
        }
    }
    groups
}
