//! A death or refusal belongs to what was under way: one message, one mailbox; everything else is copied.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ANNA, program_for};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::program::{IMPORT, Program};
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeOptions, FakeServer, Reply};

/// UIDs that the archive's mailbox of this name holds.
fn uids(program: &Program, mailbox: &str) -> Vec<u32> {
    let archive = program.archive(ANNA);
    archive.mailbox(mailbox).messages.keys().copied().collect()
}

#[test]
fn a_connection_that_dies_once_before_a_message_costs_nothing() {
    for behaviour in [Behaviour::Hangup, Behaviour::Bye("FETCH failed".to_owned())] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(80, 5)))
            .on_fetch_times(3, 1, behaviour)
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        assert_eq!(uids(&program, "INBOX"), [1, 2, 3, 4, 5]);
    }
}

/// INBOX with ten messages, and a mailbox behind it.
fn two_mailboxes() -> FakeOptions {
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(81, 10)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(82, 2)))
}

fn failed_uids(program: &Program) -> Vec<Option<u64>> {
    let failed = program.archive(ANNA).failed();
    failed.iter().map(|line| line["uid"].as_u64()).collect()
}

#[test]
fn a_message_that_connections_die_on_costs_itself() {
    let cases = [
        (1, Behaviour::Hangup),
        (4, Behaviour::Hangup),
        (10, Behaviour::Hangup),
        (4, Behaviour::Bye("FETCH failed: Internal error".to_owned())),
        (4, Behaviour::DropAt(10)),
        (4, Behaviour::Silence),
        (10, Behaviour::StallAt(3)),
    ];
    for (bad, behaviour) in cases {
        let case = format!("{bad} {behaviour:?}");
        let server = two_mailboxes().on_fetch(bad, behaviour).start();
        let program = program_for(&server);
        let output = program.export(&["--imap-timeout", "1"]);
        output
            .code(1)
            .says("INCOMPLETE")
            .says(&format!("uid {bad}"));
        let others: Vec<u32> = (1..=10).filter(|uid| *uid != bad).collect();
        assert_eq!(uids(&program, "INBOX"), others, "{case}");
        let sent: &[u32] = if bad == 1 { &[2] } else { &[1, 2] };
        assert_eq!(uids(&program, "Sent"), sent, "{case}");
        // The next run knows it, and asks once.
        let before = server.connections();
        program.export(&["--imap-timeout", "1"]).code(1);
        let again = server.connections() - before;
        assert!(again <= 3, "{case}: {again} connections");
        // Of what never came the record has all that the server says.
        for failed in program.archive(ANNA).failed() {
            let date = failed["date"].as_str().unwrap_or_default();
            assert!(date.ends_with('Z'), "{case}: {failed}");
            assert!(failed["size"].is_u64(), "{case}: {failed}");
        }
        server.behave();
        program.export(&[]).code(0);
        assert_eq!(uids(&program, "INBOX").len(), 10, "{case}");
        assert_eq!(failed_uids(&program), [None; 0], "{case}");
    }
}

#[test]
fn many_bad_messages_cost_themselves() {
    for behaviour in [Behaviour::Hangup, Behaviour::DropAt(5)] {
        let mut options = two_mailboxes();
        for bad in [2, 3, 5, 7, 8, 10] {
            options = options.on_fetch(bad, behaviour.clone());
        }
        let server = options.start();
        let program = program_for(&server);
        program.export(&[]).code(1).says("INCOMPLETE");
        assert_eq!(uids(&program, "INBOX"), [1, 4, 6, 9]);
        assert_eq!(uids(&program, "Sent"), [1]);
        assert_eq!(failed_uids(&program).len(), 7);
    }
}

#[test]
fn a_mailbox_whose_every_message_is_bad_holds_up_no_other() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(83, 3)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(84, 6)))
        .on_fetch(1, Behaviour::Hangup)
        .on_fetch(2, Behaviour::Hangup)
        .on_fetch(3, Behaviour::Hangup)
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("INCOMPLETE");
    assert_eq!(uids(&program, "INBOX"), [0; 0]);
    assert_eq!(uids(&program, "Sent"), [4, 5, 6]);
    assert_eq!(failed_uids(&program).len(), 6);
}

