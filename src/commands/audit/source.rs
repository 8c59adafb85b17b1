//! The archive against the server that it comes from: mailboxes, UIDVALIDITY, and every UID.

use std::collections::HashMap;

use anyhow::Result;

use super::inventory::{self, Ask, read};
use super::local::{ArchivedMailbox, Local};
use crate::archive::failed::{self, FailedMessage, Transfer};
use crate::config::Account;
use crate::filter::Filter;
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::Name;
use crate::mailbox::uidset::UidSet;
use crate::plural;
use crate::session::blame::{Blame, Owner};
use crate::session::channel::Channel;
use crate::session::dial;
use crate::session::error::SessionError;
use crate::session::inventory::Extent;
use crate::session::list::{Listing, StatusItems, Tries};
use crate::session::peer::Peer;
use crate::session::retry::keep_trying;
use crate::stop::Stop;

/// Compares with the source; differences become findings of `local`.
///
/// # Errors
/// Those of the connection, after retries.
pub fn compare(
    peer: &Peer,
    account: &Account,
    folders: &Filter,
    stop: &Stop,
    dir: &std::path::Path,
    local: &mut Local,
) -> Result<()> {
    let failed = failed::load(dir, Transfer::Export)?;
    let mut found = Vec::new();
    let (mut blame, mut known) = (Blame::default(), HashMap::new());
    let mut tries = Tries::default();
    let mut suspects_first = false;
    keep_trying(stop, |backoff| {
        if stop.requested() {
            return Err(SessionError::stopped().into());
        }
        let mut session = dial::open(peer, account, stop)?;
        let settled = known.len();
        let source = SourceAudit {
            account: &account.name,
            folders,
            local,
            failed: &failed,
            suspects_first,
            findings: Vec::new(),
        };
        let outcome = source.read(session.channel(), &mut tries, &mut blame, &mut known);
        // A mailbox that is settled is progress.
        suspects_first = known.len() == settled;
        if !suspects_first {
            backoff.progress();
        }
        found = outcome?;
        session.logout();
        Ok(())
    })?;
    local.findings.append(&mut found);
    Ok(())
}

struct SourceAudit<'a> {
    account: &'a str,
    folders: &'a Filter,
    local: &'a Local,
    failed: &'a [FailedMessage],
    /// What made trouble before goes first, as nothing was settled on the last connection; else it waits for the
    /// others.
    suspects_first: bool,
    findings: Vec<Finding>,
}

/// What the source says of one mailbox.
struct Counterpart<'a> {
    /// Its place in the archive.
    at: usize,
    mailbox: &'a ArchivedMailbox,
    name: Name,
    messages: Option<u64>,
}

impl<'a> SourceAudit<'a> {
    fn add(&mut self, code: Code, mailbox: &str, text: String) {
        let finding = Finding::new(code, self.account, text).in_mailbox(mailbox);
        self.findings.push(finding);
    }

    /// The same where it may be harmless.
    fn doubt(&mut self, code: Code, mailbox: &str, text: String) {
        let finding = Finding::new(code, self.account, text).in_mailbox(mailbox);
        self.findings.push(finding.graded(Severity::Warning));
    }

    fn read(
        mut self,
        channel: &mut Channel,
        tries: &mut Tries,
        blame: &mut Blame<Owner<usize>>,
        known: &mut HashMap<usize, inventory::Inventoried>,
    ) -> Result<Vec<Finding>> {
        let listing = tries.list(channel, StatusItems::Plain, |listed| {
            self.folders.matches(listed.name.text())
        })?;
        for line in &listing.unreadable {
            let text = format!("the server lists a mailbox that cannot be read: {line}");
            let finding = Finding::new(Code::UnreadableList, self.account, text);
            self.findings.push(finding);
        }
        let there = self.counterparts(&listing);
        let local = self.local;
        for mailbox in &local.mailboxes {
            if !there
                .iter()
                .any(|t| t.mailbox.directory == mailbox.directory)
            {
                let text = format!(
                    "the source no longer has this mailbox; the archive has {} of it",
                    plural::counted(mailbox.pairs.len(), "message")
                );
                self.add(Code::MailboxVanished, mailbox.meta.name.text(), text);
            }
        }
        let asked = there.iter().filter(|there| !known.contains_key(&there.at));
        let asks = asked.map(|there| Ask {
            at: there.at,
            name: &there.name,
            is_empty: there.messages == Some(0),
            beside: &there.mailbox.beside,
        });
        let mut asks: Vec<Ask<'_>> = asks.collect();
        let ends = |ask: &Ask<'_>| i64::from(blame.ends(&Owner::Mailbox(ask.at)));
        asks.sort_by_key(|ask| {
            if self.suspects_first {
                -ends(ask)
            } else {
                ends(ask)
            }
        });
        read(channel, asks, blame, known)?;
        for there in &there {
            if let Some(inventory) = known.get(&there.at) {
                self.compare(there.mailbox, inventory);
            }
        }
        Ok(self.findings)
    }

