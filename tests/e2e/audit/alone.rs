//! The archive by itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{ANNA, archive, assert_codes, audit, findings};
use crate::kit::mail::Mail;
use crate::kit::run::handmade::{Handmade, write};
use crate::kit::run::program::Program;
use crate::kit::run::tempdir::tree;

#[test]
fn a_clean_archive_has_no_finding_and_is_left_alone() {
    let program = Program::new();
    archive(&program);
    let before = tree(&program.path("exported"));
    audit(&program, &[])
        .code(0)
        .says("audit complete: 1 account")
        .says("0 errors, 0 warnings, 0 notes");
    assert_codes(&program, &[]);
    assert_eq!(tree(&program.path("exported")), before);
}

/// What is done to an archive, and what the audit is to say: `severity code`.
type Damage = (&'static str, fn(&Handmade), &'static [&'static str]);

fn eml(archive: &Handmade) -> PathBuf {
    archive.file("INBOX", 2, "eml")
}

fn sidecar(archive: &Handmade) -> PathBuf {
    archive.file("INBOX", 2, "json")
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("removed");
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set a mode");
}

const DAMAGES: [Damage; 38] = [
    (
        "a byte flipped",
        |a| {
            let mut bytes = fs::read(eml(a)).expect("read");
            bytes[40] ^= 1;
            write(&eml(a), bytes);
        },
        &["error sha256-mismatch"],
    ),
    (
        "cut short",
        |a| {
            let bytes = fs::read(eml(a)).expect("read");
            write(&eml(a), &bytes[..bytes.len() - 3]);
        },
        &["error size-mismatch"],
    ),
    ("emptied", |a| write(&eml(a), ""), &["error empty-message"]),
    (
        "message file gone",
        |a| remove(&eml(a)),
        &["error no-message-file"],
    ),
    (
        "sidecar gone",
        |a| remove(&sidecar(a)),
        &["error no-sidecar"],
    ),
    (
        "both gone",
        |a| {
            remove(&eml(a));
            remove(&sidecar(a));
        },
        &["error message-gone"],
    ),
    (
        "sidecar is no JSON",
        |a| write(&sidecar(a), "{\"uid\": 2"),
        &["error unreadable-sidecar"],
    ),
    (
        "sidecar of another UID",
        |a| Handmade::edit(&sidecar(a), |s| s["uid"] = json!(3)),
        &["error uid-mismatch"],
    ),
    (
        "sidecar of another mailbox",
        |a| Handmade::edit(&sidecar(a), |s| s["mailbox"] = json!("Sent")),
        &["error sidecar-mismatch"],
    ),
    (
        "sidecar of another UIDVALIDITY",
        |a| Handmade::edit(&sidecar(a), |s| s["uidvalidity"] = json!(7)),
        &["error sidecar-mismatch"],
    ),
    (
        "one UID, two files",
        |a| {
            fs::copy(eml(a), a.mailbox_dir("INBOX").join("u2.eml")).expect("copied");
        },
        &["error duplicate-uid"],
    ),
    (
        "mailbox directory gone",
        |a| fs::remove_dir_all(a.mailbox_dir("Work/2024")).expect("removed"),
        &["error mailbox-gone"],
    ),
    (
        ".mailbox.json damaged",
        |a| write(&a.mailbox_dir("Work/2024").join(".mailbox.json"), "{"),
        &["error unreadable-mailbox"],
    ),
    (
        ".mailbox.json of another mailbox",
        |a| {
            Handmade::edit(&a.mailbox_dir("Work/2024").join(".mailbox.json"), |m| {
                m["uidvalidity"] = json!(9);
            });
        },
        &["error sidecar-mismatch", "error state-mismatch"],
    ),
    (
        "state damaged",
        |a| write(&a.dir.join("export-state.json"), "{"),
        &["error unreadable-state"],
    ),
    (
        "state says incomplete",
        |a| {
            Handmade::edit(&a.dir.join("export-state.json"), |s| {
                s["complete"] = json!(false);
            });
        },
        &["error incomplete"],
    ),
    (
        "a message that was never exported",
        |a| {
            let line = json!({"account": ANNA, "mailbox": "INBOX", "uid": 9, "size": 5, "server": "NO gone", "at": "now", "during": "export"});
            write(&a.dir.join("failed.jsonl"), format!("{line}\n"));
        },
        &["error not-exported"],
    ),
    (
        "an import that failed is no matter of the archive",
        |a| {
            let line = json!({"account": ANNA, "mailbox": "INBOX", "uid": 9, "size": 5, "server": "NO full", "at": "now", "during": "import"});
            write(&a.dir.join("failed.jsonl"), format!("{line}\n"));
        },
        &[],
    ),
    (
        "a message that the state does not know",
        |a| {
            Handmade::edit(&a.dir.join("export-state.json"), |s| {
                s["mailboxes"][0]["uids"] = json!("1:2");
            });
        },
        &["warning not-in-state"],
    ),
    (
        "a mailbox that the state does not know",
        |a| {
            Handmade::edit(&a.dir.join("export-state.json"), |s| {
                s["mailboxes"].as_array_mut().expect("a list").truncate(1);
            });
        },
        &["warning not-in-state"],
    ),
    (
        "digest and size gone, and with them the proof",
        |a| {
            let bytes = fs::read(eml(a)).expect("read");
            write(&eml(a), &bytes[..bytes.len() - 8]);
            Handmade::edit(&sidecar(a), |s| {
                s["sha256"] = json!(null);
                s["size"] = json!(null);
            });
        },
        &["error no-digest"],
    ),
    (
        "state gone",
        |a| remove(&a.dir.join("export-state.json")),
        &["error no-state"],
    ),
    (
        "state and dot files gone",
        |a| {
            remove(&a.dir.join("export-state.json"));
            remove(&a.mailbox_dir("INBOX").join(".mailbox.json"));
            remove(&a.mailbox_dir("Work/2024").join(".mailbox.json"));
        },
        &[
            "error no-state",
            "warning unreadable-mailbox",
            "warning unreadable-mailbox",
        ],
    ),
    (
        ".mailbox.json gone",
        |a| remove(&a.mailbox_dir("INBOX").join(".mailbox.json")),
        &["warning unreadable-mailbox"],
    ),
    (
        ".mailbox.json of another delimiter",
        |a| {
            Handmade::edit(&a.mailbox_dir("Work/2024").join(".mailbox.json"), |m| {
                m["delimiter"] = json!(".");
            });
        },
        &["error state-mismatch"],
    ),
    (
        ".mailbox.json of a view",
        |a| {
            Handmade::edit(&a.mailbox_dir("Work/2024").join(".mailbox.json"), |m| {
                m["attributes"] = json!(["\\All"]);
            });
        },
        &["error state-mismatch"],
    ),
    (
        "children that came and went are no damage",
        |a| {
            Handmade::edit(&a.mailbox_dir("Work/2024").join(".mailbox.json"), |m| {
                m["attributes"] = json!(["\\HasChildren", "\\Marked"]);
            });
        },
        &[],
    ),
    (
        "left by a killed run",
        |a| write(&a.mailbox_dir("INBOX").join(".incoming-77-1"), "x"),
        &["warning leftover"],
    ),
    (
        "left beside the state",
        |a| write(&a.dir.join(".export-state.json.tmp"), "x"),
        &["warning leftover"],
    ),
    (
        "a file that does not belong there",
        |a| write(&a.mailbox_dir("INBOX").join("notes.txt"), "x"),
        &["warning foreign-file"],
    ),
    (
        "a directory that does not belong there",
        |a| {
            fs::create_dir(a.dir.join("stuff")).expect("created");
        },
        &["warning foreign-file"],
    ),
    (
        "a symlink for a message",
        |a| {
            let outside = a.dir.join("../outside");
            fs::rename(eml(a), &outside).expect("moved");
            symlink(&outside, eml(a)).expect("linked");
        },
        &["error symlink", "error no-message-file"],
    ),
    (
        "a symlink for a mailbox",
        |a| {
            let outside = a.dir.join("../outside");
            fs::rename(a.mailbox_dir("Work/2024"), &outside).expect("moved");
            symlink(&outside, a.mailbox_dir("Work/2024")).expect("linked");
        },
        &["error symlink"],
    ),
    (
        "a message that others can read",
        |a| chmod(&eml(a), 0o644),
        &["warning open-mode"],
    ),
    (
        "a sidecar that others can read",
        |a| chmod(&sidecar(a), 0o604),
        &["warning open-mode"],
    ),
    (
        "a mailbox that others can read",
        |a| chmod(&a.mailbox_dir("INBOX"), 0o750),
        &["warning open-mode"],
    ),
    (
        "a state that others can read",
        |a| chmod(&a.dir.join("export-state.json"), 0o640),
        &["warning open-mode"],
    ),
    (
        "an account that others can read",
        |a| chmod(&a.dir, 0o755),
        &["warning open-mode"],
    ),
];

#[test]
fn every_damage_is_found_and_nothing_else() {
    for (name, damage, expected) in DAMAGES {
        let program = Program::new();
        let archive = archive(&program);
        damage(&archive);
        let output = audit(&program, &[]);
        println!("{name}");
        assert_codes(&program, expected);
        output.code(i32::from(!expected.is_empty()));
        for finding in findings(&program) {
            assert_eq!(finding["account"], ANNA, "{name}");
            let code = finding["code"].as_str().expect("a code");
            output.says(code);
        }
    }
}

#[test]
fn findings_name_mailbox_file_and_uid() {
    let program = Program::new();
    let archive = archive(&program);
    write(&eml(&archive), "Subject: other\r\n\r\n");
    audit(&program, &[])
        .code(1)
        .says("anna@example.com/INBOX/u0000000002.eml");
    let finding = &findings(&program)[0];
    assert_eq!(finding["mailbox"], "INBOX");
    assert_eq!(finding["uid"], 2);
    assert_eq!(finding["file"], "anna@example.com/INBOX/u0000000002.eml");
}

#[test]
fn the_first_twenty_of_a_kind_are_printed_and_all_are_in_the_report() {
    let program = Program::new();
    super::unreachable(&program);
    let mails: Vec<Mail> = (0..30)
        .map(|n| Mail::simple(&format!("mail {n}")))
        .collect();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    for uid in 1..=30 {
        remove(&archive.file("INBOX", uid, "json"));
    }
    let output = audit(&program, &[]);
    output.code(1).says("no-sidecar: 30").says("… and 10 more");
    assert_eq!(output.stdout.matches("has no sidecar").count(), 20);
    assert_eq!(findings(&program).len(), 30);
}

#[test]
fn the_original_tools_archive_is_audited_as_far_as_it_goes() {
    let program = Program::new();
    super::unreachable(&program);
    let dir = program.path("exported").join(ANNA).join("INBOX.Work");
    fs::create_dir_all(&dir).expect("created");
    for path in [&dir, &program.path("exported").join(ANNA)] {
        chmod(path, 0o700);
    }
    let old = |uid: u32, text: &[u8]| {
        write(&dir.join(format!("u{uid}.eml")), text);
        let json = json!({"mailbox": "INBOX.Work", "uid": uid, "flags": "", "internaldate": ""});
        write(&dir.join(format!("u{uid}.json")), json.to_string());
    };
    old(7, &Mail::simple("old").bytes);
    audit(&program, &[]).code(0);
    assert_codes(&program, &["note no-state", "note no-digest"]);
    old(8, b"");
    old(9, b"\x00\x01 nothing\n");
    audit(&program, &[]).code(1);
    let expected = [
        "note no-state",
        "note no-digest",
        "error empty-message",
        "error not-mail",
    ];
    assert_codes(&program, &expected);
}

#[test]
fn an_archive_that_came_over_a_mac_is_whole() {
    let program = Program::new();
    super::unreachable(&program);
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &[Mail::simple("x")])
        .mailbox("Caf\u{e9}", &[Mail::simple("y")])
        .complete();
    let decomposed = archive.dir.join("Cafe\u{301}");
    fs::rename(archive.mailbox_dir("Caf\u{e9}"), &decomposed).expect("renamed");
    audit(&program, &[]).code(0);
    assert_codes(&program, &[]);
    remove(&decomposed.join("u0000000001.eml"));
    remove(&decomposed.join("u0000000001.json"));
    audit(&program, &[]).code(1);
    assert_codes(&program, &["error message-gone"]);
    fs::remove_dir_all(decomposed).expect("removed");
    audit(&program, &[]).code(1);
    assert_codes(&program, &["error mailbox-gone"]);
}

#[test]
fn a_manifest_satisfies_sha256sum() {
    let program = Program::new();
    super::unreachable(&program);
    let archive = Handmade::new(&program)
        .mailbox("back\\slash", &[Mail::simple("one")])
        .mailbox("日本 語", &[Mail::simple("two"), Mail::simple("three")])
        .complete();
    audit(&program, &["--manifest", "SHA256SUMS"]).code(0);
    let check = || {
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(program.dir())
            .output()
            .expect("sha256sum runs")
    };
    let output = check();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    let mode = fs::metadata(program.path("SHA256SUMS"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // The list says what must be, not what is.
    write(&archive.file("日本 語", 1, "eml"), "Subject: other\r\n\r\n");
    audit(&program, &["--manifest", "SHA256SUMS"]).code(1);
    assert!(!check().status.success());
}

#[test]
fn wrong_input_ends_with_2() {
    let program = Program::new();
    super::unreachable(&program);
    audit(&program, &[])
        .code(2)
        .warns("there is no archive at ./exported");
    archive(&program);
    audit(&program, &["--input-dir", "a", "--output-dir", "b"])
        .code(2)
        .warns("give one of them");
    audit(&program, &["--deep"])
        .code(2)
        .warns("--deep does not go with --mode audit");
    audit(&program, &["--manifest", "no/such/SUMS"])
        .code(2)
        .warns("no/such/SUMS");
    audit(&program, &["--folder", "Nope*"])
        .code(2)
        .warns("no mailbox");
    program
        .export(&["--manifest", "x"])
        .code(2)
        .warns("--no-audit-after-export");
    fs::remove_dir_all(program.path("exported").join(ANNA)).expect("removed");
    audit(&program, &[])
        .code(1)
        .says("the archive has no account anna@example.com");
}

#[test]
fn filters_leave_the_other_mailboxes_alone() {
    let program = Program::new();
    let archive = archive(&program);
    remove(&sidecar(&archive));
    audit(&program, &["--folder", "Work*"]).code(0);
    assert_codes(&program, &[]);
}
