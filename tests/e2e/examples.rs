//! The examples work as they stand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::mail::realistic;
use crate::kit::run::program::{BINARY, Program};
use crate::kit::servers::dovecot::Dovecot;

const ANNA: &str = "anna@example.com";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

#[test]
fn the_sample_config_is_a_valid_one() {
    let text = fs::read_to_string(example("export.pass.config.json")).expect("the example");
    let program = Program::new().env("CAROL_IMAP_PASSWORD", "x");
    fs::create_dir(program.path("secrets")).expect("create");
    program
        .file("secrets/master.txt", "x\n")
        .file("export.pass.config.json", &text);
    let output = program.export(&["--dry-run", "--ignore-errors"]);
    // Wrong in it is only that its host is an example.
    output.code(1).says("imap.old-provider.example");
    assert!(
        !output.stderr.contains("unknown, ignored"),
        "{}",
        output.stderr
    );
    for account in ["alice", "bob", "carol", "dave"] {
        output.says(&format!("{account}@example.org"));
    }
}

/// Where a test or a module of tests of this crate is.
fn source_of(name: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let path = root.join(name.replace("::", "/"));
    let text = |path: &Path| {
        let alone = fs::read_to_string(path.with_extension("rs"));
        alone.or_else(|_| fs::read_to_string(path.join("mod.rs")))
    };
    if let Ok(text) = text(&path) {
        return Some(text);
    }
    let (module, function) = name.rsplit_once("::")?;
    let text = text(&root.join(module.replace("::", "/"))).ok()?;
    text.contains(&format!("#[test]\nfn {function}()"))
        .then_some(text)
}

#[test]
fn the_promises_name_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises = fs::read_to_string(root.join("tests/README.md")).expect("the promises");
    let (_, table) = promises.split_once("\n## Promises").expect("the section");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let tests: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(2))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        let is_there = if test.contains('/') {
            root.join(test).is_file()
        } else {
            source_of(test).is_some()
        };
        assert!(is_there, "tests/README.md names {test}, which is not there");
    }
}

#[test]
fn the_demo_works_and_leaves_nothing_behind() {
    let output = Command::new(example("demo"))
        .env("IMAPSYNC_BULK_MIGRATOR", BINARY)
        .output()
        .expect("run the demo");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    for text in [
        "anna@example.com/Projects%2F2024%2FÜberblick/u0000000001.eml",
        "test complete: 3 accounts",
        "export complete: 3 accounts",
        "INBOX/.vanished/u0000000006.eml",
        "ERROR sha256-mismatch: 1\n  chloé@example.com/INBOX/u0000000003.eml",
        "audit complete: 3 accounts",
        "import complete: 3 accounts",
        "mailbox=INBOX.Projects.2024.Überblick",
        "37 are identical byte for byte",
        "note deleted-on-target: 1\n  ben@example.com/INBOX/u0000000002.eml",
        "validate complete: 3 accounts",
        "3 accounts of 2 domains",
        "0 mailboxes exist, 3 would be created",
        "anna@example.com, quota 512 MB",
    ] {
        assert!(
            said.contains(text),
            "{text} is missing in\n{said}\n{errors}"
        );
    }
    let left = fs::read_dir(std::env::temp_dir()).expect("list").flatten();
    let mut left = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert!(left.all(|name| !name.ends_with(".migrator-demo")));
}

#[test]
fn the_nightly_script_is_silent_until_something_is_wrong() {
    let mut dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(1, 3));
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    let bin = program.path("bin");
    fs::create_dir(&bin).expect("create");
    symlink(BINARY, bin.join("imapsync-bulk-migrator")).expect("symlink");
    // As cron calls it: with hardly any environment.
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let run = || {
        Command::new(example("nightly-export"))
            .arg(program.dir())
            .env_clear()
            .env("HOME", program.dir())
            .env("LOGNAME", "root")
            .env("SHELL", "/bin/sh")
            .env("PATH", &path)
            .output()
            .expect("run the script")
    };
    let night = run();
    assert!(night.status.success(), "{night:?}");
    assert!(
        night.stdout.is_empty() && night.stderr.is_empty(),
        "{night:?}"
    );
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 3);

    dovecot.options.accounts[0].1 = "changed".to_owned();
    dovecot.start_again();
    let night = run();
    assert_eq!(night.status.code(), Some(1), "the program's own");
    let told = String::from_utf8_lossy(&night.stdout);
    let (first, rest) = told.split_once("\n\n").expect("an empty line");
    assert!(first.ends_with("is NOT complete (exit code 1)."), "{first}");
    assert!(!rest.starts_with(char::is_whitespace), "{rest}");
    assert!(
        told.contains("NOT complete") && told.contains("AUTHENTICATIONFAILED"),
        "{told}"
    );
}
