//! The header finds candidates, the content decides: no mail takes another's place, and what cannot be seen is not sent.

use std::fs;

use serde_json::json;

use super::{
    ANNA, MODERN, aim_with, assert_holds, entry, failed, import, inbox, journal, program_for,
    totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{Output, Program};
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer, Reply};

const HEAD: &str = "Message-ID: <same@x>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: a@x\r\nTo: b@x\r\nSubject: report\r\n\r\n";

/// Mail with one header for all, and a body of its own.
fn twin(body: &str) -> Mail {
    Mail::new(body, format!("{HEAD}{body}\r\n"))
}

fn validate(program: &Program, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "validate", "--no-connectivity-test", "-q"];
    let report = ["--report", "report.json"];
    program.run(fixed.iter().chain(&report).chain(arguments))
}

fn holding(mails: &[Mail]) -> FakeOptions {
    FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").mails(mails))
}

#[test]
fn a_twin_on_the_target_stands_for_itself_only() {
    let pairs = [
        [twin("first"), twin("other")],
        [twin("first"), twin("a longer other")],
    ];
    for mails in pairs {
        let server = holding(&mails[1..]).start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [1, 1]);
        assert_holds(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        fs::remove_file(journal(&program)).expect("remove the journal");
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
        assert_holds(&server, "INBOX", &mails);
        validate(&program, &["--deep"]).code(0);
    }
}

#[test]
fn mail_that_only_looks_alike_is_neither_identical_nor_extra_copies() {
    let mails = [twin("first"), twin("other")];
    let server = holding(&[twin("other"), twin("third")]).start();
    let program = program_for(&server, "INBOX", &mails);
    validate(&program, &[]).code(1);
    assert_codes(&program, &["error missing", "note extra"]);
    import(&program, &[]).code(0);
    assert_holds(
        &server,
        "INBOX",
        &[twin("other"), twin("third"), twin("first")],
    );
}

#[test]
fn a_view_leaves_out_the_same_content_only_and_as_often_as_it_is_elsewhere() {
    let (same, other) = (twin("same"), twin("else"));
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", std::slice::from_ref(&same))
        .listed(
            "All Mail",
            '/',
            &["\\All"],
            false,
            &[same.clone(), other.clone(), same.clone()],
        )
        .listed(
            "Starred",
            '/',
            &["\\Flagged"],
            false,
            &[same.clone(), other.clone()],
        )
        .complete();
    super::aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", std::slice::from_ref(&same));
    assert_holds(&server, "All Mail", &[other, same]);
    // A view without anything of its own is not made.
    let names: Vec<String> = server
        .mailboxes()
        .iter()
        .map(|mailbox| String::from_utf8_lossy(&mailbox.name).into_owned())
        .collect();
    assert_eq!(names, ["INBOX", "All Mail"]);
    validate(&program, &["--deep"]).code(0);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
}

#[test]
fn of_two_mailboxes_that_go_to_one_neither_takes_the_others_mail_for_its_own() {
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+"] {
        let server = FakeServer::options()
            .capabilities(capabilities)
            .mailbox(FakeMailbox::new("INBOX"))
            .mailbox(FakeMailbox::new("Sent"))
            .start();
        let program = Program::new();
        let (one, other) = (twin("same"), twin("else"));
        let archive = Handmade::new(&program)
            .mailbox("Sent", std::slice::from_ref(&one))
            .mailbox("Sent Items", &[Mail::simple("first")])
            .complete();
        let map = json!({"folder_map": {"Sent Items": "Sent"}});
        aim_with(&program, &server.endpoint(), &[(ANNA, PASSWORD)], &map);
        import(&program, &[]).code(0);
        fs::remove_dir_all(&archive.dir).expect("remove the archive");
        Handmade::new(&program)
            .mailbox("Sent", std::slice::from_ref(&one))
            .mailbox("Sent Items", &[Mail::simple("first"), other.clone()])
            .complete();
        import(&program, &[]).code(0);
        assert_holds(&server, "Sent", &[one, Mail::simple("first"), other]);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new"]), [0], "{capabilities}");
        validate(&program, &["--deep"]).code(0);
    }
}

