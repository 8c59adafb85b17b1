//! Which mailboxes an account has, and how each stands: LIST, LSUB, STATUS in as few round trips as the server allows.

use std::collections::HashMap;

use tracing::{debug, warn};

use super::channel::Channel;
use super::command::Command;
use super::error::{Kind, Result, SessionError};
use super::lane::{Answer, Lane, Order};
use super::reader::{NoBody, Response};
use super::refusal;
use super::response::{self, Condition, MailboxStatus, Status};
use crate::mailbox::{Listed, Name};

/// Most mailboxes that one account may have.
const MAX_MAILBOXES: usize = 100_000;
/// Most that a server may say about all of them, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// STATUS commands sent ahead where the server has no LIST-STATUS.
const STATUS_WINDOW: usize = 32;

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
}

#[derive(Clone, Copy)]
enum Step {
    Id,
    List,
    Subscribed,
    /// The extended LIST (RFC 5258, 5819, 6154): an extra, whose failure costs nothing.
    Extended,
    Status,
}

#[derive(Default)]
struct Heard {
    listed: Vec<Listed>,
    extended: Vec<Listed>,
    subscribed: Vec<Name>,
    status: HashMap<Name, MailboxStatus>,
    unreadable: Vec<String>,
    refusal: Option<Status>,
    bytes: usize,
}

