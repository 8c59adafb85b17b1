//! What is wrong with the text of a configuration is told with its place, and nothing of it is repeated.

use serde_json::json;

use crate::kit::PASSWORD;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::terminal::on_terminal;

fn exported(config: &str) -> (Program, Output) {
    let program = Program::new();
    program.file("export.pass.config.json", config);
    let output = program.run(["--mode", "export", "--imapsync", "never"]);
    output.code(2).hides(PASSWORD);
    (program, output)
}

#[test]
fn a_key_that_stands_twice_is_a_problem_with_its_place() {
    let two_in_one = format!(
        r#"{{"server": {{"host": "127.0.0.1", "port": 1}}, "accounts": [
            {{"email": "anna@example.com", "password": "{PASSWORD}"}},
            {{"email": "ben@example.com", "password": "{PASSWORD}",
              "email": "carl@example.com", "password": "{PASSWORD}"}}]}}"#
    );
    let (_, output) = exported(&two_in_one);
    output
        .warns("has 2 problems")
        .warns("accounts[1].email: stands twice")
        .warns("accounts[1].password: stands twice");
    let two_lists = format!(
        r#"{{"server": {{"host": "a", "port": 1, "port": 2}},
            "accounts": [{{"email": "anna@example.com", "password": "{PASSWORD}"}}],
            "accounts": [{{"email": "ben@example.com", "password": "{PASSWORD}"}}]}}"#
    );
    let (_, output) = exported(&two_lists);
    output
        .warns("server.port: stands twice")
        .warns("accounts: stands twice");
}

#[test]
fn a_misspelt_key_is_a_problem_with_the_key_that_is_meant() {
    let server = r#""server": {"host": "127.0.0.1", "port": 1}"#;
    for (text, expected) in [
        (
            format!(r#"{{{server}, "accounts": [{{"email": "a@b.c", "pasword": "{PASSWORD}"}}]}}"#),
            "accounts[0].pasword: unknown; is \"password\" meant?",
        ),
        (
            format!(r#"{{{server}, "acounts": [{{"email": "a@b.c", "password": "{PASSWORD}"}}]}}"#),
            "acounts: unknown; is \"accounts\" meant?",
        ),
        (
            format!(
                r#"{{"server": {{"host": "127.0.0.1", "auth": {{"autzid": "{{email}}", "login": "m"}}}},
                    "accounts": [{{"email": "a@b.c", "password": "{PASSWORD}"}}]}}"#
            ),
            "server.auth.autzid: unknown; is \"authzid\" meant?",
        ),
        (
            format!(
                r#"{{"server": {{"host": "127.0.0.1", "startls": true}},
                    "accounts": [{{"email": "a@b.c", "password": "{PASSWORD}"}}]}}"#
            ),
            "server.startls: unknown; is \"starttls\" meant?",
        ),
    ] {
        exported(&text).1.warns(expected);
    }
    // On a terminal it is not asked for: the password stands there, under another name.
    for key in ["pasword", "pass", "secret"] {
        let program = Program::new();
        let account = format!(r#"{{"email": "a@b.c", "{key}": "{PASSWORD}"}}"#);
        let text = format!("{{{server}, \"accounts\": [{account}]}}");
        program.file("export.pass.config.json", &text);
        let words = ["--mode", "export", "--imapsync", "never"];
        let (code, shown) = on_terminal(&program, &words, &json!([]));
        assert_eq!(code, Some(2), "{shown}");
        assert!(
            shown.contains(&format!("accounts[0].{key}: unknown")),
            "{shown}"
        );
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[test]
fn what_is_no_json_is_told_in_plain_words() {
    let account = format!(r#"{{"email": "anna@example.com", "password": "{PASSWORD}"}}"#);
    let cases = [
        (
            format!("{{\"server\": {{\"host\": \"h\"}},\r\n\"accounts\": [{account},]}}"),
            "there is a comma before the closing bracket at line 2",
        ),
        (
            format!("{{\"server\": {{\"host\": \"h\"}}, \"accounts\": [{account} {account}]}}"),
            "a comma is missing between two objects at line 1",
        ),
        (
            format!("{{\"accounts\": [{account}"),
            "it ends too early at line 1",
        ),
    ];
    for (text, expected) in cases {
        exported(&text).1.warns(expected);
    }
}

#[test]
fn a_byte_order_mark_and_other_line_ends_are_no_trouble() {
    let text = format!(
        "\u{feff}{{\"server\": {{\"host\": \"127.0.0.1\", \"port\": 1}},\r\n\"accounts\": \
         [{{\"email\": \"anna@example.com\", \"password\": \"{PASSWORD}\"}}]}}\r\n"
    );
    let program = Program::new();
    program.file("export.pass.config.json", &text);
    let output = program.run(["--mode", "export", "--imapsync", "never"]);
    // It came as far as the server, which is not there.
    output.code(3).says("connect");
}

#[test]
fn a_missing_configuration_is_told_with_an_example() {
    let program = Program::new();
    let output = program.run(["--mode", "export"]);
    output
        .code(2)
        .warns("there is no export.pass.config.json in ")
        .warns(&program.dir().display().to_string())
        .warns("--config")
        .warns("\"accounts\": [");
}
