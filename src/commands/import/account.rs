//! The import of one account: reads its archive, connects as often as it takes, reports.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use tracing::debug;

use super::appending::{Appender, Experience, Given};
use super::closing::{self, Sent};
use super::create;
use super::following::{self, FlagSuspects};
use super::reconcile::{self, Reconciler};
use crate::accounts;
use crate::archive::failed::{self, FailedMessage, Transfer};
use crate::archive::journal::Journal;
use crate::commands::provision::{Provision, logged_in};
use crate::config::Account;
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::UidSet;
use crate::plural::counted;
use crate::progress::{AccountProgress, Rest};
use crate::report::{AccountReport, Counts, FailedMessageReport, MailboxReport, Status};
use crate::session::channel::Channel;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::peer::Peers;
use crate::session::retry::{Backoff, keep_trying};
use crate::session::turns::{Company, Turn};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::alias::{Evidence, TargetNames};
use crate::target::mailbox::{Job, JobId, Refused};
use crate::target::message;
use crate::target::plan::{Messages, Plan};
use crate::target::trouble::Trouble;

/// What all accounts of a run share.
pub struct ImportRun<'a> {
    /// The checked settings.
    pub settings: &'a Settings,
    /// Creates mailboxes that are missing.
    pub provision: Option<&'a Provision<'a>>,
    /// The servers.
    pub peers: Peers,
    /// Asks the run to stop.
    pub stop: &'a Stop,
}

/// An account at work.
struct Import<'a> {
    run: &'a ImportRun<'a>,
    account: &'a Account,
    progress: AccountProgress,
    plan: Plan<'a>,
    experience: Experience,
    trouble: Trouble,
    /// Mailboxes in which something is sent that was under way before.
    sent_again: BTreeSet<JobId>,
    flag_suspects: FlagSuspects,
}

/// Imports one account, or these messages of it alone. What goes wrong is in the report.
pub fn import(
    run: &ImportRun<'_>,
    account: &Account,
    progress: AccountProgress,
    only: Option<Messages>,
    report: &mut AccountReport,
) -> Result<()> {
    let want = run.settings.want(account, !run.settings.dry_run);
    let turns = &run.peers.of(account).turns;
    let Some(_turn) = turns.take(want.login.to_lowercase(), run.stop) else {
        return Err(SessionError::stopped().into());
    };
    let (plan, mut journal) = Plan::read(want, only)?;
    let mut import = Import {
        run,
        account,
        progress,
        plan,
        experience: Experience::default(),
        trouble: Trouble::default(),
        sent_again: BTreeSet::new(),
        flag_suspects: FlagSuspects::default(),
    };
    import.remember()?;
    let outcome = keep_trying(run.stop, |backoff| {
        let outcome = import.connection(&mut journal, backoff);
        let news = [
            import.trouble.take_news(),
            import.experience.take_news(),
            import.flag_suspects.take_news(),
        ];
        if news.contains(&true) {
            backoff.progress();
        }
        outcome
    });
    import.conclude(outcome, report)
}

impl<'a> Import<'a> {
    /// What an earlier run could not bring over.
    fn remember(&mut self) -> Result<()> {
        for message in failed::load(self.plan.dir(), Transfer::Import)? {
            let mut jobs = self.plan.jobs.numbered();
            let found = jobs.find(|(_, job)| job.name() == message.mailbox);
            if let Some(((id, _), uid)) = found.zip(message.uid) {
                self.experience.remember(id, uid);
            }
        }
        Ok(())
    }

