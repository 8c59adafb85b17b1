use super::super::response::Condition;
use super::*;

#[test]
fn server_texts_are_classified() {
    let cases = [
        (
            None,
            "Request is throttled. Suggested Backoff Time: 299961 milliseconds",
            Kind::Throttled(Duration::from_millis(299_961)),
        ),
        (
            Some("UNAVAILABLE"),
            "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            Kind::Busy,
        ),
        (
            Some("ALERT"),
            "Too many simultaneous connections. (Failure)",
            Kind::Busy,
        ),
        (
            Some("UNAVAILABLE"),
            "Temporary authentication failure.",
            Kind::Transient,
        ),
        (
            Some("AUTHENTICATIONFAILED"),
            "Authentication failed.",
            Kind::Authentication,
        ),
        (None, "Success [THROTTLED]", Kind::Busy),
        (Some("NONEXISTENT"), "Unknown Mailbox", Kind::Refused),
        (None, "Too many connections, try again later", Kind::Busy),
        (None, "Too many simultaneous logins", Kind::Busy),
        (None, "Connection limit reached", Kind::Busy),
        (None, "Too many messages", Kind::Refused),
        (None, "No such connection", Kind::Refused),
        (Some("limit 5"), "no", Kind::Busy),
        (Some("THROTTLED"), "no", Kind::Busy),
        (Some("INUSE"), "no", Kind::Transient),
        (Some("SERVERBUG"), "no", Kind::Transient),
        (Some("AUTHORIZATIONFAILED"), "no", Kind::Authentication),
        (Some("EXPIRED"), "no", Kind::Authentication),
        (Some("CONTACTADMIN"), "no", Kind::Authentication),
        (Some("PRIVACYREQUIRED"), "no", Kind::Authentication),
        (
            Some("UNAVAILABLE"),
            "Suggested Backoff Time: 900000 milliseconds",
            Kind::Throttled(PATIENCE),
        ),
        (
            None,
            "Suggested Backoff Time: 900001 milliseconds",
            Kind::Parked(Duration::from_millis(900_001)),
        ),
    ];
    for (code, text, kind) in cases {
        assert_eq!(classify(code, text, Kind::Refused), kind, "{text}");
    }
}

#[test]
fn a_backoff_is_bounded_and_needs_a_number() {
    assert_eq!(suggested_backoff("Suggested Backoff Time: soon"), None);
    assert_eq!(
        suggested_backoff("suggested backoff time: 99999999999999999999 milliseconds"),
        Some(Duration::from_secs(24 * 3600))
    );
    for (text, seconds) in [
        ("2000", 2),
        ("2000 ms", 2),
        ("2000milliseconds.", 2),
        ("3 seconds", 3),
        ("5 minutes", 300),
    ] {
        assert_eq!(
            suggested_backoff(&format!("Slow. Suggested Backoff Time: {text}")),
            Some(Duration::from_secs(seconds)),
            "{text}"
        );
    }
    assert_eq!(suggested_backoff("2000 milliseconds"), None);
}

fn no(code: Option<&str>, text: &str) -> StatusResponse {
    StatusResponse {
        condition: Condition::No,
        code: code.map(str::to_owned),
        text: text.to_owned(),
    }
}

#[test]
fn a_goodbye_is_told_with_the_servers_words_and_from_a_session_that_is_over() {
    for over in [
        "Session invalidated - AccessTokenExpired",
        "AccessTokenExpired",
        "Session expired, please login again",
    ] {
        let error = goodbye(&no(None, over));
        let (kind, ending) = (error.kind, error.ending);
        assert_eq!((kind, ending), (Kind::Transient, Some(Ending::SessionOver)));
        assert!(error.to_string().contains(over), "{error}");
    }
    let error = goodbye(&no(Some("ALERT"), "Too many simultaneous connections"));
    let (kind, ending) = (error.kind, error.ending);
    assert_eq!((kind, ending), (Kind::Busy, Some(Ending::Goodbye)));
    assert!(error.to_string().contains("[ALERT] Too many"), "{error}");
    assert_eq!(goodbye(&no(None, "Bye")).kind, Kind::Transient);
}

#[test]
fn what_is_about_us_is_told_from_what_is_about_what_was_asked_for() {
    let state = |code, text| check_state(&no(code, text)).map_err(|error| error.kind);
    let host = |code, text| about_host(&no(code, text)).map(|error| error.kind);
    for (code, text) in [
        (None, "No such mailbox"),
        (Some("NONEXISTENT"), "No such mailbox"),
        (Some("AUTHENTICATIONFAILED"), "no"),
    ] {
        assert_eq!(
            (state(code, text), host(code, text)),
            (Ok(()), None),
            "{text}"
        );
    }
    // Codes that RFC 5530 gives to objects: a state that passes, and nothing that concerns others.
    for code in [Some("UNAVAILABLE"), Some("INUSE"), Some("LIMIT")] {
        let both = (state(code, "no"), host(code, "no"));
        assert_eq!(both, (Err(Kind::Transient), None), "{code:?}");
    }
    let wait = "Suggested Backoff Time: 1000";
    let throttled = Kind::Throttled(Duration::from_secs(1));
    let parked = Kind::Parked(Duration::from_secs(3600));
    for (code, text, kind) in [
        (Some("throttled"), "no", Kind::Busy),
        (Some("LIMIT"), "Too many connections", Kind::Busy),
        (None, wait, throttled),
        (None, "Suggested Backoff Time: 60 minutes", parked),
    ] {
        assert_eq!(
            (state(code, text), host(code, text)),
            (Err(kind), Some(kind))
        );
    }
    let said = about_host(&no(None, "You are throttled")).expect("about us");
    assert_eq!(said.to_string(), "the server says NO You are throttled");
}

