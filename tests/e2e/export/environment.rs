//! The machine around a run: command line, configuration, disks, files that others may read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use serde_json::json;

use super::{ANNA, program_for, total};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::disk::SmallDisk;
use crate::kit::run::program::{EXPORT, Program};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeMessage, FakeServer};
use crate::kit::wait_until;

#[test]
fn wrong_modes_and_flags_end_with_2() {
    let program = Program::new();
    program
        .run(["--mode", "teleport"])
        .code(2)
        .warns("teleport");
    program.run([""; 0]).code(2).warns("--mode");
    program
        .export(&["--max-workers", "0"])
        .code(2)
        .warns("--max-workers");
    program
        .export(&["--min-free-gb", "much"])
        .code(2)
        .warns("--min-free-gb");
    program.export(&["-q", "-v"]).code(2);
    // A flag of another mode is not ignored in silence.
    program
        .export(&["--input-dir", "x"])
        .code(2)
        .warns("--input-dir does not go with --mode export");
    program
        .run(["--mode", "import", "--output-dir", "x"])
        .code(2)
        .warns("--output-dir does not go with --mode import");
    program
        .run(["--help"])
        .code(0)
        .says("--ignore-errors")
        .says("Exit codes");
    // Nothing of this left anything behind.
    assert_eq!(fs::read_dir(program.dir()).expect("list").count(), 0);
}

#[test]
fn a_wrong_config_is_told_whole_with_file_and_place() {
    let program = Program::new();
    program.export(&[]).code(2).warns("export.pass.config.json");
    program.file("export.pass.config.json", "{\"server\": {");
    program
        .export(&[])
        .code(2)
        .warns("export.pass.config.json")
        .warns("line 1");
    program.config_json(&json!({
        "server": {"host": "", "port": 99999, "ssl": true, "starttls": true, "colour": "red"},
        "accounts": [
            {"email": "one@example.com", "password": "s3cr3t-one"},
            {"email": "one@example.com", "password": "s3cr3t-two"},
            {"email": "two@example.com"},
            {"email": "three@example.com", "password": "s3cr3t-three", "password_env": "X"},
            {"email": 4, "password": ["s3cr3t-four"]},
        ],
    }));
    let output = program.export(&[]);
    output.code(2).hides("s3cr3t");
    for place in [
        "server.host",
        "server.port",
        "server.starttls",
        "server.colour",
        "accounts[1].email",
        "accounts[2]",
        "accounts[3]",
        "accounts[4].email",
        "accounts[4].password",
    ] {
        output.warns(place);
    }
}

#[test]
fn a_config_that_others_can_read_is_warned_about() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(1, 1)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let config = program.path("export.pass.config.json");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("chmod");
    program.export(&[]).code(0).warns("chmod 600");
}

#[test]
fn files_are_the_owners_alone_whatever_the_umask() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(2, 3)))
        .start();
    let program = program_for(&server);
    let words = EXPORT.iter().chain(&["--report", "report.json"]);
    let umask = ["sh", "-c", "umask 0; exec \"$@\"", "sh"];
    program.spawn_under(&umask, words).wait().code(0);
    let mode = |path: PathBuf| fs::metadata(path).expect("a file").mode() & 0o777;
    assert_eq!(mode(program.path("exported")), 0o700);
    assert_eq!(mode(program.path("report.json")), 0o600);
    assert_eq!(mode(program.path("import.pass.config.json")), 0o600);
    let inbox = program.archive(ANNA).mailbox("INBOX").dir;
    assert_eq!(mode(inbox.join("u0000000001.eml")), 0o600);
    let logs: Vec<PathBuf> = fs::read_dir(program.path("logs"))
        .expect("logs")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let name = logs[0]
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let stamp = name
        .strip_prefix("export-")
        .and_then(|rest| rest.strip_suffix(".log"));
    assert!(stamp.is_some(), "{name}");
    assert_eq!(mode(logs[0].clone()), 0o600);
}

