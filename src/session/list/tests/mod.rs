mod asked;
mod died;

use super::*;

fn response(line: &str) -> Response {
    Response {
        bytes: format!("{line}\r\n").into_bytes(),
        ..Response::default()
    }
}

#[test]
fn a_name_above_one_that_is_subscribed_is_not() {
    let mut heard = Answers::default();
    for name in ["Parent", "Parent/Child", "Other"] {
        let line = format!(r#"* LIST () "/" {name}"#);
        heard.take(ListStep::List, &response(&line));
    }
    let lines = [
        r#"* LSUB (\Noselect \HasChildren) "/" Parent"#,
        r#"* LSUB () "/" Parent/Child"#,
    ];
    for line in lines {
        heard.take(ListStep::Subscribed, &response(line));
    }
    let subscribed: Vec<bool> = assemble(&mut heard)
        .iter()
        .map(|mailbox| mailbox.subscribed)
        .collect();
    assert_eq!(subscribed, [false, true, false]);
}

#[test]
fn what_only_one_of_two_lists_names_is_there_and_attributes_are_those_of_both() {
    let mut heard = Answers::default();
    for line in [
        r#"* LIST (\HasNoChildren) "/" Work"#,
        r#"* LIST (\Noselect) "/" Parent"#,
        r#"* LIST (\NonExistent) "/" Gone"#,
        r#"* LIST (\HasNoChildren) "/" Sent"#,
        r#"* LIST () "/" Work"#,
    ] {
        heard.take(ListStep::List, &response(line));
    }
    assert!(!heard.has_inbox());
    for line in [
        r#"* LIST (\Sent \hasnochildren) "/" Sent"#,
        r#"* LIST () "/" INBOX"#,
        r"* STATUS Work (MESSAGES 3)",
    ] {
        heard.take(ListStep::Extended, &response(line));
    }
    assert_eq!(heard.status[&Name::new("Work")].messages, Some(3));
    let mailboxes = assemble(&mut heard);
    let names: Vec<&str> = mailboxes.iter().map(|one| one.listed.name.text()).collect();
    assert_eq!(names, ["INBOX", "Work", "Sent"]);
    assert_eq!(
        mailboxes[2].listed.attributes,
        ["\\HasNoChildren", "\\Sent"]
    );
}

#[test]
fn an_inbox_that_cannot_be_opened_is_none() {
    for (line, is) in [
        (r#"* LIST () "/" inbox"#, true),
        (r#"* LIST (\Noselect) "/" INBOX"#, false),
        (r#"* LIST (\NonExistent) "/" INBOX"#, false),
        (r#"* LIST () "/" INBOX/Work"#, false),
    ] {
        let mut heard = Answers::default();
        heard.take(ListStep::List, &response(line));
        assert_eq!(heard.has_inbox(), is, "{line}");
    }
}

#[test]
fn a_message_is_seen_where_its_mailbox_opened_and_the_server_named_that_very_one() {
    let status = |condition| StatusResponse {
        condition,
        code: None,
        text: String::new(),
    };
    let (ok, no) = (status(Condition::Ok), status(Condition::No));
    let one = |uid| Glance {
        mailbox: Name::new("Work"),
        uid,
    };
    let mut glances = glance::Glances::default();
    let wanted = [one(7), one(8), one(9), one(10)];
    let sent = glances
        .commands(&wanted, &Capabilities::default())
        .expect("sent");
    assert_eq!(sent.len(), 8);
    let fetched = |uid: u32| response(&format!("* 1 FETCH (UID {uid} RFC822.SIZE 5)"));
    let validity = response("* OK [UIDVALIDITY 4] valid");
    for (opened, named, end) in [(&ok, 7, &ok), (&no, 8, &ok), (&ok, 8, &ok), (&ok, 10, &no)] {
        glances.take(GlanceStep::Open, &validity);
        glances.ended(GlanceStep::Open, opened);
        glances.take(GlanceStep::Fetch, &response("* 1 FETCH (FLAGS ())"));
        glances.take(GlanceStep::Fetch, &fetched(named));
        glances.ended(GlanceStep::Fetch, end);
    }
    let seen = glances.found.iter().map(|found| {
        let found = found.as_ref()?;
        Some((found.uidvalidity, found.message.uid, found.message.size))
    });
    let seen: Vec<_> = seen.collect();
    assert_eq!(seen, [Some((4, Some(7), Some(5))), None, None, None]);
}

#[test]
fn a_name_is_shown_where_it_is_that_very_one() {
    let listed = response(r#"* LIST () "/" Work"#);
    assert!(shows(&listed, b"Work") && !shows(&listed, b"work"));
    assert!(!shows(&response(r#"* LSUB () "/" Work"#), b"Work"));
    assert!(!shows(&response(r#"* LIST ( "/" Work"#), b"Work"));
}

#[test]
fn what_a_listing_does_not_know_is_told() {
    let listing = Listing {
        unreadable: vec!["odd".to_owned()],
        without_subscriptions: Some("NO never".to_owned()),
        ..Listing::default()
    };
    let told: Vec<String> = listing.warnings().collect();
    assert!(
        told[0].ends_with("cannot be read: odd") && told[1].ends_with(": NO never"),
        "{told:?}"
    );
    assert_eq!((told.len(), Listing::default().warnings().count()), (2, 0));
}
