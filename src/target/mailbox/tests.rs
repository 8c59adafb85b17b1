use super::*;
use crate::archive::journal::RouteRecord;
use crate::mailbox::Name;
use crate::session::response::MailboxStatus;
use crate::session::select::Selected;

fn set(text: &str) -> UidSet {
    text.parse().expect("a set")
}

/// A mailbox with messages 1 to 5, that the target has, subscribed as it should be.
fn job() -> Job {
    let here = Here {
        directory: "Work".to_owned(),
        dir: MailboxDir::new("nowhere".into()),
        name: "Work".to_owned(),
        attributes: Vec::new(),
        uidvalidity: 7,
        subscribed: false,
    };
    let mut job = Job {
        here,
        uids: set("1:5"),
        lost: Lost::default(),
        elsewhere: UidSet::new(),
        beside: UidSet::new(),
        place: Place::default(),
        there: There::default(),
        open: Open::default(),
        told: Told::default(),
    };
    job.place.name = Name::new("Work");
    job.opened(selected(9, 20));
    job
}

fn selected(uidvalidity: u32, uidnext: u32) -> Selected {
    Selected {
        is_counted: true,
        exists: 3,
        uidvalidity,
        uidnext,
        ..Selected::default()
    }
}

fn refused(uid: u32) -> Refused {
    Refused {
        uid,
        size: None,
        reason: "no".to_owned(),
    }
}

/// What the journal knows: these are done, the last of them with this UID on the target.
fn known(done: &str, newest: u32) -> RouteRecord {
    RouteRecord {
        done: set(done),
        pairs: vec![(1, newest)],
        ..RouteRecord::default()
    }
}

#[test]
fn missing_is_what_nothing_has_brought_found_refused_or_left_out() {
    let mut job = job();
    let missing = |job: &Job| job.missing().collect::<UidSet>().to_string();
    assert_eq!(missing(&job), "1:5");
    job.recall(known("1", 11));
    job.appended(2);
    job.found(3);
    job.refuse(refused(4));
    assert_eq!(missing(&job), "5");
    assert!(job.is_unsettled() && !job.is_complete());
    job.leave_out(set("5"));
    assert_eq!((missing(&job), job.done_before()), (String::new(), 1));
    assert!(!job.is_complete(), "one was refused");
    job.not_taken(2);
    assert_eq!(missing(&job), "2");
}

#[test]
fn done_before_is_what_this_run_neither_brought_nor_found() {
    let mut job = job();
    job.recall(known("1:4,9", 11));
    assert_eq!(job.done_before(), 4, "9 is not in the archive any more");
    job.appended(1);
    job.found(2);
    assert_eq!(job.done_before(), 2);
}

#[test]
fn a_target_whose_next_uid_is_on_record_already_was_rolled_back() {
    let mut job = job();
    assert!(!job.is_rolled_back(), "nothing is on record");
    job.recall(known("1:5", 19));
    assert!(!job.is_rolled_back() && !job.is_unsettled() && job.is_complete());
    job.recall(known("1:5", 20));
    assert!(job.is_rolled_back() && job.is_unsettled());
    // Where the server says no UIDNEXT, nothing is concluded from it.
    job.listed(false, &MailboxStatus::default());
    assert!(!job.is_rolled_back() && !job.is_unsettled());
    job.doubt();
    assert!(job.is_doubted() && job.is_unsettled());
    job.recall(RouteRecord::default());
    assert!(!job.is_doubted(), "there is no record to be doubted");
}

#[test]
fn there_is_something_to_do_for_a_mailbox_that_is_not_there_or_not_subscribed() {
    let mut job = job();
    job.recall(known("1:5", 11));
    assert!(!job.is_unsettled());
    job.here.subscribed = true;
    job.listed(false, &MailboxStatus::default());
    assert!(job.must_subscribe() && job.is_unsettled());
    job.listed(true, &MailboxStatus::default());
    assert!(!job.must_subscribe() && !job.is_unsettled());
    job.place.exists = false;
    assert!(job.is_unsettled());
    // A view that holds nothing of its own need not be there.
    job.here.attributes = vec!["\\ALL".to_owned()];
    assert!(!job.is_mere_view() && job.is_unsettled());
    job.leave_out(set("1:5"));
    assert!(job.is_mere_view() && !job.is_unsettled());
    job.here.attributes = vec!["\\Sent".to_owned()];
    assert!(!job.is_mere_view() && job.is_unsettled());
    job.fail("no".to_owned());
    assert!(!job.is_unsettled() && !job.is_complete());
}

