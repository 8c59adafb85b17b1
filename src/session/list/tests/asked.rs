//! What a server is asked, by what it offers and says.

use super::*;
use crate::session::tests::Scripted;

const LISTED: &str = "* LIST () \"/\" INBOX\n* LIST () \"/\" Sent\nOK listed";
const PLAIN: &str = "(MESSAGES UIDNEXT UIDVALIDITY)";

/// Answers LIST and STATUS as any server does; `None` for what is none of them.
fn usual(command: &str) -> Option<String> {
    if let Some(rest) = command.strip_prefix("STATUS ") {
        let (name, _) = rest.split_once(" (").expect("items");
        return Some(format!(
            "* STATUS {name} (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\nOK done"
        ));
    }
    (command == r#"LIST "" "*""#).then(|| LISTED.to_owned())
}

/// A server that answers so, and all else as it is told.
fn usual_server(offered: &str, other: impl Fn(&str) -> &'static str + Send + 'static) -> Scripted {
    Scripted::new(offered, move |command| {
        Some(usual(command).unwrap_or_else(|| other(command).to_owned()))
    })
}

fn of<'a>(listing: &'a Listing, name: &str) -> &'a Mailbox {
    let mut all = listing.mailboxes.iter();
    all.find(|one| one.listed.name.text() == name)
        .expect("a mailbox of this name")
}

fn names(listing: &Listing) -> Vec<&str> {
    let all = listing.mailboxes.iter();
    all.map(|one| one.listed.name.text()).collect()
}

fn subscribed(listing: &Listing) -> Vec<&str> {
    let all = listing.mailboxes.iter().filter(|one| one.subscribed);
    all.map(|one| one.listed.name.text()).collect()
}

