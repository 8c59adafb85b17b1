//! The providers: what is sent there is what they check, and what they refuse is said in words that help.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::{ANNA, BEN, CHLOE, config, dovecot, error_of, export};
use crate::kit::mail::realistic;
use crate::kit::run::program::Program;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::idp::{CLIENT_SECRET, Idp, TENANT};

const USERS: [&str; 3] = [ANNA, BEN, CHLOE];

fn seeded(idp: &Idp, whom: &str) -> Dovecot {
    let dovecot = dovecot(&USERS, idp.introspection(whom));
    for user in USERS {
        dovecot.seed(user, "INBOX", &realistic(1, 2));
    }
    dovecot
}

fn assert_exported(program: &Program) {
    for user in USERS {
        let archive = program.archive(user);
        assert_eq!(archive.mailbox("INBOX").messages.len(), 2, "{user}");
    }
}

#[test]
fn a_google_service_account_gets_a_token_for_each_user() {
    let idp = Idp::start(&USERS);
    let dovecot = seeded(&idp, "%u");
    let program = Program::new();
    program.file("sa.json", &idp.google_key_file("google").to_string());
    let oauth = json!({"provider": "google-service-account", "key_file": "sa.json", "ca_file": idp.ca_file});
    config(&program, &dovecot.imaps(), &json!({"oauth": oauth}), &USERS);
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 0, "{report}\n{:?}", idp.asked());
    assert_exported(&program);
    assert_eq!(idp.outcomes(), ["granted"; 3]);
    program.keep_secrets(idp.secrets());
}

#[test]
fn what_google_refuses_is_said_with_the_administrators_step() {
    let mut idp = Idp::start(&[ANNA]);
    let dovecot = seeded(&idp, "%u");
    let program = Program::new();
    program.file("sa.json", &idp.google_key_file("google").to_string());
    let mut oauth = json!({"provider": "google-service-account", "key_file": "sa.json", "ca_file": idp.ca_file});
    let said = |oauth: &Value, idp: &Idp| {
        config(&program, &dovecot.imaps(), &json!({"oauth": oauth}), &[BEN]);
        let (code, report) = export(&program, &[]);
        assert_eq!(code, 1, "{report}");
        program.keep_secrets(idp.secrets());
        error_of(&report, BEN)
    };
    let unknown = said(&oauth, &idp);
    assert!(unknown.contains("no such user"), "{unknown}");

    oauth["scope"] = json!("https://mail.google.com/ https://www.googleapis.com/auth/drive");
    let delegation = said(&oauth, &idp);
    for part in [
        "unauthorized_client",
        "Domain-wide delegation",
        "123456789012345678901",
        "auth/drive",
    ] {
        assert!(delegation.contains(part), "{delegation}");
    }

    let fault = |error: &str, words: &str| {
        json!({"grant": "urn:ietf:params:oauth:grant-type:jwt-bearer", "status": 400,
               "headers": {"X-Fault": "1"}, "body": {"error": error, "error_description": words}})
    };
    idp.set("faults", json!([
        fault("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."),
        fault("invalid_grant", "Invalid JWT Signature."),
        fault("admin_policy_enforced", ""),
        fault("disabled_client", ""),
        fault("invalid_scope", "Invalid OAuth scope or ID token audience provided."),
    ]));
    for cause in [
        "clock",
        "deleted or replaced",
        "policy",
        "disabled",
        "misspelt",
    ] {
        let error = said(&oauth, &idp);
        assert!(error.contains(cause), "{cause}: {error}");
    }
}

#[test]
fn a_microsoft_application_has_one_token_for_all_mailboxes() {
    let idp = Idp::start(&[]);
    let dovecot = seeded(&idp, "%d");
    let mut secret = idp.app();
    for key in ["certificate_file", "key_file"] {
        secret[key] = Value::Null;
    }
    secret["client_secret_file"] = json!("client-secret");
    for (round, oauth) in (1..).zip([idp.app(), secret]) {
        let program = Program::new();
        program.file("client-secret", &format!("{CLIENT_SECRET}\n"));
        config(&program, &dovecot.imaps(), &json!({"oauth": oauth}), &USERS);
        let (code, report) = export(&program, &[]);
        assert_eq!(code, 0, "{report}\n{:?}", idp.asked());
        assert_exported(&program);
        assert_eq!(idp.outcomes().len(), round, "one token a run");
        program.keep_secrets(idp.secrets());
    }
}

