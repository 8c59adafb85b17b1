//! What auto-provisioning and the index promise, held against a stand-in for a DirectAdmin panel over real HTTPS.

mod failures;
mod index;
mod lazy;
mod provision;
mod terminal;

use serde_json::{Value, json};

use crate::kit::mail::realistic;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program, server_json};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::panel::{Panel, SECRET};

/// The account of hand-made archives.
const ANNA: &str = "anna@example.com";
/// Anna's password, with everything that a form could spoil.
const PASSWORD: &str = "a&b=c+d e%41\u{e4}\u{20ac}\"x";

/// A panel that has the domain, a mail server without accounts that learns of new ones, an archive of Anna's.
fn world(mailboxes: &Value) -> (Program, Panel, Dovecot) {
    let target = Dovecot::start(DovecotOptions {
        accounts: vec![("nobody@example.net".to_owned(), "x".to_owned())],
        ..DovecotOptions::default()
    });
    let mut panel = Panel::start(&json!({ "example.com": mailboxes }));
    panel.provisions(&target);
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &realistic(5, 3))
        .complete();
    aim(&program, &target, &[(ANNA, PASSWORD)]);
    (program, panel, target)
}

fn aim(program: &Program, target: &Dovecot, accounts: &[(&str, &str)]) {
    let accounts = accounts.iter();
    let accounts: Vec<Value> = accounts
        .map(|(email, password)| json!({"email": email, "password": password}))
        .collect();
    let config = json!({"server": server_json(&target.imaps()), "accounts": accounts});
    program.file("import.pass.config.json", &config.to_string());
}

/// An import with the panel and without imapsync; no secret may show.
fn import(program: &Program, panel: &Panel, arguments: &[&str]) -> Output {
    let fixed = [
        "--mode",
        "import",
        "--imapsync",
        "never",
        "--imap-timeout",
        "5",
        "--auto-provision-da",
    ];
    let mut words: Vec<String> = fixed.map(str::to_owned).to_vec();
    words.extend(panel.flags());
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    let output = program.run(words);
    output.hides(SECRET).hides(PASSWORD);
    output.hides("panel%26secret").hides("cGFuZWwmc2VjcmV0");
    output
}

/// The report's section on the panel: each account with its state.
fn provisioned(program: &Program) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(program.path("report.json")).expect("read the report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let mailboxes = report["provisioned"]["mailboxes"].as_array().cloned();
    let mailboxes = mailboxes.expect("a section on the panel");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    mailboxes
        .iter()
        .map(|one| (text(&one["account"]), text(&one["state"])))
        .collect()
}
