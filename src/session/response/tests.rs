use super::*;

fn response(line: &[u8]) -> Response {
    Response {
        bytes: [line, b"\r\n"].concat(),
        ..Response::default()
    }
}

#[test]
fn status_lines_keep_code_and_text() {
    let cases: [(&[u8], Condition, Option<&str>, &str); 11] = [
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
            b"* NO [ALERT] over (quota)] now",
            Condition::No,
            Some("ALERT"),
            "over (quota)] now",
        ),
        (b"* BAD what", Condition::Bad, None, "what"),
        (b"* PREAUTH in", Condition::Preauth, None, "in"),
        (
            b"* no\t[TRYCREATE]\tgone",
            Condition::No,
            Some("TRYCREATE"),
            "gone",
        ),
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
fn what_a_server_says_is_told_with_its_code_and_without_what_a_terminal_obeys() {
    let said = |condition, code: Option<&str>| {
        let code = code.map(str::to_owned);
        let text = "no\u{1b}[2J more".to_owned();
        StatusResponse {
            condition,
            code,
            text,
        }
        .said()
    };
    assert_eq!(said(Condition::No, Some("ALERT")), "NO [ALERT] no[2J more");
    assert_eq!(said(Condition::Bad, None), "BAD no[2J more");
    assert_eq!(said(Condition::Bye, None), "BYE no[2J more");
}

#[test]
fn a_limit_of_messages_is_a_number_and_a_uid_from_one_on() {
    let limit = |code: &str| {
        let line = response(format!("x OK [{code}] done").as_bytes());
        match classify(&line) {
            ResponseKind::Tagged("x", status) => status.message_limit(),
            other => panic!("{code}: {other:?}"),
        }
    };
    assert_eq!(limit("MESSAGELIMIT 5 7"), Some((5, Some(7))));
    assert_eq!(limit("messagelimit 1 1"), Some((1, Some(1))));
    assert_eq!(limit("MESSAGELIMIT 5 0"), Some((5, None)));
    for none in [
        "MESSAGELIMIT 0 7",
        "MESSAGELIMIT",
        "MESSAGELIMIT x",
        "LIMIT 5",
    ] {
        assert_eq!(limit(none), None, "{none}");
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
        b"HTTP/1.1 OK",
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
    let cases: [(&[u8], Option<char>, &[u8]); 23] = [
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
        (br#"* LIST () "/" foo (OLDNAME ("bar"))"#, Some('/'), b"foo"),
        // The same in the name itself.
        (
            br#"* LIST () "/" Mail (Archive 2 (x))"#,
            Some('/'),
            b"Mail (Archive 2 (x))",
        ),
        (
            br#"* LIST () "/" Mail (OLDNAMES (x))"#,
            Some('/'),
            b"Mail (OLDNAMES (x))",
        ),
        (
            br#"* LIST () "/" Mail (OLDNAME x)"#,
            Some('/'),
            b"Mail (OLDNAME x)",
        ),
        (
            br#"* LIST () "/" x/OLDNAME (a))"#,
            Some('/'),
            b"x/OLDNAME (a))",
        ),
        (b"* LIST () \"/\" foo  ", Some('/'), b"foo"),
        (b"* LIST () \"/\" ~{3}\r\na b", Some('/'), b"a b"),
        (br#"* LIST () "/" ~anna"#, Some('/'), b"~anna"),
        (br#"* LIST () "/" ~My Folder"#, Some('/'), b"~My Folder"),
        // A root that holds nothing.
        (br#"* LIST (\Noselect) "/" """#, Some('/'), b""),
        (br#"* LIST (\NonExistent) "/" """#, Some('/'), b""),
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
    let numbers = |text: &str| {
        let line = response(format!("* STATUS a ({text})").as_bytes());
        let (_, status) = parse_mailbox_status(&line).expect("STATUS").expect("read");
        status
    };
    let sane = numbers("messages 0 uidnext 12 UIDVALIDITY 7 SIZE 100 HIGHESTMODSEQ 1");
    let expected = MailboxStatus {
        messages: Some(0),
        uidnext: Some(12),
        uidvalidity: Some(7),
        highestmodseq: Some(1),
        size: Some(100),
    };
    assert_eq!(sane, expected);
    // 0 is what a server says that has none.
    let none = numbers("UIDNEXT 0 UIDVALIDITY 0 HIGHESTMODSEQ 0");
    assert_eq!(none, MailboxStatus::default());
}

#[test]
fn what_a_search_names_is_uids_up_to_what_is_none() {
    let found = |line: &str| parse_search(&response(line.as_bytes()));
    assert_eq!(found("* SEARCH 2 0  9 (MODSEQ 917)"), Some(vec![2, 9]));
    assert_eq!(found("* SEARCH"), Some(Vec::new()));
    assert_eq!(found("* ESEARCH 2"), None);
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

/// A FETCH line whose body of five bytes went to the sink.
fn streamed(before: &str, behind: &str) -> Response {
    let head = format!("* 2 FETCH ({before} BODY[] {{5}}\r\n");
    Response {
        elsewhere: vec![head.len()],
        bytes: format!("{head}{behind}\r\n").into_bytes(),
        bodies: 1,
        ..Response::default()
    }
}

#[test]
fn what_stands_behind_the_list_counts_where_it_was_missing_and_else_nothing_is_believed() {
    let read = |before: &str, behind: &str| {
        let data = parse_fetch(&streamed(before, behind)).expect("FETCH");
        data.inspect(|data| assert_eq!(data.body, Body::Streamed(5), "{before} {behind}"))
    };
    assert_eq!(
        read("FLAGS ()", ") UID 9").map(|data| data.uid),
        Ok(Some(9))
    );
    let flags = read("UID 9", ") FLAGS (\\Seen)").map(|data| data.flags);
    assert_eq!(flags, Ok(Some(vec!["\\Seen".to_owned()])));
    let when = read("UID 9", ") internaldate \"x\"").map(|data| data.internaldate);
    assert_eq!(when, Ok(Some(Some("x".to_owned()))));
    let size = read("UID 9", ") RFC822.SIZE 7").map(|data| data.size);
    assert_eq!(size, Ok(Some(7)));
    let two = read("X 1", ") UID 9 FLAGS ()").map(|data| (data.uid, data.flags));
    assert_eq!(two, Ok((Some(9), Some(Vec::new()))));
    for (before, behind) in [
        ("UID 9", ") UID 8"),
        ("UID 9 FLAGS ()", ") FLAGS (\\Seen)"),
        ("UID 9 INTERNALDATE \"x\"", ") INTERNALDATE \"y\""),
        ("UID 9 RFC822.SIZE 7", ") RFC822.SIZE 5"),
        ("UID 9", ") X 5"),
        ("UID 9", ") and more"),
        ("UID 9 RFC822.SIZE 4", ") X 5"),
        ("FLAGS ()", ") UID \"9\"X 5"),
        ("X 1", ") UID \"9\"FLAGS ()"),
        ("UID 9", ""),
    ] {
        read(before, behind).expect_err(behind);
    }
    // The size says, too, that the body was over.
    let over = read("UID 9 RFC822.SIZE 5", ") X 5 and more").map(|data| data.uid);
    assert_eq!(over, Ok(Some(9)));
    let unknown = read("UID 9 EMAILID \"x\"", " FLAGS ())").map(|data| data.header);
    assert_eq!(unknown, Ok(None));
    let line = response(b"* 2 FETCH (FLAGS ()) UID 9 X 5");
    let data = parse_fetch(&line).expect("FETCH").expect("read");
    assert_eq!((data.sequence, data.uid), (2, Some(9)));
}

#[test]
fn a_uidfetch_line_begins_with_the_uid() {
    let read = |line: &[u8]| {
        let data = parse_fetch(&response(line)).expect("FETCH").expect("read");
        (data.sequence, data.uid)
    };
    assert_eq!(read(b"* 7 UIDFETCH (FLAGS ())"), (0, Some(7)));
    assert_eq!(read(b"* 1 UIDFETCH (FLAGS ())"), (0, Some(1)));
    assert_eq!(read(b"* 0 UIDFETCH (FLAGS ())"), (0, None));
    assert_eq!(read(b"* 7 FETCH (FLAGS ())"), (7, None));
}

#[test]
fn a_date_without_quotes_has_three_words_at_most() {
    for (attributes, date) in [
        (
            "INTERNALDATE 17-Jul-1996 02:44:25 -0700",
            "17-Jul-1996 02:44:25 -0700",
        ),
        (
            "INTERNALDATE 17-Jul-1996 02:44:25 +0700 5X 7",
            "17-Jul-1996 02:44:25 +0700",
        ),
        ("INTERNALDATE 17-Jul-1996", "17-Jul-1996"),
    ] {
        let line = format!("* 2 FETCH ({attributes} UID 9)");
        let data = parse_fetch(&response(line.as_bytes())).expect("FETCH");
        let data = data.unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(data.internaldate, Some(Some(date.to_owned())), "{line}");
        assert_eq!(data.uid, Some(9), "{line}");
    }
}

#[test]
fn whose_line_it_is_is_read_before_the_body_only() {
    let hint = |before: &str| uid_hint(&streamed(before, " UID 7)"));
    assert_eq!(hint("FLAGS (x uid 9"), Some(9));
    assert_eq!(hint("(UID  10"), Some(10));
    assert_eq!(hint("FLAGS ()"), None);
    assert_eq!(hint("UID x"), None);
}

#[test]
fn a_quota_is_that_of_storage_and_flags_are_words() {
    let quota = |line: &str| parse_quota(&response(line.as_bytes()));
    let line = "* QUOTA \"\" (MESSAGE 1 100 storage 10 512)";
    assert_eq!(quota(line), Some((10, 512)));
    assert_eq!(quota("* QUOTA x (MESSAGE 1 100)"), None);
    assert_eq!(flag_words(" (\\Seen  $X) "), ["\\Seen", "$X"]);
    assert!(flag_words("()").is_empty());
}

#[test]
fn what_nobody_asked_for_is_skipped_whole() {
    for value in [
        r#""a\"b""#,
        r#"("a)b" NIL (x))"#,
        "({3}\r\na)b x)",
        "{3}\r\n) (",
        "~{3}\r\n) (",
        "~5",
    ] {
        let line = format!("* 2 FETCH (X {value} UID 9)");
        let data = parse_fetch(&response(line.as_bytes())).expect("FETCH");
        assert_eq!(data.map(|data| data.uid), Ok(Some(9)), "{line}");
    }
    let line = response(b"* 2 FETCH (X \"a\"UID 9)");
    parse_fetch(&line).expect("FETCH").expect_err("no blank");
}

#[test]
fn parentheses_inside_a_keyword_close_no_list_whatever_follows() {
    let line = response(b"* 1 FETCH (FLAGS (\\Seen (odd) kw) X-ODD 5 UID 7)");
    let data = parse_fetch(&line).expect("FETCH").expect("read");
    let flags = ["\\Seen", "(odd)", "kw"].map(str::to_owned);
    assert_eq!((data.uid, data.flags), (Some(7), Some(flags.to_vec())));
}

#[test]
fn a_name_may_begin_with_what_announces_a_literal() {
    for line in ["* LIST () \"/\" ~old", "* LIST () \"/\" \"~old\""] {
        let listed = parse_list(&response(line.as_bytes()), "LIST");
        let listed = listed.expect("LIST").expect("read");
        assert_eq!(listed.name.text(), "~old");
    }
}
