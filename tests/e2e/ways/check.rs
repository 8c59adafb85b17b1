//! What the test of connections tells of tokens.

use serde_json::json;

use super::{ANNA, BEN, config, dovecot};
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use crate::kit::servers::idp::Idp;

const TEST: [&str; 4] = ["--mode", "test", "--imapsync", "never"];

#[test]
fn the_test_shows_mechanism_provider_and_how_long_the_token_lasts() {
    let idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA, BEN], idp.introspection("%d"));
    let program = Program::new();
    config(
        &program,
        &dovecot.imaps(),
        &json!({"oauth": idp.app()}),
        &[ANNA, BEN],
    );
    let output = program.run(TEST);
    output
        .code(0)
        .says("XOAUTH2, microsoft, 59 min left")
        .says("inbox");
    assert_eq!(idp.given(), 1);
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_login_that_opens_no_mailbox_fails_the_test_with_the_step_that_is_missing() {
    let idp = Idp::start(&[]);
    for name in ["EXAMINE", "LIST"] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX"))
            .capabilities("IMAP4rev1 AUTH=XOAUTH2 SASL-IR")
            .on_command(move |command| {
                let refused = command.text().contains(&format!(" {name} "));
                refused.then(|| Reply::tagged("BAD User is authenticated but not connected."))
            })
            .start();
        let program = Program::new();
        config(
            &program,
            &server.endpoint(),
            &json!({"oauth": idp.app()}),
            &[ANNA],
        );
        let output = program.run(TEST);
        output
            .says("not connected")
            .says("Add-MailboxPermission")
            .says("Set-CASMailbox");
        assert_ne!(output.status.code(), Some(0));
        program.keep_secrets(idp.secrets());
    }
}

#[test]
fn a_fresh_token_that_is_refused_is_told_with_the_step_that_is_missing() {
    let mut idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA], idp.introspection("%d"));
    idp.set("dead_below", json!(1000));
    let program = Program::new();
    config(
        &program,
        &dovecot.imaps(),
        &json!({"oauth": idp.app()}),
        &[ANNA],
    );
    let output = program.run(TEST);
    output
        .says("New-ServicePrincipal")
        .says("AUTHENTICATIONFAILED");
    assert_ne!(output.status.code(), Some(0));
}
