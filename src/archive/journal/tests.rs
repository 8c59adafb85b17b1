use super::*;

fn route() -> Route {
    Route {
        directory: "INBOX".to_owned(),
        uidvalidity: 7,
        to: "INBOX".to_owned(),
        to_uidvalidity: 9,
    }
}

fn set(text: &str) -> UidSet {
    text.parse().expect("a set")
}

fn done(uid: u32) -> Done {
    Done {
        uid,
        sha256: Some("ab".to_owned()),
        to_uid: Some(uid + 100),
        flags: None,
    }
}

#[test]
fn what_is_committed_is_known_again_to_its_target_only() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = |port| Journal::open(dir.path(), "b.example", port, "anna", false).expect("opened");
    let mut journal = open(993);
    journal.pending(&route(), &set("1:5"));
    journal.done(&route(), &done(2));
    journal.done(&route(), &done(3));
    journal.commit().expect("written");
    journal.done(&route(), &done(4));
    drop(journal);
    let known = open(993).known(&route());
    assert_eq!(known.done, set("2:3"));
    assert_eq!(known.to_uids, set("102:103"));
    assert_eq!(known.pending, set("1,4:5"));
    assert_eq!(open(143).known(&route()), RouteRecord::default());
    let anew = Route {
        to_uidvalidity: 10,
        ..route()
    };
    assert_eq!(open(993).known(&anew), RouteRecord::default());
}

#[test]
fn what_is_settled_is_under_way_only_when_it_is_sent_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.pending(&route(), &set("1:5"));
    journal.settled(&route(), &set("2,4"));
    assert_eq!(journal.known(&route()).pending, set("1,3,5"));
    journal.commit().expect("written");
    let mut journal = open();
    assert_eq!(journal.known(&route()).pending, set("1,3,5"));
    journal.pending(&route(), &set("2"));
    journal.commit().expect("written");
    assert_eq!(open().known(&route()).pending, set("1:3,5"));
}

#[test]
fn what_the_target_named_is_told_from_what_it_did_not() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.pending(&route(), &set("1:3"));
    for (uid, to_uid) in [
        (1, None),
        (2, Some(20)),
        (3, None),
        (3, Some(30)),
        (2, Some(21)),
    ] {
        let sha256 = None;
        journal.done(
            &route(),
            &Done {
                uid,
                sha256,
                to_uid,
                flags: None,
            },
        );
    }
    let told = journal.known(&route());
    journal.commit().expect("written");
    for known in [told, open().known(&route())] {
        assert_eq!((known.done, known.blind), (set("1:3"), set("1")));
        assert_eq!(known.to_uids, set("20:21,30"));
        assert_eq!(known.pairs, [(2, 20), (3, 30), (2, 21)]);
        assert!(known.pending.is_empty());
    }
}

#[test]
fn a_uid_that_turned_out_to_be_nobodys_is_forgotten() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.done(&route(), &done(1));
    journal.done(&route(), &done(2));
    journal.done(
        &route(),
        &Done {
            to_uid: None,
            ..done(1)
        },
    );
    let told = journal.known(&route());
    journal.commit().expect("written");
    for known in [told, open().known(&route())] {
        assert_eq!((known.done, known.blind), (set("1:2"), set("1")));
        assert_eq!(known.pairs, [(2, 102)]);
    }
}

#[test]
fn what_is_done_stays_done_whatever_is_noted_of_it_later() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.done(&route(), &done(1));
    journal.pending(&route(), &set("1:2"));
    journal.settled(&route(), &set("1"));
    journal.commit().expect("written");
    let known = open().known(&route());
    assert_eq!((known.done, known.pending), (set("1"), set("2")));
}

#[test]
fn a_message_is_under_way_in_its_own_mailbox_only_and_names_are_the_last_ones() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = |login| Journal::open(dir.path(), "b.example", 993, login, false).expect("opened");
    let mut journal = open("anna");
    journal.pending(&route(), &set("5"));
    let renamed = Route {
        to: "Elsewhere".to_owned(),
        ..route()
    };
    journal.pending(&renamed, &set("6"));
    journal.commit().expect("written");
    let mut other = open("ben");
    other.settled(&route(), &set("5:6"));
    other.commit().expect("written");
    let journal = open("anna");
    assert_eq!(journal.name_of("INBOX"), Some("Elsewhere"));
    assert_eq!(open("ben").name_of("INBOX"), Some("INBOX"));
    assert_eq!(open("carl").name_of("INBOX"), None);
    let sent = |directory: &str, uidvalidity, uid: u32| {
        journal.was_sent(directory, uidvalidity, std::iter::once(uid))
    };
    assert!(sent("INBOX", 7, 5) && sent("INBOX", 7, 6));
    assert!(!sent("INBOX", 7, 4) && !sent("INBOX", 8, 5) && !sent("Work", 7, 5));
}

