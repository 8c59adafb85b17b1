//! Each difference provoked on the target, and nothing else reported.

use std::fs;

use super::{Scene, imported, mails};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::findings::{assert_codes, findings};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{IMPORT, Program};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

#[test]
fn a_target_that_has_it_all_is_proved_and_left_as_it_was() {
    let scene = imported();
    let before = scene.reader().mailboxes();
    let output = scene.validate(&[], 0, &[]);
    output
        .says("validate complete: 1 account")
        .says("Of 7 messages in the archive, 7 were found on the target")
        .hides(PASSWORD);
    crate::kit::run::reader::assert_unchanged(&before, &scene.reader().mailboxes());
    let compared = scene.compared("compared");
    assert_eq!(
        (&compared["archive"], &compared["matched"]),
        (&7.into(), &7.into())
    );
    // Without the journal it is the same.
    scene.forget();
    scene.validate(&[], 0, &[]);
}

type Change = (fn(&Scene), i32, &'static [&'static str]);

#[test]
fn every_difference_is_named() {
    let changes: [Change; 12] = [
        (
            |s| s.reader().expunge("INBOX", &s.uid_of("two")),
            0,
            &["note deleted-on-target"],
        ),
        (
            |s| {
                s.forget();
                s.reader().expunge("INBOX", &s.uid_of("two"));
            },
            1,
            &["error missing"],
        ),
        (
            // Another mailbox of the same name.
            |s| {
                s.reader().delete("Work");
                s.reader().create("Work");
            },
            1,
            &["error missing"],
        ),
        (
            |s| s.change_flags(2, "\\Flagged \\Answered"),
            0,
            &["note flags-lost"],
        ),
        (
            |s| drop(s.reader().append("INBOX", &[mails().remove(1)])),
            0,
            &["note doubled"],
        ),
        (
            |s| drop(s.reader().append("INBOX", &[Mail::simple("new mail")])),
            0,
            &["note extra"],
        ),
        (
            |s| {
                s.reader()
                    .store("INBOX", &s.uid_of("one"), "-FLAGS", "\\Seen");
            },
            1,
            &["warning flags-lost"],
        ),
        (
            |s| {
                s.reader()
                    .store("INBOX", &s.uid_of("two"), "+FLAGS", "\\Seen");
            },
            0,
            &["note flags-added"],
        ),
        (
            |s| {
                let moved = mails().remove(1).at(1_600_000_000);
                s.reader().expunge("INBOX", &s.uid_of("two"));
                s.reader().append("INBOX", &[moved]);
            },
            1,
            &["warning date-differs"],
        ),
        (
            |s| {
                s.forget();
                s.reader().delete("Work");
            },
            1,
            &["error mailbox-missing"],
        ),
        // As the import has it, by the journal.
        (
            |s| s.reader().delete("Work"),
            0,
            &["note deleted-on-target"],
        ),
        (
            |s| {
                s.reader().create("Elsewhere");
                s.reader().append("Elsewhere", &[Mail::simple("new mail")]);
            },
            0,
            &["note extra-mailbox"],
        ),
    ];
    for (change, code, expected) in changes {
        let scene = imported();
        change(&scene);
        scene.validate(&[], code, expected);
    }
}

#[test]
fn a_missing_message_is_named_by_mailbox_file_and_uid() {
    let scene = imported();
    scene.forget();
    scene.reader().expunge("INBOX", &scene.uid_of("three"));
    let output = scene.validate(&[], 1, &["error missing"]);
    let finding = &findings(&scene.program)[0];
    assert_eq!(finding["uid"], 3);
    assert_eq!(finding["mailbox"], "INBOX");
    assert_eq!(finding["file"], "anna@example.com/INBOX/u0000000003.eml");
    output.says("u0000000003.eml").says("NOT clean");
    let compared = scene.compared("compared");
    assert_eq!(compared["missing"], 1);
}

#[test]
fn what_a_target_that_was_rolled_back_lacks_was_not_deleted_by_a_user() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &mails())
        .complete();
    program.target_config(&server.endpoint(), &[(super::ANNA, PASSWORD)]);
    program.run(IMPORT).code(0);
    let validate = |code: i32, expected: &[&str]| {
        let fixed = ["--mode", "validate", "--no-connectivity-test", "-q"];
        let output = program.run(fixed.iter().chain(&["--report", "report.json"]));
        output.code(code);
        assert_codes(&program, expected);
    };
    let change = |change: fn(&mut FakeMailbox)| server.edit(|all| change(&mut all[0]));
    change(|inbox| drop(inbox.messages.remove(1)));
    validate(0, &["note deleted-on-target"]);
    // The newest came after the copy that was put back.
    change(|inbox| {
        inbox.messages.truncate(2);
        inbox.given = 3;
    });
    validate(1, &["error missing"]);
    // Others have come since, with the same UIDs.
    server.edit(|all| {
        let stranger = Mail::simple("a stranger");
        all[0].store("", stranger.internaldate(), stranger.bytes);
        all[0].given = 9;
    });
    validate(1, &["error missing", "note extra"]);
}

#[test]
fn twins_are_counted() {
    let dovecot = Dovecot::start(DovecotOptions::default());
    let program = Program::new();
    let twins = [
        Mail::simple("twin"),
        Mail::simple("twin"),
        Mail::simple("twin"),
    ];
    let archive = Handmade::new(&program).mailbox("INBOX", &twins).complete();
    program.target_config(&dovecot.imaps(), &[(super::ANNA, PASSWORD)]);
    program.run(IMPORT).code(0);
    let scene = Scene {
        dovecot,
        program,
        archive,
    };
    scene.validate(&[], 0, &[]);
    scene.reader().expunge("INBOX", "2");
    scene.validate(&[], 0, &["note deleted-on-target"]);
    assert_eq!(
        findings(&scene.program)[0]["uid"],
        2,
        "the journal knows which"
    );
    scene.forget();
    scene.validate(&[], 1, &["error missing"]);
    assert_eq!(findings(&scene.program).len(), 1);
}

#[test]
fn damage_in_the_archive_is_not_the_targets() {
    let scene = imported();
    fs::write(scene.archive.file("INBOX", 2, "json"), "{").expect("written");
    scene.validate(&[], 1, &["error damaged-archive", "note extra"]);
}

#[test]
fn wrong_input_ends_with_2_and_a_missing_account_with_1() {
    let scene = imported();
    scene.run(&["--sample", "10"]).code(2).warns("--deep");
    scene
        .run(&["--deep", "--sample", "0"])
        .code(2)
        .warns("--sample");
    scene
        .run(&["--output-dir", "x"])
        .code(2)
        .warns("--output-dir does not go with --mode validate");
    scene
        .run(&["--input-dir", "nowhere"])
        .code(2)
        .warns("there is no archive at nowhere");
    fs::rename(&scene.archive.dir, scene.program.path("away")).expect("moved");
    scene
        .run(&[])
        .code(1)
        .says("the archive has no account anna@example.com");
}
