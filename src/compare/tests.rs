use super::*;

fn identity(subject: &str) -> Identity {
    Identity::of(format!("Subject: {subject}\r\n\r\n").as_bytes(), 1, None)
}

fn wanted(subject: &str, size: u64, to_uid: Option<u32>) -> Wanted {
    Wanted {
        identity: identity(subject),
        loose: None,
        size,
        time: None,
        recorded: to_uid.map(|uid| Recorded { uid, stands: true }),
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

fn undecided(ground: Ground, wanted: &[usize], held: &[usize]) -> Undecided {
    Undecided {
        wanted: wanted.to_vec(),
        held: held.to_vec(),
        ground,
    }
}

/// The result, where contents are so alike.
fn compared(
    wanted: &[Wanted],
    held: &[Held],
    likeness: impl Fn(usize, usize) -> Likeness,
) -> Comparison {
    let mut board = Board::new(wanted, held);
    while let Some(groups) = board.candidates() {
        for group in groups {
            board.decide(&group, &likeness);
        }
    }
    board.settled()
}

/// The result, where nothing that is read is the same.
fn certain(wanted: &[Wanted], held: &[Held]) -> Comparison {
    compared(wanted, held, |_, _| Likeness::Other)
}

/// The result, where nothing is read.
fn counted(wanted: &[Wanted], held: &[Held]) -> Comparison {
    let mut board = Board::new(wanted, held);
    while let Some(groups) = board.candidates() {
        for group in groups {
            board.count(&group);
            board.decide(&board.left_of(&group), |_, _| Likeness::Unknown);
        }
    }
    board.settled()
}

/// What would have to be read on each ground, were nothing of it the same.
fn asked(wanted: &[Wanted], held: &[Held]) -> Vec<Undecided> {
    let mut board = Board::new(wanted, held);
    let mut all = Vec::new();
    while let Some(groups) = board.candidates() {
        all.extend(groups);
    }
    all
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
    let result = certain(&one, &other);
    assert_eq!(result.matched, [(0, 2), (1, 1), (2, 0)]);
    assert_eq!(result.missing, [3]);
    assert_eq!(result.doubled, [3]);
    assert_eq!(result.extra, [4]);
    assert_eq!(asked(&one, &other), []);
    assert_eq!(Board::new(&one, &other).certain(), 3);
}

#[test]
fn a_single_candidate_of_another_size_is_for_the_content_to_decide() {
    let one = [wanted("a", 10, None)];
    let other = [held("a", 12, 1)];
    assert_eq!(asked(&one, &other), [undecided(Ground::Header, &[0], &[0])]);
    let mut board = Board::new(&one, &other);
    let groups = board.candidates().expect("by the header");
    board.accept(&groups[0]);
    assert_eq!(board.settled().matched, [(0, 0)]);
    // On record it is the same, whatever a server has made of its size.
    let one = [wanted("a", 10, Some(1))];
    assert_eq!(certain(&one, &other).matched, [(0, 0)]);
    // But not where a twin is there, nor where the mailbox may have been made anew.
    let twins = [held("a", 12, 1), held("a", 14, 2)];
    assert_eq!(certain(&one, &twins).missing, [0]);
    let doubtful = Wanted {
        recorded: Some(Recorded {
            uid: 1,
            stands: false,
        }),
        ..one[0]
    };
    assert_eq!(certain(&[doubtful], &other).missing, [0]);
}

#[test]
fn another_date_makes_the_same_size_a_question() {
    let one = [Wanted {
        time: Some(1),
        ..wanted("a", 10, None)
    }];
    let at = |time| Held {
        time,
        ..held("a", 10, 1)
    };
    assert_eq!(certain(&one, &[at(Some(1))]).matched, [(0, 0)]);
    assert_eq!(certain(&one, &[at(None)]).matched, [(0, 0)]);
    let result = certain(&one, &[at(Some(2))]);
    assert_eq!((result.missing, result.extra), (vec![0], vec![0]));
    assert_eq!(counted(&one, &[at(Some(2))]).matched, [(0, 0)]);
}

#[test]
fn what_sizes_and_counts_do_not_decide_the_content_does() {
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [held("a", 10, 5)];
    assert_eq!(
        asked(&one, &other),
        [undecided(Ground::Header, &[0, 1], &[0])]
    );
    let result = compared(&one, &other, |one, _| {
        if one == 1 {
            Likeness::Same
        } else {
            Likeness::Other
        }
    });
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));

    let result = certain(&one, &[held("a", 10, 5), held("a", 10, 6)]);
    assert_eq!((result.missing, result.extra), (vec![0, 1], vec![0, 1]));

    let result = compared(&one, &other, |_, _| Likeness::Unknown);
    assert_eq!((result.missing.len(), result.unknown.len()), (0, 2));
}

