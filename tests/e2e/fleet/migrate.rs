//! `--mode migrate`: everything from one server to the other in one run, whatever interrupts it, and nothing twice.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::mail::{Mail, Random, realistic};
use crate::kit::run::parallel::in_parallel;
use crate::kit::run::program::{MIGRATE, Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::run::report::report;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::{PASSWORD, is_long, wait_until};

const USERS: [&str; 4] = [
    "anna@example.com",
    "bert@example.com",
    "cleo@example.com",
    "dora@example.com",
];
/// The password on the target.
const OTHER: &str = "another-9Kx-for-the-target";

/// Two servers with the same users, and mail on the one.
struct Scene {
    source: Dovecot,
    target: Dovecot,
}

fn scene() -> Scene {
    let source = Dovecot::start(DovecotOptions::of(&USERS.map(|user| (user, PASSWORD))));
    for (number, user) in (0..).zip(USERS) {
        source.seed(user, "INBOX", &realistic(800 + number, 6));
        source.seed(user, "Work/2024", &realistic(820 + number, 3));
    }
    let target = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        ..DovecotOptions::of(&USERS.map(|user| (user, OTHER)))
    });
    Scene { source, target }
}

impl Scene {
    /// A working directory with both configurations.
    fn program(&self) -> Program {
        let program = Program::new();
        program.config(&self.source.imaps(), &USERS.map(|user| (user, PASSWORD)));
        self.aim(&program, &USERS.map(|user| (user, OTHER)));
        program
    }

    fn aim(&self, program: &Program, accounts: &[(&str, &str)]) {
        program.target_config(&self.target.imaps(), accounts);
    }

    #[track_caller]
    fn assert_moved(&self) {
        for user in USERS {
            let from = contents(&self.source, user, PASSWORD);
            let to = contents(&self.target, user, OTHER);
            assert_eq!(to, from, "{user}");
        }
    }
}

/// How often the account has each message, by its mailbox (without the prefix, with slashes), bytes, flags and date.
fn contents(
    server: &Dovecot,
    user: &str,
    password: &str,
) -> BTreeMap<(String, String, Vec<String>), u32> {
    let mut counts = BTreeMap::new();
    for mailbox in Reader::new(&server.imaps(), user, password).mailboxes() {
        let name = mailbox.name.strip_prefix("INBOX.").unwrap_or(&mailbox.name);
        let name = name.replace('.', "/");
        for message in mailbox.messages {
            let print = message.sha256.unwrap_or_default() + &message.internaldate;
            *counts
                .entry((name.clone(), print, message.flags))
                .or_insert(0) += 1;
        }
    }
    counts
}

/// The phases of an account, each with how many messages it moved.
fn phases(program: &Program, account: usize) -> Vec<(String, u64)> {
    let report = report(program);
    let phases = report["accounts"][account]["phases"]
        .as_array()
        .expect("phases")
        .clone();
    let word = |phase: &Value| phase["phase"].as_str().expect("a word").to_owned();
    phases
        .iter()
        .map(|phase| {
            (
                word(phase),
                phase["counts"]["new"].as_u64().expect("a number"),
            )
        })
        .collect()
}

fn owned(phases: &[(&str, u64)]) -> Vec<(String, u64)> {
    phases
        .iter()
        .map(|(word, new)| ((*word).to_owned(), *new))
        .collect()
}

#[test]
fn all_of_it_moves_in_one_run_and_the_next_runs_bring_what_came_since() {
    let scene = scene();
    let program = scene.program();
    program
        .migrate(&["--deep"])
        .code(0)
        .says("migrate complete: 4 accounts")
        .says("36 of them were read back")
        .says("36 are identical byte for byte");
    scene.assert_moved();
    let all = [("export", 9), ("audit", 0), ("import", 9), ("validate", 0)];
    assert_eq!(phases(&program, 0), owned(&all));

    program.migrate(&[]).code(0);
    scene.assert_moved();
    let nothing = [("export", 0), ("audit", 0), ("validate", 0)];
    assert_eq!(
        phases(&program, 0),
        owned(&nothing),
        "no import where nothing is new"
    );

    scene.source.seed(USERS[1], "INBOX", &realistic(850, 2));
    program.migrate(&[]).code(0);
    scene.assert_moved();
    assert_eq!(phases(&program, 0), owned(&nothing));
    let delta = [("export", 2), ("audit", 0), ("import", 2), ("validate", 0)];
    assert_eq!(phases(&program, 1), owned(&delta));
}