    /// One connection, from login to logout.
    fn connection(&mut self, journal: &mut Journal, backoff: &mut Backoff) -> Result<()> {
        if self.run.stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = logged_in(self.run.provision, self.account, self.run.stop, || {
            dial::open(self.run.peers.of(self.account), self.account, self.run.stop)
        })?;
        let connected = Instant::now();
        let dry_run = self.run.settings.dry_run;
        if !dry_run {
            let (timeout, stop) = (self.run.settings.timeout, self.run.stop);
            reconcile::let_settle(&self.plan.jobs, journal, connected, timeout, stop)?;
            let numbered = self.plan.jobs.numbered();
            let again = numbered.filter(|(_, job)| reconcile::was_under_way(job, journal));
            self.sent_again.extend(again.map(|(id, _)| id));
        }
        let channel = session.channel();
        let (listing, target) = self.plan.map(channel, journal)?;
        self.plan
            .recall(channel, &listing, &target, journal, &mut self.trouble)?;
        while self.fill(channel, journal, &target, backoff)? {}
        if self.run.settings.importing.flag_updates {
            let (jobs, suspects) = (&mut self.plan.jobs, &mut self.flag_suspects);
            let outcome = following::follow(channel, jobs, journal, suspects, dry_run);
            journal.commit()?;
            outcome?;
        }
        session.logout();
        Ok(())
    }

    /// Makes the mailboxes and brings what is missing; true where some turned out to be one with others, and have
    /// other names now.
    fn fill(
        &mut self,
        channel: &mut Channel,
        journal: &mut Journal,
        target: &TargetNames,
        backoff: &mut Backoff,
    ) -> Result<bool> {
        let dry_run = self.run.settings.dry_run;
        let mut ids = self.plan.jobs.ids();
        // What was filled is opened again, too: its numbers tell whether another is the same mailbox.
        ids.retain(|id| {
            let job = &self.plan.jobs[*id];
            job.is_unsettled() || !job.has_failed() && !job.taken().is_empty()
        });
        let _turn = if dry_run {
            None
        } else {
            let evidence = Evidence {
                names: target,
                journal,
                repairs: self.run.settings.importing.repairs,
            };
            Some(self.prepare(channel, evidence, &ids)?)
        };
        for id in &ids {
            let job = &self.plan.jobs[*id];
            if let Some(prefix) = job.place().learnt_prefix() {
                journal.learn_prefix(prefix);
            }
            if (job.place().was_refused() || job.place().is_learnt()) && job.place().exists {
                // The next run must know it for an empty mailbox, too.
                journal.learn_name(&job.here().directory, job.place().name.text());
            }
            self.plan.recall_opened(*id, journal);
        }
        let mut reconciler = Reconciler {
            jobs: &mut self.plan.jobs,
            journal,
            trouble: &mut self.trouble,
            repairs: self.run.settings.importing.repairs,
            dry_run,
        };
        for group in reconciler.groups(&ids) {
            reconciler.find_missing(channel, &group)?;
        }
        journal.commit()?;
        let todo = self.plan.jobs.iter().map(|job| job.todo().len() as u64);
        let expected = todo.sum();
        debug!(
            mailboxes = self.plan.jobs.len(),
            messages = expected,
            "compared"
        );
        if dry_run {
            // A dry run moves nothing.
            for job in &mut self.plan.jobs {
                rehearse(job)?;
            }
            return Ok(false);
        }
        self.progress.expect(self.rest(expected));
        let merged = self.append(channel, journal, backoff)?;
        let evidence = Evidence {
            names: target,
            journal,
            repairs: self.run.settings.importing.repairs,
        };
        for (later, first) in &merged {
            self.plan.jobs[*later].set_aside();
            evidence.tell_apart_from(channel, &mut self.plan.jobs, *later, *first)?;
        }
        Ok(!merged.is_empty())
    }

