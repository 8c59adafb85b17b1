//! Mailboxes and messages of the target that cannot be read: remembered from one connection to the next, so that each
//! costs only itself.

use std::collections::{BTreeMap, HashMap};

use crate::mailbox::uidset::UidSet;
use crate::session::error::{Ending, Kind, SessionError};

/// Connections that may end while one mailbox is opened or listed before it is skipped.
const MAX_DEATHS: u32 = 3;
/// Messages of one mailbox that may end connections.
const MAX_BAD: usize = 100;

/// What was asked for when a connection ended.
#[derive(Debug, Clone, Copy)]
pub enum UnderWay<'a> {
    /// A mailbox as a whole.
    Mailbox,
    /// Headers of these messages, none of which has come; the first one is the likeliest.
    Headers(&'a [u32]),
    /// The same of whole messages.
    Bodies(&'a [u32]),
}

/// Messages of one mailbox that end connections when they are asked for.
#[derive(Debug, Default, Clone)]
pub struct Deadly {
    /// Each is asked for alone.
    alone: UidSet,
    /// One of these may be deadly: half of them is asked for at a time.
    doubtful: UidSet,
    /// These are no longer asked for; with the server's words.
    over: BTreeMap<u32, String>,
}

/// What is known of one mailbox.
#[derive(Debug, Default, Clone)]
pub struct Suspects {
    deaths: u32,
    headers: Deadly,
    bodies: Deadly,
    /// Why the mailbox as a whole is skipped.
    closed: Option<String>,
}

/// What cannot be read, by mailbox.
#[derive(Debug, Default)]
pub struct Trouble {
    mailboxes: HashMap<Vec<u8>, Suspects>,
    /// A mailbox or a message was identified since the last question.
    news: bool,
}

impl Trouble {
    /// What is known of a mailbox.
    #[must_use]
    pub fn of(&self, wire: &[u8]) -> Option<&Suspects> {
        self.mailboxes.get(wire)
    }

    /// The connection ended while this was under way.
    pub fn count(&mut self, wire: &[u8], under_way: UnderWay<'_>, error: &SessionError) {
        let is_nobodys = matches!(error.ending, Some(Ending::SentAhead | Ending::SessionOver));
        if is_nobodys || !matches!(error.kind, Kind::Transient | Kind::Desync) {
            return;
        }
        let words = error.to_string();
        let suspects = self.mailboxes.entry(wire.to_vec()).or_default();
        let (deadly, uids) = match under_way {
            UnderWay::Headers(uids) => (&mut suspects.headers, uids),
            UnderWay::Bodies(uids) => (&mut suspects.bodies, uids),
            UnderWay::Mailbox => (&mut suspects.headers, &[][..]),
        };
        let Some((uid, others)) = uids.split_first() else {
            suspects.deaths += 1;
            // Where each connection ends at another mailbox, the others get on.
            self.news |= suspects.deaths == 1;
            if suspects.deaths >= MAX_DEATHS {
                self.news = true;
                suspects.closed = Some(words);
            }
            return;
        };
        self.news = true;
        deadly.count(*uid, others, words);
        suspects.deaths = suspects.deaths.max(1);
        if suspects.headers.over.len().max(suspects.bodies.over.len()) > MAX_BAD {
            suspects.closed = Some(format!("more than {MAX_BAD} messages end the connection"));
        }
    }

    /// True when something was identified since the last call.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}

impl Suspects {
    /// Connections ended in each way of asking for all sizes: some servers must read a message to know its size.
    #[must_use]
    pub fn dies_of_sizes(&self) -> bool {
        self.deaths > 1
    }

    /// Messages of which the header cannot be asked for.
    #[must_use]
    pub fn headers(&self) -> &Deadly {
        &self.headers
    }

    /// Messages that cannot be asked for as a whole. Their headers may be had all the same.
    #[must_use]
    pub fn bodies(&self) -> &Deadly {
        &self.bodies
    }

    /// Why the mailbox as a whole is skipped.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }
}

impl Deadly {
    /// One that was asked for alone is the culprit. Else the first one is, or, where answers were lost that the server
    /// had not sent yet, another one of them.
    fn count(&mut self, uid: u32, others: &[u32], words: String) {
        if self.alone.contains(uid) {
            self.alone.remove(uid);
            self.over.insert(uid, words);
            return;
        }
        self.alone.insert(uid);
        self.doubtful = others.iter().copied().collect();
    }

    /// Why a message is no longer asked for.
    #[must_use]
    pub fn over(&self, uid: u32) -> Option<&str> {
        self.over.get(&uid).map(String::as_str)
    }

    /// The commands in which these are asked for, of no more than `most` each; those that go alone come last.
    #[must_use]
    pub fn commands(&self, uids: impl Iterator<Item = u32>, most: usize) -> Vec<Vec<u32>> {
        let uids = uids.filter(|uid| self.over(*uid).is_none());
        let (alone, rest): (Vec<u32>, Vec<u32>) = uids.partition(|uid| self.alone.contains(*uid));
        let (doubtful, together): (Vec<u32>, Vec<u32>) =
            rest.iter().partition(|uid| self.doubtful.contains(**uid));
        let half = doubtful.len().div_ceil(2).clamp(1, most);
        let together = together.chunks(most).chain(doubtful.chunks(half));
        together
            .chain(alone.chunks(1))
            .map(<[u32]>::to_vec)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> SessionError {
        SessionError::new(Kind::Transient, "the server closed the connection")
    }

    #[test]
    fn only_what_a_connection_died_of_is_held_against_a_mailbox() {
        let mut trouble = Trouble::default();
        for nobodys in [
            ended().by(Ending::SentAhead),
            ended().by(Ending::SessionOver),
            SessionError::new(Kind::Refused, "NO"),
        ] {
            trouble.count(b"Box", UnderWay::Mailbox, &nobodys);
        }
        assert!(trouble.of(b"Box").is_none() && !trouble.take_news());
        let misread = SessionError::new(Kind::Desync, "no end");
        trouble.count(b"Box", UnderWay::Mailbox, &misread);
        assert!(trouble.of(b"Box").is_some() && trouble.of(b"Other").is_none());
    }

    #[test]
    fn a_mailbox_is_asked_for_its_sizes_once_more_and_skipped_after_three_deaths() {
        let mut trouble = Trouble::default();
        let states = [
            (false, false, true),
            (true, false, false),
            (true, true, true),
        ];
        for (dies_of_sizes, closed, news) in states {
            trouble.count(b"Box", UnderWay::Mailbox, &ended());
            assert_eq!(trouble.take_news(), news);
            let suspects = trouble.of(b"Box").expect("known");
            assert_eq!(suspects.dies_of_sizes(), dies_of_sizes);
            assert_eq!(suspects.closed().is_some(), closed);
        }
        assert!(!trouble.take_news());
    }

    #[test]
    fn a_message_is_asked_for_alone_before_it_is_passed_over_and_costs_only_itself() {
        let mut trouble = Trouble::default();
        trouble.count(b"Box", UnderWay::Headers(&[7]), &ended());
        let suspects = trouble.of(b"Box").expect("known");
        let commands = suspects.headers().commands(5..9, 10);
        assert_eq!(commands, [vec![5, 6, 8], vec![7]]);
        assert!(!suspects.dies_of_sizes());
        trouble.count(b"Box", UnderWay::Headers(&[7]), &ended());
        assert!(trouble.take_news());
        let suspects = trouble.of(b"Box").expect("known");
        let commands = suspects.headers().commands(5..9, 2);
        assert_eq!(commands, [vec![5, 6], vec![8]]);
        let words = suspects.headers().over(7);
        assert_eq!(words, Some("the server closed the connection"));
        for uid in 100..200 {
            let suspects = trouble.of(b"Box").expect("known");
            assert_eq!(suspects.closed(), None, "before {uid}");
            trouble.count(b"Box", UnderWay::Headers(&[uid]), &ended());
            trouble.count(b"Box", UnderWay::Headers(&[uid]), &ended());
        }
        let suspects = trouble.of(b"Box").expect("known");
        assert!(suspects.closed().is_some_and(|why| why.contains("100")));
    }

    #[test]
    fn a_message_that_cannot_be_read_as_a_whole_may_have_a_header_all_the_same() {
        let mut trouble = Trouble::default();
        for _ in 0..2 {
            trouble.count(b"Box", UnderWay::Bodies(&[7]), &ended());
            let suspects = trouble.of(b"Box").expect("known");
            assert_eq!(suspects.headers().commands(6..9, 10), [[6, 7, 8]]);
        }
        let suspects = trouble.of(b"Box").expect("known");
        assert!(suspects.bodies().over(7).is_some() && suspects.headers().over(7).is_none());
        assert_eq!(suspects.bodies().commands(6..9, 10), [[6, 8]]);
    }

    #[test]
    fn of_many_that_were_asked_for_together_the_culprit_is_found_in_few_connections() {
        for culprit in [1_u32, 2, 250, 333, 500] {
            let mut trouble = Trouble::default();
            let mut deaths = 0;
            loop {
                let suspects = trouble.of(b"Box").cloned().unwrap_or_default();
                let mut commands = suspects.headers().commands(1..=500, 500).into_iter();
                let Some(deadly) = commands.find(|uids| uids.contains(&culprit)) else {
                    break;
                };
                deaths += 1;
                trouble.count(b"Box", UnderWay::Headers(&deadly), &ended());
            }
            assert!(deaths <= 11, "{culprit}: {deaths}");
            let suspects = trouble.of(b"Box").expect("known");
            let over: Vec<u32> = (1..=500)
                .filter(|uid| suspects.headers().over(*uid).is_some())
                .collect();
            assert_eq!(over, [culprit]);
            let asked = suspects.headers().commands(1..=500, 500).concat();
            assert_eq!(asked.len(), 499);
        }
    }
}
