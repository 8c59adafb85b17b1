//! The archive against the server that it comes from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{assert_codes, findings};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::archive::Archive;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};

struct Scene {
    dovecot: Dovecot,
    program: Program,
}

impl Scene {
    fn reader(&self) -> Reader {
        Reader::new(&self.dovecot.imaps(), super::ANNA, PASSWORD)
    }

    fn archive(&self) -> Archive {
        self.program.archive(super::ANNA)
    }

    #[track_caller]
    fn audit(&self, code: i32, expected: &[&str]) {
        let words = ["--mode", "audit", "-q", "--report", "report.json"];
        self.program.run(words).code(code);
        assert_codes(&self.program, expected);
    }
}

/// Three messages in INBOX, one in Work, exported.
fn exported() -> Scene {
    let dovecot = Dovecot::start(DovecotOptions::default());
    let scene = Scene {
        program: Program::new(),
        dovecot,
    };
    let reader = scene.reader();
    reader.append("INBOX", &["one", "two", "three"].map(Mail::simple));
    reader.create("Work");
    reader.append("Work", &[Mail::simple("four")]);
    scene
        .program
        .config(&scene.dovecot.imaps(), &scene.dovecot.accounts());
    scene.program.export(&[]).code(0);
    scene
}

#[test]
fn an_archive_that_agrees_has_no_finding() {
    let scene = exported();
    scene.audit(0, &[]);
    let out = scene.program.run(["--mode", "audit", "-q"]);
    out.code(0).hides(PASSWORD);
}

#[test]
fn mail_that_came_or_went_is_a_note() {
    let scene = exported();
    let reader = scene.reader();
    reader.append("INBOX", &[Mail::simple("five")]);
    scene.audit(0, &["note arrived"]);
    assert!(
        findings(&scene.program)[0]["text"]
            .as_str()
            .expect("text")
            .contains("uid 4")
    );
    reader.expunge("INBOX", "2");
    scene.audit(0, &["note arrived", "note vanished"]);
}

#[test]
fn a_swap_that_leaves_the_count_is_seen() {
    let scene = exported();
    let inbox = scene.archive().mailbox("INBOX").dir;
    for extension in ["eml", "json"] {
        std::fs::remove_file(inbox.join(format!("u0000000001.{extension}"))).expect("removed");
    }
    scene.reader().expunge("INBOX", "2");
    let state = scene.archive().dir.join("export-state.json");
    crate::kit::run::handmade::Handmade::edit(&state, |state| {
        for mailbox in state["mailboxes"].as_array_mut().expect("a list") {
            if mailbox["name"] == "INBOX" {
                mailbox["uids"] = serde_json::json!("2:3");
            }
        }
    });
    scene.audit(1, &["error not-in-archive", "note vanished"]);
}

#[test]
fn mailboxes_that_only_one_side_has_are_named() {
    let scene = exported();
    scene.reader().create("New");
    scene.reader().append("New", &[Mail::simple("six")]);
    scene.audit(1, &["error mailbox-not-in-archive"]);
    let scene = Scene {
        program: Program::new(),
        ..scene
    };
    let accounts = scene.dovecot.accounts();
    scene.program.config(&scene.dovecot.imaps(), &accounts);
    scene.program.export(&["--exclude-folder", "New"]).code(0);
    scene.audit(0, &["note mailbox-left-out"]);
}

#[test]
fn flags_and_dates_that_differ_from_the_source_are_a_warning() {
    let scene = exported();
    scene.reader().store("INBOX", "3", "FLAGS", "\\Answered");
    scene.audit(1, &["warning flags-differ"]);
    scene.program.export(&[]).code(0);
    scene.audit(0, &[]);
    let edit = |uid: u32, key: &str, value: &str| {
        let sidecar = scene
            .archive()
            .mailbox("INBOX")
            .dir
            .join(format!("u{uid:010}.json"));
        crate::kit::run::handmade::Handmade::edit(&sidecar, |sidecar| {
            sidecar[key] = serde_json::json!(value);
        });
    };
    edit(2, "flags", "\\Deleted");
    edit(1, "internaldate", "01-Jan-1999 00:00:00 +0000");
    scene.audit(
        1,
        &[
            "error sidecar-mismatch",
            "warning flags-differ",
            "warning date-differs",
        ],
    );
    // The archive by itself knows it too, and what to do.
    let output = scene.program.audit(&[]);
    output.code(1).says("sidecar-mismatch");
    for uid in [1, 2] {
        let sidecar = format!("u{uid:010}.json");
        let sidecar = scene.archive().mailbox("INBOX").dir.join(sidecar);
        std::fs::remove_file(sidecar).expect("removed");
    }
    scene.program.export(&[]).code(0);
    scene.audit(0, &[]);
}

