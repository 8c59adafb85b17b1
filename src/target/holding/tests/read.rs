//! Mailboxes of a server that shows them whole, in parts, message by message, or not at all.

use super::*;
use crate::session::tests::Scripted;
use crate::target::trouble::Trouble;

const DATE: &str = "14-Nov-2023 22:13:20 +0000";
const TIME: i64 = 1_700_000_000;

/// The set and the items of a FETCH by UID.
fn asked(command: &str) -> Option<(&str, &str)> {
    command.strip_prefix("UID FETCH ")?.split_once(' ')
}

fn is_in(set: &str, uid: u32) -> bool {
    set.split(',').any(|part| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        (number(from)..=number(to)).contains(&uid)
    })
}

/// What a server says of its messages with these UIDs.
fn lines(command: &str, uids: impl IntoIterator<Item = u32>) -> String {
    let Some((set, items)) = asked(command) else {
        return String::new();
    };
    let mut text = String::new();
    for (number, uid) in (1..).zip(uids) {
        if !is_in(set, uid) {
            continue;
        }
        let mut words = vec![format!("* {number} FETCH (UID {uid}")];
        for (item, said) in [
            ("FLAGS", format!("FLAGS ($of{uid})")),
            ("RFC822.SIZE", format!("RFC822.SIZE {}", 20 + uid)),
            ("INTERNALDATE", format!("INTERNALDATE \"{DATE}\"")),
            ("HEADER", format!("BODY[HEADER.FIELDS (TO)] \"To: {uid}\"")),
            ("BODY.PEEK[]", format!("BODY[] \"To: {uid}\"")),
        ] {
            if items.contains(item) {
                words.push(said);
            }
        }
        text += &(words.join(" ") + ")\n");
    }
    text
}

/// The same, and all else as any server does.
fn usual(command: &str, uids: &[u32]) -> String {
    if command.starts_with("EXAMINE") {
        let numbers = "* OK [UIDVALIDITY 7] x\n* OK [UIDNEXT 10] x";
        return format!("* {} EXISTS\n{numbers}\nOK open", uids.len());
    }
    if command.starts_with("UID SEARCH") {
        let uids: Vec<String> = uids.iter().map(u32::to_string).collect();
        return format!("* SEARCH {}\nOK done", uids.join(" "));
    }
    format!("{}OK done", lines(command, uids.iter().copied()))
}

const WITH_FLAGS: MailboxQuery = MailboxQuery {
    which: Which::All,
    detail: Detail::Flags,
};

fn holding_of(server: &mut Scripted, trouble: &mut Trouble) -> Result<Result<Holding, String>> {
    read_with(&mut server.channel, b"Box", WITH_FLAGS, trouble)
}

/// Reads a mailbox of three messages from a server that answers in its own way where `other` does.
fn read_from(other: impl Fn(&str) -> Option<String> + Send + 'static) -> (Holding, Vec<String>) {
    let mut server = Scripted::new("", move |command| {
        Some(other(command).unwrap_or_else(|| usual(command, &[3, 5, 9])))
    });
    let found = holding_of(&mut server, &mut Trouble::default());
    let holding = found.expect("a connection").expect("open");
    (holding, server.heard())
}

/// All three with all that was said of them, and of no other.
fn assert_whole(holding: &Holding) {
    assert_eq!(
        (holding.uidvalidity, holding.uidnext, holding.exists),
        (7, 10, 3)
    );
    assert_eq!(holding.shortfall(), None);
    let uids: Vec<u32> = holding.messages.iter().map(|there| there.uid).collect();
    assert_eq!(uids, [3, 5, 9]);
    for (at, there) in holding.messages.iter().enumerate() {
        let identity = Identity::of(format!("To: {}", there.uid).as_bytes(), 0, None);
        assert_eq!(there.identity, Some(identity), "{}", there.uid);
        assert_eq!(there.time, Some(TIME));
        assert_eq!(there.size, Some(20 + u64::from(there.uid)));
        let flags = holding.shown_flags(at);
        assert_eq!(flags, Some(format!("$of{}", there.uid)));
    }
}

fn is_header(command: &str) -> bool {
    asked(command).is_some_and(|(_, items)| items.contains("HEADER"))
}

