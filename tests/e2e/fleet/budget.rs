//! What an account may take of its server in a day: kept to across runs, counted anew at midnight.

use std::fs;

use serde_json::{Value, json};

use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{EXPORT, IMPORT, Output, Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::run::report::report;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::servers::proxy::{Proxy, Way};
use crate::kit::{Endpoint, wait_until};

const ANNA: &str = "anna@example.com";
const BERT: &str = "bert@example.com";

/// Noon on 1 March 2026.
const NOON: u64 = 1_772_366_400;
const DAY: u64 = 86_400;

const MEGABYTE: usize = 1_000_000;

/// A program whose clock the test sets.
fn program() -> Program {
    let program = Program::new();
    let clock = program.path("clock").display().to_string();
    let program = program.env("IMAPSYNC_BULK_MIGRATOR_TEST_CLOCK", &clock);
    set_clock(&program, NOON);
    program
}

fn set_clock(program: &Program, seconds: u64) {
    // As a whole: the program may be reading it.
    program.file("clock.new", &seconds.to_string());
    fs::rename(program.path("clock.new"), program.path("clock")).expect("set the clock");
}

fn configure(program: &Program, file: &str, server: &Endpoint, users: &[&str], limits: &Value) {
    let mut server = server_json(server);
    server["limits"] = limits.clone();
    let accounts: Vec<Value> = users
        .iter()
        .map(|user| json!({"email": user, "password": PASSWORD}))
        .collect();
    let config = json!({"server": server, "accounts": accounts});
    program.file(file, &config.to_string());
}

/// So many messages of so many bytes, all different.
fn large(count: usize, bytes: usize) -> Vec<Mail> {
    (0..count)
        .map(|number| {
            let subject = format!("large {number} of {bytes}");
            let mut mail = Mail::simple(&subject);
            let line = format!("{number:076}\r\n");
            while mail.bytes.len() < bytes {
                mail.bytes.extend_from_slice(line.as_bytes());
            }
            mail
        })
        .collect()
}

fn run(program: &Program, arguments: &[&str], more: &[&str]) -> Output {
    program.run(arguments.iter().chain(more))
}

#[test]
fn an_export_takes_no_more_of_a_day_than_it_may_and_goes_on_day_by_day() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &large(12, 150_000));
    dovecot.seed(ANNA, "Archive", &large(8, 90_000));
    let proxy = Proxy::start(&dovecot.plain(), None);
    let program = program();
    let limits = json!({"bytes_down_per_day": MEGABYTE});
    configure(
        &program,
        "export.pass.config.json",
        &proxy.endpoint(),
        &[ANNA],
        &limits,
    );
    let more = ["--report", "report.json"];
    let (mut before, mut began) = (0, 0);
    let mut days = 0;
    loop {
        let output = run(&program, &EXPORT, &more);
        let passed = proxy.passed(Way::ToClient).len();
        assert!(
            passed - before <= MEGABYTE,
            "{} on day {days}",
            passed - before
        );
        if days < 2 {
            assert!(
                passed - before > MEGABYTE * 3 / 4,
                "{} is little",
                passed - before
            );
        }
        before = passed;
        if output.status.code() == Some(0) {
            break;
        }
        let until = format!("2026-03-0{}T00:00:00Z", days + 2);
        output
            .code(75)
            .says(&format!("run it again after {until} to go on"))
            .warns("too little is left today (UTC)");
        assert_eq!(report(&program)["accounts"][0]["parked_until"], *until);
        // On the same day another run takes no more than a look, and not over what is left.
        run(&program, &EXPORT, &more).code(75);
        let again = proxy.passed(Way::ToClient).len();
        assert!(again - before < MEGABYTE / 50, "{} more", again - before);
        assert!(again - began <= MEGABYTE, "{} on day {days}", again - began);
        (before, began) = (again, again);
        days += 1;
        assert!(days < 7, "no end");
        set_clock(&program, NOON + days * DAY);
    }
    assert!(days > 1, "all of it on one day");
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());
    program.audit(&[]).code(0);
}

#[test]
fn an_import_sends_no_more_of_a_day_than_it_may_and_each_message_once() {
    let source = Dovecot::simple();
    source.seed(ANNA, "INBOX", &large(12, 150_000));
    source.seed(ANNA, "Archive", &large(8, 90_000));
    let target = Dovecot::simple();
    let proxy = Proxy::start(&target.plain(), None);
    let program = program();
    configure(
        &program,
        "export.pass.config.json",
        &source.plain(),
        &[ANNA],
        &json!({}),
    );
    run(&program, &EXPORT, &[]).code(0);
    let limits = json!({"bytes_up_per_day": MEGABYTE});
    configure(
        &program,
        "import.pass.config.json",
        &proxy.endpoint(),
        &[ANNA],
        &limits,
    );
    let mut before = 0;
    let mut days = 0;
    while run(&program, &IMPORT, &[]).status.code() == Some(75) {
        let passed = proxy.passed(Way::ToServer).len();
        assert!(
            passed - before <= MEGABYTE,
            "{} on day {days}",
            passed - before
        );
        assert!(
            passed - before > MEGABYTE * 3 / 4,
            "{} is little",
            passed - before
        );
        before = passed;
        days += 1;
        assert!(days < 7, "no end");
        set_clock(&program, NOON + days * DAY);
    }
    assert!(days > 1, "all of it on one day");
    run(&program, &IMPORT, &[]).code(0);
    for mailbox in ["INBOX", "Archive"] {
        let sums = |server: &Dovecot| {
            let mailbox = Reader::new(&server.plain(), ANNA, PASSWORD).mailbox(mailbox);
            let mut sums: Vec<_> = mailbox.messages.into_iter().map(|m| m.sha256).collect();
            sums.sort();
            sums
        };
        assert_eq!(sums(&target), sums(&source), "{mailbox}");
    }
}