/// Three mailboxes; a command on the second, `Bad`, has this end so many times.
fn bad_mailbox(name: &'static str, times: usize, reply: Reply) -> FakeServer {
    let left = Arc::new(AtomicUsize::new(times));
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(85, 2)))
        .mailbox(FakeMailbox::new("Bad").mails(&realistic(86, 2)))
        .mailbox(FakeMailbox::new("Good").mails(&realistic(87, 2)))
        .on_command(move |command| {
            let bad = command.name == name && command.text().contains("Bad");
            let again = |left: usize| left.checked_sub(1);
            let due = bad
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, again)
                    .is_ok();
            due.then(|| reply.clone())
        })
        .start()
}

#[test]
fn a_mailbox_that_cannot_be_opened_holds_up_no_other() {
    let replies = [
        Reply::tagged("NO [SERVERBUG] internal error"),
        Reply::tagged("NO [UNAVAILABLE] not now"),
        Reply::tagged("NO [INUSE] locked"),
        Reply::tagged("NO [LIMIT] too much of it"),
        Reply::tagged("NO [NOPERM] not yours"),
        Reply::tagged("NO [CANNOT] never"),
        Reply::tagged("NO no reason"),
        Reply::Close(Vec::new()),
        Reply::bye("internal error"),
        Reply::Stall(Vec::new()),
    ];
    for reply in replies {
        let case = format!("{reply:?}");
        let server = bad_mailbox("EXAMINE", usize::MAX, reply);
        let program = program_for(&server);
        let output = program.export(&["--imap-timeout", "1"]);
        output.code(1).says("INCOMPLETE");
        assert_eq!(uids(&program, "INBOX"), [1, 2], "{case}");
        assert_eq!(uids(&program, "Good"), [1, 2], "{case}");
        let failed = program.archive(ANNA).failed();
        assert_eq!(failed.len(), 1, "{case}");
        assert_eq!(failed[0]["mailbox"], "Bad", "{case}");
        assert!(failed[0]["uid"].is_null(), "{case}");
        assert!(
            server.connections() <= 6,
            "{case}: {}",
            server.connections()
        );
    }
}

#[test]
fn a_mailbox_whose_status_kills_connections_is_copied_without() {
    let replies = [
        Reply::Close(Vec::new()),
        Reply::bye("internal error"),
        Reply::Stall(Vec::new()),
        Reply::tagged("NO [SERVERBUG] internal error"),
    ];
    for reply in replies {
        let case = format!("{reply:?}");
        let server = bad_mailbox("STATUS", usize::MAX, reply);
        let program = program_for(&server);
        program.export(&["--imap-timeout", "1"]).code(0);
        for mailbox in ["INBOX", "Bad", "Good"] {
            assert_eq!(uids(&program, mailbox), [1, 2], "{case}");
        }
    }
}

#[test]
fn all_modes_do_without_a_status_that_kills_connections() {
    let server = bad_mailbox("STATUS", usize::MAX, Reply::Close(Vec::new()));
    let program = program_for(&server);
    let config = std::fs::read_to_string(program.path("export.pass.config.json"));
    program.file("import.pass.config.json", &config.expect("a configuration"));
    let modes = [
        &["--mode", "export", "--imapsync", "never"][..],
        &["--mode", "audit"],
        &["--mode", "validate", "--no-connectivity-test"],
        &IMPORT,
    ];
    for mode in modes {
        program.run(mode).code(0);
    }
    for mailbox in ["INBOX", "Bad", "Good"] {
        assert_eq!(uids(&program, mailbox), [1, 2]);
        assert_eq!(server.mailbox(mailbox).messages.len(), 2);
    }
}

