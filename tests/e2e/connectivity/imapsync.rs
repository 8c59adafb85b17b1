//! imapsync as a second opinion: it gets no secret, and cannot hold up the run.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{ANNA, log, program_for, report};
use crate::kit::run::imapsync::Imapsync;
use crate::kit::run::program::{Output, Program, server_json};
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::wait_until;

const PASSWORD: &str = "never told to anybody";

/// A server that only waits for anna.
fn server() -> FakeServer {
    FakeServer::options()
        .accounts(&[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)])
        .mailbox(FakeMailbox::new("INBOX"))
        .start()
}

/// A config for two accounts, one with its password in the environment.
fn program(server: &FakeServer) -> Program {
    let program = Program::new().env("BEN_PASSWORD", PASSWORD);
    program.config_json(&json!({
        "server": server_json(&server.endpoint()),
        "accounts": [
            {"email": ANNA, "password": PASSWORD},
            {"email": "ben@example.com", "password_env": "BEN_PASSWORD"},
        ],
    }));
    program
}

fn test(program: &Program, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "test", "--report", "report.json"];
    let output = program.run(fixed.iter().chain(arguments));
    output.hides(PASSWORD);
    output
}

#[test]
fn it_is_called_once_per_endpoint_without_any_password() {
    let dovecot = Dovecot::simple();
    for (endpoint, protection) in [
        (dovecot.imaps(), "--ssl1"),
        (dovecot.starttls(), "--tls1"),
        (dovecot.plain(), "--nossl1 --notls1"),
    ] {
        let program = Program::new().env("SECRET_OF_SOMEBODY", PASSWORD);
        let (program, imapsync) = Imapsync::put(program, "echo 'Host1: says hello'");
        program.config(&endpoint, &dovecot.accounts());
        let output = test(&program, &["--imap-timeout", "7"]);
        output
            .code(0)
            .says("imapsync: version 2.290")
            .says("--justconnect to ");
        let expected = format!(
            "--justconnect --host1 {} --port1 {} {protection} --timeout1 7 --nolog --noreleasecheck",
            endpoint.host, endpoint.port
        );
        assert_eq!(imapsync.calls(), [expected]);
        let seen = imapsync.seen();
        assert!(seen.contains("--justconnect"), "{seen}");
        assert!(
            !seen.contains(crate::kit::PASSWORD) && !seen.contains(PASSWORD),
            "{seen}"
        );
        let log = log(&program);
        assert!(log.contains("imapsync: Host1: says hello"), "{log}");
        assert!(log.contains("2.290"), "{log}");
    }
}

/// The program with a `PATH` on which everything is but imapsync.
fn without_imapsync(program: Program) -> Program {
    let dir = program.dir().with_file_name("nothing");
    fs::create_dir(&dir).expect("create");
    program.env("PATH", &dir.display().to_string())
}

#[test]
fn where_it_is_missing_nothing_is_begun_and_the_way_out_is_told() {
    let server = server();
    let program = without_imapsync(program(&server));
    for mode in ["test", "export"] {
        program
            .run(["--mode", mode])
            .code(2)
            .warns("imapsync is not on PATH")
            .warns("Install it")
            .warns("--imapsync never");
    }
    fs::create_dir(program.path("exported")).expect("create");
    fs::copy(
        program.path("export.pass.config.json"),
        program.path("import.pass.config.json"),
    )
    .expect("copy");
    for mode in ["import", "validate"] {
        program
            .run(["--mode", mode])
            .code(2)
            .warns("imapsync is not on PATH");
    }
    assert_eq!(server.connections(), 0);
    assert!(
        fs::read_dir(program.path("exported"))
            .expect("list")
            .next()
            .is_none()
    );

    test(&program, &["--imapsync", "never"]).code(0);
    test(&program, &["--imapsync", "auto"])
        .code(0)
        .says("imapsync: not used");
    program
        .run(["--mode", "export", "--imapsync", "auto"])
        .code(0);
    program
        .run(["--mode", "export", "--no-connectivity-test"])
        .code(0);
}

#[test]
fn one_that_does_not_run_counts_as_missing() {
    let server = server();
    for script in [
        "#!/bin/sh\necho broken perl >&2\nexit 2\n",
        "#!/no/such/interpreter\n",
    ] {
        let (program, imapsync) = Imapsync::put(program(&server), "true");
        fs::write(imapsync.path("imapsync"), script).expect("write");
        test(&program, &[])
            .code(2)
            .warns("--version")
            .warns("--imapsync never");
        test(&program, &["--imapsync", "auto"])
            .code(0)
            .says("imapsync: not used");
    }
}

#[test]
fn its_failure_fails_all_accounts_of_the_endpoint() {
    let server = server();
    let body = "echo 'Host1: can not open imap connection'; echo 'No route'; exit 10";
    let (program, imapsync) = Imapsync::put(program(&server), body);
    let output = test(&program, &[]);
    output
        .code(1)
        .says("Host1: can not open imap connection / No route")
        .says("exit status: 10");
    assert_eq!(imapsync.calls().len(), 1);
    let accounts = report(&program)["accounts"].clone();
    for account in accounts.as_array().expect("accounts") {
        let error = account["error"].as_str().expect("an error");
        assert!(error.contains("imapsync --justconnect"), "{error}");
    }
    // As a precheck it stops the run.
    program.run(["--mode", "export"]).code(3);
    assert!(!program.path("exported").exists());
}

#[test]
fn one_that_hangs_is_killed_with_its_children() {
    let server = server();
    // Both would outlive a kill of the script alone; neither heeds a polite signal.
    let body = "trap '' TERM INT; (trap '' TERM INT; exec sleep 1000) & \
                echo $! >\"${0%/*}/child\"; sleep 1000";
    let (program, imapsync) = Imapsync::put(program(&server), body);
    let output = test(&program, &["--imap-timeout", "1"]);
    output.code(1).says("imapsync --justconnect");
    let child = fs::read_to_string(imapsync.path("child")).expect("a pid");
    let child = Path::new("/proc").join(child.trim());
    wait_until("the end of its child", || {
        let status = fs::read_to_string(child.join("status")).unwrap_or_default();
        // Its parent is gone; who has adopted it may not have noticed its death.
        status.is_empty() || status.contains("State:\tZ")
    });
}

#[test]
fn one_that_floods_is_killed() {
    let server = server();
    let (program, _imapsync) = Imapsync::put(program(&server), "exec yes 'all is well'");
    let output = test(&program, &[]);
    output
        .code(1)
        .says("imapsync --justconnect")
        .says("1048576 bytes");
    assert!(log(&program).len() < 1 << 20);
}

#[test]
fn a_signal_ends_it_too() {
    let server = server();
    let body = "echo $$ >\"${0%/*}/begun\"; exec sleep 1000";
    let (program, imapsync) = Imapsync::put(program(&server), body);
    let running = program.spawn(["--mode", "test"]);
    let begun = imapsync.path("begun");
    wait_until("imapsync", || begun.exists());
    running.signal("TERM");
    running.wait().code(130);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let server = server();
    let (program, _imapsync) = Imapsync::put(
        program(&server),
        "printf 'bad \\033[31mred\\007\\n'; exit 1",
    );
    let output = test(&program, &[]);
    output.code(1).says("bad [31mred");
    assert!(!output.stdout.contains('\u{1b}'));
}

#[test]
fn a_config_without_a_test_does_not_ask_for_it() {
    let server = server();
    let program = without_imapsync(program_for(&server));
    program
        .run(["--mode", "audit", "--audit-offline"])
        .code(2)
        .warns("no archive");
}
