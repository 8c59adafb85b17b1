//! A server that wants to be left alone for long: nothing failed, the others go on, and the next run goes on too.

use serde_json::json;

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::report::report;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer};

const ANNA: &str = "anna@example.com";

/// Asks for so much patience once, in the middle of INBOX.
fn impatient(milliseconds: u64) -> FakeServer {
    let text = format!("Request is throttled. Suggested Backoff Time: {milliseconds} milliseconds");
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(43, 3)))
        .on_fetch_times(2, 1, Behaviour::Bye(text))
        .start()
}

#[test]
fn an_account_is_parked_the_others_go_on_and_the_next_run_completes_it() {
    let server = impatient(3_600_000);
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(44, 2));
    let program = Program::new();
    let config = json!({
        "server": server_json(&server.endpoint()),
        "servers": {"other": server_json(&dovecot.imaps())},
        "accounts": [
            {"email": ANNA, "password": PASSWORD, "archive": "parked"},
            {"email": ANNA, "password": PASSWORD, "server": "other", "archive": "other"},
        ],
    });
    program.config_json(&config);
    let arguments = ["--max-workers", "1", "--report", "report.json"];
    program
        .export(&arguments)
        .code(75)
        .says("export parked: 1 of 2 accounts complete, 1 account parked; run it again after ");
    let parked = &report(&program)["accounts"][0];
    assert_eq!(parked["status"], "parked");
    assert!(
        parked["parked_until"]
            .as_str()
            .is_some_and(|until| until.ends_with('Z')),
        "{parked}"
    );
    assert_eq!(program.archive("other").mailbox("INBOX").messages.len(), 2);
    let listed = program.run([
        "--mode",
        "report",
        "--reports",
        "report.json",
        "--list",
        "parked",
    ]);
    listed.code(75);
    assert_eq!(listed.stdout, "parked\n");

    program.export(&arguments).code(0);
    assert_eq!(program.archive("parked").mailbox("INBOX").messages.len(), 3);
}