#[test]
fn a_mailbox_that_connections_die_on_costs_itself() {
    let mails = ["one", "two"].map(Mail::simple);
    let deadly = Arc::new(AtomicBool::new(false));
    let is_deadly = Arc::clone(&deadly);
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .mailbox(FakeMailbox::new("Bad").mails(&mails))
        .mailbox(FakeMailbox::new("Work").mails(&mails))
        .on_command(move |command| {
            let is_bad = command.name == "EXAMINE" && command.text().contains("Bad");
            (is_bad && is_deadly.load(Ordering::SeqCst)).then(|| Reply::bye("Internal error"))
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(super::ANNA, PASSWORD)]);
    program.export(&[]).code(0);
    deadly.store(true, Ordering::SeqCst);
    let lost = program.archive(super::ANNA).mailbox("Work").dir;
    for extension in ["eml", "json"] {
        std::fs::remove_file(lost.join(format!("u0000000002.{extension}"))).expect("removed");
    }
    program
        .run(["--mode", "audit", "-q", "--report", "report.json"])
        .code(1);
    assert_codes(&program, &["error unreadable-source", "error message-gone"]);
    let findings = findings(&program);
    let unreadable = findings
        .iter()
        .find(|one| one["code"] == "unreadable-source");
    assert_eq!(unreadable.expect("a finding")["mailbox"], "Bad");
}

#[test]
fn mailboxes_of_which_each_costs_a_connection_are_all_read() {
    let names = ["INBOX", "A", "B", "C", "D", "E", "F"];
    let armed = Arc::new(Mutex::new(Vec::new()));
    let deadly = Arc::clone(&armed);
    let mut options = FakeServer::options();
    for name in names {
        options = options.mailbox(FakeMailbox::new(name).mails(&[Mail::simple(name)]));
    }
    let server = options
        .on_command(move |command| {
            let mut deadly = deadly.lock().expect("not poisoned");
            let is_about = |name: &&str| {
                command.name == "EXAMINE" && command.text().trim_end_matches('"').ends_with(name)
            };
            let at = deadly.iter().position(is_about)?;
            deadly.remove(at);
            Some(Reply::Close(Vec::new()))
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(super::ANNA, PASSWORD)]);
    program.export(&[]).code(0);
    armed.lock().expect("not poisoned").extend(&names[1..]);
    program.run(["--mode", "audit", "-q"]).code(0);
    assert!(armed.lock().expect("not poisoned").is_empty());
}

#[test]
fn the_export_is_audited_and_damage_makes_it_fail() {
    let scene = exported();
    let words = [
        "--mode",
        "export",
        "--no-connectivity-test",
        "-q",
        "--report",
        "report.json",
    ];
    scene
        .program
        .run(words)
        .code(0)
        .says("Audit of the archive");
    assert_codes(&scene.program, &[]);
    let eml = scene.archive().mailbox("Work").dir.join("u0000000001.eml");
    let mut bytes = std::fs::read(&eml).expect("read");
    bytes[9] ^= 1;
    std::fs::write(&eml, bytes).expect("written");
    scene.program.run(words).code(1).says("sha256-mismatch");
    assert_codes(&scene.program, &["error sha256-mismatch"]);
    scene.program.export(&[]).code(0);
    let offline = words.iter().chain(&["--audit-offline"]);
    scene.program.run(offline).code(1);
}

#[test]
fn what_search_names_needs_no_fetch() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&["one", "two"].map(Mail::simple)))
        .on_command(|command| {
            let together = command.text().contains("UID FETCH 1:* ");
            together.then(|| Reply::tagged("NO not all at once"))
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(super::ANNA, PASSWORD)]);
    program.export(&[]).code(0);
    let audit = ["--mode", "audit", "-q", "--report", "report.json"];
    program.run(audit).code(0);
    let dir = program.archive(super::ANNA).mailbox("INBOX").dir;
    for extension in ["eml", "json"] {
        std::fs::remove_file(dir.join(format!("u0000000002.{extension}"))).expect("removed");
    }
    program.run(audit).code(1);
    assert_codes(&program, &["error message-gone"]);
}
