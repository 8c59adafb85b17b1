//! Runs of the binary, comparisons of archives, generated mail.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::ANNA;
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, hostile, realistic};
use crate::kit::run::archive::{Archive, assert_archive_equals_server};
use crate::kit::run::program::{EXPORT, Program, server_json};
use crate::kit::run::reader::{HeldMailbox, Reader};
use crate::kit::servers::codec::hex;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::script::{Script, ScriptServer};
use crate::kit::{Security, wait_until};

/// An archive as the format's description has it, made from what the reader says.
fn write_archive(dir: &Path, held: &[HeldMailbox]) {
    let write = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).expect("write");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("mode");
    };
    let mut states = Vec::new();
    for (number, mailbox) in held.iter().filter(|held| held.selectable).enumerate() {
        let place = dir.join(format!("m{number}"));
        fs::create_dir_all(&place).expect("create");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("mode");
        let meta = json!({"name": mailbox.name, "uidvalidity": mailbox.uidvalidity});
        write(&place.join(".mailbox.json"), meta.to_string().as_bytes());
        for message in &mailbox.messages {
            let stem = format!("u{:010}", message.uid);
            let sidecar = json!({
                "mailbox": mailbox.name, "uid": message.uid, "uidvalidity": mailbox.uidvalidity,
                "flags": message.flags.join(" "), "internaldate": message.internaldate,
                "size": message.length, "sha256": message.sha256,
            });
            let body = message.body.as_deref().expect("a body");
            write(&place.join(format!("{stem}.eml")), body);
            write(
                &place.join(format!("{stem}.json")),
                sidecar.to_string().as_bytes(),
            );
        }
        let bytes: u64 = mailbox
            .messages
            .iter()
            .filter_map(|message| message.length)
            .sum();
        states.push(json!({
            "name": mailbox.name, "uidvalidity": mailbox.uidvalidity,
            "messages": mailbox.messages.len(), "bytes": bytes,
        }));
    }
    let state = json!({"complete": true, "mailboxes": states});
    write(&dir.join("export-state.json"), state.to_string().as_bytes());
}

#[test]
fn an_archive_is_held_against_the_server() {
    let dovecot = Dovecot::simple();
    dovecot.seed(ANNA, "INBOX", &realistic(4, 4));
    dovecot.seed(ANNA, "Sent", &realistic(5, 2));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD).with_bodies(u32::MAX);
    let held = reader.mailboxes();
    let program = Program::new();
    write_archive(&program.path("exported/anna%40example.com"), &held);
    let archive = program.archive(ANNA);
    assert_archive_equals_server(&archive, &held);
    assert_eq!(archive.failed(), [Value::Null; 0]);

    let inbox = archive.mailbox("INBOX").dir;
    fs::write(inbox.join("u0000000001.eml"), "other").expect("write");
    fs::remove_file(inbox.join("u0000000002.json")).expect("remove");
    fs::set_permissions(
        inbox.join("u0000000003.eml"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("mode");
    reader.store("INBOX", "4", "FLAGS", "\\Deleted keyword");
    reader.rename("Sent", "Gone");
    let differences =
        Archive::find(&program.path("exported"), ANNA).differences(&reader.mailboxes());
    let expected = [
        "INBOX: UID 1: sha256 of the file",
        "INBOX: UID 2 is missing",
        "u0000000002.eml is no part of a finished message",
        "u0000000003.eml has mode 0644",
        "INBOX: UID 4: flags",
        "mailbox Gone is missing",
        "mailbox Sent is not on the server",
    ];
    for text in expected {
        assert!(
            differences.iter().any(|found| found.contains(text)),
            "{text}: {differences:#?}"
        );
    }
    assert_eq!(differences.len(), expected.len(), "{differences:#?}");
}

#[test]
fn the_program_runs_and_is_killed() {
    let server = ScriptServer::start(vec![Script::new().send("* OK ready\r\n").stall()]);
    let program = Program::new().env("KIT", "1");
    program
        .run(["--version"])
        .code(0)
        .says(env!("CARGO_PKG_VERSION"))
        .hides("pass phrase");
    program
        .export(&["--no-such-flag"])
        .code(2)
        .warns("unexpected argument");
    program.config(&server.endpoint(Security::Plain), &[("x", "y")]);
    let mut running = program.spawn_export(&[]);
    wait_until("a connection", || server.connections() == 1);
    assert!(running.is_running() && running.id() > 0);
    let output = running.kill9();
    output.killed_by(9);
    assert!(output.describe().contains("export.pass.config.json"));
    let running = program.spawn_under(&["nice"], EXPORT);
    wait_until("another connection", || server.connections() == 2);
    // Twice, as the first asks for an orderly end only.
    running.signal("INT").signal("INT");
    assert!(!running.stderr().contains("panicked"));
    let output = running.wait();
    assert!(!output.status.success(), "{}", output.describe());
    let starttls = server_json(&server.endpoint(Security::StartTls));
    assert_eq!(
        (&starttls["ssl"], &starttls["starttls"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn generated_mail_is_the_same_every_time() {
    assert_eq!(realistic(6, 50), realistic(6, 50));
    assert_ne!(realistic(6, 1)[0].bytes, realistic(7, 1)[0].bytes);
    let named: BTreeMap<String, Mail> = hostile()
        .into_iter()
        .map(|mail| (mail.name.clone(), mail))
        .collect();
    assert_eq!(named.len(), hostile().len(), "each has a name of its own");
    let biggest = named.values().map(|mail| mail.bytes.len()).max();
    assert!(
        biggest > Some(3_000_000),
        "{}",
        hex(&named["zero bytes"].bytes)
    );
    assert_eq!(Mail::simple("x").flagged("\\Seen").flags, "\\Seen");
}
