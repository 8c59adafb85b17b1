use super::*;

fn meta(name: &str, wire: &[u8]) -> MailboxMeta {
    MailboxMeta {
        name: Name::of_both(wire.to_vec(), name.to_owned()),
        delimiter: Some('/'),
        attributes: vec!["\\HasNoChildren".to_owned()],
        uidvalidity: 3,
    }
}

fn open(root: &Path) -> AccountArchive {
    AccountArchive::open(root, "../a@example.org", "export").expect("opened")
}

#[test]
fn mailboxes_never_share_a_directory() {
    let root = tempfile::tempdir().expect("temporary directory");
    let mut archive = open(root.path());
    let mailboxes = [
        meta("Work", b"Work"),
        meta("work", b"work"),
        meta("Größe", b"Gr&APYA3w-e"),
        meta("Größe", "Größe".as_bytes()),
        meta("export-state.json", b"export-state.json"),
        meta("../../etc", b"../../etc"),
    ];
    let mut seen = std::collections::HashSet::new();
    for mailbox in &mailboxes {
        let directory = archive.assign_directory(mailbox.clone());
        assert!(seen.insert(folded(&directory)), "{directory}");
        archive
            .create_mailbox(&directory, mailbox.clone())
            .expect("created");
    }
    drop(archive);
    let again = open(root.path());
    for mailbox in &mailboxes {
        let directory = again.directory_of(&mailbox.name).expect("found");
        assert!(seen.contains(&folded(directory)));
    }
    assert_eq!(
        fs::read_dir(root.path()).expect("read").count(),
        1,
        "all stays inside"
    );
}

#[test]
fn a_directory_that_the_file_system_takes_for_anothers_is_not_shared() {
    let root = tempfile::tempdir().expect("temporary directory");
    let mut archive = open(root.path());
    let (sharp, capital) = (meta("Straße", b"Stra&AN8-e"), meta("STRASSE", b"STRASSE"));
    let directory = archive.assign_directory(sharp.clone());
    // What a file system that folds them would show under either name.
    let twin = MailboxDir::new(archive.dir().join(&directory));
    file::make_dir(twin.path()).expect("made");
    twin.write_meta(&capital).expect("written");
    let (other, dir) = archive
        .create_mailbox(&directory, sharp.clone())
        .expect("created");
    assert_ne!(other, directory);
    assert_eq!(dir.path(), archive.dir().join(&other));
    assert_eq!(archive.directory_of(&sharp.name), Some(other.as_str()));
    assert!(
        twin.says(&capital).expect("read"),
        "the twin's is untouched"
    );
    drop(archive);
    let again = open(root.path());
    assert_eq!(again.directory_of(&sharp.name), Some(other.as_str()));
    assert_eq!(again.directory_of(&capital.name), Some(directory.as_str()));
}

#[test]
fn what_a_killed_run_was_writing_is_removed() {
    let root = tempfile::tempdir().expect("temporary directory");
    let mut archive = open(root.path());
    let (_, dir) = archive
        .create_mailbox("A", meta("A", b"A"))
        .expect("created");
    let left = [
        archive.dir().join(".failed.jsonl.tmp"),
        dir.path().join(".mailbox.json.tmp"),
        dir.path().join(".incoming-1-1"),
    ];
    for path in &left {
        fs::write(path, "x").expect("written");
    }
    drop(archive);
    assert!(dir.scan().expect("scanned").leftovers);
    open(root.path());
    dir.clean().expect("cleaned");
    assert!(left.iter().all(|path| !path.exists()));
    assert!(!dir.scan().expect("scanned").leftovers);
}

/// An archive with a mailbox of these messages, and a state that claims so.
fn recorded(root: &Path, uids: &str, complete: bool) -> MailboxDir {
    let mut archive = open(root);
    let (directory, dir) = archive
        .create_mailbox("A", meta("A", b"A"))
        .expect("created");
    let uids: UidSet = uids.parse().expect("a set");
    for uid in uids.iter() {
        for extension in ["eml", "json"] {
            let path = dir.path().join(format!("u{uid:010}.{extension}"));
            fs::write(path, "{}").expect("written");
        }
    }
    let known = state::MailboxState {
        directory,
        name: Name::new("A"),
        delimiter: Some('/'),
        attributes: Vec::new(),
        subscribed: false,
        uidvalidity: 3,
        uidnext: None,
        highestmodseq: None,
        messages: uids.len(),
        bytes: 0,
        complete,
        uidvalidity_moves: false,
        origin: None,
        uids,
    };
    let state = ExportState {
        complete,
        mailboxes: vec![known],
        ..ExportState::default()
    };
    state.save(archive.dir()).expect("saved");
    dir
}

