//! Servers that speak their own IMAP: each odd line costs its own message at most, and is told.

use std::fs;

use super::{ANNA, program_for, report, total};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::tempdir;
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeMessage, FakeServer, Reply};

/// UIDs that the archive's INBOX holds.
pub fn archived_uids(program: &crate::kit::run::program::Program) -> Vec<u32> {
    let inbox = program.archive(ANNA).mailbox("INBOX");
    inbox.messages.keys().copied().collect()
}

#[test]
fn unfetchable_messages_are_asked_again_alone_and_recorded() {
    let mails = realistic(50, 8);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .on_fetch(2, Behaviour::Nil)
        .on_fetch(4, Behaviour::Omit)
        .on_fetch(6, Behaviour::No("[SERVERBUG] cannot decode".to_owned()))
        .on_fetch_times(7, 1, Behaviour::Omit)
        .start();
    let program = program_for(&server);
    let output = program.export(&["--report", "report.json", "--html", "page.html"]);
    output.code(1).says("INCOMPLETE");
    assert_eq!(archived_uids(&program), [1, 3, 5, 7, 8]);
    let archive = program.archive(ANNA);
    let failed = archive.failed();
    let uids: Vec<u64> = failed
        .iter()
        .filter_map(|line| line["uid"].as_u64())
        .collect();
    assert_eq!(uids, [2, 4, 6]);
    for line in &failed {
        let uid = usize::try_from(line["uid"].as_u64().expect("a UID")).expect("small");
        assert_eq!(line["account"], ANNA);
        assert_eq!(line["mailbox"], "INBOX");
        assert_eq!(line["size"], mails[uid - 1].bytes.len());
        let date = line["date"].as_str().unwrap_or_default();
        assert!(date.ends_with('Z'), "{line}");
        let sender = line["from"].as_str().expect("a sender");
        let sender = sender.replace('<', "&lt;").replace('>', "&gt;");
        let page = fs::read_to_string(program.path("page.html")).expect("a page");
        let shown = format!(
            "<td>{}</td><td class=\"words\"><bdi>{sender}</bdi></td>",
            date.replace('T', " ").replace('Z', " UTC")
        );
        assert!(page.contains(&shown), "{shown}");
    }
    assert!(
        failed[2]["server"]
            .as_str()
            .is_some_and(|said| said.contains("cannot decode"))
    );
    assert_eq!(archive.state()["complete"], false);
    assert_eq!(total(&program, "failed"), 3);
    let listed = &report(&program)["accounts"][0]["failures"];
    assert_eq!(listed.as_array().map(Vec::len), Some(3));
    // Each was asked for once more, and alone.
    for uid in [2, 4, 6] {
        let alone = format!("UID FETCH {uid} (");
        let fetches = server.commands_named("UID FETCH");
        assert!(
            fetches
                .iter()
                .any(|f| f.contains(&alone) && f.contains("BODY.PEEK[]")),
            "{fetches:?}"
        );
    }
    server.behave();
    program.export(&[]).code(0);
    assert_eq!(archived_uids(&program).len(), 8);
    assert_eq!(program.archive(ANNA).failed().len(), 0);
}

#[test]
fn nil_and_empty_bodies_are_no_empty_messages() {
    let server = FakeServer::options()
        .mailbox(
            FakeMailbox::new("INBOX")
                .message(FakeMessage::new(1, "Subject: a\r\n\r\n"))
                .message(FakeMessage::new(2, "Subject: b\r\n\r\n")),
        )
        .on_fetch(1, Behaviour::Nil)
        .on_fetch(2, Behaviour::Empty)
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1);
    assert_eq!(archived_uids(&program), [0; 0]);
    assert_eq!(program.archive(ANNA).failed().len(), 2);
}

