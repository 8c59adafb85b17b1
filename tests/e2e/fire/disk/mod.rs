//! Disks that are full, read-only, failing or taken away, before a run or in its middle, in every mode.

mod failing;
mod folding;
mod full;
mod removed;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::ANNA;
use super::scene::{USERS, assert_state_is_true};
use crate::kit::mail::realistic;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::reader::HeldMailbox;
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer, Reply};
use crate::kit::servers::panel::Panel;
use crate::kit::servers::wire::Received;
use crate::kit::{PASSWORD, wait_until};

const FULL: &str = "No space left on device";
const FAILING: &str = "Input/output error";
const READ_ONLY: &str = "Read-only file system";

/// The run ended with an error, in words that name these, and without a panic.
#[track_caller]
fn assert_told(output: &Output, words: &[&str]) {
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "{}", output.describe());
    let said = output.stdout.clone() + &output.stderr;
    assert!(!said.contains("panicked"), "{}", output.describe());
    assert!(
        !said.contains("a bug in this program"),
        "{}",
        output.describe()
    );
    for word in words {
        assert!(
            said.contains(word),
            "{word} is missing: {}",
            output.describe()
        );
    }
}

/// One of the accounts is named as failed, or none was begun.
#[track_caller]
fn assert_account_named(output: &Output) {
    let named = |user: &&str| output.stdout.contains(&format!("FAILED  {user}"));
    assert!(
        output.status.code() == Some(2) || USERS.iter().any(named),
        "{}",
        output.describe()
    );
}

#[track_caller]
fn assert_states_are_true(program: &Program, truth: &[(&str, Vec<HeldMailbox>)]) {
    for (user, held) in truth {
        if program.path("exported").join(user).exists() {
            assert_state_is_true(&program.archive(user), held);
        }
    }
}

/// `--mode index` into this file.
fn index(program: &Program, panel: &Panel, out: &str) -> Output {
    let fixed = ["--mode", "index", "--imap-host", "mail.example.com"];
    let mut words: Vec<String> = fixed.map(str::to_owned).to_vec();
    words.extend(panel.flags());
    words.extend(["--all-domains", "--out", out].map(str::to_owned));
    program.run(words)
}

/// Something is done before the command of this name and number is answered.
fn once(
    name: &'static str,
    number: usize,
    act: impl FnOnce() + Send + 'static,
) -> impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static {
    let state = Mutex::new((0, Some(act)));
    move |command| {
        let mut state = state.lock().expect("no panic");
        state.0 += usize::from(command.name == name);
        let act = if state.0 == number {
            state.1.take()
        } else {
            None
        };
        if let Some(act) = act {
            act();
        }
        None
    }
}

/// A fake server with mail for Anna that does something to the disk in the middle of a run.
fn meddler(name: &'static str, number: usize, act: impl FnOnce() + Send + 'static) -> FakeOptions {
    FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(31, 30)))
        .mailbox(FakeMailbox::new("Sent").mails(&realistic(32, 30)))
        .on_command(once(name, number, act))
}

/// Writes `import.pass.config.json`: Anna on this server.
fn aim(program: &Program, server: &FakeServer) {
    program.target_config(&server.endpoint(), &[(ANNA, PASSWORD)]);
}

/// A source becomes a target.
fn empty(server: &FakeServer) {
    server.edit(|mailboxes| {
        for mailbox in mailboxes {
            mailbox.messages.clear();
        }
    });
}

fn remove(path: PathBuf) -> impl FnOnce() + Send + 'static {
    move || {
        // Whoever writes there at the same time can make it fail once.
        wait_until("it is removed", || {
            fs::remove_dir_all(&path).is_ok() || !path.exists()
        });
    }
}

/// Bytes and files that a tree takes on a tmpfs.
fn taken(dir: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 1);
    for entry in fs::read_dir(dir).expect("list").flatten() {
        let there = entry.metadata().expect("look at a file");
        if there.is_dir() {
            let (more_bytes, more_files) = taken(&entry.path());
            bytes += more_bytes;
            files += more_files;
        } else {
            bytes += there.size().next_multiple_of(4096);
            files += 1;
        }
    }
    (bytes, files)
}
