//! A death or refusal belongs to what was under way: one message, one mailbox; everything else is copied.

use super::{ANNA, program_for};
use crate::kit::mail::realistic;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer};

/// UIDs that the archive's mailbox of this name holds.
fn uids(program: &Program, mailbox: &str) -> Vec<u32> {
    let archive = program.archive(ANNA);
    archive.mailbox(mailbox).messages.keys().copied().collect()
}

#[test]
fn a_connection_that_dies_once_before_a_message_costs_nothing() {
    for behaviour in [Behaviour::Hangup, Behaviour::Bye("FETCH failed".to_owned())] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(80, 5)))
            .on_fetch_times(3, 1, behaviour)
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5]);
    }
}
