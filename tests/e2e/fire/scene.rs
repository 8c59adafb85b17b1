//! Where the tests of crashes, disks and limits take place: four accounts full of mail, and empty ones to import into.

use std::fs;

use serde_json::{Value, json};

use super::{ANNA, assert_same, contents};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::{Archive, ArchivedMessage, assert_archive_equals_server};
use crate::kit::run::program::{EXPORT, IMPORT, Output, Program, server_json};
use crate::kit::run::reader::{HeldMailbox, Reader};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

/// Accounts of the source.
pub const USERS: [&str; 4] = [
    "anna@example.com",
    "ben@example.com",
    "cleo@example.com",
    "dan@example.com",
];

/// Mail for four accounts, and `targets` empty ones.
pub fn server(targets: usize) -> Dovecot {
    let mut options = DovecotOptions::of(&USERS.map(|user| (user, PASSWORD)));
    for number in 0..targets {
        options.accounts.push((target(number), PASSWORD.to_owned()));
    }
    let dovecot = Dovecot::start(options);
    for (user, seed) in USERS.iter().zip(200..) {
        dovecot.seed(user, "INBOX", &realistic(seed, 60));
        dovecot.seed(user, "Sent", &realistic(seed + 50, 40));
    }
    dovecot
}

/// The login of an empty account.
pub fn target(number: usize) -> String {
    format!("target{number}@example.com")
}

/// What an account holds on the server.
pub fn held(dovecot: &Dovecot, user: &str) -> Vec<HeldMailbox> {
    Reader::new(&dovecot.plain(), user, PASSWORD).mailboxes()
}

/// What each of the source's accounts holds.
pub fn truth(dovecot: &Dovecot) -> Vec<(&'static str, Vec<HeldMailbox>)> {
    USERS.map(|user| (user, held(dovecot, user))).to_vec()
}

/// A program that exports all accounts.
pub fn exporter(dovecot: &Dovecot) -> Program {
    let program = Program::new();
    program.config(&dovecot.plain(), &USERS.map(|user| (user, PASSWORD)));
    program
}

/// Imports Anna's mail as another login.
pub fn importer(dovecot: &Dovecot, login: &str) -> Program {
    let program = Program::new();
    let config = json!({
        "server": server_json(&dovecot.plain()),
        "accounts": [{"email": ANNA, "login": login, "password": PASSWORD}],
    });
    program.file("import.pass.config.json", &config.to_string());
    program
}

/// Anna's mail in an archive, to be imported.
pub struct Archived {
    pub dovecot: Dovecot,
    /// What her account holds.
    pub truth: Vec<HeldMailbox>,
    /// Whoever exported it.
    pub source: Program,
}

/// The same with so many empty accounts for it to go to.
pub fn archived(targets: usize) -> Archived {
    let dovecot = server(targets);
    let truth = held(&dovecot, ANNA);
    let source = exporter(&dovecot);
    export(&source).code(0);
    Archived {
        dovecot,
        truth,
        source,
    }
}

impl Archived {
    /// A program that imports it into the account of this number.
    pub fn importer(&self, number: usize) -> Program {
        let program = importer(&self.dovecot, &target(number));
        copy_tree(&self.source, &program);
        program
    }

    /// The account of this number holds all of it, once.
    #[track_caller]
    pub fn assert_on_target(&self, number: usize) {
        assert_on_target(&self.dovecot, &target(number), &self.truth);
    }
}

/// An export that ends on no small disk by itself.
pub fn export(program: &Program) -> Output {
    program.run(EXPORT.iter().chain(&["--min-free-gb", "0"]))
}

/// The same of an import.
pub fn import(program: &Program) -> Output {
    // What was under way at the kill has settled after so many seconds.
    program.run(
        IMPORT
            .iter()
            .chain(&["--min-free-gb", "0", "--imap-timeout", "3"]),
    )
}

/// The archive equals the server.
#[track_caller]
pub fn assert_all_there(program: &Program, truth: &[(&str, Vec<HeldMailbox>)]) {
    for (user, held) in truth {
        assert_archive_equals_server(&program.archive(user), held);
    }
}

/// The target holds each message of the source once, and nothing else.
#[track_caller]
pub fn assert_on_target(dovecot: &Dovecot, login: &str, truth: &[HeldMailbox]) {
    assert_same(&contents(&held(dovecot, login)), &contents(truth));
}

/// What the state file says is durable has its bytes, whatever else is missing.
#[track_caller]
pub fn assert_state_is_true(archive: &Archive, held: &[HeldMailbox]) {
    if !archive.dir.join("export-state.json").exists() {
        return;
    }
    let state = archive.state();
    for entry in state["mailboxes"].as_array().expect("mailboxes") {
        let name = entry["name"].as_str().expect("a name");
        let truth = held.iter().find(|mailbox| mailbox.name == name);
        let truth = truth.expect("a mailbox of the server");
        let directory = entry["directory"].as_str().expect("a directory");
        for uid in uids(&entry["uids"]) {
            // What the state does not name may be half written.
            let pair = archive.dir.join(directory).join(format!("u{uid:010}"));
            let bytes = fs::read(pair.with_extension("eml"));
            let sidecar = fs::read(pair.with_extension("json"));
            let (Ok(bytes), Ok(sidecar)) = (bytes, sidecar) else {
                panic!("{name}: UID {uid} is durable and gone");
            };
            let sidecar: Value = serde_json::from_slice(&sidecar).expect("a sidecar");
            let message = ArchivedMessage { bytes, sidecar };
            let digest = message.sha256();
            assert_eq!(
                message.sidecar["sha256"],
                digest.as_str(),
                "{name}: UID {uid}"
            );
            let expected = truth.messages.iter().find(|held| held.uid == uid);
            let expected = expected.and_then(|held| held.sha256.clone());
            assert_eq!(Some(digest), expected, "{name}: UID {uid}");
        }
    }
}

/// A set of UIDs as `1:4,7`.
fn uids(set: &Value) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().expect("a UID");
    let parts = set.as_str().unwrap_or_default().split(',');
    parts
        .filter(|part| !part.is_empty())
        .flat_map(|part| match part.split_once(':') {
            Some((from, to)) => number(from)..=number(to),
            None => number(part)..=number(part),
        })
        .collect()
}

/// Copies Anna's archive.
pub fn copy_tree(from: &Program, to: &Program) {
    let target = to.path("exported");
    if !target.exists() {
        fs::create_dir(&target).expect("create the archive");
    }
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from.path("exported").join(ANNA))
        .arg(&target)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cp fails");
}
