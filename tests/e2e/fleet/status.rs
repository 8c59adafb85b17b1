//! `--status` and `--metrics`: how far a run is, for those who look from outside while it runs and afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

const PREFIX: &str = "imapsync_bulk_migrator_";

fn status(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a status");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The samples of a file, which must keep to the text format of Prometheus and its rules for names.
fn samples(text: &str) -> BTreeMap<String, u64> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped: Vec<&str> = Vec::new();
    let mut samples = BTreeMap::new();
    let mut family = "";
    assert!(text.ends_with('\n'), "{text}");
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.is_empty() && !helped.contains(&name), "{line}");
                helped.push(name);
            }
            ["#", "TYPE", name, kind @ ("counter" | "gauge")] => {
                assert_eq!(helped.last(), Some(&name), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                assert!(kinds.insert(name, kind).is_none(), "{line}");
                family = name;
            }
            _ => {
                let (series, value) = line.rsplit_once(' ').expect("a sample");
                let name = series.split('{').next().unwrap_or_default();
                assert_eq!(name, family, "{line}");
                let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
                assert!(name.starts_with(PREFIX) && name.chars().all(good), "{line}");
                if let Some(labels) = series
                    .strip_prefix(name)
                    .filter(|labels| !labels.is_empty())
                {
                    let inside = labels
                        .strip_prefix('{')
                        .and_then(|rest| rest.strip_suffix('}'));
                    for label in inside.expect("labels in braces").split(',') {
                        let (name, value) = label.split_once('=').expect("a label");
                        assert!(name.chars().all(good), "{line}");
                        assert!(
                            value.len() >= 2 && value.starts_with('"') && value.ends_with('"'),
                            "{line}"
                        );
                    }
                }
                let value: u64 = value.parse().expect("a number");
                assert!(
                    samples
                        .insert(series.replacen(PREFIX, "", 1), value)
                        .is_none(),
                    "{line}"
                );
            }
        }
    }
    samples
}

#[test]
fn the_last_status_says_how_the_run_went() {
    let users = ["anna@example.com", "ben@example.com", "carl@example.com"];
    let dovecot = Dovecot::start(DovecotOptions::of(&users.map(|user| (user, PASSWORD))));
    for (number, user) in (0..).zip(users) {
        dovecot.seed(user, "INBOX", &realistic(60 + number, 4));
    }
    let program = Program::new();
    let accounts = [
        (users[0], PASSWORD),
        (users[1], PASSWORD),
        (users[2], "wrong-all-along"),
    ];
    program.config(&dovecot.imaps(), &accounts);
    fs::create_dir(program.path("textfiles")).expect("a directory");
    // What an earlier run left there is replaced.
    program.file("textfiles/run.prom", "old");
    let outside = [
        "--status",
        "textfiles/status.json",
        "--metrics",
        "textfiles/run.prom",
    ];
    let export = [
        "--mode",
        "export",
        "--no-connectivity-test",
        "--ignore-errors",
    ];
    program.run([&export[..], &outside].concat()).code(1);

    let names = fs::read_dir(program.path("textfiles")).expect("listed");
    let mut names: Vec<PathBuf> = names.flatten().map(|entry| entry.path()).collect();
    names.sort();
    let names: Vec<_> = names.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["run.prom", "status.json"]);
    for name in ["textfiles/status.json", "textfiles/run.prom"] {
        let mode = fs::metadata(program.path(name))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644, "collectors run as other users");
    }
    let told = status(&program.path("textfiles/status.json"));
    assert_eq!(
        (&told["exit_code"], &told["mode"]),
        (&json!(1), &json!("export")),
        "{told}"
    );
    let count = |state: &str| told["accounts"][state].as_u64();
    assert_eq!(
        (count("all"), count("complete"), count("failed")),
        (Some(3), Some(2), Some(1)),
        "{told}"
    );
    assert_eq!(
        (count("waiting"), count("at_work")),
        (Some(0), Some(0)),
        "{told}"
    );

    let text = fs::read_to_string(program.path("textfiles/run.prom")).expect("metrics");
    let samples = samples(&text);
    for (series, value) in [
        ("accounts{state=\"complete\"}", 2),
        ("accounts{state=\"failed\"}", 1),
        ("messages_total{phase=\"export\"}", 8),
        ("messages_total{phase=\"audit\"}", 8),
        ("exit_code", 1),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in {text}");
    }
    assert!(samples["bytes_total{phase=\"export\"}"] > 1000, "{text}");
    assert!(
        samples["end_time_seconds"] >= samples["start_time_seconds"],
        "{text}"
    );
    assert!(
        !text.contains('@') && !told.to_string().contains('@'),
        "names are nobody's business"
    );
}