#[test]
fn mailboxes_are_handed_over_by_their_numbers_however_many_there_are() {
    let names: Vec<Vec<u8>> = (0..40).map(|n| format!("Box{n}").into_bytes()).collect();
    let mut open = 0;
    let mut server = Scripted::new("", move |command| {
        if let Some((_, name)) = command.split_once(" \"Box") {
            open = name.trim_end_matches('"').parse().expect("a number");
        }
        // One is closed, and the others hold what their numbers say.
        if open == 23 && command.starts_with("EXAMINE") {
            return Some("NO closed".to_owned());
        }
        let uids: Vec<u32> = (1..=open % 3).collect();
        Some(usual(command, &uids))
    });
    let mut found: BTreeMap<usize, Option<usize>> = BTreeMap::new();
    let query = MailboxQuery {
        detail: Detail::Identity,
        ..WITH_FLAGS
    };
    let read = read(
        &mut server.channel,
        &names,
        query,
        &mut Trouble::default(),
        |number, _, there, _| {
            let known = found.insert(number, there.ok().map(|there| there.messages.len()));
            assert_eq!(known, None, "{number} twice");
            Ok(())
        },
    );
    read.expect("a connection");
    let expected = (0..40).map(|n| (n, (n != 23).then_some(n % 3))).collect();
    assert_eq!(found, expected);
    let asked = server.heard();
    assert!(asked.iter().all(|command| !command.contains("FLAGS")));
    // Each was asked for at once, but for the one that is closed.
    assert!(asked.len() <= 83, "{}", asked.len());
}

