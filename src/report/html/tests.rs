use super::page;
use crate::archive::excerpt::Excerpt;
use crate::finding::{Code, Finding};
use crate::mode::Mode;
use crate::report::{AccountReport, Compared, Counts, FailedMessageReport, MailboxReport};
use crate::report::{Report, Status};

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
fn an_exception_is_recognised_and_found_and_no_sender_is_more_than_text() {
    let message = Excerpt {
        date: Some("2024-02-29T10:11:12Z".to_owned()),
        from: Some(HOSTILE.to_owned()),
        subject: Some(HOSTILE.to_owned()),
        size: Some(2048),
        sha256: Some("ab".repeat(32)),
    };
    let mut one = account("a@example.com", vec![mailbox("INBOX", 1)]);
    let mut finding = Finding::new(Code::Missing, "a@example.com", "is missing")
        .in_file("a@example.com/INBOX/u0000000007.eml")
        .of_uid(7);
    finding.message = Some(message.clone());
    one.findings = vec![finding];
    one.failures = vec![FailedMessageReport {
        account: "a@example.com".to_owned(),
        mailbox: HOSTILE.to_owned(),
        uid: Some(8),
        size: Some(4096),
        server: HOSTILE.to_owned(),
        file: None,
        message: None,
    }];
    let mut report = Report::for_tests(Mode::Migrate, vec![one]);
    let whole = page(&report);
    for text in [
        "2024-02-29 10:11:12 UTC",
        "2.00 KiB",
        "a@example.com/INBOX/u0000000007.eml",
        &"ab".repeat(32),
        "The archive has the message, but the new server does not.",
        "on the old server only, UID 8",
        "4.00 KiB",
        "Subject",
    ] {
        assert!(whole.contains(text), "{text}: {whole}");
    }
    assert_eq!(whole.matches("<script>").count(), 1, "only the page's own");
    assert!(!whole.contains(['\u{202e}', '\u{1b}']));
    report.forget_subjects();
    assert!(!page(&report).contains("Subject"));
}

#[test]
fn nothing_is_left_over_where_messages_are_of_several_kinds_and_something_is_where_it_is() {
    let mut one = account("a@example.com", Vec::new());
    let mut sum = Compared {
        archive: 100,
        matched: 90,
        missing: 3,
        unknown: 2,
        deleted: 5,
        read_back: 80,
        identical: 50,
        header_added: 29,
        line_ends: 7,
        content_differs: 1,
        ..Compared::default()
    };
    one.compared = Some(sum);
    let of = |sum: Compared| {
        let one = AccountReport {
            compared: Some(sum),
            ..one.clone()
        };
        page(&Report::for_tests(Mode::Validate, vec![one]))
    };
    let text = of(sum);
    for line in [
        "identical byte for byte</th><td>50<",
        "changed harmlessly by it</th><td>29<",
        "header fields added</th><td>29<",
        "other line ends</th><td>7<",
        "its content was not compared</th><td>10<",
        "with other content</th><td>1<",
        "not migrated</th><td>5<",
        "deleted there since</th><td>5<",
        "unexplained: 0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    sum.header_added = 20;
    assert!(
        of(sum).contains("unexplained: 2"),
        "kinds that do not explain all"
    );
    sum.header_added = 29;
    sum.archive = 107;
    assert!(
        of(sum).contains("unexplained: 7"),
        "messages nobody has seen"
    );
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
