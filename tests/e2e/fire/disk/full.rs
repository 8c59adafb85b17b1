//! No room: for messages, journals, logs, reports, a configuration.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;

use super::super::scene::{
    archived, assert_all_there, assert_on_target, copy_tree, export, exporter, held, import,
    importer, server, target, truth,
};
use super::super::{ANNA, effort};
use super::{
    FAILING, FULL, READ_ONLY, aim, assert_account_named, assert_states_are_true, assert_told,
    index, once, taken,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, Random};
use crate::kit::run::disk::{MOUNTS, PowerDisk, SmallDisk, fill};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::parallel::in_parallel;
use crate::kit::run::program::{IMPORT, Program, server_json};
use crate::kit::run::tempdir::names;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::servers::panel::Panel;

#[test]
fn an_export_onto_a_disk_that_fills_up_keeps_what_it_has_and_is_completed() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let whole = exporter(&dovecot);
    export(&whole).code(0);
    let (bytes, files) = taken(&whole.path("exported"));
    let mut random = Random::new(21);
    let sizes: Vec<String> = (0..effort(10, 100))
        .map(|number| {
            if number % 3 == 2 {
                format!("nr_inodes={}", random.between(2, files * 9 / 10))
            } else {
                format!("size={}k", random.between(1, bytes * 9 / 10 / 4096) * 4)
            }
        })
        .collect();
    in_parallel(&sizes, 2, |size| {
        let program = exporter(&dovecot);
        let disk = SmallDisk::with(&program.path("exported"), size);
        let more = if size.len() % 2 == 0 {
            "-v"
        } else {
            "--ignore-errors"
        };
        let output = program.export(&["--min-free-gb", "0", more]);
        assert_told(&output, &[FULL, "make room", "exported"]);
        assert_account_named(&output);
        assert_states_are_true(&program, &truth);
        disk.grow();
        // With its audit.
        let again = ["--mode", "export", "--no-connectivity-test"];
        let again = again.iter().chain(&["--min-free-gb", "0"]);
        program.run(again).code(0);
        assert_all_there(&program, &truth);
        program.audit(&[]).code(0);
    });
}

#[test]
fn an_import_whose_journal_finds_no_room_doubles_nothing() {
    let count = effort(4, 60);
    let archived = archived(count + 1);
    let (bytes, files) = taken(&archived.source.path("exported").join(ANNA));
    // What the journal and the lock take.
    let whole = archived.importer(count);
    import(&whole).code(0);
    let (most, _) = taken(&whole.path("exported").join(ANNA));
    let mut random = Random::new(22);
    let cases: Vec<(usize, String)> = (0..count)
        .map(|number| {
            let pages = random.between(1, (most - bytes) / 4096 - 1);
            let size = match number % 4 {
                // The root, the archive, and not even room for the journal.
                3 => format!("nr_inodes={}", files + 1),
                _ => format!("size={}k", (bytes / 4096 + pages) * 4),
            };
            (number, size)
        })
        .collect();
    in_parallel(&cases, 2, |(number, size)| {
        let program = importer(&archived.dovecot, &target(*number));
        let disk = SmallDisk::with(&program.path("exported"), size);
        copy_tree(&archived.source, &program);
        // Else nothing would come to an end before the journal is full.
        let output = import(&program);
        assert_told(&output, &[FULL, "make room", ANNA]);
        disk.grow();
        for _ in 0..2 {
            import(&program).code(0);
            archived.assert_on_target(*number);
        }
    });
}

