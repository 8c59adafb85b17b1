//! Messages of a server that gives them whole, not at all, or only when they are asked for alone.

use std::collections::BTreeMap;

use super::*;
use crate::session::tests::Scripted;

/// The set of a FETCH of whole messages.
fn asked(command: &str) -> Option<Vec<u32>> {
    let rest = command.strip_prefix("UID FETCH ")?;
    let (set, items) = rest.split_once(' ')?;
    assert!(items.contains("BODY.PEEK[]"), "{command}");
    let set: UidSet = set.parse().expect("a set");
    Some(set.iter().collect())
}

fn line(uid: u32) -> String {
    format!(
        "* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] \"To: {}\")\n",
        uid % 10
    )
}

fn usual(command: &str) -> String {
    let Some(uids) = asked(command) else {
        return "* 9 EXISTS\nOK open".to_owned();
    };
    uids.into_iter().map(line).collect::<String>() + "OK done"
}

/// What was read of each message.
type Found = BTreeMap<u32, std::result::Result<Print, String>>;

/// Each is handed over once.
fn read_from(server: &mut Scripted, uids: &str, trouble: &mut Trouble) -> anyhow::Result<Found> {
    let mut found = BTreeMap::new();
    let uids = uids.parse().expect("a set");
    read(&mut server.channel, b"Box", &uids, trouble, |uid, print| {
        assert!(found.insert(uid, print).is_none(), "{uid} twice");
        Ok(())
    })?;
    Ok(found)
}

