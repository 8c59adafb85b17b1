//! The same test before an export, an import and a validation.

use std::process::Command;
use std::sync::{Arc, Mutex};

use super::{ANNA, report};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::{PASSWORD, wait_until};

const BEN: &str = "ben@example.com";

fn run(program: &Program, mode: &str, arguments: &[&str]) -> Output {
    let fixed = [
        "--mode",
        mode,
        "--imapsync",
        "never",
        "--report",
        "report.json",
    ];
    let output = program.run(fixed.iter().chain(arguments));
    output.hides(PASSWORD);
    output
}

/// Anna can log in, ben cannot.
fn dovecot() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions::of(&[(ANNA, PASSWORD), (BEN, "another")]));
    dovecot.seed(ANNA, "INBOX", &realistic(300, 4));
    dovecot
}

fn accounts(program: &Program) -> Vec<(String, String)> {
    let report = report(program);
    let accounts = report["accounts"].as_array().expect("accounts").iter();
    accounts
        .map(|account| {
            let text = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
            (text("account"), text("status"))
        })
        .collect()
}

#[test]
fn an_account_that_fails_the_test_keeps_an_export_from_beginning() {
    let dovecot = dovecot();
    let program = Program::new();
    program.config(&dovecot.imaps(), &[(ANNA, PASSWORD), (BEN, PASSWORD)]);
    let output = run(&program, "export", &[]);
    output
        .code(3)
        .says(BEN)
        .says("AUTHENTICATIONFAILED")
        .says("likely cause");
    assert!(!program.path("exported").exists());
    assert!(!program.path("import.pass.config.json").exists());
    assert_eq!(report(&program)["exit_code"], 3);
    let status = |account: &str, status: &str| (account.to_owned(), status.to_owned());
    let expected = [status(ANNA, "not_started"), status(BEN, "failed")];
    assert_eq!(accounts(&program), expected);

    // The others go on where this is wanted.
    run(&program, "export", &["--ignore-errors"])
        .code(1)
        .says("left out, as the connectivity test failed");
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 4);
    assert!(!program.path("exported").join(BEN).exists());
    let expected = [status(ANNA, "complete"), status(BEN, "failed")];
    assert_eq!(accounts(&program), expected);

    // And the test can be left out: ben fails when it is his turn.
    run(
        &program,
        "export",
        &["--no-connectivity-test", "--ignore-errors"],
    )
    .code(1)
    .says("AUTHENTICATIONFAILED");
}

#[test]
fn import_and_validate_are_kept_from_beginning_too() {
    let dovecot = dovecot();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &["one", "two"].map(Mail::simple))
        .complete();
    std::fs::create_dir(program.path("exported").join(BEN)).expect("create");
    program.target_config(&dovecot.imaps(), &[(ANNA, PASSWORD), (BEN, PASSWORD)]);
    let reader = Reader::new(&dovecot.imaps(), ANNA, PASSWORD);
    for mode in ["import", "validate"] {
        run(&program, mode, &[])
            .code(3)
            .says(BEN)
            .says("likely cause");
        assert_eq!(reader.mailbox("INBOX").messages.len(), 4);
    }
    run(&program, "import", &["--ignore-errors"]).code(1);
    assert_eq!(reader.mailbox("INBOX").messages.len(), 6);
    let output = run(&program, "validate", &["--ignore-errors"]);
    output
        .code(1)
        .says("left out, as the connectivity test failed");
    let validated = &report(&program)["accounts"][0];
    assert_eq!(validated["compared"]["missing"], 0, "{validated:#}");
    assert_eq!(validated["compared"]["matched"], 2);
}

#[test]
fn all_accounts_are_tested_before_the_first_one_is_begun() {
    let server = FakeServer::options()
        .accounts(&[(ANNA, PASSWORD), (BEN, PASSWORD)])
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(301, 2)))
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD), (BEN, PASSWORD)]);
    run(
        &program,
        "export",
        &["--max-workers", "1", "--no-audit-after-export"],
    )
    .code(0);
    let order: Vec<usize> = ["LOGIN", "UID FETCH"]
        .map(|name| {
            let commands = server.commands();
            let found = commands.iter().enumerate().filter(|(_, c)| c.name == name);
            let places: Vec<usize> = found.map(|(place, _)| place).collect();
            // Two accounts: the second test's login, the first fetch.
            if name == "LOGIN" {
                places[1]
            } else {
                places[0]
            }
        })
        .into();
    assert!(order[0] < order[1], "{}", server.transcript());
    assert_eq!(server.commands_named("LOGIN").len(), 4);
}

#[test]
fn a_missing_archive_is_told_before_any_connection() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    program.target_config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    for mode in ["import", "validate"] {
        run(&program, mode, &[])
            .code(2)
            .warns("there is no archive at");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn too_little_space_is_told_before_any_connection() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = super::program_for(&server);
    for mode in ["test", "export"] {
        run(&program, mode, &["--min-free-gb", "100000000"])
            .code(2)
            .warns("--min-free-gb");
    }
    assert_eq!(server.connections(), 0);
}

/// As reports say it.
fn now() -> String {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
        .output();
    let text = String::from_utf8(output.expect("the date").stdout).expect("ASCII");
    text.trim().to_owned()
}

#[test]
fn a_run_begins_with_its_test() {
    let seen = Arc::new(Mutex::new(String::new()));
    let first = Arc::clone(&seen);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(move |command| {
            let mut seen = first.lock().expect("no panic inside");
            if command.name == "LOGIN" && seen.is_empty() {
                *seen = now();
                // The export itself begins in another second.
                wait_until("the next second", || now() != *seen);
            }
            None
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    run(&program, "export", &[]).code(0);
    let report = report(&program);
    let started = report["started"].as_str().expect("a time");
    let seen = seen.lock().expect("no panic inside");
    assert!(
        started <= seen.as_str(),
        "{started}, but the test was at work at {seen}"
    );
}
