//! A migration before it begins: what it needs to know, what it refuses, and what it says would happen.

use serde_json::{Value, json};

use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::run::report::report;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

const ANNA: &str = "anna@example.com";
const BERT: &str = "bert@example.com";
/// Who Anna is at the target.
const NEW: &str = "anna@new.example";
const OTHER: &str = "another-9Kx-for-the-target";

fn source() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions::of(&[(ANNA, PASSWORD), (BERT, PASSWORD)]));
    dovecot.seed(ANNA, "INBOX", &realistic(871, 4));
    dovecot.seed(ANNA, "Work/2.4", &realistic(872, 3));
    dovecot.seed(BERT, "INBOX", &realistic(873, 2));
    dovecot
}

/// One with dots between the levels of a name, and room for so many megabytes.
fn target(users: &[(&str, &str)], megabytes: u32) -> Dovecot {
    Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        extra_config: format!(
            "mail_plugins = $mail_plugins quota\n\
            protocol imap {{\n  mail_plugins = $mail_plugins imap_quota\n}}\n\
            plugin {{\n  quota = maildir:User quota\n  quota_rule = *:storage={megabytes}M\n}}\n"
        ),
        ..DovecotOptions::of(users)
    })
}

#[test]
fn one_list_that_names_both_sides_is_all_that_a_migration_needs() {
    let (source, target) = (source(), target(&[(NEW, OTHER), (BERT, PASSWORD)], 100));
    let program = Program::new();
    program.keep_secrets([OTHER]);
    let list = format!(
        "email,password,target_email,target_password,target_server\n\
         {ANNA},{PASSWORD},{NEW},{OTHER},new\n\
         {BERT},{PASSWORD},,,new\n"
    );
    program.file("accounts.csv", &list);
    program.config_json(&json!({
        "server": server_json(&source.imaps()),
        "servers": {"new": server_json(&target.imaps())},
        "accounts_file": "accounts.csv",
    }));
    for _ in 0..2 {
        program.migrate(&["--deep"]).code(0);
        for (there, password, count) in [(NEW, OTHER, 4), (BERT, PASSWORD, 2)] {
            let inbox = Reader::new(&target.imaps(), there, password).mailbox("INBOX");
            assert_eq!(inbox.messages.len(), count, "{there}");
        }
    }
    let held = Reader::new(&source.imaps(), ANNA, PASSWORD).mailboxes();
    assert_archive_equals_server(&program.archive(ANNA), &held);
}

#[test]
fn accounts_that_would_be_copied_onto_themselves_are_named_and_nothing_begins() {
    let source = source();
    let program = Program::new();
    let accounts = json!([
        {"email": ANNA, "password": PASSWORD, "target_server": "new"},
        {"email": BERT, "password": PASSWORD, "target_server": "same"},
    ]);
    let mut elsewhere = server_json(&source.imaps());
    elsewhere["host"] = json!("127.0.0.1");
    program.config_json(&json!({
        "server": server_json(&source.imaps()),
        "servers": {"new": elsewhere, "same": server_json(&source.imaps())},
        "accounts": accounts,
    }));
    program
        .migrate(&[])
        .code(2)
        .warns("names for 1 of the accounts the login and server that they come from")
        .warns(BERT);
    assert!(!program.path("exported").exists());
}

#[test]
fn a_dry_run_says_what_would_come_and_where_it_would_go_and_changes_nothing() {
    let (source, target) = (source(), target(&[(ANNA, OTHER), (BERT, OTHER)], 1));
    let big = Mail::new(
        "big",
        [b"Subject: big\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat(),
    );
    source.seed(BERT, "Archive", &[big]);
    let program = Program::new();
    program.config(&source.imaps(), &[(ANNA, PASSWORD), (BERT, PASSWORD)]);
    program.target_config(&target.imaps(), &[(ANNA, OTHER), (BERT, OTHER)]);
    program
        .migrate(&["--dry-run"])
        .code(0)
        .says("INBOX.Work.2%2E4")
        .says("the account's quota has 1.00 MiB left");
    let report = report(&program);
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["totals"]["new"], 10);
    assert_eq!(report["accounts"][1]["preflight"]["messages"], 3);
    assert_eq!(report["accounts"][0]["preflight"]["renamed"], 1);
    assert!(!program.path("exported").exists());
    for user in [ANNA, BERT] {
        let there = Reader::new(&target.imaps(), user, OTHER).mailboxes();
        assert!(
            there.iter().all(|mailbox| mailbox.messages.is_empty()),
            "{user}"
        );
        assert_eq!(there.len(), 1, "{user} has only INBOX");
    }
    // The same is told before a run that is meant.
    program
        .migrate(&["--account", "bert*", "--until", "export"])
        .code(0)
        .warns("the account's quota has 1.00 MiB left");
}

#[test]
fn what_cannot_be_known_before_the_export_is_called_unknown() {
    let source = source();
    let target = FakeServer::options()
        .capabilities("IMAP4rev1 APPENDLIMIT=50000")
        .mailbox(FakeMailbox::new("INBOX").permanent_flags("\\Seen \\*"))
        .start();
    let program = Program::new();
    program.config(&source.imaps(), &[(ANNA, PASSWORD)]);
    program.target_config(&target.endpoint(), &[(ANNA, PASSWORD)]);
    program.migrate(&["--dry-run"]).code(0).warns(
        "not known before the export (accounts: 1): whether a message is larger than the 48.83 KiB",
    );
    let preflight = &report(&program)["accounts"][0]["preflight"];
    assert_eq!(preflight["largest"], Value::Null, "{preflight}");
    assert!(
        preflight["bytes"].as_u64().is_some_and(|bytes| bytes > 0),
        "{preflight}"
    );
}