#[test]
fn a_header_of_any_length_is_one_message() {
    let to: Vec<String> = (0..12_000)
        .map(|number| format!("user{number:05}@long.example"))
        .collect();
    let to = to.join(",\r\n ");
    let long = |body: &str| {
        Mail::new(
            body,
            format!(
                "From: a@x\r\nTo: {to}\r\nSubject: mailing\r\nMessage-ID: <long@x>\r\n\r\n{body}\r\n"
            ),
        )
    };
    let mails = [long("one"), long("two")];
    let server = holding(&[]).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    validate(&program, &["--deep"]).code(0);
    validate(&program, &["--resync-missing"]).code(0);
    fs::remove_file(journal(&program)).expect("remove the journal");
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 2]);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn a_target_that_names_less_than_it_counts_gets_nothing_again() {
    let mails: Vec<Mail> = (0..5).map(|n| Mail::simple(&format!("mail {n}"))).collect();
    // A window of two messages, whatever is asked for; SEARCH shows the same.
    let window = |from: usize| {
        holding(&mails).on_command(move |command| {
            let name = command.name.as_str();
            let text = command.text();
            let shown = (from..=5).map(|uid| uid.to_string()).collect::<Vec<_>>();
            if name == "UID SEARCH" {
                let line = format!("* SEARCH {}\r\n{{tag}} OK done\r\n", shown.join(" "));
                return Some(Reply::Raw(line.into_bytes()));
            }
            let all = name == "UID FETCH"
                && (text.contains(" 1:* ") || from > 1 && text.contains(" 1:3 "));
            all.then(|| Reply::tagged("OK nothing to see"))
        })
    };
    let server = window(4).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(1);
    assert_eq!(server.mailbox("INBOX").messages.len(), 5);
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("counts 5") && note.contains("names 2"),
        "{note}"
    );
    validate(&program, &[]).code(1);
    assert_codes(&program, &["error unreadable-on-target"]);
    validate(&program, &["--resync-missing"]).code(1);
    assert_eq!(server.mailbox("INBOX").messages.len(), 5);

    // What SEARCH names can be asked for by its UID.
    let server = window(1).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 5]);
    assert_eq!(server.mailbox("INBOX").messages.len(), 5);
}

