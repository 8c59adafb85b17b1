//! FETCH of the fake server, and how it goes wrong. Knows no connection.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::mailbox::{FakeMailbox, FakeMessage};
use super::section::Section;

/// What happens instead of sending a message whose body is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// `BODY[] NIL`.
    Nil,
    /// `BODY[] ""`.
    Empty,
    /// No response for this message; the command ends with OK.
    Omit,
    /// No response for this message; the others are sent and the command ends with NO and this text.
    No(String),
    /// These bytes, line ends included; the rest of the command goes on.
    Raw(Vec<u8>),
    /// The response in another form: UID, date and size behind the body, the flags in a response of their own.
    Scattered,
    /// The literal announces the message, this many bytes come, and the connection ends.
    DropAt(usize),
    /// The same, but the connection stays open in silence.
    StallAt(usize),
    /// `* BYE` with this text instead of the message, and the end.
    Bye(String),
    /// The connection ends where the response was due.
    Hangup,
    /// Silence where the response was due.
    Silence,
}

/// When a [`Behaviour`] applies.
#[derive(Debug, Clone)]
pub struct Rule {
    uid: u32,
    left: Option<usize>,
    behaviour: Behaviour,
}

impl Rule {
    /// For ever, or so many times.
    pub fn new(uid: u32, times: Option<usize>, behaviour: Behaviour) -> Self {
        Self {
            uid,
            left: times,
            behaviour,
        }
    }

    /// The first rule that applies to a UID; uses it up by one.
    fn take(rules: &mut [Self], uid: u32) -> Option<Behaviour> {
        let rule = rules
            .iter_mut()
            .find(|rule| rule.uid == uid && rule.left != Some(0))?;
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.behaviour.clone())
    }
}

/// What a server does with a command that names more messages than it takes at once (RFC 9738).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// It takes the highest UIDs.
    FromAbove,
    /// It takes the lowest ones.
    FromBelow,
    /// It takes none, and says NO or BAD.
    Refused(&'static str),
}

/// Of ascending UIDs those that are taken, and the end of the command, where they are more than `most`.
pub fn taken(uids: Vec<u32>, limit: Option<(usize, TooMany)>) -> (BTreeSet<u32>, Option<String>) {
    let Some((most, way)) = limit.filter(|(most, _)| uids.len() > *most) else {
        return (uids.into_iter().collect(), None);
    };
    let (taken, stopped) = match way {
        TooMany::FromAbove => {
            let taken = uids[uids.len() - most..].to_vec();
            let stopped = taken[0];
            (taken, stopped)
        }
        TooMany::FromBelow => (uids[..most].to_vec(), uids[most - 1]),
        TooMany::Refused(word) => {
            let end = format!("{word} [MESSAGELIMIT {most}] too many messages");
            return (BTreeSet::new(), Some(end));
        }
    };
    let end = format!("OK [MESSAGELIMIT {most} {stopped}] {most} of them");
    (taken.into_iter().collect(), Some(end))
}

/// The whole answer to a FETCH.
pub struct Request {
    /// Messages that one command may name.
    pub limit: Option<(usize, TooMany)>,
    /// By UID or by sequence number?
    pub by_uid: bool,
    /// The set.
    pub set: String,
    /// The attributes, in capitals.
    pub items: String,
    /// CHANGEDSINCE (RFC 7162).
    pub changed_since: Option<u64>,
}

impl Request {
    /// Responses and tagged end.
    pub fn answer(&self, tag: &str, mailbox: &FakeMailbox, rules: &mut [Rule]) -> Answer {
        let mut out = Vec::new();
        let mut refused = None;
        let numbered = || (1_u32..).zip(&mailbox.messages);
        let wanted = numbered().filter(|(number, message)| self.wants(mailbox, *number, message));
        let (taken, end) = taken(wanted.map(|(_, message)| message.uid).collect(), self.limit);
        for (number, message) in numbered().filter(|(_, message)| taken.contains(&message.uid)) {
            let rule = self
                .wants_body()
                .then(|| Rule::take(rules, message.uid))
                .flatten();
            match rule {
                None => out.extend(self.response(number, message)),
                Some(Behaviour::Nil) => out.extend(self.respond(number, message, b"BODY[] NIL")),
                Some(Behaviour::Empty) => {
                    out.extend(self.respond(number, message, b"BODY[] \"\""));
                }
                Some(Behaviour::Omit) => {}
                Some(Behaviour::No(text)) => refused = Some(text),
                Some(Behaviour::Raw(bytes)) => out.extend(bytes),
                Some(Behaviour::Scattered) => out.extend(scattered(number, message)),
                Some(Behaviour::DropAt(count)) => {
                    out.extend(self.cut(number, message, count));
                    return Answer::Close(out);
                }
                Some(Behaviour::StallAt(count)) => {
                    out.extend(self.cut(number, message, count));
                    return Answer::Stall(out);
                }
                Some(Behaviour::Bye(text)) => {
                    out.extend(format!("* BYE {text}\r\n").into_bytes());
                    return Answer::Close(out);
                }
                Some(Behaviour::Hangup) => return Answer::Close(out),
                Some(Behaviour::Silence) => return Answer::Stall(out),
            }
        }
        let end = end.unwrap_or_else(|| "OK FETCH completed".to_owned());
        let end = refused.map_or(end, |text| format!("NO {text}"));
        out.extend(format!("{tag} {end}\r\n").into_bytes());
        Answer::Go(out)
    }

