//! What the page explains: how to check it without this program, what mail servers do not hand over, what words mean.

use std::path::Path;

use maud::{Markup, html};

use super::shown;
use crate::archive::account::AccountArchive;
use crate::finding::Code;
use crate::report::{End, Report};

/// How the proof can be repeated.
pub fn proof(report: &Report) -> Markup {
    let archive = Path::new(&report.archive);
    let mut proved = report
        .accounts
        .iter()
        .filter(|account| account.proof.is_some());
    let example = proved.next().map(|account| {
        let dir = AccountArchive::directory(archive, &account.account);
        let dir = quoted(&dir.to_string_lossy());
        format!(
            "find {dir} -name '.?*' -prune -o -name '*.eml' -print0 | xargs -0 sha256sum | cut -c1-64 | sort | sha256sum"
        )
    });
    let mut servers = report.servers.iter();
    let server = servers.find(|server| server.end == End::Target);
    html! {
        section #proof {
            h2 { "How to check this without the program" }
            p {
                "The archive " code { (shown(&report.archive)) } " on the machine " code { (shown(&report.machine)) }
                " holds every message as a file of its own, byte for byte as the old server sent it. Beside it lies a small text file of the same name that ends in "
                code { ".json" } " and says, among other things, its SHA-256. Any tool that computes SHA-256 can compare the two:"
            }
            pre { code { "sha256sum u0000000042.eml" } }
            @if let Some(example) = &example {
                p { "All messages of an account at once: this must print the account's proof, which stands at its mailboxes above." }
                pre { code #recompute { (shown(example)) } }
            }
            @if let Some(server) = server {
                p { "A message on the new server, by its number (UID) there: this must print the SHA-256 of its file in the archive, unless it is named above as changed." }
                pre { code {
                    "curl --silent --user 'LOGIN' '" (if server.protection == "implicit" { "imaps" } else { "imap" })
                    "://" (shown(&server.host)) ":" (server.port) "/INBOX;UID=42' | sha256sum"
                } }
            }
            p {
                "A list of all files is written by " code { "imapsync-bulk-migrator --mode audit --audit-offline --manifest SHA256SUMS" }
                " and checked by " code { "sha256sum --check SHA256SUMS" } ", from the directory in which the program ran."
            }
        }
    }
}

/// A word for a shell, whatever it holds.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What IMAP does not carry.
pub fn never_migrated() -> Markup {
    html! {
        section #never {
            h2 { "What is never part of such a move" }
            p { "Mail servers hand over mail, its folders, its dates and its marks. Not handed over, and to be moved in other ways, are:" }
            ul {
                li { "contacts, calendars, tasks and notes" }
                li { "filters and sorting rules" }
                li { "forwards, aliases and out-of-office replies" }
                li { "folders shared with others, and who may read what" }
                li { "signatures and settings of mail programs" }
            }
        }
    }
}

/// What words mean.
pub fn glossary() -> Markup {
    let words = [
        ("Account", "one login at a mail server, usually one address"),
        (
            "Archive",
            "the copy of all mail on disk, between the old server and the new one",
        ),
        ("Mailbox", "what mail programs call a folder"),
        (
            "UID",
            "the number under which a server knows a message in a mailbox",
        ),
        (
            "SHA-256",
            "a fingerprint of a file: two files with the same one are the same, byte for byte",
        ),
        (
            "Read back",
            "downloaded again from the new server and compared with the archive",
        ),
        (
            "Identical",
            "the new server has the message with every byte as on the old one",
        ),
        (
            "Finding",
            "something that a check noticed; an error is loss or damage, a warning is to be looked at, a note is good to know",
        ),
    ];
    html! {
        section #glossary {
            details {
                summary { h2 { "What the words mean" } }
                dl { @for (word, meaning) in words { dt { (word) } dd { (meaning) } } }
            }
        }
    }
}

