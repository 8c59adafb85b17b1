//! The log file is the whole story, for people and for collectors.

use super::{ANNA, log_of, program_for, server};
use crate::kit::run::program::EXPORT;

#[test]
fn it_says_who_ran_what_where_and_how_it_ended() {
    let server = server().start();
    let program = program_for(&server);
    let output = program.run([EXPORT.as_slice(), &["-q"]].concat());
    output.code(0);
    let log = log_of(&program);
    let port = server.endpoint().port.to_string();
    for text in [
        env!("CARGO_PKG_VERSION"),
        "command: imapsync-bulk-migrator --mode export",
        "machine: ",
        "configuration: ",
        &format!("server: localhost port {port}"),
        &format!("account={ANNA}"),
        "exported",
    ] {
        assert!(log.contains(text), "{text} is missing:\n{log}");
    }
    let last = log
        .lines()
        .rev()
        .find(|line| line.contains("end: exit code 0"));
    assert!(
        last.is_some_and(|line| line.contains("1 complete")),
        "{log}"
    );
    for line in log.lines() {
        assert!(line.starts_with("20"), "no time: {line}");
        assert!(
            !line.contains("Some(") && !line.contains(" { "),
            "no line for people: {line}"
        );
    }
}

#[test]
fn a_quiet_run_still_names_the_account() {
    let server = server().start();
    let program = crate::kit::run::program::Program::new();
    program.config(&server.endpoint(), &[(ANNA, "")]);
    program.config_json(&serde_json::json!({
        "server": crate::kit::run::program::server_json(&server.endpoint()),
        "accounts": [{"email": ANNA, "password_command": "false"}],
    }));
    program.export(&["-q"]).code(1).warns(&format!("{ANNA}: "));
}

#[test]
fn collectors_get_one_object_a_line() {
    let server = server().start();
    let program = program_for(&server);
    let output = program.run([EXPORT.as_slice(), &["--log-format", "json"]].concat());
    output.code(0);
    for line in output.stderr.lines().chain(log_of(&program).lines()) {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(
            object["time"].is_string() && object["message"].is_string(),
            "{line}"
        );
    }
}
