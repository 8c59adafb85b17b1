use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn sidecar(uid: u32) -> Sidecar {
    Sidecar {
        mailbox: "INBOX".to_owned(),
        uid,
        uidvalidity: Some(1),
        flags: String::new(),
        internaldate: String::new(),
        size: None,
        rfc822_size: None,
        sha256: None,
        message_id: None,
        extra: serde_json::Map::new(),
    }
}

fn mailbox() -> (tempfile::TempDir, MailboxDir) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mailbox = MailboxDir::new(dir.path().to_path_buf());
    (dir, mailbox)
}

fn store(mailbox: &MailboxDir, uid: u32, body: &[u8]) -> Sidecar {
    let mut incoming = mailbox.incoming();
    incoming.write_all(body).expect("taken");
    mailbox.store(&mut incoming, sidecar(uid)).expect("stored")
}

#[test]
fn small_and_large_bodies_are_stored_byte_for_byte() {
    let (dir, mailbox) = mailbox();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    for (uid, body) in [(1, b"".as_slice()), (2, b"x\r\n"), (3, &large)] {
        let stored = store(&mailbox, uid, body);
        assert_eq!(stored.size, Some(body.len() as u64));
        let path = mailbox.message_path(uid);
        assert_eq!(fs::read(&path).expect("there"), body);
        assert!(mailbox.verify(uid).expect("read"));
        for path in [path, mailbox.sidecar_path(uid)] {
            let mode = fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    assert_eq!(mailbox.scan().expect("read").pairs, [1, 2, 3]);
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 6);
}

#[test]
fn a_body_that_is_dropped_leaves_nothing() {
    let (dir, mailbox) = mailbox();
    let mut incoming = mailbox.incoming();
    incoming.write_all(&vec![b'x'; 2_000_000]).expect("taken");
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1);
    assert_eq!(incoming.head().len(), 64 * 1024);
    drop(incoming);
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0);
}

#[test]
fn what_a_kill_leaves_is_not_believed() {
    let (dir, mailbox) = mailbox();
    fs::write(dir.path().join("u0000000001.eml"), "half").expect("written");
    store(&mailbox, 2, b"whole");
    fs::write(mailbox.sidecar_path(2), "{\"mailbox\":").expect("torn");
    store(&mailbox, 3, b"whole");
    fs::write(mailbox.message_path(3), "whale").expect("altered");
    fs::write(dir.path().join("u0000000004.json"), "{}").expect("written");
    fs::write(dir.path().join(".incoming-1-1"), "half").expect("written");
    let scan = mailbox.scan().expect("read");
    assert_eq!(
        (scan.pairs, scan.unfinished, scan.orphans),
        (vec![2, 3], vec![1], vec![4])
    );
    assert!(!mailbox.verify(2).expect("read") && !mailbox.verify(3).expect("read"));
    mailbox.clean().expect("cleaned");
    assert!(!dir.path().join(".incoming-1-1").exists());
    store(&mailbox, 1, b"all of it");
    assert!(mailbox.verify(1).expect("read"));
}

#[test]
fn names_of_the_original_tool_are_read() {
    let (dir, mailbox) = mailbox();
    fs::write(dir.path().join("u42.eml"), "x").expect("written");
    let json = r#"{"mailbox":"INBOX","uid":42,"flags":"","internaldate":"x"}"#;
    fs::write(dir.path().join("u42.json"), json).expect("written");
    fs::write(dir.path().join("uX.eml"), "x").expect("written");
    fs::write(dir.path().join("notes.txt"), "x").expect("written");
    assert_eq!(mailbox.scan().expect("read").pairs, [42]);
    assert_eq!(mailbox.read_sidecar(42).expect("read").internaldate, "x");
    assert!(!mailbox.verify(42).expect("no hash to verify"));
}

#[test]
fn nothing_is_overwritten_when_pairs_move_aside() {
    let (dir, mailbox) = mailbox();
    for body in [b"one".as_slice(), b"two", b"three"] {
        store(&mailbox, 5, body);
        mailbox.vanish(5).expect("moved");
    }
    let vanished = dir.path().join(".vanished");
    let mut bodies: Vec<Vec<u8>> = ["", "-2", "-3"]
        .iter()
        .map(|suffix| fs::read(vanished.join(format!("u0000000005{suffix}.eml"))).expect("there"))
        .collect();
    bodies.sort();
    assert_eq!(
        bodies,
        [b"one".to_vec(), b"three".to_vec(), b"two".to_vec()]
    );
    store(&mailbox, 6, b"old");
    assert_eq!(mailbox.supersede(7).expect("moved"), 1);
    assert!(dir.path().join(".superseded-7/u0000000006.json").exists());
    assert_eq!(mailbox.scan().expect("read"), Scan::default());
}

#[test]
fn symlinks_inside_are_not_followed() {
    let (dir, mailbox) = mailbox();
    let outside = tempfile::tempdir().expect("temporary directory");
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").expect("written");
    std::os::unix::fs::symlink(&victim, dir.path().join("u0000000001.eml")).expect("symlink");
    let mut incoming = mailbox.incoming();
    incoming.write_all(b"x").expect("taken");
    mailbox
        .store(&mut incoming, sidecar(1))
        .expect_err("refused");
    assert_eq!(fs::read(&victim).expect("there"), b"untouched");
    std::os::unix::fs::symlink(outside.path(), dir.path().join(".vanished")).expect("symlink");
    store(&mailbox, 2, b"x");
    mailbox.vanish(2).expect_err("refused");
}
