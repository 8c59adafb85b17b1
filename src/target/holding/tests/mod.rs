use super::*;

/// A message as FETCH shows it.
fn data(uid: u32, header: Option<&str>, flags: &[&str]) -> response::FetchData {
    response::FetchData {
        uid: Some(uid),
        header: header.map(|header| header.as_bytes().to_vec()),
        size: Some(5),
        flags: Some(flags.iter().map(|flag| (*flag).to_owned()).collect()),
        ..response::FetchData::default()
    }
}

fn of(uids: &[u32]) -> Holding {
    let mut holding = Holding {
        exists: uids.len() as u64,
        ..Holding::default()
    };
    for uid in uids {
        let noted = holding.note(data(*uid, Some("To: x\r\n"), &[]), Detail::Identity);
        noted.expect("noted");
    }
    holding
}

#[test]
fn what_is_counted_and_not_named_is_told() {
    let mut holding = of(&[3, 5]);
    assert_eq!(holding.shortfall(), None);
    holding.exists = 4;
    assert_eq!(holding.shortfall(), Some((4, 2)));
    // What is left out counts no more.
    holding.leave_out(&"5:9".parse().expect("a set"));
    assert_eq!(holding.shortfall(), Some((3, 1)));
    assert_eq!(holding.messages[0].uid, 3);
    holding.exists = 0;
    assert_eq!(holding.shortfall(), None);
}

#[test]
fn what_is_left_out_takes_its_own_flags_along_and_no_others() {
    let mut holding = Holding::default();
    for (uid, flag) in [(3, "a"), (5, "b"), (8, "c")] {
        let noted = holding.note(data(uid, Some("To: x\r\n"), &[flag]), Detail::Flags);
        noted.expect("noted");
    }
    holding.leave_out(&"5".parse().expect("a set"));
    let uids: Vec<u32> = holding.messages.iter().map(|there| there.uid).collect();
    assert_eq!(uids, [3, 8]);
    for (at, flag, of_another) in [(0, "a", "b"), (1, "c", "b")] {
        assert!(holding.lost_flags(flag, at).is_empty(), "{flag}");
        assert_eq!(holding.lost_flags(of_another, at), [of_another]);
        assert!(!holding.has_more_flags(flag, at), "{flag}");
    }
    holding.leave_out(&"1:4".parse().expect("a set"));
    assert!(holding.lost_flags("c", 0).is_empty());
}

#[test]
fn a_uid_was_given_below_the_next_one_or_up_to_the_last() {
    let mut holding = of(&[3, 5]);
    assert!(holding.has_given(4) && holding.has_given(5) && !holding.has_given(6));
    holding.uidnext = 9;
    assert!(holding.has_given(8) && !holding.has_given(9) && !holding.has_given(10));
    assert!(!Holding::default().has_given(1));
}

#[test]
fn flags_are_compared_in_any_case_and_in_the_form_in_which_they_are_sent() {
    let mut holding = Holding::default();
    for flags in [&["\\SEEN", "$Work", "\\Recent"][..], &["$work", "$x"], &[]] {
        let uid = u32::try_from(holding.messages.len()).expect("few") + 1;
        let noted = holding.note(data(uid, Some("To: x\r\n"), flags), Detail::Flags);
        noted.expect("noted");
    }
    assert!(holding.lost_flags("\\Seen $WORK \\Recent", 0).is_empty());
    assert_eq!(holding.lost_flags("\\Seen $Work \\Recent", 1), ["\\Seen"]);
    assert_eq!(holding.lost_flags("\\Seen $Work", 2), ["\\Seen", "$Work"]);
    assert!(!holding.has_more_flags("\\Seen $Work", 0));
    assert!(holding.has_more_flags("\\Seen", 0));
    assert!(holding.has_more_flags("\\Seen $Work", 1));
    assert!(!holding.has_more_flags("", 2));
    // Where nobody asked for flags, none are there.
    assert_eq!(of(&[1]).lost_flags("\\Seen", 0), ["\\Seen"]);
}

#[test]
fn messages_are_in_order_and_what_was_said_last_of_one_counts() {
    let mut holding = Holding::default();
    for (uid, header, flag) in [
        (5, Some("To: x\r\n"), "a"),
        (3, None, "b"),
        (5, Some("To: y\r\n"), "c"),
        // Of these nothing was said that is not known.
        (5, None, "d"),
        (3, None, "e"),
    ] {
        let noted = holding.note(data(uid, header, &[flag]), Detail::Flags);
        noted.expect("noted");
    }
    holding.put_in_order();
    let uids: Vec<u32> = holding.messages.iter().map(|there| there.uid).collect();
    assert_eq!(uids, [3, 5]);
    let identity = Identity::of(b"To: y\r\n", 5, None);
    assert_eq!(holding.messages[1].identity, Some(identity));
    assert_eq!(holding.unread().collect::<Vec<_>>(), [3]);
    assert!(holding.lost_flags("e", 0).is_empty() && holding.lost_flags("d", 1).is_empty());
    let mut twice = of(&[4, 4]);
    twice.put_in_order();
    assert_eq!(twice.messages.len(), 1);
}

#[test]
fn more_flags_than_a_mailbox_can_have_are_refused() {
    let named = |from: usize, count: usize| -> Vec<String> {
        (from..from + count).map(|n| format!("${n}")).collect()
    };
    let mut holding = Holding::default();
    let note = |holding: &mut Holding, flags: &[String]| {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        holding.note(data(1, None, &flags), Detail::Flags)
    };
    note(&mut holding, &named(0, MAX_FLAGS.0)).expect("as many as may be");
    note(&mut holding, &named(7, 1)).expect("a known one");
    note(&mut holding, &named(MAX_FLAGS.0, 1)).expect_err("one more");
    let mut holding = Holding {
        flags_held: MAX_FLAGS.1 - 2,
        ..Holding::default()
    };
    note(&mut holding, &named(0, 2)).expect("as many as may be");
    note(&mut holding, &named(0, 1)).expect_err("one more");
}

#[test]
fn a_message_is_held_as_far_as_it_is_shown() {
    assert_eq!(Which::All.first(), 1);
    assert_eq!((Which::From(0).first(), Which::From(7).first()), (1, 7));
    let there = held(&data(7, None, &[])).expect("has a UID");
    assert_eq!((there.uid, there.size, there.identity), (7, Some(5), None));
    let nameless = response::FetchData {
        uid: None,
        ..data(7, None, &[])
    };
    assert!(held(&nameless).is_none());
}

mod read;
