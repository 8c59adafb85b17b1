//! The audit of an archive: every kind of damage is found, and nothing else is reported.

mod against_source;
mod alone;
mod content;

use serde_json::json;

use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::findings::{assert_codes, codes, findings};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program};

const ANNA: &str = "anna@example.com";

/// A configuration that leads nowhere: an offline audit asks nobody.
fn unreachable(program: &Program) {
    program.config_json(&json!({
        "server": {"host": "127.0.0.1", "port": 1, "ssl": true, "starttls": false},
        "accounts": [{"email": ANNA, "password": PASSWORD}],
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
