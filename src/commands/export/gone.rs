//! What the archive has and the server no longer has: whole mailboxes, or so much of an account that somebody should look.
//!
//! Decides only; moves nothing.

use crate::archive::account::AccountArchive;
use crate::archive::state::MailboxState;
use crate::filter::Filter;
use crate::mailbox::loss::{is_emptied_often, is_most};
use crate::plural::counted;
use crate::session::list::Mailbox;

use super::job::{Job, Jobs};

/// Directories, on disk or on record, whose mailbox is neither listed nor excluded by the filters.
pub fn directories(archive: &AccountArchive, listed: &[Mailbox], folders: &Filter) -> Vec<String> {
    let on_disk = archive
        .mailboxes()
        .map(|(directory, meta)| (directory, &meta.name));
    let record = archive.state().map(|state| state.mailboxes.as_slice());
    let on_record = record
        .unwrap_or_default()
        .iter()
        .map(|mailbox| (mailbox.directory.as_str(), &mailbox.name));
    let mut gone: Vec<String> = on_disk
        .chain(on_record)
        .filter(|(_, name)| {
            folders.matches(name.text())
                && !listed.iter().any(|mailbox| mailbox.listed.name == **name)
        })
        .map(|(directory, _)| directory.to_owned())
        .collect();
    gone.sort_unstable();
    gone.dedup();
    gone
}

/// What to say when most of an account has vanished overnight; `moved` are the directories that moved aside.
pub fn most_vanished(before: &[MailboxState], moved: &[String], jobs: &Jobs) -> Vec<String> {
    let is_moved = |mailbox: &&MailboxState| moved.contains(&mailbox.directory);
    let had_mail = |mailbox: &&MailboxState| !mailbox.name.is_inbox() && mailbox.messages > 0;
    let others = before.iter().filter(had_mail);
    let (gone, left): (Vec<_>, Vec<_>) = others.partition(is_moved);
    let still_there = jobs.iter().any(|job| {
        let freeze = job.freeze();
        !job.listed_name().is_inbox() && freeze.messages > 0
    });
    let mut told = Vec::new();
    let inbox = before.iter().filter(is_moved);
    told.extend(
        inbox
            .filter(|mailbox| mailbox.name.is_inbox() && mailbox.messages > 0)
            .map(|inbox| {
                format!(
                    "INBOX is gone from the server, with {}",
                    counted(inbox.messages, "message")
                )
            }),
    );
    if gone.len() > 1 && left.is_empty() && !still_there {
        told.push(format!(
            "all {} mailboxes beside INBOX are gone from the server",
            gone.len()
        ));
    }
    told.extend(jobs.iter().filter_map(emptied));
    let kept = |mailbox: &&MailboxState| !is_emptied_often(&mailbox.attributes);
    let had: u64 = before.iter().filter(kept).map(|m| m.messages).sum();
    let gone_with: u64 = before
        .iter()
        .filter(kept)
        .filter(is_moved)
        .map(|mailbox| mailbox.messages)
        .sum();
    let gone_from = jobs
        .iter()
        .filter(|job| !is_emptied_often(job.attributes()));
    let vanished = gone_with + gone_from.map(Job::vanished_count).sum::<u64>();
    if told.is_empty() && is_most(vanished, had) {
        told.push(format!(
            "{vanished} of the {had} messages of the account are gone from the server"
        ));
    }
    told
}

fn emptied(job: &Job) -> Option<String> {
    let (vanished, kept) = (job.vanished_count(), job.kept());
    let most = is_most(vanished, vanished + kept) && !is_emptied_often(job.attributes());
    most.then(|| {
        format!(
            "{}: {vanished} of {} messages are gone from the server",
            job.name(),
            vanished + kept
        )
    })
}
