//! The whole round trip, from each kind of server to each: Dovecot, Cyrus and pymap share no code and few opinions.
//!
//! What a server cannot keep is in `limits.rs`, with what the program must say of it. All else must arrive.

mod limits;
mod server;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::limits::{Limits, Report};
use self::server::{Kind, PASSWORD, Server};
use self::source::{Source, date};
use super::{ANNA, assert_same, contents};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::findings::findings;
use crate::kit::run::program::{EXPORT, Output, Program};
use crate::kit::run::reader::{HeldMailbox, assert_unchanged};
use crate::kit::run::report::report;

/// What an audit says of such mail in any archive that holds it.
const AUDITED: [(&str, &str); 7] = [
    ("only an empty line", "warning not-mail"),
    ("one byte", "warning not-mail"),
    ("no headers at all", "warning not-mail"),
    ("body without headers and empty line", "warning not-mail"),
    ("tagged answers", "warning raw-imap"),
    ("untagged answers", "warning raw-imap"),
    ("Message-ID with 8-bit and quotes", "note sparse-header"),
];

/// The connections are tested first, but without imapsync, which may not be installed.
const TESTED: [&str; 2] = ["--imapsync", "never"];

/// Runs a mode with a report, to the end.
fn run(program: &Program, words: &[&str]) -> Output {
    program.run(words.iter().chain(&["--report", "report.json"]))
}

/// The same, the connections being tested first.
fn run_tested(program: &Program, words: &[&str]) -> Output {
    let words: Vec<&str> = words.iter().chain(&TESTED).copied().collect();
    run(program, &words)
}

#[track_caller]
fn assert_totals(program: &Program, expected: &[(&str, usize)]) {
    let totals = &report(program)["totals"];
    for (name, expected) in expected {
        assert_eq!(totals[name], *expected, "{name} of {totals:#}");
    }
}

/// UID, severity and code of each finding of the last run; all are about INBOX, one without a UID about all of it.
fn found(program: &Program) -> BTreeSet<(Option<u64>, String)> {
    let found = findings(program);
    let count = found.len();
    let found: BTreeSet<_> = found
        .iter()
        .map(|finding| {
            assert_eq!(finding["mailbox"], "INBOX", "{finding}");
            let word = |key: &str| finding[key].as_str().expect("text").to_owned();
            let uid = finding["uid"].as_u64();
            (uid, format!("{} {}", word("severity"), word("code")))
        })
        .collect();
    assert_eq!(found.len(), count, "something is told twice");
    found
}

fn exported_and_audited(source: &Source, program: &Program) {
    run_tested(program, &["--mode", "test"]).code(0);
    let count = source.names.len();
    run_tested(program, &["--mode", "export"])
        .code(0)
        .says("export complete")
        .hides(PASSWORD);
    assert_totals(program, &[("new", count), ("failed", 0)]);
    let archive = program.archive(ANNA);
    assert_archive_equals_server(&archive, &source.held);
    assert_eq!(archive.failed(), [Value::Null; 0]);

    run(program, &["--mode", "audit"]).code(1);
    let audited: BTreeMap<&str, &str> = AUDITED.into_iter().collect();
    let expected: BTreeSet<(Option<u64>, String)> = source
        .messages()
        .filter_map(|(mailbox, held)| {
            let code = audited.get(source.name(mailbox, held))?;
            Some((Some(u64::from(held.uid)), (*code).to_owned()))
        })
        .collect();
    assert_eq!(found(program), expected);
}

