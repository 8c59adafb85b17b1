//! The examples for engines that start many processes work as they stand: a real Slurm runs the one, the other is what
//! Kubernetes takes, and systemd finds no fault.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::mail::realistic;
use crate::kit::run::program::{BINARY, Program, server_json};
use crate::kit::run::python::interpreter;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::slurm::Slurm;
use crate::kit::{PASSWORD, PATIENCE, is_long, wait_until};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

#[track_caller]
fn assert_ends_well(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{said}\n{errors}",
        output.status
    );
    said
}

/// Two servers with the same users, mail on the one, and a directory with both configurations.
struct Scene {
    users: Vec<String>,
    source: Dovecot,
    target: Dovecot,
    program: Program,
}

fn scene(count: usize) -> Scene {
    let users: Vec<String> = (0..count).map(|n| format!("user{n}@example.com")).collect();
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (user.as_str(), PASSWORD)).collect();
    let source = Dovecot::start(DovecotOptions::of(&accounts));
    for (number, user) in (0..).zip(&users) {
        source.seed(user, "INBOX", &realistic(2000 + number, 3));
    }
    let target = Dovecot::start(DovecotOptions::of(&accounts));
    let program = Program::new();
    program.config(&source.imaps(), &accounts);
    let accounts: Vec<Value> = accounts
        .iter()
        .map(|(email, password)| json!({"email": email, "password": password}))
        .collect();
    let config = json!({"server": server_json(&target.imaps()), "accounts": accounts});
    program.file("import.pass.config.json", &config.to_string());
    Scene {
        users,
        source,
        target,
        program,
    }
}

/// How often a server has each message of a user.
fn held(server: &Dovecot, user: &str) -> BTreeMap<Option<String>, u32> {
    let mut counts = BTreeMap::new();
    for message in Reader::new(&server.imaps(), user, PASSWORD)
        .mailbox("INBOX")
        .messages
    {
        *counts.entry(message.sha256).or_insert(0) += 1;
    }
    counts
}

impl Scene {
    fn assert_moved(&self) {
        for user in &self.users {
            assert_eq!(held(&self.target, user), held(&self.source, user), "{user}");
        }
    }
}

/// Processes of the program that work below a directory.
fn at_work(dir: &Path) -> Vec<String> {
    let dir = dir.canonicalize().expect("the directory");
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter(|process| {
            let link = |name: &str| fs::read_link(process.path().join(name)).ok();
            link("cwd").as_deref() == Some(&dir)
                && link("exe").is_some_and(|exe| exe.ends_with("imapsync-bulk-migrator"))
        })
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Longer than anything else: what is requeued waits, and the shards may have many accounts.
fn wait_for_the_end(slurm: &Slurm, dir: &Path) {
    let start = Instant::now();
    loop {
        let queue = slurm.run(dir, "squeue", &["-h", "-o", "%i %T %r"], "");
        let left = String::from_utf8_lossy(&queue.stdout).into_owned();
        if left.trim().is_empty() {
            return;
        }
        assert!(
            start.elapsed() < 10 * PATIENCE,
            "Slurm has not done it all: {left}"
        );
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn slurm_runs_the_shards_begins_a_killed_one_again_and_the_report_proves_them_all() {
    let scene = scene(if is_long() { 200 } else { 24 });
    let dir = scene.program.dir();
    let bin = scene.program.path("bin");
    fs::create_dir(&bin).expect("create");
    symlink(BINARY, bin.join("imapsync-bulk-migrator")).expect("symlink");
    let bin = bin.to_str().expect("UTF-8");
    let slurm = Slurm::start();
    let submit = example("slurm/submit");
    let submit = submit.to_str().expect("UTF-8");
    let said = assert_ends_well(&slurm.run(&dir, submit, &["4"], bin));
    let mut at_work_once = Vec::new();
    wait_until("a shard is at work", || {
        at_work_once = at_work(&dir);
        !at_work_once.is_empty()
    });
    let killed = Command::new("kill")
        .args(["-KILL", &at_work_once[0]])
        .status();
    assert!(killed.expect("kill").success(), "it had ended");
    wait_for_the_end(&slurm, &dir);
    scene.assert_moved();
    let report = fs::read(scene.program.path("reports/all.json"));
    let report = report.unwrap_or_else(|error| panic!("{said}: {error}"));
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["exit_code"], 0);
    assert_eq!(
        report["accounts"].as_array().expect("accounts").len(),
        scene.users.len()
    );
    assert_eq!(report["shards"].as_array().expect("shards").len(), 4);
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-validate");
    let output = Command::new(interpreter())
        .args(["-m", "kubernetes_validate", "--strict"])
        .arg(example("kubernetes/migrate.yaml"))
        .env("PYTHONPATH", &packages)
        .output()
        .expect("start python3");
    let said = assert_ends_well(&output);
    for kind in ["configmap", "persistentvolumeclaim", "job"] {
        assert!(
            said.contains(&format!("passed for resource {kind}/mail-migration")),
            "{said}"
        );
    }
}

#[test]
fn a_pod_of_the_job_does_its_part_with_what_the_controller_tells_it() {
    let scene = scene(6);
    let manifest = fs::read_to_string(example("kubernetes/migrate.yaml")).expect("the manifest");
    let (_, arguments) = manifest.split_once("          args:\n").expect("args");
    let place = scene.program.dir().display().to_string();
    let arguments: Vec<String> = arguments
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "))
        .map(|word| {
            word.replace("$(WORKERS)", "8")
                .replace("$(JOB_COMPLETION_INDEX)", "1")
                .replace("/secret/", &format!("{place}/"))
                .replace("/data/reports/", &format!("{place}/"))
        })
        .collect();
    assert!(arguments.len() > 5, "{arguments:?}");
    let Scene {
        users,
        source: _source,
        target,
        program,
    } = scene;
    let program = program
        .env("JOB_COMPLETION_INDEX", "1")
        .env("JOB_COMPLETIONS", "2");
    program.run(&arguments).code(0).says("shard 2 of 2");
    let moved = users
        .iter()
        .filter(|user| !held(&target, user).is_empty())
        .count();
    let report = fs::read(program.path("shard-1.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(
        report["accounts"].as_array().expect("accounts").len(),
        moved
    );
}

#[test]
fn systemd_finds_no_fault_in_the_units_and_calls_them_safe() {
    let program = Program::new();
    for unit in ["service", "timer"] {
        let name = format!("imapsync-bulk-migrator-export.{unit}");
        let text = fs::read_to_string(example("systemd").join(&name)).expect("the unit");
        let text = text.replace("/usr/bin/imapsync-bulk-migrator", BINARY);
        program.file(&name, &text);
    }
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(arguments)
            .current_dir(program.dir())
            .output()
            .expect("systemd-analyze is missing: apt-get install systemd");
        let said = assert_ends_well(&output);
        said + &String::from_utf8_lossy(&output.stderr)
    };
    let (service, timer) = (
        "./imapsync-bulk-migrator-export.service",
        "./imapsync-bulk-migrator-export.timer",
    );
    assert_eq!(analyze(&["--man=no", "verify", service, timer]), "");
    // Of 100, where a service with every right has 96.
    analyze(&["security", "--offline=true", "--threshold=20", service]);
}
