//! What a server says about its mailboxes: gathered as it comes, and put together at the end.

use std::collections::{HashMap, HashSet};

use tracing::{debug, warn};

use super::glance::Glances;
use super::{ListStep, Mailbox, refused};
use crate::mailbox::{Listed, Name};
use crate::session::error::{Ending, Kind, Result, SessionError};
use crate::session::lane::{Answer, Lane};
use crate::session::pace::Aside;
use crate::session::reader::{NoBody, Response};
use crate::session::response::{self, Condition, MailboxStatus, StatusResponse};

/// Most mailboxes that one account may have.
const MAX_MAILBOXES: usize = 100_000;
/// Most that a server may say about all of them, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What has been said so far.
#[derive(Default)]
pub(super) struct Answers {
    pub listed: Vec<Listed>,
    extended: Vec<Listed>,
    subscribed: Vec<Name>,
    /// Lines to LIST (SUBSCRIBED) that call nothing subscribed: who does not know it may list all.
    unmarked: usize,
    pub status: HashMap<Name, MailboxStatus>,
    pub unreadable: Vec<String>,
    pub namespace: Option<(Name, Option<char>)>,
    pub refusal: Option<StatusResponse>,
    /// Why it is not known which mailboxes are subscribed.
    pub subscriptions_refused: Option<String>,
    pub quota: Option<(u64, u64)>,
    pub inbox: Option<StatusResponse>,
    pub glances: Glances,
    bytes: usize,
}

impl Answers {
    pub(super) fn has_inbox(&self) -> bool {
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

    pub(super) fn take(&mut self, step: ListStep, response: &Response) {
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
            ListStep::Subscribed => {
                // \Noselect here means that only names below it are subscribed (RFC 3501 section 6.3.9).
                let lsub = response::parse_list(response, "LSUB");
                let list = || response::parse_list(response, "LIST");
                if let Some(Ok(listed)) = lsub.or_else(list)
                    && !listed.has("\\Noselect")
                {
                    self.subscribed.push(listed.name);
                }
            }
            ListStep::SubscribedByList => match response::parse_list(response, "LIST") {
                Some(Ok(listed)) if listed.has("\\Subscribed") => self.subscribed.push(listed.name),
                Some(_) => self.unmarked += 1,
                None => {}
            },
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

/// Takes answers until at most `leave` commands are outstanding.
pub(super) fn drain(
    lane: &mut Lane<'_, ListStep>,
    heard: &mut Answers,
    leave: usize,
) -> Result<()> {
    while lane.outstanding() > leave {
        let answer = match lane.next(&mut NoBody) {
            Ok(answer) => answer,
            // A server that hangs up after a refusal has said more with the refusal.
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
            Answer::Done(ListStep::SubscribedByList, status)
                if status.condition == Condition::Ok
                    && heard.unmarked > 0
                    && heard.subscribed.is_empty() =>
            {
                let said = "it lists mailboxes and calls none of them subscribed";
                heard.subscriptions_refused = Some(said.to_owned());
            }
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

/// The connection ended: a question that can be done without is not asked for ever, nor are several at a time.
fn died(lane: &Lane<'_, ListStep>, error: SessionError) -> SessionError {
    let step = lane.steps().next();
    let aside = if lane.has_unheard() {
        Some(Aside::Identification)
    } else {
        step.and_then(|step| step.aside())
    };
    let is_its_own = matches!(error.kind, Kind::Transient | Kind::Desync)
        && !matches!(error.ending, Some(Ending::SentAhead | Ending::SessionOver));
    let is_first = matches!(step, Some(ListStep::List));
    if !is_its_own || aside.is_none() && !(is_first && lane.is_ahead()) {
        return error;
    }
    if let Some(aside) = aside {
        lane.pace()
            .died_of(aside, error.ending == Some(Ending::TimedOut));
    }
    let is_of_ahead = lane.is_ahead() && lane.pace().died_ahead();
    error.by(if is_of_ahead {
        Ending::SentAhead
    } else {
        Ending::Aside
    })
}

fn is_selectable(listed: &Listed) -> bool {
    !listed.has("\\Noselect") && !listed.has("\\NonExistent")
}

/// Selectable mailboxes, each once, INBOX first.
pub(super) fn assemble(heard: &mut Answers) -> Vec<Mailbox> {
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
    let subscribed: HashSet<Name> = heard.subscribed.drain(..).collect();
    let mut seen = HashSet::new();
    let mut mailboxes = Vec::new();
    // What only one of the two names is still there.
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
mod tests {
    use super::*;

    #[test]
    fn a_server_may_say_so_much_and_no_more() {
        let listed = |count: usize| {
            let one = Listed {
                name: Name::new("Work"),
                delimiter: None,
                attributes: Vec::new(),
            };
            vec![one; count]
        };
        let status = |count: usize| {
            let names = (0..count).map(|at| Name::listed(at.to_string().into_bytes()));
            names.map(|name| (name, MailboxStatus::default())).collect()
        };
        let most = MAX_MAILBOXES;
        for more in [0, 1] {
            let excess = |heard: Answers| assert_eq!(heard.excess().is_some(), more == 1);
            excess(Answers {
                listed: listed(most + more),
                ..Answers::default()
            });
            excess(Answers {
                extended: listed(most + more),
                ..Answers::default()
            });
            excess(Answers {
                subscribed: vec![Name::new("Work"); most + more],
                ..Answers::default()
            });
            excess(Answers {
                status: status(most + more),
                ..Answers::default()
            });
            excess(Answers {
                listed: listed(most - 5),
                unreadable: vec![String::new(); 5 + more],
                ..Answers::default()
            });
            excess(Answers {
                bytes: MAX_ANSWER + more,
                ..Answers::default()
            });
        }
        let response = Response {
            bytes: b"* OK\r\n".to_vec(),
            ..Response::default()
        };
        let mut heard = Answers::default();
        heard.take(ListStep::List, &response);
        assert_eq!(heard.bytes, 6);
        heard.bytes = MAX_ANSWER - 5;
        heard.take(ListStep::List, &response);
        assert_eq!(heard.excess().as_deref(), Some("64 MB of mailboxes"));
    }
}
