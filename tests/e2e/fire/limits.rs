//! Little of everything: open files, memory, stack, processes, and connections that a server allows.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::{Value, json};

use super::scene::{
    USERS, assert_all_there, assert_state_is_true, export, exporter, server, truth,
};
use super::{ANNA, assert_same, contents, effort};
use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{BINARY, EXPORT, IMPORT, Output, Program, server_json};
use crate::kit::run::reader::{HeldMailbox, Reader};
use crate::kit::servers::doorman::Doorman;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

/// Accounts of a crowd.
const CROWD: usize = 60;

/// Many accounts with little mail, and as many empty ones.
fn crowd() -> Dovecot {
    let mut options = DovecotOptions::default();
    options.accounts.clear();
    for number in 0..CROWD {
        for name in [source(number), target(number)] {
            options.accounts.push((name, PASSWORD.to_owned()));
        }
    }
    let dovecot = Dovecot::start(options);
    for number in 0..CROWD {
        let mails = realistic(500 + number as u64, 3);
        dovecot.seed(&source(number), "INBOX", &mails);
    }
    dovecot
}

fn source(number: usize) -> String {
    format!("source{number}@example.com")
}

fn target(number: usize) -> String {
    format!("target{number}@example.com")
}

/// Exports the first accounts of the crowd from one server, imports them as the others to another.
fn mover(from: &Endpoint, to: &Endpoint, accounts: usize) -> Program {
    let program = Program::new();
    let config = |server: &Endpoint, login: fn(usize) -> String| {
        let accounts: Vec<Value> = (0..accounts)
            .map(|number| json!({"email": source(number), "login": login(number), "password": PASSWORD}))
            .collect();
        json!({"server": server_json(server), "accounts": accounts}).to_string()
    };
    program.file("export.pass.config.json", &config(from, source));
    program.file("import.pass.config.json", &config(to, target));
    program
}

/// Export with its audit, import, validation, audit against the source; each with the test of connections before it.
fn move_all(program: &Program, wrapper: &[&str], arguments: &[&str]) -> Vec<Output> {
    let modes = ["export", "import", "validate", "audit", "test"];
    let runs = modes.map(|mode| {
        let fixed = ["--mode", mode, "--imapsync", "never", "--min-free-gb", "0"];
        // Nothing precedes an audit, and a test says by itself how many connections it makes.
        let fixed = &fixed[..if mode == "audit" { 2 } else { 6 }];
        let output = program
            .spawn_under(wrapper, fixed.iter().chain(arguments))
            .wait();
        output.code(0);
        output
    });
    runs.into()
}

/// Every account's archive and target hold what its source holds, once.
fn assert_moved(program: &Program, dovecot: &Dovecot, accounts: usize) {
    // A reader for each of them would take longer than all else.
    for number in (0..accounts).step_by(accounts.div_ceil(6)) {
        let read = |user: &str| Reader::new(&dovecot.plain(), user, PASSWORD).mailboxes();
        let held = read(&source(number));
        assert_archive_equals_server(&program.archive(&source(number)), &held);
        assert_same(&contents(&read(&target(number))), &contents(&held));
    }
}

#[test]
fn few_open_files_mean_fewer_workers_and_a_warning() {
    let dovecot = crowd();
    let workers = effort(&["64"][..], &["16", "64", "500"]);
    for workers in workers {
        let program = mover(&dovecot.plain(), &dovecot.plain(), CROWD);
        let arguments = ["--max-workers", workers];
        for output in move_all(&program, &["prlimit", "--nofile=64:64"], &arguments) {
            output.warns("ulimit -n").says("5 work at a time");
            let all = output.stdout + &output.stderr;
            assert!(!all.contains("Too many open files"), "{all}");
        }
        assert_moved(&program, &dovecot, CROWD);
        for number in 0..CROWD {
            let _ = fs::remove_dir_all(dovecot.home(&target(number)).join("Maildir"));
        }
    }
}

