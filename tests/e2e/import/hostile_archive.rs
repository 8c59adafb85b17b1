//! An archive that lies, or that somebody has put traps into: nothing leaves it, nothing false reaches the target.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{MODERN, aim, assert_holds, failed, import, inbox, reader, totals};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::{Handmade, write};
use crate::kit::run::program::Program;
use crate::kit::servers::fake::FakeServer;

const SECRET: &str = "Subject: outside\r\n\r\na file that is none of the archive's business\r\n";

/// Nothing from outside the archive was sent, in any mailbox.
#[track_caller]
fn assert_no_secret(server: &FakeServer) {
    for mailbox in server.mailboxes() {
        for message in &mailbox.messages {
            assert!(
                !message.body.ends_with(b"the archive's business\r\n"),
                "{:?}",
                mailbox.name
            );
        }
    }
    assert!(
        !server.transcript().contains("none of the archive"),
        "it was sent"
    );
}

#[test]
fn messages_that_are_not_what_their_sidecars_say_are_findings_and_are_not_imported() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(150, 9);
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let file = |uid: u32, extension: &str| archive.file("INBOX", uid, extension);
    // One byte changed, cut short, empty, another's sidecar, no JSON.
    let mut changed = mails[1].bytes.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    write(&file(2, "eml"), &changed);
    write(&file(3, "eml"), &mails[2].bytes[..100]);
    write(&file(4, "eml"), "");
    fs::copy(file(1, "json"), file(5, "json")).expect("copy a sidecar");
    write(&file(6, "json"), "{\"mailbox\": \"INBOX\", \"uid\": 6, ");
    aim(&program, &server.endpoint());
    // A dry run reads no messages, but what is to be known of them.
    import(&program, &["--dry-run"])
        .says("the sidecar is that of uid 1")
        .says("u0000000006.json is not a sidecar");
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("sha256");
    let good = [0, 6, 7, 8].map(|index| mails[index].clone());
    assert_holds(&server, "INBOX", &good);
    let uids: Vec<u64> = failed(&program).into_iter().map(|(_, uid)| uid).collect();
    assert_eq!(uids, [2, 3, 4, 5, 6]);
    assert_eq!(totals(&program, ["new", "failed"]), [4, 5]);
    // It stops at the first of them when it is not told to go on.
    import(&program, &[]).code(1).says("INBOX").says("uid 2");
    assert_holds(&server, "INBOX", &good);
}

#[test]
fn a_damaged_message_is_not_taken_for_imported_because_the_target_has_its_header() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(151, 3);
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let mut changed = mails[1].bytes.clone();
    changed.extend_from_slice(b"more\r\n");
    write(&archive.file("INBOX", 2, "eml"), &changed);
    aim(&program, &server.endpoint());
    import(&program, &["--ignore-errors"]).code(1);
    assert_holds(&server, "INBOX", &[mails[0].clone(), mails[2].clone()]);
    write(&archive.file("INBOX", 2, "eml"), &mails[1].bytes);
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn symlinks_are_not_followed() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(152, 4);
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let outside = program.path("outside");
    fs::create_dir(&outside).expect("create a directory");
    write(&outside.join("secret.eml"), SECRET);
    let sidecar = |uid: u32| json!({"mailbox": "INBOX", "uid": uid, "flags": "", "internaldate": "01-Jan-2024 00:00:00 +0000"});
    // A message, a sidecar and a whole mailbox that are elsewhere.
    fs::remove_file(archive.file("INBOX", 2, "eml")).expect("remove a message");
    symlink(outside.join("secret.eml"), archive.file("INBOX", 2, "eml")).expect("link");
    write(&archive.file("INBOX", 2, "json"), sidecar(2).to_string());
    fs::rename(archive.file("INBOX", 3, "json"), outside.join("3.json")).expect("move a sidecar");
    symlink(outside.join("3.json"), archive.file("INBOX", 3, "json")).expect("link");
    let trap = outside.join("Trap");
    fs::create_dir(&trap).expect("create a directory");
    write(&trap.join("u0000000001.eml"), SECRET);
    write(&trap.join("u0000000001.json"), sidecar(1).to_string());
    let meta = json!({"name": "Trap", "wire": "Trap", "delimiter": "/", "attributes": [], "uidvalidity": 5});
    write(&trap.join(".mailbox.json"), meta.to_string());
    symlink(&trap, archive.dir.join("Trap")).expect("link");
    aim(&program, &server.endpoint());
    import(&program, &["--ignore-errors"]);
    assert_no_secret(&server);
    let held = reader(&server).mailbox("INBOX");
    let lengths: Vec<Option<u64>> = held.messages.iter().map(|held| held.length).collect();
    let length = |mail: &Mail| u64::try_from(mail.bytes.len()).ok();
    assert_eq!(lengths, [length(&mails[0]), length(&mails[3])]);
    assert_eq!(server.mailboxes().len(), 1, "{:?}", server.mailboxes());
}

#[test]
fn an_account_or_a_journal_that_is_a_symlink_is_not_followed() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &[Mail::simple("x")])
        .complete();
    let outside = program.path("outside.jsonl");
    write(&outside, "");
    symlink(&outside, archive.dir.join("import.journal.jsonl")).expect("link");
    aim(&program, &server.endpoint());
    import(&program, &[]).code(1);
    assert_eq!(
        fs::read(&outside).expect("the file outside"),
        b"",
        "it was written to"
    );
    fs::remove_file(archive.dir.join("import.journal.jsonl")).expect("remove the link");

    let real = program.path("moved");
    fs::rename(&archive.dir, &real).expect("move the account");
    symlink(&real, &archive.dir).expect("link");
    import(&program, &[]).code(1);
    assert_holds(&server, "INBOX", &[]);
    assert!(
        !real.join("import.journal.jsonl").exists(),
        "it was written to"
    );
}

