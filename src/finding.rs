//! One thing that an audit or a validation reports.

use serde::{Deserialize, Serialize};

use crate::archive::excerpt::Excerpt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Loss or damage.
    Error,
    /// Somebody should look at it.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// The word in table and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Kind of a finding. The README's tables list them with their severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Code {
    /// The bytes are not those of the sidecar's digest.
    Sha256Mismatch,
    /// The size is not that of the sidecar.
    SizeMismatch,
    /// A message file without a byte.
    EmptyMessage,
    /// No header field at all.
    NotMail,
    /// Protocol text inside a message.
    RawImap,
    /// A second mail behind the first.
    Glued,
    /// The sidecar is that of another UID.
    UidMismatch,
    /// The sidecar is that of another mailbox or UIDVALIDITY.
    SidecarMismatch,
    /// Two files claim a UID.
    DuplicateUid,
    /// A message file alone.
    NoSidecar,
    /// A sidecar alone.
    NoMessageFile,
    /// The disk does not yield the message.
    UnreadableMessage,
    /// The sidecar cannot be understood.
    UnreadableSidecar,
    /// A mailbox's own file is missing or cannot be understood.
    UnreadableMailbox,
    /// The state cannot be understood.
    UnreadableState,
    /// Mailbox and state contradict each other.
    StateMismatch,
    /// The state vouches for a message that is not there.
    MessageGone,
    /// The state vouches for a mailbox that is not there.
    MailboxGone,
    /// The export could not fetch it.
    NotExported,
    /// The state says that the export did not end.
    Incomplete,
    /// A symbolic link inside the archive.
    Symlink,
    /// The source has the mailbox, the archive has not.
    MailboxNotInArchive,
    /// The source has the message, the archive has not.
    NotInArchive,
    /// The mailbox was recreated on the source.
    UidvalidityChanged,
    /// The source does not say what it holds.
    UnreadableSource,
    /// Most of an account, or of a large mailbox, is gone from the source since the last export.
    MostVanished,
    /// The archive has the message, the target has not.
    Missing,
    /// The archive has the mailbox, the target has not.
    MailboxMissing,
    /// Read back from the target, its content differs.
    ContentDiffers,
    /// The target does not give the message.
    UnreadableOnTarget,
    /// The archive's own copy is not whole.
    DamagedArchive,
    /// Others than the owner can read or write it.
    OpenMode,
    /// An unfinished file.
    Leftover,
    /// A file that is not the archive's.
    ForeignFile,
    /// There, and the state does not know it.
    NotInState,
    /// It declares itself multipart but has no parts.
    NoParts,
    /// LIST names a mailbox that cannot be understood.
    UnreadableList,
    /// The source has other flags.
    FlagsDiffer,
    /// The target lacks flags that it could keep.
    FlagsLost,
    /// Another INTERNALDATE on the target.
    DateDiffers,
    /// Most of what was imported was deleted on the target since.
    MostDeleted,
    /// Far shorter than the source announced.
    ShortBody,
    /// Another RFC822.SIZE on the target.
    SizeDiffers,
    /// Another header on the target.
    HeaderDiffers,
    /// Hardly any header field.
    SparseHeader,
    /// The sidecar has no digest to compare with.
    NoDigest,
    /// There is no state file.
    NoState,
    /// Came to the source after the export.
    Arrived,
    /// No longer on the source.
    Vanished,
    /// The mailbox is no longer on the source.
    MailboxVanished,
    /// The export was told to leave the mailbox out.
    MailboxLeftOut,
    /// The target has the message, the archive has not.
    Extra,
    /// The target has the mailbox, the archive has not.
    ExtraMailbox,
    /// More copies on the target than in the archive.
    Doubled,
    /// The target has flags that the archive has not.
    FlagsAdded,
    /// Changed by the target, with the same content.
    Rewritten,
    /// Subscribed on the source, and not on the target.
    NotSubscribed,
    /// Arrived on the target, and was deleted there since.
    DeletedOnTarget,
}

