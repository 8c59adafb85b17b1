//! What messages hold: damage is found in every form, and tricky but legitimate mail is left in peace.

use super::{assert_codes, audit, unreachable};
use crate::kit::handmade::Handmade;
use crate::kit::mail::{Mail, hostile};
use crate::kit::program::Program;

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
