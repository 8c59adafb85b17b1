//! Bodies read back and compared.

use serde_json::Value;

use super::{ANNA, imported, mails};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, hostile};
use crate::kit::run::findings::findings;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{EXPORT, IMPORT, Program};
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer, Reply};

fn text(number: usize) -> String {
    String::from_utf8(mails()[number].bytes.clone()).expect("text")
}

#[test]
fn all_messages_are_identical_after_an_import() {
    let scene = imported();
    scene
        .validate(&["--deep"], 0, &[])
        .says("7 of them were read back and compared with the archive by SHA-256: 7 are identical");
    let compared = scene.compared("compared");
    assert_eq!(
        (&compared["read_back"], &compared["identical"]),
        (&7.into(), &7.into())
    );
}

#[test]
fn an_altered_body_is_found_by_reading_it_back_only() {
    let scene = imported();
    let altered = text(1).replace("This is about", "That is about");
    assert_eq!(altered.len(), text(1).len());
    scene.replace(1, altered.into_bytes());
    scene.validate(&[], 0, &[]);
    scene.validate(&["--deep"], 1, &["error content-differs"]);
    assert_eq!(findings(&scene.program)[0]["uid"], 2);
    assert!(
        findings(&scene.program)[0]["text"]
            .as_str()
            .expect("text")
            .contains("body differs")
    );
}

#[test]
fn another_size_is_worth_a_look_and_servers_habits_are_named() {
    let scene = imported();
    let rewritten = text(1)
        .replace("Date:", "X-Seen: 1\r\nDate:")
        .replace("To: bob", "To:\r\n bob");
    scene.replace(1, rewritten.into_bytes());
    scene.validate(&[], 1, &["warning size-differs"]);
    let output = scene.validate(&["--deep"], 0, &["note rewritten"]);
    output.says("header added: x-seen; header re-folded");
    let compared = scene.compared("compared");
    assert_eq!(
        (&compared["header_added"], &compared["header_refolded"]),
        (&1.into(), &1.into())
    );
    scene.replace(1, format!("{}\r\n", text(1)).into_bytes());
    scene
        .validate(&["--deep"], 0, &["note rewritten"])
        .says("final line end");
}

#[test]
fn a_sample_is_the_same_each_time_and_about_as_large_as_asked() {
    let scene = imported();
    scene.validate(&["--deep", "--sample", "50"], 0, &[]);
    let first = scene.compared("compared")["read_back"].clone();
    scene.validate(&["--deep", "--sample", "50"], 0, &[]);
    assert_eq!(scene.compared("compared")["read_back"], first);
    let read = first.as_u64().expect("a number");
    assert!((1..7).contains(&read), "{read} of 7");
    scene.validate(&["--deep", "--sample", "100"], 0, &[]);
    assert_eq!(scene.compared("compared")["read_back"], 7);
}

#[test]
fn hostile_mail_comes_through_or_differs_as_is_said() {
    let scene = imported();
    scene.reader().create("Odd");
    for mail in hostile() {
        // What the server itself refuses is not under test.
        drop(scene.reader().try_append("Odd", &[mail]));
    }
    let source = scene.dovecot.imaps();
    scene.program.config(&source, &scene.dovecot.accounts());
    scene.program.export(&["--output-dir", "odd"]).code(0);
    scene.validate(&["--deep", "--input-dir", "odd"], 0, &[]);
}

/// A response that ends somewhere else than its body.
const MISLED: &str = "* 4 FETCH (UID 4 FLAGS () RFC822.SIZE 5 BODY[] {5}\r\none\r\ntwo\r\n)\r\n";

#[test]
fn a_message_that_the_target_cannot_read_costs_itself() {
    let mails: Vec<Mail> = (0..20)
        .map(|n| Mail::simple(&format!("mail {n}")))
        .collect();
    for behaviour in [
        Behaviour::Bye("FETCH failed: Internal error occurred.".to_owned()),
        Behaviour::Hangup,
        Behaviour::DropAt(20),
        Behaviour::Raw(MISLED.as_bytes().to_vec()),
    ] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = Program::new();
        Handmade::new(&program).mailbox("INBOX", &mails).complete();
        program.target_config(&server.endpoint(), &[(ANNA, PASSWORD)]);
        program.run(IMPORT).code(0);
        server.misbehave(4, None, behaviour.clone());
        let before = server.connections();
        let deep = ["--mode", "validate", "--deep", "--no-connectivity-test"];
        let report = ["--report", "report.json"];
        program.run(deep.iter().chain(&report)).code(1);
        let told = findings(&program);
        let unread = told
            .iter()
            .filter(|one| one["code"] == "unreadable-on-target" && one["severity"] == "error");
        let unread: Vec<&Value> = unread.collect();
        assert_eq!(unread.len(), 1, "{behaviour:?}: {told:#?}");
        assert_eq!(unread[0]["uid"], 4);
        let text = std::fs::read_to_string(program.path("report.json")).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let compared = &report["accounts"][0]["compared"];
        let numbers = ["archive", "missing", "identical"].map(|key| compared[key].as_u64());
        assert_eq!(numbers, [Some(20), Some(0), Some(19)], "{behaviour:?}");
        if let Behaviour::Raw(_) = behaviour {
            assert_eq!(server.connections() - before, 1, "{}", server.transcript());
        }
    }
}

#[test]
fn what_comes_not_with_others_is_asked_for_alone() {
    let mails: Vec<Mail> = (0..6).map(|n| Mail::simple(&format!("mail {n}"))).collect();
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&mails))
        .on_command(|command| {
            let together = command
                .text()
                .contains("UID FETCH 1:6 (UID FLAGS INTERNALDATE");
            let bodies = command.text().contains("BODY.PEEK[]");
            (together && bodies).then(|| Reply::tagged("NO [LIMIT] too many at once"))
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    program.run(EXPORT).code(0);
    let config = std::fs::read_to_string(program.path("export.pass.config.json"));
    program.file("import.pass.config.json", &config.expect("a configuration"));
    let deep = ["--mode", "validate", "--deep", "--no-connectivity-test"];
    program
        .run(deep)
        .code(0)
        .says("6 of them were read back and compared with the archive by SHA-256: 6 are identical");
}