#[test]
fn a_recorded_uid_tells_twins_apart() {
    let one = [
        wanted("a", 10, Some(8)),
        wanted("a", 10, Some(7)),
        wanted("b", 10, Some(9)),
    ];
    let other = [held("a", 10, 7), held("a", 10, 8), held("B", 10, 9)];
    // Another header at a recorded UID is no proof of anything.
    assert_eq!(asked(&one, &other), [undecided(Ground::Record, &[2], &[2])]);
    let result = certain(&one, &other);
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
    assert_eq!((result.missing, result.extra), (vec![2], vec![2]));
    let result = compared(&one, &other, |_, _| Likeness::Rewritten);
    assert_eq!(result.rewritten, [(2, 2)]);
    // The record is of a message that is gone: its twin does not stand in for it twice.
    let one = [wanted("a", 10, Some(5)), wanted("a", 10, Some(7))];
    let result = certain(&one, &[held("a", 10, 7)]);
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
}

#[test]
fn a_record_of_what_is_another_message_s_by_its_header_claims_nothing() {
    // The one at the recorded UID is the other one that is wanted.
    let one = [wanted("a", 10, Some(7)), wanted("b", 10, None)];
    let result = certain(&one, &[held("b", 10, 7)]);
    assert_eq!((result.matched, result.missing), (vec![(1, 0)], vec![0]));
    // The recorded one is another by now, and itself is elsewhere.
    let there = [held("a", 10, 8), held("c", 10, 7)];
    let one = [wanted("a", 10, Some(7))];
    let result = certain(&one, &there);
    assert_eq!((result.matched, result.extra), (vec![(0, 0)], vec![1]));
    assert_eq!(asked(&one, &there), []);
}

