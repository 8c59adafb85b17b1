//! The audit of an archive: every kind of damage is found, and nothing else is reported.

mod against_source;
mod alone;
mod content;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kit::handmade::Handmade;
use crate::kit::mail::Mail;
use crate::kit::program::{Output, Program};

const ANNA: &str = "anna@example.com";

/// A configuration that leads nowhere: an offline audit asks nobody.
fn unreachable(program: &Program) {
    program.config_json(&json!({
        "server": {"host": "127.0.0.1", "port": 1, "ssl": true, "starttls": false},
        "accounts": [{"email": ANNA, "password": "secret"}],
    }));
}

/// An archive with two mailboxes, three messages and one.
fn archive(program: &Program) -> Handmade {
    unreachable(program);
    let mails = ["one", "two", "three"].map(Mail::simple);
    Handmade::new(program)
        .mailbox("INBOX", &mails)
        .mailbox("Work/2024", &[Mail::simple("four")])
        .complete()
}

/// An offline audit with a report.
fn audit(program: &Program, arguments: &[&str]) -> Output {
    let words = ["--report", "report.json", "-q"].iter().chain(arguments);
    program.audit(&words.copied().collect::<Vec<_>>())
}

/// All findings of the report.
fn findings(program: &Program) -> Vec<Value> {
    let text = std::fs::read_to_string(program.path("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let accounts = report["accounts"].as_array().expect("accounts").iter();
    accounts
        .flat_map(|account| account["findings"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// Severity and code of each finding.
fn codes(program: &Program) -> BTreeSet<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    findings(program)
        .iter()
        .map(|finding| (text(finding, "severity"), text(finding, "code")))
        .collect()
}

/// Exactly these findings, as `severity code`.
#[track_caller]
fn assert_codes(program: &Program, expected: &[&str]) {
    let found: BTreeSet<String> = codes(program)
        .into_iter()
        .map(|(severity, code)| format!("{severity} {code}"))
        .collect();
    let expected: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(found, expected, "{:#?}", findings(program));
}
