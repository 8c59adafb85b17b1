//! What LIST says is a hint: names are never cut to others, INBOX is there, subscriptions have a second way.

use super::{ANNA, counts, program_for};
use crate::kit::mail::realistic;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};

#[test]
fn names_that_are_not_quoted_as_they_should_be_are_never_cut() {
    let cases: [(&str, &[u8]); 7] = [
        ("Archiv", br#"* LIST () "/" Archiv"#),
        ("Archiv (alt)", br#"* LIST () "/" Archiv (alt)"#),
        ("Archiv (alt (2))", br#"* LIST () "/" Archiv (alt (2))"#),
        (
            "Oggetto\tCategorie\t",
            b"* LIST () \"/\" Oggetto\tCategorie\t",
        ),
        (
            "Kunde \"Nord\" 2020",
            br#"* LIST () "/" "Kunde "Nord" 2020""#,
        ),
        ("A\\B", br#"* LIST () "/" "A\B""#),
        (
            "Extended",
            br#"* LIST () "/" Extended ("CHILDINFO" ("SUBSCRIBED"))"#,
        ),
    ];
    let mut lines: Vec<&[u8]> = vec![br#"* LIST (\Noselect) "/" """#, br#"* LIST () "/" INBOX"#];
    lines.extend(cases.iter().map(|(_, line)| *line));
    let mut options = FakeServer::options()
        .list_lines(&lines)
        .mailbox(FakeMailbox::new("INBOX"));
    for (index, (name, _)) in cases.iter().enumerate() {
        let mails = realistic(20 + index as u64, index + 1);
        options = options.mailbox(FakeMailbox::new(name).mails(&mails));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let counts = counts(&program);
    assert_eq!(counts.len(), cases.len() + 1, "{counts:?}");
    for (index, (name, _)) in cases.iter().enumerate() {
        let found = counts.iter().find(|(there, _)| there == name);
        assert_eq!(
            found.map(|(_, count)| *count),
            Some(index + 1),
            "{name} of {counts:?}"
        );
    }
}

/// LIST shows Sent and, in one way or another, no INBOX that can be opened; STATUS of it has this end.
fn unlisted(lines: &[&[u8]], status: Option<Reply>) -> FakeServer {
    FakeServer::options()
        .list_lines(&[lines, &[br#"* LIST () "/" Sent"#]].concat())
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(30, 3)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(31, 2)))
        .on_command(move |command| {
            let asks = command.name == "STATUS" && command.text().contains("INBOX");
            status.clone().filter(|_| asks)
        })
        .start()
}

#[test]
fn an_inbox_that_is_not_listed_is_copied() {
    let shown: [&[&[u8]]; 2] = [&[], &[br#"* LIST (\Noselect) "/" INBOX"#]];
    let ends = [
        None,
        Some(Reply::tagged("NO not allowed")),
        Some(Reply::bye("internal error")),
    ];
    for (lines, status) in shown
        .iter()
        .flat_map(|lines| ends.clone().map(|end| (lines, end)))
    {
        let case = format!("{status:?}");
        let server = unlisted(lines, status);
        let program = program_for(&server);
        program.export(&[]).code(0).warns("LIST names no INBOX");
        let expected = [("INBOX".to_owned(), 3), ("Sent".to_owned(), 2)];
        assert_eq!(counts(&program), expected, "{case}");
    }
}

#[test]
fn an_account_without_an_inbox_lacks_nothing() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(31, 2)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(counts(&program), [("Sent".to_owned(), 2)]);
}

#[test]
fn subscriptions_are_asked_for_in_a_second_way_and_else_it_is_told() {
    let knows = b"* LIST (\\Subscribed) \"/\" Sent\r\n{tag} OK done\r\n".as_slice();
    // It does what it would without the option.
    let ignores = b"* LIST () \"/\" INBOX\r\n* LIST () \"/\" Sent\r\n{tag} OK done\r\n".as_slice();
    let refuses = b"{tag} BAD what is that\r\n".as_slice();
    for (answer, knows_second_way) in [(knows, true), (ignores, false), (refuses, false)] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX"))
            .mailbox(FakeMailbox::new("Sent").mails(&realistic(32, 1)))
            .on_command(move |command| {
                let text = command.text().to_uppercase();
                if command.name == "LSUB" {
                    return Some(Reply::tagged("BAD LSUB is not part of IMAP4rev2"));
                }
                let is_second = text.contains("(SUBSCRIBED)");
                is_second.then(|| Reply::Raw(answer.to_vec()))
            })
            .start();
        let program = program_for(&server);
        let output = program.export(&[]);
        output.code(0);
        if !knows_second_way {
            output.says("which mailboxes are subscribed");
        }
        let state = program.archive(ANNA).state();
        let mailboxes = state["mailboxes"].as_array().expect("mailboxes");
        let sent = mailboxes.iter().find(|one| one["name"] == "Sent");
        assert_eq!(sent.expect("Sent")["subscribed"], knows_second_way);
    }
}

#[test]
fn who_we_are_is_said_on_every_connection() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(33, 6)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(34, 2)))
        .on_fetch_times(4, 1, crate::kit::servers::fake::Behaviour::Hangup)
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert!(server.connections() > 1);
    for connection in server.commands().iter().map(|command| command.connection) {
        let commands = server.commands();
        let mut names = commands
            .iter()
            .filter(|command| command.connection == connection)
            .map(|command| command.name.as_str());
        let before = names.by_ref().take_while(|name| *name != "EXAMINE");
        let is_said = before.collect::<Vec<_>>().contains(&"ID");
        assert!(is_said, "{}", server.transcript());
    }
}

#[test]
fn what_connections_die_of_beside_list_is_done_without() {
    let cases = [
        ("LIST", "RETURN"),
        ("LSUB", "LSUB"),
        ("NAMESPACE", "NAMESPACE"),
        ("ID", "ID"),
    ];
    let ends = [
        Reply::Close(Vec::new()),
        Reply::bye("internal error"),
        Reply::Stall(Vec::new()),
    ];
    for (name, part) in cases {
        for reply in &ends {
            let case = format!("{name} {part} {reply:?}");
            let end = reply.clone();
            let server = FakeServer::options()
                .capabilities("IMAP4rev1 ID NAMESPACE LIST-EXTENDED LIST-STATUS SPECIAL-USE")
                .mailbox(FakeMailbox::new("INBOX").mails(&realistic(130, 2)))
                .mailbox(FakeMailbox::new("Sent").mails(&realistic(131, 1)))
                .on_command(move |command| {
                    let due = command.name == name && command.text().contains(part);
                    due.then(|| end.clone())
                })
                .start();
            let program = program_for(&server);
            program.export(&["--imap-timeout", "1"]).code(0);
            let archive = program.archive(ANNA);
            assert_eq!(archive.mailbox("INBOX").messages.len(), 2, "{case}");
            assert_eq!(archive.mailbox("Sent").messages.len(), 1, "{case}");
            program
                .run(["--mode", "audit", "--imap-timeout", "1"])
                .code(0);
            let test = [
                "--mode",
                "test",
                "--imapsync",
                "never",
                "--imap-timeout",
                "1",
            ];
            program.run(test).code(0);
        }
    }
}
