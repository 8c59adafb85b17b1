//! Reads an export directory from the documented format alone, and compares it with what a server holds.
//!
//! It refuses to use the product's own code: that would find its own mistakes correct.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::reader::{HeldMailbox, HeldMessage};
use super::tempdir::tree;
use crate::kit::servers::codec::hex;

/// One account's directory.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The directory.
    pub dir: PathBuf,
}

/// One mailbox directory.
#[derive(Debug, Clone)]
pub struct ArchivedMailbox {
    /// The directory.
    pub dir: PathBuf,
    /// `.mailbox.json`.
    pub meta: Value,
    /// Pairs of message file and sidecar, by UID.
    pub messages: BTreeMap<u32, ArchivedMessage>,
    /// Names of files that are no part of a pair, `.mailbox.json` apart.
    pub strays: Vec<String>,
}

/// A message file with its sidecar.
#[derive(Debug, Clone)]
pub struct ArchivedMessage {
    /// The message file.
    pub bytes: Vec<u8>,
    /// The sidecar.
    pub sidecar: Value,
}

impl ArchivedMessage {
    /// Digest of the message file as it is on disk.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }
}

impl Archive {
    /// The directory of a user below an output directory; panics when there is none.
    pub fn find(output: &Path, user: &str) -> Self {
        let found = fs::read_dir(output)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .find(|dir| {
                let name = dir.file_name().expect("a name").to_string_lossy();
                percent_decoded(&name) == user.as_bytes()
            });
        let dir = found.unwrap_or_else(|| panic!("no archive of {user}:\n{}", tree(output)));
        Self { dir }
    }

    /// `export-state.json`.
    pub fn state(&self) -> Value {
        json_file(&self.dir.join("export-state.json"))
    }

    /// `failed.jsonl`, a value per line; empty when there is no such file.
    pub fn failed(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.join("failed.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line of failed.jsonl"))
            .collect()
    }

    /// All mailboxes by name.
    pub fn mailboxes(&self) -> BTreeMap<String, ArchivedMailbox> {
        let entries = fs::read_dir(&self.dir).expect("list the archive").flatten();
        let mut mailboxes = BTreeMap::new();
        for dir in entries.map(|entry| entry.path()) {
            if dir.join(".mailbox.json").is_file() {
                let mailbox = ArchivedMailbox::read(dir);
                let name = mailbox.meta["name"].as_str().expect("a name").to_owned();
                let twin = mailboxes.insert(name.clone(), mailbox);
                assert!(twin.is_none(), "two directories of mailbox {name}");
            }
        }
        mailboxes
    }

    /// One mailbox; panics when there is none of this name.
    pub fn mailbox(&self, name: &str) -> ArchivedMailbox {
        let found = self.mailboxes().remove(name);
        found.unwrap_or_else(|| panic!("no mailbox {name} in the archive:\n{}", tree(&self.dir)))
    }

    /// In what the archive differs from what the server holds, a sentence each.
    pub fn differences(&self, held: &[HeldMailbox]) -> Vec<String> {
        let mut found = Vec::new();
        let state = self.state();
        if state["complete"] != Value::Bool(true) {
            found.push(format!("complete is {} in the state", state["complete"]));
        }
        check_modes(&self.dir, &mut found);
        let mut archived = self.mailboxes();
        for held in held.iter().filter(|held| held.selectable) {
            match archived.remove(&held.name) {
                Some(mailbox) => mailbox.compare(held, &state, &mut found),
                None => found.push(format!("mailbox {} is missing", held.name)),
            }
        }
        for name in archived.keys() {
            found.push(format!("mailbox {name} is not on the server"));
        }
        found
    }
}

/// Every message byte for byte, flags, dates, UIDVALIDITY, nothing unfinished, the state complete.
#[track_caller]
pub fn assert_archive_equals_server(archive: &Archive, held: &[HeldMailbox]) {
    let differences = archive.differences(held);
    let shown: Vec<&String> = differences.iter().take(20).collect();
    assert!(
        differences.is_empty(),
        "{} differences between archive and server, first {shown:#?}\n{}",
        differences.len(),
        tree(&archive.dir)
    );
}

