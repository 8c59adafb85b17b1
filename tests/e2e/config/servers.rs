//! Several servers in one configuration; administrators that log in for others.

use serde_json::{Value, json};

use super::assert_hidden;
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::imapsync::Imapsync;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::run::report::report;
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::port;

const ANNA: &str = "anna@example.com";
const BEN: &str = "ben@example.com";
const MASTER_PASSWORD: &str = "of-the-master-99";

const EXPORT: [&str; 6] = [
    "--mode",
    "export",
    "--imapsync",
    "never",
    "--report",
    "report.json",
];

fn statuses(program: &Program) -> Vec<(String, String)> {
    let report = report(program);
    let accounts = report["accounts"].as_array().expect("accounts");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |account: &Value| (text(&account["account"]), text(&account["status"]));
    accounts.iter().map(one).collect()
}

#[test]
fn each_account_is_on_its_own_server_and_one_that_is_down_is_its_accounts_affair() {
    let (one, two) = (Dovecot::simple(), Dovecot::simple());
    one.seed(ANNA, "INBOX", &realistic(1, 3));
    two.seed(ANNA, "INBOX", &realistic(2, 5));
    let program = Program::new();
    program.config_json(&json!({
        "server": server_json(&one.imaps()),
        "servers": {
            "two": server_json(&two.starttls()),
            "down": {"host": "127.0.0.1", "port": port::free()},
        },
        "accounts": [
            {"email": ANNA, "password": PASSWORD},
            {"email": ANNA, "archive": "anna of two", "server": "two", "password": PASSWORD},
            {"email": BEN, "server": "down", "password": PASSWORD},
        ],
    }));
    let output = program.run(EXPORT.iter().chain(&["--ignore-errors"]));
    output.code(1).says("anna of two (two)");
    let expected = [
        (ANNA, "complete"),
        ("anna of two", "complete"),
        (BEN, "failed"),
    ];
    assert_eq!(
        statuses(&program),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    for (server, name) in [(&one, ANNA), (&two, "anna of two")] {
        let held = Reader::new(&server.imaps(), ANNA, PASSWORD).mailboxes();
        assert_archive_equals_server(&program.archive(name), &held);
    }
    let template = std::fs::read_to_string(program.path("import.pass.config.json"));
    let template: Value = serde_json::from_str(&template.expect("a template")).expect("JSON");
    assert_eq!(template["accounts"][1]["archive"], "anna of two");
    assert!(
        template["accounts"][1].get("server").is_none(),
        "{template}"
    );
}

#[test]
fn a_host_that_refuses_five_logins_keeps_no_other_host_from_being_tried() {
    let (bad, good) = (Dovecot::simple(), Dovecot::simple());
    let mut accounts: Vec<Value> = (0..8)
        .map(|n| json!({"email": format!("nobody{n}@example.com"), "server": "bad", "password": "wrong-password"}))
        .collect();
    accounts.push(json!({"email": ANNA, "server": "good", "password": PASSWORD}));
    let program = Program::new();
    program.config_json(&json!({
        "servers": {"bad": server_json(&bad.imaps()), "good": server_json(&good.imaps())},
        "accounts": accounts,
    }));
    let words = [
        "--mode",
        "test",
        "--imapsync",
        "never",
        "--report",
        "report.json",
        "--max-workers",
        "2",
    ];
    let output = program.run(words);
    output
        .code(1)
        .says("not tried: 5 accounts before it were refused on this host");
    assert_eq!(
        statuses(&program).pop(),
        Some((ANNA.to_owned(), "complete".to_owned()))
    );
    let place = format!("{}:{}: TLS:", good.imaps().host, good.imaps_port);
    output.says(&place);
}

#[test]
fn imapsync_is_asked_about_each_host_once_and_the_configuration_can_do_without_it() {
    let (one, two) = (Dovecot::simple(), Dovecot::simple());
    let config = |imapsync: Option<&str>| {
        let mut config = json!({
            "servers": {
                "one": server_json(&one.imaps()),
                "the same": server_json(&one.imaps()),
                "two": server_json(&two.imaps()),
            },
            "accounts": [
                {"email": ANNA, "server": "one", "password": PASSWORD},
                {"email": ANNA, "archive": "b", "server": "the same", "password": PASSWORD},
                {"email": ANNA, "archive": "c", "server": "two", "password": PASSWORD},
            ],
        });
        if let Some(word) = imapsync {
            config["imapsync"] = json!(word);
        }
        config
    };
    let (program, imapsync) = Imapsync::put(Program::new(), "echo 'Host1: says hello'");
    program.config_json(&config(None));
    program.run(["--mode", "test"]).code(0);
    assert_eq!(imapsync.calls().len(), 2, "{:?}", imapsync.calls());
    let program = Program::new();
    program.config_json(&config(Some("auto")));
    program
        .run(["--mode", "test"])
        .code(0)
        .says("imapsync: not used");
    program
        .run(["--mode", "test", "--imapsync", "require"])
        .code(2)
        .warns("imapsync is not on PATH");
    program.config_json(&config(Some("perhaps")));
    program
        .run(["--mode", "test"])
        .code(2)
        .warns("imapsync: must be one of require, auto, never");
}

#[test]
fn a_server_that_is_not_there_is_a_problem_of_the_configuration() {
    let program = Program::new();
    program.config_json(&json!({
        "servers": {"one": {"host": "a.example"}, "two": {"host": "b.example"}},
        "accounts": [
            {"email": ANNA, "server": "three", "password": PASSWORD},
            {"email": BEN, "password": PASSWORD},
        ],
    }));
    program
        .run(["--mode", "test"])
        .code(2)
        .warns("accounts[0].server: there is no server three; \"servers\" has: one, two")
        .warns("accounts[1].server: is missing, and there is no default");
}

/// Dovecot with two users and an administrator.
fn dovecot_with_master() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions {
        master: Some(("migrate".to_owned(), MASTER_PASSWORD.to_owned())),
        ..DovecotOptions::of(&[(ANNA, PASSWORD), (BEN, PASSWORD)])
    });
    dovecot.seed(ANNA, "INBOX", &realistic(3, 4));
    dovecot.seed(BEN, "INBOX", &realistic(4, 2));
    dovecot
}

