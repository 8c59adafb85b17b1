//! Which mailboxes an account has, and how each stands: LIST, LSUB, STATUS in as few round trips as the server allows;
//! and what a test looks at beside that.

mod glance;
mod tries;

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{debug, info, warn};

use super::capability::Capabilities;
use super::channel::Channel;
use super::command::Command;
use super::error::{Ending, Kind, Result, SessionError};
use super::lane::{Answer, Lane, Order};
use super::manage;
use super::pace::{Aside, Pace};
use super::reader::{NoBody, Response};
use super::refusal;
use super::response::{self, Condition, MailboxStatus, StatusResponse};
use super::steps::{Step, Steps};
use crate::mailbox::{Listed, Name};
pub use glance::{Glance, Glanced};
use glance::{GlanceStep, Glances};
pub use tries::Tries;

/// Most mailboxes that one account may have.
const MAX_MAILBOXES: usize = 100_000;
/// Most that a server may say about all of them, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
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
    /// What a reader should know of it.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let unreadable = self.unreadable.iter();
        let unreadable =
            unreadable.map(|line| format!("a mailbox that LIST names cannot be read: {line}"));
        let subscriptions = self.without_subscriptions.iter();
        unreadable.chain(subscriptions.map(|said| {
            format!("the server does not say which mailboxes are subscribed, all are taken as not subscribed: {said}")
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
    /// What it is, where it can be done without.
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

#[derive(Default)]
struct Answers {
    listed: Vec<Listed>,
    extended: Vec<Listed>,
    subscribed: Vec<Name>,
    status: HashMap<Name, MailboxStatus>,
    unreadable: Vec<String>,
    namespace: Option<(Name, Option<char>)>,
    refusal: Option<StatusResponse>,
    /// Why it is not known which mailboxes are subscribed.
    subscriptions_refused: Option<String>,
    quota: Option<(u64, u64)>,
    inbox: Option<StatusResponse>,
    glances: Glances,
    bytes: usize,
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

/// What was heard, as a listing; what was not said is asked for in other ways.
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

/// Second ways to what the server has not said: INBOX, which is always there, and subscriptions without LSUB.
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

/// INBOX may be there whatever LIST says of it; what opens, or is refused for now, is.
fn find_inbox(lane: &mut Lane<'_, ListStep>, heard: &mut Answers, pace: &Pace) -> Result<()> {
    let inbox = Name::listed(b"INBOX".as_slice());
    // What connections die of is there, and is found out about with the others.
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

/// Takes answers until at most `leave` commands are outstanding.
fn drain(lane: &mut Lane<'_, ListStep>, heard: &mut Answers, leave: usize) -> Result<()> {
    while lane.outstanding() > leave {
        let answer = match lane.next(&mut NoBody) {
            Ok(answer) => answer,
            // A server that hangs up behind a refusal has said more with the refusal.
            Err(error) => {
                let said = heard.refusal.as_ref().map(refused);
                return Err(said.unwrap_or_else(|| died(lane, error)));
            }
        };
        match answer {
            Answer::Untagged(step, response) => {
                heard.take(*step, response);
                if let Some(most) = heard.excess() {
                    let text = format!("the server lists more than {most}");
                    return Err(SessionError::new(Kind::Refused, text));
                }
            }
            Answer::Done(ListStep::List, status) if status.condition != Condition::Ok => {
                heard.refusal = Some(status);
            }
            Answer::Done(ListStep::Inbox, status) => heard.inbox = Some(status),
            Answer::Done(ListStep::Glance(part), status) => heard.glances.ended(part, &status),
            Answer::Done(ListStep::Subscribed | ListStep::SubscribedByList, status) => {
                let is_refused = status.condition != Condition::Ok;
                heard.subscriptions_refused = is_refused.then(|| status.said());
            }
            Answer::Done(_, status) if status.condition != Condition::Ok => {
                debug!(answer = status.said(), "while listing");
            }
            Answer::Done(..) => {}
        }
    }
    Ok(())
}

/// The connection ended: a question that can be done without is not asked for ever.
fn died(lane: &Lane<'_, ListStep>, error: SessionError) -> SessionError {
    let aside = if lane.has_unheard() {
        Some(Aside::Identification)
    } else {
        lane.steps().next().and_then(|step| step.aside())
    };
    let is_its_own = matches!(error.kind, Kind::Transient | Kind::Desync)
        && !matches!(error.ending, Some(Ending::SentAhead | Ending::SessionOver));
    let Some(aside) = aside.filter(|_| is_its_own) else {
        return error;
    };
    lane.pace()
        .died_of(aside, error.ending == Some(Ending::TimedOut));
    error.by(Ending::Aside)
}

impl Answers {
    fn has_inbox(&self) -> bool {
        let mut listed = self.listed.iter();
        listed.any(|listed| listed.name.is_inbox() && is_selectable(listed))
    }

    /// What was said too much of.
    fn excess(&self) -> Option<String> {
        let heard = [
            self.listed.len(),
            self.subscribed.len(),
            self.extended.len(),
            self.status.len(),
        ];
        let most = heard.into_iter().max().unwrap_or(0);
        if most + self.unreadable.len() > MAX_MAILBOXES {
            return Some(format!("{MAX_MAILBOXES} mailboxes"));
        }
        (self.bytes > MAX_ANSWER).then(|| format!("{} MB of mailboxes", MAX_ANSWER >> 20))
    }

    fn take(&mut self, step: ListStep, response: &Response) {
        self.bytes += response.bytes.len();
        match step {
            ListStep::List => match response::parse_list(response, "LIST") {
                Some(Ok(listed)) => self.listed.push(listed),
                Some(Err(reason)) => {
                    warn!(line = response.shown(), reason, "a mailbox cannot be read");
                    self.unreadable
                        .push(format!("{}: {reason}", response.shown()));
                }
                None => {}
            },
            ListStep::Subscribed | ListStep::SubscribedByList => {
                // \Noselect here means that only names below it are subscribed (RFC 3501 section 6.3.9).
                let lsub = response::parse_list(response, "LSUB");
                let list = || response::parse_list(response, "LIST");
                if let Some(Ok(listed)) = lsub.or_else(list)
                    && !listed.has("\\Noselect")
                {
                    self.subscribed.push(listed.name);
                }
            }
            ListStep::Namespace => {
                if let Some((prefix, delimiter)) = response::parse_namespace(response) {
                    self.namespace = Some((Name::listed(prefix), delimiter));
                }
            }
            ListStep::Quota => self.quota = self.quota.or_else(|| response::parse_quota(response)),
            ListStep::Inbox => {}
            ListStep::Glance(part) => self.glances.take(part, response),
            ListStep::Extended | ListStep::Status | ListStep::UnlistedInbox => {
                if let Some(Ok((name, status))) = response::parse_mailbox_status(response) {
                    self.status.insert(name, status);
                } else if let Some(Ok(listed)) = response::parse_list(response, "LIST") {
                    self.extended.push(listed);
                }
            }
        }
    }
}

fn is_selectable(listed: &Listed) -> bool {
    !listed.has("\\Noselect") && !listed.has("\\NonExistent")
}

/// Selectable mailboxes, each once, INBOX first.
fn assemble(heard: &mut Answers) -> Vec<Mailbox> {
    let extended: HashMap<&Name, &Vec<String>> = heard
        .extended
        .iter()
        .map(|listed| (&listed.name, &listed.attributes))
        .collect();
    for listed in &mut heard.listed {
        for attribute in extended.get(&listed.name).copied().into_iter().flatten() {
            if !listed.has(attribute) {
                listed.attributes.push(attribute.clone());
            }
        }
    }
    let subscribed: std::collections::HashSet<Name> = heard.subscribed.drain(..).collect();
    let mut seen = std::collections::HashSet::new();
    let mut mailboxes = Vec::new();
    // What only one of the two names is there all the same.
    for listed in heard.listed.drain(..).chain(heard.extended.drain(..)) {
        if is_selectable(&listed) && seen.insert(listed.name.clone()) {
            mailboxes.push(Mailbox {
                subscribed: subscribed.contains(&listed.name),
                listed,
                status: None,
            });
        }
    }
    mailboxes.sort_by_key(|mailbox| !mailbox.listed.name.is_inbox());
    mailboxes
}

#[cfg(test)]
mod tests;
