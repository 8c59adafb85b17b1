//! A migration as it is handed to a customer: what the report says of servers, accounts and messages, what the page says
//! of it, and that anybody can check it without this program.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::findings::findings;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const ANNA: &str = "anna@example.com";
const SUBJECT: &str = "nobody else's business";

/// 29 February 2000, 12:00:00 UTC.
const LEAP_DAY: u64 = 951_825_600;

struct Scene {
    _source: Dovecot,
    target: Dovecot,
    program: Program,
}

/// Two servers, and mail whose sender and subject are hostile on the one.
fn scene() -> Scene {
    let users = [(ANNA, PASSWORD)];
    let source = Dovecot::start(DovecotOptions::of(&users));
    let target = Dovecot::start(DovecotOptions::of(&users));
    let sender = "=?utf-8?q?=3Cscript=3Ealert=281=29=3C/script=3E=E2=80=AEtxt?= <eve@example.net>";
    let mail = |number: u32| {
        let text = format!(
            "From: {sender}\r\nSubject: {SUBJECT} {number}\r\nMessage-ID: <{number}@example.net>\r\n\
             Date: Tue, 29 Feb 2000 12:00:00 +0000\r\n\r\nHello {number}\r\n"
        );
        Mail::new(format!("mail {number}"), text).at(LEAP_DAY)
    };
    let mails: Vec<Mail> = (1..=5).map(mail).collect();
    source.seed(ANNA, "INBOX", &mails);
    let program = Program::new();
    program.config(&source.imaps(), &users);
    program.target_config(&target.imaps(), &[(ANNA, PASSWORD)]);
    Scene {
        _source: source,
        target,
        program,
    }
}

impl Scene {
    fn run(&self, mode: &str, options: &[&str], code: i32) -> Value {
        let fixed = ["--mode", mode, "--no-connectivity-test"];
        let files = ["--report", "report.json", "--html", "page.html"];
        let words = fixed.iter().chain(&files).chain(options);
        self.program.run(words).code(code);
        self.report()
    }

    fn report(&self) -> Value {
        let text = fs::read(self.program.path("report.json")).expect("a report");
        serde_json::from_slice(&text).expect("JSON")
    }

    fn page(&self) -> String {
        fs::read_to_string(self.program.path("page.html")).expect("a page")
    }
}

#[test]
fn a_migration_is_proved_to_somebody_who_has_not_this_program() {
    let scene = scene();
    let told = scene.run("migrate", &["--deep"], 0);
    let ends: Vec<&Value> = told["servers"]
        .as_array()
        .expect("servers")
        .iter()
        .collect();
    let named: Vec<&Value> = ends.iter().map(|server| &server["end"]).collect();
    assert_eq!(named, ["source", "target"]);
    for server in ends {
        let tls = server["tls"]
            .as_str()
            .expect("what TLS was met, without any test");
        assert!(tls.starts_with("TLS: TLSv1."), "{tls}");
        assert!(tls.contains("certificate of"), "{tls}");
    }
    let account = &told["accounts"][0];
    assert_eq!(
        (&account["login"], &account["cause"]),
        (&ANNA.into(), &Value::Null)
    );
    assert_eq!(told["sample"], 10_000);
    assert_eq!(account["compared"]["identical"], 5);

    let page = scene.page();
    for text in [
        "identical byte for byte",
        "unexplained: 0",
        "5 messages are on the new server",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    // The page says how, and what must come out.
    let (_, command) = page.split_once("id=\"recompute\">").expect("a command");
    let (command, _) = command.split_once("</code>").expect("its end");
    let command = command.replace("<bdi>", "").replace("</bdi>", "");
    let printed = Command::new("sh")
        .args(["-c", &command.replace("&#39;", "'").replace("&amp;", "&")])
        .current_dir(scene.program.dir())
        .output()
        .expect("sh");
    let printed = String::from_utf8_lossy(&printed.stdout);
    let proof = account["proof"].as_str().expect("a proof");
    assert_eq!(
        printed.trim_end_matches([' ', '-', '\n']),
        proof,
        "{command}"
    );
    assert!(page.contains(proof), "{page}");

    for mode in ["audit", "validate"] {
        let told = scene.run(mode, &[], 0);
        let account = &told["accounts"][0];
        assert!(
            account["counts"]["bytes"].as_u64() > Some(1000),
            "{mode}: {account:#}"
        );
        let mailbox = &account["mailboxes"][0];
        assert_eq!(mailbox["mailbox"], "INBOX", "{mode}");
        assert_eq!(mailbox["bytes"], account["counts"]["bytes"], "{mode}");
        assert_eq!(mailbox["unchanged"], 5, "{mode}");
    }
}

#[test]
fn what_is_not_as_it_was_is_named_by_date_sender_size_and_place_and_never_by_its_subject() {
    let scene = scene();
    scene.run("migrate", &[], 0);
    let reader = Reader::new(&scene.target.imaps(), ANNA, PASSWORD);
    reader.expunge("INBOX", "1,2");
    let told = scene.run("validate", &["--deep"], 0);
    let gone = &findings(&scene.program)[0];
    assert_eq!(gone["code"], "deleted-on-target");
    let message = &gone["message"];
    assert_eq!(message["date"], "2000-02-29T12:00:00Z");
    assert_eq!(
        message["from"],
        "<script>alert(1)</script>\u{202e}txt <eve@example.net>"
    );
    let file = scene
        .program
        .path("exported")
        .join(gone["file"].as_str().expect("a file"));
    let bytes = fs::metadata(&file).expect("the original").len();
    assert_eq!(message["size"], bytes);
    let digest = Command::new("sha256sum")
        .arg(&file)
        .output()
        .expect("sha256sum");
    let digest = String::from_utf8_lossy(&digest.stdout);
    assert!(digest.starts_with(message["sha256"].as_str().expect("a digest")));
    assert_eq!(message.get("subject"), None);

    let page = scene.page();
    for text in [
        "2000-02-29 12:00:00 UTC",
        "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩txt &lt;eve@example.net&gt;",
        "deleted there since</th><td>2<",
        "unexplained: 0",
        message["sha256"].as_str().expect("a digest"),
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains('\u{202e}'));
    assert!(!page.contains(SUBJECT) && !told.to_string().contains(SUBJECT));

    let told = scene.run("validate", &["--deep", "--with-subjects"], 0);
    let subject = &told["accounts"][0]["findings"][0]["message"]["subject"];
    assert!(subject.as_str().expect("a subject").starts_with(SUBJECT));
    assert!(scene.page().contains(SUBJECT));
    // What one run was allowed to tell is not told on by the next.
    fs::rename(
        scene.program.path("report.json"),
        scene.program.path("first.json"),
    )
    .expect("moved");
    let again = [
        "--mode",
        "report",
        "--reports",
        "first.json",
        "--html",
        "page.html",
    ];
    scene.program.run(again).code(0);
    assert!(!scene.page().contains(SUBJECT) && scene.page().contains("eve@example.net"));
}
