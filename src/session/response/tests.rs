use super::*;

fn response(line: &[u8]) -> Response {
    Response {
        bytes: [line, b"\r\n"].concat(),
        ..Response::default()
    }
}

#[test]
fn status_lines_keep_code_and_text() {
    let cases: [(&[u8], Condition, Option<&str>, &str); 7] = [
        (
            b"* OK [UIDNEXT 5] next",
            Condition::Ok,
            Some("UIDNEXT 5"),
            "next",
        ),
        (
            b"* OK [HIGHESTMODSEQ 5]",
            Condition::Ok,
            Some("HIGHESTMODSEQ 5"),
            "",
        ),
        (b"* ok", Condition::Ok, None, ""),
        (
            b"* OK [PERMANENTFLAGS (a]b \\*)] kept",
            Condition::Ok,
            Some("PERMANENTFLAGS (a]b \\*)"),
            "kept",
        ),
        (b"* NO [ALERT gone", Condition::No, None, "[ALERT gone"),
        (
            b"* BYE gr\xfc\xdfe",
            Condition::Bye,
            None,
            "gr\u{fffd}\u{fffd}e",
        ),
        (
            b"* OK Success [THROTTLED]",
            Condition::Ok,
            None,
            "Success [THROTTLED]",
        ),
    ];
    for (line, condition, code, text) in cases {
        let response = response(line);
        let ResponseKind::Untagged(status) = classify(&response) else {
            panic!("{}", line.escape_ascii());
        };
        assert_eq!(status.condition, condition);
        assert_eq!(status.code.as_deref(), code, "{}", line.escape_ascii());
        assert_eq!(status.text, text);
    }
}

#[test]
fn lines_are_told_apart() {
    assert!(matches!(
        classify(&response(b"x1 NO no")),
        ResponseKind::Tagged("x1", _)
    ));
    assert_eq!(classify(&response(b"+")), ResponseKind::Continuation);
    assert_eq!(classify(&response(b"* 5 EXISTS")), ResponseKind::Data);
    for garbage in [
        b"".as_slice(),
        b")",
        b"HTTP/1.1 200 OK",
        b"220 mail.example.org ESMTP",
        b"Hello there OK",
    ] {
        assert_eq!(
            classify(&response(garbage)),
            ResponseKind::Garbage,
            "{}",
            garbage.escape_ascii()
        );
    }
}

