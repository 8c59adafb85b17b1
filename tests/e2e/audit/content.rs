//! What messages hold: damage is found in every form, and tricky but legitimate mail is left in peace.

use super::{assert_codes, audit, unreachable};
use crate::kit::mail::corpus::{damaged, drafts, legitimate};
use crate::kit::mail::{Mail, hostile};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;

#[test]
fn odd_messages_are_told_by_degree() {
    let cases: [(&[u8], &[&str]); 4] = [
        (b"no header\r\n", &["warning not-mail"]),
        (b"", &["warning empty-message"]),
        (b"Subject: draft\r\n\r\n", &["note sparse-header"]),
        (
            b"From: a@b\r\nTo: c@d\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\nnothing\r\n",
            &["warning no-parts"],
        ),
    ];
    for (bytes, expected) in cases {
        let program = Program::new();
        unreachable(&program);
        Handmade::new(&program)
            .mailbox("INBOX", &[Mail::new("odd", bytes)])
            .complete();
        let notes_only = expected.iter().all(|code| code.starts_with("note"));
        let output = audit(&program, &[]);
        assert_codes(&program, expected);
        output.code(i32::from(!notes_only));
    }
}

#[test]
fn hostile_mail_that_the_server_sent_so_is_no_damage() {
    let program = Program::new();
    unreachable(&program);
    Handmade::new(&program)
        .mailbox("INBOX", &hostile())
        .complete();
    audit(&program, &[]);
    let errors = super::codes(&program)
        .into_iter()
        .filter(|(severity, _)| severity == "error")
        .count();
    assert_eq!(errors, 0, "{:#?}", super::findings(&program));
}

/// An archive of these messages in INBOX; without digests it is what the original tool left.
fn archive_of(mails: &[Mail], with_digests: bool) -> Program {
    let program = Program::new();
    unreachable(&program);
    let archive = Handmade::new(&program).mailbox("INBOX", mails).complete();
    if !with_digests {
        for uid in (1..).take(mails.len()) {
            Handmade::edit(&archive.file("INBOX", uid, "json"), |sidecar| {
                let fields = sidecar.as_object_mut().expect("an object");
                for field in ["sha256", "size", "uidvalidity", "message_id"] {
                    fields.remove(field);
                }
            });
        }
        for left_out in ["export-state.json", "INBOX/.mailbox.json"] {
            std::fs::remove_file(archive.dir.join(left_out)).expect("removed");
        }
    }
    program
}

/// Severity, code and the message's name of each finding about a message, those of a missing digest apart.
fn told(program: &Program, mails: &[Mail]) -> Vec<(String, String, String)> {
    let mut told: Vec<_> = super::findings(program)
        .iter()
        .filter(|finding| finding["file"].is_string())
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().expect("text").to_owned();
            let file = text("file");
            let number = file.rsplit_once('u').and_then(|(_, name)| name.get(..10));
            let number: usize = number.and_then(|n| n.parse().ok()).expect("a number");
            let name = &mails[number - 1].name;
            (text("severity"), text("code"), name.clone())
        })
        .collect();
    told.sort();
    told
}

#[test]
fn tricky_but_legitimate_mail_is_left_in_peace() {
    let mails = legitimate();
    assert!(mails.len() >= 100, "{}", mails.len());
    for with_digests in [true, false] {
        let program = archive_of(&mails, with_digests);
        let output = audit(&program, &[]);
        assert_eq!(told(&program, &mails), []);
        output.code(0);
    }
}

#[test]
fn drafts_are_a_note() {
    let mails = drafts();
    let program = archive_of(&mails, true);
    audit(&program, &[]).code(0);
    let note = |mail: &Mail| {
        let text = ["note", "sparse-header", &mail.name].map(str::to_owned);
        let [severity, code, name] = text;
        (severity, code, name)
    };
    let mut expected: Vec<_> = mails.iter().map(note).collect();
    expected.sort();
    assert_eq!(told(&program, &mails), expected);
}

#[test]
fn damaged_mail_is_found_and_called_by_its_damage() {
    let mails = damaged();
    assert!(mails.len() >= 20, "{}", mails.len());
    for (with_digests, severity) in [(true, "warning"), (false, "error")] {
        let program = archive_of(&mails, with_digests);
        audit(&program, &[]).code(1);
        let found: Vec<_> = told(&program, &mails)
            .into_iter()
            .filter(|(_, code, _)| code != "sparse-header")
            .collect();
        let mut expected: Vec<_> = mails
            .iter()
            .map(|mail| {
                let words = mail.name.split([' ', ',']);
                let code = words.clone().next().expect("a code").to_owned();
                let severity = if code == "no-parts" {
                    "warning"
                } else {
                    severity
                };
                (severity.to_owned(), code, mail.name.clone())
            })
            .collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}
