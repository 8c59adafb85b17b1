//! Which archives are taken: the original tool's, incomplete ones when told so; and which configurations.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    ANNA, MODERN, aim, aim_with, assert_holds, assert_same, date, import, inbox, of_archived,
    of_held, reader, report, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::{Handmade, private, write};
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::codec::hex;
use crate::kit::servers::dovecot::Dovecot;

#[test]
fn archives_of_the_original_tool_are_imported() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let dir = program.path("exported").join(ANNA);
    let mails = realistic(140, 6);
    for (directory, mailbox, stems) in [
        ("INBOX", "INBOX", ["u1", "u42", "u7"]),
        ("Archive_2024", "Archive/2024", ["u0000000003", "u4", "u5"]),
    ] {
        fs::create_dir_all(dir.join(directory)).expect("create a directory");
        let half = if directory == "INBOX" {
            &mails[..3]
        } else {
            &mails[3..]
        };
        for (mail, stem) in half.iter().zip(stems) {
            let uid: u32 = stem[1..].parse().expect("a number");
            let sidecar = json!({
                "mailbox": mailbox,
                "uid": uid,
                "flags": mail.flags,
                "internaldate": mail.internaldate(),
            });
            write(
                &dir.join(directory).join(format!("{stem}.eml")),
                &mail.bytes,
            );
            write(
                &dir.join(directory).join(format!("{stem}.json")),
                sidecar.to_string(),
            );
        }
    }
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails[..3]);
    assert_holds(&server, "Archive/2024", &mails[3..]);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);
}

/// An archive as later versions of the original tool write it: UIDVALIDITY as text, names decoded, digests.
fn of_the_original_tool(program: &Program, mails: &[Mail]) -> std::path::PathBuf {
    let dir = program.path("exported").join(ANNA);
    let mut state = Vec::new();
    let mailboxes = [
        ("INBOX", "INBOX"),
        ("Caf_", "Caf\u{e9}"),
        ("Work_2024", "Work/2024"),
    ];
    for ((directory, mailbox), mails) in mailboxes.into_iter().zip(mails.chunks(2)) {
        let path = dir.join(directory);
        fs::create_dir_all(&path).expect("create a directory");
        private(&path, 0o700);
        let mut marker =
            json!({"mailbox": mailbox, "message_count": mails.len(), "uidvalidity": "1795644430"});
        if mailbox.contains('/') {
            marker["source_delimiter"] = json!("/");
            marker["source_path_segments"] = json!(["Work", "2024"]);
        }
        for (mail, uid) in mails.iter().zip(1..) {
            let stem = path.join(format!("u{uid:010}"));
            let mut sidecar = marker.clone();
            let more = json!({
                "account": ANNA,
                "content_binding_sha256": "00".repeat(32),
                "content_sha256": hex(&Sha256::digest(&mail.bytes)),
                "flags": format!("{} \\Recent", mail.flags),
                "internaldate": mail.internaldate(),
                "rfc822_size": mail.bytes.len(),
                "uid": uid,
            });
            for (key, value) in more.as_object().expect("an object") {
                sidecar[key] = value.clone();
            }
            write(&stem.with_extension("eml"), &mail.bytes);
            write(&stem.with_extension("json"), sidecar.to_string());
        }
        write(&path.join(".mailbox.json"), marker.to_string());
        marker["path"] = json!(directory);
        state.push(marker);
    }
    private(&dir, 0o700);
    let state = json!({
        "account": ANNA,
        "complete": true,
        "completed_at": 1_795_644_445,
        "mailboxes": state,
        "schema_version": 1,
        "source_server": {"host": "127.0.0.1", "port": 143, "ssl": false, "starttls": false},
    });
    write(&dir.join("export-state.json"), state.to_string());
    dir
}

