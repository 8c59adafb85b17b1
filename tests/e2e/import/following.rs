//! Flags that changed in the archive since the import, and how they get to the target.

use std::time::Duration;

use super::{MODERN, aim, flag_words, import, totals};
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

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
