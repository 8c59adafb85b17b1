//! Which mailboxes an account has, and how each stands: LIST, LSUB, STATUS in as few round trips as the server allows;
//! and what a test looks at beside that.

mod answers;
mod glance;
mod tries;

use std::sync::Arc;

use tracing::{info, warn};

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{Kind, Result, SessionError};
use super::lane::{Lane, Order};
use super::manage;
use super::pace::{Aside, Pace};
use super::reader::Response;
use super::refusal;
use super::response::{self, Condition, MailboxStatus, StatusResponse};
use super::steps::{Step, Steps};
use crate::mailbox::{Listed, Name};
use answers::{Answers, assemble, drain};
use glance::GlanceStep;
pub use glance::{Glance, Glanced};
pub use tries::Tries;

/// STATUS commands sent ahead where the server has no LIST-STATUS.
const STATUS_WINDOW: usize = 32;
/// Commands sent ahead that look at messages: their answers are small.
const GLANCE_WINDOW: usize = 256;

/// One mailbox of the account.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Name, delimiter and attributes, those of LIST and of its extended form together.
    pub listed: Listed,
    /// True when LSUB names it.
    pub subscribed: bool,
    /// How it stands, where the server says so.
    pub status: Option<MailboxStatus>,
}

/// The selectable mailboxes of an account, in the server's order with INBOX first.
#[derive(Debug, Default)]
pub struct Listing {
    /// The mailboxes.
    pub mailboxes: Vec<Mailbox>,
    /// LIST lines that could not be understood: mailboxes that nobody knows of.
    pub unreadable: Vec<String>,
    /// LIST named nothing at all: INBOX was found by its name alone.
    pub names_nothing: bool,
    /// The personal namespace (RFC 2342): its prefix and its delimiter, where the server says so.
    pub namespace: Option<(Name, Option<char>)>,
    /// What the server said to the question which mailboxes are subscribed, where it gave no list of them.
    pub without_subscriptions: Option<String>,
}

impl Listing {
    /// What a reader should know about it.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let unreadable = self.unreadable.iter();
        let unreadable =
            unreadable.map(|line| format!("a mailbox that LIST names cannot be read: {line}"));
        let subscriptions = self.without_subscriptions.iter();
        unreadable.chain(subscriptions.map(|said| {
            format!("the server does not say which mailboxes are subscribed, so all are taken as not subscribed: {said}")
        }))
    }
}

/// What to ask of each mailbox beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItems {
    /// Its messages, and what tells whether they have changed.
    Plain,
    /// Their size as well, where the server offers that; it may have to read all of them to know.
    WithSize,
}

#[derive(Clone, Copy)]
enum ListStep {
    List,
    Subscribed,
    /// The second way to the same.
    SubscribedByList,
    /// The extended LIST (RFC 5258, 5819, 6154): an extra, whose failure costs nothing.
    Extended,
    Namespace,
    Status,
    Quota,
    Inbox,
    /// STATUS of an INBOX that LIST does not name.
    UnlistedInbox,
    Glance(GlanceStep),
}

impl ListStep {
    /// What it is, if it is optional.
    fn aside(self) -> Option<Aside> {
        match self {
            Self::List | Self::Status | Self::Inbox | Self::Glance(_) => None,
            Self::Quota => Some(Aside::Quota),
            Self::Subscribed => Some(Aside::Subscribed),
            Self::SubscribedByList => Some(Aside::SubscribedByList),
            Self::Extended => Some(Aside::Extended),
            Self::Namespace => Some(Aside::Namespace),
            Self::UnlistedInbox => Some(Aside::Inbox),
        }
    }
}

/// Lists the account. `wanted` tells which mailboxes to ask the STATUS of, where that costs a command each.
///
/// # Errors
/// Those of the connection; [`Kind::Refused`] when LIST itself is refused or names nothing.
pub fn list(
    channel: &mut Channel,
    numbers: StatusItems,
    wanted: impl Fn(&Listed) -> bool,
) -> Result<Listing> {
    glance(channel, numbers, wanted, &[]).map(|(listing, _)| listing)
}