#[test]
fn what_is_asked_beside_list_is_what_the_server_offers() {
    let sizes = StatusItems::WithSize;
    for (offered, numbers, returned, status) in [
        ("", sizes, None, Some(PLAIN)),
        ("SPECIAL-USE", sizes, None, Some(PLAIN)),
        ("LIST-EXTENDED", sizes, None, Some(PLAIN)),
        (
            "SPECIAL-USE LIST-EXTENDED",
            sizes,
            Some("SPECIAL-USE"),
            Some(PLAIN),
        ),
        (
            "LIST-STATUS",
            sizes,
            Some("STATUS (MESSAGES UIDNEXT UIDVALIDITY)"),
            None,
        ),
        (
            "IMAP4REV2",
            sizes,
            Some("SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY)"),
            None,
        ),
        (
            "CONDSTORE",
            sizes,
            None,
            Some("(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"),
        ),
        (
            "QRESYNC",
            sizes,
            None,
            Some("(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"),
        ),
        (
            "STATUS=SIZE",
            sizes,
            None,
            Some("(MESSAGES UIDNEXT UIDVALIDITY SIZE)"),
        ),
        ("STATUS=SIZE", StatusItems::Plain, None, Some(PLAIN)),
    ] {
        let mut server = usual_server(offered, |_| "OK done");
        list(&mut server.channel, numbers, |_| true).expect("listed");
        let mut wanted = vec![r#"LIST "" "*""#.to_owned(), r#"LSUB "" "*""#.to_owned()];
        wanted.extend(returned.map(|what| format!(r#"LIST "" "*" RETURN ({what})"#)));
        if let Some(items) = status {
            wanted.extend(["INBOX", "Sent"].map(|name| format!("STATUS \"{name}\" {items}")));
        }
        assert_eq!(server.heard(), wanted, "{offered}");
    }
}

#[test]
fn uses_that_a_server_tells_on_request_only_are_known() {
    let mut server = usual_server("SPECIAL-USE LIST-EXTENDED", |command| {
        let uses = "* LIST (\\Sent) \"/\" Sent\n* LIST () \"/\" INBOX\nOK listed";
        if command.contains("RETURN") {
            uses
        } else {
            "OK done"
        }
    });
    let listing = list(&mut server.channel, StatusItems::Plain, |_| true).expect("listed");
    assert_eq!(of(&listing, "Sent").listed.attributes, ["\\Sent"]);
    let status = of(&listing, "Sent").status.as_ref().expect("asked for");
    assert_eq!(status.messages, Some(3));
}

#[test]
fn numbers_that_come_with_the_list_are_not_asked_for_again_and_others_of_what_is_wanted_only() {
    let mut server = usual_server("LIST-STATUS", |command| {
        let numbers = "* LIST () \"/\" Sent\n* STATUS Sent (MESSAGES 5)\nOK listed";
        if command.contains("RETURN") {
            numbers
        } else {
            "OK done"
        }
    });
    let listing = list(&mut server.channel, StatusItems::Plain, |_| true).expect("listed");
    let status = of(&listing, "Sent").status.as_ref().expect("told");
    assert_eq!(status.messages, Some(5));
    assert!(of(&listing, "INBOX").status.is_none());
    assert_eq!(server.heard().len(), 3);

    let mut server = usual_server("", |_| "OK done");
    let sent = |listed: &Listed| listed.name.text() == "Sent";
    let listing = list(&mut server.channel, StatusItems::Plain, sent).expect("listed");
    assert!(of(&listing, "INBOX").status.is_none());
    assert!(of(&listing, "Sent").status.is_some());
}

#[test]
fn each_of_many_mailboxes_gets_its_numbers_and_each_look_its_message() {
    let name = |at: usize| format!("box{at}");
    let mut opened = String::new();
    let mut server = Scripted::new("", move |command| {
        if command == r#"LIST "" "*""# {
            let lines = (0..300).map(|at| format!("* LIST () \"/\" {}\n", name(at)));
            return Some(lines.collect::<String>() + "* LIST () \"/\" INBOX\nOK listed");
        }
        if let Some(at) = command.strip_prefix("EXAMINE \"box") {
            opened = at.trim_end_matches('"').to_owned();
            return Some(format!(
                "* OK [UIDVALIDITY {}] valid\nOK opened",
                1000 + opened.parse::<u32>().expect("a number")
            ));
        }
        if command.starts_with("UID FETCH") {
            return Some(format!(
                "* 1 FETCH (UID 4 RFC822.SIZE 1{opened})\nOK fetched"
            ));
        }
        Some(usual(command).unwrap_or_else(|| "OK done".to_owned()))
    });
    let glances: Vec<Glance> = (0..300)
        .map(|at| Glance {
            mailbox: Name::listed(name(at).into_bytes()),
            uid: 4,
        })
        .collect();
    let (listing, seen) =
        glance(&mut server.channel, StatusItems::Plain, |_| true, &glances).expect("listed");
    assert!(listing.mailboxes.iter().all(|one| one.status.is_some()));
    assert_eq!(listing.mailboxes.len(), 301);
    let seen: Vec<(u32, Option<u64>)> = seen
        .iter()
        .map(|seen| seen.as_ref().expect("seen"))
        .map(|seen| (seen.uidvalidity, seen.message.size))
        .collect();
    let wanted: Vec<(u32, Option<u64>)> = (0..300_u32)
        .map(|at| (1000 + at, format!("1{at}").parse().ok()))
        .collect();
    assert_eq!(seen, wanted);
}

#[test]
fn without_lsub_subscriptions_are_those_that_list_tells() {
    let none = "it lists mailboxes and calls none of them subscribed";
    let both = "* LIST (\\Subscribed) \"/\" Sent\n* LIST () \"/\" INBOX\nOK listed";
    let unmarked = "* LIST () \"/\" Sent\nOK listed";
    let refused = "* LIST () \"/\" Sent\nNO not here";
    let half = "* LIST (\\Subscribed) \"/\" Sent\nNO not all";
    for (lsub, list_subscribed, known, why) in [
        (
            "* LSUB () \"/\" Sent\nOK done",
            "BAD what",
            vec!["Sent"],
            None,
        ),
        ("OK done", "BAD what", vec![], None),
        ("BAD what", both, vec!["Sent"], None),
        ("NO never", unmarked, vec![], Some(none)),
        ("NO never", "OK nothing", vec![], None),
        ("NO never", refused, vec![], Some("NO not here")),
        ("NO never", "BAD what", vec![], Some("BAD what")),
        ("NO never", half, vec!["Sent"], Some("NO not all")),
    ] {
        let mut server = usual_server("", move |command| match command {
            r#"LSUB "" "*""# => lsub,
            r#"LIST (SUBSCRIBED) "" "*""# => list_subscribed,
            _ => "BAD unknown",
        });
        let listing = list(&mut server.channel, StatusItems::Plain, |_| false).expect("listed");
        assert_eq!(subscribed(&listing), known, "{lsub} {list_subscribed}");
        let told = listing.without_subscriptions.as_deref();
        assert_eq!(told, why, "{lsub} {list_subscribed}");
    }
}

#[test]
fn an_inbox_that_list_does_not_name_is_there_if_it_answers_or_is_refused_for_now() {
    let status = "* STATUS INBOX (MESSAGES 1)\nOK done";
    for (status, examine, is_there) in [
        (status, "NO none", true),
        ("NO none", "OK [READ-ONLY] opened", true),
        ("NO none", "NO [INUSE] another time", true),
        ("NO none", "NO [NONEXISTENT] none", false),
        ("BAD none", "BAD none", false),
    ] {
        let mut server = Scripted::new("", move |command| {
            Some(match command {
                r#"LIST "" "*""# => "* LIST () \".\" Work\nOK listed".to_owned(),
                "EXAMINE INBOX" => examine.to_owned(),
                _ if command.starts_with("STATUS INBOX") => status.to_owned(),
                _ => "OK done".to_owned(),
            })
        });
        let listing = list(&mut server.channel, StatusItems::Plain, |_| false).expect("listed");
        let wanted: &[&str] = if is_there {
            &["INBOX", "Work"]
        } else {
            &["Work"]
        };
        assert_eq!(names(&listing), wanted, "{status} {examine}");
        assert!(!listing.names_nothing);
        assert_eq!(listing.mailboxes[0].listed.delimiter, Some('.'));
    }
}

#[test]
fn a_list_without_a_mailbox_is_an_error_unless_there_is_an_inbox_or_a_line_that_nobody_understands()
{
    for (lines, inbox, outcome) in [
        ("OK listed", "OK opened", Ok((vec!["INBOX"], 0, true))),
        (
            "* LIST ( \"/\" odd\nOK listed",
            "NO none",
            Ok((vec![], 1, true)),
        ),
        (
            "OK listed",
            "NO none",
            Err("LIST names no mailbox, not even INBOX; the account cannot be read this way"),
        ),
        ("NO closed", "OK opened", Err("LIST is refused: NO closed")),
    ] {
        let mut server = Scripted::new("", move |command| {
            Some(match command {
                r#"LIST "" "*""# => lines.to_owned(),
                "EXAMINE INBOX" => inbox.to_owned(),
                _ if command.starts_with("STATUS") => "NO none".to_owned(),
                _ => "OK done".to_owned(),
            })
        });
        let listing = list(&mut server.channel, StatusItems::Plain, |_| false);
        let listing = listing.as_ref().map_err(ToString::to_string);
        let seen = listing.map(|one| (names(one), one.unreadable.len(), one.names_nothing));
        assert_eq!(seen, outcome.map_err(str::to_owned), "{lines}");
    }
}

#[test]
fn a_test_looks_at_the_inbox_and_the_quota_in_one_flight() {
    let quota = "* QUOTAROOT INBOX one two\n* QUOTA one (STORAGE 10 100)\n* QUOTA two (STORAGE 5 6)\nOK done";
    for (offered, without, inbox, is_opened, room) in [
        (
            "QUOTA NAMESPACE",
            false,
            "OK opened",
            Some(true),
            Some((10, 100)),
        ),
        ("QUOTA NAMESPACE", true, "OK opened", Some(true), None),
        ("", false, "NO [INUSE] not now", Some(false), None),
    ] {
        let mut server = usual_server(offered, move |command| match command {
            "EXAMINE INBOX" => inbox,
            "GETQUOTAROOT INBOX" => quota,
            "NAMESPACE" => "* NAMESPACE ((\"Mail.\" \".\")) NIL NIL\nOK done",
            _ => "OK done",
        });
        if without {
            server.channel.pace.died_of(Aside::Quota, true);
        }
        let mut steps = Steps::default();
        let look = look(&mut server.channel, &mut steps).expect("looked");
        let opened = look.inbox.map(|said| said.condition == Condition::Ok);
        assert_eq!((opened, look.quota), (is_opened, room), "{offered}");
        let namespace = look
            .listing
            .namespace
            .map(|(name, delimiter)| (name.text().to_owned(), delimiter));
        let told = (!offered.is_empty()).then(|| ("Mail.".to_owned(), Some('.')));
        assert_eq!(namespace, told);
        assert_eq!(steps.current(), Some(Step::Inbox));
        let asked = server
            .heard()
            .iter()
            .any(|command| command.starts_with("GETQUOTAROOT"));
        assert_eq!(asked, room.is_some());
    }
}

#[test]
fn without_an_inbox_or_a_list_a_test_does_not_come_as_far_as_the_inbox() {
    let mut server = Scripted::new("", |command| {
        Some(match command {
            r#"LIST "" "*""# => "* LIST () \"/\" Work\nOK listed".to_owned(),
            "EXAMINE INBOX" | "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)" => "NO none".to_owned(),
            _ => "OK done".to_owned(),
        })
    });
    let mut steps = Steps::default();
    let seen = look(&mut server.channel, &mut steps).expect("looked");
    assert!(seen.inbox.is_none());
    assert_eq!(steps.current(), Some(Step::List));

    let mut server = Scripted::new("", |command| {
        let refused = command == r#"LIST "" "*""#;
        let listed = "* LIST () \"/\" INBOX\nNO not all";
        Some(if refused { listed } else { "OK done" }.to_owned())
    });
    let mut steps = Steps::default();
    assert!(look(&mut server.channel, &mut steps).is_err());
    assert_eq!(steps.current(), Some(Step::List));
}