#[test]
fn who_only_looks_writes_nothing_and_a_lost_file_is_an_error() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = |read_only| Journal::open(dir.path(), "b.example", 993, "anna", read_only);
    let mut looking = open(true).expect("nothing there");
    looking.pending(&route(), &set("1"));
    looking.commit().expect("nothing to write");
    assert!(!dir.path().join(FILE).exists());
    let mut journal = open(false).expect("opened");
    journal.pending(&route(), &set("1"));
    journal.commit().expect("written");
    let before = std::fs::read(dir.path().join(FILE)).expect("read");
    assert_eq!(before.split(|byte| *byte == b'\n').count(), 2, "one line");
    journal.commit().expect("nothing new");
    let mut looking = open(true).expect("opened");
    looking.done(&route(), &done(1));
    looking.commit().expect("nothing to write");
    assert_eq!(std::fs::read(dir.path().join(FILE)).expect("read"), before);
    std::fs::remove_file(dir.path().join(FILE)).expect("removed");
    journal.done(&route(), &done(1));
    journal.commit().expect_err("written to no name");
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_damaged_one_passed_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.done(&route(), &done(1));
    journal.commit().expect("written");
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).expect("read");
    let torn = [&whole[..], b"rubbish\n", &whole[..20]].concat();
    std::fs::write(&path, torn).expect("written");
    let mut journal = open();
    assert_eq!(journal.damaged, 1);
    assert_eq!(journal.known(&route()).done, set("1"));
    journal.done(&route(), &done(2));
    journal.commit().expect("written");
    assert_eq!(open().known(&route()).done, set("1:2"));
}

#[test]
fn what_one_target_settles_forgets_or_learns_is_not_anothers() {
    let dir = tempfile::tempdir().expect("tempdir");
    let open = |port| Journal::open(dir.path(), "b.example", port, "anna", false).expect("opened");
    let mut one = open(993);
    one.pending(&route(), &set("1:3"));
    one.done(&route(), &done(4));
    one.settled(&route(), &set("2"));
    one.learn_name("INBOX", "Mine");
    one.commit().expect("committed");
    drop(one);
    let mut other = open(994);
    other.pending(&route(), &set("1:3"));
    other.settled(&route(), &set("1:3"));
    other.done(&route(), &done(4));
    other.forget(&route());
    other.learn_name("INBOX", "Another's");
    other.learn_prefix("X.");
    other.commit().expect("committed");
    drop(other);
    let one = open(993);
    let known = one.known(&route());
    assert_eq!((known.pending, known.done), (set("1,3"), set("4")));
    assert_eq!((one.name_of("INBOX"), one.prefix()), (Some("Mine"), None));
    let filled = one.routes("INBOX", "INBOX");
    assert_eq!((filled.len(), &filled[0].0), (1, &route()));
    assert!(one.routes("INBOX", "Mine").is_empty());
    assert!(one.routes("Work", "INBOX").is_empty());
    let other = open(994);
    let known = other.known(&route());
    assert!(known.pending.is_empty() && known.done.is_empty());
    let learnt = (other.name_of("INBOX"), other.prefix());
    assert_eq!(learnt, (Some("Another's"), Some("X.")));
}

#[test]
fn the_newest_message_on_record_is_that_of_the_highest_uid_there() {
    assert_eq!(RouteRecord::default().newest(), None);
    let pairs = vec![(9, 103), (4, 120), (7, 111)];
    let known = RouteRecord {
        pairs,
        ..RouteRecord::default()
    };
    assert_eq!(known.newest(), Some((4, 120)));
}

#[test]
fn a_journal_that_cannot_be_opened_is_not_taken_for_none() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open =
        |dir: &Path, read_only| Journal::open(dir, "b.example", 993, "anna", read_only).map(drop);
    let gone = dir.path().join("gone");
    open(&gone, true).expect("nothing is known, and nothing to be written");
    open(&gone, false).expect_err("nowhere to write it");
    std::os::unix::fs::symlink("elsewhere", dir.path().join(FILE)).expect("linked");
    open(dir.path(), true).expect_err("no symlink is followed");
    open(dir.path(), false).expect_err("no symlink is followed");
}

#[test]
fn the_end_of_a_line_beyond_all_bounds_is_no_line() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.done(&route(), &done(1));
    journal.commit().expect("written");
    let path = dir.path().join(FILE);
    let line = std::fs::read(&path).expect("read");
    let beyond = vec![b' '; usize::try_from(MAX_LINE).expect("a length")];
    std::fs::write(&path, [beyond, line].concat()).expect("written");
    let journal = open();
    assert_eq!(journal.known(&route()), RouteRecord::default());
    assert_eq!(journal.damaged, 1);
}