#[test]
fn who_waits_does_the_other_accounts_first_and_goes_on_by_itself_after_midnight() {
    let dovecot = Dovecot::start(DovecotOptions::of(&[(ANNA, PASSWORD), (BERT, PASSWORD)]));
    dovecot.seed(ANNA, "INBOX", &large(9, 150_000));
    dovecot.seed(BERT, "INBOX", &realistic(31, 3));
    let program = program();
    set_clock(&program, NOON + DAY / 2 - 1);
    let limits = json!({"bytes_down_per_day": MEGABYTE});
    configure(
        &program,
        "export.pass.config.json",
        &dovecot.plain(),
        &[ANNA, BERT],
        &limits,
    );
    let more = ["--wait", "--max-workers", "1", "--report", "report.json"];
    let running = program.spawn(EXPORT.iter().chain(&more));
    wait_until("Anna's account waits", || {
        running
            .stderr()
            .contains("waiting until 2026-03-02T00:00:00Z")
    });
    let state = program
        .path("exported")
        .join(BERT)
        .join("export-state.json");
    wait_until("Bert's account is exported", || {
        fs::read_to_string(&state).is_ok_and(|state| state.contains("\"complete\": true"))
    });
    set_clock(&program, NOON + DAY / 2);
    running.wait().code(0).says("export complete: 2 accounts");
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 9);
    // What came before midnight is told as well as what came after.
    let report = report(&program);
    let anna = &report["accounts"][0];
    for counts in [&anna["counts"], &anna["mailboxes"][0]] {
        assert_eq!(
            (&counts["new"], &counts["unchanged"]),
            (&9.into(), &0.into()),
            "{anna}"
        );
    }
    assert_eq!(report["totals"]["new"], 12);
}

#[test]
fn a_message_larger_than_what_a_day_allows_comes_over_all_the_same() {
    let source = Dovecot::simple();
    source.seed(ANNA, "INBOX", &large(2, 300_000));
    let target = Dovecot::simple();
    let program = program();
    let limits = json!({"bytes_down_per_day": 200_000, "bytes_up_per_day": 200_000});
    configure(
        &program,
        "export.pass.config.json",
        &source.plain(),
        &[ANNA],
        &limits,
    );
    configure(
        &program,
        "import.pass.config.json",
        &target.plain(),
        &[ANNA],
        &limits,
    );
    for arguments in [&EXPORT[..], &IMPORT] {
        run(&program, arguments, &[]).code(75);
        set_clock(&program, NOON + DAY);
        run(&program, arguments, &[]).code(0);
        set_clock(&program, NOON);
    }
    let there = Reader::new(&target.plain(), ANNA, PASSWORD).mailbox("INBOX");
    assert_eq!(there.messages.len(), 2);
}

#[test]
fn a_server_that_says_it_is_gmail_gets_what_gmail_allows_unless_the_configuration_says_otherwise() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 UIDPLUS X-GM-EXT-1 AUTH=PLAIN")
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(32, 3)))
        .start();
    let program = program();
    let file = "export.pass.config.json";
    let configured =
        |limits: &Value| configure(&program, file, &server.endpoint(), &[ANNA], limits);
    configured(&json!({}));
    let more = ["--report", "report.json"];
    run(&program, &EXPORT, &more)
        .code(0)
        .says("is Gmail")
        .says("10 connections at a time, 2.00 GB read a day and account, 400.00 MB sent");
    let spent = fs::read(program.archive(ANNA).dir.join("spent.json")).expect("a record");
    let mut spent: Value = serde_json::from_slice(&spent).expect("JSON");
    let of_anna = spent
        .as_object_mut()
        .expect("an object")
        .values_mut()
        .next();
    let of_anna = of_anna.expect("one server");
    assert_eq!(of_anna["day"], "2026-03-01");
    assert_eq!(of_anna["messages_down"], 3);

    of_anna["down"] = json!(2_000_000_000_u64);
    let record = program.archive(ANNA).dir.join("spent.json");
    fs::write(&record, spent.to_string()).expect("write");
    run(&program, &EXPORT, &more).code(75);
    assert_eq!(
        report(&program)["limits"].as_array().expect("limits").len(),
        1
    );

    configured(&json!({
        "bytes_down_per_day": 3_000_000_000_u64, "bytes_up_per_day": null, "connections": 5,
    }));
    run(&program, &EXPORT, &more).code(0);
    assert_eq!(report(&program)["limits"], json!([]));
}
