//! The document on a terminal or in a mail. Nothing in it is obeyed by the terminal as a command.

use std::fmt::{self, Display, Write};

use super::Report;
use super::document::{self, Block};
use crate::printable::printable;

/// Tables are as wide as `{report:120}` says, 80 columns otherwise.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = document::of(self);
        for (number, block) in blocks.iter().enumerate() {
            // Nothing stands before the first line.
            if number > 0 && block.begins_a_part() {
                writeln!(f)?;
            }
            write(f, block)?;
        }
        Ok(())
    }
}

fn write(f: &mut fmt::Formatter<'_>, block: &Block) -> fmt::Result {
    match block {
        Block::Heading(text) | Block::Verdict(text) => writeln!(f, "{}", printable(text)),
        Block::Text(lines) => lines
            .iter()
            .try_for_each(|line| writeln!(f, "{}", printable(line))),
        Block::Table(table) => table.fmt(f),
        Block::Lines { shown, rest } => write_lines(f, shown, *rest),
        Block::Findings {
            severity,
            code,
            count,
            shown,
            rest,
        } => {
            writeln!(f, "{} {code}: {count}", severity.as_str())?;
            write_lines(f, shown, *rest)
        }
        Block::Failed(text) => writeln!(f, "FAILED  {}", printable(text)),
    }
}