#[test]
fn every_form_of_a_list_line_is_a_mailbox_of_the_archive() {
    let names: [&[u8]; 12] = [
        b"INBOX",
        b"12345",
        b"raw \xc3\xbcmlaut",
        b"raw latin \xe9\xff",
        b"&broken",
        b"a\"quote",
        b"back\\slash",
        b"brackets[1]",
        b"tab\there",
        b"flat",
        b"&AOk-t&AOk-",
        b"literal",
    ];
    let mut options = FakeServer::options()
        .capabilities("IMAP4rev1 LITERAL+")
        .list_lines(&[
        b"* LIST () \"/\" inbox",
        b"* LIST (\\HasNoChildren) \"/\" 12345",
        b"* LIST () \"/\" \"raw \xc3\xbcmlaut\"",
        b"* LIST () \"/\" \"raw latin \xe9\xff\"",
        b"* LIST () \"/\" \"&broken\"",
        b"* LIST () \"/\" \"a\\\"quote\"",
        b"* LIST () \"\\\\\" \"back\\\\slash\"",
        b"* LIST () \"/\" brackets[1]",
        b"* LIST (Unmarked \\X-Odd \\AllMail) \"/\" \"tab\there\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        b"* LIST () NIL flat",
        b"* list  ()  \"/\"  &AOk-t&AOk- ",
        b"* LIST () \"/\" {7}\r\nliteral",
        b"* LIST (\\NOSELECT) \"/\" parent",
        b"* LIST (\\NonExistent) \"/\" ghost",
    ]);
    for (number, name) in (0..).zip(names) {
        let name: &[u8] = if number == 0 { b"inbox" } else { name };
        options = options.mailbox(FakeMailbox::new(name).mails(&realistic(60 + number, 2)));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "mailboxes"), 12);
    assert_eq!(total(&program, "new"), 24, "{}", server.transcript());
    let mailboxes = program.archive(ANNA).mailboxes();
    assert_eq!(mailboxes.len(), 12);
    assert!(
        mailboxes.contains_key("étété") || mailboxes.contains_key("été"),
        "{:?}",
        mailboxes.keys()
    );
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "unchanged"), 24);
}

#[test]
fn a_list_line_that_nobody_understands_is_told_and_costs_nothing_else() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1")
        .list_lines(&[b"* LIST () \"/\" INBOX", b"* LIST () \"/\" \"unclosed"])
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(53, 3)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("unclosed");
    assert_eq!(archived_uids(&program), [1, 2, 3]);
    assert_eq!(program.archive(ANNA).state()["complete"], false);
}

#[test]
fn names_that_want_out_of_the_archive_stay_in_it() {
    let names: [&[u8]; 16] = [
        b"INBOX",
        b"../../outside",
        b"..",
        b".",
        b"a/../../../outside",
        b"/etc/passwd",
        b"export-state.json",
        b".lock",
        b".vanished-mailboxes",
        b"Case",
        b"case",
        b"CASE",
        b"ends with dot.",
        b"nul\0inside",
        b"line\r\nbreak",
        b"%2e%2e%2foutside",
    ];
    let mut options = FakeServer::options();
    for (number, name) in (0..).zip(names) {
        options = options.mailbox(FakeMailbox::new(name).mails(&realistic(70 + number, 1)));
    }
    let long = "0123456789".repeat(1000);
    options = options.mailbox(FakeMailbox::new(&long).mails(&realistic(69, 1)));
    let server = options.start();
    let program = crate::kit::run::program::Program::new();
    let email = "../../evil/..@example.com";
    program.config(&server.endpoint(), &[(email, PASSWORD)]);
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(total(&program, "new"), 17, "{}", server.transcript());
    assert_eq!(
        tempdir::names(&program.dir()),
        [
            "export.pass.config.json",
            "exported",
            "import.pass.config.json",
            "logs",
            "report.json"
        ]
    );
    assert_eq!(tempdir::names(&program.path("exported")).len(), 1);
    let archive = program.archive(email);
    let mailboxes = archive.mailboxes();
    assert_eq!(mailboxes.len(), 17);
    let mut folded: Vec<String> = mailboxes
        .values()
        .map(|mailbox| mailbox.dir.to_string_lossy().to_lowercase())
        .collect();
    folded.sort();
    folded.dedup();
    assert_eq!(folded.len(), 17, "no two directories differ only in case");
    for mailbox in mailboxes.values() {
        assert_eq!(mailbox.messages.len(), 1);
    }
}

#[test]
fn no_symlink_is_followed_inside_the_archive() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(54, 2)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX").dir;
    let elsewhere = program.path("elsewhere");
    fs::rename(&inbox, &elsewhere).expect("rename");
    std::os::unix::fs::symlink(&elsewhere, &inbox).expect("symlink");
    program.export(&["--report", "report.json"]).code(0);
    assert_eq!(
        total(&program, "new"),
        2,
        "what lies elsewhere is not the archive's"
    );
    fs::remove_file(&inbox).expect("remove the symlink");
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 2);

    let inbox = program.archive(ANNA).mailbox("INBOX").dir;
    let target = program.path("target");
    fs::write(&target, "not to be touched").expect("write");
    fs::remove_file(inbox.join("u0000000001.eml")).expect("remove");
    std::os::unix::fs::symlink(&target, inbox.join("u0000000001.eml")).expect("symlink");
    fs::remove_file(program.archive(ANNA).dir.join("export-state.json")).expect("remove");
    program.export(&[]);
    let untouched = fs::read_to_string(&target).expect("the target");
    assert_eq!(untouched, "not to be touched");
}

