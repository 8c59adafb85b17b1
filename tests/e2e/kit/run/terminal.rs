//! Runs the binary in a pseudo-terminal, with somebody who types.

use serde_json::Value;

use super::program::{BINARY, Program};
use super::python;

/// Each step waits for a text and sends keys, see `terminal.py`. Exit code and all that was shown.
pub fn on_terminal(program: &Program, words: &[&str], steps: &Value) -> (Option<i32>, String) {
    let output = python::command()
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/kit/run/terminal.py"
        ))
        .arg(steps.to_string())
        .arg(BINARY)
        .args(words)
        .current_dir(program.dir())
        .env("TERM", "xterm")
        .output()
        .expect("python3");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), shown)
}

/// What stood on a terminal.
pub struct Seen {
    /// A screen for each step, and the last one.
    pub screens: Vec<Vec<String>>,
    /// Exit code.
    pub code: i64,
    /// All bytes that the program wrote there.
    pub shown: String,
}

/// Runs the program on a terminal of so many columns and 24 rows, with these variables; steps as in `screen.py`.
#[track_caller]
pub fn on_screen(
    program: &Program,
    columns: usize,
    variables: &[(&str, &str)],
    words: &[&str],
    steps: &Value,
) -> Seen {
    let output = python::command()
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/kit/run/screen.py"
        ))
        .args([&columns.to_string(), "24", &steps.to_string(), BINARY])
        .args(words)
        .current_dir(program.dir())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied())
        .output()
        .expect("python3");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lines = |screen: &Value| -> Vec<String> {
        let lines = screen.as_array().expect("lines").iter();
        lines
            .map(|line| line.as_str().expect("a line").to_owned())
            .collect()
    };
    Seen {
        screens: seen["screens"]
            .as_array()
            .expect("screens")
            .iter()
            .map(lines)
            .collect(),
        code: seen["code"].as_i64().expect("a code"),
        shown: seen["shown"].as_str().expect("text").to_owned(),
    }
}
