//! Runs the binary in a pseudo-terminal, with somebody who types.

use std::process::Command;

use serde_json::Value;

use super::program::{BINARY, Program};

/// Each step waits for a text and sends keys, see `terminal.py`. Exit code and all that was shown.
pub fn on_terminal(program: &Program, words: &[&str], steps: &Value) -> (Option<i32>, String) {
    let output = Command::new("python3")
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
