//! A validation finds what a target lacks, and proves what it has.

mod deep;
mod differences;
mod resync;

use serde_json::Value;

use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::{IMPORT, Output, Program};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const ANNA: &str = "anna@example.com";

/// An archive of five messages in INBOX and two in Work, imported.
struct Scene {
    dovecot: Dovecot,
    program: Program,
    archive: Handmade,
}

fn mails() -> Vec<Mail> {
    let names = ["one", "two", "three", "four", "five"];
    let mails = names.into_iter().zip(0..);
    mails
        .map(|(name, number)| {
            let flags = if number % 2 == 0 {
                "\\Seen $Work"
            } else {
                "\\Flagged"
            };
            Mail::simple(name)
                .flagged(flags)
                .at(1_700_000_000 + number * 1000)
        })
        .collect()
}

fn imported() -> Scene {
    imported_of(|archive| {
        archive
            .mailbox("INBOX", &mails())
            .mailbox("Work", &["six", "seven"].map(Mail::simple))
    })
}

/// The same of another archive.
fn imported_of(archive: impl FnOnce(Handmade) -> Handmade) -> Scene {
    let dovecot = Dovecot::start(DovecotOptions::default());
    let program = Program::new();
    let archive = archive(Handmade::new(&program)).complete();
    program.target_config(&dovecot.imaps(), &[(ANNA, PASSWORD)]);
    program.run(IMPORT).code(0);
    Scene {
        dovecot,
        program,
        archive,
    }
}

impl Scene {
    fn reader(&self) -> Reader {
        Reader::new(&self.dovecot.imaps(), ANNA, PASSWORD)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let fixed = ["--mode", "validate", "--no-connectivity-test", "-q"];
        let report = ["--report", "report.json"];
        self.program
            .run(fixed.iter().chain(&report).chain(arguments))
    }

    #[track_caller]
    fn validate(&self, arguments: &[&str], code: i32, expected: &[&str]) -> Output {
        let output = self.run(arguments);
        output.code(code);
        assert_codes(&self.program, expected);
        output
    }

    /// The numbers of the account.
    fn compared(&self, key: &str) -> Value {
        let text = std::fs::read_to_string(self.program.path("report.json")).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        report["accounts"][0][key].clone()
    }

    /// The journal is lost.
    fn forget(&self) {
        std::fs::remove_file(self.archive.dir.join("import.journal.jsonl")).expect("removed");
    }

    /// The archive has a message of INBOX with other flags now.
    fn change_flags(&self, uid: u32, flags: &str) {
        Handmade::edit(&self.archive.file("INBOX", uid, "json"), |sidecar| {
            sidecar["flags"] = flags.into();
        });
    }

    /// UID on the target of a message with this subject.
    fn uid_of(&self, subject: &str) -> String {
        let inbox = self.reader().with_bodies(100_000).mailbox("INBOX");
        let line = format!("Subject: {subject}\r\n");
        let found = inbox.messages.iter().find(|message| {
            let body = message.body.as_deref().unwrap_or_default();
            String::from_utf8_lossy(body).contains(&line)
        });
        found.expect("the message").uid.to_string()
    }

    /// Puts other bytes in the place of a message, with its flags and date.
    fn replace(&self, number: usize, bytes: Vec<u8>) {
        let mail = &mails()[number];
        let reader = self.reader();
        reader.expunge("INBOX", &self.uid_of(&mail.name));
        let other = Mail {
            bytes,
            ..mail.clone()
        };
        reader.append("INBOX", &[other]);
    }
}
