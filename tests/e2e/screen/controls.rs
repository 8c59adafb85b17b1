//! Nothing that a server or a program says reaches the terminal, or a file that is looked at there, as a command.

use std::fs;

use serde_json::json;

use super::{ANNA, loud, program_for, server};
use crate::kit::run::program::{Output, Program, server_json};
use crate::kit::servers::fake::Reply;

/// Window title, colour, a C1 control and a turn of the direction of writing.
const ODD: &str = "ev\u{1b}]0;pwn\u{7}il\u{9b}31m\u{202e}gpj";

#[track_caller]
fn is_harmless(text: &str) {
    let obeyed = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    let found: Vec<char> = text.chars().filter(|&c| obeyed(c)).collect();
    assert!(found.is_empty(), "{found:?} in {text}");
}

#[track_caller]
fn all_is_harmless(program: &Program, output: &Output) {
    is_harmless(&output.stdout);
    is_harmless(&output.stderr);
    is_harmless(&super::log_of(program));
}

#[test]
fn what_a_server_says_is_harmless_everywhere() {
    let server = server()
        .on_command(|command| {
            let text = format!("NO [CANNOT] {ODD}");
            (command.name == "EXAMINE").then(|| Reply::tagged(&text))
        })
        .start();
    let program = program_for(&server);
    let output = program.run(loud());
    output.code(1).says("il");
    all_is_harmless(&program, &output);
    let json = fs::read_to_string(program.path("report.json")).expect("a report");
    is_harmless(&json);
}

#[test]
fn what_a_password_command_complains_of_is_harmless() {
    let server = server().start();
    let program = Program::new();
    program.file("complain.sh", &format!("printf '%s' '{ODD}' >&2; exit 3"));
    program.config_json(&json!({
        "server": server_json(&server.endpoint()),
        "accounts": [{"email": ANNA, "password_command": "sh complain.sh"}],
    }));
    let output = program.run(loud());
    output.code(1).says("il");
    all_is_harmless(&program, &output);
}
