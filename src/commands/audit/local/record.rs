//! The archive against its own record: the state of this program, or that of the original tool.

use anyhow::Result;

use super::{ArchivedMailbox, Audit};
use crate::archive::failed::{self, Transfer};
use crate::archive::meta::{MailboxMeta, NameSource};
use crate::archive::original::OriginalMailbox;
use crate::archive::state::MailboxState;
use crate::finding::{Code, Finding, Severity};
use crate::mailbox::uidset::UidSet;
use crate::plural::counted;

impl Audit<'_> {
    /// `.mailbox.json` and the pairs against the state.
    pub(super) fn compare_with_state(&mut self, mailbox: &mut ArchivedMailbox) {
        let name = mailbox.meta.name.text().to_owned();
        let Some(all) = &self.local.state else {
            return;
        };
        let complete = all.complete;
        let Some(state) = &mailbox.state else {
            let text = format!(
                "the state file does not know directory {}",
                mailbox.directory
            );
            self.add_in(&name, Code::NotInState, text);
            return;
        };
        if mailbox.origin == NameSource::Ours && !agree(&mailbox.meta, state) {
            let text = format!(
                "{}/.mailbox.json says {}, the state file {}",
                mailbox.directory,
                shown(&mailbox.meta),
                shown(&state.meta())
            );
            self.add_in(&name, Code::StateMismatch, text);
            return;
        }
        let gone: UidSet = state
            .uids
            .iter()
            .filter(|uid| !mailbox.pairs.contains(*uid) && !mailbox.known_missing.contains(*uid))
            .collect();
        let extra: UidSet = mailbox
            .pairs
            .iter()
            .filter(|uid| !state.uids.contains(*uid))
            .collect();
        for uid in gone.iter() {
            mailbox.known_missing.insert(uid);
        }
        if !gone.is_empty() {
            let text = format!("{} are gone from the archive", gone.told());
            let mut finding = Finding::new(Code::MessageGone, self.task.account, text);
            finding.uid = Some(&gone)
                .filter(|gone| gone.len() == 1)
                .and_then(|gone| gone.iter().next());
            self.local.findings.push(finding.in_mailbox(&name));
        }
        if !extra.is_empty() && complete {
            let text = format!(
                "{} are in the archive and not in the state file",
                extra.told()
            );
            self.add_in(&name, Code::NotInState, text);
        }
    }

    /// An archive without a state of this program.
    fn check_originals_state(&mut self) -> Result<()> {
        if let Some(original) = self.local.original.take() {
            if !original.complete {
                let text = "the last export, by the original tool, is not complete";
                self.add(Code::Incomplete, text);
            }
            for known in &original.mailboxes {
                if self.task.folders.matches(&known.mailbox) {
                    self.check_originals_mailbox(known)?;
                }
            }
            self.local.original = Some(original);
            return Ok(());
        }
        let mut findings = self.local.findings.iter();
        if findings.any(|finding| finding.code == Code::UnreadableState) {
            return Ok(());
        }
        let (severity, text) = if self.local.is_ours {
            let text = "there is no export-state.json: the first export was cut off, or the file is lost, and nothing says what the archive must hold; run the export again, or import with --allow-incomplete";
            (Severity::Error, text)
        } else {
            let text = "there is no export-state.json, as in archives of early versions of the original tool: nothing says whether the export was complete";
            (Severity::Note, text)
        };
        let finding = Finding::new(Code::NoState, self.task.account, text);
        self.local.findings.push(finding.graded(severity));
        Ok(())
    }

    /// The original tool's state knows how many messages a mailbox has, and not which.
    fn check_originals_mailbox(&mut self, known: &OriginalMailbox) -> Result<()> {
        let mut mailboxes = self.local.mailboxes.iter();
        let found = mailboxes.find(|one| one.directory == known.path);
        let there = found.map(|one| one.pairs.len() + one.known_missing.len());
        let Some(there) = there else {
            let is_gone = !self.has(&known.path)?;
            if is_gone {
                let text = format!(
                    "its directory {} is gone, with {}",
                    known.path,
                    counted(known.messages, "message")
                );
                self.add_in(&known.mailbox, Code::MailboxGone, text);
            }
            return Ok(());
        };
        if there < known.messages {
            let text = format!(
                "{} gone from the archive: the original tool's state counts {}, there are {there}",
                counted(known.messages - there, "message"),
                known.messages
            );
            self.add_in(&known.mailbox, Code::MessageGone, text);
        }
        Ok(())
    }

    /// The state by itself: complete, and every mailbox of it there.
    pub(super) fn check_state(&mut self) -> Result<()> {
        let Some(state) = self.local.state.clone() else {
            return self.check_originals_state();
        };
        if !state.complete {
            self.add(
                Code::Incomplete,
                format!(
                    "the last export, of {}, is not complete; run it again",
                    state.started
                ),
            );
        }
        let failures = failed::load(&self.dir, Transfer::Export)?;
        for failed in &failures {
            if self.task.folders.matches(&failed.mailbox) {
                let which = failed
                    .uid
                    .map_or_else(String::new, |uid| format!("uid {uid} "));
                let text = format!("{which}was never exported: {}", failed.server);
                let mut finding = Finding::new(Code::NotExported, self.task.account, text)
                    .in_mailbox(&failed.mailbox);
                finding.uid = failed.uid;
                self.local.findings.push(finding);
            }
        }
        for mailbox in &state.mailboxes {
            // What was never read cannot be gone.
            let was_read = mailbox.messages > 0
                || !failures
                    .iter()
                    .any(|failed| failed.uid.is_none() && failed.mailbox == mailbox.name.text());
            let is_there = self.has(&mailbox.directory)?;
            if !is_there && was_read && self.task.folders.matches(mailbox.name.text()) {
                let text = format!(
                    "its directory {} is gone, with {}",
                    mailbox.directory,
                    counted(mailbox.messages, "message")
                );
                self.add_in(mailbox.name.text(), Code::MailboxGone, text);
            }
        }
        Ok(())
    }
}

/// Do `.mailbox.json` and state say the same? The state of a mailbox that was not read whole may be an older one's.
fn agree(meta: &MailboxMeta, state: &MailboxState) -> bool {
    state.name.is_written_as(&meta.name)
        && state.uidvalidity == meta.uidvalidity
        && (!state.complete || state.meta().describes_same(meta))
}

/// For people.
fn shown(meta: &MailboxMeta) -> String {
    format!(
        "\"{}\" with UIDVALIDITY {}, delimiter {}, attributes ({})",
        meta.name.text(),
        meta.uidvalidity,
        meta.delimiter
            .map_or_else(|| "none".to_owned(), |c| format!("\"{c}\"")),
        meta.attributes.join(" ")
    )
}
