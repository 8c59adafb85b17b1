//! What connections die of, and what is done without from then on.

use super::*;
use crate::session::error::Ending;
use crate::session::pace::Ahead;
use crate::session::tests::Scripted;

/// A server that names these mailboxes, refuses LSUB, and closes the connection at what begins so, after some words.
fn closes_at(at: &'static str, words: &'static str, pace: &Arc<Pace>) -> Scripted {
    let offered = "LIST-STATUS NAMESPACE QUOTA";
    let has_inbox = !at.starts_with("STATUS INBOX");
    let mut server = Scripted::new(offered, move |command| {
        if command.starts_with(at) {
            return Some(format!("{words}CLOSE"));
        }
        Some(match command {
            r#"LIST "" "*""# if has_inbox => "* LIST () \"/\" INBOX\nOK listed".to_owned(),
            r#"LIST "" "*""# => "* LIST () \"/\" Work\nOK listed".to_owned(),
            r#"LSUB "" "*""# => "NO never".to_owned(),
            _ => "OK done".to_owned(),
        })
    });
    server.channel.pace = Arc::clone(pace);
    server
}

fn looked(server: &mut Scripted) -> Result<Look> {
    look(&mut server.channel, &mut Steps::default())
}

fn listed(server: &mut Scripted) -> Result<Listing> {
    list(&mut server.channel, StatusItems::Plain, |_| true)
}