#[test]
fn names_in_the_archive_lead_nowhere() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(153, 2);
    let archive = Handmade::new(&program)
        .mailbox("Up", &mails[..1])
        .mailbox("Other", &mails[1..])
        .complete();
    fs::create_dir(program.path("outside")).expect("create a directory");
    write(&program.path("outside/u0000000001.eml"), SECRET);
    for path in ["../../outside", "/etc", ".."] {
        Handmade::edit(&archive.mailbox_dir("Up").join(".mailbox.json"), |meta| {
            meta["name"] = json!(path);
            meta["wire"] = json!(path);
        });
        Handmade::edit(&archive.file("Up", 1, "json"), |sidecar| {
            sidecar["mailbox"] = json!(path);
        });
        Handmade::edit(&archive.dir.join("export-state.json"), |state| {
            state["mailboxes"][0]["directory"] = json!(path);
            state["mailboxes"][0]["name"] = json!(path);
        });
        aim(&program, &server.endpoint());
        let output = import(&program, &["--ignore-errors"]);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            output.describe()
        );
        assert_no_secret(&server);
        assert_holds(&server, "Other", &mails[1..]);
        let mut files: Vec<_> = fs::read_dir(program.path("outside"))
            .expect("list")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        files.sort();
        assert_eq!(files, ["u0000000001.eml"], "something was written outside");
    }
}

#[test]
fn names_flags_and_dates_inject_no_commands() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = ["one", "two", "three", "four"].map(Mail::simple);
    let archive = Handmade::new(&program)
        .mailbox("Injected", &mails[..1])
        .mailbox("INBOX", &mails[1..])
        .complete();
    let name = "x\"\r\nz9 DELETE \"INBOX\"\r\nz8 CREATE \"pwned\"\r\n";
    Handmade::edit(
        &archive.mailbox_dir("Injected").join(".mailbox.json"),
        |meta| {
            meta["name"] = json!(name);
            meta["wire"] = json!(name);
        },
    );
    Handmade::edit(&archive.file("Injected", 1, "json"), |sidecar| {
        sidecar["mailbox"] = json!(name);
    });
    let edit = |uid: u32, key: &str, value: &str| {
        Handmade::edit(&archive.file("INBOX", uid, "json"), |sidecar| {
            sidecar[key] = json!(value);
        });
    };
    edit(1, "flags", "\\Seen) {3}\r\nz7 CREATE pwned\r\n ok");
    edit(2, "flags", "\\Seen a(b c\"d {5} * \\Odd \\* \u{e4} ]");
    edit(
        3,
        "internaldate",
        "01-Jan-2024 00:00:00 +0000\" {1}\r\nz6 CREATE pwned\r\n",
    );
    aim(&program, &server.endpoint());
    let output = import(&program, &["--ignore-errors"]);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        output.describe()
    );
    // The server itself complains of malformed commands when it is dropped.
    let known = [
        "CAPABILITY",
        "LOGIN",
        "AUTHENTICATE",
        "ID",
        "ENABLE",
        "NAMESPACE",
        "LIST",
        "LSUB",
        "STATUS",
        "CREATE",
        "SUBSCRIBE",
        "SELECT",
        "EXAMINE",
        "UNSELECT",
        "APPEND",
        "UID FETCH",
        "UID STORE",
        "NOOP",
        "LOGOUT",
    ];
    for command in server.commands() {
        assert!(known.contains(&command.name.as_str()), "{}", command.text());
        assert!(
            !matches!(command.tag.as_str(), "z6" | "z7" | "z8" | "z9"),
            "{}",
            command.text()
        );
    }
    assert!(
        server
            .mailboxes()
            .iter()
            .all(|mailbox| mailbox.name != b"pwned")
    );
    let held = server.mailbox("INBOX").messages;
    let bodies: Vec<&Vec<u8>> = held.iter().map(|message| &*message.body).collect();
    assert_eq!(bodies, [&mails[1].bytes, &mails[2].bytes, &mails[3].bytes]);
    let flags = super::flag_words(&held[1].flags);
    assert!(
        flags.contains(&"\\Seen".to_owned()),
        "good flags were lost: {flags:?}"
    );
    assert!(
        flags
            .iter()
            .all(|flag| !flag.contains(['(', '"', '*', ']'])),
        "{flags:?}"
    );
    // The name is made harmless, and its message arrives.
    let total: usize = server
        .mailboxes()
        .iter()
        .map(|mailbox| mailbox.messages.len())
        .sum();
    assert_eq!(total, 4, "{}", output.describe());
}

#[test]
fn broken_files_of_the_account_are_errors_and_no_panics() {
    let mails = realistic(154, 3);
    for (file, text) in [
        ("export-state.json", "{"),
        ("export-state.json", "[]"),
        ("INBOX/.mailbox.json", "not JSON"),
        ("INBOX/.mailbox.json", "{\"name\": 7}"),
    ] {
        let server = inbox(MODERN).start();
        let program = Program::new();
        let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
        write(&archive.dir.join(file), text);
        aim(&program, &server.endpoint());
        let output = import(&program, &[]);
        output.code(1).says(file.rsplit('/').next().unwrap_or(file));
        assert!(!output.stderr.contains("panicked"), "{}", output.describe());
        assert_holds(&server, "INBOX", &[]);
    }
    // Lines of the journal that nobody understands are no reason to stop, nor to send anything twice.
    let server = inbox(MODERN).start();
    let program = super::program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    write(
        &super::journal(&program),
        "garbage\n{\"event\":\"done\"}\n\u{0}\n",
    );
    import(&program, &[]).code(0).warns("journal");
    assert_holds(&server, "INBOX", &mails);
}
