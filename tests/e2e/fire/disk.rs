//! Disks that are full, read-only, failing or taken away, before a run or in its middle, in every mode.

use crate::kit::PASSWORD;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::scene::{
    USERS, assert_all_there, assert_on_target, assert_state_is_true, copy_tree, export, exporter,
    held, import, importer, server, target, truth,
};
use super::{ANNA, effort};
use crate::kit::disk::{MOUNTS, PowerDisk, SmallDisk, fill, first_block};
use crate::kit::fake::{FakeMailbox, FakeOptions, FakeServer, Reply};
use crate::kit::findings::findings;
use crate::kit::handmade::Handmade;
use crate::kit::mail::{Mail, Random, realistic};
use crate::kit::panel::Panel;
use crate::kit::parallel::in_parallel;
use crate::kit::program::{IMPORT, Output, Program, server_json};
use crate::kit::reader::HeldMailbox;
use crate::kit::wait_until;
use crate::kit::wire::Received;

const FULL: &str = "No space left on device";
const FAILING: &str = "Input/output error";
const READ_ONLY: &str = "Read-only file system";

/// The run ended with an error, in words that name these, and without a panic.
#[track_caller]
fn assert_told(output: &Output, words: &[&str]) {
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "{}", output.describe());
    let said = output.stdout.clone() + &output.stderr;
    assert!(!said.contains("panicked"), "{}", output.describe());
    assert!(
        !said.contains("a bug in this program"),
        "{}",
        output.describe()
    );
    for word in words {
        assert!(
            said.contains(word),
            "{word} is missing: {}",
            output.describe()
        );
    }
}

/// One of the accounts is named as failed, or none was begun.
#[track_caller]
fn assert_account_named(output: &Output) {
    let named = |user: &&str| output.stdout.contains(&format!("FAILED  {user}"));
    assert!(
        output.status.code() == Some(2) || USERS.iter().any(named),
        "{}",
        output.describe()
    );
}

#[track_caller]
fn assert_states_are_true(program: &Program, truth: &[(&str, Vec<HeldMailbox>)]) {
    for (user, held) in truth {
        if program.path("exported").join(user).exists() {
            assert_state_is_true(&program.archive(user), held);
        }
    }
}

/// Bytes and files that a tree takes on a tmpfs.
fn taken(dir: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 1);
    for entry in fs::read_dir(dir).expect("list").flatten() {
        let there = entry.metadata().expect("look at a file");
        if there.is_dir() {
            let (more_bytes, more_files) = taken(&entry.path());
            bytes += more_bytes;
            files += more_files;
        } else {
            bytes += there.size().next_multiple_of(4096);
            files += 1;
        }
    }
    (bytes, files)
}

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
    let dovecot = server(count + 1);
    let truth = held(&dovecot, ANNA);
    let source = exporter(&dovecot);
    export(&source).code(0);
    let (bytes, files) = taken(&source.path("exported").join(ANNA));
    // What the journal and the lock take.
    let whole = importer(&dovecot, &target(count));
    copy_tree(&source, &whole);
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
        let program = importer(&dovecot, &target(*number));
        let disk = SmallDisk::with(&program.path("exported"), size);
        copy_tree(&source, &program);
        // Else nothing would come to an end before the journal is full.
        let output = import(&program);
        assert_told(&output, &[FULL, "make room", ANNA]);
        disk.grow();
        import(&program).code(0);
        assert_on_target(&dovecot, &target(*number), &truth);
        import(&program).code(0);
        assert_on_target(&dovecot, &target(*number), &truth);
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

/// Writes `import.pass.config.json`: Anna on this server.
fn aim(program: &Program, server: &FakeServer) {
    let config = json!({
        "server": server_json(&server.endpoint()),
        "accounts": [{"email": ANNA, "password": PASSWORD}],
    });
    program.file("import.pass.config.json", &config.to_string());
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
        if mode != "export" {
            disk.fill();
        }
        let fixed = ["--mode", mode, "--imapsync", "never", "--min-free-gb", "0"];
        let fixed = &fixed[..if mode == "audit" { 2 } else { 6 }];
        // The lines of an export are more than a page holds.
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
            output.says("lines are missing in the log file");
            assert_all_there(&program, &truth);
        }
        let report = fs::read_to_string(program.path("report.json")).expect("a report");
        assert!(report.contains("lines are missing"), "{report}");
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

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("list").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

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

