//! `limits` at a server: what the configuration allows is kept, and all of the work gets done with it.

use serde_json::json;

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const USERS: [&str; 4] = [
    "anna@example.com",
    "bert@example.com",
    "cleo@example.com",
    "dora@example.com",
];

#[test]
fn one_connection_at_a_time_does_for_all_phases_of_many_accounts() {
    let accounts = USERS.map(|user| (user, PASSWORD));
    let source = Dovecot::start(DovecotOptions::of(&accounts));
    let target = Dovecot::start(DovecotOptions::of(&accounts));
    for (number, user) in (0..).zip(USERS) {
        source.seed(user, "INBOX", &realistic(1000 + number, 3));
    }
    let program = Program::new();
    let accounts = USERS.map(|email| json!({"email": email, "password": PASSWORD}));
    for (file, server) in [
        ("export.pass.config.json", &source),
        ("import.pass.config.json", &target),
    ] {
        let mut server = server_json(&server.imaps());
        server["limits"] = json!({"connections": 1, "bytes_per_second": 2_000_000});
        let config = json!({"server": server, "accounts": accounts});
        program.file(file, &config.to_string());
    }
    program
        .run([
            "--mode",
            "migrate",
            "--imapsync",
            "never",
            "--deep",
            "--max-workers",
            "4",
        ])
        .code(0)
        .says("12 are identical byte for byte");
    for user in USERS {
        let reader = Reader::new(&source.plain(), user, PASSWORD);
        assert_archive_equals_server(&program.archive(user), &reader.mailboxes());
    }
}

#[test]
fn limits_that_make_no_sense_are_told_with_the_rest_of_the_configuration() {
    let program = Program::new();
    let config = json!({
        "server": {
            "host": "localhost",
            "limits": {"connections": 0, "bytes_per_second": "fast", "per": "week"},
        },
        "accounts": [{"email": "a@example.com", "password": "x"}],
    });
    program.config_json(&config);
    program
        .export(&[])
        .code(2)
        .warns("server.limits.connections: must be a whole number of at least 1")
        .warns("server.limits.bytes_per_second: must be a whole number of at least 10000")
        .warns("server.limits.per: must be");
}
