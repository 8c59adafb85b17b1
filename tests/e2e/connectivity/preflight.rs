//! With an archive in hand, the test says what the target will not take.

use serde_json::{Value, json};

use super::{ANNA, report, test};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::tempdir::names;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, storage_quota};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::{Endpoint, run::reader::Reader};

/// An archive of three mailboxes and a config for the target.
fn program(target: &Endpoint) -> (Program, Handmade) {
    let program = Program::new();
    let mut large = Mail::simple("large").flagged("\\Seen $Label");
    large.bytes.extend(vec![b'x'; 60_000]);
    large.bytes.extend(b"\r\n");
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &[Mail::simple("one"), large])
        .mailbox("Work", &["two", "three"].map(Mail::simple))
        .mailbox("A.B", &[Mail::simple("four")])
        .complete();
    program.target_config(target, &[(ANNA, PASSWORD)]);
    (program, archive)
}

fn preflight(program: &Program) -> (Output, Value) {
    let arguments = [
        "--config",
        "import.pass.config.json",
        "--input-dir",
        "exported",
    ];
    let before = names(&program.path("exported").join(ANNA));
    let output = test(program, &arguments);
    // Looking leaves no trace.
    assert_eq!(names(&program.path("exported").join(ANNA)), before);
    let account = report(program)["accounts"][0].clone();
    (output, account)
}

#[test]
fn a_target_that_takes_all_gives_no_warning() {
    let dovecot = Dovecot::simple();
    let (program, archive) = program(&dovecot.imaps());
    let (output, account) = preflight(&program);
    output.code(0).says("To be imported:");
    let found = &account["preflight"];
    assert_eq!(found["messages"], 5, "{account:#}");
    assert_eq!(found["new_mailboxes"], 2);
    assert_eq!(found["keywords"], true);
    let files = [
        ("INBOX", 1),
        ("INBOX", 2),
        ("Work", 1),
        ("Work", 2),
        ("A.B", 1),
    ];
    let sizes = files.map(|(mailbox, uid)| {
        let file = archive.file(mailbox, uid, "eml");
        std::fs::metadata(file).expect("a message").len()
    });
    assert_eq!(found["bytes"], sizes.iter().sum::<u64>());
    assert_eq!(found["largest"], sizes[1]);
    assert_eq!(account["warnings"], json!([]));
    // The target is as it was.
    let there = Reader::new(&dovecot.imaps(), ANNA, PASSWORD).mailboxes();
    assert_eq!(there.len(), 1);
}

#[test]
fn a_quota_that_is_too_small_is_told() {
    let dovecot = Dovecot::start(DovecotOptions {
        extra_config: storage_quota("20K"),
        ..DovecotOptions::default()
    });
    let (program, _archive) = program(&dovecot.imaps());
    let (output, account) = preflight(&program);
    output
        .code(0)
        .says("the account's quota has 20.00 KiB left");
    assert_eq!(account["preflight"]["quota_free"], 20 * 1024);
}

#[test]
fn a_message_over_the_append_limit_and_missing_keywords_are_told() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 APPENDLIMIT=50000")
        .mailbox(FakeMailbox::new("INBOX").permanent_flags("\\Seen \\Flagged"))
        .start();
    let (program, _archive) = program(&server.endpoint());
    let (output, account) = preflight(&program);
    output
        .code(0)
        .says("the target takes up to 48.83 KiB (APPENDLIMIT)")
        .says("keeps no keywords");
    assert_eq!(account["preflight"]["append_limit"], 50_000);
    assert_eq!(account["preflight"]["keywords"], false);
    assert_eq!(server.commands_named("APPEND"), [""; 0]);
    assert_eq!(server.commands_named("CREATE"), [""; 0]);
}

#[test]
fn names_that_the_target_cannot_have_are_told() {
    let dovecot = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        ..DovecotOptions::default()
    });
    let (program, _archive) = program(&dovecot.imaps());
    let (output, account) = preflight(&program);
    output
        .code(0)
        .says("mailbox A.B will be called")
        .says("folder_map");
    assert_eq!(account["preflight"]["renamed"], 1);
}

#[test]
fn a_damaged_archive_is_told_and_hides_nothing_else() {
    let dovecot = Dovecot::simple();
    let (program, archive) = program(&dovecot.imaps());
    std::fs::write(archive.dir.join("export-state.json"), "{").expect("damage");
    let (output, account) = preflight(&program);
    output.says("cannot be compared with the target");
    assert_eq!(account["tested"]["failed_step"], Value::Null);
}
