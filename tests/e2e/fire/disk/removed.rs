//! Directories that somebody removes in the middle of a run.

use std::fs;
use std::process::Command;

use super::super::ANNA;
use super::{aim, assert_told, empty, meddler, remove};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{IMPORT, Program};

#[test]
fn directories_that_are_removed_under_an_export_are_told_and_come_back() {
    // Commands in their order: EXAMINE INBOX, its messages, EXAMINE Sent, its messages, LOGOUT.
    for (dir, name, at) in [
        ("exported", "EXAMINE", 1),
        ("exported", "UID FETCH", 2),
        ("exported", "LOGOUT", 1),
        ("exported/anna@example.com", "UID FETCH", 1),
        ("exported/anna@example.com", "LOGOUT", 1),
        ("exported/anna@example.com/INBOX", "UID FETCH", 1),
        ("exported/anna@example.com/INBOX", "LOGOUT", 1),
        ("exported/anna@example.com/Sent", "LOGOUT", 1),
    ] {
        let program = Program::new();
        let server = meddler(name, at, remove(program.path(dir))).start();
        program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
        let output = program.export(&[]);
        let place = format!("{dir} at {name} {at}");
        // What is removed before anything is in it may be made again by the same run.
        if !output.status.success() {
            assert_told(&output, &[ANNA, "exported"]);
        }
        let complete = output.stdout.contains("export complete");
        assert_eq!(complete, output.status.success(), "{place}");
        if complete {
            program.audit(&[]).code(0);
        }
        program.export(&[]).code(0);
        program.audit(&[]).code(0);
        assert_eq!(
            program.archive(ANNA).mailbox("INBOX").messages.len(),
            30,
            "{place}"
        );
        assert_eq!(
            program.archive(ANNA).mailbox("Sent").messages.len(),
            30,
            "{place}"
        );
    }
}

#[test]
fn a_log_directory_that_is_removed_under_a_run_is_told() {
    let program = Program::new();
    let server = meddler("UID FETCH", 1, remove(program.path("logs"))).start();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    let output = program.export(&[]);
    output.code(0).says("was removed while the run was at work");
}

#[test]
fn directories_that_are_removed_under_an_import_are_told_and_nothing_is_doubled() {
    for (dir, name, at) in [
        ("exported", "LIST", 1),
        ("exported", "APPEND", 7),
        ("exported/anna@example.com", "APPEND", 1),
        ("exported/anna@example.com", "APPEND", 60),
        ("exported/anna@example.com/Sent", "APPEND", 3),
    ] {
        let program = Program::new();
        Handmade::new(&program)
            .mailbox("INBOX", &realistic(41, 30))
            .mailbox("Sent", &realistic(42, 30))
            .complete();
        let copied = Command::new("cp")
            .args(["-a", "exported", "kept"])
            .current_dir(program.dir())
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let server = meddler(name, at, remove(program.path(dir))).start();
        empty(&server);
        aim(&program, &server);
        let output = program.run(IMPORT);
        let place = format!("{dir} at {name} {at}");
        // Messages that were in memory by then arrive all the same, and where a journal says so, that is the end of it.
        if output.status.success() {
            assert!(
                program
                    .archive(ANNA)
                    .dir
                    .join("import.journal.jsonl")
                    .exists(),
                "{place}"
            );
            assert_eq!(server.mailbox("Sent").messages.len(), 30, "{place}");
        } else {
            assert_told(&output, &[ANNA]);
            assert!(!output.stdout.contains("import complete"), "{place}");
        }
        // A backup of the archive comes back, without a journal.
        let _ = fs::remove_dir_all(program.path("exported"));
        fs::rename(program.path("kept"), program.path("exported")).expect("restore");
        program.run(IMPORT).code(0);
        for mailbox in ["INBOX", "Sent"] {
            assert_eq!(
                server.mailbox(mailbox).messages.len(),
                30,
                "{place}: {mailbox}"
            );
        }
    }
}

#[test]
fn directories_that_are_removed_under_audit_and_validate_are_told() {
    for (mode, dir, name, at) in [
        ("audit", "exported", "LOGIN", 1),
        ("audit", "exported/anna@example.com/INBOX", "LOGIN", 1),
        ("validate", "exported", "LOGIN", 1),
        ("validate", "exported/anna@example.com/INBOX", "LOGIN", 1),
    ] {
        let program = Program::new();
        let server = meddler(name, at, remove(program.path(dir))).start();
        program.config(
            &server.endpoint(),
            &[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)],
        );
        let config = fs::read_to_string(program.path("export.pass.config.json")).expect("read");
        program.file("import.pass.config.json", &config);
        // The server is quiet while the archive is made.
        let twin = meddler("NONE", 1, || {}).start();
        let maker = Program::new();
        maker.config(
            &twin.endpoint(),
            &[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)],
        );
        maker.export(&[]).code(0);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(maker.path("exported"))
            .arg(program.dir())
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let fixed = ["--mode", mode, "--max-workers", "1", "--ignore-errors"];
        let more: &[&str] = if mode == "validate" {
            &["--no-connectivity-test", "--deep"]
        } else {
            &[]
        };
        let output = program.run(fixed.iter().chain(more));
        // The audit has read the first account's files before it asks the server; the second one's are gone.
        if dir == "exported" || mode == "validate" {
            assert_told(&output, &["example.com"]);
        }
        assert!(!output.stderr.contains("panicked"), "{}", output.describe());
    }
}
