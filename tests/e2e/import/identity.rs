//! What is one message and what is two: twins, shared Message-IDs, none at all, no header at all.

use std::fs;

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, entry, import, journal, of_held, of_mails,
    program_for, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout};
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

/// Pairs and triples that only bytes, or only numbers, tell apart.
fn awkward() -> Vec<Mail> {
    let mail = |text: &str| Mail::new(text, text.replace('\n', "\r\n"));
    let twin = "Message-ID: <twin@x>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nFrom: a@x\nSubject: twin\n\nsame\n";
    vec![
        mail(twin),
        mail(twin),
        mail("Message-ID: <shared@x>\nFrom: a@x\nSubject: one\n\nfirst\n"),
        mail("Message-ID: <shared@x>\nFrom: a@x\nSubject: two\n\nsecond\n"),
        mail("From: a@x\nSubject: nobody\nReceived: from m1; 1\n\nno Message-ID\n"),
        mail("From: a@x\nSubject: nobody\nReceived: from m2; 2\n\nno Message-ID\n"),
        mail("From: a@x\nSubject: lonely\n\nno Message-ID, twice\n"),
        mail("From: a@x\nSubject: lonely\n\nno Message-ID, twice\n"),
        mail("\nno header at all\n"),
        mail("\nno header at all\n"),
        mail("\nno header at all\n").at(1_600_000_000),
        mail("\nno header, but longer\n"),
        mail("Message-ID:\nSubject: empty\n\nempty Message-ID\n"),
        mail("Message-ID:\n  <folded@x>\nSubject: folded\n and\n\tfolded\n\ntext\n"),
    ]
}

#[test]
fn awkward_mail_arrives_as_often_as_it_is_there() {
    let mails = awkward();
    let dovecot = Dovecot::start(DovecotOptions {
        layout: Layout::Sdbox,
        ..DovecotOptions::default()
    });
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &dovecot.imaps());
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let expected = of_mails(&mails);
    import(&program, &[]).code(0);
    assert_same("first run", &of_held(&on_b.mailbox("INBOX")), &expected);
    import(&program, &[]).code(0);
    assert_same("second run", &of_held(&on_b.mailbox("INBOX")), &expected);
    fs::remove_file(journal(&program)).expect("remove the journal");
    import(&program, &[]).code(0);
    assert_eq!(
        totals(&program, ["new", "unchanged"]),
        [0, mails.len() as u64]
    );
    assert_same(
        "without the journal",
        &of_held(&on_b.mailbox("INBOX")),
        &expected,
    );
}

#[test]
fn of_awkward_mail_that_is_there_in_part_only_the_rest_is_brought() {
    for capabilities in [MODERN, "IMAP4rev1"] {
        let mails = awkward();
        let there: Vec<Mail> = mails.iter().step_by(2).cloned().collect();
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX").mails(&there))
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        let (all, there) = (mails.len() as u64, there.len() as u64);
        assert_eq!(totals(&program, ["new", "unchanged"]), [all - there, there]);
        assert_holds(&server, "INBOX", &mails);
    }
}

#[test]
fn a_server_that_folds_headers_anew_has_the_message_all_the_same() {
    let mail = Mail::new(
        "folded",
        "Message-ID: <1@x>\r\nSubject: a long\r\n  subject\r\nFrom: a@x\r\n\r\ntext\r\n",
    );
    let rewritten = Mail::new(
        "rewritten",
        "Received: by us\r\nMessage-Id:\r\n <1@x>\r\nFrom: a@x\r\nSubject: a long subject\r\n\r\ntext\r\n",
    );
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(std::slice::from_ref(&rewritten)))
        .start();
    let program = program_for(&server, "INBOX", &[mail]);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 1]);
    assert_holds(&server, "INBOX", &[rewritten]);
}

