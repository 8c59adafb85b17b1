//! What Exchange Online and Gmail do to tokens, and no server of ours does.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{ANNA, config, error_of, export};
use crate::kit::run::program::{Program, server_json};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use crate::kit::servers::script::{Script, ScriptServer};
use crate::kit::{Security, mail};

const OFFERED: &str = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS";

fn with_token(program: &Program, server: &crate::kit::Endpoint) {
    program.file("token", "ya29.token-not-to-be-seen");
    program.keep_secrets(["ya29.token-not-to-be-seen"]);
    config(program, server, &json!({"token_file": "token"}), &[ANNA]);
}

#[test]
fn a_session_that_ends_with_its_token_is_followed_at_once_and_is_no_trouble() {
    for goodbye in [
        "Session invalidated - AccessTokenExpired",
        "Session expired, please login again",
    ] {
        let fetched = AtomicUsize::new(0);
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&mail::realistic(1, 20)))
            .capabilities(OFFERED)
            .on_command(move |command| {
                let is_fetch = command.text().contains("BODY.PEEK[]");
                let hit = is_fetch && fetched.fetch_add(1, Ordering::SeqCst) == 0;
                hit.then(|| Reply::bye(goodbye))
            })
            .start();
        let program = Program::new();
        with_token(&program, &server.endpoint());
        let output = program.export(&["-v"]);
        output
            .code(0)
            .warns("trying again on a new connection at once");
        assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 20);
    }
}

#[test]
fn a_login_that_is_accepted_and_opens_nothing_is_told_with_the_missing_right() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mail::realistic(1, 2)))
        .capabilities(OFFERED)
        .on_command(|command| {
            let text = command.text();
            (text.starts_with("EXAMINE") || text.contains(" EXAMINE "))
                .then(|| Reply::tagged("BAD User is authenticated but not connected."))
        })
        .start();
    let program = Program::new();
    with_token(&program, &server.endpoint());
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 1, "{report}");
    assert!(report.to_string().contains("not connected"), "{report}");
}

#[test]
fn the_challenge_that_says_why_is_answered_and_shown() {
    // {"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"} and a line end, as Gmail sends it.
    let challenge = "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K";
    for (mechanism, offered, answer) in [
        ("xoauth2", "AUTH=XOAUTH2 SASL-IR", ""),
        ("oauthbearer", "AUTH=OAUTHBEARER SASL-IR", "AQ=="),
    ] {
        let script = Script::new()
            .send(&format!("* OK [CAPABILITY IMAP4rev1 {offered}] ready\r\n"))
            .expect_that("AUTHENTICATE with its response", move |command| {
                command.text().split(' ').count() == 4
            })
            .send(&format!("+ {challenge}\r\n"))
            .expect_line(answer)
            .send("{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n");
        let server = ScriptServer::start(vec![script]);
        let program = Program::new();
        program.file("token", "ya29.token-not-to-be-seen");
        let auth = json!({"token_file": "token", "mechanism": mechanism});
        config(&program, &server.endpoint(Security::Plain), &auth, &[ANNA]);
        let (code, report) = export(&program, &[]);
        assert_eq!(code, 1);
        let error = error_of(&report, ANNA);
        for words in ["401", "https://mail.google.com/", "Invalid credentials"] {
            assert!(error.contains(words), "{error}");
        }
        program.keep_secrets(["ya29.token-not-to-be-seen"]);
        assert_eq!(
            server.connections(),
            1,
            "a refused token is not tried again"
        );
    }
}

#[test]
fn without_sasl_ir_the_token_waits_for_the_servers_plus() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mail::realistic(1, 2)))
        .capabilities("IMAP4rev1 AUTH=XOAUTH2")
        .accounts(&[(ANNA, "ya29.token-not-to-be-seen")])
        .start();
    let program = Program::new();
    with_token(&program, &server.endpoint());
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 2);
}

#[test]
fn a_server_that_takes_no_token_is_not_sent_one() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .capabilities("IMAP4rev1 AUTH=PLAIN")
        .start();
    let program = Program::new();
    program.file("token", "ya29.token-not-to-be-seen");
    let accounts: Value = json!([{"email": ANNA, "auth": {"token_file": "token"}}]);
    program.config_json(&json!({"server": server_json(&server.endpoint()), "accounts": accounts}));
    let (code, report) = export(&program, &[]);
    let error = error_of(&report, ANNA);
    assert!(code == 1 && error.contains("XOAUTH2"), "{error}");
    let sent = server.commands();
    let is_login = |text: String| text.contains("LOGIN") || text.contains("AUTHENTICATE");
    assert!(
        !sent.iter().any(|command| is_login(command.text())),
        "{sent:?}"
    );
}
