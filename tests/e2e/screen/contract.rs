//! The report for machines keeps its contract in every mode and at every end, and a run over what an earlier one left
//! begins with it.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{ANNA, program_for, server};
use crate::kit::run::disk::SmallDisk;
use crate::kit::run::program::{IMPORT, Program, server_json};
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer, Reply};
use crate::kit::servers::panel::Panel;
use crate::kit::{PASSWORD, wait_until};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/report.schema.json");

/// The report, which a validator that is not ours finds valid.
#[track_caller]
fn valid(program: &Program) -> Value {
    let path = program.path("report.json");
    let script = "import json, sys, jsonschema\n\
                  schema, report = (json.load(open(path)) for path in sys.argv[1:])\n\
                  jsonschema.Draft7Validator.check_schema(schema)\n\
                  found = [f'{list(e.path)}: {e.message}' for e in jsonschema.Draft7Validator(schema).iter_errors(report)]\n\
                  print('\\n'.join(found[:10]))\n";
    let run = Command::new("python3")
        .args(["-c", script, SCHEMA])
        .arg(&path)
        .output()
        .expect("python3");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{errors}\nis python3-jsonschema missing? apt-get install python3-jsonschema"
    );
    let found = String::from_utf8_lossy(&run.stdout);
    assert_eq!(found.trim(), "", "the report breaks its contract");
    serde_json::from_str(&fs::read_to_string(path).expect("a report")).expect("JSON")
}

