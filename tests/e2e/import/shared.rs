//! Others append to the same mailbox at the same time, or what was given up takes effect late: each message is there
//! once, or it is told.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    ANNA, MODERN, aim_with, assert_holds, failed, import, of_held, of_mails, program_for, reader,
    report, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::findings::{assert_codes, findings};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{Cut, FakeMailbox, FakeOptions, FakeServer, Reply};
use crate::kit::servers::wire::Received;

const BEN: &str = "ben@example.com";

#[test]
fn an_append_that_takes_effect_late_is_told_and_not_removed() {
    let mails = realistic(140, 6);
    let late = mails[2].clone();
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX").mails(&[Mail::simple("its own")]))
        .cut_append(3, Cut::Unstored)
        .meanwhile({
            let appends = AtomicUsize::new(0);
            move |command, mailboxes| {
                let again = command.connection == 1 && command.name == "APPEND";
                if again && appends.fetch_add(1, Ordering::SeqCst) == 1 {
                    let date = format!("\"{}\"", late.internaldate());
                    mailboxes[0].store(&late.flags, date, late.bytes.clone());
                }
            }
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &["--imap-timeout", "1"])
        .code(1)
        .says("warning doubled: 1");
    assert_eq!(report(&program)["accounts"][0]["status"], "findings");
    assert_codes(&program, &["warning doubled"]);
    let held = server.mailbox("INBOX").messages;
    assert_eq!(held.len(), 8, "its own, six, and one of them twice");
    let text = findings(&program)[0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    let copies = held.iter().filter(|one| *one.body == mails[2].bytes);
    let uids: Vec<String> = copies.map(|one| format!("(uid {})", one.uid)).collect();
    assert_eq!(uids.len(), 2);
    assert!(uids.iter().any(|uid| text.contains(uid.as_str())), "{text}");
    import(&program, &[]).code(0);
    assert_codes(&program, &[]);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);
}

#[test]
fn what_was_sent_a_second_time_is_waited_for_so_that_a_late_first_copy_is_told() {
    let mails = realistic(145, 6);
    let late = mails[2].clone();
    // The first copy arrives when all else is done, and nobody asks for anything but how many there are.
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .cut_append(3, Cut::Unstored)
        .meanwhile(move |command, mailboxes| {
            let is_all = mailboxes[0].messages.len() == 6;
            if is_all && command.connection == 1 && command.name == "STATUS" {
                let date = format!("\"{}\"", late.internaldate());
                mailboxes[0].store(&late.flags, date, late.bytes.clone());
            }
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    let output = import(&program, &["--imap-timeout", "2"]);
    output.code(1).says("warning doubled: 1");
    let waited = output
        .stderr
        .contains("messages were sent a second time: waiting");
    assert!(waited, "{}", output.stderr);
    assert_eq!(server.mailbox("INBOX").messages.len(), 7);
}

#[test]
fn what_comes_twice_while_missing_mail_is_brought_back_is_told_as_after_an_import() {
    let mails = realistic(144, 3);
    let late = mails[1].clone();
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+ UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX").mails(&mails[..1]))
        .meanwhile(move |command, mailboxes| {
            if command.name == "APPEND" && mailboxes[0].messages.len() < 2 {
                let date = format!("\"{}\"", late.internaldate());
                mailboxes[0].store(&late.flags, date, late.bytes.clone());
            }
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    let resync = ["--mode", "validate", "--no-connectivity-test"];
    let more = ["--resync-missing", "--report", "report.json"];
    program.run(resync.iter().chain(&more)).code(1);
    assert_codes(&program, &["warning doubled", "note doubled"]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 4);
    program.run(resync.iter().chain(&more)).code(0);
}

#[test]
fn what_somebody_else_appends_meanwhile_is_not_appended_again() {
    let mails = realistic(141, 150);
    let others: Vec<Mail> = mails[120..130].to_vec();
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 UIDPLUS")
        .mailbox(FakeMailbox::new("INBOX"))
        .meanwhile({
            let appends = AtomicUsize::new(0);
            move |command, mailboxes| {
                if command.name == "APPEND" && appends.fetch_add(1, Ordering::SeqCst) == 1 {
                    for mail in &others {
                        let date = format!("\"{}\"", mail.internaldate());
                        mailboxes[0].store(&mail.flags, date, mail.bytes.clone());
                    }
                }
            }
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [140, 10]);
    assert_codes(&program, &[]);
    assert_holds(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 150]);
}

/// Two accounts that reach one mailbox, with the same mail.
fn two_into_one(capabilities: &str, mails: &[Mail]) -> (FakeServer, Program) {
    two_into(FakeServer::options(), capabilities, mails)
}

fn two_into(options: FakeOptions, capabilities: &str, mails: &[Mail]) -> (FakeServer, Program) {
    let server = options
        .capabilities(capabilities)
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    for email in [ANNA, BEN] {
        Handmade::of(&program, email)
            .mailbox("INBOX", mails)
            .complete();
    }
    let accounts = [(ANNA, PASSWORD), (BEN, PASSWORD)];
    aim_with(&program, &server.endpoint(), &accounts, &Value::Null);
    (server, program)
}

#[test]
fn two_accounts_that_reach_one_mailbox_fill_it_once() {
    let mails = realistic(142, 250);
    let (server, program) = two_into_one(&format!("{MODERN} OBJECTID"), &mails);
    import(&program, &["--max-workers", "2"]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [250, 250]);
    assert_holds(&server, "INBOX", &mails);
}

/// Of two connections, the first to list is answered its second APPEND only when the other has appended, or gives way;
/// the other sees what the first APPEND brought.
fn one_between_the_first_and_the_second_append() -> impl Fn(&Received) -> Option<Reply> {
    let first = OnceLock::new();
    let (ours, theirs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wait = |until: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !until() && begin.elapsed() < Duration::from_secs(1) {
            thread::yield_now();
        }
    };
    move |command| {
        let is_first = *first.get_or_init(|| command.connection) == command.connection;
        match (command.name.as_str(), is_first) {
            ("APPEND", true) if ours.fetch_add(1, Ordering::SeqCst) == 1 => {
                wait(&|| theirs.load(Ordering::SeqCst) > 0);
            }
            ("APPEND", false) => {
                theirs.fetch_add(1, Ordering::SeqCst);
            }
            ("LIST", false) => wait(&|| ours.load(Ordering::SeqCst) > 1),
            _ => {}
        }
        None
    }
}

#[test]
fn who_finds_what_another_account_has_just_sent_gives_way_to_it() {
    let mails = realistic(145, 30);
    for capabilities in [MODERN, "IMAP4rev1 UIDPLUS"] {
        let between = one_between_the_first_and_the_second_append();
        let options = FakeServer::options().on_command(between);
        let (server, program) = two_into(options, capabilities, &mails);
        import(&program, &["--max-workers", "2"]).code(0);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn accounts_that_nothing_shows_to_be_one_double_a_few_messages_at_most_and_it_is_told() {
    let mails = realistic(143, 400);
    for capabilities in [MODERN, "IMAP4rev1 UIDPLUS", "IMAP4rev1"] {
        let (server, program) = two_into_one(capabilities, &mails);
        let output = import(&program, &["--max-workers", "2"]);
        let held = server.mailbox("INBOX").messages.len();
        output.code(i32::from(held > 400));
        let all = of_held(&reader(&server).mailbox("INBOX"));
        assert!(of_mails(&mails).iter().all(|mail| all.contains(mail)));
        // As many as go out before the first answer is seen.
        assert!(held <= 600, "{capabilities}: {held} messages");
        let told = &report(&program)["accounts"];
        let told = told.to_string().contains("came a second time");
        assert_eq!(told, held > 400, "{capabilities}: {held} messages");
    }
}

#[test]
fn what_a_target_says_ok_to_and_does_not_keep_is_not_imported() {
    for capabilities in ["IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1 LITERAL+"] {
        let mails: Vec<Mail> = (0..5)
            .map(|number| Mail::simple(&format!("mail {number}")))
            .collect();
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX"))
            .on_command(|command| {
                let raw = String::from_utf8_lossy(&command.raw);
                let swallowed = command.name == "APPEND" && raw.contains("mail 3");
                swallowed.then(|| Reply::tagged("OK APPEND completed"))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[])
            .code(1)
            .says("the target said OK to it but does not have it");
        assert_eq!(failed(&program), [("INBOX".to_owned(), 4)]);
        assert_eq!(
            totals(&program, ["new", "failed"]),
            [4, 1],
            "{capabilities}"
        );
        // It does not come back by itself, as its user may have deleted it; and it is not called there.
        import(&program, &[]).code(0);
        let validate = ["--mode", "validate", "--no-connectivity-test", "-q"];
        let output = program.run(validate.iter().chain(&["--report", "report.json"]));
        output.code(1);
        assert_codes(&program, &["error missing"]);
    }
}