/// The same with a look at some messages, in the same flight.
///
/// # Errors
/// As for [`list`].
pub fn glance(
    channel: &mut Channel,
    numbers: StatusItems,
    wanted: impl Fn(&Listed) -> bool,
    glances: &[Glance],
) -> Result<(Listing, Vec<Option<Glanced>>)> {
    let mut heard = Answers::default();
    let pace = Arc::clone(&channel.pace);
    let items = &status_items(channel, numbers);
    let extended = extended_list(channel, items).filter(|_| !pace.does_without(Aside::Extended));
    let has_status = offers(channel, "LIST-STATUS") && extended.is_some();
    let mut lane = Lane::new(channel);
    ask(&mut lane, &mut heard, &pace, extended)?;
    for (command, part) in heard.glances.commands(glances, lane.capabilities())? {
        drain(&mut lane, &mut heard, GLANCE_WINDOW - 1)?;
        let order = match part {
            GlanceStep::Open => Order::Opens,
            GlanceStep::Fetch => Order::Loose,
        };
        lane.send(&command, ListStep::Glance(part), order)?;
    }
    drain(&mut lane, &mut heard, 0)?;
    let mut listing = conclude(&mut lane, &mut heard, &pace)?;
    if !has_status {
        for mailbox in listing.mailboxes.iter().filter(|m| wanted(&m.listed)) {
            let name = mailbox.listed.name.wire();
            let command = manage::status(name, lane.capabilities(), items);
            if let Ok(command) = command {
                drain(&mut lane, &mut heard, STATUS_WINDOW - 1)?;
                lane.send(&command, ListStep::Status, Order::Loose)?;
            }
        }
        drain(&mut lane, &mut heard, 0)?;
    }
    for mailbox in &mut listing.mailboxes {
        mailbox.status = heard.status.remove(&mailbox.listed.name);
    }
    Ok((listing, heard.glances.found))
}

/// What a test looks at, all of it in one flight.
pub struct Look {
    /// The mailboxes, without their STATUS.
    pub listing: Listing,
    /// What the server said to EXAMINE INBOX; `None` where there is no INBOX.
    pub inbox: Option<StatusResponse>,
    /// Storage used and allowed, in KiB (RFC 9208), where the server says it.
    pub quota: Option<(u64, u64)>,
}

/// Lists the account, opens INBOX and asks for its quota: waits once for all answers.
///
/// # Errors
/// As for [`list`].
pub fn look(channel: &mut Channel, steps: &mut Steps) -> Result<Look> {
    let mut heard = Answers::default();
    let pace = Arc::clone(&channel.pace);
    let mut lane = Lane::new(channel);
    steps.begin(Step::List);
    ask(&mut lane, &mut heard, &pace, None)?;
    if lane.capabilities().has("QUOTA") && !pace.does_without(Aside::Quota) {
        let quota = Command::new("GETQUOTAROOT INBOX");
        lane.send(&quota, ListStep::Quota, Order::Strict)?;
    }
    let examine = Command::new("EXAMINE INBOX");
    lane.send(&examine, ListStep::Inbox, Order::Opens)?;
    drain(&mut lane, &mut heard, 1)?;
    if heard.refusal.is_none() && heard.has_inbox() {
        steps.begin(Step::Inbox);
    }
    drain(&mut lane, &mut heard, 0)?;
    let listing = conclude(&mut lane, &mut heard, &pace)?;
    let mut names = listing.mailboxes.iter().map(|mailbox| &mailbox.listed.name);
    let has_inbox = names.any(Name::is_inbox);
    Ok(Look {
        inbox: heard.inbox.take().filter(|_| has_inbox),
        quota: heard.quota,
        listing,
    })
}