#[test]
fn what_a_user_deleted_is_not_missing_and_what_came_since_waits() {
    let mut alone = job();
    alone.deleted(Some(set("1:5")));
    assert!(!alone.is_unsettled() && !alone.has_failed() && alone.missing().next().is_none());
    assert!(alone.told().notes()[0].contains("with 5 messages"));
    let mut more = job();
    more.place.exists = false;
    more.deleted(Some(set("1:3")));
    let failure = more.failure().expect("told").to_owned();
    assert!(
        failure.contains("2 messages that came since wait"),
        "{failure}"
    );
    assert!(!more.is_unsettled());
    // Told once.
    alone.deleted(Some(set("1:5")));
    assert_eq!(alone.told().notes().len(), 1);
}

#[test]
fn a_mailbox_that_lost_messages_is_not_complete() {
    let mut job = job();
    job.recall(known("1:5", 11));
    assert!(job.is_complete());
    job.lost.unnamed = 1;
    assert!(!job.is_complete() && job.lost().count() == 1);
}

#[test]
fn the_next_uid_at_first_is_that_of_this_mailbox_whatever_came_since() {
    let mut job = job();
    assert_eq!((job.uidnext_there(), job.uidnext_at_first()), (20, 20));
    job.opened(selected(9, 25));
    assert_eq!((job.uidnext_there(), job.uidnext_at_first()), (25, 20));
    // One that says it in STATUS only.
    job.opened(selected(9, 0));
    assert_eq!((job.uidnext_there(), job.messages_there()), (25, Some(3)));
    // Recreated: it is another mailbox.
    job.opened(selected(10, 2));
    assert_eq!((job.uidnext_there(), job.uidnext_at_first()), (2, 2));
    let figures = job.figures_there();
    assert_eq!(
        (figures.uidvalidity, figures.uidnext, figures.messages),
        (10, 2, Some(3))
    );
    assert_eq!(
        (job.route().uidvalidity, job.route().to_uidvalidity),
        (7, 10)
    );
    assert!(!job.is_empty_there() && job.identity_there().is_none());
    let none = MailboxStatus {
        messages: Some(0),
        ..MailboxStatus::default()
    };
    job.listed(false, &none);
    assert!(job.is_empty_there());
    job.opened(Selected {
        is_counted: true,
        mailbox_id: Some("x".to_owned()),
        ..selected(10, 2)
    });
    assert_eq!(job.identity_there().as_deref(), Some("mailbox x of 10"));
}

#[test]
fn messages_are_appended_in_order_and_not_before_they_were_looked_at_again() {
    let mut job = job();
    job.queue([4, 2, 5]);
    job.queue([1]);
    assert_eq!((job.pop(), job.pop()), (Some(1), Some(2)));
    job.put_back(2);
    job.found_meanwhile(&set("4"));
    assert_eq!((job.pop(), job.pop(), job.pop()), (Some(2), Some(5), None));
    assert_eq!(job.found_there().to_string(), "4");
    job.queue([3]);
    job.listed(true, &MailboxStatus::default());
    assert_eq!(job.pop(), None, "on a new connection");
    job.refuse(refused(5));
    job.refuse(refused(3));
    let uids: Vec<u32> = job.refused().iter().map(|one| one.uid).collect();
    assert_eq!(uids, [3, 5]);
}

#[test]
fn a_message_that_loses_flags_counts_once_and_the_first_flags_are_named() {
    let mut job = job();
    let flags: Vec<String> = (10..30).map(|n| format!("$f{n}")).collect();
    for flag in &flags {
        job.told_mut().lose_flags(7, [flag.as_str()]);
    }
    let encoded = flags.iter().map(|flag| (flag.clone(), format!("{flag}x")));
    job.told_mut().encode_flags(encoded.collect());
    job.told_mut().encode_flags(Vec::new());
    let told = job.sentences();
    assert!(
        told[0].starts_with("1 message without flags that the target"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("1 message without flags that no command"),
        "{told:?}"
    );
    for sentence in &told {
        assert!(
            sentence.contains("$f19") && !sentence.contains("$f20"),
            "{told:?}"
        );
    }
}
