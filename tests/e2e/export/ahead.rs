//! What is sent ahead of its answers harms nobody, whatever a server does with it.

use super::{counts, program_for};
use crate::kit::mail::realistic;
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer, SentAhead};

/// Mailboxes with mail in each.
fn full() -> FakeOptions {
    let names = ["INBOX", "Drafts", "Empty", "Sent", "Work"];
    let mails = realistic(11, names.len() * 3);
    let mut options = FakeServer::options();
    for (name, mails) in names.iter().zip(mails.chunks(3)) {
        let mails = if *name == "Empty" { &[] } else { mails };
        options = options.mailbox(FakeMailbox::new(name).mails(mails));
    }
    options
}

fn all() -> Vec<(String, usize)> {
    [
        ("Drafts", 3),
        ("Empty", 0),
        ("INBOX", 3),
        ("Sent", 3),
        ("Work", 3),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .to_vec()
}

#[test]
fn a_server_that_mixes_up_what_is_sent_ahead_gets_one_command_at_a_time() {
    let server = full().sent_ahead(SentAhead::MixedUp).start();
    let program = program_for(&server);
    program.export(&[]).code(0).warns("one command at a time");
    assert_eq!(counts(&program), all());
    program.audit(&[]).code(0);
    program
        .run(["--mode", "test", "--imapsync", "never"])
        .code(0);
}

#[test]
fn stalwart_is_known_by_its_greeting_and_nothing_of_it_is_mixed_up() {
    let server = full()
        .greeting(b"* OK [CAPABILITY IMAP4rev2 IMAP4rev1] Stalwart IMAP4rev2 at your service.")
        .sent_ahead(SentAhead::MixedUp)
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(counts(&program), all());
    assert_eq!(server.connections(), 1, "{}", server.transcript());
}

#[test]
fn a_server_that_loses_what_is_sent_ahead_gets_one_command_at_a_time() {
    let server = full().sent_ahead(SentAhead::Lost).start();
    let program = program_for(&server);
    let output = program.export(&["--imap-timeout", "1"]);
    output.code(0).warns("one command at a time");
    assert_eq!(counts(&program), all());
}

#[test]
fn a_server_that_refuses_what_is_sent_ahead_gets_one_command_at_a_time() {
    for words in [
        "BAD Another command is in progress",
        "NO [LIMIT] Too many commands",
    ] {
        let server = full().sent_ahead(SentAhead::Refused(words)).start();
        let program = program_for(&server);
        program
            .run(["--mode", "test", "--imapsync", "never"])
            .code(0);
        program.export(&[]).code(0).warns("one command at a time");
        assert_eq!(counts(&program), all(), "{words}");
        program.run(["--mode", "audit"]).code(0);
    }
}

#[test]
fn a_server_that_hangs_up_on_what_is_sent_ahead_gets_one_command_at_a_time() {
    let server = full().sent_ahead(SentAhead::Fatal).start();
    let program = program_for(&server);
    program
        .run(["--mode", "test", "--imapsync", "never"])
        .code(0);
    program.export(&[]).code(0).warns("one command at a time");
    assert_eq!(counts(&program), all());
}

#[test]
fn nothing_is_meant_for_a_mailbox_that_does_not_open() {
    let mut options = full().hang_up_at_bads(3);
    for number in 0..12 {
        let name = format!("Shared {number}");
        options = options.mailbox(FakeMailbox::new(&name).mails(&realistic(12, 1)));
    }
    let server = options
        .on_command(|command| {
            let is_shared = command.name == "EXAMINE" && command.text().contains("Shared");
            is_shared.then(|| crate::kit::servers::fake::Reply::tagged("NO [NOPERM] not yours"))
        })
        .start();
    let program = program_for(&server);
    let output = program.export(&[]);
    output.code(1).says("INCOMPLETE").says("not yours");
    let counts = counts(&program);
    for mailbox in all() {
        assert!(counts.contains(&mailbox), "{mailbox:?} of {counts:?}");
    }
    assert!(server.connections() <= 3, "{}", server.transcript());
}