#[test]
fn what_microsoft_refuses_is_said_with_the_administrators_step() {
    let mut idp = Idp::start(&[]);
    let dovecot = seeded(&idp, "%d");
    let program = Program::new();
    let run = |oauth: &Value| {
        config(&program, &dovecot.imaps(), &json!({"oauth": oauth}), &USERS);
        let (code, report) = export(&program, &["--max-workers", "3"]);
        assert_eq!(code, 1, "{report}");
        error_of(&report, ANNA)
    };
    let mut oauth = idp.app();
    for key in ["certificate_file", "key_file"] {
        oauth[key] = Value::Null;
    }
    oauth["client_secret"] = json!("the-id-of-the-secret");
    let error = run(&oauth);
    assert!(error.contains("instead of its Value"), "{error}");
    assert_eq!(idp.asked().len(), 1, "it is asked once for all accounts");
    let faults = [
        (
            "AADSTS7000222: The provided client secret keys are expired.",
            "expired",
        ),
        (
            "AADSTS700027: Client assertion failed signature validation.",
            "not uploaded",
        ),
        (
            "AADSTS700016: Application with identifier was not found in the directory.",
            "client_id is wrong",
        ),
        ("AADSTS90002: Tenant not found.", "tenant is wrong"),
        (
            "AADSTS53003: Access has been blocked by Conditional Access policies.",
            "Conditional Access",
        ),
    ];
    let bodies = faults.map(|(words, _)| {
        json!({"grant": "client_credentials", "status": 401,
               "body": {"error": "invalid_client", "error_description": words, "error_codes": [1], "trace_id": "x"}})
    });
    idp.set("faults", json!(bodies));
    for (_, cause) in faults {
        let error = run(&idp.app());
        assert!(error.contains(cause), "{cause}: {error}");
    }
    program
        .keep_secrets(idp.secrets())
        .keep_secrets(["the-id-of-the-secret"]);
}

#[test]
fn an_endpoint_that_is_busy_is_asked_again_and_one_that_is_wrong_is_not() {
    let mut idp = Idp::start(&[]);
    let dovecot = seeded(&idp, "%d");
    let program = Program::new();
    let fault = |status: u32, headers: Value| json!({"grant": "client_credentials", "status": status, "headers": headers, "body": {}});
    idp.set(
        "faults",
        json!([
            fault(429, json!({"Retry-After": "1"})),
            fault(503, json!({}))
        ]),
    );
    config(
        &program,
        &dovecot.imaps(),
        &json!({"oauth": idp.app()}),
        &USERS,
    );
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(idp.outcomes(), ["fault", "fault", "granted"]);

    let redirect = fault(302, json!({"Location": "https://elsewhere.example/"}));
    let page =
        json!({"grant": "client_credentials", "status": 200, "body": "<html>sign in</html>"});
    let big = json!({"grant": "client_credentials", "status": 200, "body": "x".repeat(70_000)});
    let odd =
        json!({"grant": "client_credentials", "status": 200, "body": {"access_token": "a b\r\nc"}});
    idp.set(
        "faults",
        json!([
            fault(429, json!({})),
            fault(503, json!({})),
            redirect,
            page,
            big,
            odd
        ]),
    );
    for words in [
        "redirect",
        "does not answer like a token endpoint",
        "more than",
        "no access_token",
    ] {
        let (_, report) = export(&program, &[]);
        let error = error_of(&report, ANNA);
        assert!(error.contains(words), "{words}: {error}");
    }
    let mut oauth = idp.app();
    oauth["ca_file"] = Value::Null;
    config(&program, &dovecot.imaps(), &json!({"oauth": oauth}), &USERS);
    let (_, report) = export(&program, &[]);
    let error = error_of(&report, ANNA);
    assert!(
        error.contains("certificate") && error.contains("not trusted"),
        "{error}"
    );
}

