//! What stands on a terminal while a run is at work: true at any width, and nothing of it stays behind.

use serde_json::json;

use super::{ANNA, log_of};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::program::{EXPORT, Program};
use crate::kit::run::terminal::on_screen;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};
use crate::kit::servers::proxy::{Damage, Fault, Proxy, Way};

const MIB: usize = 1 << 20;

/// Two accounts, each with a message of 5 MiB of which 3 MiB arrive, and then nothing any more.
fn stuck() -> (FakeServer, Proxy, Program) {
    let large = Mail::new(
        "large",
        format!("Subject: large\r\n\r\n{}\r\n", "x".repeat(5 * MIB)),
    );
    let ben = "ben-with-a-name-that-is-longer-than-40-columns@example.com";
    let server = FakeServer::options()
        .accounts(&[(ANNA, PASSWORD), (ben, PASSWORD)])
        .mailbox(FakeMailbox::new("INBOX").mails(&[large]))
        .start();
    let damage = Damage {
        way: Way::ToClient,
        at: 3 * MIB,
        fault: Fault::Stall,
        always: true,
    };
    let proxy = Proxy::start(&server.endpoint(), Some(damage));
    let program = Program::new();
    program.config(&proxy.endpoint(), &[(ANNA, PASSWORD), (ben, PASSWORD)]);
    (server, proxy, program)
}

/// The lines of progress: all from the phase on.
fn of_progress(screen: &[String]) -> &[String] {
    let first = screen
        .iter()
        .position(|line| line.starts_with("export 0/2"));
    let first = first.unwrap_or_else(|| panic!("no progress on {screen:?}"));
    let lines = &screen[first..];
    let end = lines.iter().position(String::is_empty);
    &lines[..end.unwrap_or(lines.len())]
}

#[test]
fn bytes_count_while_a_message_arrives_and_resizing_leaves_no_fragments() {
    let (_server, _proxy, program) = stuck();
    // Both accounts' bytes together, and a line of each: lines are drawn one after the other. On a slow machine it is
    // told by then that the servers are silent.
    let wide = r"export 0/2 accounts(, 2 wait for silent servers)? · 0 messages · (5\.9|6\.0) MiB.*(\n(anna|ben).*){2}";
    let narrow = r"export 0/2 accounts( · (5\.9|6\.0) MiB|, 2 wait for silent…)(\n(anna|ben).*){2}";
    let steps = json!([
        [wide, "resize:40"],
        [narrow, "resize:80"],
        [wide, "keys:\u{3}"],
        [
            r"stopping after the message at work; again: at once",
            "keys:\u{3}"
        ],
    ]);
    let seen = on_screen(&program, 80, &[], &EXPORT, &steps);
    assert_eq!(seen.code, 130);
    for (screen, columns) in seen.screens.iter().zip([80, 40, 80]) {
        let lines = of_progress(screen);
        assert_eq!(lines.len(), 3, "a line an account: {screen:#?}");
        assert!(lines.iter().all(|line| line.chars().count() < columns));
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("anna@example.com  0/1  ")),
            "{lines:#?}"
        );
        let phases = screen.iter().filter(|line| line.contains("0/2")).count();
        assert_eq!(phases, 1, "fragments: {screen:#?}");
        assert!(
            !screen.iter().any(|line| line.contains("left")),
            "nothing is known yet"
        );
    }
    let last = seen.screens.last().expect("a screen");
    assert!(!last.iter().any(|line| line.contains("MiB")), "{last:#?}");
    assert!(
        !log_of(&program).contains('\u{1b}'),
        "the log has escape codes"
    );
}

#[test]
fn a_narrow_terminal_is_enough_from_the_beginning() {
    let (_server, _proxy, program) = stuck();
    let steps = json!([
        [r"ben-with-a-name-that-is-longer-than-40…", "keys:\u{3}"],
        ["again: at once", "keys:\u{3}"],
    ]);
    let seen = on_screen(&program, 40, &[], &EXPORT, &steps);
    assert_eq!(seen.code, 130);
    assert!(
        of_progress(&seen.screens[0])
            .iter()
            .all(|line| line.chars().count() < 40)
    );
}

#[test]
fn no_colours_and_no_moving_lines_where_they_are_not_wanted() {
    let server = super::server().start();
    let program = super::program_for(&server);
    let shown = |variables: &[(&str, &str)], more: &[&'static str]| {
        let words = [EXPORT.as_slice(), more].concat();
        let seen = on_screen(&program, 80, variables, &words, &json!([]));
        assert_eq!(seen.code, 0);
        seen.shown
    };
    let coloured = shown(&[], &[]);
    assert!(coloured.contains("\u{1b}[32mINFO"), "{coloured}");
    assert!(!log_of(&program).contains('\u{1b}'));
    assert!(!shown(&[("NO_COLOR", "1")], &[]).contains("\u{1b}[32m"));
    assert!(!shown(&[("TERM", "dumb")], &[]).contains('\u{1b}'));
    let objects = shown(&[], &["--log-format", "json"]);
    assert!(!objects.contains('\u{1b}'), "{objects}");
}
