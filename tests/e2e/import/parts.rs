//! A target that can be read only in parts, message by message, or not at all: nothing is doubled, nothing is taken for
//! something else, and what cannot be known is told.

use std::fs;

use super::{MODERN, assert_holds, failed, import, journal, program_for, totals};
use crate::kit::mail::Mail;
use crate::kit::run::findings::assert_codes;
use crate::kit::run::program::{Output, Program};
use crate::kit::servers::fake::{FakeMailbox, FakeMessage, FakeOptions, FakeServer, Reply};
use crate::kit::servers::wire::Received;

fn numbered(count: u64) -> Vec<Mail> {
    (0..count)
        .map(|n| Mail::simple(&format!("mail {n}")).at(1_700_000_000 + n))
        .collect()
}

/// A target whose INBOX has these.
fn holding(messages: impl IntoIterator<Item = FakeMessage>) -> FakeOptions {
    let messages = messages.into_iter();
    let inbox = messages.fold(FakeMailbox::new("INBOX"), FakeMailbox::message);
    FakeServer::options().capabilities(MODERN).mailbox(inbox)
}

/// The same mails, one day later and with sizes of their own: only the content says that they are the same.
fn of_other_size_and_date(mails: &[Mail]) -> Vec<FakeMessage> {
    let messages = (1..).zip(mails).map(|(uid, mail)| {
        let mut message = FakeMessage::of(uid, &mail.clone().at(mail.time + 86_400));
        message.size = Some("77".to_owned());
        message
    });
    messages.collect()
}

fn validate(program: &Program, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "validate", "--no-connectivity-test", "-q"];
    let report = ["--report", "report.json"];
    program.run(fixed.iter().chain(&report).chain(arguments))
}

/// A FETCH by UID of this message, or of others with it, that asks for this.
fn asks_for(command: &Received, uid: u32, item: &str) -> bool {
    let text = command.text();
    let set = text.split(' ').nth(3).unwrap_or_default();
    let is_in = |part: &str| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str, other| text.parse().unwrap_or(other);
        (number(from, 1)..=number(to, u32::MAX)).contains(&uid)
    };
    command.name == "UID FETCH" && text.contains(item) && set.split(',').any(is_in)
}

#[test]
fn a_message_whose_body_ends_the_connection_is_known_by_its_header_and_not_appended_again() {
    let mails = numbered(4);
    let server = holding(of_other_size_and_date(&mails))
        .on_command(|command| {
            asks_for(command, 2, "BODY.PEEK[]").then(|| Reply::bye("cannot be read"))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(1);
    assert_eq!(failed(&program), [("INBOX".to_owned(), 2)]);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 4);
    validate(&program, &[]).code(1);
    let report = super::report(&program);
    let compared = &report["accounts"][0]["compared"];
    assert_eq!(
        (&compared["unknown"], &compared["missing"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn of_many_messages_the_one_that_ends_connections_is_found_in_few() {
    let mails = numbered(40);
    for item in ["HEADER", "BODY.PEEK[]"] {
        let server = holding(of_other_size_and_date(&mails))
            .on_command(move |command| {
                // Nothing of the command is answered.
                asks_for(command, 33, item).then(|| Reply::Close(Vec::new()))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]);
        assert!(server.connections() < 12, "{}", server.connections());
        assert_eq!(totals(&program, ["new"]), [0]);
        assert_eq!(server.mailbox("INBOX").messages.len(), 40);
    }
}
