//! What an export promises, held against real servers and against servers that misbehave on demand.

mod accounts;
mod again;
mod ahead;
mod blame;
mod copies;
mod debris;
mod environment;
mod evidence;
mod identity;
mod interrupted;
mod listing;
mod login;
mod odd_answers;
mod odd_servers;
mod old_tls;
mod outputs;
mod room;

use crate::kit::PASSWORD;
use crate::kit::run::program::{EXPORT, Program};
use crate::kit::run::report::report;
use crate::kit::servers::fake::FakeServer;

/// The user of a default Dovecot and of the fake server.
const ANNA: &str = "anna@example.com";

/// A program whose one account is Anna on the fake server.
fn program_for(server: &FakeServer) -> Program {
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    program
}

/// Names and numbers of messages in the archive.
fn counts(program: &Program) -> Vec<(String, usize)> {
    let mailboxes = program.archive(ANNA).mailboxes();
    let counts = mailboxes.into_iter();
    counts
        .map(|(name, mailbox)| (name, mailbox.messages.len()))
        .collect()
}

/// A number of the totals in the report.
fn total(program: &Program, name: &str) -> u64 {
    let value = &report(program)["totals"][name];
    value
        .as_u64()
        .unwrap_or_else(|| panic!("totals have no {name}"))
}

/// The words of an export that writes its report there.
fn with_report(path: &str) -> Vec<&str> {
    [EXPORT.as_slice(), &["--report", path]].concat()
}