#[test]
fn twins_whose_contents_the_target_does_not_give_are_not_appended_and_that_is_said() {
    let twin = |body: &str| Mail::new(body, format!("Message-ID: <t@x>\r\n\r\n{body}\r\n"));
    let mails = [twin("first"), twin("other")];
    let server = holding(&mails[..1])
        .on_command(|command| {
            let asks = command.name == "UID FETCH" && command.text().contains("BODY.PEEK[]");
            asks.then(|| Reply::tagged("NO cannot be read"))
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[])
        .code(1)
        .says("whose content cannot be read, and this may be it: it is not appended");
    assert_eq!(server.mailbox("INBOX").messages.len(), 1);
}

#[test]
fn a_message_that_the_target_cannot_read_costs_itself_only() {
    let mails = ["one", "twice", "number three"].map(Mail::simple);
    let mails = [
        mails[0].clone(),
        mails[1].clone().at(1_600_000_001),
        mails[2].clone().at(1_600_000_002),
    ];
    // UID 1 is another's mail, UID 2 may be the first of ours.
    let there = [
        Mail::new("foreign", "x".repeat(4000)).at(1_600_000_003),
        mails[0].clone(),
    ];
    // Some servers must read a message to know its size.
    for (unreadable, costly) in [(1_u32, "BODY"), (2, "BODY"), (1, "SIZE"), (2, "SIZE")] {
        let server = holding(&there)
            .on_command(move |command| {
                let text = command.text();
                let asks = command.name == "UID FETCH" && text.contains(costly);
                let set = text.split(' ').nth(3).unwrap_or_default().to_owned();
                let hits = set.split(',').any(|part| {
                    let (from, to) = part.split_once(':').unwrap_or((part, part));
                    let from: u32 = from.parse().unwrap_or(1);
                    let to = to.parse().unwrap_or(u32::MAX);
                    (from..=to).contains(&unreadable)
                });
                (asks && hits).then(|| Reply::bye("FETCH failed"))
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        let output = import(&program, &[]);
        let held = server.mailbox("INBOX").messages.len();
        if unreadable == 1 {
            output.code(0);
            assert_eq!(totals(&program, ["new", "unchanged"]), [2, 1]);
        } else {
            output.code(1);
            assert_eq!(failed(&program), [("INBOX".to_owned(), 1)]);
        }
        assert_eq!(held, 4);
        assert!(
            entry(&program, "INBOX")["note"]
                .to_string()
                .contains("cannot be read")
        );
        import(&program, &[]);
        assert_eq!(server.mailbox("INBOX").messages.len(), 4);
        validate(&program, &[]).code(1);
        let warning = "warning unreadable-on-target";
        let ours = ["error unreadable-on-target", warning, "note extra"];
        let expected = if unreadable == 1 {
            &ours[1..2]
        } else {
            &ours[..]
        };
        assert_codes(&program, expected);
    }
}

#[test]
fn eight_bit_headers_that_the_target_blots_out_are_known_by_their_bodies() {
    let raw = |subject: &[u8], body: &str| {
        let head = b"Message-ID: <8bit@x>\r\nFrom: a@x\r\nSubject: ";
        Mail::new(
            body,
            [head, subject, b"\r\n\r\n", body.as_bytes(), b"\r\n"].concat(),
        )
    };
    let mails = [raw(b"gr\xfc\xdfe", "one"), raw(b"gr\xfc\xdfe", "two")];
    let blotted = raw(b"grXXe", "one");
    let server = holding(std::slice::from_ref(&blotted)).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [1, 1]);
    assert_holds(&server, "INBOX", &[blotted, mails[1].clone()]);
}

#[test]
fn a_target_that_was_rolled_back_is_filled_again_and_that_is_said() {
    let mails: Vec<Mail> = (0..6).map(|n| Mail::simple(&format!("mail {n}"))).collect();
    let server = holding(&[]).start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    // A backup from before the last four came.
    server.edit(|mailboxes| {
        mailboxes[0] = FakeMailbox::new("INBOX").mails(&mails[..2]);
    });
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [4, 2]);
    assert_holds(&server, "INBOX", &mails);
    assert!(
        entry(&program, "INBOX")["note"]
            .to_string()
            .contains("rolled back")
    );
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);
}

/// After a backup was put back, others' mail came: UIDNEXT has passed what is on record, and UIDVALIDITY is the same.
#[test]
fn a_target_that_was_rolled_back_is_found_out_by_its_newest_message_though_others_mail_came_since()
{
    let mails: Vec<Mail> = (0..6).map(|n| Mail::simple(&format!("mail {n}"))).collect();
    let others = (0..9).map(|n| Mail::simple(&format!("other {n}")).at(1_600_000_000 + n));
    // The second ones have the date of ours, too: their headers alone are others.
    let alike = (0..9).map(|n| Mail::simple(&format!("other {n}")));
    for others in [others.collect::<Vec<_>>(), alike.collect()] {
        let server = holding(&[]).start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        let since = [&mails[..2], &others].concat();
        server.edit(|mailboxes| {
            mailboxes[0] = FakeMailbox::new("INBOX").mails(&since);
        });
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [4, 2]);
        assert_holds(&server, "INBOX", &[&mails[..], &others].concat());
        let note = entry(&program, "INBOX")["note"].to_string();
        assert!(note.contains("rolled back"), "{note}");
        server.forget();
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);
        assert_eq!(server.commands_named("SELECT"), [""; 0]);
    }
}
