//! Very many accounts, and one very large mailbox: everything arrives, and what it costs in memory, threads and open
//! files does not grow with the accounts. Speed is measured by `tests/bench/scale`.

use serde_json::json;

use super::{assert_same, contents, effort};
use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{EXPORT, IMPORT, Output, Program, Usage, server_json};
use crate::kit::run::reader::{HeldMailbox, Reader};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

/// Accounts at a time.
const WORKERS: usize = 16;

/// A server whose accounts these are, all with the same password.
fn server(users: &[String]) -> Dovecot {
    let accounts = users.iter().map(|user| (user.clone(), PASSWORD.to_owned()));
    Dovecot::start(DovecotOptions {
        accounts: accounts.collect(),
        // 256 MB by default, of which half a million names of files and their cache leave nothing.
        extra_config: "default_vsz_limit = 2G\n".to_owned(),
        ..DovecotOptions::default()
    })
}

/// A configuration for the old server and one for the new one.
fn program(old: &Endpoint, new: &Endpoint, users: &[String]) -> Program {
    let program = Program::new();
    for (name, endpoint) in [("export", old), ("import", new)] {
        let accounts: Vec<_> = users
            .iter()
            .map(|user| json!({"email": user, "password": PASSWORD}))
            .collect();
        let config = json!({"server": server_json(endpoint), "accounts": accounts});
        program.file(&format!("{name}.pass.config.json"), &config.to_string());
    }
    program
}

/// All modes in turn, each with what it had at most.
fn round_trip(program: &Program) -> Vec<(&'static str, Output, Usage)> {
    let workers = ["--max-workers".to_owned(), WORKERS.to_string()];
    let modes: [(&str, &[&str]); 7] = [
        ("test", &["--mode", "test", "--imapsync", "never"]),
        ("export", &EXPORT[..3]),
        ("export again", &EXPORT),
        ("audit", &["--mode", "audit"]),
        ("import", &IMPORT),
        ("import again", &IMPORT),
        (
            "validate",
            &["--mode", "validate", "--deep", "--no-connectivity-test"],
        ),
    ];
    let run = |(mode, words): (&'static str, &[&str])| {
        let words = words.iter().copied();
        let words = words.chain(workers.iter().map(String::as_str));
        let (output, usage) = program.spawn(words).watch();
        output.code(0);
        eprintln!("{mode}: {usage:?}");
        (mode, output, usage)
    };
    modes.map(run).into()
}

fn held(endpoint: &Endpoint, user: &str) -> Vec<HeldMailbox> {
    Reader::new(endpoint, user, PASSWORD).mailboxes()
}

#[test]
fn thousands_of_accounts_need_no_more_than_a_few() {
    let users: Vec<String> = (0..effort(150, 2000))
        .map(|number| format!("user{number}@example.com"))
        .collect();
    let (old, new) = (server(&users), server(&users));
    for (number, user) in users.iter().enumerate() {
        let mails = realistic(number as u64, number % 4);
        old.seed(user, "INBOX", &mails);
    }
    let program = program(&old.plain(), &new.plain(), &users);
    for (mode, output, usage) in round_trip(&program) {
        // A worker has its own thread, one that writes or reads beside it, a connection and a few files; threads of an
        // export may still be ending when those of its audit begin.
        assert!(usage.threads <= 4 * WORKERS + 4, "{mode}: {usage:?}");
        assert!(usage.files <= 6 * WORKERS + 16, "{mode}: {usage:?}");
        assert!(usage.memory < 64 << 20, "{mode}: {usage:?}");
        assert!(!output.stderr.contains("WARN"), "{}", output.describe());
    }
    for user in users.iter().step_by(effort(15, 20)) {
        let truth = held(&old.plain(), user);
        assert_archive_equals_server(&program.archive(user), &truth);
        assert_same(&contents(&held(&new.plain(), user)), &contents(&truth));
    }
}

#[test]
fn a_very_large_mailbox_costs_no_more_a_message() {
    let user = "anna@example.com".to_owned();
    let users = [user.clone()];
    let (old, new) = (server(&users), server(&users));
    let count: u64 = effort(6_000, 500_000);
    let mails: Vec<Mail> = (0..count)
        .map(|number| {
            let text = format!(
                "Message-ID: <{number}@example.com>\r\nFrom: anna@example.com\r\nSubject: {number}\r\n\r\n{number}\r\n"
            );
            Mail::new(number.to_string(), text).at(1_000_000_000 + number)
        })
        .collect();
    old.seed(&user, "INBOX", &mails);
    drop(mails);
    let program = program(&old.plain(), &new.plain(), &users);
    let mut runs = round_trip(&program);
    old.seed(&user, "INBOX", &realistic(1, 1));
    let (output, usage) = program.spawn_export(&[]).watch();
    output.code(0);
    runs.push(("export of one more", output, usage));
    for (mode, _, usage) in runs {
        // What is listed or compared is in memory, some hundred bytes a message; bodies never are.
        let most = (48 << 20) + 600 * count;
        assert!(usage.memory < most, "{mode}: {usage:?}");
    }
    program.run(IMPORT).code(0);
    let truth = held(&old.plain(), &user);
    assert_archive_equals_server(&program.archive(&user), &truth);
    assert_same(&contents(&held(&new.plain(), &user)), &contents(&truth));
}
