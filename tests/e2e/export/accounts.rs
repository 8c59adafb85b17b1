//! Many accounts: workers, filters, stopping at the first failure or going on, two runs at once.

use std::fs;

use super::{ANNA, report, total};
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer, Reply};
use crate::kit::wait_until;

const MANY: [(&str, &str); 8] = [
    ("a1@example.com", "pw1"),
    ("a2@example.com", "pw2"),
    ("a3@example.com", "pw3"),
    ("b1@example.org", "pw4"),
    ("b2@example.org", "pw5"),
    ("b3@example.org", "pw6"),
    ("c1@example.net", "pw7"),
    ("c2@example.net", "pw8"),
];

#[test]
fn many_accounts_are_copied_side_by_side() {
    let dovecot = Dovecot::start(DovecotOptions::of(&MANY));
    for (number, (user, _)) in (0..).zip(MANY) {
        dovecot.seed(user, "INBOX", &realistic(90 + number, 30));
        dovecot.seed(user, "Sent", &realistic(190 + number, 10));
    }
    let program = Program::new();
    program.config(&dovecot.imaps(), &MANY);
    let output = program.export(&["--max-workers", "3", "--report", "report.json"]);
    output.code(0);
    assert_eq!(total(&program, "new"), 320);
    for (user, password) in MANY {
        output.says(user);
        let reader = Reader::new(&dovecot.plain(), user, password);
        assert_archive_equals_server(&program.archive(user), &reader.mailboxes());
    }
    let accounts = &report(&program)["accounts"];
    let order: Vec<&str> = accounts
        .as_array()
        .expect("accounts")
        .iter()
        .filter_map(|account| account["account"].as_str())
        .collect();
    assert_eq!(
        order,
        MANY.map(|(user, _)| user),
        "in the order of the config"
    );
}

#[test]
fn the_first_failure_stops_the_run_unless_errors_are_ignored() {
    let dovecot = Dovecot::start(DovecotOptions::of(&MANY));
    for (number, (user, _)) in (0..).zip(MANY) {
        dovecot.seed(user, "INBOX", &realistic(90 + number, 5));
    }
    let mut accounts = MANY;
    accounts[1].1 = "wrong";
    let program = Program::new();
    program.config(&dovecot.imaps(), &accounts);
    program
        .export(&["--max-workers", "1", "--report", "report.json"])
        .code(1)
        .says("a2@example.com")
        .says("AUTHENTICATIONFAILED");
    let statuses = |program: &Program| -> Vec<String> {
        let report = report(program);
        let accounts = report["accounts"].as_array().expect("accounts").iter();
        accounts
            .map(|account| account["status"].as_str().expect("a status").to_owned())
            .collect()
    };
    let mut expected = vec!["complete", "failed"];
    expected.extend(["not_started"; 6]);
    assert_eq!(statuses(&program), expected);

    program
        .export(&[
            "--max-workers",
            "2",
            "--ignore-errors",
            "--report",
            "report.json",
        ])
        .code(1);
    let mut expected = vec!["complete"; 8];
    expected[1] = "failed";
    assert_eq!(statuses(&program), expected);
}

#[test]
fn filters_choose_accounts_and_mailboxes() {
    let dovecot = Dovecot::start(DovecotOptions::of(&MANY));
    for (user, _) in MANY {
        for name in ["INBOX", "Work/2024", "Work/2025", "Trash"] {
            dovecot.seed(user, name, &realistic(7, 2));
        }
    }
    let program = Program::new();
    program.config(&dovecot.imaps(), &MANY);
    program
        .export(&[
            "--account",
            "a*@example.com",
            "--account",
            "c1@*",
            "--exclude-account",
            "a2@*",
            "--folder",
            "INBOX",
            "--folder",
            "Work*",
            "--exclude-folder",
            "*2025",
        ])
        .code(0);
    let mut there: Vec<String> = fs::read_dir(program.path("exported"))
        .expect("an archive")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    there.sort();
    assert_eq!(
        there,
        ["a1@example.com", "a3@example.com", "c1@example.net"]
    );
    let mailboxes = program.archive("a1@example.com").mailboxes();
    let names: Vec<&str> = mailboxes.keys().map(String::as_str).collect();
    assert_eq!(names, ["INBOX", "Work/2024"]);

    // A run with other filters moves nothing aside that it was not asked about.
    program
        .export(&["--account", "a1@*", "--folder", "Trash"])
        .code(0);
    let mailboxes = program.archive("a1@example.com").mailboxes();
    let names: Vec<&str> = mailboxes.keys().map(String::as_str).collect();
    assert_eq!(names, ["INBOX", "Trash", "Work/2024"]);
    assert!(
        !program
            .archive("a1@example.com")
            .dir
            .join(".vanished-mailboxes")
            .exists()
    );

    program
        .export(&["--account", "nobody@*"])
        .code(2)
        .warns("nobody@*");
    program.export(&["--folder", "["]).code(2).warns("--folder");
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(95, 12));
    dovecot.seed(ANNA, "Sent", &realistic(96, 3));
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program
        .export(&["--dry-run", "-v"])
        .code(0)
        .says("INBOX")
        .says("12")
        .says("Sent");
    let left: Vec<_> = fs::read_dir(program.dir())
        .expect("list")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    program.export(&[]).code(0);
    program
        .export(&["--dry-run", "--report", "report.json"])
        .code(0);
    assert_eq!(total(&program, "new"), 0);
}

#[test]
fn a_second_run_on_the_same_archive_says_who_holds_it() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(97, 3)))
        .on_fetch_times(2, 1, Behaviour::StallAt(5))
        .start();
    let program = super::program_for(&server);
    let running = program.spawn_export(&[]);
    wait_until("the first run is at work", || {
        server.commands_named("UID FETCH").len() == 1
    });
    program
        .export(&[])
        .code(1)
        .says(ANNA)
        .says(&running.id().to_string());
    running.signal("TERM");
    running.wait().code(130);
    program.export(&[]).code(0);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 3);
}

#[test]
fn an_account_that_fails_late_keeps_what_came_and_stops_the_others_in_good_order() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(98, 20)))
        .on_command(|command| {
            let sad = command.name == "LOGIN" && command.text().contains("sad");
            sad.then(|| Reply::tagged("NO [CONTACTADMIN] account is suspended"))
        })
        .start();
    let program = Program::new();
    program.config(
        &server.endpoint(),
        &[("glad@x", "pw"), ("sad@x", "pw"), ("late@x", "pw")],
    );
    let output = program.export(&["--max-workers", "1", "--report", "report.json"]);
    output.code(1).says("account is suspended");
    assert_eq!(program.archive("glad@x").state()["complete"], true);
    assert_eq!(report(&program)["accounts"][2]["status"], "not_started");
}
