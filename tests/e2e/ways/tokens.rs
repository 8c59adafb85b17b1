//! Tokens from files, variables and commands, at a Dovecot that checks them by itself.

use serde_json::json;

use super::{ANNA, BEN, CHLOE, dovecot, error_of, export};
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, server_json};
use crate::kit::servers::idp::Idp;

#[test]
fn tokens_of_every_source_log_in_by_either_mechanism() {
    let idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA, BEN, CHLOE], idp.local_validation());
    for user in [ANNA, BEN, CHLOE] {
        dovecot.seed(user, "INBOX", &realistic(1, 2));
    }
    let token = |user: &str| Idp::jwt(user, 600, &json!({}));
    let program = Program::new().env("BENS_TOKEN", &token(BEN));
    program.file("anna@example.com.token", &format!("{}\n", token(ANNA)));
    program.file(
        "print-token",
        &format!(
            "echo '{{\"access_token\":\"{}\",\"expires_in\":600}}'",
            token(CHLOE)
        ),
    );
    program.keep_secrets([ANNA, BEN, CHLOE].map(token));
    program.config_json(&json!({
        "server": server_json(&dovecot.imaps()),
        "accounts": [
            {"email": ANNA, "auth": {"token_file": "{email}.token"}},
            {"email": BEN, "auth": {"token_env": "BENS_TOKEN", "mechanism": "xoauth2"}},
            {"email": CHLOE, "auth": {"token_command": ["sh", "print-token"], "mechanism": "oauthbearer"}},
        ],
    }));
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 0, "{report}");
    for user in [ANNA, BEN, CHLOE] {
        let archive = program.archive(user);
        assert_eq!(archive.mailbox("INBOX").messages.len(), 2, "{user}");
    }
    let log = dovecot.log();
    for (user, method) in [(ANNA, "XOAUTH2"), (BEN, "XOAUTH2"), (CHLOE, "OAUTHBEARER")] {
        let line = format!("user=<{user}>, method={method}");
        assert!(log.contains(&line), "{line} is missing in\n{log}");
    }
}

#[test]
fn a_token_that_proves_nothing_ends_its_account_at_once_with_the_servers_reason() {
    let idp = Idp::start(&[]);
    let bad = [
        (
            "expired@example.com",
            Idp::jwt("expired@example.com", -30, &json!({})),
        ),
        (
            "issuer@example.com",
            Idp::jwt(
                "issuer@example.com",
                600,
                &json!({"iss": "https://elsewhere.test"}),
            ),
        ),
        (
            "audience@example.com",
            Idp::jwt("audience@example.com", 600, &json!({"aud": "graph"})),
        ),
        ("other@example.com", Idp::jwt(ANNA, 600, &json!({}))),
        ("garbage@example.com", "not-a-token-at-all".to_owned()),
    ];
    let users: Vec<&str> = bad.iter().map(|(user, _)| *user).collect();
    let dovecot = dovecot(&users, idp.local_validation());
    for mechanism in ["xoauth2", "oauthbearer"] {
        let program = Program::new();
        for (user, token) in &bad {
            program.file(&format!("{user}.token"), token);
            program.keep_secrets([token]);
        }
        let auth = json!({"token_file": "{email}.token", "mechanism": mechanism});
        super::config(&program, &dovecot.imaps(), &auth, &users);
        let before = dovecot.log().matches("auth failed, 1 attempts").count();
        let output = program.export(&["--ignore-errors", "--report", "report.json"]);
        output
            .code(1)
            .says("see above what the tokens of 5 accounts lack");
        let report = super::report_of(&program, &output);
        for user in &users {
            let error = error_of(&report, user);
            assert!(
                error.contains("AUTHENTICATIONFAILED")
                    && error.contains("\"status\"")
                    && error.contains("likely cause"),
                "{user}: {error}"
            );
        }
        let after = dovecot.log().matches("auth failed, 1 attempts").count();
        assert_eq!(
            after - before,
            users.len(),
            "one try an account\n{}",
            dovecot.log()
        );
    }
}

#[test]
fn a_token_file_is_read_at_each_login_and_a_failing_command_is_in_the_report() {
    let idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA, BEN, CHLOE], idp.local_validation());
    let program = Program::new();
    program.file("token", &Idp::jwt(ANNA, -30, &json!({})));
    let long = "x".repeat(7000);
    program.file("long", &long);
    program.config_json(&json!({
        "server": server_json(&dovecot.imaps()),
        "accounts": [
            {"email": ANNA, "auth": {"token_file": "token"}},
            {"email": BEN, "auth": {"token_command": "echo secret-so-far; echo the vault is locked >&2; exit 7"}},
            {"email": CHLOE, "auth": {"token_file": "long"}},
        ],
    }));
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 1);
    let ben = error_of(&report, BEN);
    assert!(
        ben.contains("the vault is locked") && ben.contains('7'),
        "{ben}"
    );
    let chloe = error_of(&report, CHLOE);
    assert!(chloe.contains("7000 bytes"), "{chloe}");
    assert!(
        !dovecot.log().contains(&format!("user=<{CHLOE}>")),
        "it was not sent"
    );

    program.file("token", &Idp::jwt(ANNA, 600, &json!({})));
    let (_, report) = export(&program, &["--account", ANNA]);
    assert_eq!(error_of(&report, ANNA), "", "{report}");
}
