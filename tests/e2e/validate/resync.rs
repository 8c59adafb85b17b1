//! What is missing is brought back, and nothing else.

use std::fs;

use super::{imported, imported_of};
use crate::kit::mail::Mail;

#[test]
fn a_deleted_message_comes_back_once() {
    let scene = imported();
    let before = scene.reader().mailbox("INBOX").messages.len();
    scene.reader().expunge("INBOX", &scene.uid_of("two"));
    scene
        .validate(&["--resync-missing"], 0, &[])
        .says("(before)");
    assert_eq!(scene.reader().mailbox("INBOX").messages.len(), before);
    assert_eq!(scene.compared("compared_before")["deleted"], 1);
    assert_eq!(scene.compared("compared")["deleted"], 0);
    scene.validate(&["--resync-missing"], 0, &[]);
    assert_eq!(scene.compared("compared_before"), serde_json::Value::Null);
    assert_eq!(scene.reader().mailbox("INBOX").messages.len(), before);
}

#[test]
fn a_deleted_mailbox_comes_back_whole_without_the_journal_too() {
    for (with_journal, code, finding) in [
        (true, 0, "note deleted-on-target"),
        (false, 1, "error mailbox-missing"),
    ] {
        let scene = imported();
        if !with_journal {
            scene.forget();
        }
        scene.reader().delete("Work");
        scene.validate(&[], code, &[finding]);
        scene.validate(&["--resync-missing"], 0, &[]);
        assert_eq!(scene.reader().mailbox("Work").messages.len(), 2);
        assert_eq!(scene.reader().mailbox("INBOX").messages.len(), 5);
    }
}

#[test]
fn what_cannot_be_brought_back_is_still_missing() {
    let scene = imported();
    scene.reader().expunge("INBOX", &scene.uid_of("two"));
    let path = scene.archive.file("INBOX", 2, "eml");
    let mut bytes = fs::read(&path).expect("read");
    let end = bytes.len() - 4;
    bytes[end] ^= 1;
    fs::write(&path, bytes).expect("written");
    let output = scene.run(&["--resync-missing"]);
    output
        .code(1)
        .says("uid 2 is not imported: the archive is damaged here");
}

#[test]
fn that_most_of_an_account_was_deleted_is_no_note_and_can_be_undone() {
    let named = |name: &str, count: u32| -> Vec<Mail> {
        let numbers = 0..count;
        numbers
            .map(|number| Mail::simple(&format!("{name} {number}")))
            .collect()
    };
    let scene = imported_of(|archive| {
        archive.mailbox("INBOX", &named("mail", 20)).listed(
            "Trash",
            '/',
            &["\\Trash"],
            true,
            &named("rubbish", 20),
        )
    });
    // Who empties the trash, or clears up, means it.
    scene.reader().expunge("Trash", "1:*");
    scene.reader().expunge("INBOX", "1:15");
    scene.validate(&[], 0, &["note deleted-on-target"]);
    scene.reader().expunge("INBOX", "16:19");
    let codes = ["warning most-deleted", "note deleted-on-target"];
    scene
        .validate(&[], 1, &codes)
        .says("19 of 20 messages were deleted on the target");
    scene.validate(&["--resync-missing"], 0, &[]);
    assert_eq!(scene.reader().mailbox("INBOX").messages.len(), 20);
    // The same of mailboxes that are gone as a whole.
    scene.reader().delete("Trash");
    scene.validate(&[], 0, &["note deleted-on-target"]);
    scene.reader().expunge("INBOX", "1:*");
    scene.validate(&[], 1, &codes);
}

#[test]
fn a_copy_that_is_missing_comes_back_although_its_twin_is_there() {
    let twin = |text: &str| Mail::new("twin", format!("Subject: twin\r\n\r\n{text}\r\n"));
    let mails = [twin("one"), twin("one"), twin("two"), Mail::simple("else")];
    for with_journal in [true, false] {
        let scene = imported_of(|archive| archive.mailbox("INBOX", &mails));
        if !with_journal {
            scene.forget();
        }
        scene.reader().expunge("INBOX", "2:3");
        scene.validate(&["--resync-missing"], 0, &[]);
        assert_eq!(scene.reader().mailbox("INBOX").messages.len(), 4);
        scene.validate(&["--deep"], 0, &[]);
    }
}
