//! `--html`: one page that a real browser shows, folds, filters and prints, and that asks for nothing from anywhere;
//! `--csv`: a row an account.

use std::fs;

use serde_json::json;

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::browser;
use crate::kit::run::program::Program;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// Three accounts, one with a mailbox that calls itself a script; the password of the last one is wrong.
fn exported() -> Program {
    let users =
        ["anna@example.com", "bert@example.com", "carl@example.com"].map(|user| (user, PASSWORD));
    let dovecot = Dovecot::start(DovecotOptions::of(&users));
    for (number, (user, _)) in (0..).zip(users) {
        dovecot.seed(user, "INBOX", &realistic(700 + number, 4));
    }
    dovecot.seed("bert@example.com", HOSTILE, &realistic(710, 2));
    let mut accounts = users;
    accounts[2].1 = "another-password";
    let program = Program::new();
    program.config(&dovecot.imaps(), &accounts);
    let files = [
        "--html",
        "page.html",
        "--csv",
        "accounts.csv",
        "--report",
        "one.json",
    ];
    program
        .run(
            [
                "--mode",
                "export",
                "--no-connectivity-test",
                "--ignore-errors",
            ]
            .iter()
            .chain(&files),
        )
        .code(1);
    program
}

#[test]
fn a_browser_shows_folds_filters_and_prints_the_page_and_asks_for_nothing() {
    let program = exported();
    let seen = browser::open(&program.path("page.html"), "bert");
    let facts = &seen.facts;
    let verdict =
        "Not everything is in order: 2 of 3 accounts are fine; see below for what needs attention.";
    assert!(
        facts["verdict"].as_str().expect("text").ends_with(verdict),
        "{facts:#}"
    );
    assert_eq!(facts["rows"], 3);
    assert_eq!(
        facts["asked for itself"], true,
        "the requests are seen at all"
    );
    for nothing in [
        "requests",
        "complaints",
        "unnamed",
        "faint in the light",
        "faint in the dark",
    ] {
        assert_eq!(facts[nothing], json!([]), "{nothing}");
    }
    assert_eq!(facts["folded"], json!([false, false]));
    assert_eq!(facts["unfolded"], true, "by the keyboard");
    assert_eq!(facts["filtered"], json!(["bert@example.com"]));
    assert_eq!(facts["said"], "1 of 3");
    let plain = facts["without scripts"].as_str().expect("text");
    for text in [
        verdict,
        "carl@example.com",
        "unexplained: 0",
        "contacts, calendars",
    ] {
        assert!(plain.contains(text), "{text}: {plain}");
    }
    assert!(
        !plain.contains("Show only accounts"),
        "a filter that cannot filter"
    );
    let first_page = seen
        .first_page
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(first_page.contains(verdict), "{first_page}");
    let page = fs::read_to_string(program.path("page.html")).expect("the page");
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;"),
        "the mailbox is named"
    );
}

#[test]
fn the_accounts_are_rows_of_a_table() {
    let program = exported();
    let text = fs::read_to_string(program.path("accounts.csv")).expect("the table");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 4, "{text}");
    let column = |name: &str| rows[0].iter().position(|cell| *cell == name).expect(name);
    assert_eq!(rows[1][column("status")], "complete");
    assert_eq!(rows[2][column("new")], "6");
    assert_eq!(rows[3][column("status")], "failed");
}

#[test]
fn a_report_of_five_thousand_accounts_is_one_page_that_a_browser_still_filters() {
    let program = exported();
    let text = fs::read(program.path("one.json")).expect("a report");
    let mut report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let one = report["accounts"][0].clone();
    let accounts = (0..5000).map(|number| {
        let mut account = one.clone();
        account["account"] = format!("user{number}@example.com").into();
        account
    });
    report["accounts"] = accounts.collect();
    // The sums must be those of the accounts.
    for (name, sum) in report["totals"].as_object_mut().expect("sums") {
        *sum = (one["counts"][name].as_u64().expect("a number") * 5000).into();
    }
    report["by_status"] = json!({"complete": 5000});
    report["exit_code"] = 0.into();
    program.file("many.json", &report.to_string());
    let files = [
        "--mode",
        "report",
        "--reports",
        "many.json",
        "--html",
        "many.html",
    ];
    program.run(files).code(0);
    let seen = browser::open(&program.path("many.html"), "user4321@");
    assert_eq!(seen.facts["rows"], 5000);
    assert_eq!(seen.facts["filtered"], json!(["user4321@example.com"]));
}
