//! What the target has of a mailbox, as one connection saw it.

use super::Job;
use crate::archive::journal::Route;
use crate::session::response::MailboxStatus;
use crate::session::select::Selected;
use crate::target::flags::{self, Kept};

/// UIDVALIDITY, UIDNEXT and messages: the same for two names of one mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// 0 where the target does not say.
    pub uidvalidity: u32,
    /// 0 where the target does not say.
    pub uidnext: u32,
    /// `None` where the target does not say.
    pub messages: Option<u64>,
}

/// What the target has of it, as one connection saw it.
#[derive(Default)]
pub(super) struct There {
    subscribed: bool,
    uidvalidity: u32,
    /// UIDNEXT before this connection appended anything; 0 where the target does not say.
    uidnext: u32,
    /// Messages before this run.
    messages: Option<u64>,
    /// Messages when it was listed.
    listed: Option<u64>,
    permanent_flags: Option<Vec<String>>,
    /// MAILBOXID (RFC 8474), where the target says so.
    mailbox_id: Option<String>,
    /// UIDVALIDITY and UIDNEXT when the run first opened it.
    at_first: Option<(u32, u32)>,
}

impl Job {
    /// How it was listed on this connection, and what the journal knows of it.
    pub fn listed(&mut self, subscribed: bool, status: &MailboxStatus) {
        self.there.subscribed = subscribed;
        self.there.uidvalidity = status.uidvalidity.unwrap_or(0);
        self.there.uidnext = status.uidnext.unwrap_or(0);
        self.there.messages = status.messages;
        self.there.listed = status.messages;
        self.set_aside();
    }

    /// The target has opened it.
    pub fn opened(&mut self, there: Selected) {
        self.place.exists = true;
        let uidnext = match there.uidnext {
            0 => self.there.uidnext,
            said => said,
        };
        let before = self.there.at_first;
        let at_first = before.filter(|(uidvalidity, _)| *uidvalidity == there.uidvalidity);
        self.there = There {
            subscribed: self.there.subscribed || self.here.subscribed,
            uidvalidity: there.uidvalidity,
            uidnext,
            messages: there.is_counted.then_some(there.exists),
            listed: self.there.listed,
            permanent_flags: there.permanent_flags,
            mailbox_id: there.mailbox_id,
            at_first: at_first.or(Some((there.uidvalidity, uidnext))),
        };
    }

    /// The target should have it subscribed but does not.
    #[must_use]
    pub fn must_subscribe(&self) -> bool {
        self.here.subscribed && !self.there.subscribed
    }

    /// Messages on the target before this connection appended anything, where it says so.
    #[must_use]
    pub fn messages_there(&self) -> Option<u64> {
        self.there.messages
    }

    /// True when the target says that it holds nothing, and never said anything else.
    #[must_use]
    pub fn is_empty_there(&self) -> bool {
        self.there.messages == Some(0) && self.there.listed.is_none_or(|listed| listed == 0)
    }

    /// Messages that the target said it has when it was listed.
    #[must_use]
    pub fn messages_listed(&self) -> Option<u64> {
        self.there.listed
    }

    /// Its figures before this connection appended anything.
    #[must_use]
    pub fn figures_there(&self) -> Figures {
        Figures {
            uidvalidity: self.there.uidvalidity,
            uidnext: self.there.uidnext,
            messages: self.there.messages,
        }
    }

    /// UIDNEXT on the target before this connection appended anything; 0 where it does not say.
    #[must_use]
    pub fn uidnext_there(&self) -> u32 {
        self.there.uidnext
    }

    /// UIDNEXT when the run first opened the mailbox; 0 where the target does not say.
    #[must_use]
    pub fn uidnext_at_first(&self) -> u32 {
        self.there.at_first.map_or(0, |(_, uidnext)| uidnext)
    }

    /// What is the same for all names and logins that reach the mailbox, where the target says so.
    #[must_use]
    pub fn identity_there(&self) -> Option<String> {
        let id = self.there.mailbox_id.as_deref()?;
        Some(format!("mailbox {id} of {}", self.there.uidvalidity))
    }

    /// The route of the mailbox, once the target's UIDVALIDITY is known.
    #[must_use]
    pub fn route(&self) -> Route {
        self.route_to(self.there.uidvalidity)
    }

    /// The same to a mailbox of this UIDVALIDITY.
    #[must_use]
    pub fn route_to(&self, uidvalidity: u32) -> Route {
        Route {
            directory: self.here.directory.clone(),
            uidvalidity: self.here.uidvalidity,
            to: self.place.name.text().to_owned(),
            to_uidvalidity: uidvalidity,
        }
    }

    /// The flags to send: `\Recent` never, and only what the target keeps.
    #[must_use]
    pub fn keepable(&self, flags: &str) -> Kept {
        flags::kept(self.there.permanent_flags.as_deref(), flags)
    }
}
