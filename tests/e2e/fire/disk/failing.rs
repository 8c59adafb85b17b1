//! Disks that cannot be written, or that fail.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::super::ANNA;
use super::super::scene::{
    assert_all_there, assert_on_target, copy_tree, export, exporter, held, import, importer,
    server, target, truth,
};
use super::{FAILING, READ_ONLY, aim, assert_told, empty, meddler};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::disk::{FailingFile, MOUNTS, PowerDisk, SmallDisk};
use crate::kit::run::findings::findings;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{IMPORT, Program};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

#[test]
fn a_configuration_whose_directory_is_read_only_keeps_no_export_from_its_end() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let program = exporter(&dovecot);
    let disk = SmallDisk::new(&program.path("etc"), 1);
    let (from, to) = ("export.pass.config.json", "etc/export.pass.config.json");
    fs::copy(program.path(from), program.path(to)).expect("copy the configuration");
    disk.remount("ro");
    let config = [
        "--config",
        "etc/export.pass.config.json",
        "--min-free-gb",
        "0",
    ];
    let output = program.export(&config);
    output
        .code(0)
        .says("import.pass.config.json")
        .says(READ_ONLY);
    assert_all_there(&program, &truth);
}

#[test]
fn a_disk_that_becomes_read_only_under_a_run_is_told() {
    let run = |mode: &str| {
        let program = Program::new();
        let path = program.path("exported");
        let disk = PowerDisk::new(&program.path("disk.img"), &path, "loop,errors=remount-ro");
        let disk = Arc::new(Mutex::new(disk));
        let failing = Arc::clone(&disk);
        let name = if mode == "export" {
            "UID FETCH"
        } else {
            "APPEND"
        };
        let server = meddler(name, 2, move || {
            failing.lock().expect("no panic").becomes_read_only();
        });
        let server = server.start();
        program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
        aim(&program, &server);
        if mode == "import" {
            empty(&server);
            Handmade::new(&program)
                .mailbox("INBOX", &realistic(41, 30))
                .mailbox("Sent", &realistic(42, 30))
                .complete();
            disk.lock().expect("no panic").restart();
        }
        let fixed = [
            "--mode",
            mode,
            "--no-connectivity-test",
            "--min-free-gb",
            "0",
        ];
        let again = ["--imap-timeout", "1"];
        let output = program.run(fixed.iter().chain(&again));
        assert_told(&output, &[READ_ONLY, "mount it for writing", ANNA]);
        disk.lock().expect("no panic").restart();
        program.run(fixed.iter().chain(&again)).code(0);
        for mailbox in ["INBOX", "Sent"] {
            assert_eq!(
                server.mailbox(mailbox).messages.len(),
                30,
                "{mode}: {mailbox}"
            );
            assert_eq!(program.archive(ANNA).mailbox(mailbox).messages.len(), 30);
        }
    };
    run("export");
    run("import");
}

#[test]
fn an_archive_on_a_read_only_disk_is_audited_and_validated_and_not_imported() {
    let dovecot = server(1);
    let truth = held(&dovecot, ANNA);
    let source = exporter(&dovecot);
    export(&source).code(0);
    let program = importer(&dovecot, &target(0));
    let disk = SmallDisk::new(&program.path("exported"), 8);
    copy_tree(&source, &program);
    disk.remount("ro");
    let output = import(&program);
    assert_told(&output, &[READ_ONLY, "mount it for writing", ANNA]);
    disk.remount("rw");
    import(&program).code(0);
    disk.remount("ro");
    let validate = ["--mode", "validate", "--no-connectivity-test", "--deep"];
    program.run(validate).code(0);
    let config = fs::read_to_string(program.path("import.pass.config.json")).expect("read");
    program.file("export.pass.config.json", &config);
    program.audit(&[]).code(0);
    assert_on_target(&dovecot, &target(0), &truth);
}

#[test]
fn audit_and_validate_tell_a_disk_that_is_gone() {
    let dovecot = server(1);
    let source = exporter(&dovecot);
    export(&source).code(0);
    let program = importer(&dovecot, &target(0));
    let path = program.path("exported");
    let mut disk = PowerDisk::new(&program.path("disk.img"), &path, MOUNTS[0]);
    copy_tree(&source, &program);
    import(&program).code(0);
    let config = fs::read_to_string(program.path("import.pass.config.json")).expect("read");
    program.file("export.pass.config.json", &config);
    // From the disk and not from memory.
    disk.restart();
    disk.power_off();
    for mode in ["audit", "validate", "import", "export"] {
        let fixed = ["--mode", mode];
        let more: &[&str] = match mode {
            "audit" => &["--audit-offline"],
            "validate" => &["--no-connectivity-test"],
            _ => &["--no-connectivity-test", "--min-free-gb", "0"],
        };
        let output = program.run(fixed.iter().chain(more));
        assert_told(&output, &[FAILING, "exported"]);
    }
    disk.restart();
    program.audit(&[]).code(0);
    let validate = ["--mode", "validate", "--no-connectivity-test"];
    program.run(validate).code(0);
}

#[test]
fn bad_blocks_under_a_message_are_found_and_what_they_hold_is_not_imported() {
    let mails = realistic(51, 60);
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let _failing = FailingFile::new(&archive.file("INBOX", 1, "eml"));
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    aim(&program, &server);
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    let output = program.audit(&["--report", "report.json"]);
    output.code(1).says("unreadable-message").says(FAILING);
    let found = findings(&program).into_iter();
    let found: Vec<Value> = found
        .filter(|finding| finding["code"] == "unreadable-message")
        .map(|finding| finding["uid"].clone())
        .collect();
    assert_eq!(found, [1]);

    let arguments = [
        "--min-free-gb",
        "0",
        "--ignore-errors",
        "--report",
        "report.json",
    ];
    let output = program.run(IMPORT.iter().chain(&arguments));
    assert_told(&output, &[FAILING, "the archive is damaged here"]);
    let report = fs::read_to_string(program.path("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let failures = report["accounts"][0]["failures"]
        .as_array()
        .expect("failures")
        .iter();
    let refused: Vec<&Value> = failures.map(|one| &one["uid"]).collect();
    assert_eq!(refused, [1]);
    assert_eq!(server.mailbox("INBOX").messages.len(), mails.len() - 1);
}
