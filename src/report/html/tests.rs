use super::page;
use crate::finding::{Code, Finding};
use crate::mode::Mode;
use crate::report::{AccountReport, Compared, Counts, MailboxReport, Report, Status};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\"'&\u{1b}[2J";

fn mailbox(name: &str, messages: u64) -> MailboxReport {
    MailboxReport {
        mailbox: name.to_owned(),
        directory: String::new(),
        target: Some(HOSTILE.to_owned()),
        why: None,
        counts: Counts {
            unchanged: messages,
            ..Counts::default()
        },
        compared: None,
        note: Some(HOSTILE.to_owned()),
    }
}

fn account(name: &str, mailboxes: Vec<MailboxReport>) -> AccountReport {
    AccountReport {
        status: Status::Complete,
        mailboxes,
        ..AccountReport::new(name)
    }
}

#[test]
fn what_servers_say_is_text_whatever_it_looks_like() {
    let mut one = account(HOSTILE, vec![mailbox(HOSTILE, 3)]);
    one.status = Status::Findings;
    one.error = Some(HOSTILE.to_owned());
    one.warnings = vec![HOSTILE.to_owned()];
    one.findings = vec![Finding::new(Code::Missing, HOSTILE, HOSTILE).in_mailbox(HOSTILE)];
    let mut report = Report::for_tests(Mode::Validate, vec![one]);
    report.errors = vec![HOSTILE.to_owned()];
    report.warnings = vec![HOSTILE.to_owned()];
    let page = page(&report);
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩&quot;"),
        "{page}"
    );
    assert!(!page.contains(['\u{202e}', '\u{1b}']));
    let src = [
        "src=", "url(", "http://", "https://", "@import", "style=\"", "onclick",
    ];
    for word in src {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn the_balance_closes_and_says_what_became_of_every_message() {
    let mut one = account("a@example.com", Vec::new());
    one.compared = Some(Compared {
        archive: 12_345,
        matched: 12_344,
        missing: 1,
        read_back: 12_000,
        identical: 11_900,
        header_added: 100,
        ..Compared::default()
    });
    let page = page(&Report::for_tests(Mode::Validate, vec![one]));
    for text in ["12,345", "11,900", "344", "unexplained: 0"] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn so_many_mailboxes_that_a_browser_would_crawl_are_left_to_other_files() {
    let big = account(
        "big@example.com",
        (0..30_000)
            .map(|n| mailbox(&format!("box{n}"), 1))
            .collect(),
    );
    let small = account("small@example.com", vec![mailbox("INBOX", 1)]);
    let page = page(&Report::for_tests(Mode::Export, vec![big, small]));
    assert!(!page.contains("box29999") && page.contains("INBOX"));
    assert!(page.contains("too many for one page"));
}

#[test]
fn from_which_server_to_which_is_said() {
    let mut one = account("a@example.com", Vec::new());
    one.identity = Some("a@example.com@old.example.com:993".to_owned());
    one.target_identity = Some("a@new.example.net:143".to_owned());
    let page = page(&Report::for_tests(Mode::Migrate, vec![one]));
    let from = page.find("old.example.com:993").expect("the source");
    let to = page.find("new.example.net:143").expect("the target");
    assert!(from < to);
}
