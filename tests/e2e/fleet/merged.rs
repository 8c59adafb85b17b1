//! `--mode report`: one report of all shards, proved to be whole; what is missing is named, what contradicts is
//! refused.

use std::fs;

use serde_json::{Value, json};

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Output, Program, server_json};
use crate::kit::run::reader::Reader;
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

fn read(program: &Program, file: &str) -> Value {
    let text = fs::read(program.path(file)).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}

/// Writes a changed copy of a report.
fn damaged(program: &Program, file: &str, change: impl FnOnce(&mut Value)) {
    let mut report = read(program, file);
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
    let all = read(&program, "all.json");
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
    // What was merged is a report like any other, and no more to be tampered with.
    damaged(&program, "all.json", |report| {
        report["accounts"][0]["status"] = "failed".into();
    });
    merge(&program, &["damaged.json"], &[])
        .code(2)
        .warns("has counts by status that are not those of its accounts");
    merge(&program, &["all.json"], &["--list", "failed"])
        .code(1)
        .says("user7@example.com");
}

/// The report of most accounts, four at least, and the others: which account is whose hangs on the server's port.
fn largest(program: &Program) -> (&'static str, [&'static str; 2]) {
    let mut files = SHARDS;
    files.sort_by_key(|file| names(program, file).len());
    (files[2], [files[1], files[0]])
}

