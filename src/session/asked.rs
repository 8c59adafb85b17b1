//! What the commands under way have asked for: nothing else counts as progress, however much a server says.
//!
//! Reads commands and the beginnings of responses; it neither sends nor waits.

use std::collections::{BTreeMap, VecDeque};

use super::reader::Response;
use super::response;

/// Messages that a mailbox may be said to have where EXISTS was not said.
const MOST: u64 = 10_000_000;

/// What is under way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Asked {
    commands: VecDeque<Question>,
    /// Messages of which something was said since a command ended, by number or UID.
    heard: NumberSet,
    /// Those of which a body came.
    brought: NumberSet,
    /// Messages of the mailbox, as said last.
    exists: Option<u64>,
}

#[derive(Debug)]
struct Question {
    tag: String,
    about: Topic,
}

#[derive(Debug)]
enum Topic {
    /// Messages of these UIDs.
    Messages(Vec<(u32, u32)>),
    /// Data that begins with one of these words.
    Data(&'static [&'static str]),
}

impl Asked {
    /// A command is on its way.
    pub(super) fn sent(&mut self, tag: &str, command: &[u8]) {
        let tag = tag.to_owned();
        let about = about(command);
        self.commands.push_back(Question { tag, about });
    }

    /// A command has ended.
    pub(super) fn ended(&mut self, tag: &str) {
        self.commands.retain(|question| question.tag != tag);
        (self.heard, self.brought) = (NumberSet::default(), NumberSet::default());
    }

    /// Does this data bring a command closer to its end? The same thing does so only once.
    pub(super) fn is_answer(&mut self, response: &Response) -> bool {
        if let Some(count) = response::parse_exists(response) {
            self.exists = Some(count);
            return false;
        }
        let Some((number, uid)) = response::fetch_key(response) else {
            let word = response::data_word(response);
            return self.commands.iter().any(|question| question.wants(word));
        };
        let is_theirs = |uid: u32| self.commands.iter().any(|question| question.names(uid));
        if uid.is_some_and(|uid| !is_theirs(uid)) {
            return false;
        }
        let numbers = match uid {
            _ if response.bodies > 0 => &mut self.brought,
            Some(_) => &mut self.heard,
            None => return false,
        };
        let most = self.exists.unwrap_or(MOST).min(MOST);
        numbers.count < most && numbers.insert(number)
    }
}

impl Question {
    fn wants(&self, word: &[u8]) -> bool {
        matches!(&self.about, Topic::Data(words)
            if words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())))
    }

    fn names(&self, uid: u32) -> bool {
        matches!(&self.about, Topic::Messages(set)
            if set.iter().any(|(first, last)| (*first..=*last).contains(&uid)))
    }
}

/// Numbers, of which those that follow each other cost one range.
#[derive(Debug, Default)]
struct NumberSet {
    /// First and last of each range.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl NumberSet {
    /// False for one that is in it.
    fn insert(&mut self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back();
        let before = before.map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let touching = before.filter(|(_, last)| last.saturating_add(1) == number);
        let first = touching.map_or(number, |(first, _)| first);
        let last = self.ranges.remove(&number.saturating_add(1));
        self.ranges.insert(first, last.unwrap_or(number));
        self.count += 1;
        true
    }
}

/// What a command asks for, by its words.
fn about(command: &[u8]) -> Topic {
    const LISTING: &[&str] = &["LIST", "LSUB", "STATUS"];
    let head = String::from_utf8_lossy(&command[..command.len().min(4096)]).to_ascii_uppercase();
    let mut words = head.split_ascii_whitespace();
    let mut name = words.next().unwrap_or_default();
    if name == "UID" {
        name = words.next().unwrap_or_default();
    }
    match name {
        "FETCH" | "STORE" => Topic::Messages(words.next().map(ranges).unwrap_or_default()),
        "SEARCH" => Topic::Data(&["SEARCH", "ESEARCH"]),
        "LIST" | "LSUB" | "STATUS" => Topic::Data(LISTING),
        "NAMESPACE" => Topic::Data(&["NAMESPACE"]),
        "GETQUOTAROOT" | "GETQUOTA" => Topic::Data(&["QUOTA", "QUOTAROOT"]),
        "ID" => Topic::Data(&["ID"]),
        "ENABLE" => Topic::Data(&["ENABLED"]),
        _ => Topic::Data(&[]),
    }
}

/// The ranges of a set; `*` stands for any UID.
fn ranges(set: &str) -> Vec<(u32, u32)> {
    let number = |text: &str| text.parse().unwrap_or(u32::MAX);
    let range = |part: &str| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let (first, last) = (number(first), number(last));
        if part.contains('*') {
            (first.min(last), u32::MAX)
        } else {
            (first.min(last), first.max(last))
        }
    };
    set.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(asked: &mut Asked, line: &str) -> bool {
        asked.is_answer(&Response {
            bytes: format!("{line}\r\n").into_bytes(),
            ..Response::default()
        })
    }

    #[test]
    fn what_was_asked_for_brings_a_command_further_once() {
        let mut asked = Asked::default();
        answers(&mut asked, "* 3 EXISTS");
        asked.sent("x1", b"UID FETCH 5,7:* (UID FLAGS)");
        for (line, expected) in [
            ("* 1 FETCH (UID 5 FLAGS ())", true),
            ("* 1 FETCH (UID 5 FLAGS ())", false),
            ("* 2 FETCH (FLAGS () uid 6)", false),
            ("* 3 FETCH (UID 9 FLAGS ())", true),
            ("* 2 fetch (uid 8 FLAGS ())", true),
            ("* 4 FETCH (UID 10 FLAGS ())", false),
            ("* 2 FETCH (FLAGS ())", false),
            ("* LIST () NIL INBOX", false),
            ("* SEARCH 1", false),
        ] {
            assert_eq!(answers(&mut asked, line), expected, "{line}");
        }
        asked.ended("x1");
        assert!(!answers(&mut asked, "* 1 FETCH (UID 5 FLAGS ())"));
        asked.sent("x2", b"UID SEARCH ALL");
        asked.sent("x3", b"LIST \"\" \"*\"");
        assert!(answers(&mut asked, "* SEARCH 1"));
        assert!(answers(&mut asked, "* list () NIL INBOX"));
        assert!(!answers(&mut asked, "* CAPABILITY IMAP4rev1"));
    }

    #[test]
    fn sets_are_read_as_they_are_sent() {
        assert_eq!(ranges("1:*"), [(1, u32::MAX)]);
        assert_eq!(ranges("7,9:8,*"), [(7, 7), (8, 9), (u32::MAX, u32::MAX)]);
    }
}