/// Sends what tells which mailboxes there are.
fn ask(
    lane: &mut Lane<'_, ListStep>,
    heard: &mut Answers,
    pace: &Pace,
    extended: Option<Command>,
) -> Result<()> {
    lane.send(
        &Command::new(r#"LIST "" "*""#),
        ListStep::List,
        Order::Strict,
    )?;
    if pace.does_without(Aside::Subscribed) {
        heard.subscriptions_refused = Some("it does not answer LSUB".to_owned());
    } else {
        let command = Command::new(r#"LSUB "" "*""#);
        lane.send(&command, ListStep::Subscribed, Order::Strict)?;
    }
    if let Some(command) = extended {
        lane.send(&command, ListStep::Extended, Order::Strict)?;
    }
    if lane.capabilities().has("NAMESPACE") && !pace.does_without(Aside::Namespace) {
        lane.send(
            &Command::new("NAMESPACE"),
            ListStep::Namespace,
            Order::Strict,
        )?;
    }
    Ok(())
}

/// The answers as a listing; what is missing is asked for in other ways.
fn conclude(lane: &mut Lane<'_, ListStep>, heard: &mut Answers, pace: &Pace) -> Result<Listing> {
    if let Some(status) = heard.refusal.take() {
        return Err(refused(&status));
    }
    let names_nothing = heard.listed.is_empty();
    ask_again(lane, heard, pace)?;
    let listing = Listing {
        names_nothing,
        mailboxes: assemble(heard),
        unreadable: std::mem::take(&mut heard.unreadable),
        namespace: heard.namespace.take(),
        without_subscriptions: heard.subscriptions_refused.take(),
    };
    if listing.mailboxes.is_empty() && listing.unreadable.is_empty() {
        let text = "LIST names no mailbox, not even INBOX; the account cannot be read this way";
        return Err(SessionError::new(Kind::Refused, text));
    }
    Ok(listing)
}

fn refused(status: &StatusResponse) -> SessionError {
    let kind = refusal::kind(status, Kind::Refused);
    let text = format!("LIST is refused: {}", status.said());
    SessionError::new(kind, text)
}

/// Asks for the mailbox of exactly this name, and perhaps others.
///
/// # Errors
/// A name that cannot be sent.
pub fn named(name: &[u8], capabilities: &Capabilities) -> Result<Command> {
    Command::new(r#"LIST """#).mailbox(name, capabilities)
}

/// True for an answer to [`named`] that shows this very name.
#[must_use]
pub fn shows(response: &Response, name: &[u8]) -> bool {
    let listed = response::parse_list(response, "LIST");
    listed.is_some_and(|listed| listed.is_ok_and(|listed| listed.name.wire() == name))
}

/// What an `IMAP4rev2` server offers without saying so (RFC 9051 appendix E).
fn offers(channel: &Channel, extension: &str) -> bool {
    channel.capabilities.has(extension) || channel.capabilities.has("IMAP4REV2")
}

/// Other ways to find out what the server has not said: INBOX, which is always there, and subscriptions without LSUB.
fn ask_again(lane: &mut Lane<'_, ListStep>, heard: &mut Answers, pace: &Pace) -> Result<()> {
    if !heard.has_inbox() {
        find_inbox(lane, heard, pace)?;
    }
    if heard.subscriptions_refused.is_some() && !pace.does_without(Aside::SubscribedByList) {
        info!("LSUB is refused: which mailboxes are subscribed is asked for by LIST (SUBSCRIBED)");
        // In IMAP4rev2 this has taken the place of LSUB (RFC 9051 section 6.3.9).
        let command = Command::new(r#"LIST (SUBSCRIBED) "" "*""#);
        lane.send(&command, ListStep::SubscribedByList, Order::Strict)?;
        drain(lane, heard, 0)?;
    }
    Ok(())
}

/// INBOX may be there whatever LIST says; it is, if it opens or is refused for now.
fn find_inbox(lane: &mut Lane<'_, ListStep>, heard: &mut Answers, pace: &Pace) -> Result<()> {
    let inbox = Name::listed(b"INBOX".as_slice());
    // What connections die of is there, and is dealt with along with the others.
    let mut is_there = pace.does_without(Aside::Inbox);
    if !is_there {
        let status = Command::new("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)");
        lane.send(&status, ListStep::UnlistedInbox, Order::Strict)?;
        if heard.inbox.is_none() {
            let examine = Command::new("EXAMINE INBOX");
            lane.send(&examine, ListStep::Inbox, Order::Opens)?;
        }
        drain(lane, heard, 0)?;
        let opens = |said: &StatusResponse| {
            said.condition == Condition::Ok || refusal::check_state(said).is_err()
        };
        is_there = heard.status.contains_key(&inbox) || heard.inbox.as_ref().is_some_and(opens);
    }
    if is_there {
        warn!("LIST names no INBOX that can be opened, and there is one");
        heard.listed.push(Listed {
            name: inbox,
            delimiter: heard.listed.first().and_then(|listed| listed.delimiter),
            attributes: Vec::new(),
        });
    }
    Ok(())
}

fn status_items(channel: &Channel, numbers: StatusItems) -> String {
    let capabilities = &channel.capabilities;
    let mut items = "(MESSAGES UIDNEXT UIDVALIDITY".to_owned();
    if capabilities.has("CONDSTORE") || capabilities.has("QRESYNC") {
        items.push_str(" HIGHESTMODSEQ");
    }
    if numbers == StatusItems::WithSize && capabilities.has("STATUS=SIZE") {
        items.push_str(" SIZE");
    }
    items.push(')');
    items
}

fn extended_list(channel: &Channel, items: &str) -> Option<Command> {
    let mut options = Vec::new();
    if offers(channel, "SPECIAL-USE") && offers(channel, "LIST-EXTENDED") {
        options.push("SPECIAL-USE".to_owned());
    }
    if offers(channel, "LIST-STATUS") {
        options.push(format!("STATUS {items}"));
    }
    let command = format!(r#"LIST "" "*" RETURN ({})"#, options.join(" "));
    (!options.is_empty()).then(|| Command::new(command))
}

#[cfg(test)]
mod tests;