    /// Makes and opens the mailboxes. Nobody else in this run fills them while the turn lasts.
    fn prepare(
        &mut self,
        channel: &mut Channel,
        evidence: Evidence<'_>,
        ids: &[JobId],
    ) -> Result<Turn<'a>> {
        let run = self.run;
        let mut open = |import: &mut Self| {
            let (jobs, trouble) = (&mut import.plan.jobs, &mut import.trouble);
            create::prepare(channel, jobs, ids, evidence, trouble)
        };
        open(self)?;
        let jobs = &self.plan.jobs;
        let mailboxes = ids.iter().filter_map(|id| jobs[*id].identity_there());
        let turns = &run.peers.of(self.account).turns;
        let Some((turn, waited)) = turns.take_all(mailboxes.collect(), run.stop) else {
            return Err(SessionError::stopped().into());
        };
        if waited {
            // Another account may have filled them meanwhile.
            open(self)?;
        }
        Ok(turn)
    }

    /// Appends what is missing, and checks what became of it; returns mailboxes that are one with others.
    fn append(
        &mut self,
        channel: &mut Channel,
        journal: &mut Journal,
        backoff: &mut Backoff,
    ) -> Result<Vec<(JobId, JobId)>> {
        channel.concluding = false;
        let (run, account) = (self.run, self.account);
        let filled = self.plan.jobs.iter().filter(|job| !job.todo().is_empty());
        let filled = filled.map(|job| job.route().to_uidvalidity);
        let company = run.peers.of(account).turns.company(filled);
        let mut appender = self.appender(channel, journal, &company);
        let outcome = appender.run(channel);
        if !appender.taken.is_empty() {
            backoff.progress();
        }
        outcome?;
        let taken = std::mem::take(&mut appender.taken);
        let merged = std::mem::take(&mut appender.merging.pairs);
        drop(appender);
        if let Some(lost) = self.experience.take_lost_first_copy() {
            closing::let_arrive(lost, self.run.settings.timeout, self.run.stop);
        }
        let sent = Sent {
            taken: &taken,
            again: &self.sent_again,
        };
        let mut reconciler = Reconciler {
            jobs: &mut self.plan.jobs,
            journal,
            trouble: &mut self.trouble,
            repairs: self.run.settings.importing.repairs,
            dry_run: false,
        };
        channel.concluding = true;
        reconciler.close(channel, &sent, self.run.stop)?;
        for id in reconciler.jobs.ids() {
            reconciler.learn_uids(channel, id)?;
        }
        journal.commit()?;
        self.appender(channel, journal, &company).pay(channel)?;
        Ok(merged)
    }

    /// A pass over all jobs on this connection.
    fn appender<'b>(
        &'b mut self,
        channel: &Channel,
        journal: &'b mut Journal,
        company: &'b Company<'b>,
    ) -> Appender<'b> {
        let given = Given {
            jobs: &mut self.plan.jobs,
            journal,
            settings: self.run.settings,
            stop: self.run.stop,
            progress: &mut self.progress,
            experience: &mut self.experience,
            trouble: &mut self.trouble,
            company,
        };
        Appender::new(channel, given)
    }

    /// What there is to append.
    fn rest(&self, messages: u64) -> Rest {
        let mut rest = Rest {
            messages,
            ..Rest::default()
        };
        for job in &self.plan.jobs {
            // What is wrong with a file is told when it is sent.
            match job.here().dir.bytes(job.todo().iter().copied()) {
                Ok(bytes) => rest.bytes += bytes,
                Err(_) => rest.unsized_messages += job.todo().len() as u64,
            }
        }
        rest
    }

    /// Says how it went, and records what could not be imported.
    fn conclude(mut self, outcome: Result<()>, report: &mut AccountReport) -> Result<()> {
        report.warnings = std::mem::take(&mut self.plan.warnings);
        let failures = self.failures();
        let complete = outcome.is_ok()
            && self.plan.lost.is_empty()
            && self.plan.jobs.iter().all(Job::is_complete);
        let dry_run = self.run.settings.dry_run;
        for job in &self.plan.jobs {
            let mailbox = mailbox_report(job, dry_run);
            report.counts += mailbox.counts;
            report.mailboxes.push(mailbox);
        }
        for (name, messages) in &self.plan.lost {
            let mailbox = lost_report(name, *messages);
            report.counts += mailbox.counts;
            report.mailboxes.push(mailbox);
        }
        for job in &self.plan.jobs {
            report.findings.extend(self.doubled(job));
        }
        report.failures = failures.iter().map(FailedMessageReport::from).collect();
        if dry_run {
            return outcome;
        }
        if !complete {
            report.status = Status::Incomplete;
        } else if !report.findings.is_empty() {
            report.status = Status::Findings;
        }
        let recorded = failed::write(self.plan.dir(), Transfer::Import, &failures);
        accounts::both(outcome, recorded)
    }

    /// What came twice is reported, and never removed.
    fn doubled(&self, job: &Job) -> Option<Finding> {
        let uids = job.told().doubled();
        let text = format!(
            "{} in \"{}\" on the target came a second time while the import was at work: an APPEND whose connection was lost took effect late, or somebody else imports the same; nothing is removed: look there, and delete one of each",
            uids.told(),
            job.place().name.text()
        );
        let finding = Finding::new(Code::Doubled, &self.account.name, text);
        let finding = finding.in_mailbox(job.name()).graded(Severity::Warning);
        (!uids.is_empty()).then_some(finding)
    }

    fn failures(&self) -> Vec<FailedMessage> {
        let at = crate::clock::utc_now();
        let of_job = |job: &Job| -> Vec<FailedMessage> {
            let failed = |uid: u32, size: Option<u64>, reason: String| FailedMessage {
                account: self.account.name.clone(),
                mailbox: job.name().to_owned(),
                uid: Some(uid),
                size,
                date: None,
                from: None,
                subject: None,
                server: reason,
                at: at.clone(),
                during: Transfer::Import,
            };
            let refused = job.refused().iter();
            let refused = refused.map(|one| failed(one.uid, one.size, one.reason.clone()));
            let lost = job.lost().uids.iter();
            refused
                .chain(lost.map(|uid| failed(uid, None, LOST.to_owned())))
                .collect()
        };
        self.plan.jobs.iter().flat_map(of_job).collect()
    }
}