impl ArchivedMailbox {
    /// Reads a mailbox directory: whatever it holds, without judging.
    pub fn read(dir: PathBuf) -> Self {
        let meta = json_file(&dir.join(".mailbox.json"));
        let names: BTreeSet<String> = fs::read_dir(&dir)
            .expect("list a mailbox directory")
            .flatten()
            .filter(|entry| !entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != ".mailbox.json")
            .collect();
        let mut messages = BTreeMap::new();
        let mut strays = Vec::new();
        for name in &names {
            let Some((stem, extension)) = name.rsplit_once('.') else {
                strays.push(name.clone());
                continue;
            };
            let uid = stem.strip_prefix('u').and_then(|uid| uid.parse().ok());
            let twin = |extension: &str| names.contains(&format!("{stem}.{extension}"));
            match (uid, extension) {
                (Some(uid), "eml") if twin("json") => {
                    let message = ArchivedMessage {
                        bytes: fs::read(dir.join(name)).expect("read a message file"),
                        sidecar: json_file(&dir.join(format!("{stem}.json"))),
                    };
                    messages.insert(uid, message);
                }
                (Some(_), "json") if twin("eml") => {}
                _ => strays.push(name.clone()),
            }
        }
        Self {
            dir,
            meta,
            messages,
            strays,
        }
    }

    fn compare(&self, held: &HeldMailbox, state: &Value, found: &mut Vec<String>) {
        let name = &held.name;
        let mut expect = |what: &str, archived: &Value, held: Value| {
            if *archived != held {
                found.push(format!("{name}: {what} is {archived}, not {held}"));
            }
        };
        expect(
            "uidvalidity",
            &self.meta["uidvalidity"],
            held.uidvalidity.into(),
        );
        let entries = state["mailboxes"].as_array();
        let entry = entries.and_then(|all| all.iter().find(|entry| entry["name"] == **name));
        let bytes: u64 = held
            .messages
            .iter()
            .filter_map(|message| message.length)
            .sum();
        let entry = entry.unwrap_or(&Value::Null);
        expect(
            "uidvalidity in the state",
            &entry["uidvalidity"],
            held.uidvalidity.into(),
        );
        expect(
            "number of messages in the state",
            &entry["messages"],
            held.messages.len().into(),
        );
        expect(
            "number of bytes in the state",
            &entry["bytes"],
            bytes.into(),
        );
        for stray in &self.strays {
            found.push(format!("{name}: {stray} is no part of a finished message"));
        }
        let mut left: BTreeSet<u32> = self.messages.keys().copied().collect();
        for message in &held.messages {
            left.remove(&message.uid);
            match self.messages.get(&message.uid) {
                Some(archived) => archived.compare(held, message, found),
                None => found.push(format!("{name}: UID {} is missing", message.uid)),
            }
        }
        for uid in left {
            found.push(format!("{name}: UID {uid} is not on the server"));
        }
    }
}

impl ArchivedMessage {
    fn compare(&self, mailbox: &HeldMailbox, held: &HeldMessage, found: &mut Vec<String>) {
        let sidecar = &self.sidecar;
        let place = format!("{}: UID {}", mailbox.name, held.uid);
        let mut expect = |what: &str, archived: Value, held: Value| {
            if archived != held {
                found.push(format!("{place}: {what} is {archived}, not {held}"));
            }
        };
        let sha256 = Value::from(held.sha256.clone());
        expect("sha256 of the file", self.sha256().into(), sha256.clone());
        expect("sha256 in the sidecar", sidecar["sha256"].clone(), sha256);
        expect("size", sidecar["size"].clone(), held.length.into());
        expect(
            "mailbox",
            sidecar["mailbox"].clone(),
            mailbox.name.clone().into(),
        );
        expect("uid", sidecar["uid"].clone(), held.uid.into());
        expect(
            "uidvalidity",
            sidecar["uidvalidity"].clone(),
            mailbox.uidvalidity.into(),
        );
        let flags = sidecar["flags"].as_str().unwrap_or_default();
        let mut flags: Vec<&str> = flags.split_whitespace().collect();
        flags.sort_unstable();
        expect("flags", flags.into(), held.flags.clone().into());
        let date = sidecar["internaldate"].as_str().unwrap_or_default();
        expect(
            "internaldate",
            date.into(),
            held.internaldate.clone().into(),
        );
    }
}

/// Nobody but the owner may read anything (files 0600, directories 0700).
fn check_modes(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("list the archive").flatten() {
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).expect("look at a file");
        let mode = metadata.mode() & 0o7777;
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        if mode != expected {
            found.push(format!("{} has mode {mode:04o}", path.display()));
        }
        if metadata.is_dir() {
            check_modes(&path, found);
        }
    }
}

fn json_file(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn percent_decoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = (*first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(coded.unwrap_or(*first));
        rest = if coded.is_some() { &after[2..] } else { after };
    }
    bytes
}