    /// The mailboxes that both sides have; one that the archive has not is told.
    fn counterparts(&mut self, listing: &Listing) -> Vec<Counterpart<'a>> {
        let left_out = self
            .local
            .state
            .as_ref()
            .map(|state| Filter::new(&state.folders, &state.exclude_folders));
        let mut there = Vec::new();
        for listed in &listing.mailboxes {
            let name = listed.listed.name.text();
            if !self.folders.matches(name) {
                continue;
            }
            let status = listed.status.clone().unwrap_or_default();
            if let Some((at, mailbox)) = self.mailbox_of(&listed.listed.name) {
                there.push(Counterpart {
                    at,
                    mailbox,
                    name: listed.listed.name.clone(),
                    messages: status.messages,
                });
                continue;
            }
            let count = status.messages.map_or_else(
                || "an unknown number of messages".to_owned(),
                |n| plural::counted(n, "message"),
            );
            let wanted = !matches!(&left_out, Some(Ok(filter)) if !filter.matches(name));
            if !wanted {
                let text = format!(
                    "the source has this mailbox with {count}; the export was told to leave it out"
                );
                self.add(Code::MailboxLeftOut, name, text);
            } else if !self.directory_is_known(name) {
                let text = format!(
                    "the source has this mailbox with {count}, the archive has not; run the export again"
                );
                self.add(Code::MailboxNotInArchive, name, text);
            }
        }
        there
    }

    fn mailbox_of(&self, name: &Name) -> Option<(usize, &'a ArchivedMailbox)> {
        let mut mailboxes = self.local.mailboxes.iter().enumerate();
        mailboxes.find(|(_, mailbox)| mailbox.meta.name == *name)
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

    fn compare(&mut self, mailbox: &ArchivedMailbox, there: &inventory::Inventoried) {
        let name = mailbox.meta.name.text();
        if let Some(refusal) = &there.refusal {
            let text = format!("the source does not say what it holds: {refusal}");
            return self.add(Code::UnreadableSource, name, text);
        }
        if let Extent::Short { counted, named } = there.inventory.extent() {
            let text = format!(
                "the source counts {} and names {named} of them",
                plural::counted(counted, "message")
            );
            self.doubt(Code::UnreadableSource, name, text);
        }
        let archived = mailbox.meta.uidvalidity;
        let differs = archived != 0
            && there.selected.uidvalidity != 0
            && archived != there.selected.uidvalidity;
        // An empty mailbox has no UIDs; and where the export has seen UIDVALIDITY move, it has compared the messages.
        let empty = mailbox.pairs.is_empty() && there.selected.exists == 0;
        let moves = mailbox
            .state
            .as_ref()
            .is_some_and(|state| state.uidvalidity_moves);
        if differs && !empty && !moves {
            let text = format!(
                "UIDVALIDITY is {} on the source and {archived} in the archive: the mailbox was recreated; run the export again",
                there.selected.uidvalidity
            );
            return self.add(Code::UidvalidityChanged, name, text);
        }
        self.compare_uids(mailbox, there);
        if !there.other_flags.is_empty() {
            let text = format!(
                "{} have other flags on the source: set since the export, which the next one brings, or changed in the archive",
                there.other_flags.told()
            );
            self.add(Code::FlagsDiffer, name, text);
        }
        if !there.other_dates.is_empty() {
            let text = format!(
                "{} have another INTERNALDATE on the source: changed in the archive, or by the server",
                there.other_dates.told()
            );
            self.add(Code::DateDiffers, name, text);
        }
    }

    /// Which of the source's messages the archive has, and the reverse.
    fn compare_uids(&mut self, mailbox: &ArchivedMailbox, there: &inventory::Inventoried) {
        let name = mailbox.meta.name.text();
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
        let named = there.inventory.named();
        let missing: UidSet = named.iter().filter(absent).filter(|u| before(*u)).collect();
        let arrived: UidSet = named
            .iter()
            .filter(absent)
            .filter(|u| !before(*u))
            .collect();
        let vanished: UidSet = mailbox
            .pairs
            .iter()
            .filter(|uid| !named.contains(*uid))
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
        // What a short inventory does not name may well be there.
        if !vanished.is_empty() && there.inventory.extent() == Extent::Whole {
            let text = format!(
                "{} are no longer on the source; the archive keeps them",
                vanished.told()
            );
            self.add(Code::Vanished, name, text);
        }
    }
}
