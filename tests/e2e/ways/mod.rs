//! Ways in: tokens from everywhere, the providers that give them, and how long they last.

mod authorize;
mod check;
mod life;
mod master;
mod providers;
mod scripted;
mod tokens;
mod typed;

use serde_json::{Value, json};

use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::run::program::{Output, Program, server_json};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const ANNA: &str = "anna@example.com";
const BEN: &str = "ben@example.com";
const CHLOE: &str = "chloe@example.com";

/// A server with these users, and further configuration.
fn dovecot(users: &[&str], extra_config: String) -> Dovecot {
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (*user, PASSWORD)).collect();
    Dovecot::start(DovecotOptions {
        extra_config,
        ..DovecotOptions::of(&accounts)
    })
}

/// A configuration whose server has this `auth`, for these users.
fn config(program: &Program, server: &Endpoint, auth: &Value, users: &[&str]) {
    let mut server = server_json(server);
    server["auth"] = auth.clone();
    let accounts: Vec<Value> = users.iter().map(|user| json!({"email": user})).collect();
    program.config_json(&json!({"server": server, "accounts": accounts}));
}

/// An export that goes on after errors, and its report.
fn export(program: &Program, arguments: &[&str]) -> (i32, Value) {
    let words = [
        &["--ignore-errors", "-v", "-v", "--report", "report.json"],
        arguments,
    ]
    .concat();
    let output = program.export(&words);
    let report = report_of(program, &output);
    (output.status.code().unwrap_or(-1), report)
}

fn report_of(program: &Program, output: &Output) -> Value {
    let text = std::fs::read_to_string(program.path("report.json"));
    let report = text.ok().and_then(|text| serde_json::from_str(&text).ok());
    report.unwrap_or_else(|| panic!("{}", output.describe()))
}

/// What a report says went wrong with an account.
fn error_of(report: &Value, account: &str) -> String {
    let accounts = report["accounts"].as_array();
    let found = accounts
        .into_iter()
        .flatten()
        .find(|one| one["account"] == account);
    let found = found.unwrap_or_else(|| panic!("no {account} in {report}"));
    found["error"].as_str().unwrap_or_default().to_owned()
}
