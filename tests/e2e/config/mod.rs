//! What the program promises about what it is given: configuration, lists of accounts, command line.

mod command_line;
mod lists;
mod servers;
mod text;

use std::fs;

use crate::kit::run::program::{Output, Program};

/// Neither the streams nor the logs may hold a secret that stands in a file that the test has written.
#[track_caller]
fn assert_hidden(program: &Program, output: &Output, secret: &str) {
    let logs = fs::read_dir(program.path("logs"))
        .into_iter()
        .flatten()
        .flatten();
    let logs = logs.map(|log| fs::read_to_string(log.path()).expect("a log"));
    for text in logs.chain([output.stdout.clone(), output.stderr.clone()]) {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}
