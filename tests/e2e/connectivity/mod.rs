//! The test of environment and connections, alone and before a run.

mod accounts;
mod imapsync;
mod precheck;
mod preflight;

use std::fs;

use crate::kit::PASSWORD;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::report::report;
use crate::kit::servers::fake::FakeServer;

const ANNA: &str = "anna@example.com";

/// A program with a config for this server and anna.
fn program_for(server: &FakeServer) -> Program {
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    program
}

/// `--mode test` without imapsync, with these arguments and a report.
fn test(program: &Program, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "test", "--imapsync", "never"];
    let report = ["--report", "report.json"];
    program.run(fixed.iter().chain(&report).chain(arguments))
}

/// Everything that the program has logged.
fn log(program: &Program) -> String {
    let dir = program.path("logs");
    let files = fs::read_dir(dir).expect("logs").flatten();
    files
        .map(|file| fs::read_to_string(file.path()).expect("a log"))
        .collect()
}