#[test]
fn the_soft_limit_of_open_files_is_raised_as_far_as_need_be() {
    let dovecot = crowd();
    let program = mover(&dovecot.plain(), &dovecot.plain(), CROWD);
    let arguments = EXPORT.iter().chain(&["--max-workers", "60"]);
    let output = program
        .spawn_under(&["prlimit", "--nofile=64:1024"], arguments)
        .wait();
    output.code(0);
    assert!(!output.stderr.contains("ulimit"), "{}", output.describe());
}

#[test]
fn too_few_open_files_for_anything_end_the_run_before_it_begins() {
    let dovecot = server(0);
    let program = exporter(&dovecot);
    let output = program
        .spawn_under(&["prlimit", "--nofile=20:20"], EXPORT)
        .wait();
    output.code(2).warns("ulimit -n");
    assert!(!program.path("exported").exists());
}

/// A run that had too little of something ends well, ends with an error, or is ended by its lack of memory.
#[track_caller]
fn assert_no_lie(program: &Program, output: &Output, truth: &[(&str, Vec<HeldMailbox>)]) {
    let said = output.stdout.clone() + &output.stderr;
    assert!(!said.contains("panicked"), "{}", output.describe());
    match (output.status.code(), output.status.signal()) {
        (Some(0), None) => assert_all_there(program, truth),
        // 127: the binary itself does not fit.
        (Some(1 | 2 | 127), None) => {}
        (None, Some(6)) => assert!(said.contains("memory allocation"), "{}", output.describe()),
        // The kernel could not even load the binary.
        (None, Some(11)) => assert!(
            said.is_empty() && !program.path("logs").exists(),
            "{}",
            output.describe()
        ),
        _ => panic!("{}", output.describe()),
    }
    for (user, held) in truth {
        if program.path("exported").join(user).exists() {
            assert_state_is_true(&program.archive(user), held);
        }
    }
    export(program).code(0);
    assert_all_there(program, truth);
    program.audit(&[]).code(0);
}

#[test]
fn little_address_space_ends_in_a_clear_error_or_a_death_that_leaves_no_lies() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let coarse: &[u64] = &[200, 40, 32, 16];
    let fine: Vec<u64> = (2..120).step_by(3).collect();
    let mut completed = 0;
    for megabytes in effort(coarse, &fine) {
        let program = exporter(&dovecot);
        let limit = format!("--as={}", megabytes << 20);
        let arguments = EXPORT.iter().chain(&["--min-free-gb", "0"]);
        let output = program.spawn_under(&["prlimit", &limit], arguments).wait();
        completed += usize::from(output.status.success());
        assert_no_lie(&program, &output, &truth);
    }
    assert!(completed > 0);
}

#[test]
fn a_small_stack_is_enough_for_deep_nesting() {
    let mut mime = String::from("Subject: deep\r\nMIME-Version: 1.0\r\n");
    for level in 0..2_000 {
        write!(
            mime,
            "Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n"
        )
        .expect("a string takes everything");
    }
    mime += "\r\ntext\r\n";
    let comments = format!(
        "Subject: deep\r\nFrom: {}a@example.com\r\n\r\ntext\r\n",
        "(".repeat(50_000)
    );
    let dovecot = Dovecot::simple();
    let mails = [Mail::new("mime", mime), Mail::new("comments", comments)];
    dovecot.seed(ANNA, "INBOX", &mails);
    let program = Program::new();
    program.config(&dovecot.plain(), &dovecot.accounts());
    let stacks = effort(
        &["--stack=131072"][..],
        &["--stack=131072", "--stack=262144"],
    );
    for stack in stacks {
        let wrapper = ["prlimit", stack];
        let arguments = EXPORT.iter().chain(&["--min-free-gb", "0"]);
        program.spawn_under(&wrapper, arguments).wait().code(0);
        let audit = ["--mode", "audit", "--audit-offline", "--report", "r.json"];
        let output = program.spawn_under(&wrapper, audit).wait();
        // It may find the mail odd.
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            output.describe()
        );
    }
    // JSON of any depth is refused and not followed.
    let nested = "[".repeat(1_000_000);
    let sidecar = program.archive(ANNA).mailbox("INBOX").dir;
    fs::write(sidecar.join("u0000000001.json"), &nested).expect("write a sidecar");
    let audit = ["--mode", "audit", "--audit-offline"];
    let output = program.spawn_under(&["prlimit", stacks[0]], audit).wait();
    output.code(1).says("unreadable-sidecar");
    program.file("export.pass.config.json", &nested);
    let output = program.spawn_under(&["prlimit", stacks[0]], EXPORT).wait();
    output.code(2).warns("export.pass.config.json");
}