    /// The whole message; parts of its header cost no rule.
    fn wants_body(&self) -> bool {
        let sections = Section::all(&self.items);
        sections.contains(&Section::Whole)
            || self.items.split([' ', '(', ')']).any(|w| w == "RFC822")
    }

    fn wants(&self, mailbox: &FakeMailbox, number: u32, message: &FakeMessage) -> bool {
        let highest = |key: fn(usize, &FakeMessage) -> u32| {
            let keys = mailbox.messages.iter().enumerate();
            keys.map(|(index, message)| key(index, message))
                .max()
                .unwrap_or(0)
        };
        let inside = if self.by_uid {
            contains(&self.set, message.uid, highest(|_, message| message.uid))
        } else {
            let last = highest(|index, _| u32::try_from(index + 1).unwrap_or(0));
            contains(&self.set, number, last)
        };
        inside
            && self
                .changed_since
                .is_none_or(|since| message.modseq > since)
    }

    /// What a faultless server sends.
    fn response(&self, number: u32, message: &FakeMessage) -> Vec<u8> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if self.wants_body() {
            parts.push(literal(message));
        }
        let sections = Section::all(&self.items).into_iter();
        parts.extend(sections.filter_map(|section| section.of_header(&message.body)));
        self.respond(number, message, &parts.join(&b' '))
    }

    fn respond(&self, number: u32, message: &FakeMessage, body: &[u8]) -> Vec<u8> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut add = |wanted: bool, text: String| {
            if wanted {
                parts.push(text.into_bytes());
            }
        };
        let asked = |item: &str| self.items.contains(item);
        add(self.by_uid || asked("UID"), format!("UID {}", message.uid));
        add(asked("FLAGS"), format!("FLAGS ({})", message.flags));
        add(!message.extra.is_empty(), message.extra.clone());
        add(
            asked("INTERNALDATE"),
            format!("INTERNALDATE {}", message.internaldate),
        );
        add(
            asked("RFC822.SIZE"),
            format!("RFC822.SIZE {}", size(message)),
        );
        add(
            asked("MODSEQ") || self.changed_since.is_some(),
            format!("MODSEQ ({})", message.modseq),
        );
        if !body.is_empty() {
            parts.push(body.to_vec());
        }
        let inside = parts.join(&b' ');
        [format!("* {number} FETCH (").as_bytes(), &inside, b")\r\n"].concat()
    }

    /// Head of the response, and so many bytes of the body.
    fn cut(&self, number: u32, message: &FakeMessage, count: usize) -> Vec<u8> {
        let mut whole = self.response(number, message);
        let behind = message.body.len() + b")\r\n".len();
        whole.truncate(whole.len() - behind + count.min(message.body.len()));
        whole
    }
}

fn size(message: &FakeMessage) -> String {
    let truth = || message.body.len().to_string();
    message.size.clone().unwrap_or_else(truth)
}

fn literal(message: &FakeMessage) -> Vec<u8> {
    let head = format!("BODY[] {{{}}}\r\n", message.body.len());
    [head.as_bytes(), &message.body].concat()
}

fn scattered(number: u32, message: &FakeMessage) -> Vec<u8> {
    let flags = format!("* {number} FETCH (FLAGS ({}))\r\n", message.flags);
    let head = format!("* {number} FETCH (");
    let behind = format!(
        " RFC822.SIZE {} INTERNALDATE {} UID {})\r\n",
        size(message),
        message.internaldate,
        message.uid
    );
    [
        flags.as_bytes(),
        head.as_bytes(),
        &literal(message),
        behind.as_bytes(),
    ]
    .concat()
}

/// Is a number in a set such as `1:4,7,9:*`?
pub fn contains(set: &str, number: u32, highest: u32) -> bool {
    let value = |text: &str| {
        if text == "*" {
            highest
        } else {
            text.parse().unwrap_or(0)
        }
    };
    set.split(',').any(|part| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let (from, to) = (value(from), value(to));
        (from.min(to)..=from.max(to)).contains(&number)
    })
}

#[test]
fn sets_hold_what_the_rfc_says() {
    assert!(contains("1:4,7", 3, 9) && contains("1:4,7", 7, 9));
    assert!(!contains("1:4,7", 5, 9));
    // RFC 3501: a range with `*` always holds the last message.
    assert!(contains("20:*", 9, 9) && !contains("20:*", 8, 9));
}