/// What each code means, in words for the reader of the report.
const MEANINGS: [(&[Code], &str); 53] = [
    (
        &[Code::Sha256Mismatch],
        "The file in the archive is not the one that was exported: it was changed or damaged since.",
    ),
    (
        &[Code::SizeMismatch],
        "The file in the archive does not have the size with which it was exported.",
    ),
    (&[Code::EmptyMessage], "The message is empty."),
    (
        &[Code::NotMail],
        "The message has no header line, so that it does not look like mail.",
    ),
    (
        &[Code::RawImap],
        "The message holds text of the mail protocol, as damage by another tool leaves it.",
    ),
    (
        &[Code::Glued],
        "A second mail follows the first, as damage by another tool leaves it.",
    ),
    (
        &[Code::UidMismatch, Code::SidecarMismatch],
        "The text file beside the message is that of another message.",
    ),
    (
        &[Code::DuplicateUid],
        "Two files claim to be the same message.",
    ),
    (
        &[Code::NoSidecar],
        "The text file beside the message is missing.",
    ),
    (
        &[Code::NoMessageFile],
        "The message itself is missing; only the text file beside it is there.",
    ),
    (
        &[Code::UnreadableMessage],
        "The disk cannot read the message.",
    ),
    (
        &[Code::UnreadableSidecar],
        "The text file beside the message cannot be understood.",
    ),
    (
        &[Code::UnreadableMailbox],
        "The description of the mailbox is missing from the archive or cannot be understood.",
    ),
    (
        &[Code::UnreadableState],
        "The record of the account's export cannot be understood.",
    ),
    (
        &[Code::StateMismatch],
        "The archive and its own record contradict each other.",
    ),
    (
        &[Code::MessageGone, Code::MailboxGone],
        "The archive's own record has it, but it is gone from the archive.",
    ),
    (&[Code::NotExported], "The old server did not hand it over."),
    (
        &[Code::Incomplete],
        "The export of the account did not finish.",
    ),
    (
        &[Code::Symlink],
        "A link leads out of the archive; it is not followed.",
    ),
    (
        &[Code::MailboxNotInArchive, Code::NotInArchive],
        "The old server has it, but the archive does not.",
    ),
    (
        &[Code::UidvalidityChanged],
        "The mailbox was created again on the old server: export it once more.",
    ),
    (
        &[Code::UnreadableSource],
        "The old server does not say what it holds.",
    ),
    (
        &[Code::MostVanished],
        "Most of it was gone from the old server at once: was it deleted by mistake?",
    ),
    (
        &[Code::MostDeleted],
        "Most of what was imported was deleted on the new server since: was that meant?",
    ),
    (
        &[Code::Missing],
        "The archive has the message, but the new server does not.",
    ),
    (
        &[Code::MailboxMissing],
        "The archive has the mailbox, but the new server does not.",
    ),
    (
        &[Code::ContentDiffers],
        "What the new server gives back is not the archive's message.",
    ),
    (
        &[Code::UnreadableOnTarget],
        "The new server does not give the message back, so nothing is proved about it.",
    ),
    (
        &[Code::DamagedArchive],
        "The archive's own copy is not whole.",
    ),
    (
        &[Code::OpenMode],
        "Other users of the machine can read or write the file.",
    ),
    (&[Code::Leftover], "A file that was never finished."),
    (
        &[Code::ForeignFile],
        "A file that does not belong to the archive.",
    ),
    (
        &[Code::NotInState],
        "The archive's record does not know it.",
    ),
    (
        &[Code::NoParts],
        "The message says that it has several parts, but has none.",
    ),
    (
        &[Code::UnreadableList],
        "The old server lists a mailbox under a name that cannot be understood.",
    ),
    (
        &[Code::FlagsDiffer],
        "The marks of the message (read, answered, flagged) changed on the old server since the export.",
    ),
    (
        &[Code::FlagsLost],
        "The new server does not have all the marks of the message (read, answered, flagged and the like).",
    ),
    (
        &[Code::DateDiffers],
        "The new server shows another date of arrival.",
    ),
    (
        &[Code::ShortBody],
        "The message is shorter than the old server announced.",
    ),
    (
        &[Code::SizeDiffers],
        "The new server reports another size; reading it back tells why.",
    ),
    (
        &[Code::HeaderDiffers],
        "The header is different on the new server.",
    ),
    (
        &[Code::SparseHeader],
        "The message has hardly any header lines; perhaps a draft.",
    ),
    (
        &[Code::NoDigest],
        "Nothing is on record that the message could be compared with.",
    ),
    (
        &[Code::NoState],
        "There is no record of the account's export.",
    ),
    (
        &[Code::Arrived],
        "It came to the old server after the export.",
    ),
    (
        &[Code::Vanished, Code::MailboxVanished],
        "It is no longer on the old server; the archive keeps it.",
    ),
    (
        &[Code::MailboxLeftOut],
        "The export was told to leave the mailbox out.",
    ),
    (
        &[Code::DeletedOnTarget],
        "It arrived on the new server, by the record of the import, and somebody deleted it there since.",
    ),
    (
        &[Code::Extra, Code::ExtraMailbox],
        "The new server has it, but the archive does not: it was there before, or came since.",
    ),
    (
        &[Code::Doubled],
        "The new server has more copies than the archive.",
    ),
    (
        &[Code::FlagsAdded],
        "The new server has further marks, as after reading.",
    ),
    (
        &[Code::Rewritten],
        "The new server keeps the message in a slightly different form, with the same content.",
    ),
    (
        &[Code::NotSubscribed],
        "The mailbox was subscribed to on the old server, but is not on the new one.",
    ),
];

/// What a kind of finding means, for somebody who has never seen the word.
pub fn meaning(code: Code) -> &'static str {
    let mut known = MEANINGS.iter();
    known
        .find(|(codes, _)| codes.contains(&code))
        .map_or("", |(_, words)| words)
}

/// A line to sign, on paper only.
pub fn acceptance() -> Markup {
    html! { p.sign { "Accepted by: " span.line {} " Date: " span.line {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_meaning() {
        for (code, _, _) in Code::ALL {
            let meanings = MEANINGS.iter().filter(|(codes, _)| codes.contains(&code));
            assert_eq!(meanings.count(), 1, "{code:?}");
        }
    }
}