#[test]
fn archives_of_the_original_tools_later_versions_are_proved_by_their_digests() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(143, 6);
    let dir = of_the_original_tool(&program, &mails);
    aim(&program, &server.endpoint());
    let audit = || {
        program.run([
            "--mode",
            "audit",
            "--audit-offline",
            "--config",
            "import.pass.config.json",
        ])
    };
    audit().code(0).says("0 errors, 0 warnings, 0 notes");
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails[..2]);
    assert_holds(&server, "Caf\u{e9}", &mails[2..4]);
    assert_holds(&server, "Work/2024", &mails[4..]);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);

    let bytes = mails[1].bytes.iter().copied();
    let lost: Vec<u8> = bytes.filter(|byte| *byte != b'\r').collect();
    write(&dir.join("INBOX/u0000000002.eml"), lost);
    audit().code(1).says("has lost its line ends");
    let anew = inbox(MODERN).start();
    aim(&program, &anew.endpoint());
    import(&program, &[]).code(0);
    assert_holds(&anew, "INBOX", &mails[..2]);

    let mut damaged = mails[1].bytes.clone();
    damaged[40] ^= 1;
    write(&dir.join("INBOX/u0000000002.eml"), damaged);
    audit().code(1).says("sha256-mismatch");
    fs::remove_file(dir.join("INBOX/u0000000002.eml")).expect("removed");
    fs::remove_file(dir.join("INBOX/u0000000002.json")).expect("removed");
    audit().code(1).says("message-gone");
    import(&program, &[]).code(1);
    fs::remove_dir_all(dir.join("Caf_")).expect("removed");
    audit().code(1).says("mailbox-gone");
}

#[test]
fn what_the_archive_lost_is_neither_imported_as_complete_nor_called_identical() {
    type Loss = fn(&Handmade);
    let losses: [(&str, Loss); 6] = [
        ("message-gone", |a| {
            fs::remove_file(a.file("INBOX", 3, "eml")).expect("removed");
            fs::remove_file(a.file("INBOX", 3, "json")).expect("removed");
        }),
        ("message-gone", |a| {
            fs::remove_file(a.file("INBOX", 3, "eml")).expect("removed");
        }),
        ("message-gone", |a| {
            fs::remove_file(a.file("INBOX", 3, "json")).expect("removed");
        }),
        ("message-gone", |a| {
            for uid in 1..=5 {
                fs::remove_file(a.file("INBOX", uid, "eml")).expect("removed");
                fs::remove_file(a.file("INBOX", uid, "json")).expect("removed");
            }
        }),
        ("mailbox-gone", |a| {
            fs::remove_dir_all(a.mailbox_dir("Work")).expect("removed");
        }),
        ("no-state", |a| {
            fs::remove_file(a.dir.join("export-state.json")).expect("removed");
        }),
    ];
    for (code, lose) in losses {
        let server = inbox(MODERN).start();
        let program = Program::new();
        let mails = realistic(144, 6);
        let archive = Handmade::new(&program)
            .mailbox("INBOX", &mails[..5])
            .mailbox("Work", &mails[5..])
            .complete();
        lose(&archive);
        aim(&program, &server.endpoint());
        import(&program, &["--ignore-errors", "--allow-incomplete"])
            .code(i32::from(code != "no-state"));
        let validate = ["--deep", "--allow-incomplete", "--no-connectivity-test"];
        let validate = [
            &["--mode", "validate", "--config", "import.pass.config.json"],
            &validate[..],
        ]
        .concat();
        program.run(&validate).code(1).says(code);
    }
}

#[test]
fn a_first_export_that_was_killed_is_no_archive_of_the_original_tool() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(145, 3);
    Handmade::new(&program).mailbox("INBOX", &mails);
    aim(&program, &server.endpoint());
    import(&program, &[])
        .code(1)
        .says("export-state.json")
        .says("--allow-incomplete");
    assert_holds(&server, "INBOX", &[]);
    import(&program, &["--allow-incomplete"]).code(0);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn an_account_that_the_archive_does_not_have_is_an_error_that_names_the_directory() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("INBOX", &[Mail::simple("x")])
        .complete();
    let accounts = [("ben@example.org", PASSWORD)];
    aim_with(&program, &server.endpoint(), &accounts, &Value::Null);
    import(&program, &[])
        .code(1)
        .says("ben@example.org")
        .says("exported/ben@example.org");
    assert_holds(&server, "INBOX", &[]);
    assert!(
        !program.path("exported/ben@example.org").exists(),
        "it was created"
    );

    aim(&program, &server.endpoint());
    import(&program, &["--input-dir", "elsewhere"])
        .code(2)
        .warns("elsewhere");
    assert!(!program.path("elsewhere").exists(), "it was created");
    fs::rename(program.path("exported"), program.path("elsewhere")).expect("move the archive");
    import(&program, &["--input-dir", "elsewhere"]).code(0);
    assert_holds(&server, "INBOX", &[Mail::simple("x")]);
}