#[test]
fn a_migration_counts_each_message_once_a_step() {
    let users = [("anna@example.com", PASSWORD)];
    let (old, new) = (
        Dovecot::start(DovecotOptions::of(&users)),
        Dovecot::start(DovecotOptions::of(&users)),
    );
    old.seed(users[0].0, "INBOX", &realistic(64, 5));
    let program = Program::new();
    program.config(&old.imaps(), &users);
    program.target_config(&new.imaps(), &users);
    let outside = ["--status", "status.json", "--metrics", "run.prom"];
    program.migrate(&outside).code(0);
    let told = status(&program.path("status.json"));
    assert_eq!(
        (&told["phase"], &told["messages"]),
        (&json!("migrate"), &json!(5))
    );
    let text = fs::read_to_string(program.path("run.prom")).expect("metrics");
    let samples = samples(&text);
    for (phase, messages) in [("export", 5), ("audit", 5), ("import", 5)] {
        let series = format!("messages_total{{phase=\"{phase}\"}}");
        assert_eq!(samples.get(&series), Some(&messages), "{series} in {text}");
        let moved = told["moved"].as_array().into_iter().flatten();
        let of_phase: Vec<_> = moved.filter(|moved| moved["phase"] == phase).collect();
        assert_eq!(of_phase.len(), 1, "{told}");
        assert_eq!(of_phase[0]["messages"], messages, "{told}");
    }
    assert!(!text.contains("phase=\"migrate\"} 5"), "{text}");
}

#[test]
fn while_the_run_works_the_status_is_whole_and_new() {
    let dir = TempDir::new();
    let (json, prom) = (dir.path().join("status.json"), dir.path().join("run.prom"));
    let seen = Arc::new(AtomicBool::new(false));
    let hook = {
        let (json, prom, seen) = (json.clone(), prom.clone(), Arc::clone(&seen));
        move || {
            let until = Instant::now() + Duration::from_secs(60);
            while Instant::now() < until && !seen.load(Ordering::SeqCst) {
                let (told, text) = (status(&json), fs::read_to_string(&prom));
                let samples = samples(&text.expect("metrics"));
                let is_at_work = told["accounts"]["at_work"] == 1 && told["phase"] == "export";
                if is_at_work && samples.get("accounts{state=\"at_work\"}") == Some(&1) {
                    assert_eq!(told["exit_code"], Value::Null, "{told}");
                    assert!(!samples.contains_key("exit_code"));
                    seen.store(true, Ordering::SeqCst);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    };
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(70, 3)))
        .on_command(move |command| {
            if command.name == "UID FETCH" {
                hook();
            }
            None
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[("anna@example.com", PASSWORD)]);
    let words = [
        "--mode",
        "export",
        "--imapsync",
        "never",
        "--imap-timeout",
        "80",
    ];
    let files = [
        "--status",
        &json.display().to_string(),
        "--metrics",
        &prom.display().to_string(),
    ]
    .map(str::to_owned);
    let words: Vec<String> = words.map(str::to_owned).into_iter().chain(files).collect();
    program.run(words).code(0);
    assert!(
        seen.load(Ordering::SeqCst),
        "nobody saw the account at work"
    );
    assert_eq!(status(&json)["exit_code"], 0);
    assert_eq!(status(&json)["seconds_left"], Value::Null);
}

#[test]
fn a_run_that_cannot_begin_says_so_and_files_that_cannot_be_replaced_are_refused() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    program.file("status.json", "{\"exit_code\": 0}");
    let both = ["--status", "status.json", "--metrics", "run.prom"];
    let export = ["--mode", "export", "--imapsync", "never"];
    program.run([&export[..], &both].concat()).code(2);
    assert_eq!(status(&program.path("status.json"))["exit_code"], 2);
    let text = fs::read_to_string(program.path("run.prom")).expect("metrics");
    assert_eq!(samples(&text)["exit_code"], 2);

    let server = server_json(&dovecot.imaps());
    let account = json!({"email": "anna@example.com", "password": PASSWORD});
    program.config_json(&json!({"server": server, "accounts": [account]}));
    for (flags, said) in [
        (["--status", "-"], "replaced again and again"),
        (["--metrics", "run.txt"], ".prom"),
        (["--status", "nowhere/status.json"], "nowhere/status.json"),
        (
            ["--status", "export.pass.config.json"],
            "which is the configuration",
        ),
    ] {
        program
            .run([&export[..], &flags].concat())
            .code(2)
            .warns(said);
        assert!(!program.path("exported").exists(), "nothing was begun");
    }
}