/// The first import: what was refused is recorded, what was lost on the way is told.
fn imported(source: &Source, target: Kind, program: &Program) {
    let refused = source.refused(target);
    let taken = source.names.len() - refused.len();
    run_tested(
        program,
        &[
            "--mode",
            "test",
            "--config",
            "import.pass.config.json",
            "--input-dir",
            "exported",
        ],
    )
    .code(0);
    import(program, &TESTED, &refused);
    assert_totals(program, &[("new", taken), ("failed", refused.len())]);
    assert_failed(program, &refused);
    let limits = Limits::of(target);
    let lost = source.keywords_lost(target);
    let report = report(program);
    let mailboxes = report["accounts"][0]["mailboxes"].as_array();
    for mailbox in mailboxes.expect("mailboxes") {
        let name = mailbox["mailbox"].as_str().expect("a name");
        let note = mailbox["note"].as_str().unwrap_or_default();
        if let Some((count, names)) = lost.as_ref().filter(|_| name == "INBOX") {
            let told =
                format!("{count} messages without flags that the target does not keep ({names})");
            assert_eq!(note, told);
        } else if limits.names.iter().any(|(refused, _)| *refused == name) {
            assert!(note.contains("the target refuses the name"), "{mailbox}");
        } else {
            assert_eq!(note, "", "{mailbox}");
        }
    }
}

/// An import with these arguments; `--ignore-errors` only where something is refused: without, nothing may be.
fn import(program: &Program, arguments: &[&str], refused: &BTreeMap<u64, &str>) {
    let mut words = vec!["--mode", "import"];
    words.extend(arguments);
    if refused.is_empty() {
        run(program, &words).code(0).says("import complete");
        return;
    }
    words.push("--ignore-errors");
    let output = run(program, &words);
    output.code(1).says("import NOT complete");
    for words in refused.values() {
        output.says(words);
    }
}

fn assert_failed(program: &Program, refused: &BTreeMap<u64, &str>) {
    let failed = program.archive(ANNA).failed();
    let failed: BTreeMap<u64, &str> = failed
        .iter()
        .map(|line| {
            assert_eq!(
                (&line["mailbox"], &line["during"]),
                (&json!("INBOX"), &json!("import"))
            );
            let uid = line["uid"].as_u64().expect("a UID");
            (uid, line["server"].as_str().expect("words"))
        })
        .collect();
    assert_eq!(
        failed.keys().collect::<Vec<_>>(),
        refused.keys().collect::<Vec<_>>()
    );
    for (uid, words) in refused {
        assert_eq!(failed[uid], format!("NO {words}"));
    }
}

/// The target holds what it is to hold, and has the source's tree and subscriptions besides its own.
fn assert_arrived(source: &Source, target: Kind, before: &[HeldMailbox], held: &[HeldMailbox]) {
    let mut there = held.to_vec();
    for message in there.iter_mut().flat_map(|held| &mut held.messages) {
        message.internaldate = date(message);
    }
    assert_same(&contents(&there), &source.expected_on(target));
    for from in source.held.iter().filter(|mailbox| mailbox.selectable) {
        let name = source.name_on(target, from);
        let to = held.iter().find(|to| to.name == name && to.selectable);
        let to = to.unwrap_or_else(|| panic!("{name} (from {}) is not on the target", from.name));
        let was_subscribed = before.iter().any(|to| to.name == name && to.subscribed);
        assert_eq!(
            to.subscribed,
            from.subscribed || was_subscribed,
            "subscription of {name}"
        );
    }
}

fn validated(source: &Source, target: Kind, program: &Program) {
    let reports = source.reports(target);
    let mut expected: BTreeSet<(Option<u64>, String)> = reports
        .iter()
        .map(|(uid, report)| {
            let code = match report {
                Report::Refused(_) => "error missing",
                Report::Found(code, _) => code,
            };
            (Some(*uid), code.to_owned())
        })
        .collect();
    let lost = source.keywords_lost(target);
    expected.extend(lost.iter().map(|_| (None, "note flags-lost".to_owned())));
    let is_clean = expected.iter().all(|(_, code)| code.starts_with("note "));
    let words = ["--mode", "validate", "--deep", "--no-connectivity-test"];
    run(program, &words).code(i32::from(!is_clean));
    assert_eq!(found(program), expected, "{:#?}", findings(program));
    for finding in findings(program) {
        let text = finding["text"].as_str().expect("text");
        let Some(uid) = finding["uid"].as_u64() else {
            let (count, names) = lost.as_ref().expect("expected above");
            let told =
                format!("{count} messages without flags that the target does not keep: {names}");
            assert_eq!(text, told);
            continue;
        };
        if let Report::Found(_, words) = reports[&uid] {
            assert!(text.ends_with(words), "{text}");
        }
    }
    let compared = &report(program)["accounts"][0]["compared"];
    let count = |key: &str| usize::try_from(compared[key].as_u64().expect("a number"));
    let there = source.expected_on(target).len();
    assert_eq!(count("matched"), Ok(there));
    assert_eq!(count("read_back"), Ok(there));
    let changed = reports
        .values()
        .filter(|report| matches!(report, Report::Found(..)));
    assert_eq!(count("identical"), Ok(there - changed.count()));
}