/// `--mode index` into this file.
fn index(program: &Program, panel: &Panel, out: &str) -> Output {
    let fixed = ["--mode", "index", "--imap-host", "mail.example.com"];
    let mut words: Vec<String> = fixed.map(str::to_owned).to_vec();
    words.extend(panel.flags());
    words.extend(["--all-domains", "--out", out].map(str::to_owned));
    program.run(words)
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

/// Something is done before the command of this name and number is answered.
fn once(
    name: &'static str,
    number: usize,
    act: impl FnOnce() + Send + 'static,
) -> impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static {
    let state = Mutex::new((0, Some(act)));
    move |command| {
        let mut state = state.lock().expect("no panic");
        state.0 += usize::from(command.name == name);
        let act = if state.0 == number {
            state.1.take()
        } else {
            None
        };
        if let Some(act) = act {
            act();
        }
        None
    }
}

/// A fake server with mail for Anna that does something to the disk in the middle of a run.
fn meddler(name: &'static str, number: usize, act: impl FnOnce() + Send + 'static) -> FakeOptions {
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(31, 30)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(32, 30)))
        .on_command(once(name, number, act))
}

/// A source becomes a target.
fn empty(server: &FakeServer) {
    server.edit(|mailboxes| {
        for mailbox in mailboxes {
            mailbox.messages.clear();
        }
    });
}

fn remove(path: PathBuf) -> impl FnOnce() + Send + 'static {
    move || {
        // Whoever writes there at the same time can make it fail once.
        wait_until("it is removed", || {
            fs::remove_dir_all(&path).is_ok() || !path.exists()
        });
    }
}

#[test]
fn directories_that_are_removed_under_an_export_are_told_and_come_back() {
    // Commands in their order: EXAMINE INBOX, its messages, EXAMINE Sent, its messages, LOGOUT.
    for (dir, name, at) in [
        ("exported", "EXAMINE", 1),
        ("exported", "UID FETCH", 2),
        ("exported", "LOGOUT", 1),
        ("exported/anna@example.com", "UID FETCH", 1),
        ("exported/anna@example.com", "LOGOUT", 1),
        ("exported/anna@example.com/INBOX", "UID FETCH", 1),
        ("exported/anna@example.com/INBOX", "LOGOUT", 1),
        ("exported/anna@example.com/Sent", "LOGOUT", 1),
    ] {
        let program = Program::new();
        let server = meddler(name, at, remove(program.path(dir))).start();
        program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
        let output = program.export(&[]);
        let place = format!("{dir} at {name} {at}");
        // What is removed before anything is in it may be made again by the same run.
        if !output.status.success() {
            assert_told(&output, &[ANNA, "exported"]);
        }
        let complete = output.stdout.contains("export complete");
        assert_eq!(complete, output.status.success(), "{place}");
        if complete {
            program.audit(&[]).code(0);
        }
        program.export(&[]).code(0);
        program.audit(&[]).code(0);
        assert_eq!(
            program.archive(ANNA).mailbox("INBOX").messages.len(),
            30,
            "{place}"
        );
        assert_eq!(
            program.archive(ANNA).mailbox("Sent").messages.len(),
            30,
            "{place}"
        );
    }
}

#[test]
fn a_log_directory_that_is_removed_under_a_run_is_told() {
    let program = Program::new();
    let server = meddler("UID FETCH", 1, remove(program.path("logs"))).start();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    let output = program.export(&[]);
    output.code(0).says("was removed while the run was at work");
}

