//! A server with mail of all kinds on it, and what another one is to hold of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::super::{ANNA, Print, effort};
use super::limits::{Limits, Report};
use super::server::{Kind, PASSWORD, Server};
use crate::kit::mail::{flagged_hostile, realistic};
use crate::kit::run::program::Program;
use crate::kit::run::reader::{Filling, HeldMailbox, HeldMessage, Reader};
use crate::kit::servers::codec::hex;

fn levels(path: &[&str]) -> Vec<String> {
    path.iter().map(|level| (*level).to_owned()).collect()
}

/// Mail as an account may hold it: odd names, a tree, copies, an empty mailbox, one that nobody subscribed to.
fn account(kind: Kind) -> Vec<Filling> {
    // The largest is left to the long form: it takes as long as all the others.
    let mut hostile = flagged_hostile();
    hostile.retain(|mail| mail.bytes.len() < effort(1_000_000, usize::MAX));
    let mut sent = realistic(301, 4);
    sent.push(sent[0].clone());
    let mut tree = vec![
        (levels(&["INBOX"]), false, hostile),
        (levels(&["Sent"]), true, sent),
        (
            levels(&["Entwürfe & mehr", "2024", "März"]),
            true,
            realistic(302, 6),
        ),
        (levels(&["日本語"]), true, realistic(303, 2)),
        (levels(&["Parent"]), false, realistic(304, 1)),
        (levels(&["Parent", "Child"]), true, realistic(304, 2)),
        (levels(&["empty"]), true, Vec::new()),
    ];
    // Names that one of the servers refuses; where it is the source they cannot be.
    for (seed, (odd, _)) in (305..).zip(Limits::of(Kind::Cyrus).names) {
        if Limits::of(kind).names.is_empty() {
            tree.push((levels(&[odd]), false, realistic(seed, 1)));
        }
    }
    let fillings = tree.into_iter().map(|(levels, subscribed, mails)| Filling {
        mailbox: kind.name(&levels),
        subscribed,
        mails,
    });
    fillings.collect()
}

/// A source with mail on it.
pub struct Source {
    pub kind: Kind,
    _server: Server,
    pub reader: Reader,
    /// All that it holds; the bodies apart.
    pub held: Vec<HeldMailbox>,
    bodies: HashMap<(String, u32), Vec<u8>>,
    /// What the kit calls a message, by mailbox and UID.
    pub names: HashMap<(String, u32), String>,
}

impl Source {
    pub fn start(kind: Kind, program: &Program) -> Self {
        let server = Server::start(kind);
        program.config(&server.endpoint, &[(ANNA, PASSWORD)]);
        let reader = server.reader();
        let account = account(kind);
        let mut names = HashMap::new();
        for (filling, outcomes) in account.iter().zip(reader.fill(&account)) {
            for (mail, outcome) in filling.mails.iter().zip(outcomes) {
                match outcome {
                    Ok(uid) => {
                        let uid = uid.expect("APPENDUID");
                        names.insert((filling.mailbox.clone(), uid), mail.name.clone());
                    }
                    Err(words) => assert!(
                        Limits::of(kind).refuses(&mail.name, &words),
                        "{}: {words}",
                        mail.name
                    ),
                }
            }
        }
        let mut held = reader.clone().with_bodies(u32::MAX).mailboxes();
        let mut bodies = HashMap::new();
        for mailbox in &mut held {
            for message in &mut mailbox.messages {
                let body = message.body.take().expect("a body");
                bodies.insert((mailbox.name.clone(), message.uid), body);
            }
        }
        let source = Self {
            kind,
            _server: server,
            reader,
            held,
            bodies,
            names,
        };
        source.assert_telling();
        source
    }

    pub fn name(&self, mailbox: &HeldMailbox, message: &HeldMessage) -> &str {
        &self.names[&(mailbox.name.clone(), message.uid)]
    }

    pub fn messages(&self) -> impl Iterator<Item = (&HeldMailbox, &HeldMessage)> {
        self.held
            .iter()
            .flat_map(|mailbox| mailbox.messages.iter().map(move |held| (mailbox, held)))
    }

