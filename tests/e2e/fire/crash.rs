//! Killed or without power at random moments: what was reported is there, and the next run completes the rest.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::scene::{
    USERS, archived, assert_all_there, assert_state_is_true, copy_tree, export, exporter, import,
    importer, server, target, truth,
};
use super::{ANNA, effort};
use crate::kit::mail::Random;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::disk::{MOUNTS, PowerDisk};
use crate::kit::run::parallel::in_parallel;
use crate::kit::run::program::{EXPORT, IMPORT, Program};

/// How long a run takes that nobody disturbs, in microseconds.
fn duration(run: impl FnOnce()) -> u64 {
    let start = Instant::now();
    run();
    u64::try_from(start.elapsed().as_micros()).expect("no century")
}

/// Moments from the start of a run to shortly after its end.
fn moments(count: usize, duration: u64, seed: u64) -> Vec<(usize, Duration)> {
    let mut random = Random::new(seed);
    let moments = (0..count).map(|_| Duration::from_micros(random.between(0, duration * 11 / 10)));
    moments.enumerate().collect()
}

#[test]
fn an_export_killed_at_random_moments_is_completed() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let time = duration(|| {
        export(&exporter(&dovecot)).code(0);
    });
    let moments = moments(effort(16, 200), time, 11);
    in_parallel(&moments, 2, |(_, moment)| {
        let program = exporter(&dovecot);
        let running = program.spawn(EXPORT);
        sleep(*moment);
        running.kill9();
        for user in USERS {
            if program.path("exported").join(user).exists() {
                let held = &truth
                    .iter()
                    .find(|(name, _)| *name == user)
                    .expect("a user")
                    .1;
                assert_state_is_true(&program.archive(user), held);
            }
        }
        export(&program).code(0);
        assert_all_there(&program, &truth);
    });
}

#[test]
fn an_import_killed_at_random_moments_is_completed() {
    let count = effort(16, 200);
    let archived = archived(count + 1);
    let undisturbed = archived.importer(count);
    let time = duration(|| {
        import(&undisturbed).code(0);
    });
    in_parallel(&moments(count, time, 12), 2, |(number, moment)| {
        let program = archived.importer(*number);
        let running = program.spawn(IMPORT);
        sleep(*moment);
        running.kill9();
        import(&program).code(0);
        archived.assert_on_target(*number);
    });
}

fn power_disk(program: &Program, number: usize) -> PowerDisk {
    let mounts = MOUNTS[number % MOUNTS.len()];
    PowerDisk::new(&program.path("disk.img"), &program.path("exported"), mounts)
}

/// Accounts that the run has reported as complete so far.
fn reported(stderr: &str) -> Vec<&'static str> {
    let complete = |user: &&str| {
        stderr.lines().any(|line| {
            line.contains("account ended") && line.contains("complete") && line.contains(*user)
        })
    };
    USERS.into_iter().filter(complete).collect()
}

#[test]
fn an_export_that_loses_power_keeps_what_it_reported_and_is_completed() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let time = duration(|| {
        let program = exporter(&dovecot);
        let _disk = power_disk(&program, 0);
        export(&program).code(0);
    });
    let moments = moments(effort(12, 100), time, 13);
    in_parallel(&moments, 2, |(number, moment)| {
        let program = exporter(&dovecot);
        let mut disk = power_disk(&program, *number);
        let running = program.spawn(EXPORT.iter().chain(&["--min-free-gb", "0", "-v"]));
        sleep(*moment);
        let reported = reported(&running.stderr());
        disk.power_off();
        let output = running.wait();
        // Where everything had been written before, it may end well; else it says what happened.
        assert!(!output.stderr.contains("panicked"), "{}", output.describe());
        if !output.status.success() {
            let said = output.stdout.clone() + &output.stderr;
            assert!(said.contains("Input/output error"), "{}", output.describe());
        }
        disk.restart();
        for (user, held) in &truth {
            if reported.contains(user) {
                assert_archive_equals_server(&program.archive(user), held);
            } else if program.path("exported").join(user).exists() {
                assert_state_is_true(&program.archive(user), held);
            }
        }
        export(&program).code(0);
        assert_all_there(&program, &truth);
        program.audit(&[]).code(0);
    });
}

#[test]
fn names_that_outlasted_a_power_loss_without_their_bytes_are_no_obstacle() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    for zeros in [0, 137] {
        let program = exporter(&dovecot);
        export(&program).code(0);
        let dir = program.path("exported").join(ANNA);
        fs::remove_file(dir.join("export-state.json")).expect("remove the state");
        for lost in [
            "INBOX/.mailbox.json",
            "INBOX/u0000000007.json",
            "Sent/u0000000009.eml",
        ] {
            fs::write(dir.join(lost), vec![0; zeros]).expect("empty a file");
        }
        export(&program).code(0);
        assert_all_there(&program, &truth);
        program.audit(&[]).code(0);
    }
}

#[test]
fn a_power_loss_right_after_the_end_loses_nothing() {
    let dovecot = server(0);
    let truth = truth(&dovecot);
    let numbers: Vec<usize> = (0..effort(4, 20)).collect();
    in_parallel(&numbers, 2, |number| {
        let program = exporter(&dovecot);
        let mut disk = power_disk(&program, *number);
        let output = export(&program);
        disk.power_off();
        output.code(0);
        disk.restart();
        assert_all_there(&program, &truth);
        program.audit(&[]).code(0);
        // A second run has new mail to bring, and again nothing of it is lost.
        fs::remove_file(
            program
                .path("exported")
                .join(ANNA)
                .join("INBOX/u0000000003.json"),
        )
        .expect("remove a sidecar");
        let output = export(&program);
        disk.power_off();
        output.code(0);
        disk.restart();
        assert_all_there(&program, &truth);
    });
}

#[test]
fn an_import_that_loses_power_doubles_nothing() {
    let count = effort(12, 100);
    let archived = archived(count + 1);
    let prepare = |number: usize| {
        let program = importer(&archived.dovecot, &target(number));
        let disk = power_disk(&program, number);
        copy_tree(&archived.source, &program);
        let _ = std::process::Command::new("sync").status();
        (program, disk)
    };
    let (undisturbed, disk) = prepare(count);
    let time = duration(|| {
        import(&undisturbed).code(0);
    });
    drop((disk, undisturbed));
    in_parallel(&moments(count, time, 14), 2, |(number, moment)| {
        let (program, mut disk) = prepare(*number);
        let running = program.spawn(IMPORT.iter().chain(&["--min-free-gb", "0"]));
        sleep(*moment);
        disk.power_off();
        let output = running.wait();
        assert!(!output.stderr.contains("panicked"), "{}", output.describe());
        disk.restart();
        for _ in 0..2 {
            import(&program).code(0);
            archived.assert_on_target(*number);
        }
    });
}