/// Why a message that the archive has lost is not on the target.
const LOST: &str = "the archive's own record has it, and it is gone from the archive";

/// What the report says of a mailbox that the archive has lost.
fn lost_report(name: &str, messages: u64) -> MailboxReport {
    MailboxReport {
        mailbox: name.to_owned(),
        directory: String::new(),
        target: None,
        why: None,
        counts: Counts {
            mailboxes: 1,
            failed: messages.max(1),
            ..Counts::default()
        },
        compared: None,
        note: Some(format!(
            "the archive's own record has it, with {}, and its directory is gone from the archive",
            counted(messages, "message")
        )),
    }
}

/// What the report says of a mailbox.
#[must_use]
fn mailbox_report(job: &Job, dry_run: bool) -> MailboxReport {
    let (here, place, told) = (job.here(), job.place(), job.told());
    let new = if dry_run {
        job.todo().len() as u64
    } else {
        job.taken().len()
    };
    MailboxReport {
        mailbox: here.name.clone(),
        directory: here.directory.clone(),
        target: Some(place.name.text().to_owned()),
        why: Some(place.reasons()),
        counts: Counts {
            mailboxes: 1,
            new,
            unchanged: job.done_before() + job.found_there().len() + job.elsewhere().len(),
            flags_changed: told.flags_changed(),
            failed: job.refused().len() as u64 + job.lost().count() + u64::from(job.has_failed()),
            bytes: told.bytes(),
            ..Counts::default()
        },
        compared: None,
        note: Some(job.sentences().join("; ")).filter(|note| !note.is_empty()),
    }
}

/// What a dry run says about a mailbox: how much would be appended, and what the archive cannot give.
fn rehearse(job: &mut Job) -> Result<()> {
    let mut unreadable = UidSet::default();
    for uid in job.todo().clone() {
        if let Err(damaged) = message::sidecar(&job.here().dir, uid)? {
            unreadable.insert(uid);
            job.refuse(Refused {
                uid,
                size: None,
                reason: damaged.reason(),
            });
        }
    }
    job.give_up(&unreadable);
    let bytes = job.here().dir.bytes(job.todo().iter().copied())?;
    job.told_mut().would_append(bytes);
    Ok(())
}
