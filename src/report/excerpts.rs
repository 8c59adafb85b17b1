//! Beside each message that a report names: what the archive knows of it, and where it lies.

use std::collections::HashMap;
use std::path::Path;

use super::{AccountReport, Report};
use crate::archive::account::AccountArchive;
use crate::archive::excerpt::Excerpt;
use crate::finding::Severity;

/// Messages of one account that are described; the others have their UID and their file.
const OF_ACCOUNT: usize = 500;

/// The same of a whole run: each is a look at the disk, and takes room in the report.
const OF_RUN: usize = 20_000;

impl Report {
    /// Describes them, those first that somebody has to look at.
    pub fn describe_messages(&mut self, archive: &Path, with_subjects: bool) {
        let mut left = OF_RUN;
        for account in &mut self.accounts {
            let room = left.min(OF_ACCOUNT);
            left -= describe(account, archive, with_subjects, room);
        }
        if !with_subjects {
            self.forget_subjects();
        }
    }

    /// Subjects that an earlier run was allowed to show are not shown by one that is not.
    pub fn forget_subjects(&mut self) {
        for account in &mut self.accounts {
            let failures = account
                .failures
                .iter_mut()
                .filter_map(|f| f.message.as_mut());
            let findings = account
                .findings
                .iter_mut()
                .filter_map(|f| f.message.as_mut());
            failures
                .chain(findings)
                .for_each(|message| message.subject = None);
        }
    }
}

/// Returns how many it has described.
fn describe(
    account: &mut AccountReport,
    archive: &Path,
    with_subjects: bool,
    room: usize,
) -> usize {
    let own = AccountArchive::directory(archive, &account.account);
    let below = |path: &Path| -> String {
        let below = path.strip_prefix(archive).unwrap_or(path);
        below.to_string_lossy().into_owned()
    };
    let mut left = room;
    let directories: HashMap<&str, &str> = account
        .mailboxes
        .iter()
        .filter(|mailbox| !mailbox.directory.is_empty())
        .map(|mailbox| (mailbox.mailbox.as_str(), mailbox.directory.as_str()))
        .collect();
    for failed in account
        .failures
        .iter_mut()
        .filter(|failed| failed.message.is_none())
    {
        let (Some(uid), true) = (failed.uid, left > 0) else {
            continue;
        };
        let Some(directory) = directories.get(failed.mailbox.as_str()) else {
            continue;
        };
        let dir = own.join(directory);
        failed.message = Excerpt::of(&dir, uid, with_subjects);
        if failed.message.is_some() {
            let dir = crate::archive::mailbox::MailboxDir::new(dir);
            failed.file = Some(below(&dir.message_path(uid)));
            left -= 1;
        }
    }
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let findings = account.findings.iter_mut();
        for finding in findings.filter(|finding| finding.severity == severity) {
            let (Some(uid), Some(file), true) = (finding.uid, &finding.file, left > 0) else {
                continue;
            };
            let path = archive.join(file);
            let Some(dir) = path.parent().filter(|dir| dir.starts_with(&own)) else {
                continue;
            };
            finding.message = Excerpt::of(dir, uid, with_subjects);
            left -= usize::from(finding.message.is_some());
        }
    }
    room - left
}