#[test]
fn a_mailbox_whose_inventory_kills_connections_holds_up_no_other() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(120, 2)))
        .mailbox(FakeMailbox::new("Bad").mails(&realistic(121, 5)))
        .mailbox(FakeMailbox::new("Good").mails(&realistic(122, 2)))
        .on_command({
            let opened = std::sync::Mutex::new(String::new());
            let first = AtomicUsize::new(0);
            move |command| {
                let mut opened = opened.lock().expect("no panic");
                if command.name == "EXAMINE" {
                    *opened = command.text();
                }
                let inventory = command.text().contains("UID FETCH 1:*");
                let bad = opened.contains("Bad") && inventory;
                // The first export takes no inventory.
                (bad && first.fetch_add(1, Ordering::SeqCst) < 100)
                    .then(|| Reply::Close(Vec::new()))
            }
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    server.edit(|mailboxes| {
        for mailbox in mailboxes {
            let uid = mailbox.next_uid();
            let mail = crate::kit::mail::Mail::simple("new");
            let message = crate::kit::servers::fake::FakeMessage::of(uid, &mail);
            mailbox.messages.push(message);
        }
    });
    program.export(&[]).code(1).says("INCOMPLETE");
    assert_eq!(uids(&program, "INBOX"), [1, 2, 3]);
    assert_eq!(uids(&program, "Good"), [1, 2, 3]);
    assert_eq!(
        uids(&program, "Bad"),
        [1, 2, 3, 4, 5],
        "nothing is moved aside"
    );
    let failed = program.archive(ANNA).failed();
    assert_eq!(failed.len(), 1);
    assert!(failed[0]["mailbox"] == "Bad" && failed[0]["uid"].is_null());
}

#[test]
fn a_mailbox_that_opens_in_the_end_is_copied() {
    let replies = [
        Reply::tagged("NO [SERVERBUG] internal error"),
        Reply::tagged("NO [INUSE] locked"),
        Reply::Close(Vec::new()),
    ];
    for reply in replies {
        let case = format!("{reply:?}");
        let server = bad_mailbox("EXAMINE", 2, reply);
        let program = program_for(&server);
        program.export(&[]).code(0);
        for mailbox in ["INBOX", "Bad", "Good"] {
            assert_eq!(uids(&program, mailbox), [1, 2], "{case}");
        }
    }
}

#[test]
fn a_code_that_answers_one_fetch_is_not_the_hosts_state() {
    for code in ["LIMIT", "UNAVAILABLE", "SERVERBUG", "INUSE", "NOPERM"] {
        let refusal = Behaviour::No(format!("[{code}] not this one"));
        let server = two_mailboxes().on_fetch(4, refusal).start();
        let program = program_for(&server);
        program.export(&[]).code(1).says("INCOMPLETE");
        assert_eq!(uids(&program, "INBOX").len(), 9, "{code}");
        assert_eq!(uids(&program, "Sent"), [1, 2], "{code}");
        assert_eq!(failed_uids(&program), [Some(4)], "{code}");
        assert_eq!(server.connections(), 1, "{code}");
    }
}

#[test]
fn a_server_that_dies_of_large_sets_is_asked_for_fewer() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(88, 60)))
        .on_command(|command| {
            let text = command.text();
            let (_, set) = text.split_once("UID FETCH ")?;
            let (first, last) = set.split([' ', '(']).next()?.split_once(':')?;
            let many = last.parse::<u32>().ok()? - first.parse::<u32>().ok()? >= 20;
            (many && text.contains("BODY")).then(|| Reply::bye("too much at once"))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(uids(&program, "INBOX").len(), 60);
}

#[test]
fn what_a_run_does_not_look_at_stays_recorded_as_missing() {
    let server = two_mailboxes().on_fetch(4, Behaviour::Nil).start();
    let program = program_for(&server);
    program.export(&[]).code(1);
    assert_eq!(failed_uids(&program), [Some(4)]);
    program.export(&["--folder", "Sent"]).code(0);
    assert_eq!(failed_uids(&program), [Some(4)]);
    assert_eq!(program.archive(ANNA).state()["complete"], false);
    server.behave();
    program.export(&["--folder", "INBOX"]).code(0);
    assert_eq!(failed_uids(&program), [None; 0]);
    assert_eq!(program.archive(ANNA).state()["complete"], true);
}

/// Responses for UID 4 whose body may be longer than announced: `BODY` is the literal, of `Subject: four`.
const MISLED: [(&str, &str); 7] = [
    (
        "bytes behind the body",
        "* 4 FETCH (UID 4 FLAGS () BODY[] LITERALxyz)\r\n",
    ),
    (
        "a NUL behind it",
        "* 4 FETCH (UID 4 FLAGS () BODY[] LITERAL\0)\r\n",
    ),
    (
        "more of it",
        "* 4 FETCH (UID 4 FLAGS () BODY[] LITERALmore\r\nand more\r\n)\r\n",
    ),
    (
        "two bodies",
        "* 4 FETCH (UID 4 FLAGS () BODY[] LITERAL BODY[] LITERAL)\r\n",
    ),
    ("no end", "* 4 FETCH (UID 4 FLAGS () BODY[] LITERAL\r\n"),
    (
        "another message in it, and an end",
        "* 4 FETCH (UID 4 FLAGS () BODY[] LITERALx\r\n* 5 FETCH (UID 5 FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[] LITERAL)\r\nx9 OK done\r\n* BYE\r\n* 6 FETCH (UID 6 BODY[] {999999}\r\n)\r\n",
    ),
    (
        "the UID behind it",
        "* 4 FETCH (BODY[] LITERALx UID 4 FLAGS ())\r\n",
    ),
];

fn misled(text: &str) -> Behaviour {
    const MAIL: &str = "Subject: four\r\n\r\nodd\r\n";
    let literal = format!("{{{}}}\r\n{MAIL}", MAIL.len());
    Behaviour::Raw(text.replace("LITERAL", &literal).into_bytes())
}

#[test]
fn a_body_that_cannot_be_believed_costs_its_message_and_no_connection() {
    for (name, text) in MISLED {
        let server = two_mailboxes().on_fetch(4, misled(text)).start();
        let program = program_for(&server);
        let output = program.export(&[]);
        output.code(1).says("INCOMPLETE").says("uid 4");
        assert_eq!(
            uids(&program, "INBOX"),
            [1, 2, 3, 5, 6, 7, 8, 9, 10],
            "{name}"
        );
        assert_eq!(uids(&program, "Sent"), [1, 2], "{name}");
        assert_eq!(failed_uids(&program), [Some(4)], "{name}");
        let inbox = program.archive(ANNA).mailbox("INBOX");
        for message in server
            .mailbox("INBOX")
            .messages
            .iter()
            .filter(|one| one.uid != 4)
        {
            assert_eq!(inbox.messages[&message.uid].bytes, *message.body, "{name}");
        }
        assert_eq!(server.connections(), 1, "{name}\n{}", server.transcript());
    }
}

#[test]
fn a_mailbox_of_bodies_that_cannot_be_believed_costs_no_connections_either() {
    let mut options = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(88, 40)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(89, 45)));
    for uid in 1..=40 {
        let text = MISLED[0].1.replace('4', &uid.to_string());
        options = options.on_fetch(uid, misled(&text));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(1);
    assert_eq!(uids(&program, "Sent"), [41, 42, 43, 44, 45]);
    assert_eq!(failed_uids(&program).len(), 80);
    assert_eq!(server.connections(), 1);
}