#[test]
fn a_refresh_token_is_replaced_before_it_is_needed_again() {
    let mut idp = Idp::start(&[]);
    let dovecot = seeded(&idp, "%u");
    idp.set("refresh", json!({"rt-from-the-beginning": ANNA}));
    let program = Program::new();
    program.file("anna@example.com.refresh", "rt-from-the-beginning\n");
    let oauth = idp.user_client("{email}.refresh");
    config(
        &program,
        &dovecot.imaps(),
        &json!({"oauth": oauth}),
        &[ANNA],
    );
    for _ in 0..2 {
        let (code, report) = export(&program, &[]);
        assert_eq!(code, 0, "{report}");
        let path = program.path("anna@example.com.refresh");
        let kept = fs::read_to_string(&path).expect("the file");
        assert_eq!(Some(kept.trim()), idp.newest("refresh").as_deref());
        assert_eq!(path.metadata().expect("there").mode() & 0o777, 0o600);
    }
    assert_eq!(idp.outcomes(), ["granted"; 2]);

    program.file("anna@example.com.refresh", "rt-from-the-beginning\n");
    let (code, report) = export(&program, &[]);
    let error = error_of(&report, ANNA);
    assert!(code == 1 && error.contains("--mode authorize"), "{error}");
    program
        .keep_secrets(idp.secrets())
        .keep_secrets(["rt-from-the-beginning"]);
}

#[test]
fn what_is_wrong_with_a_provider_is_told_all_at_once_and_without_secrets() {
    let idp = Idp::start(&[]);
    let program = Program::new();
    let pem = fs::read_to_string(idp.path("google.key")).expect("the key");
    program.file(
        "no-key.json",
        &json!({"type": "authorized_user", "private_key": pem}).to_string(),
    );
    let server = |oauth: Value| json!({"host": "imap.example.com", "auth": {"oauth": oauth}});
    let google = |more: Value| {
        let mut oauth = json!({"provider": "google-service-account", "key_file": "no-key.json"});
        for (key, value) in more.as_object().into_iter().flatten() {
            oauth[key] = value.clone();
        }
        server(oauth)
    };
    program.config_json(&json!({
        "servers": {
            "a": google(json!({})),
            "b": google(json!({"token_url": "http://token.example.com/"})),
            "c": server(json!({"provider": "microsoft", "tenant": "common", "client_id": "x", "client_secret": "hush-hush-hush"})),
            "d": server(json!({"provider": "microsoft", "tenant": TENANT, "client_id": "x",
                               "certificate_file": idp.path("app.pem"), "key_file": idp.path("stranger.key")})),
            "e": server(json!({"provider": "refresh", "client_id": "x"})),
            "f": {"host": "imap.example.com", "auth": {"mechanism": "plain", "token_env": "X"}},
            "g": {"host": "imap.example.com", "auth": {"token_env": "X", "password_env": "Y", "login": "{user}"}},
        },
        "accounts": [{"email": ANNA, "server": "a"}],
    }));
    let output = program.export(&[]);
    output.code(2);
    for problem in [
        "servers.a.auth.oauth.key_file",
        "servers.b.auth.oauth.token_url: must begin with https://",
        "servers.c.auth.oauth.tenant: must be one tenant",
        "servers.d.auth.oauth.key_file: is not the key of certificate_file",
        "servers.e.auth.oauth.token_url: is missing",
        "servers.e.auth.oauth.refresh_token_file: is missing",
        "servers.f.auth.mechanism",
        "servers.g.auth: more than one source",
        "servers.g.auth.login",
    ] {
        output.warns(problem);
    }
    program
        .keep_secrets(idp.secrets())
        .keep_secrets(["hush-hush-hush"]);
}
