//! `--shard`: every account belongs to exactly one of the processes, wherever its row stands.

use std::collections::BTreeSet;
use std::fs;

use fs2::FileExt;
use serde_json::Value;

use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const PASSWORD: &str = "a-password-of-all";

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n}@example.com")).collect()
}

fn accounts(users: &[String]) -> Vec<(&str, &str)> {
    users.iter().map(|user| (user.as_str(), PASSWORD)).collect()
}

/// Names of the accounts in the report of the last run.
fn reported(program: &Program, file: &str) -> BTreeSet<String> {
    let text = fs::read(program.path(file)).expect("a report");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    let accounts = report["accounts"].as_array().expect("accounts").iter();
    accounts
        .map(|account| account["account"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn three_shards_do_the_whole_and_nothing_twice_in_whatever_order_the_rows_stand() {
    let users = users(12);
    let dovecot = Dovecot::start(DovecotOptions::of(&accounts(&users)));
    for (number, user) in (0..).zip(&users) {
        dovecot.seed(user, "INBOX", &realistic(400 + number, 2));
    }
    let program = Program::new();
    let mut rows = accounts(&users);
    let mut seen = BTreeSet::new();
    for index in 1..=3 {
        rows.rotate_left(5);
        program.config(&dovecot.imaps(), &rows);
        let shard = format!("{index}/3");
        let output = program.export(&["--shard", &shard, "--report", "report.json"]);
        output.code(0).says(&format!("shard {index} of 3: "));
        output.says("of 12 accounts");
        let own = reported(&program, "report.json");
        assert!(seen.is_disjoint(&own), "{own:?} again");
        seen.extend(own);
    }
    assert_eq!(seen, users.iter().cloned().collect());
    for user in &users {
        let reader = Reader::new(&dovecot.plain(), user, PASSWORD);
        assert_archive_equals_server(&program.archive(user), &reader.mailboxes());
    }
}

#[test]
fn a_shard_without_accounts_is_no_failure_and_an_engine_says_which_shard_it_is() {
    let users = users(1);
    let dovecot = Dovecot::start(DovecotOptions::of(&accounts(&users)));
    let program = Program::new()
        .env("SLURM_ARRAY_TASK_ID", "10")
        .env("SLURM_ARRAY_TASK_MIN", "10")
        .env("SLURM_ARRAY_TASK_COUNT", "2");
    program.config(&dovecot.imaps(), &accounts(&users));
    let auto = program.export(&["--shard", "auto", "--report", "first.json"]);
    auto.code(0).says("shard 1 of 2: ");
    let other = program.export(&["--shard", "2/2", "--report", "second.json"]);
    other.code(0).says("shard 2 of 2: ");
    let sizes = ["first.json", "second.json"].map(|file| reported(&program, file).len());
    assert_eq!(sizes[0] + sizes[1], 1, "{sizes:?}");
    let wrong = program.export(&["--shard", "3/2"]);
    wrong.code(2).warns("there is no shard 3 of 2");
}

#[test]
fn an_archive_that_another_machine_is_at_work_on_is_left_alone_and_the_machine_named() {
    let users = users(1);
    let dovecot = Dovecot::start(DovecotOptions::of(&accounts(&users)));
    let program = Program::new();
    program.config(&dovecot.imaps(), &accounts(&users));
    program.export(&["--shard", "1/1"]).code(0);
    // As a run on another machine leaves it while it works on the shared directory.
    let path = program.archive(&users[0]).dir.join(".lock");
    let holder =
        r#"{"pid":77,"host":"node17","started":"2026-01-02T03:04:05Z","command":"export"}"#;
    fs::write(&path, holder).expect("write the lock");
    let lock = fs::File::open(&path).expect("open the lock");
    lock.try_lock_exclusive().expect("take the lock");
    let output = program.export(&["--shard", "1/1"]);
    output
        .code(1)
        .says("in use by process 77 (export) on node17");
}