#[test]
fn what_a_target_refuses_is_told_also_when_failed_jsonl_finds_no_room() {
    let program = Program::new();
    let mails = ["one", "two", "three"].map(Mail::simple);
    let disk = Arc::new(SmallDisk::new(&program.path("exported"), 8));
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let filling = Arc::clone(&disk);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .refuse_body(b"Subject: two", "NO [CANNOT] not this one")
        .on_command(once("LOGOUT", 1, move || filling.fill()))
        .start();
    aim(&program, &server);
    let arguments = [
        "--min-free-gb",
        "0",
        "--ignore-errors",
        "--imap-timeout",
        "1",
    ];
    let output = program.run(IMPORT.iter().chain(&arguments));
    assert_told(&output, &[FULL, "failed.jsonl", "not this one", ANNA]);
    fs::remove_file(program.path("exported/filler")).expect("make room");
    program.run(IMPORT.iter().chain(&arguments)).code(1);
    assert_eq!(program.archive(ANNA).failed().len(), 1);
    assert_eq!(server.mailbox("INBOX").messages.len(), 2);
}

#[test]
fn a_log_that_cannot_be_written_any_more_is_told_and_loses_no_run() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    for mode in ["export", "test", "audit"] {
        let program = exporter(&dovecot);
        if mode == "audit" {
            export(&program).code(0);
            fs::remove_dir_all(program.path("logs")).expect("remove the logs");
        }
        let disk = SmallDisk::with(&program.path("logs"), "size=4k");
        disk.fill();
        let fixed = ["--mode", mode, "--imapsync", "never", "--min-free-gb", "0"];
        let fixed = &fixed[..if mode == "audit" { 2 } else { 6 }];
        let output = program.run(fixed.iter().chain(&["-vv", "--report", "report.json"]));
        output
            .code(0)
            .warns("cannot be written any more")
            .warns(FULL);
        assert_eq!(
            output.stderr.matches("cannot be written any more").count(),
            1
        );
        if mode != "test" {
            output.says("missing in the log file");
            assert_all_there(&program, &truth);
        }
        let report = fs::read_to_string(program.path("report.json")).expect("a report");
        assert!(report.contains("missing in the log file"), "{report}");
        disk.grow();
        // Not even a name finds room.
        drop(disk);
        fs::remove_dir(program.path("logs")).expect("remove the mount point");
        let _disk = SmallDisk::with(&program.path("logs"), "nr_inodes=1");
        let output = program.run(fixed);
        output.code(2).warns(FULL).warns("--log-dir");
    }
}

#[test]
fn a_log_that_fills_up_while_an_export_runs_keeps_its_beginning_and_costs_no_message() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let program = exporter(&dovecot);
    let _disk = SmallDisk::with(&program.path("logs"), "size=4k");
    // The log says the command line first: there is room for little more.
    let pattern = "x".repeat(2500);
    let words = ["--mode", "export", "--imapsync", "never", "-vv"];
    let output = program.run(words.iter().chain(&["--exclude-folder", &pattern]));
    output
        .code(0)
        .warns("cannot be written any more")
        .says("missing in the log file");
    assert_all_there(&program, &truth);
    let logs = fs::read_dir(program.path("logs")).expect("the logs");
    let logs: Vec<_> = logs.map(|log| log.expect("a name").path()).collect();
    assert_eq!(logs.len(), 1);
    let text = fs::read_to_string(&logs[0]).expect("a log");
    assert!(text.contains("imapsync-bulk-migrator 0.") && text.contains("command: "));
    assert!(!text.contains("end: exit code"), "it did not fill up");
}