#[test]
fn directories_that_are_removed_under_an_import_are_told_and_nothing_is_doubled() {
    for (dir, name, at) in [
        ("exported", "LIST", 1),
        ("exported", "APPEND", 7),
        ("exported/anna@example.com", "APPEND", 1),
        ("exported/anna@example.com", "APPEND", 60),
        ("exported/anna@example.com/Sent", "APPEND", 3),
    ] {
        let program = Program::new();
        Handmade::new(&program)
            .mailbox("INBOX", &realistic(41, 30))
            .mailbox("Sent", &realistic(42, 30))
            .complete();
        let copied = Command::new("cp")
            .args(["-a", "exported", "kept"])
            .current_dir(program.dir())
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let server = meddler(name, at, remove(program.path(dir))).start();
        empty(&server);
        aim(&program, &server);
        let output = program.run(IMPORT);
        let place = format!("{dir} at {name} {at}");
        // Messages that were in memory by then arrive all the same, and where a journal says so, that is the end of it.
        if output.status.success() {
            assert!(
                program
                    .archive(ANNA)
                    .dir
                    .join("import.journal.jsonl")
                    .exists(),
                "{place}"
            );
            assert_eq!(server.mailbox("Sent").messages.len(), 30, "{place}");
        } else {
            assert_told(&output, &[ANNA]);
            assert!(!output.stdout.contains("import complete"), "{place}");
        }
        // A backup of the archive comes back, without a journal.
        let _ = fs::remove_dir_all(program.path("exported"));
        fs::rename(program.path("kept"), program.path("exported")).expect("restore");
        program.run(IMPORT).code(0);
        for mailbox in ["INBOX", "Sent"] {
            assert_eq!(
                server.mailbox(mailbox).messages.len(),
                30,
                "{place}: {mailbox}"
            );
        }
    }
}

#[test]
fn directories_that_are_removed_under_audit_and_validate_are_told() {
    for (mode, dir, name, at) in [
        ("audit", "exported", "LOGIN", 1),
        ("audit", "exported/anna@example.com/INBOX", "LOGIN", 1),
        ("validate", "exported", "LOGIN", 1),
        ("validate", "exported/anna@example.com/INBOX", "LOGIN", 1),
    ] {
        let program = Program::new();
        let server = meddler(name, at, remove(program.path(dir))).start();
        program.config(
            &server.endpoint(),
            &[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)],
        );
        let config = fs::read_to_string(program.path("export.pass.config.json")).expect("read");
        program.file("import.pass.config.json", &config);
        // The server is quiet while the archive is made.
        let twin = meddler("NONE", 1, || {}).start();
        let maker = Program::new();
        maker.config(
            &twin.endpoint(),
            &[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)],
        );
        maker.export(&[]).code(0);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(maker.path("exported"))
            .arg(program.dir())
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let fixed = ["--mode", mode, "--max-workers", "1", "--ignore-errors"];
        let more: &[&str] = if mode == "validate" {
            &["--no-connectivity-test", "--deep"]
        } else {
            &[]
        };
        let output = program.run(fixed.iter().chain(more));
        // The audit has read the first account's files before it asks the server; the second one's are gone.
        if dir == "exported" || mode == "validate" {
            assert_told(&output, &["example.com"]);
        }
        assert!(!output.stderr.contains("panicked"), "{}", output.describe());
    }
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
    let mut mails = realistic(51, 60);
    // Larger than what the kernel reads at once.
    mails[0].bytes.extend_from_slice(&vec![b'x'; 50_000]);
    let program = Program::new();
    let path = program.path("exported");
    let mut disk = PowerDisk::new(&program.path("disk.img"), &path, MOUNTS[0]);
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    disk.restart();
    let message = archive.file("INBOX", 1, "eml");
    let dir = archive.mailbox_dir("INBOX");
    let files = fs::read_dir(&dir).expect("list").flatten();
    let others = files.map(|entry| entry.path());
    let others = others.chain([program.archive(ANNA).dir.join("export-state.json")]);
    let behind = others.map(|path| first_block(&path).0).max();
    // Written again and again, until it lies behind everything else.
    let copies = (0..).map(|number| path.join(format!("copy{number}")));
    let copy = copies.into_iter().find(|copy| {
        fs::copy(&message, copy).expect("copy a message");
        Some(first_block(copy).0) > behind
    });
    fs::rename(copy.expect("one of them"), &message).expect("put it in its place");
    disk.restart();
    let cut = first_block(&message).0;
    assert!(Some(cut) > behind);
    disk.goes_bad_from(&message);

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

    // One import only, and the bad message is its first: what is written to the image lets it grow again.
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