#[test]
fn the_log_names_account_and_mailbox() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").message(FakeMessage::new(1, "Subject: x\r\n\r\n")))
        .on_fetch(1, crate::kit::servers::fake::Behaviour::Nil)
        .start();
    let program = program_for(&server);
    program.export(&["-q"]).code(1);
    let log = fs::read_dir(program.path("logs"))
        .expect("logs")
        .flatten()
        .next();
    let log = fs::read_to_string(log.expect("a log").path()).expect("text");
    let line = log.lines().find(|line| line.contains("cannot be fetched"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains(ANNA) && line.contains("INBOX") && line.contains("uid=1"),
        "{line}"
    );
}

#[test]
fn too_little_space_ends_the_run_before_it_begins() {
    let server = FakeServer::options().start();
    let program = program_for(&server);
    program
        .export(&["--min-free-gb", "900000000", "--output-dir", "a/b/c"])
        .code(2)
        .warns("--min-free-gb");
    assert!(!program.path("a").exists());
    // Nor is anybody asked for mail that has nowhere to go.
    program.file("a", "");
    program
        .run([
            "--mode",
            "export",
            "--imapsync",
            "never",
            "--output-dir",
            "a/b",
        ])
        .code(2)
        .warns("a is no directory");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_full_disk_is_told_and_the_archive_stays_whole() {
    let dovecot = Dovecot::simple();
    let big = "0123456789abcdef\r\n".repeat(20_000);
    let mails: Vec<_> = realistic(3, 12)
        .into_iter()
        .map(|mut mail| {
            mail.bytes.extend_from_slice(big.as_bytes());
            mail
        })
        .collect();
    dovecot.seed(ANNA, "INBOX", &mails);
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    let disk = SmallDisk::new(&program.path("exported"), 2);
    let output = program.export(&["--min-free-gb", "0"]);
    output.code(1).says("No space left on device").says(ANNA);

    // Room again: the rest comes, and what had come was whole.
    disk.remount("size=50m");
    program
        .export(&["--min-free-gb", "0", "--report", "report.json"])
        .code(0);
    assert!(total(&program, "unchanged") > 0);
    assert_archive_equals_server(&program.archive(ANNA), &reader.mailboxes());
}

#[test]
fn a_disk_that_cannot_be_written_is_told() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(4, 2)))
        .start();
    let program = program_for(&server);
    let disk = SmallDisk::new(&program.path("exported"), 2);
    disk.remount("ro");
    let output = program.export(&["--min-free-gb", "0"]);
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{}",
        output.describe()
    );
    let said = output.stdout.clone() + &output.stderr;
    assert!(
        said.contains("Read-only file system"),
        "{}",
        output.describe()
    );
    assert!(said.contains("exported"), "{}", output.describe());

    let program = program_for(&server);
    program.file("exported", "a file is in the way");
    program.export(&[]).code(2).warns("exported");
}

#[test]
fn one_large_message_does_not_need_its_size_in_memory() {
    let mut body = b"Subject: large\r\n\r\n".to_vec();
    body.resize(120_000_000, b'x');
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").message(FakeMessage::new(1, body)))
        .start();
    let program = program_for(&server);
    let limit = ["prlimit", "--data=100000000"];
    let output = program.spawn_under(&limit, EXPORT).wait();
    output.code(0);
    let size = fs::metadata(
        program
            .archive(ANNA)
            .mailbox("INBOX")
            .dir
            .join("u0000000001.eml"),
    );
    assert_eq!(size.expect("the message").len(), 120_000_000);
}

#[test]
fn a_crash_leaves_no_core_dump() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(97, 3)))
        .on_fetch_times(2, 1, Behaviour::StallAt(5))
        .start();
    let program = program_for(&server);
    let running = program.spawn_export(&[]);
    wait_until("it is at work", || {
        server.commands_named("UID FETCH").len() == 1
    });
    let limits = format!("/proc/{}/limits", running.id());
    let limits = fs::read_to_string(limits).expect("read the limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("a line").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"]);
    running.kill9();
}
