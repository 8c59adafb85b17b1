//! What the page explains: how to check it without this program, what mail servers do not hand over, what words mean.

use maud::{Markup, html};

use crate::report::Report;

/// How the proof can be repeated.
pub fn proof(report: &Report) -> Markup {
    let manifest = "imapsync-bulk-migrator --mode audit --audit-offline --manifest SHA256SUMS";
    html! {
        section #proof {
            h2 { "How to check this without the program" }
            p {
                "The archive holds every message as a file of its own, byte for byte as the old server sent it, and beside it a small text file of the same name "
                "that ends in " code { ".json" } " and says its SHA-256. Any tool that computes SHA-256 can compare the two; for a whole account:"
            }
            pre { code { "cd " (report.archive) "\nsha256sum --check SHA256SUMS" } }
            p { "The list SHA256SUMS is written by " code { (manifest) } ". A message on the new server is the same when its downloaded source has the same SHA-256." }
        }
    }
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

/// A line to sign, on paper only.
pub fn acceptance() -> Markup {
    html! { p.sign { "Accepted by: " span.line {} " Date: " span.line {} } }
}
