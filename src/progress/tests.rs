use super::*;

#[test]
fn who_begins_to_tell_when_all_is_over_does_not_wait() {
    let progress = Progress::new(true);
    // The wait would be LINE_EVERY.
    let began = Instant::now();
    tell(&progress.shared, false, &(Mutex::new(true), Condvar::new()));
    assert!(began.elapsed() < LINE_EVERY);
}

fn told(progress: &Progress, seconds: u64, columns: usize) -> String {
    let mut now = progress.shared.look();
    now.elapsed = Duration::from_secs(seconds);
    now.line(columns)
}

#[test]
fn a_phase_counts_its_own_and_an_account_once() {
    let progress = Progress::new(true);
    progress.start("export", 3, true);
    progress.account("a").message(1_000);
    drop(progress.account("a"));
    progress.ended("a", Status::Complete);
    let b = progress.account("b");
    assert_eq!(
        told(&progress, 1, 80),
        "export 1/3 accounts · 1 message · 1000 B · 1000 B/s"
    );
    progress.start("audit", 3, true);
    assert_eq!(told(&progress, 0, 80), "audit 0/3 accounts");
    drop(b);
    assert_eq!(told(&progress, 0, 80), "audit 0/3 accounts");
}

#[test]
fn bytes_count_while_a_message_arrives() {
    let progress = Progress::new(true);
    progress.start("export", 1, true);
    let mut account = progress.account("anna@example.com");
    account.expect(Rest {
        messages: 1,
        bytes: 200 << 20,
        unsized_messages: 0,
    });
    account.mailbox("INBOX");
    account.arriving().add(50 << 20);
    assert_eq!(
        told(&progress, 30, 80),
        "export 0/1 accounts · 0 messages · 50.0 MiB · 1.7 MiB/s · 2 min left"
    );
    let lines = progress.shared.lines(80, 24);
    assert_eq!(lines[1], "anna@example.com  0/1  50.0 MiB  INBOX");
    account.message(200 << 20);
    assert_eq!(
        progress.shared.look().known.bytes,
        200 << 20,
        "not counted twice"
    );
}

#[test]
fn each_step_of_a_migration_counts_its_own_and_what_comes_goes_again() {
    let rest = |bytes| Rest {
        messages: 2,
        bytes,
        unsized_messages: 0,
    };
    let progress = Progress::new(true);
    progress.start("migrate", 2, true);
    let step = |name: &str, phase| progress.account(name).at(phase, None);
    let mut a = step("a", mode::Phase::Export);
    a.expect(rest(2 << 20));
    a.message(1 << 20);
    a.message(1 << 20);
    drop(a);
    step("a", mode::Phase::Audit).message(2 << 20);
    let mut b = step("b", mode::Phase::Export);
    b.expect(rest(4 << 20));
    b.message(2 << 20);
    let mut a = step("a", mode::Phase::Import);
    a.expect(rest(2 << 20));
    a.message(1 << 20);
    assert_eq!(
        told(&progress, 60, 100),
        "migrate 0/2 accounts · exported 3 messages · 4.0 MiB · imported 1 message · 1.0 MiB"
    );
    let lines = progress.shared.lines(80, 24);
    assert_eq!(lines[2], "a  import  1/2  1.0 MiB");
    a.message(1 << 20);
    drop(a);
    progress.ended("a", Status::Complete);
    // Of 12 MiB, each counted on both ways, six have gone.
    assert_eq!(
        told(&progress, 60, 80),
        "migrate 1/2 accounts · exported 3 messages · imported 2 messages · 1 min left"
    );
    let moved: Vec<(&str, u64)> = progress
        .now()
        .moved
        .iter()
        .map(|moved| (moved.phase, moved.messages))
        .collect();
    assert_eq!(moved, [("export", 3), ("audit", 1), ("import", 2)]);
}

#[test]
fn a_narrow_terminal_gets_what_matters() {
    let progress = Progress::new(true);
    progress.start("export", 2, true);
    let accounts: Vec<AccountProgress> = (0..9)
        .map(|number| {
            let mut account =
                progress.account(&format!("somebody{number}@a-long-domain.example.com"));
            account.expect(Rest::default());
            account.mailbox("日本語日本語");
            account.message(3 << 20);
            account
        })
        .collect();
    let lines = progress.shared.lines(40, 6);
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines.iter().all(|line| line.width() < 40), "{lines:?}");
    assert_eq!(lines[0], "export 0/2 accounts · 27.0 MiB");
    assert_eq!(lines[4], "… and 6 more");
    drop(accounts);
}

#[test]
fn a_connection_anew_does_not_double_what_is_expected() {
    let progress = Progress::new(true);
    progress.start("import", 1, true);
    let mut account = progress.account("a");
    let rest = |messages, bytes| Rest {
        messages,
        bytes,
        unsized_messages: 0,
    };
    account.expect(rest(10, 1_000));
    account.message(100);
    account.expect(rest(9, 900));
    assert_eq!(progress.shared.look().known.due, 1_000);
}
