//! Files that the user names: reports and manifests go where they are meant to, and nowhere else.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Command;

use serde_json::Value;

use super::{program_for, report};
use crate::kit::mail::realistic;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

fn scene() -> (FakeServer, Program) {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(1, 1)))
        .start();
    let program = program_for(&server);
    (server, program)
}

#[test]
fn what_is_no_regular_file_is_written_into_and_stays() {
    let (_server, program) = scene();
    program.run(super::with_report("/dev/null")).code(0);
    let null = fs::metadata("/dev/null").expect("there");
    assert!(null.file_type().is_char_device());

    let pipe = program.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read_to_string(pipe).expect("read"))
    };
    program.run(super::with_report("pipe")).code(0);
    let read: Value = serde_json::from_str(&reader.join().expect("reader")).expect("JSON");
    assert_eq!(read["mode"], "export");
    assert!(fs::metadata(&pipe).expect("there").file_type().is_fifo());
}

#[test]
fn a_link_of_the_user_is_followed_and_stays() {
    let (_server, program) = scene();
    fs::create_dir(program.path("web")).expect("directory");
    symlink("web/today.json", program.path("report.json")).expect("link");
    for _ in 0..2 {
        program.run(super::with_report("report.json")).code(0);
        assert_eq!(report(&program)["mode"], "export");
    }
    let link = fs::symlink_metadata(program.path("report.json")).expect("there");
    assert!(link.is_symlink());
    let audit = ["--manifest", "sums"];
    symlink("web/sums", program.path("sums")).expect("link");
    program.audit(&audit).code(0);
    assert!(program.path("web/sums").is_file());
    let link = fs::symlink_metadata(program.path("sums")).expect("there");
    assert!(link.is_symlink());
}

#[test]
fn a_dash_is_standard_output_and_the_json_is_alone_there() {
    let (_server, program) = scene();
    for name in ["-", "/dev/stdout"] {
        let output = program.run(super::with_report(name));
        output.code(0).warns("export complete");
        let read: Value = serde_json::from_str(&output.stdout).expect("nothing but JSON");
        assert_eq!(read["exit_code"], 0);
    }
    assert!(!program.path("-").exists());
    let output = program.audit(&["--manifest", "-"]);
    output.code(0).warns("audit complete");
    assert!(
        output
            .stdout
            .lines()
            .all(|line| line.contains(".eml") || line.contains(".json"))
    );
}

#[test]
fn links_planted_under_names_that_could_be_foreseen_are_not_written_through() {
    let (_server, program) = scene();
    let (shared, victim) = (program.path("shared"), program.path("victim"));
    fs::create_dir(&shared).expect("directory");
    fs::write(&victim, "precious").expect("written");
    let ours = std::process::id();
    for process in ours..ours + 500 {
        for name in ["report.json", "sums"] {
            let link = shared.join(format!(".{name}.{process}.tmp"));
            symlink(&victim, link).expect("link");
        }
        symlink(&victim, shared.join(format!(".write-test-{process}"))).expect("link");
    }
    program
        .run(super::with_report("shared/report.json"))
        .code(0);
    program.audit(&["--manifest", "shared/sums"]).code(0);
    assert_eq!(fs::read_to_string(&victim).expect("there"), "precious");
    assert!(shared.join("report.json").is_file() && shared.join("sums").is_file());
}
