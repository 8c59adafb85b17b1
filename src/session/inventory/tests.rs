use super::*;

fn line(text: &str) -> Response {
    Response {
        bytes: format!("{text}\r\n").into_bytes(),
        ..Response::default()
    }
}

fn status(condition: Condition) -> StatusResponse {
    StatusResponse {
        condition,
        code: None,
        text: String::new(),
    }
}

/// An inventory of a mailbox that counts so many and names these.
fn of(counted: u64, named: &[u32]) -> Inventory {
    let mut inventory = Inventory::from(1);
    inventory.opened(&Selected {
        exists: counted,
        ..Selected::default()
    });
    for uid in named {
        inventory.take(&line(&format!("* 1 FETCH (UID {uid})")));
    }
    inventory
}

#[test]
fn only_what_names_as_many_as_it_counts_is_whole() {
    assert_eq!(of(2, &[3, 9]).extent(), Extent::Whole);
    assert_eq!(of(0, &[]).extent(), Extent::Whole);
    let short = Extent::Short {
        counted: 3,
        named: 2,
    };
    let named = of(3, &[3, 9, 3]);
    assert_eq!(named.extent(), short);
    assert_eq!(
        (named.counted(), named.named().to_string()),
        (3, "3,9".to_owned())
    );
    assert!(!named.is_odd());
    let mut shrunk = of(3, &[3, 9]);
    shrunk.recount(&line("* 2 EXPUNGE"));
    assert_eq!(shrunk.extent(), Extent::Whole);
    shrunk.recount(&line("* 3 EXISTS"));
    assert_eq!(shrunk.extent(), short);
}

#[test]
fn of_what_comes_from_a_uid_on_the_messages_before_it_do_not_count() {
    let from = |exists: u64, lines: &[&str]| {
        let mut inventory = Inventory::from(10);
        let exists = Selected {
            exists,
            ..Selected::default()
        };
        inventory.opened(&exists);
        for text in lines {
            inventory.take(&line(text));
            inventory.take_search(&line(text));
        }
        inventory
    };
    let two = ["* 4 FETCH (UID 10)", "* 5 FETCH (UID 12)"];
    assert_eq!(from(5, &two).extent(), Extent::Whole);
    // One has come meanwhile, and nobody has named it.
    let short = Extent::Short {
        counted: 3,
        named: 2,
    };
    assert_eq!(from(6, &two).extent(), short);
    // Something that cannot be seen may stand before the first that is named; a SEARCH knows.
    let gap = ["* 5 FETCH (UID 12)"];
    let short = |counted| Extent::Short { counted, named: 1 };
    assert_eq!(from(5, &gap).extent(), short(5));
    let searched = ["* 5 FETCH (UID 12)", "* SEARCH 1 2 4 9 12"];
    assert_eq!(from(5, &searched).extent(), Extent::Whole);
    let hidden = ["* 5 FETCH (UID 12)", "* SEARCH 1 2 4 12"];
    assert_eq!(from(5, &hidden).extent(), short(2));
    // `10:*` names the last message where there is none: nothing came.
    let mut none = from(5, &["* 5 FETCH (UID 9)"]);
    assert_eq!((none.counted(), none.extent()), (0, Extent::Whole));
    assert_eq!(
        none.ended(&status(Condition::Ok)),
        NextQuery::Done(Extent::Whole)
    );
}

/// Where all messages are meant, none lies below; and the first that is meant is not one of those before it.
#[test]
fn a_place_that_a_server_says_wrongly_makes_nothing_whole() {
    let short = |counted| Extent::Short { counted, named: 1 };
    let mut all = of(3, &[]);
    all.take(&line("* 3 FETCH (UID 1)"));
    assert_eq!(all.extent(), short(3));
    let mut from = Inventory::from(5);
    from.opened(&Selected {
        exists: 3,
        ..Selected::default()
    });
    from.take_search(&line("* SEARCH 2 5"));
    assert_eq!(from.extent(), short(2));
}