#[test]
fn every_form_of_a_list_line_is_read() {
    let cases: [(&[u8], Option<char>, &[u8]); 12] = [
        (br#"* LIST (\HasNoChildren) "/" INBOX"#, Some('/'), b"INBOX"),
        (br#"* LIST () "\\" "a\"b\\c""#, Some('\\'), br#"a"b\c"#),
        (b"* LIST () \"/\" {5}\r\na\r\n\"b", Some('/'), b"a\r\n\"b"),
        (br"* LIST () NIL flat", None, b"flat"),
        (br#"* LIST () "/" 12345"#, Some('/'), b"12345"),
        (br#"* LIST () "/" NIL"#, Some('/'), b"NIL"),
        (br#"* LIST () "/" [Gmail]/All"#, Some('/'), b"[Gmail]/All"),
        (
            b"* LIST (\\HasNoChildren) \"/\" \"caf\xe9\"",
            Some('/'),
            b"caf\xe9",
        ),
        (b"* list (\\NoSelect x) \"/\" \"b \"", Some('/'), b"b "),
        (br#"* LIST () "/" My Folder"#, Some('/'), b"My Folder"),
        (
            br#"* LIST () "/" foo ("CHILDINFO" ("SUBSCRIBED"))"#,
            Some('/'),
            b"foo",
        ),
        (
            br#"* LIST () "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))"#,
            Some('/'),
            b"foo",
        ),
    ];
    for (line, delimiter, name) in cases {
        let listed = parse_list(&response(line), "LIST");
        let Some(Ok(listed)) = listed else {
            panic!("{}: {listed:?}", line.escape_ascii());
        };
        assert_eq!(listed.delimiter, delimiter, "{}", line.escape_ascii());
        assert_eq!(listed.name.wire(), name, "{}", line.escape_ascii());
    }
}

#[test]
fn an_odd_list_line_is_an_error_of_its_own() {
    for line in [
        br#"* LIST "/" INBOX"#.as_slice(),
        br#"* LIST (\HasNoChildren "/" INBOX"#,
        br#"* LIST () "/""#,
        br#"* LIST () "/" "open"#,
        br#"* LIST () "/" """#,
        b"* LIST () \"/\" {9}\r\nshort",
    ] {
        let parsed = parse_list(&response(line), "LIST");
        assert!(
            matches!(parsed, Some(Err(_))),
            "{}: {parsed:?}",
            line.escape_ascii()
        );
    }
    assert_eq!(parse_list(&response(b"* 3 EXISTS"), "LIST"), None);
}

#[test]
fn status_numbers_are_read_where_they_are_sane() {
    let line = response(br#"* STATUS "a b" (MESSAGES 3 UIDNEXT 0 X 5 UIDVALIDITY 99999999999 HIGHESTMODSEQ 9223372036854775807 ) "#);
    let Some(Ok((name, status))) = parse_mailbox_status(&line) else {
        panic!("not read");
    };
    assert_eq!(name.wire(), b"a b");
    assert_eq!(status.messages, Some(3));
    assert_eq!(status.uidnext, None);
    assert_eq!(status.uidvalidity, None);
    assert_eq!(status.highestmodseq, Some(9_223_372_036_854_775_807));
}

#[test]
fn capabilities_may_be_spaced_at_will() {
    let words = parse_capability(&response(b"* CAPABILITY  IMAP4rev1  Id "));
    assert_eq!(words, Some(vec!["IMAP4REV1".to_owned(), "ID".to_owned()]));
}

#[test]
fn namespaces_are_read_in_every_form() {
    let namespace = |line: &str| parse_namespace(&response(line.as_bytes()));
    let found = |prefix: &str, delimiter| Some((prefix.as_bytes().to_vec(), delimiter));
    assert_eq!(
        namespace("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL"),
        found("INBOX.", Some('.'))
    );
    assert_eq!(
        namespace("* NAMESPACE ((\"\" \"/\" \"X-P\" (\"A\")) (\"b\" \".\")) ((\"~\" \"/\")) NIL"),
        found("", Some('/'))
    );
    assert_eq!(
        namespace("* NAMESPACE ((\"\" NIL)) NIL NIL"),
        found("", None)
    );
    assert_eq!(namespace("* NAMESPACE NIL NIL NIL"), None);
    assert_eq!(namespace("* LIST () \"/\" a"), None);
}

#[test]
fn header_fields_are_no_bodies() {
    let line = "* 2 FETCH (UID 9 BODY[HEADER.FIELDS (\"DATE\" SUBJECT)] {14}\r\nSubject: x\r\n\r\n RFC822.SIZE 7)";
    let data = parse_fetch(&response(line.as_bytes()))
        .expect("FETCH")
        .expect("whole");
    assert_eq!(data.body, Body::Absent);
    assert_eq!(data.header.as_deref(), Some(&b"Subject: x\r\n\r\n"[..]));
    assert_eq!((data.uid, data.size), (Some(9), Some(7)));
}

#[test]
fn keywords_may_hold_parentheses() {
    let cases = [
        ("FLAGS (\\Seen $L (x) Work) UID 5", "\\Seen $L (x) Work"),
        ("FLAGS (\\Seen $L (x)) UID 5", "\\Seen $L (x)"),
        ("UID 5 FLAGS ($L (x))", "$L (x)"),
        ("UID 5 FLAGS ((x) Work)", "(x) Work"),
        ("UID 5 FLAGS ()", ""),
        // One that is not closed ends with the list.
        ("FLAGS (\\Seen :( Work) UID 5", "\\Seen :( Work"),
        ("UID 5 FLAGS (\\Seen :()", "\\Seen :("),
        ("FLAGS (:() UID 5 RFC822.SIZE 7", ":("),
    ];
    for (attributes, flags) in cases {
        let line = format!("* 2 FETCH ({attributes})");
        let data = parse_fetch(&response(line.as_bytes())).expect("FETCH");
        let data = data.unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(data.uid, Some(5), "{line}");
        assert_eq!(
            data.flags.map(|flags| flags.join(" ")).as_deref(),
            Some(flags),
            "{line}"
        );
    }
}