/// What a server that changes headers has made of these; their dates it has kept.
fn changed_headers() -> Vec<(Mail, Mail)> {
    let cases = [
        // No 8-bit characters in headers, in two ways.
        (
            "Message-ID: <1@x>\nSubject: gr\u{fc}\u{df}e one\nFrom: J\u{f6}rg <j@x>\n\ntext\n",
            "Message-ID: <1@x>\nSubject: gr????e one\nFrom: J??rg <j@x>\n\ntext\n",
        ),
        (
            "Message-ID: <2@x>\nSubject: gr\u{fc}\u{df}e two\n\ntext\n",
            "Message-ID: <2@x>\nSubject: =?UTF-8?Q?gr=C3=BC=C3=9Fe?= two\n\ntext\n",
        ),
        // The way that it came, and what tells one message from another where nothing did.
        (
            "Subject: no Message-ID\n\ntext\n",
            "Received: by us\nSubject: no Message-ID\n\ntext\n",
        ),
        (
            "Subject: given one\n\ntext\n",
            "Message-ID: <us@x>\nDate: now\nSubject: given one\n\ntext\n",
        ),
        (
            "\nno header at all\n",
            "X-Checked: yes\n\nno header at all\n",
        ),
    ];
    let mail = |text: &str, time| Mail::new(text, text.replace('\n', "\r\n")).at(time);
    let numbered = cases.into_iter().zip(1_600_000_000..);
    numbered
        .map(|((here, there), time)| (mail(here, time), mail(there, time)))
        .collect()
}

#[test]
fn a_server_that_changes_headers_has_the_message_all_the_same() {
    let (here, there): (Vec<Mail>, Vec<Mail>) = changed_headers().into_iter().unzip();
    // The same body and date under another subject are another message.
    let text = "Subject: given two\r\n\r\ntext\r\n";
    let other = Mail::new("other", text).at(1_600_000_003);
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&there))
        .start();
    let program = program_for(
        &server,
        "INBOX",
        &[&here[..], std::slice::from_ref(&other)].concat(),
    );
    import(&program, &[]).code(0);
    let found = here.len() as u64;
    assert_eq!(totals(&program, ["new", "unchanged"]), [1, found]);
    assert_holds(&server, "INBOX", &[&there[..], &[other]].concat());
}

#[test]
fn the_newest_message_on_record_is_known_by_a_changed_header_and_not_by_its_date() {
    for (here, there) in changed_headers() {
        let server = FakeServer::options()
            .capabilities(MODERN)
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = program_for(&server, "INBOX", std::slice::from_ref(&here));
        import(&program, &[]).code(0);
        let put =
            |mail: &Mail| server.edit(|all| all[0].messages[0].body = mail.bytes.clone().into());
        put(&there);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 1]);
        assert_eq!(entry(&program, "INBOX")["note"], serde_json::Value::Null);
        // Rolled back, and filled with something else of the same second.
        put(&Mail::new(
            "else",
            "Subject: something else\r\n\r\ntext\r\n",
        ));
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new"]), [1]);
    }
}

/// Some targets give messages a date of their own.
#[test]
fn the_newest_message_on_record_is_the_same_whatever_date_the_target_says() {
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let mail = Mail::simple("one");
    let program = program_for(&server, "INBOX", std::slice::from_ref(&mail));
    import(&program, &[]).code(0);
    server.edit(|all| {
        all[0].messages[0].internaldate = "\"01-Feb-2003 04:05:06 +0000\"".to_owned();
    });
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 1]);
    assert_eq!(entry(&program, "INBOX")["note"], serde_json::Value::Null);
}

/// The same header, another body.
fn version(number: u32, text: &str) -> Mail {
    let header = format!("Message-ID: <{number}@x>\r\nDate: then\r\nSubject: draft\r\n\r\n");
    Mail::new(text, format!("{header}{text}\r\n")).at(1_600_000_000)
}

#[test]
fn another_version_of_a_message_is_not_taken_for_it_even_where_it_is_the_only_one() {
    let there = [version(1, "first"), version(2, "it is the same")];
    let here = [
        version(1, "second, longer").at(1_600_000_060),
        version(2, "it is the same"),
    ];
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&there))
        .start();
    let program = program_for(&server, "INBOX", &here);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [1, 1]);
    assert_holds(&server, "INBOX", &[&there[..], &here[..1]].concat());
}

#[test]
fn a_target_that_renders_mail_anew_gets_nothing_twice() {
    let numbers = 0..3;
    let here: Vec<Mail> = numbers.clone().map(|it| version(it, "as sent")).collect();
    let there: Vec<Mail> = numbers.map(|it| version(it, "as they like it")).collect();
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(&there))
        .start();
    let program = program_for(&server, "INBOX", &here);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 3]);
    // That it is not the same is told.
    let validate = ["--mode", "validate", "--no-connectivity-test", "-q"];
    program.run(validate).code(1).says("size-differs");
    program
        .run(validate.iter().chain(&["--deep"]))
        .code(1)
        .says("content-differs");
}