#[test]
fn a_missing_shard_is_named_with_its_accounts() {
    let (_dovecot, program) = exported();
    let (largest, two) = largest(&program);
    let lost = names(&program, largest);
    let shard = &read(&program, largest)["shard"]["index"];
    let config = ["--config", "export.pass.config.json"];
    let output = merge(&program, &two, &config);
    output
        .code(1)
        .says(&format!("there is no report of shard {shard} of 3"));
    output.says("export NOT complete: ");
    output.says(&format!(
        "nothing is known of {} of 12 accounts",
        lost.len()
    ));
    for name in &lost {
        output.says(&format!(
            "no report has account {name} (shard {shard} of 3)"
        ));
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
    let (largest, [second, third]) = largest(&program);
    let refused = |why: &str, change: fn(&mut Value)| {
        damaged(&program, largest, change);
        let files = ["damaged.json", second, third];
        merge(&program, &files, &["--report", "all.json"])
            .code(2)
            .warns(why);
        let said = read(&program, "all.json");
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
    refused("counts by status that are not those", |report| {
        report["accounts"][0]["status"] = "stopped".into();
    });
    refused("of 3, and so is", |report| {
        let index = report["shard"]["index"].as_u64().expect("a number");
        report["shard"]["index"] = (index % 3 + 1).into();
    });
    refused("accounts and has", |report| {
        report["accounts"].as_array_mut().expect("accounts").clear();
        report["by_status"] = serde_json::json!({});
        report["totals"] = serde_json::json!({"mailboxes": 0, "new": 0, "unchanged": 0, "flags_changed": 0, "vanished": 0, "failed": 0, "bytes": 0});
    });
    // One account fewer, and all that is added up in the report agrees.
    refused("they have 11 accounts and not the 12", |report| {
        let accounts = report["accounts"].as_array_mut().expect("accounts");
        let mut all = accounts.iter();
        let complete = all.position(|account| account["status"] == "complete");
        let gone = accounts.remove(complete.expect("one of many"));
        let left = accounts.len();
        report["shard"]["accounts"] = left.into();
        let status = gone["status"].as_str().expect("a status");
        let counted = report["by_status"][status].as_u64().expect("a count") - 1;
        let by_status = report["by_status"].as_object_mut().expect("statuses");
        match counted {
            0 => drop(by_status.remove(status)),
            left => drop(by_status.insert(status.to_owned(), left.into())),
        }
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
    merge(&program, &[largest, largest, second, third], &[])
        .code(2)
        .warns("and so has");
    program
        .run(["--mode", "report"])
        .code(2)
        .warns("needs --reports");
}

/// Two servers with the same users; the target does not know the password of one of them.
fn moving() -> (Dovecot, Dovecot, Program, String) {
    let users: Vec<String> = (0..6).map(|n| format!("user{n}@example.com")).collect();
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (user.as_str(), PASSWORD)).collect();
    let source = Dovecot::start(DovecotOptions::of(&accounts));
    for (number, user) in (0..).zip(&users) {
        source.seed(user, "INBOX", &realistic(940 + number, 2));
    }
    let mut other = accounts.clone();
    other[3].1 = "the-password-there";
    let target = Dovecot::start(DovecotOptions::of(&other));
    let program = Program::new();
    program.config(&source.imaps(), &accounts);
    let accounts = accounts.iter();
    let accounts = accounts.map(|(email, password)| json!({"email": email, "password": password}));
    let config = json!({
        "server": server_json(&target.imaps()),
        "accounts": accounts.collect::<Vec<_>>(),
    });
    program.file("import.pass.config.json", &config.to_string());
    let refused = users[3].clone();
    (source, target, program, refused)
}

fn migrate(program: &Program, shard: &str, more: &[&str]) -> Output {
    let fixed = [
        "--mode",
        "migrate",
        "--imapsync",
        "never",
        "-q",
        "--shard",
        shard,
    ];
    program.run(fixed.iter().chain(more))
}

fn names(program: &Program, file: &str) -> Vec<String> {
    let report = read(program, file);
    let accounts = report["accounts"].as_array().expect("accounts").iter();
    accounts
        .map(|account| account["account"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_login_that_the_target_refuses_is_one_of_its_shard_and_costs_no_other_shard_its_proof() {
    let (_source, _target, program, refused) = moving();
    let merged = ["a.json", "b.json"];
    for (shard, file) in [("1/2", merged[0]), ("2/2", merged[1])] {
        migrate(&program, shard, &["--report", file]);
    }
    // Its shard was not begun, the other one was done.
    let at = usize::from(!names(&program, merged[0]).contains(&refused));
    assert_eq!(read(&program, merged[at])["exit_code"], 3);
    assert_eq!(read(&program, merged[1 - at])["exit_code"], 0);
    let of_shard = names(&program, merged[at]);
    let done = 6 - of_shard.len();
    merge(&program, &merged, &[])
        .code(1)
        .says(&format!("migrate NOT complete: {done} of 6 accounts"))
        .says(&refused);
    let listed = merge(&program, &merged, &["--list", "failed"]);
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), of_shard);

    // The list is what the next run takes.
    program.file("again", &listed.stdout);
    let again = ["--only-failed", "again", "--ignore-errors", "--report"];
    for (shard, file) in [("1/2", merged[0]), ("2/2", merged[1])] {
        migrate(&program, shard, &[&again[..], &[file]].concat());
    }
    let left = merge(&program, &merged, &["--list", "failed"]);
    left.code(1);
    assert_eq!(left.stdout, format!("{refused}\n"));
    program.file("again", "nobody@example.com\n");
    migrate(&program, "1/2", &["--only-failed", "again"])
        .code(2)
        .warns("has no account with 1 of the 1 names in again")
        .warns("nobody@example.com");
}

#[test]
fn a_shard_that_was_to_end_before_the_target_proves_nothing_of_the_target() {
    let (_source, target, program, refused) = moving();
    let others = ["--exclude-account", &refused, "--report"];
    migrate(&program, "1/2", &[&others[..], &["a.json"]].concat()).code(0);
    migrate(
        &program,
        "2/2",
        &[&others[..], &["b.json", "--until", "export"]].concat(),
    )
    .code(0)
    .says("migrate --until export complete");
    merge(&program, &["a.json", "b.json"], &[])
        .code(2)
        .warns("differs from the first in its last phase (--until): export, not validate");
    for user in names(&program, "b.json") {
        let inbox = Reader::new(&target.imaps(), &user, PASSWORD).mailbox("INBOX");
        assert!(inbox.messages.is_empty(), "{user}");
    }
    // What is left out by one shard and alone meant by the other is not one run either.
    let folder =
        |flag: &'static str, file: &'static str| [&others[..], &[file, flag, "INBOX"]].concat();
    migrate(&program, "1/2", &folder("--folder", "a.json")).code(0);
    migrate(&program, "2/2", &folder("--exclude-folder", "b.json"));
    merge(&program, &["a.json", "b.json"], &[])
        .code(2)
        .warns("differs from the first in its configuration");
}