/// Threads count among the processes of their user, root's excepted.
#[test]
fn too_few_processes_for_the_threads_are_told() {
    /// Nobody's.
    const UID: u32 = 54_321;
    let dovecot = server(0);
    let truth = truth(&dovecot);
    for count in effort(&[1, 3][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]) {
        let program = exporter(&dovecot);
        // The build may lie where only root gets to.
        let binary = program.path("binary");
        fs::copy(BINARY, &binary).expect("copy the program");
        let give = |owner| {
            let status = Command::new("chown")
                .args(["-R", owner])
                .arg(program.dir())
                .status();
            assert!(status.is_ok_and(|status| status.success()), "chown fails");
        };
        give("54321:54321");
        let above = program.dir();
        chown(above.parent().expect("a parent"), Some(UID), None).expect("chown");
        let limit = format!("--nproc={count}");
        let words = [
            "setpriv",
            "--reuid=54321",
            "--regid=54321",
            "--clear-groups",
        ];
        let script = format!(
            "exec prlimit {limit} ./binary {} --min-free-gb 0",
            EXPORT.join(" ")
        );
        let run = Command::new(words[0])
            .args(&words[1..])
            .args(["sh", "-c", &script])
            .current_dir(program.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output()
            .expect("setpriv is missing: apt-get install util-linux");
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        give("0:0");
        chown(above.parent().expect("a parent"), Some(0), None).expect("chown");
        assert!(!said.contains("panicked"), "{count}: {said}");
        match run.status.code() {
            Some(0) => assert_all_there(&program, &truth),
            Some(1 | 2) => assert!(said.contains("--max-workers"), "{count}: {said}"),
            _ => panic!("{count}: {:?} {said}", run.status),
        }
        for (user, held) in &truth {
            if program.path("exported").join(user).exists() {
                assert_state_is_true(&program.archive(user), held);
            }
        }
        export(&program).code(0);
        assert_all_there(&program, &truth);
    }
}

/// What servers say when they have no more room, in the greeting; the last one says nothing.
const FULL: [&str; 4] = [
    "* BYE Too many simultaneous connections. (Failure)\r\n",
    "* BYE [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2)\r\n",
    "* BYE Connection limit reached, try again later\r\n",
    "",
];

#[test]
fn more_workers_than_connections_wait_for_each_other_in_every_mode() {
    let dovecot = crowd();
    let accounts = effort(12, CROWD);
    for words in effort(&FULL[1..2], &FULL[..]) {
        let doorman = Doorman::start(&dovecot.plain(), 2, words);
        let program = mover(&doorman.endpoint(), &doorman.endpoint(), accounts);
        let before = doorman.turned_away();
        let workers = ["--max-workers", "12"];
        let runs = move_all(&program, &[], &workers);
        assert!(
            runs.iter()
                .any(|run| run.stderr.contains("waiting until one of them has ended"))
        );
        // Each mode, and each test before one, connects once for each account. Who is turned away does not come back
        // again and again, but when another one has left, and now and then in vain.
        let (refused, connections) = (doorman.turned_away() - before, 8 * accounts);
        assert!(refused > 0 && refused < 3 * connections, "{refused}");
        assert_moved(&program, &dovecot, accounts);
        for number in 0..accounts {
            let _ = fs::remove_dir_all(dovecot.home(&target(number)).join("Maildir"));
        }
    }
}

#[test]
fn an_account_waits_for_a_place_for_as_long_as_another_one_takes() {
    let dovecot = crowd();
    // So many tries are made at most where a server is full for another reason.
    let cases = effort(&[("", 5)][..], &[("", 5), (FULL[0], 10)]);
    for (words, tries) in cases {
        let doorman = Doorman::holding(&dovecot.plain(), 1, words, *tries);
        let program = mover(&doorman.endpoint(), &dovecot.plain(), 2);
        let arguments = ["--max-workers", "2", "--imap-timeout", "300"];
        program.run(EXPORT.iter().chain(&arguments)).code(0);
        assert!(doorman.turned_away() >= *tries);
    }
}

#[test]
fn accounts_that_share_a_login_share_its_connections() {
    let dovecot = Dovecot::start(DovecotOptions {
        max_userip_connections: 2,
        ..DovecotOptions::default()
    });
    // Enough for the accounts to be at work at the same time.
    dovecot.seed(ANNA, "INBOX", &realistic(7, 400));
    let program = Program::new();
    let names: Vec<String> = (0..10).map(|n| format!("copy{n}@example.com")).collect();
    let accounts: Vec<Value> = names
        .iter()
        .map(|name| json!({"email": name, "login": ANNA, "password": PASSWORD}))
        .collect();
    let config = json!({"server": server_json(&dovecot.imaps()), "accounts": accounts});
    program.config_json(&config);
    let export = ["--mode", "export", "--imapsync", "never", "--max-workers"];
    let output = program.run(export.iter().chain(&["10", "--min-free-gb", "0"]));
    output.code(0).warns("mail_max_userip_connections");
    let audit = ["--mode", "audit", "--max-workers", "10"];
    program.run(audit).code(0);
    let held = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailboxes();
    for name in &names {
        assert_archive_equals_server(&program.archive(name), &held);
    }
}

#[test]
fn a_server_with_few_processes_is_waited_for() {
    let mut options = DovecotOptions::of(&USERS.map(|user| (user, PASSWORD)));
    options.extra_config = "service imap {\n process_limit = 1\n}\n".to_owned();
    let dovecot = Dovecot::start(options);
    for user in USERS {
        dovecot.seed(user, "INBOX", &realistic(8, 20));
    }
    let program = exporter(&dovecot);
    let workers = ["--max-workers", "4", "--min-free-gb", "0"];
    program.run(EXPORT.iter().chain(&workers)).code(0);
    assert_all_there(&program, &truth(&dovecot));
}

#[test]
fn a_full_server_without_any_connection_of_ours_is_given_up_in_the_end() {
    let dovecot = server(0);
    let doorman = Doorman::start(&dovecot.plain(), 0, "");
    let program = Program::new();
    program.config(&doorman.endpoint(), &[(ANNA, PASSWORD)]);
    let output = program.run(EXPORT.iter().chain(&["--min-free-gb", "0"]));
    output.code(1).says(ANNA).says("closed the connection");
    assert_eq!(doorman.turned_away(), 5);
}

#[test]
fn an_import_with_few_open_files_wants_no_more_of_them_for_a_large_archive() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    for number in 0..40 {
        archive = archive.mailbox(&format!("Box {number}"), &realistic(number, 5));
    }
    archive.complete();
    program.target_config(&dovecot.plain(), &[(ANNA, PASSWORD)]);
    let limit = ["prlimit", "--nofile=40:40"];
    program.spawn_under(&limit, IMPORT).wait().code(0);
    let validate = ["--mode", "validate", "--no-connectivity-test", "--deep"];
    program.spawn_under(&limit, validate).wait().code(0);
}
