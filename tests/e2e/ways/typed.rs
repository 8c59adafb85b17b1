//! Passwords that stand nowhere: typed on a terminal, and missing where there is none.

use serde_json::{Value, json};

use super::{ANNA, BEN, config, dovecot};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{EXPORT, Program, server_json};
use crate::kit::run::terminal::on_terminal;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const TYPED: &str = "typed \" by Änne";
const MASTER_PASSWORD: &str = "of the master only";

#[test]
fn a_typed_password_exports_and_is_neither_shown_nor_kept() {
    let server = Dovecot::start(DovecotOptions::of(&[(ANNA, TYPED), (BEN, PASSWORD)]));
    server.seed(ANNA, "INBOX", &realistic(9, 5));
    let program = Program::new();
    program.keep_secrets([TYPED]);
    let endpoint = server.imaps();
    program.config_json(&json!({
        "server": server_json(&endpoint),
        "accounts": [{"email": ANNA}, {"email": BEN, "password": PASSWORD}],
    }));
    let question = format!("Password of {ANNA} at {}:{}", endpoint.host, endpoint.port);
    let typed = format!("{TYPED}\r");
    let steps = json!([[question, "\r"], ["type it", typed]]);
    let words = [&EXPORT[..], &["-v", "-v"]].concat();
    let (code, shown) = on_terminal(&program, &words, &steps);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(TYPED), "{shown}");
    assert!(!shown.contains(&format!("Password of {BEN}")), "{shown}");
    assert_eq!(program.archive(ANNA).state()["complete"], true);
    let template = std::fs::read_to_string(program.path("import.pass.config.json"));
    let template: Value = serde_json::from_str(&template.expect("a template")).expect("JSON");
    assert_eq!(template["accounts"][0], json!({"email": ANNA}));
}

#[test]
fn the_password_of_a_servers_master_is_typed_once() {
    let server = Dovecot::start(DovecotOptions {
        master: Some(("master".to_owned(), MASTER_PASSWORD.to_owned())),
        ..DovecotOptions::of(&[(ANNA, PASSWORD), (BEN, PASSWORD)])
    });
    let program = Program::new();
    program.keep_secrets([MASTER_PASSWORD]);
    let auth = json!({"login": "{email}*master"});
    config(&program, &server.imaps(), &auth, &[ANNA, BEN]);
    let typed = format!("{MASTER_PASSWORD}\r");
    let steps = json!([["Password for all accounts at ", typed]]);
    let (code, shown) = on_terminal(&program, &EXPORT, &steps);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(MASTER_PASSWORD), "{shown}");
    for user in [ANNA, BEN] {
        assert_eq!(program.archive(user).state()["complete"], true);
    }
}

#[test]
fn leaving_the_question_begins_nothing() {
    let server = dovecot(&[ANNA], String::new());
    for key in ["\u{1b}", "\u{3}"] {
        let program = Program::new();
        config(&program, &server.imaps(), &json!({}), &[ANNA]);
        let words = [&EXPORT[..], &["--report", "report.json"]].concat();
        let (code, shown) = on_terminal(&program, &words, &json!([["Password of ", key]]));
        assert_eq!(code, Some(130), "{shown}");
        assert!(shown.contains("nothing was begun"), "{shown}");
        for name in ["exported", "logs", "import.pass.config.json"] {
            assert!(!program.path(name).exists(), "{name}");
        }
        let report = std::fs::read_to_string(program.path("report.json")).expect("a report");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["exit_code"], 130);
    }
}

#[test]
fn without_a_terminal_or_a_login_a_missing_password_is_a_problem() {
    let server = dovecot(&[ANNA], String::new());
    let program = Program::new();
    config(&program, &server.imaps(), &json!({}), &[ANNA]);
    let problem = format!("accounts[0].password: account {ANNA} has no password");
    program.run(EXPORT).code(2).warns(&problem);
    let words = ["--mode", "audit", "--audit-offline"];
    let (code, shown) = on_terminal(&program, &words, &json!([]));
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains(&problem), "{shown}");
}