impl Code {
    /// Every code, its word in reports, and how bad it usually is.
    pub(crate) const ALL: [(Self, &'static str, Severity); 58] = [
        (Self::Sha256Mismatch, "sha256-mismatch", Severity::Error),
        (Self::SizeMismatch, "size-mismatch", Severity::Error),
        (Self::EmptyMessage, "empty-message", Severity::Error),
        (Self::NotMail, "not-mail", Severity::Error),
        (Self::RawImap, "raw-imap", Severity::Error),
        (Self::Glued, "glued", Severity::Error),
        (Self::UidMismatch, "uid-mismatch", Severity::Error),
        (Self::SidecarMismatch, "sidecar-mismatch", Severity::Error),
        (Self::DuplicateUid, "duplicate-uid", Severity::Error),
        (Self::NoSidecar, "no-sidecar", Severity::Error),
        (Self::NoMessageFile, "no-message-file", Severity::Error),
        (
            Self::UnreadableMessage,
            "unreadable-message",
            Severity::Error,
        ),
        (
            Self::UnreadableSidecar,
            "unreadable-sidecar",
            Severity::Error,
        ),
        (
            Self::UnreadableMailbox,
            "unreadable-mailbox",
            Severity::Error,
        ),
        (Self::UnreadableState, "unreadable-state", Severity::Error),
        (Self::StateMismatch, "state-mismatch", Severity::Error),
        (Self::MessageGone, "message-gone", Severity::Error),
        (Self::MailboxGone, "mailbox-gone", Severity::Error),
        (Self::NotExported, "not-exported", Severity::Error),
        (Self::Incomplete, "incomplete", Severity::Error),
        (Self::Symlink, "symlink", Severity::Error),
        (
            Self::MailboxNotInArchive,
            "mailbox-not-in-archive",
            Severity::Error,
        ),
        (Self::NotInArchive, "not-in-archive", Severity::Error),
        (
            Self::UidvalidityChanged,
            "uidvalidity-changed",
            Severity::Error,
        ),
        (Self::UnreadableSource, "unreadable-source", Severity::Error),
        (Self::MostVanished, "most-vanished", Severity::Error),
        (Self::Missing, "missing", Severity::Error),
        (Self::MailboxMissing, "mailbox-missing", Severity::Error),
        (Self::ContentDiffers, "content-differs", Severity::Error),
        (
            Self::UnreadableOnTarget,
            "unreadable-on-target",
            Severity::Error,
        ),
        (Self::DamagedArchive, "damaged-archive", Severity::Error),
        (Self::OpenMode, "open-mode", Severity::Warning),
        (Self::Leftover, "leftover", Severity::Warning),
        (Self::ForeignFile, "foreign-file", Severity::Warning),
        (Self::NotInState, "not-in-state", Severity::Warning),
        (Self::NoParts, "no-parts", Severity::Warning),
        (Self::UnreadableList, "unreadable-list", Severity::Warning),
        (Self::FlagsDiffer, "flags-differ", Severity::Warning),
        (Self::FlagsLost, "flags-lost", Severity::Warning),
        (Self::DateDiffers, "date-differs", Severity::Warning),
        (Self::MostDeleted, "most-deleted", Severity::Warning),
        (Self::ShortBody, "short-body", Severity::Warning),
        (Self::SizeDiffers, "size-differs", Severity::Warning),
        (Self::HeaderDiffers, "header-differs", Severity::Warning),
        (Self::SparseHeader, "sparse-header", Severity::Note),
        (Self::NoDigest, "no-digest", Severity::Note),
        (Self::NoState, "no-state", Severity::Note),
        (Self::Arrived, "arrived", Severity::Note),
        (Self::Vanished, "vanished", Severity::Note),
        (Self::MailboxVanished, "mailbox-vanished", Severity::Note),
        (Self::MailboxLeftOut, "mailbox-left-out", Severity::Note),
        (Self::Extra, "extra", Severity::Note),
        (Self::ExtraMailbox, "extra-mailbox", Severity::Note),
        (Self::Doubled, "doubled", Severity::Note),
        (Self::FlagsAdded, "flags-added", Severity::Note),
        (Self::Rewritten, "rewritten", Severity::Note),
        (Self::NotSubscribed, "not-subscribed", Severity::Note),
        (Self::DeletedOnTarget, "deleted-on-target", Severity::Note),
    ];

    fn row(self) -> (Self, &'static str, Severity) {
        // The table is in the order of the variants, which a test holds it to.
        Self::ALL[self as usize]
    }

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// How bad it usually is; a single finding may say otherwise.
    #[must_use]
    pub fn default_severity(self) -> Severity {
        self.row().2
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let mut rows = Self::ALL.iter();
        let row = rows.find(|row| row.1 == word);
        row.map(|row| row.0)
            .ok_or_else(|| format!("there is no kind of finding called {word}"))
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.as_str()
    }
}

/// What was found, where, and how bad it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Kind of finding; the README lists them.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The account.
    pub account: String,
    /// The mailbox, where it is about one.
    pub mailbox: Option<String>,
    /// The file below the archive's root, where it is about one.
    pub file: Option<String>,
    /// UID in the archive, where it is about one message.
    pub uid: Option<u32>,
    /// What the message is, where the archive has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Excerpt>,
    /// What to tell people.
    pub text: String,
}

impl Finding {
    /// A finding about an account.
    #[must_use]
    pub fn new(code: Code, account: &str, text: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.default_severity(),
            account: account.to_owned(),
            mailbox: None,
            file: None,
            uid: None,
            message: None,
            text: text.into(),
        }
    }

    /// The same, as bad as said here.
    #[must_use]
    pub fn graded(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same about one of its mailboxes.
    #[must_use]
    pub fn in_mailbox(mut self, mailbox: &str) -> Self {
        self.mailbox = Some(mailbox.to_owned());
        self
    }

    /// The same about a file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same about a message.
    #[must_use]
    pub fn of_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }
}

/// How many findings of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Loss or damage.
    pub errors: u64,
    /// To be looked at.
    pub warnings: u64,
    /// Good to know.
    pub notes: u64,
}

impl Tally {
    /// Counts them.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_row_and_word() {
        for (index, (code, word, _)) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{code:?}");
            let mut kebab = String::new();
            for letter in format!("{code:?}").chars() {
                if letter.is_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.extend(letter.to_lowercase());
            }
            assert_eq!(word, kebab);
        }
    }

    /// The tables of findings say of every code how bad it is, and name no other.
    #[test]
    fn the_readme_lists_every_code_under_its_severity() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let readme = std::fs::read_to_string(path).expect("README.md");
        let mut listed = Vec::new();
        for row in readme.lines() {
            let mut cells = row.split('|').skip(1);
            let first = cells.next().unwrap_or_default().trim();
            let severity = match first.split(':').next() {
                Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                Some("note") => Severity::Note,
                _ => continue,
            };
            let words = cells.next().unwrap_or_default().split('`');
            // An option in such a cell is none.
            let codes = words.skip(1).step_by(2).filter(|w| !w.starts_with("--"));
            listed.extend(codes.map(|word| (word.to_owned(), severity)));
        }
        listed.sort();
        let known = Code::ALL.into_iter();
        let mut known: Vec<_> = known
            .map(|(_, word, severity)| (word.to_owned(), severity))
            .collect();
        known.sort();
        assert_eq!(listed, known);
    }
}
