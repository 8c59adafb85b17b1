use super::*;

fn identity(subject: &str) -> Identity {
    Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None)
}

fn wanted(subject: &str, size: u64, to_uid: Option<u32>) -> Wanted {
    Wanted {
        identity: identity(subject),
        size,
        time: None,
        to_uid,
    }
}

fn held(subject: &str, size: u64, uid: u32) -> Held {
    Held {
        identity: Some(identity(subject)),
        uid,
        size: Some(size),
        time: None,
    }
}

fn undecided(wanted: &[usize], held: &[usize]) -> Undecided {
    Undecided {
        wanted: wanted.to_vec(),
        held: held.to_vec(),
        ground: Ground::Header,
    }
}

#[test]
fn sizes_tell_twins_apart_and_what_is_left_over_is_told() {
    let one = [
        wanted("a", 10, None),
        wanted("a", 20, None),
        wanted("b", 10, None),
        wanted("c", 10, None),
    ];
    let other = [
        held("b", 10, 9),
        held("a", 20, 8),
        held("a", 10, 7),
        held("a", 30, 10),
        held("d", 10, 1),
    ];
    let result = compare(&one, &other);
    assert_eq!(result.matched, [(0, 2), (1, 1), (2, 0)]);
    assert_eq!(result.missing, [3]);
    assert_eq!(result.doubled, [3]);
    assert_eq!(result.extra, [4]);
}

#[test]
fn a_single_candidate_of_another_size_is_for_the_content_to_decide() {
    let result = compare(&[wanted("a", 10, None)], &[held("a", 12, 1)]);
    assert_eq!(result.undecided, [undecided(&[0], &[0])]);
    // On record it is the same, whatever a server has made of its size.
    let recorded = compare(&[wanted("a", 10, Some(1))], &[held("a", 12, 1)]);
    assert_eq!(recorded.matched, [(0, 0)]);
}

#[test]
fn what_sizes_and_counts_do_not_decide_the_content_does() {
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [held("a", 10, 5)];
    let mut result = compare(&one, &other);
    assert_eq!(result.undecided, [undecided(&[0, 1], &[0])]);
    assert!(result.missing.is_empty() && result.matched.is_empty());
    let group = result.undecided.remove(0);
    result.decide(&group, |one, _| {
        if one == 1 {
            Likeness::Same
        } else {
            Likeness::Other
        }
    });
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));

    let mut result = compare(&one, &[held("a", 10, 5), held("a", 10, 6)]);
    let group = result.undecided.remove(0);
    result.decide(&group, |_, _| Likeness::Other);
    assert_eq!((result.missing, result.extra), (vec![0, 1], vec![0, 1]));

    let mut result = compare(&one, &other);
    let group = result.undecided.remove(0);
    result.decide(&group, |_, _| Likeness::Unknown);
    assert_eq!((result.missing.len(), result.unknown.len()), (0, 2));

    let mut result = compare(&one, &other);
    let group = result.undecided.remove(0);
    result.count(&group);
    assert_eq!((result.matched, result.missing), (vec![(0, 0)], vec![1]));
}

#[test]
fn a_recorded_uid_tells_twins_apart() {
    let one = [
        wanted("a", 10, Some(8)),
        wanted("a", 10, Some(7)),
        wanted("b", 10, Some(9)),
    ];
    let other = [held("a", 10, 7), held("a", 10, 8), held("B", 10, 9)];
    let mut result = compare(&one, &other);
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
    // Another header at a recorded UID is no proof of anything.
    let group = result.undecided.remove(0);
    assert_eq!(group.ground, Ground::Record);
    result.decide(&group, |_, _| Likeness::Other);
    assert_eq!((result.missing, result.extra), (vec![2], vec![2]));
    // The record is of a message that is gone: its twin does not stand in for it twice.
    let one = [wanted("a", 10, Some(5)), wanted("a", 10, Some(7))];
    let result = compare(&one, &[held("a", 10, 7)]);
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
}

#[test]
fn a_record_of_what_is_another_message_s_by_its_header_claims_nothing() {
    // The one at the recorded UID is the other one that is wanted.
    let one = [wanted("a", 10, Some(7)), wanted("b", 10, None)];
    let result = compare(&one, &[held("b", 10, 7)]);
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
    assert!(result.undecided.is_empty());
    // The recorded one is another by now, and itself is elsewhere.
    let there = [held("a", 10, 8), held("c", 10, 7)];
    let result = compare(&[wanted("a", 10, Some(7))], &there);
    assert_eq!((result.matched, result.extra), (vec![(0, 0)], vec![1]));
    assert!(result.undecided.is_empty());
}

#[test]
fn what_was_decided_late_is_told_in_the_order_of_the_messages() {
    let one = [
        wanted("a", 10, None),
        wanted("a", 10, None),
        wanted("b", 10, None),
        wanted("c", 10, None),
    ];
    let mut result = compare(&one, &[held("c", 10, 4), held("a", 10, 5)]);
    assert_eq!(
        (&result.matched[..], &result.missing[..]),
        (&[(3, 0)][..], &[2][..])
    );
    let group = result.undecided.remove(0);
    result.count(&group);
    assert_eq!(result.matched, [(0, 1), (3, 0)]);
    assert_eq!(result.missing, [1, 2]);
    result.unknown.push(4);
    result.doubt();
    assert_eq!(result.unknown, [1, 2, 4]);
}