    /// Every kind of flag and date is there, else the rest would mean nothing.
    fn assert_telling(&self) {
        assert_eq!(self.messages().count(), self.names.len());
        let has = |flag: &str| {
            self.messages()
                .any(|(_, held)| held.flags.iter().any(|held| held == flag))
        };
        for flag in ["\\Seen", "\\Deleted", "$Forwarded", "keyword-with.dots"] {
            assert!(has(flag), "no message has {flag}");
        }
        let leap_day = |(_, held): (_, &HeldMessage)| held.internaldate.contains("29-Feb-2000");
        assert!(self.messages().any(leap_day));
    }

    /// What the target is to hold, by the names of its kind.
    pub fn expected_on(&self, target: Kind) -> Vec<(String, Print)> {
        let limits = Limits::of(target);
        let mut expected = Vec::new();
        for (mailbox, held) in self.messages() {
            let name = self.name(mailbox, held);
            let report = limits.report(name, self.kind);
            if matches!(report, Some(Report::Refused(_))) {
                continue;
            }
            let body = &self.bodies[&(mailbox.name.clone(), held.uid)];
            let stored = (limits.stores)(body);
            assert_eq!(
                stored != *body,
                report.is_some(),
                "{name}: the table of {target:?} contradicts itself"
            );
            let mut flags = held.flags.clone();
            flags.retain(|flag| limits.keeps_keywords || flag.starts_with('\\'));
            let print = (hex(&Sha256::digest(&stored)), flags, date(held));
            expected.push((self.name_on(target, mailbox), print));
        }
        expected.sort();
        expected
    }

    pub fn name_on(&self, target: Kind, mailbox: &HeldMailbox) -> String {
        let refused: BTreeMap<&str, &str> = Limits::of(target).names.iter().copied().collect();
        let levels = self.kind.levels(&mailbox.name).into_iter();
        let levels: Vec<String> = levels
            .map(|level| {
                refused
                    .get(level.as_str())
                    .map_or(level.clone(), |other| (*other).to_owned())
            })
            .collect();
        target.name(&levels)
    }

    /// How many messages lose keywords on the target, all in INBOX, and which; `None` where it keeps them.
    pub fn keywords_lost(&self, target: Kind) -> Option<(usize, String)> {
        if Limits::of(target).keeps_keywords {
            return None;
        }
        let keywords = |held: &HeldMessage| -> Vec<String> {
            let mut flags = held.flags.clone();
            flags.retain(|flag| !flag.starts_with('\\'));
            flags
        };
        let lost: Vec<Vec<String>> = self
            .messages()
            .map(|(_, held)| keywords(held))
            .filter(|keywords| !keywords.is_empty())
            .collect();
        let names: BTreeSet<&str> = lost.iter().flatten().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        Some((lost.len(), names.join(", ")))
    }

    /// UID and report of each message in INBOX that the target does not keep as it is.
    pub fn reports(&self, target: Kind) -> BTreeMap<u64, Report> {
        let limits = Limits::of(target);
        let reports = self.messages().filter_map(|(mailbox, held)| {
            let report = limits.report(self.name(mailbox, held), self.kind)?;
            assert_eq!(mailbox.name, "INBOX");
            Some((u64::from(held.uid), report))
        });
        reports.collect()
    }

    /// UID of each message that the target refuses, and its words.
    pub fn refused(&self, target: Kind) -> BTreeMap<u64, &'static str> {
        let reports = self.reports(target).into_iter();
        let refused = reports.filter_map(|(uid, report)| match report {
            Report::Refused(words) => Some((uid, words)),
            Report::Found(..) => None,
        });
        refused.collect()
    }
}

/// INTERNALDATE; a day of one digit is written with a blank or with a zero before it.
pub fn date(held: &HeldMessage) -> String {
    held.internaldate
        .replacen(' ', "0", usize::from(held.internaldate.starts_with(' ')))
}
