//! `--mode report`: one report of all shards, proved to be whole; what is missing is named, what contradicts is refused.

use std::fs;

use serde_json::Value;

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Output, Program};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const SHARDS: [&str; 3] = ["shard-1.json", "shard-2.json", "shard-3.json"];

/// The reports of three shards over twelve accounts; one account has a wrong password.
fn exported() -> (Dovecot, Program) {
    let users: Vec<String> = (0..12).map(|n| format!("user{n}@example.com")).collect();
    let mut accounts: Vec<(&str, &str)> =
        users.iter().map(|user| (user.as_str(), PASSWORD)).collect();
    let dovecot = Dovecot::start(DovecotOptions::of(&accounts));
    for (number, user) in (0..).zip(&users) {
        dovecot.seed(user, "INBOX", &realistic(900 + number, 2));
    }
    let program = Program::new();
    accounts[7].1 = "wrong-password";
    program.config(&dovecot.imaps(), &accounts);
    for (number, file) in (1..).zip(SHARDS) {
        let shard = format!("{number}/3");
        program.export(&["--shard", &shard, "--ignore-errors", "-q", "--report", file]);
    }
    (dovecot, program)
}

fn merge(program: &Program, files: &[&str], more: &[&str]) -> Output {
    let fixed = ["--mode", "report", "--reports"];
    program.run(fixed.iter().chain(files).chain(more))
}

fn json(program: &Program, file: &str) -> Value {
    let text = fs::read(program.path(file)).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}

/// Writes a changed copy of a report.
fn damaged(program: &Program, file: &str, change: impl FnOnce(&mut Value)) {
    let mut report = json(program, file);
    change(&mut report);
    program.file("damaged.json", &report.to_string());
}

#[test]
fn three_shards_are_one_report_of_every_account() {
    let (_dovecot, program) = exported();
    let files = [
        "--report", "all.json", "--html", "all.html", "--csv", "all.csv",
    ];
    merge(&program, &SHARDS, &files)
        .code(1)
        .says("export NOT complete: 11 of 12 accounts")
        .says("user7@example.com");
    let all = json(&program, "all.json");
    let names: Vec<&Value> = all["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|account| &account["account"])
        .collect();
    assert_eq!(names.len(), 12);
    assert_eq!(all["totals"]["new"], 22);
    assert_eq!(all["shards"].as_array().expect("shards").len(), 3);
    assert_eq!(
        fs::read_to_string(program.path("all.csv"))
            .expect("a table")
            .lines()
            .count(),
        13
    );
    assert!(
        fs::read_to_string(program.path("all.html"))
            .expect("a page")
            .contains("user7@example.com")
    );

    let failed = merge(&program, &SHARDS, &["--list", "failed"]);
    failed.code(1);
    assert_eq!(failed.stdout, "user7@example.com\n");
    // What was merged is a report like any other.
    merge(&program, &["all.json"], &["--list", "failed"])
        .code(1)
        .says("user7@example.com");
}

#[test]
fn a_missing_shard_is_named_with_its_accounts() {
    let (_dovecot, program) = exported();
    let lost = json(&program, SHARDS[1]);
    let lost: Vec<&str> = lost["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .filter_map(|account| account["account"].as_str())
        .collect();
    assert!(!lost.is_empty());
    let two = [SHARDS[2], SHARDS[0]];
    let config = ["--config", "export.pass.config.json"];
    let output = merge(&program, &two, &config);
    output.code(1).says("there is no report of shard 2 of 3");
    output.says(&format!(
        "nothing is known of {} of 12 accounts",
        lost.len()
    ));
    for name in &lost {
        output.says(&format!("no report tells of account {name} (shard 2 of 3)"));
    }
    let listed = merge(
        &program,
        &two,
        &[&config[..], &["--list", "missing"]].concat(),
    );
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), lost);
    merge(&program, &two, &["--list", "missing"])
        .code(2)
        .warns("needs --config");
}

#[test]
fn reports_that_do_not_fit_together_are_refused_and_prove_nothing() {
    let (_dovecot, program) = exported();
    let refused = |why: &str, change: fn(&mut Value)| {
        damaged(&program, SHARDS[0], change);
        let files = ["damaged.json", SHARDS[1], SHARDS[2]];
        merge(&program, &files, &["--report", "all.json"])
            .code(2)
            .warns(why);
        let said = json(&program, "all.json");
        assert_eq!(
            (&said["exit_code"], &said["accounts"]),
            (&2.into(), &Value::Array(Vec::new())),
            "{why}"
        );
        assert!(
            said["error"]
                .as_str()
                .is_some_and(|error| error.contains(why)),
            "{said}"
        );
    };
    refused("differs from the first in its configuration", |report| {
        report["config_sha256"] = "00".into();
    });
    refused("differs from the first in its version", |report| {
        report["version"] = "9.9.9".into();
    });
    refused("not the sums", |report| report["totals"]["new"] = 99.into());
    refused("is of shard 2 of 3, and so is", |report| {
        report["shard"]["index"] = 2.into();
    });
    refused("accounts and has", |report| {
        report["accounts"].as_array_mut().expect("accounts").clear();
        report["totals"] = serde_json::json!({"mailboxes": 0, "new": 0, "unchanged": 0, "flags_changed": 0, "vanished": 0, "failed": 0, "bytes": 0});
    });
    // One account fewer, and all that is added up in the report agrees.
    refused("they have 11 accounts and not the 12", |report| {
        let accounts = report["accounts"].as_array_mut().expect("accounts");
        let gone = accounts.pop().expect("an account");
        let left = accounts.len();
        report["shard"]["accounts"] = left.into();
        for (name, sum) in report["totals"].as_object_mut().expect("totals") {
            let part = gone["counts"][name].as_u64().expect("a count");
            *sum = (sum.as_u64().expect("a sum") - part).into();
        }
    });
    refused("not a report of this program", |report| {
        *report = serde_json::json!({"tool": "another"});
    });
    refused("reads format 1 only", |report| {
        *report = serde_json::json!({"tool": "imapsync-bulk-migrator", "format": 2});
    });
    merge(&program, &[SHARDS[0], SHARDS[0], SHARDS[1], SHARDS[2]], &[])
        .code(2)
        .warns("and so has");
    program
        .run(["--mode", "report"])
        .code(2)
        .warns("needs --reports");
}
