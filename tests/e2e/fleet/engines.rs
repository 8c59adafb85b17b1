//! The examples for engines that start many processes work as they stand: a real Slurm runs the one, the other is what
//! Kubernetes takes, and systemd finds no fault.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::kit::mail::{Mail, realistic};
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
fn wait_for_the_end(slurm: &Slurm, dir: &Path, mut meanwhile: impl FnMut()) {
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
        meanwhile();
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
    wait_for_the_end(&slurm, &dir, || {});
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

/// A task that waits for a time, and which time that is.
fn waits_for(slurm: &Slurm, dir: &Path) -> Option<(String, String)> {
    let queue = slurm.run(dir, "squeue", &["-h", "-r", "-o", "%i %T %r %S"], "");
    let queue = String::from_utf8_lossy(&queue.stdout).into_owned();
    queue.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [task, "PENDING", "BeginTime", start] => {
                Some(((*task).to_owned(), (*start).to_owned()))
            }
            _ => None,
        }
    })
}

/// Until when the account of a shard's report is parked, as Slurm writes times.
fn parked_until(program: &Program) -> Option<String> {
    let report = fs::read(program.path("reports/shard-1.json")).ok()?;
    let report: Value = serde_json::from_slice(&report).ok()?;
    let until = report["accounts"][0]["parked_until"].as_str()?;
    let local = Command::new("date")
        .args(["-d", until, "+%Y-%m-%dT%H:%M:%S"])
        .output();
    let local = local.expect("date").stdout;
    Some(String::from_utf8_lossy(&local).trim().to_owned())
}

/// The program, whose time is what the file `clock` says.
fn with_a_clock(program: &Program) -> String {
    let bin = program.path("bin");
    fs::create_dir(&bin).expect("create");
    let wrapper = bin.join("imapsync-bulk-migrator");
    let clock = program.path("clock");
    let text = format!(
        "#!/bin/sh\nexport IMAPSYNC_BULK_MIGRATOR_TEST_CLOCK={}\nexec {BINARY} \"$@\"\n",
        clock.display()
    );
    fs::write(&wrapper, text).expect("write");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("make it a program");
    bin.to_str().expect("UTF-8").to_owned()
}

#[test]
fn slurm_begins_a_parked_shard_again_when_its_server_allows_more_and_not_before() {
    let scene = scene(1);
    let (dir, user) = (scene.program.dir(), &scene.users[0]);
    let mut big = b"Subject: big\r\nMessage-ID: <big@example.com>\r\n\r\n".to_vec();
    big.extend([&[b'x'; 70][..], b"\r\n"].concat().repeat(1500));
    scene.source.seed(user, "INBOX", &[Mail::new("big", big)]);
    let mut server = server_json(&scene.source.imaps());
    server["limits"] = json!({"bytes_down_per_day": 100_000});
    let accounts = json!([{"email": user, "password": PASSWORD}]);
    let config = json!({"server": server, "accounts": accounts});
    scene.program.config_json(&config);
    // Two days ahead: whatever the time is, midnight is more than a day away.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let set_day = |day: u64| {
        let seconds = now + day * 86_400;
        scene.program.file("clock", &seconds.to_string());
    };
    set_day(2);
    let bin = with_a_clock(&scene.program);
    let slurm = Slurm::start();
    let submit = example("slurm/submit");
    let submit = submit.to_str().expect("UTF-8");
    assert_ends_well(&slurm.run(&dir, submit, &["1"], &bin));
    wait_until("the shard waits until its account can go on", || {
        let until = parked_until(&scene.program);
        until.is_some_and(|until| waits_for(&slurm, &dir).is_some_and(|(_, start)| start == until))
    });

    let mut day = 2;
    wait_for_the_end(&slurm, &dir, || {
        if let Some((task, _)) = waits_for(&slurm, &dir) {
            day += 1;
            set_day(day);
            let task = format!("JobId={task}");
            slurm.run(&dir, "scontrol", &["update", &task, "StartTime=now"], "");
        }
    });
    scene.assert_moved();
    let report = fs::read(scene.program.path("reports/all.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["exit_code"], 0);
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
fn the_containerfile_copies_all_that_its_build_needs_and_what_it_built() {
    let text = fs::read_to_string(example("kubernetes/Containerfile")).expect("the Containerfile");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Program::new();
    let context = program.path("context");
    fs::create_dir(&context).expect("create");
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let copies: Vec<Vec<String>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .map(words)
        .collect();
    let (from_build, from_context): (Vec<_>, Vec<_>) = copies
        .iter()
        .partition(|copy| copy[0].starts_with("--from="));
    for copy in from_context {
        let (_, sources) = copy.split_last().expect("a place");
        for source in sources {
            let outcome = Command::new("cp")
                .arg("-r")
                .arg(root.join(source))
                .arg(&context)
                .status();
            assert!(outcome.is_ok_and(|status| status.success()), "{source}");
        }
    }
    // Each target, feature and file of the manifest is there, and the lock file fits.
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--no-deps",
            "--format-version=1",
        ])
        .current_dir(&context)
        .output()
        .expect("start cargo");
    let metadata: Value = serde_json::from_str(&assert_ends_well(&metadata)).expect("JSON");
    let package = &metadata["packages"][0];
    assert!(package["features"]["vendored-tls"].is_array(), "{package}");
    let targets = package["targets"].as_array().expect("targets").iter();
    let built: Vec<String> = targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| {
            format!(
                "/src/target/release/{}",
                target["name"].as_str().expect("a name")
            )
        })
        .collect();
    assert_eq!(from_build[0][1..2], built, "what is taken from the build");
}

#[test]
fn a_pod_of_the_job_does_its_part_with_what_the_controller_tells_it() {
    let scene = scene(6);
    let manifest = fs::read_to_string(example("kubernetes/migrate.yaml")).expect("the manifest");
    let after = |key: &str| {
        let (_, rest) = manifest.split_once(key).expect(key);
        let number = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        number.split(|c: char| !c.is_ascii_digit()).next()
    };
    assert_eq!(after("  completions: "), after("name: JOB_COMPLETIONS\n"));
    let (_, arguments) = manifest.split_once("          args:\n").expect("args");
    let place = scene.program.dir().display().to_string();
    let arguments: Vec<String> = arguments
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "))
        .map(|word| {
            word.replace("$(WORKERS)", "8")
                .replace("$(JOB_COMPLETION_INDEX)", "1")
                .replace("/secret/", &format!("{place}/"))
                .replace("/data/", &format!("{place}/"))
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
