//! 16 MB, or 64 MB in the long form, of what is hardest: little memory, and time in proportion. A quadratic algorithm
//! would take days for these.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use imapsync_bulk_migrator::testing::ExportState;
use imapsync_bulk_migrator::testing::Journal;
use imapsync_bulk_migrator::testing::MailboxDir;
use imapsync_bulk_migrator::testing::Reply;
use imapsync_bulk_migrator::testing::UidSet;
use imapsync_bulk_migrator::testing::failed::{self, Transfer};
use imapsync_bulk_migrator::testing::{NoBody, Reader, Response};

use crate::feed::with_wire;
use crate::mail::look;
use crate::session::interpret;
use crate::{MEMORY, is_long};

/// Length of an input, in bytes: what is written in the tests is meant for 64 MB, and scaled by this.
static BIG: LazyLock<usize> = LazyLock::new(|| if is_long() { 64 << 20 } else { 16 << 20 });

/// Who takes longer is not linear: generous, as the build is not optimised and machines are slow.
const HANG: Duration = Duration::from_secs(120);

/// Memory is counted for the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs it; it must end in time and hold at most `most` bytes more than before at any moment.
#[track_caller]
fn bounded(what: &str, most: usize, run: impl FnOnce()) {
    let (before, start) = (MEMORY.current_usage(), Instant::now());
    MEMORY.reset_peak_usage();
    run();
    let (time, peak) = (start.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    eprintln!("{what}: {time:?}, {} MB", peak >> 20);
    assert!(time < HANG, "{what} takes {time:?}");
    assert!(peak <= most, "{what} takes {} MB", peak >> 20);
}

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// So many numbers fill an input, of so many that fill 64 MB.
fn scaled(count: u32) -> u32 {
    if is_long() { count } else { count / 4 }
}

/// `unit` again and again, [`BIG`] bytes in all, between a beginning and an end.
fn repeated(start: &str, unit: &str, end: &str) -> Vec<u8> {
    let count = (*BIG - start.len() - end.len()) / unit.len();
    [
        start.as_bytes(),
        unit.repeat(count).as_bytes(),
        end.as_bytes(),
    ]
    .concat()
}

#[test]
fn responses() {
    let _alone = alone();
    let inputs = [
        ("one line", repeated("* OK ", "x", "\r\n")),
        ("a long LIST", repeated("* LIST () \"/\" \"", "x", "\"\r\n")),
        ("nested", repeated("* LIST ", "(", "\r\n")),
        ("attributes", repeated("* LIST (", "\\A ", ") \"/\" x\r\n")),
        (
            "backslashes",
            repeated("* LIST () \"/\" \"", "\\", "\"\r\n"),
        ),
        ("a long SEARCH", repeated("* SEARCH ", "1 ", "\r\n")),
        ("capabilities", repeated("* CAPABILITY ", "A ", "\r\n")),
        ("empty lines", repeated("", "\r\n", "")),
        ("short lines", repeated("", "* 1 EXISTS\r\n", "")),
        ("announcements", repeated("* LIST ", "{1}\r\nx", "\r\n")),
        (
            "empty bodies",
            repeated("* 1 FETCH (", "BODY[] {0}\r\n ", ")\r\n"),
        ),
        ("flags", repeated("* 1 FETCH (FLAGS (", "a ", "))\r\n")),
        (
            "fetch attributes",
            repeated("* 1 FETCH (", "UID 1 ", ")\r\n"),
        ),
        ("zero bytes", vec![0; *BIG]),
    ];
    for (what, input) in inputs {
        // A listing line may be 64 MB long; while it grows there are two of it.
        bounded(what, 3 * *BIG + (48 << 20), || {
            with_wire(&[&input], |wire| {
                let mut reader = Reader::new(wire);
                let (mut response, mut last) = (Response::default(), Vec::new());
                while reader.read_response(&mut response, &mut NoBody).is_ok() {
                    // One that is repeated millions of times means the same each time.
                    if response.bytes != last {
                        interpret(&response);
                        last.clone_from(&response.bytes);
                    }
                }
                interpret(&response);
            });
        });
    }
}

#[test]
fn messages() {
    let _alone = alone();
    let header = "From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n";
    let multipart = format!("{header}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    let body = format!("{header}\r\n");
    let inputs = [
        ("one line", repeated("", "x", "")),
        ("empty lines", repeated(&body, "\r\n", "")),
        (
            "a folded header",
            repeated("Subject: x", "\r\n y", "\r\n\r\n"),
        ),
        ("many headers", repeated("", "Subject: x\r\n", "\r\n")),
        ("different headers", {
            let lines = (0..scaled(3_000_000)).map(|number| format!("X-{number}: {number}\r\n"));
            lines.collect::<String>().into_bytes()
        }),
        ("boundaries", repeated(&multipart, "--b\r\n", "")),
        ("second mails", repeated(&body, &body, "")),
        ("dates", repeated("Date: ", "1 ", "\r\n\r\n")),
        ("addresses", repeated("From: ", "a@b, ", "\r\n\r\n")),
        ("comments", repeated("Date: ", "(", "\r\n\r\n")),
        (
            "raw IMAP",
            repeated(&body, "* 1 FETCH (UID 1 BODY[] {3}\r\n", ""),
        ),
        (
            "quotations",
            repeated(&body, "-----Original Message-----\r\nFrom: a@b\r\n", ""),
        ),
    ];
    for (what, input) in inputs {
        bounded(what, 6 * *BIG + (16 << 20), || look(&input));
    }
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("write");
}

#[test]
fn archives() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let mailbox = MailboxDir::new(dir.path().to_path_buf());
    write(&dir.path().join("u0000000007.eml"), b"x");
    let line = |event: &str| {
        format!(
            "{{\"event\":\"{event}\",\"target\":\"anna at b.example:143\",\"mailbox\":\"INBOX\",\
             \"uidvalidity\":7,\"to\":\"INBOX\",\"to_uidvalidity\":9,"
        )
    };
    let pending = line("pending");
    // Every other UID, from the highest down: the worst order for a set of ranges.
    let downwards: String = (1..scaled(300_000))
        .rev()
        .fold(String::new(), |mut lines, uid| {
            let (done, uid) = (line("done"), uid * 2);
            let _ = writeln!(
                lines,
                "{done}\"uid\":{uid},\"to_uid\":{uid},\"sha256\":null}}"
            );
            lines
        });
    let inputs = [
        ("nested", repeated("", "[", "")),
        ("nested objects", repeated("", "{\"a\":", "")),
        (
            "a long string",
            repeated("{\"mailbox\":\"", "x", "\",\"uid\":7}"),
        ),
        (
            "an unended string",
            repeated("{\"mailbox\":\"", "\\u00e4", ""),
        ),
        ("many keys", {
            let keys = (0..scaled(4_000_000)).map(|number| format!(",\"{number}\":0"));
            format!(
                "{{\"mailbox\":\"x\",\"uid\":7{}}}",
                keys.collect::<String>()
            )
            .into_bytes()
        }),
        (
            "all UIDs, many times",
            repeated("", &format!("{pending}\"uids\":\"1:4294967295\"}}\n"), ""),
        ),
        ("every other UID", downwards.into_bytes()),
        ("empty lines", repeated("", "\n", "")),
        ("a number", repeated("{\"uid\":", "9", "}")),
    ];
    for (what, input) in inputs {
        for name in [
            "u0000000007.json",
            ".mailbox.json",
            "export-state.json",
            "failed.jsonl",
            "import.journal.jsonl",
        ] {
            write(&dir.path().join(name), &input);
        }
        bounded(what, 24 * *BIG + (16 << 20), || {
            let _ = mailbox.read_sidecar(7);
            let _ = mailbox.identify(None);
            let _ = ExportState::load(dir.path());
            let _ = failed::load(dir.path(), Transfer::Export);
            let journal = Journal::open(dir.path(), "b.example", 143, "anna", false);
            assert!(journal.is_ok());
        });
    }
    let uids = || (1..=scaled(6_000_000)).map(|uid| uid * 2);
    let set: Vec<String> = uids().map(|uid| uid.to_string()).collect();
    let set = set.join(",");
    bounded("a set with gaps", 4 * *BIG, || {
        let set: UidSet = set.parse().expect("a set");
        assert_eq!(set.len(), u64::from(scaled(6_000_000)));
    });
    bounded("a set made downwards", 4 * *BIG, || {
        let set: UidSet = uids().rev().collect();
        assert_eq!(set.len(), u64::from(scaled(6_000_000)));
    });
}

#[test]
fn an_archive_file_without_end_is_refused() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let mailbox = MailboxDir::new(dir.path().to_path_buf());
    for name in [
        "u0000000007.json",
        ".mailbox.json",
        "export-state.json",
        "failed.jsonl",
    ] {
        // Takes no room on the disk.
        let file = File::create(dir.path().join(name)).expect("create");
        file.set_len(1 << 40).expect("give it a length");
    }
    bounded("a terabyte of zeros", 64 << 20, || {
        let sidecar = mailbox.read_sidecar(7).expect_err("too large");
        assert!(
            format!("{sidecar:#}").contains("u0000000007.json"),
            "{sidecar:#}"
        );
        assert!(mailbox.identify(None).is_err());
        assert!(ExportState::load(dir.path()).is_err());
        assert!(failed::load(dir.path(), Transfer::Export).is_err());
    });
    fs::write(dir.path().join("import.journal.jsonl"), vec![b'x'; *BIG]).expect("write");
    bounded("a journal of one line", 40 << 20, || {
        let journal = Journal::open(dir.path(), "b.example", 143, "anna", true);
        assert!(journal.is_ok());
    });
}

#[test]
fn panels() {
    let _alone = alone();
    let inputs = [
        ("names", repeated("", "list[]=anna&", "")),
        ("one name", repeated("list[]=", "x", "")),
        ("equal signs", repeated("a", "=", "")),
        ("ampersands", repeated("a=", "&", "")),
        ("entities", repeated("a=", "&#38;", "")),
        ("broken entities", repeated("a=", "&#", "")),
        ("percent signs", repeated("a=", "%", "")),
        ("nested JSON", repeated("", "[", "")),
        ("tags", repeated("<", "<b>", "")),
        ("open tags", repeated("<html>", "<", "")),
        ("scripts", repeated("<html>", "<script>", "")),
    ];
    for (what, input) in inputs {
        // An answer of the panel ends at 32 MB.
        let body = String::from_utf8(input[..*BIG / 2].to_vec()).expect("ASCII");
        bounded(what, 24 * *BIG + (16 << 20), || {
            if let Ok(reply) = Reply::decode(&body) {
                let _ = reply.verdict();
                let _ = reply.names(|_| true);
                let _ = reply.details();
                let _ = reply.unclear().to_string();
            }
        });
    }
}