/// Import and export once more: there is nothing left to do, so nothing is done.
fn again(source: &Source, target: Kind, program: &Program) {
    let refused = source.refused(target);
    import(program, &["--no-connectivity-test"], &refused);
    assert_totals(program, &[("new", 0), ("failed", refused.len())]);
    assert_failed(program, &refused);
    let archived = messages_in(program);
    run(program, &EXPORT).code(0);
    assert_totals(
        program,
        &[
            ("new", 0),
            ("unchanged", source.names.len()),
            ("flags_changed", 0),
            ("vanished", 0),
            ("failed", 0),
        ],
    );
    assert_eq!(messages_in(program), archived, "a file was written anew");
    assert_archive_equals_server(&program.archive(ANNA), &source.held);
}

/// Each message file and sidecar of the archive, and which file of the file system it is.
fn messages_in(program: &Program) -> BTreeMap<PathBuf, u64> {
    let mailboxes = program.archive(ANNA).mailboxes().into_values();
    let files = mailboxes.flat_map(|mailbox| {
        let entries = std::fs::read_dir(mailbox.dir).expect("a mailbox's directory");
        entries.flatten().filter(|entry| entry.path().is_file())
    });
    let inode = |entry: std::fs::DirEntry| (entry.path(), entry.metadata().expect("a file").ino());
    files.map(inode).collect()
}

fn round_trip(from: Kind, to: Kind) {
    let program = Program::new();
    let source = Source::start(from, &program);
    exported_and_audited(&source, &program);
    let server = Server::start(to);
    program.target_config(&server.endpoint, &[(ANNA, PASSWORD)]);
    let before = server.reader().mailboxes();
    imported(&source, to, &program);
    let held = server.reader().mailboxes();
    assert_arrived(&source, to, &before, &held);
    validated(&source, to, &program);
    again(&source, to, &program);
    assert_unchanged(&held, &server.reader().mailboxes());
    assert_unchanged(&source.held, &source.reader.mailboxes());
}

#[test]
fn from_dovecot_to_dovecot() {
    round_trip(Kind::Dovecot, Kind::Dovecot);
}

#[test]
fn from_dovecot_to_cyrus() {
    round_trip(Kind::Dovecot, Kind::Cyrus);
}

#[test]
fn from_dovecot_to_pymap() {
    round_trip(Kind::Dovecot, Kind::Pymap);
}

#[test]
fn from_cyrus_to_dovecot() {
    round_trip(Kind::Cyrus, Kind::Dovecot);
}

#[test]
fn from_cyrus_to_cyrus() {
    round_trip(Kind::Cyrus, Kind::Cyrus);
}

#[test]
fn from_cyrus_to_pymap() {
    round_trip(Kind::Cyrus, Kind::Pymap);
}

#[test]
fn from_pymap_to_dovecot() {
    round_trip(Kind::Pymap, Kind::Dovecot);
}

#[test]
fn from_pymap_to_cyrus() {
    round_trip(Kind::Pymap, Kind::Cyrus);
}

#[test]
fn from_pymap_to_pymap() {
    round_trip(Kind::Pymap, Kind::Pymap);
}