fn read_once(
    uids: &str,
    other: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (Found, Vec<Vec<u32>>) {
    let mut server = Scripted::new("", move |command| {
        Some(other(command).unwrap_or_else(|| usual(command)))
    });
    let found = read_from(&mut server, uids, &mut Trouble::default());
    let heard = server.heard();
    let sets = heard.iter().filter_map(|command| asked(command)).collect();
    (found.expect("a connection"), sets)
}

/// It is this message and no other.
#[track_caller]
fn assert_is(uid: u32, print: &std::result::Result<Print, String>) {
    let print = print.as_ref().expect("read");
    let text = format!("To: {}", uid % 10);
    assert_eq!(print.head, text.as_bytes());
    assert_eq!((print.length, print.cut_from), (5, None));
}

#[track_caller]
fn assert_all(found: &Found) {
    for (uid, print) in found {
        assert_is(*uid, print);
    }
}

#[test]
fn messages_are_read_in_few_commands_and_each_is_handed_over() {
    let (found, sets) = read_once("1:450", |_| None);
    assert_eq!(found.len(), 450);
    assert_all(&found);
    let sizes: Vec<usize> = sets.iter().map(Vec::len).collect();
    assert_eq!(sizes, [200, 200, 50]);
    let (found, sets) = read_once("", |_| None);
    assert!(found.is_empty() && sets.is_empty());
}

#[test]
fn what_a_command_does_not_bring_is_asked_for_alone_and_else_told_with_its_reason() {
    let (found, sets) = read_once("1:4", |command| {
        let uids = asked(command)?;
        // The second comes alone only, the third never, the fourth is refused.
        let mut text = String::new();
        for uid in &uids {
            match uid {
                2 if uids.len() > 1 => {}
                3 => {}
                4 => text += "* 4 FETCH (UID 4 FLAGS () INTERNALDATE NIL BODY[] NIL)\n",
                uid => text += &line(*uid),
            }
        }
        let is_third = uids == [3];
        Some(
            text + if is_third {
                "NO [SERVERBUG] broken"
            } else {
                "OK done"
            },
        )
    });
    assert_eq!(sets, [vec![1, 2, 3, 4], vec![2], vec![3]]);
    assert_is(1, &found[&1]);
    assert_is(2, &found[&2]);
    let reason = |uid: u32| found[&uid].as_ref().err().expect("not read").clone();
    assert!(reason(3).contains("broken"), "{}", reason(3));
    assert!(reason(4).contains("NIL"), "{}", reason(4));
    let (found, _) = read_once("7", |command| {
        asked(command).map(|_| "OK nothing".to_owned())
    });
    let reason = found[&7].as_ref().err().expect("not read");
    assert!(reason.contains("without it"), "{reason}");
}

#[test]
fn what_is_not_asked_for_is_not_taken() {
    let (found, _) = read_once("2,3", |command| {
        asked(command).map(|_| (1..5).map(line).collect::<String>() + "OK done")
    });
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn of_a_mailbox_that_cannot_be_opened_nothing_is_read_whatever_comes() {
    let (found, sets) = read_once("1:3", |command| {
        command
            .starts_with("EXAMINE")
            .then(|| "NO closed today".to_owned())
    });
    assert_eq!(found.len(), 3);
    for print in found.values() {
        let reason = print.as_ref().err().expect("another mailbox's");
        assert!(reason.contains("closed today"), "{reason}");
    }
    assert!(sets.len() <= 1, "{sets:?}");
}

#[test]
fn a_server_that_takes_few_messages_at_a_time_gives_all() {
    for (most, from_below, refuses) in [(2, true, false), (2, false, false), (3, true, true)] {
        let (found, sets) = read_once("1:7", move |command| {
            let mut uids = asked(command)?;
            if uids.len() <= most {
                return None;
            }
            if refuses {
                return Some(format!("NO [MESSAGELIMIT {most}] too many"));
            }
            if !from_below {
                uids.reverse();
            }
            let taken = &uids[..most];
            let text: String = taken.iter().map(|uid| line(*uid)).collect();
            Some(text + &format!("OK [MESSAGELIMIT {most} {}] enough", taken[most - 1]))
        });
        assert_eq!(found.len(), 7);
        assert_all(&found);
        assert!(sets.len() < 6, "{sets:?}");
    }
    // One that takes none, whatever is asked for, is not asked for ever.
    let (found, sets) = read_once("1:3", |command| {
        asked(command).map(|_| "OK [MESSAGELIMIT 5] none".to_owned())
    });
    assert!(found.len() == 3 && found.values().all(std::result::Result::is_err));
    assert!(sets.len() < 6, "{sets:?}");
}

#[test]
fn a_message_comes_without_its_date_or_shorter_than_its_server_says() {
    let (found, _) = read_once("1,2", |command| {
        let uids = asked(command)?;
        let of = |uid: &u32| match uid {
            1 => "* 1 FETCH (UID 1 FLAGS () BODY[] \"To: 1\")\n",
            _ => "* 2 FETCH (UID 2 FLAGS () INTERNALDATE NIL RFC822.SIZE 2001 BODY[] \"To: 2\")\n",
        };
        Some(uids.iter().map(of).collect::<String>() + "OK done")
    });
    assert_is(1, &found[&1]);
    let cut = found[&2].as_ref().expect("read");
    assert_eq!((cut.cut_from, cut.length), (Some(2001), 5));
    // Its header may be cut off, too.
    assert!(cut.identity(None).is_none());
}

/// What follows a body that is longer than announced may be its own text, up to the end of the next command.
#[test]
fn a_body_of_another_length_than_announced_costs_its_message_and_no_other() {
    let mut server = Scripted::new("", |command| {
        if command == "NOOP" {
            return Some("OK done".to_owned());
        }
        let odd = "* 2 FETCH (UID 2 FLAGS () INTERNALDATE NIL BODY[] {3}\n* abc)\n";
        Some(usual(command).replace(&line(2), odd))
    });
    let mut trouble = Trouble::default();
    let found = read_from(&mut server, "1:4", &mut trouble).expect("a connection");
    for uid in [1, 3, 4] {
        assert_is(uid, &found[&uid]);
    }
    let reason = found[&2].as_ref().err().expect("not read");
    assert!(reason.contains("makes no sense"), "{reason}");
    let heard = server.heard();
    let sets: Vec<Vec<u32>> = heard.iter().filter_map(|command| asked(command)).collect();
    assert_eq!(sets, [vec![1, 2, 3, 4], vec![3, 4], vec![2]]);
    // Where nobody knows what is read next, the connection ends.
    let mut server = Scripted::new("", |command| {
        let odd = "* 2 FETCH (UID 2 FLAGS () INTERNALDATE NIL BODY[] {3}\n* abc)\n";
        (command != "NOOP").then(|| usual(command).replace(&line(2), odd))
    });
    let lost = read_from(&mut server, "1:4", &mut Trouble::default());
    assert!(lost.is_err());
}

#[test]
fn a_message_that_ends_the_connection_is_asked_for_alone_and_then_no_more() {
    let mut trouble = Trouble::default();
    let mut deaths = Vec::new();
    let found = loop {
        let mut server = Scripted::new("", |command| {
            let is_deadly = asked(command).is_some_and(|uids| uids.contains(&3));
            (!is_deadly).then(|| usual(command))
        });
        match read_from(&mut server, "1:4", &mut trouble) {
            Ok(found) => break found,
            Err(_) => deaths.push(server.heard().len()),
        }
        assert!(deaths.len() < 10 && trouble.take_news());
    };
    for uid in [1, 2, 4] {
        assert_is(uid, &found[&uid]);
    }
    assert!(found[&3].is_err());
    let suspects = trouble.of(b"Box").expect("known");
    assert!(suspects.bodies().over(3).is_some() && suspects.headers().over(3).is_none());
}

#[test]
fn a_server_that_wants_to_be_left_alone_has_not_refused_a_message() {
    let mut server = Scripted::new("", |command| {
        Some(match asked(command) {
            Some(_) => "NO [THROTTLED] too many requests".to_owned(),
            None => usual(command),
        })
    });
    let found = read_from(&mut server, "1:4", &mut Trouble::default());
    assert!(found.is_err());
}

#[test]
fn the_header_is_what_stands_before_the_first_empty_line_however_it_comes() {
    for (mail, header) in [
        ("To: x\r\nCc: y\r\n\r\none\r\n\r\ntwo", "To: x\r\nCc: y\r\n"),
        ("To: x\nCc: y\n\none\n\ntwo", "To: x\nCc: y\n"),
        ("To: x\r\n\r\n", "To: x\r\n"),
        ("To: x", "To: x"),
        ("", ""),
    ] {
        for size in 1..=mail.len().max(1) {
            let mut sink = Sink::default();
            sink.write(b"another one").expect("taken");
            sink.begin(0).expect("begun");
            for piece in mail.as_bytes().chunks(size) {
                sink.write(piece).expect("taken");
            }
            let print = sink.0;
            assert_eq!(
                print.head.escape_ascii().to_string(),
                header.escape_default().to_string()
            );
            assert_eq!(print.length, mail.len() as u64);
            let identity = Identity::of(mail.as_bytes(), print.length, Some(5));
            assert_eq!(
                print.identity(Some(5)),
                Some(identity),
                "{mail:?} by {size}"
            );
        }
    }
}

#[test]
fn a_header_beyond_all_bounds_is_cut_and_makes_nobody_known() {
    let mut print = Print::default();
    print.feed(&vec![b'x'; HEAD - 1]);
    assert!(print.identity(None).is_some());
    print.feed(b"xyz");
    assert_eq!((print.head.len(), print.length), (HEAD, HEAD as u64 + 2));
    assert!(print.identity(None).is_none());
    print.feed(b"\r\n\r\n");
    assert_eq!(print.head.len(), HEAD);
    assert!(print.identity(None).is_none());
}
