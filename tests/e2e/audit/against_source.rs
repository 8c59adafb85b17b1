//! The archive against the server that it comes from.

use super::{assert_codes, findings};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::archive::Archive;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

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
    scene.program.export(&["--exclude-folder", "New"]).code(0);
    scene.audit(0, &["note mailbox-left-out"]);
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