fn report(words: &[&'static str]) -> Vec<&'static str> {
    let without: &[_] = match words[1] {
        "test" | "export" => &["--imapsync", "never"],
        _ => &[],
    };
    [words, &["--report", "report.json"], without].concat()
}

#[test]
fn reports_of_every_mode_are_valid() {
    let (source, target) = (server().start(), target_server().start());
    let program = program_for(&source);
    let manifest = ["--mode", "export", "--manifest", "sums"];
    program.run(report(&manifest)).code(0);
    let exported = valid(&program);
    let account = &exported["accounts"][0];
    assert_eq!(exported["by_status"], json!({"complete": 1}));
    assert_eq!(
        (&account["cause"], &account["login"]),
        (&Value::Null, &ANNA.into())
    );
    assert_eq!(exported["servers"][0]["host"], "localhost");
    let log = exported["log"].as_str().expect("a log");
    assert!(program.path(log).is_file(), "{log}");
    assert_eq!(account["proof"], of_manifest(&program));

    for mode in ["test", "audit"] {
        program.run(report(&["--mode", mode])).code(0);
        assert_eq!(valid(&program)["mode"], mode);
    }
    program.file(
        "import.pass.config.json",
        &json!({
            "server": server_json(&target.endpoint()),
            "accounts": [{"email": ANNA, "password": PASSWORD}],
        })
        .to_string(),
    );
    let import = report(&[&IMPORT[..], &["--input-dir", "exported"]].concat());
    program.run(import).code(0);
    let imported = valid(&program);
    let mailboxes = imported["accounts"][0]["mailboxes"]
        .as_array()
        .expect("mailboxes");
    assert!(
        mailboxes
            .iter()
            .all(|mailbox| mailbox["target"].is_string()),
        "{mailboxes:?}"
    );
    let validate = report(&[
        "--mode",
        "validate",
        "--input-dir",
        "exported",
        "--deep",
        "--no-connectivity-test",
    ]);
    program.run(validate).code(0);
    assert_eq!(valid(&program)["sample"], 10_000);

    let migrate = report(&["--mode", "migrate", "--no-connectivity-test", "--deep"]);
    program.run(migrate).code(0);
    let migrated = valid(&program);
    let phases = migrated["accounts"][0]["phases"].as_array();
    assert!(
        phases.is_some_and(|phases| phases.len() > 1),
        "{migrated:#}"
    );
    assert_eq!(migrated["accounts"][0]["login"], ANNA);

    fs::rename(program.path("report.json"), program.path("first.json")).expect("moved");
    program
        .run(report(&["--mode", "report", "--reports", "first.json"]))
        .code(0);
    assert_eq!(
        valid(&program)["mode"],
        "migrate",
        "it is that report, rendered again"
    );
}

#[test]
fn reports_of_what_has_no_run_of_accounts_are_valid_too() {
    let panel = Panel::start(&json!({"example.com": ["anna", "ben"]}));
    let program = Program::new();
    let mut words = report(&[
        "--mode",
        "index",
        "--imap-host",
        "mail.example.com",
        "--all-domains",
    ]);
    let flags = panel.flags();
    words.extend([
        "--out",
        "c.json",
        "--html",
        "page.html",
        "--csv",
        "table.csv",
    ]);
    let words = words.iter().map(|word| (*word).to_owned());
    program.run(words.chain(flags.iter().cloned())).code(0);
    let told = valid(&program);
    assert_eq!(
        (&told["mode"], &told["config"]),
        (&"index".into(), &"c.json".into())
    );
    assert_eq!(told["by_status"], json!({"complete": 2}));
    assert_eq!(told["accounts"][1]["account"], "ben@example.com");
    assert!(program.path("page.html").is_file() && program.path("table.csv").is_file());
    // It is there already.
    let words = [
        "--mode",
        "index",
        "--imap-host",
        "h.example",
        "--all-domains",
        "--out",
        "c.json",
    ];
    let words = report(&words).into_iter().map(str::to_owned);
    program.run(words.chain(flags)).code(2);
    assert_eq!(valid(&program)["exit_code"], 2);

    let nobody = json!({"provider": "refresh", "client_id": "us", "token_url": "https://127.0.0.1:1/token", "refresh_token_file": "tokens/{email}",
        "device_url": "https://127.0.0.1:1/device", "scope": "mail"});
    program.config_json(&json!({
        "server": {"host": "h.example", "port": 993, "ssl": true},
        "accounts": [{"email": ANNA, "auth": {"oauth": nobody}}],
    }));
    program.run(report(&["--mode", "authorize"])).code(1);
    let told = valid(&program);
    assert_eq!(
        (&told["mode"], &told["exit_code"]),
        (&"authorize".into(), &1.into())
    );
    assert_eq!(told["accounts"][0]["cause"], "credential");
}

#[test]
fn files_that_are_one_and_files_that_are_read_are_not_written() {
    let source = server().start();
    let program = program_for(&source);
    let config = fs::read(program.path("export.pass.config.json")).expect("a configuration");
    for (words, told) in [
        (["--report", "one", "--html", "./one"], "both name"),
        (["--csv", "one", "--manifest", "one"], "both name"),
        (["--report", "-", "--html", "/dev/stdout"], "both name"),
        (
            ["--report", "export.pass.config.json", "--csv", "two"],
            "the configuration",
        ),
        (["--report", "exported", "--csv", "two"], "exported"),
    ] {
        fs::create_dir_all(program.path("exported")).expect("a directory");
        let words = ["--mode", "export"].iter().chain(&words);
        program.run(words).code(2).warns(told);
        assert!(!program.path("one").exists(), "{told}");
    }
    // Nor by usage that is not even understood.
    let words = [
        "--mode",
        "export",
        "--nothing",
        "--report",
        "export.pass.config.json",
    ];
    program.run(words).code(2);
    program
        .run(["--mode", "export", "--report", "--nothing"])
        .code(2);
    assert!(!program.path("--nothing").exists());
    let after = fs::read(program.path("export.pass.config.json")).expect("a configuration");
    assert_eq!(after, config);
}

#[test]
fn a_run_that_is_ended_at_once_leaves_no_report_of_yesterday() {
    let (asked, released) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (heard, go) = (Arc::clone(&asked), Arc::clone(&released));
    let source = server()
        .on_command(move |command| {
            if command.name == "LIST" {
                heard.store(true, Ordering::SeqCst);
                wait_until("the run has ended", || go.load(Ordering::SeqCst));
            }
            None
        })
        .start();
    let program = program_for(&source);
    program.file("report.json", "{\"exit_code\": 0}");
    program.file("page.html", "all is well");
    let words = report(&[
        "--mode",
        "export",
        "--no-connectivity-test",
        "--html",
        "page.html",
    ]);
    let run = program.spawn(words);
    wait_until("it lists", || asked.load(Ordering::SeqCst));
    run.signal("TERM");
    wait_until("it hears", || run.stderr().contains("again: at once"));
    run.signal("TERM");
    let output = run.wait();
    released.store(true, Ordering::SeqCst);
    output.code(130);
    let told = valid(&program);
    assert_eq!(told["exit_code"], 130);
    assert!(
        told["error"]
            .as_str()
            .is_some_and(|text| text.contains("second signal"))
    );
    let page = fs::read_to_string(program.path("page.html")).expect("a page");
    assert!(page.contains("Nothing was done"), "{page}");
}

#[test]
fn what_goes_wrong_with_the_page_stands_in_the_report() {
    let source = server().start();
    let program = program_for(&source);
    let disk = SmallDisk::with(&program.path("full"), "size=8k");
    program.file("full/page.html", "yesterday's");
    disk.fill();
    let words = report(&[
        "--mode",
        "export",
        "--no-connectivity-test",
        "--html",
        "full/page.html",
    ]);
    program.run(words).code(2).warns("full/page.html");
    let told = valid(&program);
    assert_eq!(told["exit_code"], 2);
    assert!(
        told["errors"].to_string().contains("full/page.html"),
        "{told:#}"
    );
    assert!(
        !program.path("full/page.html").exists(),
        "yesterday's passes for today's"
    );
}

fn target_server() -> FakeOptions {
    FakeServer::options().mailbox(FakeMailbox::new("INBOX"))
}

/// What the schema says how to make of a manifest.
fn of_manifest(program: &Program) -> String {
    let run = Command::new("sh")
        .args(["-c", "cut -c1-64 sums | sort | sha256sum | cut -c1-64"])
        .current_dir(program.dir())
        .output()
        .expect("sh");
    String::from_utf8_lossy(&run.stdout).trim().to_owned()
}

#[test]
fn a_run_that_cannot_begin_leaves_no_report_of_yesterday() {
    let source = server().start();
    let program = program_for(&source);
    program.run(report(&["--mode", "export"])).code(0);
    assert_eq!(valid(&program)["exit_code"], 0);
    // Usage, usage that does not even say the mode, configuration, environment.
    for (words, mode) in [
        (vec!["--mode", "export", "--no-such-flag"], "export".into()),
        (vec!["--mode", "teleport"], Value::Null),
        (
            vec!["--mode", "export", "--config", "nowhere"],
            "export".into(),
        ),
        (
            vec![
                "--mode",
                "validate",
                "--config",
                "export.pass.config.json",
                "--input-dir",
                "nowhere",
            ],
            "validate".into(),
        ),
    ] {
        program.run(report(&words)).code(2);
        let told = valid(&program);
        assert_eq!(
            (&told["exit_code"], &told["mode"]),
            (&2.into(), &mode),
            "{words:?}"
        );
        assert!(
            told["error"].as_str().is_some_and(|text| !text.is_empty()),
            "{words:?}"
        );
        fs::write(program.path("report.json"), "{\"exit_code\": 0}").expect("yesterday's");
    }
}

#[test]
fn a_report_that_cannot_be_written_ends_the_run_before_it_begins() {
    let source = server().start();
    let program = program_for(&source);
    program
        .run([
            "--mode",
            "export",
            "--report",
            "no/such/directory/report.json",
        ])
        .code(2)
        .warns("no/such/directory");
    assert!(!program.path("exported").exists(), "it has begun");
}

#[test]
fn a_cause_is_told_in_a_word_and_what_to_do_in_the_last_line() {
    let source = server()
        .accounts(&[(ANNA, PASSWORD), ("ben@example.com", "another one")])
        .on_command(|command| {
            let is_ben = command.name == "LOGIN" && command.text().contains("ben@");
            is_ben.then(|| Reply::tagged("NO [AUTHENTICATIONFAILED] wrong"))
        })
        .start();
    let program = Program::new();
    program.config(
        &source.endpoint(),
        &[(ANNA, PASSWORD), ("ben@example.com", "wrong one")],
    );
    let words = report(&[
        "--mode",
        "export",
        "--no-connectivity-test",
        "--ignore-errors",
    ]);
    let output = program.run(words);
    output
        .code(1)
        .says("Logins refused: 1 account")
        .says("run it again with --only-failed report.json");
    let told = valid(&program);
    assert_eq!(told["by_status"], json!({"complete": 1, "failed": 1}));
    assert_eq!(told["accounts"][1]["cause"], "auth");

    // And so it is done: the others are left in peace.
    let again = report(&[
        "--mode",
        "export",
        "--no-connectivity-test",
        "--only-failed",
        "report.json",
    ]);
    program.run(again).code(1);
    let told = valid(&program);
    let accounts = told["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["account"], "ben@example.com");
}

#[test]
fn nobody_to_resolve_and_nobody_to_answer_are_told_apart() {
    for (host, port, cause) in [
        ("no-such-host.invalid", 143, "dns"),
        ("127.0.0.1", 1, "connect"),
    ] {
        let program = Program::new();
        program.config_json(&json!({
            "server": {"host": host, "port": port, "ssl": false},
            "accounts": [{"email": ANNA, "password": PASSWORD}],
        }));
        program.run(report(&["--mode", "test"])).code(1);
        assert_eq!(valid(&program)["accounts"][0]["cause"], cause);
    }
}