#[test]
fn reports_and_manifests_that_find_no_room_hide_no_result() {
    let dovecot = server(1);
    let truth = held(&dovecot, ANNA);
    let program = exporter(&dovecot);
    export(&program).code(0);
    let config = json!({
        "server": server_json(&dovecot.plain()),
        "accounts": [{"email": ANNA, "login": target(0), "password": PASSWORD}],
    });
    program.file("import.pass.config.json", &config.to_string());
    let runs: [(&[&str], &str); 5] = [
        (
            &["--mode", "audit", "--report", "full/r.json"],
            "the report",
        ),
        (
            &["--mode", "audit", "--manifest", "full/sums"],
            "the manifest",
        ),
        (
            &[
                "--mode",
                "test",
                "--imapsync",
                "never",
                "--min-free-gb",
                "0",
                "--report",
                "full/r.json",
            ],
            "the report",
        ),
        (
            &[
                "--mode",
                "import",
                "--imapsync",
                "never",
                "--min-free-gb",
                "0",
                "--report",
                "full/r.json",
            ],
            "the report",
        ),
        (
            &[
                "--mode",
                "validate",
                "--imapsync",
                "never",
                "--report",
                "full/r.json",
            ],
            "the report",
        ),
    ];
    let disk = SmallDisk::with(&program.path("full"), "size=8k");
    disk.fill();
    for (arguments, what) in runs {
        let output = program.run(arguments);
        assert_told(&output, &[FULL, "make room", what, "full/"]);
        output.code(2).says("account");
        assert_eq!(names(&program.path("full")), ["filler"], "{what}");
    }
    assert_on_target(&dovecot, &target(0), &truth);
    disk.grow();
    for (arguments, _) in runs {
        program.run(arguments).code(0);
    }
    let sums = Command::new("sha256sum")
        .args(["--check", "--quiet", "full/sums"])
        .current_dir(program.dir())
        .status();
    assert!(sums.is_ok_and(|status| status.success()));
    // A result that is worth more than the exit code of the report keeps its own.
    fs::write(
        program
            .archive(ANNA)
            .mailbox("INBOX")
            .dir
            .join("u0000000001.eml"),
        "x",
    )
    .expect("damage a message");
    fill(&program.path("full"));
    let _ = fs::remove_file(program.path("full/r.json"));
    fill(&program.path("full"));
    let output = program.run([
        "--mode",
        "audit",
        "--audit-offline",
        "--report",
        "full/r.json",
    ]);
    output.code(1).says("size-mismatch").warns(FULL);
}

#[test]
fn a_resync_whose_journal_finds_no_room_appends_nothing_twice() {
    let dovecot = server(1);
    let truth = held(&dovecot, ANNA);
    let source = exporter(&dovecot);
    export(&source).code(0);
    let program = importer(&dovecot, &target(0));
    let disk = SmallDisk::new(&program.path("exported"), 4);
    copy_tree(&source, &program);
    disk.fill();
    let resync = [
        "--mode",
        "validate",
        "--no-connectivity-test",
        "--resync-missing",
    ];
    let resync = || program.run(resync.iter().chain(&["--imap-timeout", "1"]));
    // What is missing is told by the first look, what keeps it from being imported by the error.
    assert_told(&resync(), &[FULL, "make room", ANNA]);
    disk.grow();
    resync().code(0);
    assert_on_target(&dovecot, &target(0), &truth);
    resync().code(0);
    assert_on_target(&dovecot, &target(0), &truth);
}

#[test]
fn an_index_writes_its_file_whole_or_not_at_all() {
    let many: Vec<String> = (0..200).map(|number| format!("user{number}")).collect();
    let panel = Panel::start(&json!({ "example.com": many }));
    let program = Program::new();
    for (options, error) in [("size=4k", FULL), ("nr_inodes=1", FULL), ("ro", READ_ONLY)] {
        let disk = SmallDisk::with(&program.path("etc"), options);
        let output = index(&program, &panel, "etc/c.json");
        output.code(2).warns(error).warns("etc/c.json");
        assert_eq!(names(&program.path("etc")), [""; 0], "{options}");
        disk.remount("rw,size=1m,nr_inodes=10");
        index(&program, &panel, "etc/c.json").code(0);
        assert_eq!(names(&program.path("etc")), ["c.json"]);
        drop(disk);
        fs::remove_dir(program.path("etc")).expect("remove the mount point");
    }
    let mut disk = PowerDisk::new(&program.path("disk.img"), &program.path("etc"), MOUNTS[0]);
    disk.power_off();
    let output = index(&program, &panel, "etc/c.json");
    output.code(2).warns(FAILING).warns("etc/c.json");
    disk.restart();
    index(&program, &panel, "etc/c.json").code(0);
}