#[test]
fn a_server_that_counts_more_than_it_shows_is_not_believed() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(55, 5)))
        .on_command(|command| {
            let short = command.name == "UID FETCH" && !command.text().contains("BODY")
                || command.name == "UID SEARCH";
            let silent = command.name == "STATUS";
            (short || silent).then(|| Reply::tagged("OK nothing"))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("names only 0");
    assert_eq!(program.archive(ANNA).state()["complete"], false);
}

#[test]
fn a_refused_mailbox_is_told_and_the_others_are_copied() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(56, 3)))
        .mailbox(FakeMailbox::new("Secret plans").mails(&realistic(57, 3)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(58, 3)))
        .on_command(|command| {
            let refuse = command.name == "EXAMINE" && command.text().contains("Secret");
            refuse.then(|| Reply::tagged("NO [NOPERM] you may not"))
        })
        .start();
    let program = program_for(&server);
    program
        .export(&["--report", "report.json"])
        .code(1)
        .warns("you may not");
    assert_eq!(total(&program, "new"), 6);
    let mailboxes = &report(&program)["accounts"][0]["mailboxes"];
    let note = mailboxes[1]["note"].as_str().expect("a note");
    assert!(note.contains("[NOPERM] you may not"), "{note}");
}

#[test]
fn nothing_is_sent_that_could_change_the_source() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(59, 5)))
        .on_fetch(2, Behaviour::Nil)
        .start();
    program_for(&server).export(&[]).code(1);
    let harmless = [
        "CAPABILITY",
        "LOGIN",
        "ID",
        "NAMESPACE",
        "LIST",
        "LSUB",
        "STATUS",
        "EXAMINE",
        "UID FETCH",
        "UID SEARCH",
        "NOOP",
        "LOGOUT",
        "ENABLE",
    ];
    for command in server.commands() {
        let text = command.text();
        assert!(harmless.contains(&command.name.as_str()), "{text}");
        assert!(
            !text.contains("BODY[") && !text.contains("RFC822 "),
            "{text}"
        );
    }
    assert!(!server.commands_named("ID").is_empty());
}

#[test]
fn an_empty_line_behind_a_body_and_attributes_behind_the_list_cost_nothing() {
    let mails = realistic(60, 6);
    let mut options = FakeServer::options().mailbox(FakeMailbox::new("INBOX").mails(&mails));
    let date = "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"";
    for (uid, mail) in (1_u32..).zip(&mails) {
        let size = mail.bytes.len();
        let (head, tail) = if uid % 3 > 0 {
            let head = format!(
                "* {uid} FETCH (UID {uid} FLAGS () {date} RFC822.SIZE {size} BODY[] {{{size}}}\r\n"
            );
            let tail = ["\r\n)\r\n", ") and some words\r\n"][uid as usize % 2];
            (head, tail.to_owned())
        } else {
            let head =
                format!("* {uid} FETCH (UID {uid} {date} RFC822.SIZE {size} BODY[] {{{size}}}\r\n");
            (head, ") FLAGS (\\Seen)\r\n".to_owned())
        };
        let raw = [head.as_bytes(), &mail.bytes, tail.as_bytes()].concat();
        options = options.on_fetch(uid, Behaviour::Raw(raw));
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX");
    for (uid, mail) in (1_u32..).zip(&mails) {
        assert_eq!(inbox.messages[&uid].bytes, mail.bytes, "uid {uid}");
    }
    assert_eq!(server.connections(), 1, "{}", server.transcript());
}

#[test]
fn long_lines_of_flags_are_read() {
    let keywords: Vec<String> = (0..12_000).map(|n| format!("keyword{n}")).collect();
    let flags = format!("* FLAGS ({})\r\n", keywords.join(" "));
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(61, 3)))
        .on_command(move |command| {
            let opens = command.name == "EXAMINE";
            opens.then(|| Reply::Before(flags.clone().into_bytes()))
        })
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    assert_eq!(archived_uids(&program), [1, 2, 3]);
}

#[test]
fn an_untagged_refusal_in_place_of_a_message_is_told_with_it() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(62, 4)))
        .on_fetch(2, Behaviour::Raw(b"* NO the file is damaged\r\n".to_vec()))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(1).says("the file is damaged");
    assert_eq!(archived_uids(&program), [1, 3, 4]);
}

#[test]
fn an_untagged_refusal_of_the_only_command_is_its_end() {
    for condition in ["NO", "BAD"] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(62, 4)))
            .on_command(move |command| {
                let is_alone = command.text().contains("UID FETCH 2 (");
                let line = format!("* {condition} cannot read that\r\n");
                is_alone.then(|| Reply::Raw(line.into_bytes()))
            })
            .on_fetch(2, Behaviour::Omit)
            .start();
        let program = program_for(&server);
        let output = program.export(&["--imap-timeout", "2"]);
        output.code(1).says("cannot read that");
        assert_eq!(archived_uids(&program), [1, 3, 4]);
        assert_eq!(server.connections(), 1, "{}", server.transcript());
    }
}