#[test]
fn an_incomplete_archive_needs_leave() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(141, 5);
    Handmade::new(&program)
        .mailbox("INBOX", &mails)
        .incomplete();
    aim(&program, &server.endpoint());
    import(&program, &[])
        .code(1)
        .says(ANNA)
        .says("--allow-incomplete");
    assert_holds(&server, "INBOX", &[]);
    assert_eq!(report(&program)["accounts"][0]["status"], "failed");
    import(&program, &["--allow-incomplete"]).code(0);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn an_account_whose_export_never_began_is_no_empty_account() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    // What an export leaves that could not even connect.
    fs::create_dir_all(program.path("exported").join(super::ANNA)).expect("create");
    aim(&program, &server.endpoint());
    import(&program, &[]).code(1).says("was never exported");
    assert_eq!(server.connections(), 0);
}

#[test]
fn unfinished_messages_are_passed_over_and_said() {
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails = realistic(142, 5);
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    fs::remove_file(archive.file("INBOX", 4, "json")).expect("remove a sidecar");
    fs::remove_file(archive.file("INBOX", 2, "eml")).expect("remove a message");
    write(
        &archive.mailbox_dir("INBOX").join("notes.txt"),
        "not a message",
    );
    aim(&program, &server.endpoint());
    import(&program, &["--ignore-errors"]);
    assert_holds(
        &server,
        "INBOX",
        &[mails[0].clone(), mails[2].clone(), mails[4].clone()],
    );
    let note = super::entry(&program, "INBOX").to_string();
    assert!(note.contains("unfinished"), "{note}");
}

#[test]
fn a_host_that_was_not_filled_in_is_an_error_before_anything_begins() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(143, 8));
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program.export(&[]).code(0);
    // The template that the export has written is complete but for the server.
    import(&program, &[])
        .code(2)
        .warns("CHANGE_ME.example.com")
        .warns("server.host");
    let b = Dovecot::simple();
    Handmade::edit(&program.path("import.pass.config.json"), |config| {
        config["server"] = crate::kit::run::program::server_json(&b.imaps());
    });
    import(&program, &[]).code(0);
    let held = Reader::new(&b.plain(), ANNA, PASSWORD).mailbox("INBOX");
    let archived = program.archive(ANNA).mailbox("INBOX");
    assert_same("INBOX", &of_held(&held), &of_archived(&archived));
}

#[test]
fn odd_dates_are_sent_in_the_canonical_form_or_replaced() {
    let mail = |head: &str| Mail::new(head, format!("{head}Subject: x\r\n\r\ntext\r\n"));
    let dated = "Date: Fri, 2 Feb 2024 03:04:05 +0100\r\n";
    let received = "Received: from a by b;\r\n\tSat, 3 Feb 2024 04:05:06 -0500\r\nReceived: from c; Sun, 4 Feb 2024 00:00:00 +0000\r\n";
    let cases = [
        // The source's date, however it is written.
        (
            " 1-Jan-2024 00:00:00 +0100",
            mail(dated),
            "01-Jan-2024 00:00:00 +0100",
        ),
        (
            "1-Jan-2024 00:00:00 +0000",
            mail(dated),
            "01-Jan-2024 00:00:00 +0000",
        ),
        (
            "05-Jan-2024 00:00:00 GMT",
            mail(dated),
            "05-Jan-2024 00:00:00 +0000",
        ),
        // None of use: the Date header, then the topmost Received.
        ("", mail(dated), "02-Feb-2024 03:04:05 +0100"),
        (
            "00-Jan-0000 00:00:00 +0000",
            mail(&format!("{received}{dated}")),
            "02-Feb-2024 03:04:05 +0100",
        ),
        ("garbage", mail(received), "03-Feb-2024 04:05:06 -0500"),
        (
            "",
            mail(&format!("{received}Date: nonsense\r\n")),
            "03-Feb-2024 04:05:06 -0500",
        ),
    ];
    let server = inbox(MODERN).start();
    let program = Program::new();
    let mails: Vec<Mail> = cases.iter().map(|(_, mail, _)| mail.clone()).collect();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    for ((internaldate, _, _), uid) in cases.iter().zip(1_u32..) {
        Handmade::edit(&archive.file("INBOX", uid, "json"), |sidecar| {
            sidecar["internaldate"] = json!(internaldate);
        });
    }
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let held = reader(&server).mailbox("INBOX").messages;
    for (held, (written, mail, expected)) in held.iter().zip(&cases) {
        assert_eq!(
            date(&held.internaldate),
            *expected,
            "{written:?} with {}",
            mail.name
        );
    }
    let note = super::entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("date") && note.contains('4'),
        "guessed in silence: {note}"
    );
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 7]);
}