#[test]
fn it_stops_where_it_is_told_and_goes_on_from_there() {
    let scene = scene();
    let program = scene.program();
    program.migrate(&["--until", "export"]).code(0);
    assert_eq!(phases(&program, 0), owned(&[("export", 9), ("audit", 0)]));
    assert!(contents(&scene.target, USERS[0], OTHER).is_empty());
    program.migrate(&["--until", "import"]).code(0);
    scene.assert_moved();
    assert_eq!(
        phases(&program, 0),
        owned(&[("export", 0), ("audit", 0), ("import", 9)])
    );
    program.migrate(&[]).code(0);
    assert_eq!(
        phases(&program, 0),
        owned(&[("export", 0), ("audit", 0), ("validate", 0)])
    );
    program
        .run(["--mode", "migrate", "--until", "audit"])
        .code(2)
        .warns("must be export or import");
}

#[test]
fn what_was_exported_and_not_imported_is_imported_by_the_next_run() {
    let scene = scene();
    let program = scene.program();
    program.migrate(&["--until", "export"]).code(0);
    program.migrate(&[]).code(0);
    scene.assert_moved();
}

#[test]
fn a_wrong_password_on_the_target_is_told_before_anything_is_copied() {
    let scene = scene();
    let program = scene.program();
    let mut accounts = USERS.map(|user| (user, OTHER));
    accounts[2].1 = "a-wrong-password";
    scene.aim(&program, &accounts);
    program
        .migrate(&[])
        .code(3)
        .says(USERS[2])
        .says("NOT begun");
    assert!(!program.path("exported").join(USERS[0]).exists());

    program
        .migrate(&["--ignore-errors"])
        .code(1)
        .says("3 of 4 accounts");
    for user in [USERS[0], USERS[1], USERS[3]] {
        assert_eq!(
            contents(&scene.target, user, OTHER),
            contents(&scene.source, user, PASSWORD)
        );
    }
    let names: Vec<Value> = report(&program)["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|account| account["account"].clone())
        .collect();
    assert_eq!(names, USERS, "each once, in the order of the configuration");

    scene.aim(&program, &USERS.map(|user| (user, OTHER)));
    program.migrate(&[]).code(0);
    scene.assert_moved();
}

#[test]
fn accounts_that_the_target_does_not_list_are_named_before_anything_begins() {
    let scene = scene();
    let program = scene.program();
    scene.aim(
        &program,
        &USERS[1..3]
            .iter()
            .map(|user| (*user, OTHER))
            .collect::<Vec<_>>(),
    );
    program
        .migrate(&[])
        .code(2)
        .warns("lacks 2 of the accounts")
        .warns(USERS[0])
        .warns(USERS[3]);
    program.migrate(&["--account", "[bc]*"]).code(0);
}

#[test]
fn an_account_that_is_full_on_the_target_keeps_its_archive_and_stops_no_other() {
    let mut scene = scene();
    scene.target = Dovecot::start(DovecotOptions {
        extra_config: "mail_plugins = $mail_plugins quota\n\
            protocol imap {\n  mail_plugins = $mail_plugins imap_quota\n}\n\
            plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1M\n}\n"
            .to_owned(),
        separator: '.',
        prefix: "INBOX.",
        ..DovecotOptions::of(&USERS.map(|user| (user, OTHER)))
    });
    let big = Mail::new(
        "big",
        [b"Subject: big\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat(),
    );
    scene.source.seed(USERS[3], "INBOX", &[big]);
    let program = scene.program();
    program
        .migrate(&["--ignore-errors"])
        .code(1)
        .says("3 of 4 accounts");
    assert_eq!(
        contents(&scene.target, USERS[0], OTHER),
        contents(&scene.source, USERS[0], PASSWORD)
    );
    let reader = Reader::new(&scene.source.plain(), USERS[3], PASSWORD);
    crate::kit::run::archive::assert_archive_equals_server(
        &program.archive(USERS[3]),
        &reader.mailboxes(),
    );
}

#[test]
fn killed_at_random_moments_it_is_completed_and_nothing_is_there_twice() {
    let scene = scene();
    let began = Instant::now();
    scene.program().migrate(&[]).code(0);
    let whole = u64::try_from(began.elapsed().as_micros()).expect("no century");
    let mut random = Random::new(1901);
    let moments: Vec<Duration> = (0..if is_long() { 60 } else { 8 })
        .map(|_| Duration::from_micros(random.between(0, whole)))
        .collect();
    in_parallel(&moments, 2, |moment| {
        let target = Dovecot::start(DovecotOptions {
            separator: '.',
            prefix: "INBOX.",
            ..DovecotOptions::of(&USERS.map(|user| (user, OTHER)))
        });
        let program = Program::new();
        program.config(&scene.source.imaps(), &USERS.map(|user| (user, PASSWORD)));
        program.target_config(&target.imaps(), &USERS.map(|user| (user, OTHER)));
        let running = program.spawn(["--mode", "migrate", "--imapsync", "never"]);
        sleep(*moment);
        running.kill9();
        program.migrate(&[]).code(0);
        for user in USERS {
            let there = contents(&target, user, OTHER);
            assert_eq!(
                there,
                contents(&scene.source, user, PASSWORD),
                "{user} after {moment:?}"
            );
        }
    });
}

#[test]
fn a_source_that_goes_down_in_the_middle_ends_the_run_and_the_next_one_completes_it() {
    let mut scene = scene();
    let program = scene.program();
    let accounts = USERS.map(|email| json!({"email": email, "password": PASSWORD}));
    let mut server = server_json(&scene.source.imaps());
    // So slow that it goes down in the middle whatever the machine.
    server["limits"] = json!({"bytes_per_second": 10_000});
    let config = json!({"server": server, "accounts": accounts});
    program.file("export.pass.config.json", &config.to_string());
    let running = program.spawn(MIGRATE.iter().chain(&["--ignore-errors"]));
    let inbox = program.path("exported").join(USERS[0]).join("INBOX");
    wait_until("mail is in the archive", || {
        let entries = fs::read_dir(&inbox).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .any(|path| path.extension().is_some_and(|end| end == "eml"))
    });
    scene.source.stop();
    running.wait().code(1).says("migrate NOT complete");
    let causes = report(&program);
    let accounts = causes["accounts"].as_array().expect("accounts");
    assert!(
        accounts.iter().any(|account| account["cause"] == "connect"),
        "{accounts:?}"
    );
    scene.source.start_again();
    program.config(&scene.source.imaps(), &USERS.map(|user| (user, PASSWORD)));
    program.migrate(&[]).code(0);
    scene.assert_moved();
}

#[test]
fn a_second_run_appends_nothing_and_takes_no_more_round_trips_than_its_parts() {
    const MODERN: &str =
        "IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE CONDSTORE LIST-EXTENDED LIST-STATUS";
    let server = || {
        FakeServer::options()
            .capabilities(MODERN)
            .counting_round_trips(Duration::from_millis(200))
    };
    let source = server()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(861, 4)))
        .mailbox(FakeMailbox::new("Work").mails(&realistic(862, 3)))
        .start();
    let target = server().mailbox(FakeMailbox::new("INBOX")).start();
    let program = Program::new();
    program.config(&source.endpoint(), &[(USERS[0], PASSWORD)]);
    program.target_config(&target.endpoint(), &[(USERS[0], PASSWORD)]);
    let without_test = ["--no-connectivity-test"];
    program.migrate(&without_test).code(0);
    assert!(!target.commands_named("APPEND").is_empty());

    let counted = || (source.round_trips(), target.round_trips());
    let forget = || {
        source.forget();
        target.forget();
    };
    forget();
    program.migrate(&without_test).code(0);
    assert_eq!(target.commands_named("APPEND"), [""; 0]);
    let together = counted();
    forget();
    program
        .run(["--mode", "export", "--no-connectivity-test"])
        .code(0);
    program
        .run(["--mode", "validate", "--no-connectivity-test"])
        .code(0);
    let apart = counted();
    assert!(
        together.0 <= apart.0 && together.1 <= apart.1,
        "{together:?}, and {apart:?} one after the other"
    );
}
