//! The archive against the server that it comes from: mailboxes, UIDVALIDITY, and every UID.

use std::collections::VecDeque;

use anyhow::Result;
use tracing::debug;

use super::local::{Local, Mailbox};
use crate::archive::failed::{self, During, FailedMessage};
use crate::archive::uidset::UidSet;
use crate::config::Account;
use crate::filter::Filter;
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::Name;
use crate::session::channel::Channel;
use crate::session::command::Command;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::fetch;
use crate::session::lane::{Answer, Lane, Order};
use crate::session::list;
use crate::session::peer::Peer;
use crate::session::reader::NoBody;
use crate::session::response::{self, Condition, Line};
use crate::session::retry::keep_trying;
use crate::stop::Stop;

/// Commands sent ahead of their answers.
const WINDOW: usize = 32;

/// Compares with the source; what differs becomes findings of `local`.
///
/// # Errors
/// Those of the connection, after it was tried anew.
pub fn compare(
    peer: &Peer,
    account: &Account,
    folders: &Filter,
    stop: &Stop,
    dir: &std::path::Path,
    local: &mut Local,
) -> Result<()> {
    let failed = failed::load(dir, During::Export)?;
    let mut found = Vec::new();
    keep_trying(stop, |_| {
        if stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = dial::open(peer, account, stop)?;
        found = Source {
            account: &account.name,
            folders,
            local,
            failed: &failed,
            findings: Vec::new(),
        }
        .read(session.channel())?;
        session.logout();
        Ok(())
    })?;
    local.findings.append(&mut found);
    Ok(())
}

struct Source<'a> {
    account: &'a str,
    folders: &'a Filter,
    local: &'a Local,
    failed: &'a [FailedMessage],
    findings: Vec<Finding>,
}

/// What the source says of one mailbox.
struct There<'a> {
    mailbox: &'a Mailbox,
    name: Name,
    messages: Option<u64>,
    exists: u64,
    uidvalidity: u32,
    uids: UidSet,
    refusal: Option<String>,
}

#[derive(Clone, Copy)]
enum Step {
    Open(usize),
    Uids(usize),
}

impl<'a> Source<'a> {
    fn add(&mut self, code: Code, mailbox: &str, text: String) {
        let finding = Finding::new(code, self.account, text).in_mailbox(mailbox);
        self.findings.push(finding);
    }

    /// The same where it may well be harmless.
    fn doubt(&mut self, code: Code, mailbox: &str, text: String) {
        let finding = Finding::new(code, self.account, text).in_mailbox(mailbox);
        self.findings.push(finding.graded(Severity::Warning));
    }

    fn read(mut self, channel: &mut Channel) -> Result<Vec<Finding>> {
        let listing = list::list(channel, |listed| self.folders.matches(listed.name.text()))?;
        for line in &listing.unreadable {
            let text = format!("the server lists a mailbox that cannot be read: {line}");
            let finding = Finding::new(Code::UnreadableList, self.account, text);
            self.findings.push(finding);
        }
        let left_out = self
            .local
            .state
            .as_ref()
            .map(|state| Filter::new(&state.folders, &state.exclude_folders));
        let mut there: Vec<There<'a>> = Vec::new();
        for listed in &listing.mailboxes {
            let name = listed.listed.name.text();
            if !self.folders.matches(name) {
                continue;
            }
            let status = listed.status.clone().unwrap_or_default();
            if let Some(mailbox) = self.mailbox_of(&listed.listed.name) {
                there.push(There {
                    mailbox,
                    name: listed.listed.name.clone(),
                    messages: status.messages,
                    exists: 0,
                    uidvalidity: 0,
                    uids: UidSet::new(),
                    refusal: None,
                });
                continue;
            }
            let count = status
                .messages
                .map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
            let wanted = !matches!(&left_out, Some(Ok(filter)) if !filter.matches(name));
            if !wanted {
                let text = format!(
                    "the source has this mailbox with {count} messages; the export was told to leave it out"
                );
                self.add(Code::MailboxLeftOut, name, text);
            } else if !self.directory_is_known(name) {
                let text = format!(
                    "the source has this mailbox with {count} messages, the archive has not; run the export again"
                );
                self.add(Code::MailboxNotInArchive, name, text);
            }
        }
        let local = self.local;
        for mailbox in &local.mailboxes {
            if !there
                .iter()
                .any(|t| t.mailbox.directory == mailbox.directory)
            {
                let text = format!(
                    "the source no longer has this mailbox; the archive has {} messages of it",
                    mailbox.pairs.len()
                );
                self.add(Code::MailboxVanished, mailbox.meta.name.text(), text);
            }
        }
        inventories(channel, &mut there)?;
        for mailbox in &there {
            self.compare(mailbox);
        }
        Ok(self.findings)
    }