#[test]
fn what_is_known_of_a_mailbox_that_was_renamed_is_known_of_its_new_name() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let flags = Flags {
        archived: "\\Seen odd[flag".into(),
        sent: "\\Seen".into(),
    };
    let mut journal = open();
    journal.done(
        &route(),
        &Done {
            flags: Some(flags.clone()),
            ..done(1)
        },
    );
    journal.done(&route(), &done(2));
    journal.renamed(&route(), "Elsewhere");
    let there = Route {
        to: "Elsewhere".to_owned(),
        ..route()
    };
    let never = Route {
        uidvalidity: 8,
        ..route()
    };
    journal.renamed(&never, "Nowhere");
    journal.commit().expect("written");
    for journal in [journal, open()] {
        assert_eq!(journal.name_of("INBOX"), Some("Elsewhere"));
        let known = journal.known(&there);
        assert_eq!(known.done, set("1:2"));
        assert_eq!(known.pairs, [(1, 101), (2, 102)]);
        assert_eq!(journal.flags_of(&there, 1), Some(flags.clone()));
        assert_eq!(journal.flags_of(&there, 2), None);
        assert_eq!(journal.flags_of(&never, 1), None);
    }
}

#[test]
fn a_mailbox_of_the_target_is_claimed_by_all_that_went_to_it_and_by_nothing_else() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut journal = Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let other = |directory: &str, to: &str, to_uidvalidity| Route {
        directory: directory.to_owned(),
        to: to.to_owned(),
        to_uidvalidity,
        ..route()
    };
    journal.done(&route(), &done(1));
    journal.done(&other("Work", "INBOX", 9), &done(2));
    journal.done(&other("INBOX", "INBOX", 8), &done(3));
    journal.done(&other("INBOX", "Elsewhere", 9), &done(4));
    assert_eq!(journal.claimed("INBOX", 9), set("101:102"));
}

#[test]
fn what_is_under_way_on_other_routes_of_a_mailbox_is_known() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut journal = Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let before = Route {
        to_uidvalidity: 8,
        ..route()
    };
    let elsewhere = Route {
        directory: "Work".to_owned(),
        ..route()
    };
    let quiet = Route {
        to: "Elsewhere".to_owned(),
        ..route()
    };
    journal.pending(&route(), &set("1:2"));
    journal.pending(&before, &set("3"));
    journal.pending(&elsewhere, &set("4"));
    journal.pending(&quiet, &set("5"));
    journal.settled(&quiet, &set("5"));
    assert_eq!(journal.pending_elsewhere(&route()), [(before, set("3"))]);
}

#[test]
fn a_mailbox_is_filled_by_what_went_there_not_by_what_is_under_way() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let other = Route {
        directory: "Sent".to_owned(),
        ..route()
    };
    let mut journal = open();
    journal.pending(&route(), &set("1:2"));
    journal.done(&route(), &done(1));
    journal.pending(&other, &set("1"));
    journal.commit().expect("written");
    let journal = open();
    let filled: Vec<&Route> = journal.filled().map(|(route, _)| route).collect();
    assert_eq!(filled, [&route()]);
}

#[test]
fn who_filled_a_mailbox_and_where_another_went_last_is_known() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let opened = Journal::open(dir.path(), "b.example", 993, "anna", false);
    let mut journal = opened.expect("opened");
    let under_way = Route {
        directory: "Sent".to_owned(),
        ..route()
    };
    journal.done(&route(), &done(1));
    journal.pending(&under_way, &set("1"));
    assert!(journal.has_filled("INBOX", "INBOX", 9));
    assert!(journal.has_filled("Sent", "INBOX", 9));
    assert!(!journal.has_filled("Other", "INBOX", 9));
    assert!(!journal.has_filled("INBOX", "Other", 9));
    assert!(!journal.has_filled("INBOX", "INBOX", 8));
    journal.settled(&under_way, &set("1"));
    assert!(!journal.has_filled("Sent", "INBOX", 9));
}

#[test]
fn a_name_is_anothers_where_another_directory_went_there_last() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let opened = Journal::open(dir.path(), "b.example", 993, "anna", false);
    let mut journal = opened.expect("opened");
    assert!(!journal.is_anothers("Work", "INBOX"), "nothing is known");
    journal.done(&route(), &done(1));
    journal.learn_name("INBOX", "Mine");
    assert!(journal.is_anothers("Work", "Mine"));
    assert!(!journal.is_anothers("INBOX", "Mine"), "its own");
    assert!(!journal.is_anothers("Work", "INBOX"), "nobody's by now");
}

#[test]
fn what_is_under_way_to_a_mailbox_that_is_renamed_is_under_way_to_its_new_name_only() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || Journal::open(dir.path(), "b.example", 993, "anna", false).expect("opened");
    let mut journal = open();
    journal.pending(&route(), &set("1:3"));
    journal.done(&route(), &done(1));
    journal.renamed(&route(), "Elsewhere");
    let there = Route {
        to: "Elsewhere".to_owned(),
        ..route()
    };
    journal.commit().expect("written");
    for journal in [journal, open()] {
        let known = journal.known(&there);
        assert_eq!((known.done, known.pending), (set("1"), set("2:3")));
        assert_eq!(journal.known(&route()), RouteRecord::default());
        assert!(journal.claimed("INBOX", 9).is_empty());
        assert_eq!(journal.claimed("Elsewhere", 9), set("101"));
    }
}
