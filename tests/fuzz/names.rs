//! Names: what is encoded comes back, and no two names become one.

use std::collections::{BTreeMap, HashMap};

use imapsync_bulk_migrator::testing::mapping::{self, SourceMailbox, Target};
use imapsync_bulk_migrator::testing::{Listed, Name};
use imapsync_bulk_migrator::testing::{decode_name, encode_name};

use crate::fuzz;

const WORDS: [&str; 16] = [
    "INBOX",
    "inbox",
    "&AOQ-",
    "&-",
    "%2F",
    "..",
    "/",
    ".",
    "~",
    "Sent",
    "Entwürfe",
    "日本",
    "😀",
    "INBOX.",
    " ",
    "=2E",
];

/// Each line is a name.
fn names(input: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(input);
    text.split('\n').map(str::to_owned).collect()
}

#[test]
fn directories_tell_names_apart_and_stay_inside() {
    fuzz("names", &WORDS, |input| {
        let mut seen: HashMap<String, String> = HashMap::new();
        for name in names(input) {
            let directory = encode_name(&name);
            assert!(
                !directory.is_empty() && directory.len() <= 200,
                "{directory}"
            );
            assert!(
                !directory.starts_with('.') && !directory.contains('/'),
                "{directory}"
            );
            assert!(!directory.chars().any(char::is_control), "{directory}");
            match decode_name(&directory) {
                Some(decoded) => assert_eq!(decoded, name),
                None => assert!(name.len() > 60, "{directory} does not come back"),
            }
            if let Some(other) = seen.insert(directory, name.clone()) {
                assert_eq!(other, name, "two names in one directory");
            }
            // Whatever stands in an archive.
            let _ = decode_name(&name);
        }
    });
}

#[test]
fn modified_utf7_comes_back() {
    fuzz("names", &WORDS, |input| {
        let _ = Name::listed(input);
        for name in names(input) {
            let wire = Name::new(name.as_str()).wire().to_vec();
            assert!(wire.is_ascii(), "{}", wire.escape_ascii());
            let shown = Name::listed(wire.as_slice());
            let shown = shown.text();
            if !name.eq_ignore_ascii_case("INBOX") {
                assert_eq!(shown, name, "{}", wire.escape_ascii());
            }
        }
    });
}

#[test]
fn no_two_mailboxes_go_to_one() {
    fuzz("names", &WORDS, |input| {
        // INBOX is one mailbox, however it is written.
        let names: Vec<String> = names(input)
            .iter()
            .map(|name| Name::listed(Name::new(name).wire()).text().to_owned())
            .collect();
        let mut sources: Vec<SourceMailbox> = Vec::new();
        let (first, second) = names.split_at(names.len() / 2);
        for name in first.iter().take(40) {
            if sources.iter().all(|source| source.name() != name) {
                sources.push(SourceMailbox {
                    listed: listed(name, Some('/')),
                    prefix: String::new(),
                    before: None,
                });
            }
        }
        let present = second.iter().take(40).map(|name| listed(name, None));
        let present: Vec<Listed> = present.collect();
        for (prefix, delimiter) in [("", Some('/')), ("INBOX.", Some('.')), ("", None)] {
            let target = Target {
                present: present.clone(),
                prefix: prefix.to_owned(),
                delimiter,
            };
            let plan = mapping::plan(&sources, &target, &BTreeMap::new());
            assert_eq!(plan.len(), sources.len(), "every mailbox has a place");
            let mut taken: HashMap<Vec<u8>, usize> = HashMap::new();
            for mapped in plan {
                let other = taken.insert(mapped.name.wire().to_vec(), mapped.source);
                assert_eq!(
                    other,
                    None,
                    "two go to {}",
                    mapped.name.wire().escape_ascii()
                );
            }
        }
    });
}

fn listed(name: &str, delimiter: Option<char>) -> Listed {
    Listed {
        name: Name::new(name),
        delimiter,
        attributes: Vec::new(),
    }
}