#[test]
fn what_one_flight_shows_is_whole_in_any_order_and_in_parts_of_a_line() {
    let (holding, heard) = read_from(|_| None);
    assert_whole(&holding);
    assert_eq!(heard.len(), 2, "{heard:?}");
    let (holding, heard) = read_from(|command| {
        is_header(command).then(|| {
            let text = lines(command, [3, 5, 9]);
            let backwards: Vec<&str> = text.lines().rev().collect();
            let again = backwards.join("\n").replace(" BODY[", ")\n* X BODY[");
            let apart = again.replace("* X", "* 1 FETCH (UID 9");
            let mut uids = ["UID 9 ", "UID 5 ", "UID 3 "].into_iter().cycle();
            let lines = apart.lines().map(|line| {
                if line.contains("FLAGS") {
                    line.to_owned()
                } else {
                    line.replace("UID 9 ", uids.next().expect("endless"))
                }
            });
            lines.collect::<Vec<_>>().join("\n") + "\nOK done"
        })
    });
    assert_whole(&holding);
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[test]
fn what_the_first_answer_does_not_show_is_asked_for_in_parts() {
    // The first answer names one, the next all but the last, which SEARCH names.
    let (holding, heard) = read_from(|command| {
        let (set, _) = asked(command)?;
        let uids: &[u32] = match is_header(command) {
            true if set == "1:*" => &[3],
            true => &[3, 5, 9],
            false => &[3, 5],
        };
        Some(lines(command, uids.iter().copied()) + "OK done")
    });
    assert_whole(&holding);
    let sets: Vec<&str> = heard.iter().filter_map(|one| Some(asked(one)?.0)).collect();
    assert_eq!(sets, ["1:*", "1:*", "3,5,9"]);
    // A refusal is no answer.
    let (holding, _) = read_from(|command| {
        let refused = asked(command).is_some_and(|(set, _)| set == "1:*");
        refused.then(|| "NO too much".to_owned())
    });
    assert_whole(&holding);
}

#[test]
fn a_header_that_is_left_out_is_asked_for_alone_and_looked_for_in_the_message() {
    for comes_alone in [true, false] {
        let (holding, heard) = read_from(move |command| {
            let (set, _) = asked(command)?;
            let shown: &[u32] = match is_header(command) {
                true if set == "5" && comes_alone => &[3, 5, 9],
                true => &[3, 9],
                false => &[3, 5, 9],
            };
            Some(lines(command, shown.iter().copied()) + "OK done")
        });
        let whole: Vec<&String> = heard
            .iter()
            .filter(|one| one.contains("BODY.PEEK[]"))
            .collect();
        assert_eq!(whole.is_empty(), comes_alone, "{heard:?}");
        if comes_alone {
            assert_whole(&holding);
        } else {
            let five = &holding.messages[1];
            let identity = Identity::of(b"To: 5", 0, None);
            // It was read whole, so its length is known.
            assert_eq!(
                (five.identity, five.size, five.time),
                (Some(identity), Some(5), Some(TIME))
            );
            assert_eq!(holding.shown_flags(1).as_deref(), Some("$of5"));
        }
    }
}

#[test]
fn a_message_without_a_header_is_known_by_its_length_and_date() {
    let (holding, _) = read_from(|command| {
        asked(command)?;
        let text = lines(command, [3, 5, 9]);
        let text = text.replace(
            "\"To: 5\"",
            if is_header(command) {
                "\"\""
            } else {
                "\"none\""
            },
        );
        Some(text + "OK done")
    });
    let five = &holding.messages[1];
    assert_eq!(five.identity, Some(Identity::of(b"", 4, Some(TIME))));
    assert_eq!((five.size, five.time), (Some(4), Some(TIME)));
    let three = Identity::of(b"To: 3", 0, None);
    assert_eq!(holding.messages[0].identity, Some(three));
}

#[test]
fn of_what_only_a_search_names_the_date_is_asked_for_and_the_rest_is_unknown() {
    let dates = "(UID FLAGS INTERNALDATE)";
    for shows_dates in [true, false] {
        let (holding, _) = read_from(move |command| {
            let (_, items) = asked(command)?;
            let shown: &[u32] = match items {
                items if items == dates && shows_dates => &[3, 5, 9],
                _ => &[3, 9],
            };
            Some(lines(command, shown.iter().copied()) + "OK done")
        });
        let five = &holding.messages[1];
        let time = shows_dates.then_some(TIME);
        assert_eq!(
            (five.uid, five.identity, five.size, five.time),
            (5, None, None, time)
        );
        assert_eq!(holding.unread().collect::<Vec<_>>(), [5]);
        assert_eq!(holding.shortfall(), None);
        // Flags that nobody said are neither lost nor there.
        let lost = holding.lost_flags("\\Seen", 1);
        assert_eq!(lost.is_empty(), !shows_dates, "{lost:?}");
    }
}

#[test]
fn what_is_counted_and_named_by_nothing_is_missing_in_the_inventory_and_said() {
    let (holding, _) = read_from(|command| match command {
        "UID SEARCH ALL" => Some("* SEARCH 3 9\nOK done".to_owned()),
        _ => asked(command).map(|_| lines(command, [3, 9]) + "OK done"),
    });
    assert_eq!(holding.shortfall(), Some((3, 2)));
    let mut server = Scripted::new("", |command| {
        let refuses = command.starts_with("EXAMINE");
        Some(if refuses { "NO not now" } else { "BAD closed" }.to_owned())
    });
    let found = holding_of(&mut server, &mut Trouble::default()).expect("a connection");
    assert!(found.err().is_some_and(|words| words.contains("not now")));
}

#[test]
fn a_server_that_takes_few_messages_at_a_time_is_asked_for_few() {
    for (most, refuses) in [(1, false), (2, false), (2, true), (1, true)] {
        let (holding, heard) = read_from(move |command| {
            let (set, _) = asked(command)?;
            let wanted: Vec<u32> = [3, 5, 9]
                .into_iter()
                .filter(|uid| is_in(set, *uid))
                .collect();
            if wanted.len() <= most {
                return None;
            }
            if refuses {
                return Some(format!("NO [MESSAGELIMIT {most}] too many"));
            }
            // The highest are taken.
            let taken = wanted[wanted.len() - most..].to_vec();
            let said = format!("OK [MESSAGELIMIT {most} {}] that is all", taken[0]);
            let numbered = lines(command, [3, 5, 9]);
            let shown = numbered.lines().filter(|line| {
                taken
                    .iter()
                    .any(|uid| line.contains(&format!("UID {uid} ")))
            });
            Some(shown.chain([said.as_str()]).collect::<Vec<_>>().join("\n"))
        });
        assert_whole(&holding);
        assert!(heard.len() < 30, "{heard:?}");
    }
}

#[test]
fn what_ends_the_connection_is_asked_for_alone_and_then_no_more() {
    let deadly = |command: &str| {
        let asks = asked(command).filter(|(_, items)| items.contains("BODY"));
        match asks {
            Some((set, _)) if is_in(set, 5) => None,
            _ => Some(usual(command, &[3, 5, 9])),
        }
    };
    let mut trouble = Trouble::default();
    let mut deaths = 0;
    let holding = loop {
        let mut server = Scripted::new("", deadly);
        match holding_of(&mut server, &mut trouble) {
            Ok(found) => break found.expect("open"),
            Err(_) => deaths += 1,
        }
        assert!(deaths < 10 && trouble.take_news(), "{deaths}");
    };
    let known: Vec<(u32, bool, Option<u64>)> = holding
        .messages
        .iter()
        .map(|there| (there.uid, there.identity.is_some(), there.size))
        .collect();
    assert_eq!(
        known,
        [
            (3, true, Some(23)),
            (5, false, Some(25)),
            (9, true, Some(29))
        ]
    );
    // Opened again, it is not asked for.
    let mut server = Scripted::new("", deadly);
    let again = holding_of(&mut server, &mut trouble).expect("a connection");
    assert_eq!(again.expect("open").messages.len(), 3);
}

#[test]
fn where_sizes_end_the_connection_the_messages_are_named_by_a_search() {
    let mut trouble = Trouble::default();
    for _ in 0..2 {
        let mut server = Scripted::new("", |command| {
            let sizes = command.contains("RFC822.SIZE");
            (!sizes).then(|| usual(command, &[3, 5]))
        });
        holding_of(&mut server, &mut trouble).err().expect("lost");
    }
    let mut server = Scripted::new("", |command| {
        let all = command.starts_with("UID FETCH 1:*");
        (!all).then(|| usual(command, &[3, 5, 9]))
    });
    let holding = holding_of(&mut server, &mut trouble).expect("a connection");
    assert_whole(&holding.expect("open"));
}

#[test]
fn a_server_that_wants_to_be_left_alone_has_said_nothing_of_its_mail() {
    let mut server = Scripted::new("", |command| {
        Some(match asked(command) {
            Some(_) => "NO [THROTTLED] too many requests".to_owned(),
            None => usual(command, &[3, 5, 9]),
        })
    });
    let found = holding_of(&mut server, &mut Trouble::default());
    assert!(found.is_err());
}

#[test]
fn a_mailbox_of_unknown_number_is_counted_by_status() {
    let uncounted = |status: &'static str| {
        move |command: &str| {
            if command.starts_with("STATUS") {
                return Some(format!("* STATUS Box ({status})\nOK done"));
            }
            let usual = usual(command, &[3, 5, 9]);
            Some(usual.replace("* 3 EXISTS\n", ""))
        }
    };
    let mut server = Scripted::new("", uncounted("MESSAGES 3"));
    let found = holding_of(&mut server, &mut Trouble::default()).expect("a connection");
    assert_whole(&found.expect("open"));
    let mut server = Scripted::new("", uncounted("UIDNEXT 10"));
    let found = holding_of(&mut server, &mut Trouble::default()).expect("a connection");
    assert!(found.is_err());
}

#[test]
fn a_mailbox_that_was_listed_with_messages_is_not_empty_before_it_was_asked_twice() {
    for (listed, status, exists, asks) in [
        (Some(4), "MESSAGES 4", 4, true),
        (Some(4), "MESSAGES 0", 0, true),
        (Some(0), "MESSAGES 4", 0, false),
        (None, "MESSAGES 4", 0, false),
    ] {
        let mut server = Scripted::new("", move |_| {
            Some(format!("* STATUS Box ({status})\nOK done"))
        });
        let mut holding = Holding::default();
        let doubted = holding.doubt_emptiness(&mut server.channel, b"Box", listed);
        doubted.expect("a connection");
        assert_eq!((holding.exists, server.heard().len() == 1), (exists, asks));
        let mut holding = of(&[3]);
        let doubted = holding.doubt_emptiness(&mut server.channel, b"Box", listed);
        doubted.expect("a connection");
        assert_eq!(holding.exists, 1);
    }
}
