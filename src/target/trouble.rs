//! Mailboxes and messages of the target that cannot be read: remembered from one connection to the next, so that each
//! costs only itself.

use std::collections::{BTreeMap, HashMap};

use crate::mailbox::uidset::UidSet;
use crate::session::error::{Ending, Kind, SessionError};

/// Connections that may end while one mailbox is opened or listed before it is skipped.
const MAX_DEATHS: u32 = 3;
/// Messages of one mailbox that may end connections.
const MAX_BAD: usize = 100;

/// What is known of one mailbox.
#[derive(Debug, Default, Clone)]
pub struct Suspects {
    deaths: u32,
    /// Each is asked for alone.
    alone: UidSet,
    /// These are no longer asked for; with the server's words.
    over: BTreeMap<u32, String>,
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

    /// The connection ended while this was under way: a message, or else the mailbox as a whole.
    pub fn count(&mut self, wire: &[u8], uid: Option<u32>, error: &SessionError) {
        let is_nobodys = matches!(error.ending, Some(Ending::SentAhead | Ending::SessionOver));
        if is_nobodys || !matches!(error.kind, Kind::Transient | Kind::Desync) {
            return;
        }
        let words = error.to_string();
        let suspects = self.mailboxes.entry(wire.to_vec()).or_default();
        let Some(uid) = uid else {
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
        suspects.deaths = suspects.deaths.max(1);
        if suspects.alone.contains(uid) {
            suspects.alone.remove(uid);
            suspects.over.insert(uid, words);
        } else {
            suspects.alone.insert(uid);
        }
        if suspects.over.len() > MAX_BAD {
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

    /// Each is asked for alone.
    #[must_use]
    pub fn alone(&self) -> &UidSet {
        &self.alone
    }

    /// Why a message is no longer asked for.
    #[must_use]
    pub fn over(&self, uid: u32) -> Option<&str> {
        self.over.get(&uid).map(String::as_str)
    }

    /// Why the mailbox as a whole is skipped.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
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
            trouble.count(b"Box", None, &nobodys);
        }
        assert!(trouble.of(b"Box").is_none() && !trouble.take_news());
        let misread = SessionError::new(Kind::Desync, "no end");
        trouble.count(b"Box", None, &misread);
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
            trouble.count(b"Box", None, &ended());
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
        trouble.count(b"Box", Some(7), &ended());
        let suspects = trouble.of(b"Box").expect("known");
        assert!(suspects.alone().contains(7) && suspects.over(7).is_none());
        assert!(!suspects.dies_of_sizes());
        trouble.count(b"Box", Some(7), &ended());
        assert!(trouble.take_news());
        let suspects = trouble.of(b"Box").expect("known");
        assert!(!suspects.alone().contains(7));
        assert_eq!(suspects.over(7), Some("the server closed the connection"));
        for uid in 100..200 {
            let suspects = trouble.of(b"Box").expect("known");
            assert_eq!(suspects.closed(), None, "before {uid}");
            trouble.count(b"Box", Some(uid), &ended());
            trouble.count(b"Box", Some(uid), &ended());
        }
        let suspects = trouble.of(b"Box").expect("known");
        assert!(suspects.closed().is_some_and(|why| why.contains("100")));
    }
}
