//! What does not fit on the disk is told before its first byte is fetched.

use std::fs;

use super::{ANNA, program_for};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::disk::SmallDisk;
use crate::kit::run::program::Program;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

/// A mailbox with so many messages, the first of which is said to have 900 TB.
fn huge(name: &str, count: usize) -> FakeMailbox {
    let mails: Vec<Mail> = (0..count)
        .map(|number| Mail::simple(&format!("number {number}")))
        .collect();
    let mut mailbox = FakeMailbox::new(name).mails(&mails);
    mailbox.messages[0].size = Some("900000000000000".to_owned());
    mailbox
}

/// FETCH commands that asked for bodies.
fn bodies_asked(server: &FakeServer) -> usize {
    let fetches = server.commands_named("UID FETCH");
    let bodies = fetches.iter().filter(|command| command.contains("BODY"));
    bodies.count()
}

#[test]
fn an_account_whose_status_says_more_than_fits_ends_before_its_first_byte() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 STATUS=SIZE")
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(7, 3)))
        .mailbox(huge("Sent", 2))
        .start();
    let program = program_for(&server);
    let output = program.export(&[]);
    output
        .code(1)
        .says("900000.00 GB are to be fetched, which do not fit")
        .says(ANNA)
        .says("--output-dir");
    assert_eq!(bodies_asked(&server), 0);
    assert_eq!(server.connections(), 1);
    // Who says so gets what goes in.
    program.export(&["--min-free-gb", "0", "--ignore-errors"]);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 3);
}

const BEN: &str = "ben@example.com";

#[test]
fn accounts_that_do_not_fit_together_are_not_begun() {
    let users = [(ANNA, PASSWORD), (BEN, PASSWORD)];
    let dovecot = Dovecot::start(DovecotOptions::of(&users));
    let mails: Vec<Mail> = (0..12)
        .map(|number| {
            let lines = "0123456789\r\n".repeat(80_000);
            Mail::new("large", format!("Subject: number {number}\r\n\r\n{lines}"))
        })
        .collect();
    for (user, _) in users {
        dovecot.seed(user, "INBOX", &mails);
    }
    let program = Program::new();
    program.config(&dovecot.plain(), &users);
    let disk = SmallDisk::new(&program.path("exported"), 20);
    let words = [
        "--mode",
        "export",
        "--imapsync",
        "never",
        "--min-free-gb",
        "0.001",
    ];
    program
        .run(words)
        .code(2)
        .warns(
            "the accounts that are new to the archive: 0.02 GB are to be fetched, which do not fit",
        )
        .warns("nothing was begun");
    assert!(!program.path("exported").join(ANNA).exists());
    // Nobody lists them before: it is told, and whoever comes second is not begun.
    let without = [
        "--no-connectivity-test",
        "--ignore-errors",
        "--max-workers",
        "2",
    ];
    program
        .run(words.iter().chain(&without))
        .code(1)
        .warns("not known without the connectivity test: whether the accounts that are new to the archive (2) fit")
        .says("0.01 GB are to be fetched, which do not fit");
    let fetched = |user: &str| {
        let files = fs::read_dir(program.path("exported").join(user).join("INBOX"));
        let files = files.into_iter().flatten().flatten();
        let bodies = files.filter(|file| file.path().extension().is_some_and(|end| end == "eml"));
        bodies.count()
    };
    let mut fetched = [fetched(ANNA), fetched(BEN)];
    fetched.sort_unstable();
    assert_eq!(fetched, [0, 12], "the second before its first byte");
    fs::remove_dir_all(program.path("exported").join(ANNA)).expect("removed");
    fs::remove_dir_all(program.path("exported").join(BEN)).expect("removed");
    // Each alone fits.
    program
        .run(words.iter().chain(&["--account", ANNA]))
        .code(0);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 12);
    drop(disk);
}

#[test]
fn messages_whose_sizes_nobody_says_are_guessed_and_warned_of() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(9, 300)))
        .start();
    let program = program_for(&server);
    let disk = SmallDisk::new(&program.path("exported"), 20);
    let words = ["--mode", "export", "--imapsync", "never"];
    let words = words.iter().chain(&["--min-free-gb", "0.001"]);
    let told = "the server does not say how large 300 messages are";
    program.run(words.clone()).code(0).says(told).warns(told);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 300);
    // They are in the archive now, with their sizes.
    assert!(!program.run(words).code(0).stdout.contains(told));
    drop(disk);
}

#[test]
fn a_mailbox_whose_inventory_names_more_than_fits_is_not_begun() {
    let server = FakeServer::options().mailbox(huge("INBOX", 1001)).start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("do not fit");
    assert_eq!(bodies_asked(&server), 0);
}

#[test]
fn a_dry_run_says_whether_it_fits() {
    let server = FakeServer::options().mailbox(huge("INBOX", 2)).start();
    let program = program_for(&server);
    let output = program.export(&["--dry-run"]);
    output.says("all accounts together: 900000.00 GB are to be fetched, which do not fit");
    server.edit(|mailboxes| mailboxes[0].messages[0].size = None);
    let output = program.export(&["--dry-run", "-v"]);
    output
        .code(0)
        .warns("all accounts together: 0.00 GB are to be fetched, which fit");
}

#[test]
fn what_fits_beside_what_is_to_stay_free_comes() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 STATUS=SIZE")
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(8, 20)))
        .start();
    let program = program_for(&server);
    let disk = SmallDisk::new(&program.path("exported"), 20);
    program.export(&["--min-free-gb", "0.01"]).code(0);
    // All of it is there: nothing is to be fetched, so that nothing has to fit.
    program.export(&["--min-free-gb", "0.01"]).code(0);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 20);
    drop(disk);
}
