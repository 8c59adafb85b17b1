//! The files of an archive, which anybody may have written.

use std::fs;

use imapsync_bulk_migrator::testing::ExportState;
use imapsync_bulk_migrator::testing::MailboxDir;
use imapsync_bulk_migrator::testing::UidSet;
use imapsync_bulk_migrator::testing::failed::{self, Transfer};
use imapsync_bulk_migrator::testing::{Journal, Route};

use crate::fuzz;

const WORDS: [&str; 12] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\"uids\":\"1:4294967295\"",
    "\"hex\":",
    "\\ud800",
    "\\u0000",
    "1:4294967295",
    ",",
    "[[[[[[[[",
];

#[test]
fn sidecars() {
    let dir = tempfile::tempdir().expect("a directory");
    let mailbox = MailboxDir::new(dir.path().to_path_buf());
    fs::write(
        dir.path().join("u0000000007.eml"),
        "Subject: x\r\n\r\nx\r\n",
    )
    .expect("write");
    fuzz("sidecar", &WORDS, |input| {
        fs::write(dir.path().join("u0000000007.json"), input).expect("write");
        if let Ok(sidecar) = mailbox.read_sidecar(7) {
            let again = sidecar.to_json().expect("what was read can be written");
            fs::write(dir.path().join("u0000000007.json"), &again).expect("write");
            let mut again = mailbox.read_sidecar(7).expect("and read again");
            assert!(again.is_as_written());
            // What proves the fields is written anew each time.
            let mut sidecar = sidecar;
            for one in [&mut sidecar, &mut again] {
                one.extra.remove("fields_sha256");
            }
            assert_eq!(again, sidecar);
        }
        let _ = mailbox.verify(7);
        fs::write(dir.path().join(".mailbox.json"), input).expect("write");
        let _ = mailbox.identify(None);
    });
}

#[test]
fn states() {
    let dir = tempfile::tempdir().expect("a directory");
    fuzz("state", &WORDS, |input| {
        fs::write(dir.path().join("export-state.json"), input).expect("write");
        if let Ok(Some(state)) = ExportState::load(dir.path()) {
            state
                .save(dir.path())
                .expect("what was read can be written");
            let again = ExportState::load(dir.path())
                .expect("and read again")
                .expect("it is there");
            let json = |state: &ExportState| serde_json::to_value(state).expect("JSON");
            assert_eq!(json(&again), json(&state));
        }
        fs::write(dir.path().join("failed.jsonl"), input).expect("write");
        let _ = failed::load(dir.path(), Transfer::Export);
        if let Ok(set) = String::from_utf8_lossy(input).parse::<UidSet>() {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
    });
}

#[test]
fn journals() {
    let dir = tempfile::tempdir().expect("a directory");
    let route = Route {
        directory: "INBOX".to_owned(),
        uidvalidity: 7,
        to: "INBOX".to_owned(),
        to_uidvalidity: 9,
    };
    fuzz("journal", &WORDS, |input| {
        fs::write(dir.path().join("import.journal.jsonl"), input).expect("write");
        let open = || Journal::open(dir.path(), "b.example", 143, "anna", false);
        let mut journal = open().expect("a journal is never an error");
        let known = journal.known(&route);
        let mut pending = UidSet::new();
        pending.insert(4_000_000_001);
        journal.pending(&route, &pending);
        journal.commit().expect("write");
        drop(journal);
        // What was known is known, and what was added is there, behind whatever stood there.
        let again = open().expect("a journal").known(&route);
        assert_eq!(again.done, known.done);
        assert!(again.pending.contains(4_000_000_001) || again.done.contains(4_000_000_001));
    });
}
