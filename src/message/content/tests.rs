use super::*;

fn inspect(message: &[u8]) -> Vec<Oddity> {
    let whole = inspect_in(message, message.len().max(1));
    for size in [1, 7, 100] {
        assert_eq!(inspect_in(message, size), whole, "pieces of {size} bytes");
    }
    whole
}

fn inspect_in(message: &[u8], size: usize) -> Vec<Oddity> {
    let mut inspector = Inspector::default();
    for piece in message.chunks(size) {
        inspector.feed(piece);
    }
    inspector.finish(|| Ok(message)).expect("read again")
}

const HEAD: &str = "From: Anna <anna@example.com>\r\nTo: ben@example.com\r\nSubject: Lunch\r\n";
const SECOND: &str = "Return-Path: <c@example.com>\r\nReceived: from a by b; Mon, 1 Jan 2024 10:00:00 +0100\r\n\
    From: Carl <c@example.com>\r\nMessage-ID: <2@example.com>\r\nSubject: Other\r\n\r\nOther body\r\n";

#[test]
fn ordinary_mail_has_no_oddity() {
    for body in [
        "At noon?\r\n",
        "",
        "no line end",
        "-------- Forwarded Message --------\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\nFrom: d <d@e.f>\r\nTo: g\r\n\r\ntext\r\n",
    ] {
        assert_eq!(inspect(format!("{HEAD}\r\n{body}").as_bytes()), []);
    }
    assert_eq!(inspect(HEAD.as_bytes()), [], "a header alone");
}

#[test]
fn what_is_no_mail_is_told_by_degree() {
    assert_eq!(inspect(b"\0\x01\x02 no header"), [Oddity::NoHeader]);
    assert_eq!(inspect(b"Subject: draft\r\n\r\n"), [Oddity::SparseHeader]);
    let empty = format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n");
    assert_eq!(inspect(empty.as_bytes()), [Oddity::NoParts]);
}

#[test]
fn blanks_around_a_boundary_and_before_the_header_are_no_oddity() {
    for parameter in [
        "boundary=\r\n \"b b\"",
        "boundary\r\n\t= \"b b\"; type=x",
        "type=\"a;b\"; BOUNDARY =\r\n\t\"b\\ b\"",
        "\r\n boundary = \"b b\"",
    ] {
        let parts = "--b b\r\nContent-Type: message/rfc822\r\n\r\n";
        let bounce = format!(
            "{HEAD}Content-Type: multipart/report; {parameter}\r\n\r\n--b b\r\n\r\nReturned:\r\n{parts}{SECOND}--b b--\r\n"
        );
        assert_eq!(inspect(bounce.as_bytes()), [], "{parameter}");
    }
    for (declared, line) in [
        ("a \r\n  1(2)", "a   1(2)"),
        ("a \r\n  1(2)", "a \r\n  1(2)"),
    ] {
        let folded = format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=\"{declared}\"\r\n\r\n--{line}\r\n\r\nReturned:\r\n--{line}\r\nContent-Type: message/rfc822\r\n\r\n{SECOND}"
        );
        assert_eq!(inspect(folded.as_bytes()), [], "{line}");
    }
    let none = format!("{HEAD}Content-Type: multipart/mixed; boundary =\r\n\r\ntext\r\n");
    assert_eq!(inspect(none.as_bytes()), [Oddity::NoParts]);
    for blanks in [" \r\n", "\t \r\n   \r\n"] {
        assert_eq!(
            inspect(format!("{blanks}{HEAD}\r\nAt noon?\r\n").as_bytes()),
            []
        );
        assert_eq!(
            inspect(format!("{blanks}no header\r\n").as_bytes()),
            [Oddity::NoHeader]
        );
    }
}

#[test]
fn a_second_mail_is_found_behind_the_first() {
    for end in [
        "At noon?\r\n",
        "At noon?\r\n\r\n",
        "</html>\r\n",
        "Anna\r\nFrom c@example.com Mon Jan  1 10:00:00 2024\r\n",
    ] {
        let glued = format!("{HEAD}\r\n{end}{SECOND}");
        assert!(
            matches!(inspect(glued.as_bytes())[..], [Oddity::SecondMail(_)]),
            "{end}"
        );
    }
    let multipart = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=\"b b\"\r\n\r\n--b b\r\n\r\npart\r\n--b b--\r\n{SECOND}"
    );
    assert_eq!(inspect(multipart.as_bytes()), [Oddity::SecondMail(10)]);
}

#[test]
fn raw_imap_is_found_and_talk_about_it_is_not() {
    let fetch = "* 13 FETCH (UID 13 FLAGS (\\Seen) BODY[] {345}\r\n";
    let cases = [
        format!("{fetch}{HEAD}\r\nAt noon?\r\n"),
        format!("{HEAD}\r\nAt noon?\r\n)\r\n{fetch}{SECOND}"),
        format!("{HEAD}\r\nAt noon?\r\n FLAGS (\\Seen) UID 42)\r\nA5 OK Fetch completed.\r\n"),
        format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nimap\r\n--b--\r\n{fetch}"
        ),
    ];
    for raw in cases {
        assert!(
            matches!(inspect(raw.as_bytes())[..], [Oddity::RawImap(..)]),
            "{raw}"
        );
    }
    let talk = format!("{HEAD}\r\nThe IMAP server says\r\n{fetch}What does it mean?\r\n");
    assert_eq!(inspect(talk.as_bytes()), []);
    let part = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{fetch}--b--\r\n"
    );
    assert_eq!(inspect(part.as_bytes()), []);
}

#[test]
fn rubbish_does_no_harm() {
    let mut random = 7_u64;
    let alphabet = b"From: \r\n-b*12FETCH()[]{}\\\"\0\xff=;/multipart,boundary";
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                alphabet[usize::try_from(random >> 33).unwrap_or(0) % alphabet.len()]
            })
            .collect();
        inspect(&bytes);
    }
}