#[test]
fn what_is_not_found_on_one_ground_may_be_on_the_next() {
    // Twins: the one is there as it was sent, the other as a server writes it that keeps no 8-bit characters.
    let twin = Wanted {
        loose: Some(identity("X")),
        time: Some(1),
        ..wanted("\u{e9}", 10, None)
    };
    let one = [twin, twin];
    let other = [held("\u{e9}", 10, 1), held("X", 10, 2)];
    let result = compared(&one, &other, |one, other| match (one, other) {
        (0, 0) => Likeness::Same,
        (1, 1) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!(
        (result.matched, result.rewritten),
        (vec![(0, 0)], vec![(1, 1)])
    );
    assert!(result.missing.is_empty());
    // Even, that needs no reading; where the other side has too few, nobody knows.
    assert_eq!(counted(&one[..1], &other[1..]).rewritten, [(0, 0)]);
    assert_eq!(counted(&one, &other[1..]).unknown, [0, 1]);
}

#[test]
fn what_was_decided_late_is_told_in_the_order_of_the_messages() {
    let one = [
        wanted("a", 10, None),
        wanted("a", 10, None),
        wanted("b", 10, None),
        wanted("c", 10, None),
    ];
    let mut result = compared(
        &one,
        &[held("c", 10, 4), held("a", 10, 5)],
        |one, _| match one {
            0 => Likeness::Same,
            _ => Likeness::Other,
        },
    );
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
    let result = certain(&[wanted("a", 10, None), wanted("b", 11, None)], &[unread]);
    assert_eq!((result.unknown, result.missing), (vec![0], vec![1]));
    let nothing = Held {
        size: None,
        ..unread
    };
    let result = certain(&[wanted("a", 10, None), wanted("b", 11, None)], &[nothing]);
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
    let result = certain(&[at(Some(7)), at(Some(8)), at(None)], &[unread]);
    assert_eq!((result.unknown, result.missing), (vec![0], vec![1, 2]));
    // What a server says of the size of a message that it cannot read is not believed, were it right of all others.
    let sized = Held {
        size: Some(11),
        ..unread
    };
    let both = [at(Some(7)), wanted("b", 5, None)];
    assert_eq!(certain(&both, &[sized, held("b", 5, 4)]).unknown, [0]);
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
    assert_eq!(
        asked(&one, &other),
        [
            undecided(Ground::Header, &[3], &[3, 4]),
            undecided(Ground::Date, &[0], &[0])
        ]
    );
    let result = certain(&one, &other);
    assert_eq!(
        (&result.missing[..], &result.extra[..]),
        (&[0, 1, 2, 3][..], &[0, 1, 2, 3, 4][..])
    );
    // Its body decides, and what it decides is another matter than a match.
    let result = compared(&one, &other, |_, _| Likeness::Rewritten);
    assert_eq!(
        (result.rewritten, result.matched),
        (vec![(0, 0)], vec![(3, 3)])
    );
    assert_eq!((result.missing, result.doubled), (vec![1, 2], vec![4]));
    // Where too much would have to be read, a date decides nothing.
    assert_eq!(counted(&one[..1], &other[..1]).unknown, [0]);
    // Nor does one that a whole mailbox has.
    let many: Vec<Held> = (1..300).map(|uid| there("X 1", 10, uid, 1)).collect();
    assert_eq!(counted(&one[..1], &many).missing, [0]);
}

#[test]
fn what_has_no_header_is_known_by_its_content_alone() {
    let nameless = |size, time| Identity::of(b"", size, time);
    let here = |size, time| Wanted {
        identity: nameless(size, time),
        time,
        ..wanted("", size, None)
    };
    let there = |size, time, uid| Held {
        identity: Some(nameless(size, time)),
        time,
        ..held("", size, uid)
    };
    let one = [here(10, Some(1)), here(20, Some(2)), wanted("a", 10, None)];
    let other = [there(10, Some(1), 1), there(30, Some(9), 2)];
    // That size and date are the same is no proof, and that they are not is none either.
    assert_eq!(
        asked(&one, &other),
        [
            undecided(Ground::Header, &[0], &[0]),
            undecided(Ground::Nameless, &[0, 1], &[0, 1])
        ]
    );
    let result = compared(&one, &other, |one, other| match (one, other) {
        (1, 1) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!((result.matched, result.missing), (vec![(1, 1)], vec![0, 2]));
    let unread = counted(&one, &other);
    assert_eq!((unread.matched, unread.unknown), (vec![(0, 0)], vec![1]));
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
    let result = compared(&one, &other, |one, other| match (one, other) {
        (0, 1) | (1, 0) => Likeness::Same,
        (0, 0) | (1, 2) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
    assert_eq!((result.doubled, result.extra), (vec![2], vec![3]));
    assert!(result.missing.is_empty() && result.unknown.is_empty());
    // And what has the body only comes last.
    let result = compared(&one, &other[..2], |one, other| match (one, other) {
        (0, _) => Likeness::Reheaded,
        (_, 0) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
}

#[test]
fn what_is_not_found_in_a_part_is_unknown() {
    let one = [wanted("a", 10, None), wanted("b", 10, None)];
    let mut result = certain(&one, &[held("b", 10, 5)]);
    result.doubt();
    assert_eq!((result.missing, result.unknown), (vec![], vec![0]));
    assert_eq!(result.matched, [(1, 0)]);
}

#[test]
fn counts_settle_what_is_too_large_to_be_read_where_the_other_side_has_as_many_of_a_size_and_date()
{
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [held("a", 10, 5), held("a", 10, 6), held("a", 10, 7)];
    let result = counted(&one, &other);
    assert_eq!(result.matched, [(0, 0), (1, 1)]);
    assert_eq!((result.doubled, result.missing.len()), (vec![2], 0));
    // Which of them it has nobody knows.
    let result = counted(&one, &other[..1]);
    assert_eq!((result.unknown, result.missing.len()), (vec![0, 1], 0));
    // A size is not taken for another, and a date goes before.
    let at = |time| Wanted {
        time: Some(time),
        ..one[0]
    };
    let there = |time, size, uid| Held {
        time: Some(time),
        ..held("a", size, uid)
    };
    let one = [at(1), at(2), wanted("a", 20, None)];
    let other = [there(2, 10, 1), there(3, 10, 2), there(1, 30, 3)];
    let result = counted(&one, &other);
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
    assert_eq!(result.unknown, [2]);
}

#[test]
fn of_two_copies_each_is_the_one_that_has_its_date() {
    let at = |time| Wanted {
        time: Some(time),
        ..wanted("a", 10, None)
    };
    let there = |time, uid| Held {
        time: Some(time),
        ..held("a", 12, uid)
    };
    let one = [at(1), at(2)];
    let other = [there(2, 1), there(1, 2)];
    let result = compared(&one, &other, |_, _| Likeness::Same);
    assert_eq!(result.matched, [(0, 1), (1, 0)]);
}

#[test]
fn a_surplus_copy_of_one_of_them_is_doubled_though_it_is_none_of_the_others() {
    let one = [wanted("a", 10, None), wanted("a", 10, None)];
    let other = [held("a", 10, 5), held("a", 10, 6), held("a", 10, 7)];
    let result = compared(&one, &other, |one, other| match (one, other) {
        (0, 0) | (1, 1) => Likeness::Same,
        (0, 2) => Likeness::Rewritten,
        _ => Likeness::Other,
    });
    assert_eq!(result.matched, [(0, 0), (1, 1)]);
    assert_eq!((result.doubled, result.extra), (vec![2], vec![]));
}

#[test]
fn what_could_not_be_read_is_no_second_copy_of_what_has_another_header() {
    let one = [Wanted {
        time: Some(1),
        ..wanted("a", 10, None)
    }];
    let other = [Held {
        time: Some(1),
        ..held("X", 10, 5)
    }];
    let result = compared(&one, &other, |_, _| Likeness::Unknown);
    assert_eq!((result.unknown, result.missing), (vec![0], vec![]));
    assert_eq!((result.extra, result.doubled), (vec![0], vec![]));
}

#[test]
fn what_has_no_header_is_no_question_where_the_other_side_has_nothing_of_the_kind() {
    let here = Wanted {
        identity: Identity::of(b"", 10, None),
        ..wanted("", 10, None)
    };
    assert_eq!(asked(&[here], &[held("a", 10, 1)]), []);
    assert_eq!(asked(&[here], &[]), []);
}

#[test]
fn it_has_its_date_where_none_is_wanted_or_the_other_side_says_the_same() {
    let at = |time| Wanted {
        time,
        ..wanted("a", 10, None)
    };
    let there = |time| Held {
        time,
        ..held("a", 10, 1)
    };
    let one = [at(None), at(Some(1))];
    let other = [there(None), there(Some(1)), there(Some(2))];
    let board = Board::new(&one, &other);
    let of = |one| [0, 1, 2].map(|other| board.is_of_its_date(one, other));
    assert_eq!(of(0), [true; 3]);
    assert_eq!(of(1), [false, true, false]);
}
