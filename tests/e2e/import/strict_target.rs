//! Cyrus refuses zero bytes, bare line feeds and broken headers: reported, or mended where that is asked for.

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, entry, failed, import, inbox, of_held, of_mails,
    totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, flagged_hostile, realistic};
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::run::tempdir::tree;
use crate::kit::servers::cyrus::Cyrus;

const CAROL: &str = "carol@example.com";

#[test]
fn what_cyrus_refuses_is_reported_and_the_others_arrive() {
    let cyrus = Cyrus::start(&[(ANNA, PASSWORD), (CAROL, PASSWORD)]);
    let mails = [flagged_hostile(), realistic(100, 20)].concat();
    // What a plain client gets in, one by one, is what an import must get in.
    let carol = Reader::new(&cyrus.plain(), CAROL, PASSWORD);
    let outcomes = carol.try_append("INBOX", &mails);
    let refused: Vec<u64> = outcomes
        .iter()
        .zip(1_u64..)
        .filter(|(outcome, _)| outcome.is_err())
        .map(|(_, uid)| uid)
        .collect();
    assert!((3..20).contains(&refused.len()), "{outcomes:?}");
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &cyrus.plain());
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("NUL")
        .says("bare newlines");
    let anna = Reader::new(&cyrus.plain(), ANNA, PASSWORD);
    let held = of_held(&anna.mailbox("INBOX"));
    assert_same("INBOX", &held, &of_held(&carol.mailbox("INBOX")));
    let uids: Vec<u64> = failed(&program).into_iter().map(|(_, uid)| uid).collect();
    assert_eq!(uids, refused);
    let failed_count = refused.len() as u64;
    assert_eq!(totals(&program, ["failed"]), [failed_count]);
    for line in program.archive(ANNA).failed() {
        assert!(
            line["server"].as_str().is_some_and(|said| !said.is_empty()),
            "{line}"
        );
    }
    import(&program, &["--ignore-errors"]).code(1);
    assert_eq!(totals(&program, ["new", "failed"]), [0, failed_count]);
    assert_same("INBOX", &of_held(&anna.mailbox("INBOX")), &held);
}

/// What an import with all three repairs is to send.
fn mended(mail: &Mail) -> Mail {
    let mut bytes: Vec<u8> = Vec::new();
    for byte in mail.bytes.iter().filter(|byte| **byte != 0) {
        if *byte == b'\n' && bytes.last() != Some(&b'\r') {
            bytes.push(b'\r');
        }
        bytes.push(*byte);
    }
    if bytes.last() != Some(&b'\n') {
        bytes.extend_from_slice(b"\r\n");
    }
    Mail {
        bytes,
        ..mail.clone()
    }
}

fn broken() -> Vec<Mail> {
    let head = "Message-ID: <b@x>\r\nSubject: broken\r\n";
    vec![
        Mail::new("bare", format!("{head}X: 1\r\n\r\none\ntwo\n\nthree\r\n")),
        Mail::new(
            "bare in the header",
            "Message-ID: <c@x>\nSubject: unix\n\ntext\n",
        ),
        Mail::new("zero", format!("{head}X: 2\r\n\r\na\0b\0\0c\r\n")),
        Mail::new(
            "no end",
            format!("{head}X: 3\r\n\r\nthe last line has no end"),
        ),
        Mail::new("all of it", format!("{head}X: 4\n\na\0\nb\0")),
        Mail::simple("healthy"),
        Mail::new(
            "big",
            format!("{head}X: 5\r\n\r\n{}", "0123456789\n\0".repeat(100_000)),
        ),
    ]
}

#[test]
fn cyrus_takes_what_was_mended() {
    let cyrus = Cyrus::start(&[(ANNA, PASSWORD)]);
    let mails = broken();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &cyrus.plain());
    let before = tree(&archive.mailbox_dir("INBOX"));
    import(
        &program,
        &["--fix-bare-lf", "--fix-nul", "--fix-final-newline"],
    )
    .code(0);
    let expected: Vec<Mail> = mails.iter().map(mended).collect();
    let anna = Reader::new(&cyrus.plain(), ANNA, PASSWORD);
    assert_same(
        "INBOX",
        &of_held(&anna.mailbox("INBOX")),
        &of_mails(&expected),
    );
    // The archive keeps the originals, the report says what was done.
    assert_eq!(tree(&archive.mailbox_dir("INBOX")), before);
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(note.contains("6 messages repaired on the way"), "{note}");
    import(
        &program,
        &["--fix-bare-lf", "--fix-nul", "--fix-final-newline"],
    )
    .code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 7]);
    std::fs::remove_file(super::journal(&program)).expect("remove the journal");
    import(
        &program,
        &["--fix-bare-lf", "--fix-nul", "--fix-final-newline"],
    )
    .code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 7]);
}

#[test]
fn nothing_is_mended_that_was_not_asked_for() {
    let mails = broken();
    for (option, changes) in [
        (None, None),
        (Some("--fix-nul"), Some(b'\0')),
        (Some("--fix-bare-lf"), Some(b'\n')),
        (Some("--fix-final-newline"), Some(b'e')),
    ] {
        let server = inbox(MODERN).start();
        let program = super::program_for(&server, "INBOX", &mails);
        let options: Vec<&str> = option.into_iter().collect();
        import(&program, &options).code(0);
        let expected: Vec<Mail> = mails.iter().map(|mail| mended_by(mail, changes)).collect();
        assert_holds(&server, "INBOX", &expected);
    }
}

fn mended_by(mail: &Mail, what: Option<u8>) -> Mail {
    let mut mail = mail.clone();
    match what {
        Some(b'\0') => mail.bytes.retain(|byte| *byte != 0),
        Some(b'\n') => {
            let mut bytes = Vec::new();
            for byte in &mail.bytes {
                if *byte == b'\n' && bytes.last() != Some(&b'\r') {
                    bytes.push(b'\r');
                }
                bytes.push(*byte);
            }
            mail.bytes = bytes;
        }
        Some(_) if mail.bytes.last() != Some(&b'\n') => mail.bytes.extend_from_slice(b"\r\n"),
        _ => {}
    }
    mail
}