    fn mailbox_of(&self, name: &Name) -> Option<&'a Mailbox> {
        let mut mailboxes = self.local.mailboxes.iter();
        mailboxes.find(|mailbox| mailbox.meta.name == *name)
    }

    /// The audit of the archive alone has said already that its directory is gone or damaged.
    fn directory_is_known(&self, name: &str) -> bool {
        let states = self.local.state.iter().flat_map(|state| &state.mailboxes);
        let directories: Vec<&str> = states
            .filter(|state| state.name.text() == name)
            .map(|state| state.directory.as_str())
            .collect();
        self.local.findings.iter().any(|finding| {
            let about = finding.mailbox.as_deref().unwrap_or_default();
            matches!(
                finding.code,
                Code::MailboxGone | Code::UnreadableMailbox | Code::Symlink
            ) && (about == name || directories.contains(&about) || finding.code == Code::Symlink)
        })
    }

    fn compare(&mut self, there: &There<'_>) {
        let mailbox = there.mailbox;
        let name = mailbox.meta.name.text();
        if let Some(refusal) = &there.refusal {
            let text = format!("the source does not say what it holds: {refusal}");
            return self.add(Code::UnreadableSource, name, text);
        }
        if there.uids.len() < there.exists {
            let text = format!(
                "the source counts {} messages and names {} of them",
                there.exists,
                there.uids.len()
            );
            self.doubt(Code::UnreadableSource, name, text);
        }
        let archived = mailbox.meta.uidvalidity;
        if archived != 0 && there.uidvalidity != 0 && archived != there.uidvalidity {
            let text = format!(
                "UIDVALIDITY is {} on the source and {archived} in the archive: the mailbox was made anew; run the export again",
                there.uidvalidity
            );
            return self.add(Code::UidvalidityChanged, name, text);
        }
        let state = mailbox.state.as_ref();
        let freeze = state.and_then(|state| state.uidnext);
        let highest = mailbox.pairs.iter().last().unwrap_or(0);
        let before = |uid: u32| freeze.map_or(uid <= highest, |freeze| uid < freeze);
        let is_known = |uid: u32| {
            let mut failed = self.failed.iter();
            mailbox.known_missing.contains(uid)
                || failed.any(|failed| failed.uid == Some(uid) && failed.mailbox == *name)
        };
        let absent = |uid: &u32| !mailbox.pairs.contains(*uid) && !is_known(*uid);
        let missing: UidSet = there
            .uids
            .iter()
            .filter(absent)
            .filter(|u| before(*u))
            .collect();
        let arrived: UidSet = there
            .uids
            .iter()
            .filter(absent)
            .filter(|u| !before(*u))
            .collect();
        let vanished: UidSet = mailbox
            .pairs
            .iter()
            .filter(|uid| !there.uids.contains(*uid))
            .collect();
        if !missing.is_empty() {
            let text = format!(
                "{} of the source are not in the archive; run the export again",
                missing.told()
            );
            self.add(Code::NotInArchive, name, text);
        }
        if !arrived.is_empty() && freeze.is_some() {
            let text = format!("{} arrived after the export", arrived.told());
            self.add(Code::Arrived, name, text);
        } else if !arrived.is_empty() {
            let text = format!(
                "{} of the source are not in the archive: they arrived after the export, or it missed them; nothing here says when it was made",
                arrived.told()
            );
            self.doubt(Code::NotInArchive, name, text);
        }
        if !vanished.is_empty() {
            let text = format!(
                "{} are no longer on the source; the archive keeps them",
                vanished.told()
            );
            self.add(Code::Vanished, name, text);
        }
    }
}

/// Opens all mailboxes and reads their UIDs, commands sent ahead.
fn inventories(channel: &mut Channel, there: &mut [There<'_>]) -> Result<()> {
    let mut queue = VecDeque::new();
    for (number, mailbox) in there.iter().enumerate() {
        let open = Command::new("EXAMINE").mailbox(mailbox.name.wire(), &channel.capabilities)?;
        queue.push_back((open, Step::Open(number)));
        if mailbox.messages != Some(0) {
            queue.push_back((fetch::uids("1:*"), Step::Uids(number)));
        }
    }
    let mut lane: Lane<'_, Step> = Lane::new(channel);
    loop {
        while lane.outstanding() < WINDOW {
            let Some((command, step)) = queue.pop_front() else {
                break;
            };
            lane.send(&command, step, Order::Strict)?;
        }
        if lane.outstanding() == 0 {
            return Ok(());
        }
        match lane.next(&mut NoBody)? {
            Answer::Untagged(Step::Open(number), response) => {
                let mailbox = &mut there[*number];
                if let Some(count) = response::parse_exists(response) {
                    mailbox.exists = count;
                }
                if let Line::Untagged(status) = response::classify(response)
                    && let Some(value) = status.code_argument("UIDVALIDITY")
                {
                    mailbox.uidvalidity = value.parse().unwrap_or(0);
                }
            }
            Answer::Untagged(Step::Uids(number), response) => match response::parse_fetch(response)
            {
                Some(Ok(data)) => data
                    .uid
                    .into_iter()
                    .for_each(|uid| there[*number].uids.insert(uid)),
                Some(Err(reason)) => {
                    debug!(line = response.shown(), reason, "an inventory line is odd");
                }
                None => {}
            },
            Answer::Done(Step::Open(number) | Step::Uids(number), status) => {
                let mailbox = &mut there[number];
                // A FETCH of nothing may be refused.
                if status.condition != Condition::Ok
                    && mailbox.refusal.is_none()
                    && !(mailbox.exists == 0 && mailbox.uidvalidity != 0)
                {
                    mailbox.refusal = Some(status.said());
                }
            }
        }
    }
}
