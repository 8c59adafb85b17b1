//! How long tokens last: whoever works longer gets another one, once for all, and loses nothing.

use serde_json::{Value, json};

use super::{ANNA, BEN, config, dovecot, error_of, export};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::program::{EXPORT, IMPORT, Program};
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::idp::Idp;
use crate::kit::servers::proxy::{Damage, Fault, Proxy, Way};
use crate::kit::{Endpoint, wait_until};

const WORKERS: usize = 8;
const MESSAGES: usize = 40;

fn users() -> Vec<String> {
    (1..=WORKERS)
        .map(|n| format!("user{n}@example.com"))
        .collect()
}

/// A proxy that ends each connection after so many bytes.
fn cutting(server: &Endpoint, way: Way, at: usize) -> Proxy {
    let damage = Damage {
        way,
        at,
        fault: Fault::Close,
        always: true,
    };
    Proxy::start(server, Some(damage))
}

fn logins(dovecot: &Dovecot) -> usize {
    dovecot.log().matches("method=XOAUTH2").count()
}

/// When all are logged in, the token opens nothing any more, and no connection lasts until there is another.
fn let_the_token_end(idp: &mut Idp, dovecot: &Dovecot, proxy: &Proxy) {
    wait_until("all are logged in", || logins(dovecot) >= WORKERS);
    idp.set("dead_below", json!(1));
    wait_until("there is another token", || idp.given() > 1);
    proxy.heal();
}

fn mail() -> Vec<Mail> {
    realistic(1, MESSAGES)
}

#[test]
fn a_token_that_ends_in_the_middle_of_an_export_is_renewed_once_for_eight_workers() {
    let mut idp = Idp::start(&[]);
    let users = users();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    let dovecot = dovecot(&names, idp.introspection("%d"));
    for user in &names {
        dovecot.seed(user, "INBOX", &mail());
    }
    let proxy = cutting(&dovecot.plain(), Way::ToClient, 30_000);
    let program = Program::new();
    let oauth = json!({"oauth": idp.app()});
    config(&program, &proxy.endpoint(), &oauth, &names);
    let running =
        program.spawn(
            EXPORT
                .iter()
                .chain(&["--max-workers", "8", "--report", "report.json"]),
        );
    let_the_token_end(&mut idp, &dovecot, &proxy);
    running.wait().code(0);
    assert_eq!(idp.outcomes(), ["granted"; 2], "one token, one renewal");
    for user in &names {
        let archive = program.archive(user);
        assert_eq!(archive.mailbox("INBOX").messages.len(), MESSAGES, "{user}");
    }
    program.audit(&[]).code(0);
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_token_that_ends_in_the_middle_of_an_import_doubles_and_loses_nothing() {
    let mut idp = Idp::start(&[]);
    let users = users();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    let source = dovecot(&names, String::new());
    for user in &names {
        source.seed(user, "INBOX", &mail());
    }
    let program = Program::new();
    program.config(&source.plain(), &source.accounts());
    program.export(&[]).code(0);
    let target = dovecot(&names, idp.introspection("%d"));
    let proxy = cutting(&target.plain(), Way::ToServer, 30_000);
    let mut server = crate::kit::run::program::server_json(&proxy.endpoint());
    server["auth"] = json!({"oauth": idp.app()});
    let accounts: Vec<Value> = names.iter().map(|user| json!({"email": user})).collect();
    let text = json!({"server": server, "accounts": accounts}).to_string();
    program.file("import.pass.config.json", &text);
    let running = program.spawn(IMPORT.iter().chain(&["--max-workers", "8"]));
    let_the_token_end(&mut idp, &target, &proxy);
    running.wait().code(0);
    assert_eq!(idp.outcomes(), ["granted"; 2], "one token, one renewal");
    for user in &names {
        let count = target.doveadm(&["mailbox", "status", "-u", user, "messages", "INBOX"]);
        assert_eq!(count.trim(), format!("INBOX messages={MESSAGES}"), "{user}");
    }
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_token_is_renewed_before_its_end_and_asked_for_at_every_connection() {
    let mut idp = Idp::start(&[]);
    idp.set("life", json!(4));
    let dovecot = dovecot(&[ANNA], idp.introspection("%d"));
    dovecot.seed(ANNA, "INBOX", &mail());
    let proxy = cutting(&dovecot.plain(), Way::ToClient, 20_000);
    let program = Program::new();
    config(
        &program,
        &proxy.endpoint(),
        &json!({"oauth": idp.app()}),
        &[ANNA],
    );
    let running = program.spawn(EXPORT);
    wait_until("there is a second token", || idp.given() > 1);
    proxy.heal();
    running.wait().code(0);
    // No login was refused: the next token came before the end of the first.
    assert!(!dovecot.log().contains("auth failed"), "{}", dovecot.log());
    assert_eq!(
        program.archive(ANNA).mailbox("INBOX").messages.len(),
        MESSAGES
    );
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_fresh_token_that_is_refused_ends_the_account_and_no_other_one_is_asked_for() {
    let mut idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA, BEN], idp.introspection("%d"));
    idp.set("dead_below", json!(1000));
    let program = Program::new();
    config(
        &program,
        &dovecot.plain(),
        &json!({"oauth": idp.app()}),
        &[ANNA, BEN],
    );
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 1);
    for user in [ANNA, BEN] {
        let error = error_of(&report, user);
        for words in [
            "AUTHENTICATIONFAILED",
            "401",
            "New-ServicePrincipal",
            "Enterprise application",
        ] {
            assert!(error.contains(words), "{error}");
        }
    }
    assert_eq!(idp.given(), 1);
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_server_that_cannot_ask_about_tokens_is_trouble_that_passes() {
    let mut idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA], idp.introspection("%d"));
    dovecot.seed(ANNA, "INBOX", &realistic(1, 2));
    idp.set("introspect", json!(500));
    let program = Program::new();
    config(
        &program,
        &dovecot.plain(),
        &json!({"oauth": idp.app()}),
        &[ANNA],
    );
    let running = program.spawn(EXPORT);
    wait_until("it is tried again", || {
        running.stderr().contains("trying again")
    });
    idp.set("introspect", json!(200));
    running.wait().code(0);
    assert_eq!(idp.given(), 1);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 2);
}