fn write_lines(f: &mut impl Write, shown: &[String], rest: usize) -> fmt::Result {
    for line in shown {
        writeln!(f, "  {}", printable(line))?;
    }
    if rest > 0 {
        writeln!(f, "  … and {rest} more")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::finding::{Code, Finding};
    use crate::mode::Mode;
    use crate::report::{AccountReport, Cause, Counts, FailedMessageReport, LoginWith};
    use crate::report::{MailboxReport, Report, Status};

    /// A folded row.
    const COUNTS: &str = "          2   17          0      0         0       0  2.00 KiB";

    fn account(name: &str, status: Status) -> AccountReport {
        AccountReport {
            status,
            seconds: 1.25,
            counts: Counts {
                mailboxes: 2,
                new: 17,
                bytes: 2048,
                ..Counts::default()
            },
            ..AccountReport::new(name)
        }
    }

    #[test]
    fn an_export_that_lacks_something_says_what_and_where() {
        let mut lacks = account("b@example.com", Status::Incomplete);
        lacks.failures = (1..=22)
            .map(|uid| FailedMessageReport {
                account: "b@example.com".into(),
                mailbox: "IN\u{1b}[2JBOX".into(),
                uid: Some(uid),
                size: (uid == 1).then_some(9),
                server: "[SERVERBUG] no".into(),
                file: None,
                message: None,
            })
            .collect();
        lacks.mailboxes = vec![MailboxReport {
            mailbox: "Old".into(),
            directory: String::new(),
            target: None,
            why: None,
            counts: Counts::default(),
            compared: None,
            note: Some("is gone".into()),
        }];
        let mut failed = account("c@example.com", Status::Failed);
        failed.error = Some("login: refused".into());
        failed.cause = Some(Cause::Auth);
        failed.login_with = LoginWith::Token;
        lacks.cause = Some(Cause::RefusedMessage);
        let mut report = Report::for_tests(
            Mode::Export,
            vec![account("a@example.com", Status::Complete), lacks, failed],
        );
        report.warnings = vec!["few files".into()];
        report.file = Some("last.json".into());
        report.totals = report.accounts[0].counts;
        let text = report.to_string();
        let line = |uid| format!("  b@example.com  IN\u{fffd}[2JBOX  uid {uid}: [SERVERBUG] no\n");
        let messages = (2..=20).map(line).collect::<Vec<_>>().concat();
        let expected = format!(
            "Logins refused: 1 account\n  FAILED  c@example.com: login: refused\n\
             \nMessages that could not be brought over (also in failed.jsonl of each account):\n  \
             b@example.com  IN\u{fffd}[2JBOX  uid 1, 9 bytes: [SERVERBUG] no\n\
             {messages}  … and 2 more\n\
             \naccount        status\n  mailboxes  new  unchanged  flags  vanished  failed     bytes  seconds\n\
             a@example.com  complete\n{COUNTS}      1.2\n\
             b@example.com  INCOMPLETE\n{COUNTS}      1.2\n\
             c@example.com  FAILED\n{COUNTS}      1.2\n\
             total\n{COUNTS}      0.0\n\
             \nWarnings:\n  few files\n  b@example.com: Old: is gone\n\
             \n17 messages, 2.00 KiB in 0 seconds\n\
             \nLists that were cut are complete in last.json\n\
             \nexport NOT complete: 1 of 3 accounts complete; see above what the tokens of 1 account \
             lack (rights, scope, mailbox); \
             see what the server refuses of 1 account (failed.jsonl): trying again alone does not help, \
             then run it again with --only-failed last.json\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn findings_come_by_kind_the_gravest_first() {
        let mut one = account("a@example.com", Status::Findings);
        one.findings = vec![
            Finding::new(Code::Leftover, "a@example.com", "is odd").in_mailbox("INBOX"),
            Finding::new(Code::MessageGone, "a@example.com", "is gone").in_file("a/INBOX/u1.eml"),
        ];
        let text = Report::for_tests(Mode::Audit, vec![one]).to_string();
        assert_eq!(
            text,
            "account        status\n  mailboxes  messages  bytes  errors  warnings  notes  seconds\n\
             a@example.com  FINDINGS\n  -          -         -      -       -         -          1.2\n\
             \nERROR message-gone: 1\n  a/INBOX/u1.eml  is gone\n\
             \nwarning leftover: 1\n  a@example.com  INBOX  is odd\n\
             \nfound: 1 error, 1 warning, 0 notes\n\
             \naudit done, NOT clean: 1 of 1 account with findings\n"
        );
    }

    #[test]
    fn of_many_accounts_those_are_listed_that_somebody_has_to_look_at() {
        let mut accounts: Vec<AccountReport> = (0..300)
            .map(|number| account(&format!("a{number}@example.com"), Status::Complete))
            .collect();
        for number in [7, 8] {
            accounts[number].status = Status::Failed;
            accounts[number].cause = Some(Cause::Auth);
            accounts[number].error = Some("refused".into());
        }
        let mut report = Report::for_tests(Mode::Export, accounts);
        report.count();
        let text = report.to_string();
        assert!(text.lines().count() < 24, "{text}");
        assert!(
            text.contains("Logins refused: 2 accounts\n  FAILED  a7@example.com: refused"),
            "{text}"
        );
        assert!(text.contains("\n300 accounts; 298 are complete"), "{text}");
        report.mode = Mode::Migrate;
        let text = report.to_string();
        assert!(!text.contains("imported"), "a table of nobody: {text}");
        report.mode = Mode::Export;
        report.all_accounts = true;
        assert!(report.to_string().contains("a299@example.com"));
    }

    #[test]
    fn of_many_accounts_only_those_are_listed_that_keep_a_run_from_beginning() {
        let not_begun = |number| account(&format!("a{number}@example.com"), Status::NotStarted);
        let mut accounts: Vec<AccountReport> = (0..300).map(not_begun).collect();
        for number in [7, 8] {
            accounts[number].status = Status::Failed;
            accounts[number].cause = Some(Cause::Auth);
            accounts[number].error = Some("refused".into());
        }
        let mut report = Report::for_tests(Mode::Export, accounts);
        report.precheck_failed = true;
        report.count();
        let text = report.to_string();
        assert!(text.lines().count() < 20, "{text}");
        for told in [
            "\na8@example.com  ",
            "… and 298 more accounts; 298 are not begun",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
        // A test that finds nothing has no table, and a wide failure does not list them all either.
        report.precheck_failed = false;
        report.mode = Mode::Test;
        for account in &mut report.accounts {
            account.status = Status::Complete;
            account.error = None;
        }
        report.count();
        let text = report.to_string();
        assert!(text.lines().count() < 8, "{text}");
        assert!(!text.contains("resolve"), "{text}");
        for account in &mut report.accounts {
            account.status = Status::Failed;
            account.error = Some("refused".into());
        }
        report.count();
        let text = report.to_string();
        assert!(text.lines().count() < 80, "{text}");
        assert!(text.contains("… and 280 more accounts; 0 are complete"));
    }
}