#[test]
fn a_goodbye_refuses_a_login_where_it_speaks_of_one_and_of_nothing_that_passes() {
    for (text, is) in [
        ("Login refused", true),
        ("Wrong PASSWORD", true),
        ("Authentication failed", true),
        ("Login failed, try again later", false),
        ("Too many logins", false),
        ("Shutting down", false),
        ("Goodbye", false),
    ] {
        assert_eq!(is_about_login(&no(None, text)), is, "{text}");
    }
}

#[test]
fn codes_that_another_try_may_change_are_known_in_any_case_and_with_arguments() {
    for code in [
        "SERVERBUG",
        "unavailable",
        "INUSE x",
        "LIMIT",
        "NOPERM",
        "CANNOT",
    ] {
        assert!(may_pass(&no(Some(code), "")), "{code}");
    }
    for code in [
        None,
        Some("OVERQUOTA"),
        Some("NONEXISTENT"),
        Some("LIMITED"),
    ] {
        assert!(!may_pass(&no(code, "later")), "{code:?}");
    }
}

#[test]
fn a_name_is_too_long_where_the_words_say_so() {
    for (text, is) in [
        ("Mailbox name TOO LONG", true),
        ("Exceeds maximum length", true),
        ("Name is longer than 255", true),
        ("Invalid name", false),
    ] {
        assert_eq!(is_about_length(text), is, "{text}");
    }
}

#[test]
fn refusals_are_told_apart() {
    let meaning = |code: Option<&str>, text: &str| meaning(&no(code, text));
    assert_eq!(meaning(Some("OVERQUOTA"), "full"), Meaning::Quota);
    assert_eq!(
        meaning(None, "Quota exceeded (mailbox for user is full)"),
        Meaning::Quota
    );
    assert_eq!(meaning(Some("TOOBIG"), "too large"), Meaning::Message);
    assert_eq!(meaning(Some("TRYCREATE"), "gone"), Meaning::Mailbox);
    assert_eq!(
        meaning(None, "Message contains bare newlines"),
        Meaning::Message
    );
    assert_eq!(
        meaning(None, "Invalid system flag \\$NOTJUNK"),
        Meaning::Flags
    );
    assert_eq!(meaning(Some("overquota 5"), "no"), Meaning::Quota);
    for words in [
        "Mailbox full",
        "Mailbox is full",
        "Storage limit has been exceeded",
        "Not enough space",
        "No space left on device",
        "Insufficient storage",
        "Out of storage",
    ] {
        assert_eq!(meaning(None, words), Meaning::Quota, "{words}");
    }
    for code in ["NONEXISTENT", "noperm"] {
        assert_eq!(meaning(Some(code), "no"), Meaning::Mailbox, "{code}");
    }
    for code in ["UNAVAILABLE", "INUSE", "SERVERBUG x"] {
        assert_eq!(meaning(Some(code), "later"), Meaning::Later, "{code}");
    }
    // A limit is the message's, unless the words speak of us.
    assert_eq!(meaning(Some("LIMIT"), "no"), Meaning::Message);
    let busy = Meaning::Wait(Kind::Busy);
    assert_eq!(meaning(Some("LIMIT"), "Too many connections"), busy);
    assert_eq!(meaning(Some("THROTTLED"), "no"), busy);
    assert_eq!(meaning(Some("EXPIRED"), "no"), Meaning::Message);
    assert_eq!(meaning(None, "Keyword refused"), Meaning::Flags);
}

#[test]
fn a_command_that_came_while_another_was_under_way_is_told_from_one_that_is_refused() {
    let status = |condition, text: &str| StatusResponse {
        condition,
        code: None,
        text: text.to_owned(),
    };
    for text in [
        "Pipelining not allowed",
        "Too many commands",
        "A command is IN PROGRESS",
        "One command at a time, please",
        "No concurrent commands",
    ] {
        for (condition, is) in [
            (Condition::No, true),
            (Condition::Bad, true),
            (Condition::Ok, false),
        ] {
            let said = status(condition, text);
            assert_eq!(is_about_sending_ahead(&said), is, "{condition:?} {text}");
        }
    }
    for text in [
        "",
        "No such mailbox",
        "Unknown command",
        "Too many messages",
    ] {
        assert!(!is_about_sending_ahead(&status(Condition::Bad, text)));
        assert!(!is_about_sending_ahead(&status(Condition::Ok, text)));
    }
}
