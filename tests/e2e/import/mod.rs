//! What an import promises, held against real servers and against servers that misbehave on demand.

mod accepted_archives;
mod again;
mod alias;
mod blame;
mod content;
mod dates;
mod following;
mod hostile_archive;
mod identity;
mod interrupted;
mod lookalikes;
mod mapping;
mod names;
mod parts;
mod recalled;
mod refusals;
mod round_trip;
mod shared;
mod strict_target;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::kit::Endpoint;
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::archive::ArchivedMailbox;
use crate::kit::run::program::{IMPORT, Output, Program, config_of};
use crate::kit::run::reader::{HeldMailbox, HeldMessage, Reader};
use crate::kit::run::report::report;
use crate::kit::servers::codec::hex;
use crate::kit::servers::fake::{FakeMailbox, FakeOptions, FakeServer};

/// The user of a default Dovecot and of the fake server.
const ANNA: &str = "anna@example.com";

/// Everything that a fast target offers.
const MODERN: &str =
    "IMAP4rev1 LITERAL+ ID NAMESPACE UIDPLUS MULTIAPPEND LIST-EXTENDED LIST-STATUS";

/// What a message is to whoever counts: digest, flags, date.
type Print = (String, Vec<String>, String);

/// A server with an empty INBOX.
fn inbox(capabilities: &str) -> FakeOptions {
    let options = FakeServer::options().capabilities(capabilities);
    options.mailbox(FakeMailbox::new("INBOX"))
}

/// Writes `import.pass.config.json`; `more` are further keys, such as `folder_map`.
fn aim_with(program: &Program, target: &Endpoint, accounts: &[(&str, &str)], more: &Value) {
    let mut config = config_of(target, accounts);
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    program.file("import.pass.config.json", &config.to_string());
}

/// Writes `import.pass.config.json`: Anna on this server.
fn aim(program: &Program, target: &Endpoint) {
    aim_with(program, target, &[(ANNA, PASSWORD)], &Value::Null);
}

/// `--mode import` with these arguments and a report, to the end.
fn import(program: &Program, arguments: &[&str]) -> Output {
    let fixed = IMPORT.iter().chain(&["--report", "report.json"]);
    program.run(fixed.chain(arguments))
}

/// Numbers of the totals in the report.
#[track_caller]
fn totals<const N: usize>(program: &Program, names: [&str; N]) -> [u64; N] {
    let report = report(program);
    names.map(|name| {
        let value = report["totals"][name].as_u64();
        value.unwrap_or_else(|| panic!("totals have no {name}: {report:#}"))
    })
}

/// Where the report of a one-account run says that each mailbox went.
#[track_caller]
fn targets(program: &Program) -> BTreeMap<String, String> {
    let report = report(program);
    let mailboxes = report["accounts"][0]["mailboxes"].as_array();
    let mailboxes = mailboxes.unwrap_or_else(|| panic!("no mailboxes in {report:#}"));
    let text = |entry: &Value, key: &str| -> String {
        let value = entry[key].as_str();
        value
            .unwrap_or_else(|| panic!("no {key} in {entry:#}"))
            .to_owned()
    };
    let targets: BTreeMap<String, String> = mailboxes
        .iter()
        .map(|entry| (text(entry, "mailbox"), text(entry, "target")))
        .collect();
    let distinct: BTreeSet<&String> = targets.values().collect();
    assert_eq!(
        distinct.len(),
        targets.len(),
        "two mailboxes share a target: {targets:#?}"
    );
    targets
}

/// What the report says of one mailbox.
fn entry(program: &Program, mailbox: &str) -> Value {
    let report = report(program);
    let entries = report["accounts"][0]["mailboxes"].as_array();
    let found = entries.and_then(|all| all.iter().find(|entry| entry["mailbox"] == mailbox));
    found
        .unwrap_or_else(|| panic!("no {mailbox} in {report:#}"))
        .clone()
}