/// INBOX with five messages, of which the server does not give the second and the fourth.
fn two_refused() -> FakeOptions {
    let mails: Vec<Mail> = (1..=5)
        .map(|number| {
            let text = format!(
                "From: Sender {number} <s{number}@example.com>\r\nSubject: Offer {number}\r\n\r\ntext\r\n"
            );
            Mail::new(format!("number {number}"), text)
        })
        .collect();
    let no = || Behaviour::No("[CANNOT] it is damaged".to_owned());
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .on_fetch(2, no())
        .on_fetch(4, no())
}

#[test]
fn of_a_message_that_does_not_come_the_record_has_sender_and_subject_and_the_report_the_sender() {
    let server = two_refused().start();
    let program = program_for(&server);
    let told = |more: &[&str]| {
        let words = [&["--report", "report.json"], more].concat();
        program.export(&words).code(1);
        let text = std::fs::read_to_string(program.path("report.json")).expect("a report");
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        report["accounts"][0]["failures"].clone()
    };
    let failures = told(&[]);
    for (index, uid) in [2, 4].into_iter().enumerate() {
        let sender = format!("Sender {uid} <s{uid}@example.com>");
        let failed = &program.archive(ANNA).failed()[index];
        assert_eq!(
            (&failed["uid"], &failed["from"]),
            (&uid.into(), &sender.as_str().into())
        );
        assert_eq!(failed["subject"], format!("Offer {uid}"));
        let message = &failures[index]["message"];
        assert_eq!(message["from"], sender, "{failures}");
        assert!(
            message["date"].is_string() && message["size"].is_u64(),
            "{failures}"
        );
        assert!(
            message["subject"].is_null(),
            "nobody's business: {failures}"
        );
    }
    let failures = told(&["--with-subjects"]);
    assert_eq!(failures[0]["message"]["subject"], "Offer 2");
}

#[test]
fn a_header_that_connections_die_at_is_asked_for_once() {
    let server = two_refused()
        .on_command(|command| {
            let is_header = command.name == "UID FETCH" && command.text().contains("HEADER");
            is_header.then(|| Reply::bye("internal error"))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("INCOMPLETE");
    assert_eq!(uids(&program, "INBOX"), [1, 3, 5]);
    assert_eq!(failed_uids(&program), [Some(2), Some(4)]);
    let fetches = server.commands_named("UID FETCH");
    let headers = fetches.iter().filter(|command| command.contains("HEADER"));
    assert_eq!(headers.count(), 1, "{fetches:?}");
}