#[test]
fn what_cannot_be_read_makes_its_likes_unknown_and_no_others() {
    let unread = Held {
        identity: None,
        uid: 3,
        size: Some(10),
        time: None,
    };
    let result = compare(&[wanted("a", 10, None), wanted("b", 11, None)], &[unread]);
    assert_eq!((result.unknown, result.missing), (vec![0], vec![1]));
    let nothing = Held {
        size: None,
        ..unread
    };
    let result = compare(&[wanted("a", 10, None), wanted("b", 11, None)], &[nothing]);
    assert_eq!((result.unknown, result.missing), (vec![0, 1], vec![]));
    assert!(result.extra.is_empty());
}

#[test]
fn a_date_makes_what_cannot_be_read_a_candidate_too() {
    let unread = Held {
        identity: None,
        uid: 3,
        size: None,
        time: Some(7),
    };
    let at = |time| Wanted {
        time,
        ..wanted("a", 10, None)
    };
    let result = compare(&[at(Some(7)), at(Some(8)), at(None)], &[unread]);
    assert_eq!((result.unknown, result.missing), (vec![0], vec![1, 2]));
    // What a server says of the size of a message that it cannot read is not believed, were it right of all others.
    let sized = Held {
        size: Some(11),
        ..unread
    };
    let both = [at(Some(7)), wanted("b", 5, None)];
    assert_eq!(compare(&both, &[sized, held("b", 5, 4)]).unknown, [0]);
}

#[test]
fn a_header_that_a_server_changed_is_a_candidate_of_the_same_date_only() {
    let at = |time, number| Wanted {
        time: Some(time),
        ..wanted(&format!("\u{e9} {number}"), 10, None)
    };
    let there = |subject: &str, size, uid, time| Held {
        time: Some(time),
        ..held(subject, size, uid)
    };
    let one = [at(1, 1), at(2, 2), at(3, 3), wanted("plain", 10, None)];
    let other = [
        there("X 1", 12, 1, 1),
        there("X 2", 10, 2, 9),
        held("X 3", 10, 3),
        // A second copy of what is wanted is no candidate for another.
        there("plain", 10, 4, 3),
        there("plain", 10, 5, 3),
    ];
    let mut result = compare(&one, &other);
    let groups = std::mem::take(&mut result.undecided);
    let [twins, group] = &groups[..] else {
        panic!("{groups:?}");
    };
    assert_eq!(
        (&twins.wanted[..], &twins.held[..]),
        (&[3][..], &[3, 4][..])
    );
    assert_eq!(group.ground, Ground::Date);
    assert_eq!((&group.wanted[..], &group.held[..]), (&[0][..], &[0][..]));
    assert_eq!(
        (&result.missing[..], &result.extra[..]),
        (&[1, 2][..], &[1, 2][..])
    );
    // Its body decides, and what it decides is another matter than a match.
    result.decide(group, |_, _| Likeness::Rewritten);
    assert_eq!((result.rewritten, result.matched), (vec![(0, 0)], vec![]));
    // Where too much would have to be read, a date decides nothing.
    let mut unread = compare(&one[..1], &other[..1]);
    let group = unread.undecided.remove(0);
    unread.count(&group);
    assert_eq!((unread.missing, unread.extra), (vec![0], vec![0]));
    // Nor does one that a whole mailbox has.
    let many: Vec<Held> = (1..300).map(|uid| there("X 1", 10, uid, 1)).collect();
    assert_eq!(compare(&one[..1], &many).missing, [0]);
}

#[test]
fn the_same_bytes_go_before_rewritten_ones_and_surplus_copies_are_told() {
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [
        held("a", 10, 5),
        held("a", 10, 6),
        held("a", 10, 7),
        held("a", 10, 8),
    ];
    let mut result = compare(&one, &other);
    let group = result.undecided.remove(0);
    result.decide(&group, |one, other| match (one, other) {
        (0, 1) | (1, 0) => Likeness::Same,
        (0, 0) | (1, 2) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
    assert_eq!((result.doubled, result.extra), (vec![2], vec![3]));
    assert!(result.missing.is_empty() && result.unknown.is_empty());
}

#[test]
fn what_is_not_found_in_a_part_is_unknown() {
    let one = [wanted("a", 10, None), wanted("b", 10, None)];
    let mut result = compare(&one, &[held("b", 10, 5)]);
    result.doubt();
    assert_eq!((result.missing, result.unknown), (vec![], vec![0]));
    assert_eq!(result.matched, [(1, 0)]);
}

#[test]
fn counts_settle_what_is_too_large_to_be_read() {
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [held("a", 10, 5), held("a", 10, 6), held("a", 10, 7)];
    let mut result = compare(&one, &other);
    let group = result.undecided.remove(0);
    result.count(&group);
    assert_eq!(result.matched, [(0, 0), (1, 1)]);
    assert_eq!((result.doubled, result.missing.len()), (vec![2], 0));
}
