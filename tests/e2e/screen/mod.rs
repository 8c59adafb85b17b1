//! What people see and what stays inside: secrets, terminals, the log, the end of a run.

mod contract;
mod controls;
mod ends;
mod log;
mod progress;
mod secrets;

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{EXPORT, Program};
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer};

const ANNA: &str = "anna@example.com";

/// A server with one mailbox of three messages.
fn server() -> FakeOptions {
    FakeServer::options().mailbox(FakeMailbox::new("INBOX").mails(&realistic(3, 3)))
}

/// A program whose one account is Anna on the server.
fn program_for(server: &FakeServer) -> Program {
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    program
}

/// The words of an export that says all it can.
fn loud() -> Vec<&'static str> {
    [EXPORT.as_slice(), &["-v", "-v", "--report", "report.json"]].concat()
}

/// What the log file of the only run says.
fn log_of(program: &Program) -> String {
    let logs = std::fs::read_dir(program.path("logs")).expect("logs");
    let paths: Vec<_> = logs.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    std::fs::read_to_string(&paths[0]).expect("a log")
}