#[test]
fn what_the_record_has_and_the_disk_has_not_is_lost() {
    let root = tempfile::tempdir().expect("temporary directory");
    let dir = recorded(root.path(), "1:5", true);
    let lost = |there: &str| {
        let there = there.parse().expect("a set");
        let lost = open(root.path()).lost_messages("A", &there);
        assert_eq!(lost.count(), lost.uids.len());
        lost.uids.to_string()
    };
    assert_eq!(lost("1:5"), "");
    assert_eq!(lost("1:2,5,9"), "3:4");
    // A finished export has written down what it moved aside.
    dir.vanish(4).expect("moved");
    assert_eq!(lost("1:2,5"), "3:4");
    assert!(open(root.path()).lost_mailboxes().is_empty());
    fs::remove_dir_all(dir.path()).expect("removed");
    assert_eq!(open(root.path()).lost_mailboxes(), [("A".to_owned(), 5)]);
}

#[test]
fn what_an_unfinished_export_moved_aside_is_not_lost() {
    let root = tempfile::tempdir().expect("temporary directory");
    let dir = recorded(root.path(), "1:3", false);
    dir.vanish(2).expect("moved");
    let there = "1".parse().expect("a set");
    assert_eq!(
        open(root.path())
            .lost_messages("A", &there)
            .uids
            .to_string(),
        "3"
    );
    open(root.path()).move_mailbox_away("A").expect("moved");
    assert!(open(root.path()).lost_mailboxes().is_empty());
}

#[test]
fn an_archive_says_how_whole_it_is() {
    let root = tempfile::tempdir().expect("temporary directory");
    assert_eq!(open(root.path()).standing(), Standing::Empty);
    let dir = recorded(root.path(), "1", true);
    assert_eq!(open(root.path()).standing(), Standing::Complete);
    recorded(root.path(), "1", false);
    assert_eq!(open(root.path()).standing(), Standing::Incomplete);
    let account = open(root.path()).dir().to_path_buf();
    let state = account.join(state::FILE);
    fs::remove_file(&state).expect("removed");
    assert_eq!(open(root.path()).standing(), Standing::RecordLost);
    fs::remove_file(dir.path().join(".mailbox.json")).expect("removed");
    let sidecar = dir.path().join("u0000000001.json");
    fs::write(&sidecar, r#"{"mailbox":"A","uid":1,"size":2}"#).expect("written");
    assert_eq!(
        open(root.path()).standing(),
        Standing::RecordLost,
        "our sidecars"
    );
    fs::write(&sidecar, r#"{"mailbox":"A","uid":1}"#).expect("written");
    assert_eq!(open(root.path()).standing(), Standing::NoRecord);
    for (complete, expected) in [(true, Standing::Complete), (false, Standing::Incomplete)] {
        let json = serde_json::json!({"schema_version": 1, "complete": complete, "mailboxes": [
            {"mailbox": "A", "path": "A", "message_count": 3},
            {"mailbox": "B", "path": "B", "message_count": 2},
        ]});
        fs::write(&state, json.to_string()).expect("written");
        let archive = open(root.path());
        assert_eq!(archive.standing(), expected);
        let there = "1".parse().expect("a set");
        assert_eq!(archive.lost_messages("A", &there).count(), 2);
        assert_eq!(archive.lost_mailboxes(), [("B".to_owned(), 2)]);
    }
}

#[test]
fn a_vanished_mailbox_overwrites_no_earlier_one() {
    let root = tempfile::tempdir().expect("temporary directory");
    let mut archive = open(root.path());
    let mut places = std::collections::HashSet::new();
    for _ in 0..3 {
        archive
            .create_mailbox("Old", meta("Old", b"Old"))
            .expect("created");
        places.insert(archive.move_mailbox_away("Old").expect("moved"));
    }
    assert_eq!(places.len(), 3);
    assert!(archive.directory_of(&Name::new("Old")).is_none());
}

#[test]
fn no_name_leads_out() {
    let root = tempfile::tempdir().expect("temporary directory");
    let mut archive = open(root.path());
    for name in ["..", "a/b", "/etc", ".", ""] {
        archive
            .create_mailbox(name, meta("x", b"x"))
            .expect_err(name);
    }
    let outside = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::symlink(outside.path(), archive.dir().join("link")).expect("symlink");
    archive
        .create_mailbox("link", meta("x", b"x"))
        .expect_err("a symlink");
}
