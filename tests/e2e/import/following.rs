//! Flags that changed in the archive since the import, and how they get to the target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{MODERN, aim, entry, flag_words, import, reader, totals};
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply, TooMany};

/// What users do to a message of the archive.
fn change(archive: &Handmade, mailbox: &str, uid: u32, flags: &str) {
    Handmade::edit(&archive.file(mailbox, uid, "json"), |sidecar| {
        sidecar["flags"] = flags.into();
    });
}

#[test]
fn flags_of_many_mailboxes_follow_in_two_flights() {
    let names: Vec<String> = (0..8).map(|number| format!("Folder {number}")).collect();
    let mails: Vec<Mail> = (0..3)
        .map(|number| Mail::simple(&format!("mail {number}")).flagged("\\Flagged"))
        .collect();
    let server = FakeServer::options()
        .capabilities(MODERN)
        .counting_round_trips(Duration::from_millis(30))
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    for name in &names {
        archive = archive.mailbox(name, &mails);
    }
    let archive = archive.complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    server.forget();
    import(&program, &[]).code(0);
    let before = server.round_trips();
    let changes = [(1, "\\Flagged \\Seen"), (2, "$done \\Answered"), (3, "")];
    for (uid, flags) in changes {
        for name in &names {
            change(&archive, name, uid, flags);
        }
    }
    server.forget();
    import(&program, &[]).code(0);
    let more = server.round_trips() - before;
    assert!(more <= 2, "{more} round trips\n{}", server.transcript());
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 24]);
    for name in &names {
        for (message, (_, flags)) in server.mailbox(name).messages.iter().zip(changes) {
            assert_eq!(flag_words(&message.flags), flag_words(flags));
        }
    }
}

#[test]
fn flags_that_are_there_already_are_on_record_from_then_on() {
    let mails = [Mail::simple("one"), Mail::simple("two")];
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    // As if a connection had been lost after the STORE: the target has done it, and nobody heard.
    change(&archive, "INBOX", 1, "\\Seen");
    reader(&server).store("INBOX", "1", "+FLAGS", "\\Seen");
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [1]);
    assert_eq!(
        entry(&program, "INBOX")["note"]
            .to_string()
            .matches("stay")
            .count(),
        0
    );
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [0]);
    assert_eq!(server.commands_named("UID STORE").len(), 0);
}

#[test]
fn flags_follow_to_a_server_that_takes_few_messages_in_one_command() {
    let mails: Vec<Mail> = (0..9)
        .map(|number| Mail::simple(&format!("mail {number}")))
        .collect();
    for way in [TooMany::FromAbove, TooMany::Refused("NO")] {
        let server = FakeServer::options()
            .capabilities(&format!("{MODERN} MESSAGELIMIT=4"))
            .message_limit(4, way)
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = Program::new();
        let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
        aim(&program, &server.endpoint());
        import(&program, &[]).code(0);
        for uid in 1..=9 {
            change(&archive, "INBOX", uid, "\\Seen");
        }
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["flags_changed"]), [9], "{way:?}");
        for message in server.mailbox("INBOX").messages {
            assert_eq!(message.flags, "\\Seen", "{way:?}");
        }
    }
}

#[test]
fn that_a_mailbox_does_not_open_for_flags_is_told() {
    let mails = [Mail::simple("one")];
    let is_shut = Arc::new(AtomicBool::new(false));
    let shut = Arc::clone(&is_shut);
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(move |command| {
            let refused = command.name == "SELECT" && shut.load(Ordering::SeqCst);
            refused.then(|| Reply::tagged("NO [NOPERM] not for you"))
        })
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    change(&archive, "INBOX", 1, "\\Seen");
    is_shut.store(true, Ordering::SeqCst);
    import(&program, &[]).code(0);
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("flags of 1 message cannot be changed: NO [NOPERM] not for you"),
        "{note}"
    );
}