/// Lines of `failed.jsonl` that this import wrote, as mailbox and UID, sorted.
fn failed(program: &Program) -> Vec<(String, u64)> {
    let lines = program.archive(ANNA).failed();
    let place = |line: &Value| {
        assert_eq!(line["during"], "import", "{line}");
        assert_eq!(line["account"], ANNA, "{line}");
        assert!(line["at"].is_string(), "{line}");
        let mailbox = line["mailbox"].as_str().expect("a mailbox").to_owned();
        (mailbox, line["uid"].as_u64().expect("a uid"))
    };
    let mut places: Vec<(String, u64)> = lines.iter().map(place).collect();
    places.sort();
    places
}

/// The account's journal.
fn journal(program: &Program) -> std::path::PathBuf {
    program.archive(ANNA).dir.join("import.journal.jsonl")
}

/// The words of flags, sorted, `\Recent` left out.
fn flag_words(flags: &str) -> Vec<String> {
    let words = flags.split_whitespace().filter(|word| *word != "\\Recent");
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort();
    words
}

/// A day in one digit is written with a blank or with a zero before it.
fn date(text: &str) -> String {
    text.strip_prefix(' ')
        .map_or(text.to_owned(), |rest| format!("0{rest}"))
}

fn of_mails(mails: &[Mail]) -> Vec<Print> {
    let mut prints: Vec<Print> = mails
        .iter()
        .map(|mail| {
            let digest = hex(&Sha256::digest(&mail.bytes));
            (digest, flag_words(&mail.flags), mail.internaldate())
        })
        .collect();
    prints.sort();
    prints
}

fn of_held(mailbox: &HeldMailbox) -> Vec<Print> {
    let print = |held: &HeldMessage| {
        let digest = held.sha256.clone().unwrap_or_default();
        (digest, held.flags.clone(), date(&held.internaldate))
    };
    let mut prints: Vec<Print> = mailbox.messages.iter().map(print).collect();
    prints.sort();
    prints
}

fn of_archived(mailbox: &ArchivedMailbox) -> Vec<Print> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut prints: Vec<Print> = mailbox
        .messages
        .values()
        .map(|message| {
            let flags = flag_words(&text(&message.sidecar["flags"]));
            (
                message.sha256(),
                flags,
                date(&text(&message.sidecar["internaldate"])),
            )
        })
        .collect();
    prints.sort();
    prints
}

/// The same messages as often: nothing lost, nothing twice.
#[track_caller]
fn assert_same(what: &str, there: &[Print], expected: &[Print]) {
    let only = |left: &[Print], right: &[Print]| -> Vec<Print> {
        let mut right = right.to_vec();
        let unmatched = left.iter().filter(|print| {
            let twin = right.iter().position(|other| other == *print);
            twin.map(|index| right.swap_remove(index)).is_none()
        });
        unmatched.cloned().collect()
    };
    let (lost, surplus) = (only(expected, there), only(there, expected));
    assert!(
        lost.is_empty() && surplus.is_empty(),
        "{what}: {} of {} messages are not there as they should be, first {:#?}\n{} are there that should not, first {:#?}",
        lost.len(),
        expected.len(),
        &lost[..lost.len().min(5)],
        surplus.len(),
        &surplus[..surplus.len().min(5)]
    );
}

/// Anna on the fake server, through imaplib.
fn reader(server: &FakeServer) -> Reader {
    Reader::new(&server.endpoint(), ANNA, PASSWORD)
}

/// A mailbox of the fake server holds these mails and nothing else.
#[track_caller]
fn assert_holds(server: &FakeServer, mailbox: &str, mails: &[Mail]) {
    let held = reader(server).mailbox(mailbox);
    assert_same(mailbox, &of_held(&held), &of_mails(mails));
}

/// A program with an archive of Anna's and a target: what most tests begin with.
fn program_for(server: &FakeServer, mailbox: &str, mails: &[Mail]) -> Program {
    program_at(&server.endpoint(), mailbox, mails)
}

/// The same for any target.
fn program_at(target: &Endpoint, mailbox: &str, mails: &[Mail]) -> Program {
    let program = Program::new();
    crate::kit::run::handmade::Handmade::new(&program)
        .mailbox(mailbox, mails)
        .complete();
    aim(&program, target);
    program
}