#[test]
fn a_master_user_of_dovecot_opens_every_mailbox() {
    let dovecot = dovecot_with_master();
    for auth in [
        json!({"login": "{email}*migrate", "password_file": "master"}),
        json!({"mechanism": "plain", "login": "migrate", "authzid": "{email}", "password_file": "master"}),
    ] {
        let program = Program::new();
        program.file("master", &format!("{MASTER_PASSWORD}\n"));
        let mut server = server_json(&dovecot.imaps());
        server["auth"] = auth;
        program.config_json(&json!({
            "server": server,
            "accounts": [{"email": ANNA}, {"email": BEN}],
        }));
        let output = program.run(EXPORT);
        output.code(0);
        assert_hidden(&program, &output, MASTER_PASSWORD);
        for user in [ANNA, BEN] {
            let held = Reader::new(&dovecot.imaps(), user, PASSWORD).mailboxes();
            assert_archive_equals_server(&program.archive(user), &held);
        }
    }
}

#[test]
fn an_administrator_of_cyrus_acts_for_a_user() {
    let cyrus = Cyrus::start(&[("cyrus", MASTER_PASSWORD), (ANNA, PASSWORD)]);
    let anna = Reader::new(&cyrus.plain(), ANNA, PASSWORD);
    anna.append("INBOX", &realistic(5, 3));
    let program = Program::new();
    let mut server = server_json(&cyrus.plain());
    server["auth"] = json!({"login": "cyrus", "authzid": "{email}", "password": MASTER_PASSWORD});
    program.config_json(&json!({"server": server, "accounts": [{"email": ANNA}]}));
    program.run(EXPORT).code(0).hides(MASTER_PASSWORD);
    assert_archive_equals_server(&program.archive(ANNA), &anna.mailboxes());
}