#[test]
fn what_is_short_or_refused_is_searched_and_asked_for_below_the_window() {
    let (ok, no) = (status(Condition::Ok), status(Condition::No));
    let whole = NextQuery::Done(Extent::Whole);
    assert_eq!(of(2, &[3, 9]).ended(&ok), whole);
    assert_eq!(of(0, &[]).ended(&no), whole);
    assert_eq!(of(2, &[3, 9]).ended(&no), NextQuery::Search);
    let mut short = of(4, &[8, 9]);
    assert_eq!(short.ended(&ok), NextQuery::Search);
    assert_eq!(short.take_search(&line("* SEARCH 9 7 8")), [7]);
    assert_eq!(short.ended(&ok), NextQuery::Fetch("1:6".to_owned()));
    let entry = short.take(&line("* 1 FETCH (UID 2)"));
    assert_eq!(
        entry.map(|entry| (entry.uid, entry.is_first)),
        Some((2, true))
    );
    assert_eq!(short.ended(&ok), whole);
}

#[test]
fn a_window_that_does_not_grow_ends_the_asking() {
    let ok = status(Condition::Ok);
    let mut short = of(4, &[8, 9]);
    assert_eq!(short.ended(&ok), NextQuery::Search);
    assert_eq!(short.ended(&ok), NextQuery::Fetch("1:7".to_owned()));
    assert_eq!(short.ended(&ok), NextQuery::Done(short.extent()));
}

#[test]
fn below_the_first_uid_nothing_is_meant() {
    let mut inventory = Inventory::from(7);
    inventory.opened(&Selected {
        exists: 9,
        ..Selected::default()
    });
    assert_eq!(inventory.range(), "7:*");
    assert_eq!(inventory.take(&line("* 8 FETCH (UID 6)")), None);
    assert_eq!(inventory.take_search(&line("* SEARCH 5 7")), [7]);
    let ok = status(Condition::Ok);
    assert_eq!(inventory.ended(&ok), NextQuery::Search);
    assert_eq!(inventory.ended(&ok), NextQuery::Done(inventory.extent()));
}

#[test]
fn a_line_that_is_not_understood_is_remembered() {
    let mut inventory = of(1, &[]);
    assert_eq!(inventory.take(&line("* 1 FETCH (UID 0)")), None);
    assert!(inventory.is_odd());
}

fn limited(condition: Condition, code: &str) -> StatusResponse {
    StatusResponse {
        code: Some(code.to_owned()),
        ..status(condition)
    }
}

/// What is asked for until nothing more is, of a server that answers as `answer` says: UIDs and the end.
fn walk(
    inventory: &mut Inventory,
    mut answer: impl FnMut(&str) -> (Vec<u32>, StatusResponse),
) -> Vec<String> {
    let mut asked = Vec::new();
    let mut next = NextQuery::Fetch(inventory.range());
    while let NextQuery::Fetch(range) = next {
        let (uids, status) = answer(&range);
        asked.push(range);
        for uid in uids {
            inventory.take(&line(&format!("* 1 FETCH (UID {uid})")));
        }
        next = inventory.ended(&status);
    }
    assert_eq!(next, NextQuery::Done(Extent::Whole), "{asked:?}");
    asked
}

#[test]
fn a_server_that_takes_a_part_is_asked_for_the_rest() {
    let ok = status(Condition::Ok);
    let ends = |code: &str| limited(Condition::Ok, code);
    // From above, with and without the UID at which it stopped.
    for code in ["MESSAGELIMIT 2 50", "messagelimit 2"] {
        let mut parts = vec![
            (vec![40, 30], ends(&code.replace("50", "30"))),
            (vec![60, 50], ends(code)),
        ];
        let asked = walk(&mut of(5, &[]), |_| {
            parts.pop().unwrap_or((vec![7], ok.clone()))
        });
        assert_eq!(asked, ["1:*", "1:49", "1:29"], "{code}");
    }
    // From below.
    let mut parts = vec![
        (vec![50, 60], ok.clone()),
        (vec![30, 40], ends("MESSAGELIMIT 2 40")),
        (vec![7, 9], ends("MESSAGELIMIT 2 9")),
    ];
    let asked = walk(&mut of(6, &[]), |_| parts.pop().expect("no more"));
    assert_eq!(asked, ["1:*", "10:*", "41:*"]);
}