#[test]
fn a_question_that_two_connections_died_of_is_done_without() {
    for (at, aside, by_list) in [
        (r#"LSUB "" "*""#, Aside::Subscribed, true),
        ("LIST (SUBSCRIBED)", Aside::SubscribedByList, true),
        (r#"LIST "" "*" RETURN"#, Aside::Extended, true),
        ("NAMESPACE", Aside::Namespace, true),
        ("GETQUOTAROOT", Aside::Quota, false),
        ("STATUS INBOX", Aside::Inbox, false),
    ] {
        let pace = Arc::new(Pace::default());
        let ask = |server: &mut Scripted| {
            if by_list {
                listed(server)
            } else {
                looked(server).map(|look| look.listing)
            }
        };
        for died in [1, 2] {
            let mut server = closes_at(at, "", &pace);
            let error = ask(&mut server).expect_err("it died");
            assert_eq!(error.ending, Some(Ending::Aside), "{at}");
            assert_eq!(pace.does_without(aside), died == 2, "{at}");
        }
        let mut server = closes_at(at, "", &pace);
        let listing = ask(&mut server).expect("listed");
        assert!(!server.heard().iter().any(|command| command.starts_with(at)));
        let has_inbox = listing.mailboxes[0].listed.name.is_inbox();
        assert!(has_inbox, "{at}: what connections die of is there");
        let unknown = matches!(aside, Aside::SubscribedByList);
        let told = listing.without_subscriptions.as_deref();
        assert_eq!(told, unknown.then_some("NO never"), "{at}");
        assert_eq!(pace.ahead(), Ahead::All, "{at}");
    }
}

#[test]
fn what_nobody_can_do_without_is_asked_again_and_its_death_blamed_on_nothing() {
    for at in ["EXAMINE INBOX", "STATUS \"INBOX\""] {
        let pace = Arc::new(Pace::default());
        pace.died_of(Aside::Extended, true);
        for _ in 0..4 {
            let mut server = closes_at(at, "", &pace);
            let error = if at.starts_with("EXAMINE") {
                looked(&mut server).map(|_| ())
            } else {
                listed(&mut server).map(|_| ())
            };
            assert_eq!(error.expect_err("it died").ending, None, "{at}");
        }
        assert_eq!(pace.ahead(), Ahead::All);
    }
}

#[test]
fn a_list_that_connections_die_of_is_asked_alone_in_the_end() {
    let pace = Arc::new(Pace::default());
    let mut endings = Vec::new();
    for _ in 0..4 {
        let mut server = closes_at(r#"LIST "" "*""#, "", &pace);
        let error = listed(&mut server).expect_err("it died");
        endings.push(error.ending);
    }
    let aside = Some(Ending::Aside);
    assert_eq!(endings, [aside, aside, Some(Ending::SentAhead), None]);
    assert_eq!(pace.ahead(), Ahead::Nothing);
}

#[test]
fn a_session_that_is_over_or_a_server_that_is_busy_says_nothing_about_the_question() {
    let pace = Arc::new(Pace::default());
    for (words, ending) in [
        (
            "* BYE Session expired, please login again\n",
            Ending::SessionOver,
        ),
        ("* BYE Too many simultaneous connections\n", Ending::Goodbye),
    ] {
        for _ in 0..2 {
            let mut server = closes_at(r#"LSUB "" "*""#, words, &pace);
            let error = listed(&mut server).expect_err("it ended");
            assert_eq!(error.ending, Some(ending));
        }
    }
    assert!(!pace.does_without(Aside::Subscribed));
    for _ in 0..2 {
        let mut server = closes_at(r#"LSUB "" "*""#, "* BYE I go\n", &pace);
        let error = listed(&mut server).expect_err("it ended");
        assert_eq!(error.ending, Some(Ending::Aside));
    }
    assert!(pace.does_without(Aside::Subscribed));
}

#[test]
fn a_server_that_hangs_up_after_it_refused_the_list_is_told_with_the_refusal() {
    let pace = Arc::new(Pace::default());
    let mut server = Scripted::new("", |command| {
        (command == r#"LIST "" "*""#).then(|| "NO closed today".to_owned())
    });
    server.channel.pace = Arc::clone(&pace);
    let error = listed(&mut server).expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(error.to_string(), "LIST is refused: NO closed today");
}

#[test]
fn a_connection_that_died_before_it_knew_who_we_are_died_of_that() {
    let pace = Arc::new(Pace::default());
    for died in [1, 2] {
        let mut server = closes_at("ID ", "", &pace);
        let id = Command::identification();
        let tag = server.channel.send(&id).expect("sent");
        server.channel.forget(tag);
        let error = listed(&mut server).expect_err("it died");
        assert_eq!(error.ending, Some(Ending::Aside));
        assert_eq!(pace.does_without(Aside::Identification), died == 2);
    }
    assert!(!pace.does_without(Aside::Subscribed));
}

#[test]
fn numbers_that_connections_die_of_are_left_out_sizes_first() {
    let mut tries = Tries::default();
    let mut asked = Vec::new();
    for offered in ["STATUS=SIZE"; 3] {
        let mut server = Scripted::new(offered, |command| {
            if command.starts_with("STATUS") {
                return None;
            }
            let listed = command == r#"LIST "" "*""#;
            Some(
                if listed {
                    "* LIST () \"/\" INBOX\nOK listed"
                } else {
                    "OK done"
                }
                .to_owned(),
            )
        });
        let listing = tries.list(&mut server.channel, StatusItems::WithSize, |_| true);
        let heard = server.heard();
        let status = heard.iter().find(|command| command.starts_with("STATUS"));
        asked.push((status.cloned(), listing.is_ok()));
    }
    let sizes = "STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY SIZE)";
    let plain = "STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)";
    assert_eq!(
        asked,
        [
            (Some(sizes.to_owned()), false),
            (Some(plain.to_owned()), false),
            (None, true)
        ]
    );

    // A refusal is no death.
    let mut tries = Tries::default();
    for _ in 0..3 {
        let mut server = Scripted::new("", |_| Some("NO closed".to_owned()));
        assert!(
            tries
                .list(&mut server.channel, StatusItems::Plain, |_| true)
                .is_err()
        );
    }
    let mut server = Scripted::new("", |command| {
        let listed = command == r#"LIST "" "*""#;
        Some(
            if listed {
                "* LIST () \"/\" INBOX\nOK listed"
            } else {
                "OK done"
            }
            .to_owned(),
        )
    });
    tries
        .list(&mut server.channel, StatusItems::Plain, |_| true)
        .expect("listed");
    assert!(
        server
            .heard()
            .iter()
            .any(|command| command.starts_with("STATUS"))
    );
}