/// Lists the account. `wanted` tells which mailboxes to ask the STATUS of, where that costs a command each.
///
/// # Errors
/// Those of the connection; [`Kind::Refused`] when LIST itself is refused or names nothing.
pub fn list(channel: &mut Channel, wanted: impl Fn(&Listed) -> bool) -> Result<Listing> {
    let mut heard = Heard::default();
    let has_status = channel.capabilities.has("LIST-STATUS");
    let items = status_items(channel);
    let offers_id = channel.capabilities.has("ID");
    let extended = extended_list(channel, items);
    let mut lane = Lane::new(channel);
    if offers_id {
        // Some servers refuse EXAMINE to clients that have not said who they are (RFC 2971).
        lane.send(&identification(), Step::Id, Order::Loose)?;
    }
    lane.send(&Command::new(r#"LIST "" "*""#), Step::List, Order::Strict)?;
    lane.send(
        &Command::new(r#"LSUB "" "*""#),
        Step::Subscribed,
        Order::Strict,
    )?;
    if let Some(command) = extended {
        lane.send(&command, Step::Extended, Order::Strict)?;
    }
    drain(&mut lane, &mut heard, 0)?;
    if let Some(status) = heard.refusal.take() {
        let kind = refusal::kind(&status, Kind::Refused);
        let text = format!("LIST is refused: {}", status.said());
        return Err(SessionError::new(kind, text));
    }
    let mut listing = Listing {
        mailboxes: assemble(&mut heard),
        unreadable: std::mem::take(&mut heard.unreadable),
    };
    if listing.mailboxes.is_empty() && listing.unreadable.is_empty() {
        let text = "LIST names no mailbox, not even INBOX; the account cannot be read this way";
        return Err(SessionError::new(Kind::Refused, text));
    }
    if !has_status {
        for mailbox in listing.mailboxes.iter().filter(|m| wanted(&m.listed)) {
            let command =
                Command::new("STATUS").mailbox(mailbox.listed.name.wire(), lane.capabilities());
            if let Ok(command) = command {
                drain(&mut lane, &mut heard, STATUS_WINDOW - 1)?;
                let command = command.words(&format!(" {items}"));
                lane.send(&command, Step::Status, Order::Loose)?;
            }
        }
        drain(&mut lane, &mut heard, 0)?;
    }
    for mailbox in &mut listing.mailboxes {
        mailbox.status = heard.status.remove(&mailbox.listed.name);
    }
    Ok(listing)
}

fn identification() -> Command {
    Command::new(format!(
        r#"ID ("name" "{}" "version" "{}")"#,
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION")
    ))
}

fn status_items(channel: &Channel) -> &'static str {
    let capabilities = &channel.capabilities;
    if capabilities.has("CONDSTORE") || capabilities.has("QRESYNC") {
        "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
    } else {
        "(MESSAGES UIDNEXT UIDVALIDITY)"
    }
}

fn extended_list(channel: &Channel, items: &str) -> Option<Command> {
    let capabilities = &channel.capabilities;
    let mut options = Vec::new();
    if capabilities.has("SPECIAL-USE") && capabilities.has("LIST-EXTENDED") {
        options.push("SPECIAL-USE".to_owned());
    }
    if capabilities.has("LIST-STATUS") {
        options.push(format!("STATUS {items}"));
    }
    let command = format!(r#"LIST "" "*" RETURN ({})"#, options.join(" "));
    (!options.is_empty()).then(|| Command::new(command))
}

/// Takes answers until at most `leave` commands are outstanding.
fn drain(lane: &mut Lane<'_, Step>, heard: &mut Heard, leave: usize) -> Result<()> {
    while lane.outstanding() > leave {
        match lane.next(&mut NoBody)? {
            Answer::Untagged(step, response) => {
                heard.take(*step, response);
                if let Some(most) = heard.excess() {
                    let text = format!("the server lists more than {most}");
                    return Err(SessionError::new(Kind::Refused, text));
                }
            }
            Answer::Done(Step::List, status) if status.condition != Condition::Ok => {
                heard.refusal = Some(status);
            }
            Answer::Done(_, status) if status.condition != Condition::Ok => {
                debug!(answer = status.said(), "while listing");
            }
            Answer::Done(..) => {}
        }
    }
    Ok(())
}

impl Heard {
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

    fn take(&mut self, step: Step, response: &Response) {
        self.bytes += response.bytes.len();
        match step {
            Step::List => match response::parse_list(response, "LIST") {
                Some(Ok(listed)) => self.listed.push(listed),
                Some(Err(reason)) => {
                    warn!(line = response.shown(), reason, "a mailbox cannot be read");
                    self.unreadable
                        .push(format!("{}: {reason}", response.shown()));
                }
                None => {}
            },
            Step::Subscribed => {
                // \Noselect here means that only names below it are subscribed (RFC 3501 section 6.3.9).
                if let Some(Ok(listed)) = response::parse_list(response, "LSUB")
                    && !listed.has("\\Noselect")
                {
                    self.subscribed.push(listed.name);
                }
            }
            Step::Extended | Step::Status => {
                if let Some(Ok((name, status))) = response::parse_mailbox_status(response) {
                    self.status.insert(name, status);
                } else if let Some(Ok(listed)) = response::parse_list(response, "LIST") {
                    self.extended.push(listed);
                }
            }
            Step::Id => {}
        }
    }
}

/// Selectable mailboxes, each once, INBOX first.
fn assemble(heard: &mut Heard) -> Vec<Mailbox> {
    let extended: HashMap<Name, Vec<String>> = heard
        .extended
        .drain(..)
        .map(|listed| (listed.name, listed.attributes))
        .collect();
    let subscribed: std::collections::HashSet<Name> = heard.subscribed.drain(..).collect();
    let mut seen = std::collections::HashSet::new();
    let mut mailboxes = Vec::new();
    for mut listed in heard.listed.drain(..) {
        for attribute in extended.get(&listed.name).into_iter().flatten() {
            if !listed.has(attribute) {
                listed.attributes.push(attribute.clone());
            }
        }
        let selectable = !listed.has("\\Noselect") && !listed.has("\\NonExistent");
        if selectable && seen.insert(listed.name.clone()) {
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
mod tests {
    use super::*;

    fn response(line: &str) -> Response {
        Response {
            bytes: format!("{line}\r\n").into_bytes(),
            ..Response::default()
        }
    }

    #[test]
    fn a_name_above_one_that_is_subscribed_is_not() {
        let mut heard = Heard::default();
        for name in ["Parent", "Parent/Child", "Other"] {
            let line = format!(r#"* LIST () "/" {name}"#);
            heard.take(Step::List, &response(&line));
        }
        let lines = [
            r#"* LSUB (\Noselect \HasChildren) "/" Parent"#,
            r#"* LSUB () "/" Parent/Child"#,
        ];
        for line in lines {
            heard.take(Step::Subscribed, &response(line));
        }
        let subscribed: Vec<bool> = assemble(&mut heard)
            .iter()
            .map(|mailbox| mailbox.subscribed)
            .collect();
        assert_eq!(subscribed, [false, true, false]);
    }
}