#[test]
fn a_server_that_refuses_too_many_is_asked_for_fewer() {
    for condition in [Condition::No, Condition::Bad] {
        let held = [2, 3, 17, 18, 19, 40];
        let mut inventory = Inventory::from(1);
        inventory.opened(&Selected {
            exists: 6,
            uidnext: 42,
            ..Selected::default()
        });
        let asked = walk(&mut inventory, |range| {
            let (first, last) = range.split_once(':').expect("a range");
            let last = last.parse().unwrap_or(LAST);
            let first: u32 = first.parse().expect("a UID");
            let mut uids = held.to_vec();
            uids.retain(|uid| (first..=last).contains(uid));
            if last.saturating_sub(first) >= 10 {
                (Vec::new(), limited(condition, "MESSAGELIMIT 10"))
            } else {
                (uids, status(Condition::Ok))
            }
        });
        assert_eq!(asked, ["1:*", "32:41", "22:31", "12:21", "2:11"]);
    }
}

#[test]
fn a_limit_that_leads_nowhere_ends_the_asking() {
    let same = limited(Condition::Ok, "MESSAGELIMIT 1 9");
    let no = limited(Condition::No, "MESSAGELIMIT 1");
    let mut short = of(3, &[9]);
    assert_eq!(short.ended(&same), NextQuery::Fetch("1:8".to_owned()));
    assert_eq!(short.ended(&no), NextQuery::Fetch("8:8".to_owned()));
    let mut asked = 0;
    while let NextQuery::Fetch(_) = short.ended(&no) {
        asked += 1;
        assert!(asked < 20);
    }
}

#[test]
fn a_part_that_is_none_and_one_that_was_asked_for_already_are_not_asked_for() {
    // It stopped at the very first UID: nothing lies below.
    let mut short = of(3, &[5, 1]);
    let stopped = limited(Condition::Ok, "MESSAGELIMIT 2 1");
    assert_eq!(short.ended(&stopped), NextQuery::Search);
    assert_eq!(short.ended(&stopped), NextQuery::Done(short.extent()));
    // It names again what it had named.
    let mut short = of(3, &[9]);
    let stopped = limited(Condition::Ok, "MESSAGELIMIT 1 9");
    assert_eq!(short.ended(&stopped), NextQuery::Fetch("1:8".to_owned()));
    short.take(&line("* 1 FETCH (UID 9)"));
    assert_eq!(short.ended(&stopped), NextQuery::Search);
}

#[test]
fn a_limit_counts_below_the_window_too() {
    let mut short = of(4, &[8, 9]);
    let ok = status(Condition::Ok);
    assert_eq!(short.ended(&ok), NextQuery::Search);
    assert_eq!(short.ended(&ok), NextQuery::Fetch("1:7".to_owned()));
    let limit = limited(Condition::No, "MESSAGELIMIT 3");
    assert_eq!(short.ended(&limit), NextQuery::Fetch("5:7".to_owned()));
    assert_eq!(short.ended(&ok), NextQuery::Fetch("2:4".to_owned()));
}

/// How many commands a server gets that names one message more at each, and always the highest asked for.
fn commands(status: impl Fn(u32) -> StatusResponse) -> u32 {
    let highest = 1_000_000;
    let mut inventory = Inventory::from(1);
    inventory.opened(&Selected {
        exists: 2_000_000,
        ..Selected::default()
    });
    let mut next = NextQuery::Fetch(inventory.range());
    let mut commands = 0;
    while !matches!(next, NextQuery::Done(_)) {
        commands += 1;
        let mut last = highest;
        if let NextQuery::Fetch(range) = &next {
            let asked = range.rsplit(':').next().and_then(|last| last.parse().ok());
            last = asked.unwrap_or(highest);
            inventory.name(last);
        }
        next = inventory.ended(&status(last));
    }
    commands
}

#[test]
fn no_server_is_asked_for_ever() {
    assert_eq!(commands(|_| status(Condition::Ok)), MAX_ASKED);
    let part = |last| limited(Condition::Ok, &format!("MESSAGELIMIT 1 {last}"));
    // The last one is a SEARCH.
    assert_eq!(commands(part), MAX_STEPS + 1);
}
