//! What the answer to an APPEND means for its messages.

use anyhow::{Result, anyhow};
use tracing::{debug, info, warn};

use super::item::{Batch, Item, Late, Try};
use super::{AppendStep, Appender};
use crate::archive::journal::{Done, Flags};
use crate::message::DateSource;
use crate::report::cause::{Because, Cause};
use crate::session::append::append_uids;
use crate::session::blame::Verdict;
use crate::session::error::{Kind, SessionError};
use crate::session::lane::{Answer, Lane, Order};
use crate::session::manage;
use crate::session::reader::NoBody;
use crate::session::refusal::{Meaning, meaning};
use crate::session::response::{self, Condition, StatusResponse};
use crate::target::mailbox::{JobId, Refused};

/// If there is no room for a message of up to this size, in bytes, the account is full.
const SMALL: u64 = 64 * 1024;

/// True for a refusal that is about the connection and leaves open what became of the messages.
pub fn is_no_answer(status: &StatusResponse) -> bool {
    matches!(meaning(status), Meaning::Wait(_))
}

impl Appender<'_> {
    /// Takes the next tagged answer.
    pub(super) fn receive(&mut self, lane: &mut Lane<'_, AppendStep>) -> Result<()> {
        loop {
            let (step, status) = match lane.next(&mut NoBody)? {
                Answer::Untagged(AppendStep::Check(_, seen), response) => {
                    if let Some(Ok((_, status))) = response::parse_mailbox_status(response) {
                        *seen = status.uidvalidity;
                    }
                    continue;
                }
                Answer::Untagged(AppendStep::Count(id), response) => {
                    let said = response::parse_mailbox_status(response).and_then(Result::ok);
                    let said = said.and_then(|(_, status)| status.messages);
                    let messages = said.or_else(|| response::parse_exists(response));
                    self.merging
                        .counted
                        .extend(messages.map(|count| (*id, count)));
                    continue;
                }
                Answer::Untagged(..) => continue,
                Answer::Done(step, status) => (step, status),
            };
            return match step {
                AppendStep::Append(id, items) => self.answered(Batch { id, items }, &status, lane),
                AppendStep::Check(id, seen) => self.checked(id, seen),
                AppendStep::Open | AppendStep::Count(_) => Ok(()),
                AppendStep::Flags(stored) => {
                    if status.condition != Condition::Ok {
                        self.refused_late(&stored, &status.said());
                    }
                    Ok(())
                }
            };
        }
    }

    pub(super) fn answered(
        &mut self,
        batch: Batch,
        status: &StatusResponse,
        lane: &mut Lane<'_, AppendStep>,
    ) -> Result<()> {
        self.queue.unanswered = self.queue.unanswered.saturating_sub(batch.bytes());
        if status.condition == Condition::Ok {
            return self.accept(batch, status, lane);
        }
        let (said, id) = (status.said(), batch.id);
        match meaning(status) {
            Meaning::Wait(kind) => {
                let text = format!("APPEND: the server says {said}");
                return Err(SessionError::new(kind, text).into());
            }
            Meaning::Mailbox => {
                self.note_settled(&batch);
                let job = &mut self.jobs[id];
                let text = format!("{}: the target takes no messages here: {said}", job.name());
                job.fail(text.clone());
                if self.settings.ignore_errors {
                    return Ok(());
                }
                return Err(anyhow!(text));
            }
            Meaning::Quota | Meaning::Later | Meaning::Message | Meaning::Flags => {}
        }
        if batch.items.len() > 1 {
            let count = batch.items.len();
            debug!(count, answer = said, "a batch is refused, splitting it");
            self.queue.doubtful.push(batch);
            return Ok(());
        }
        match batch.items.into_iter().next() {
            Some(item) => self.refused(id, item, status),
            None => Ok(()),
        }
    }

    /// One message, sent alone, is refused.
    fn refused(&mut self, id: JobId, mut item: Item, status: &StatusResponse) -> Result<()> {
        let (uid, size, said) = (item.uid(), item.size(), status.said());
        let about = meaning(status);
        let is_early = about == Meaning::Later
            && self.experience.count(id, uid, said.clone()) != Verdict::Over;
        if is_early {
            self.note_settled(&alone(id, item));
            self.experience.careful.entry(id).or_default().insert(uid);
            let text = format!(
                "{}: uid {uid}: the server says {said}",
                self.jobs[id].name()
            );
            return Err(SessionError::new(Kind::Transient, text).into());
        }
        if about == Meaning::Message
            && is_about_date(status)
            && !item.undated
            && item.ready.internaldate.0.is_some()
        {
            debug!(uid, answer = said, "refused, trying it without its date");
            item.undated = true;
            item.first_words.get_or_insert(said);
            self.queue.doubtful.push(alone(id, item));
            return Ok(());
        }
        let other_form =
            about == Meaning::Flags || about == Meaning::Message && !is_about_content(status);
        if let Some(next) = item.next_try().filter(|_| other_form) {
            debug!(uid, answer = said, form = ?next, "refused, trying it in another form");
            item.how = next;
            item.first_words.get_or_insert(said);
            // It may be there all the same: that is looked at first.
            self.queue.doubtful.push(alone(id, item));
            return Ok(());
        }
        let reason = item.first_words.take().unwrap_or(said);
        self.note_settled(&alone(id, item));
        if about == Meaning::Quota {
            return self.no_room(id, uid, size, reason);
        }
        self.refuse(id, uid, Some(size), reason)
    }

    /// A message that is larger than the room is refused; where a small one is, the account is full.
    fn no_room(&mut self, id: JobId, uid: u32, size: u64, reason: String) -> Result<()> {
        if size <= SMALL {
            self.over_quota.clear();
            let text = format!(
                "{}: the account on the target is full: {reason}; give it more quota and run the import again",
                self.jobs[id].name()
            );
            return Err(Because::new(Cause::Quota, text).into());
        }
        info!(uid, size, answer = reason, "no room for this message");
        let known = self.experience.no_room.as_ref();
        if known.is_none_or(|(least, _)| size < *least) {
            self.experience.no_room = Some((size, reason.clone()));
        }
        let size = Some(size);
        self.over_quota.push((id, Refused { uid, size, reason }));
        Ok(())
    }

    /// The flags to send; `None` for no list at all.
    pub(super) fn flags(&self, id: JobId, item: &Item) -> Option<String> {
        let kept = self.jobs[id].keepable(&item.ready.flags).flags;
        let flags = match item.how {
            Try::Flags => {
                let known = kept.split(' ');
                let taken = known.filter(|flag| !self.experience.refuses_keyword(id, flag));
                taken.collect::<Vec<_>>().join(" ")
            }
            Try::NoKeywords => {
                let system = kept.split(' ').filter(|flag| flag.starts_with('\\'));
                system.collect::<Vec<_>>().join(" ")
            }
            Try::Bare => return Some(String::new()),
        };
        (!flags.is_empty() || self.experience.always_list).then_some(flags)
    }

    /// The server has the messages.
    pub(super) fn accept(
        &mut self,
        batch: Batch,
        status: &StatusResponse,
        lane: &mut Lane<'_, AppendStep>,
    ) -> Result<()> {
        let to_uids = self.named_uids(&batch, status, lane)?;
        let id = batch.id;
        for (at, item) in batch.items.into_iter().enumerate() {
            self.keep(id, item, to_uids.get(at).copied());
        }
        Ok(())
    }

    /// The target has this message.
    pub(super) fn keep(&mut self, id: JobId, item: Item, to_uid: Option<u32>) {
        let (uid, how, mut ready) = (item.uid(), item.how, item.ready);
        if item.undated {
            ready.internaldate = (None, DateSource::Refused);
        }
        let sent = item.sent.unwrap_or_default();
        let job = &mut self.jobs[id];
        let wanted = job.keepable(&ready.flags);
        job.appended(uid);
        job.told_mut().append(&ready);
        job.told_mut().encode_flags(wanted.encoded);
        self.experience.always_list |= how == Try::Bare && wanted.flags.is_empty();
        self.experience.taken(id, uid);
        *self.taken.entry(id).or_default() += 1;
        self.progress.message(ready.size);
        let words = wanted.flags.split_ascii_whitespace();
        let rest: Vec<&str> = words
            .filter(|flag| !sent.split(' ').any(|one| one == *flag))
            .collect();
        if let ([culprit], Try::NoKeywords) = (&rest[..], how) {
            self.experience.learn_keyword(id, culprit);
        }
        let (later, gone): (Vec<&str>, Vec<&str>) = rest
            .into_iter()
            .partition(|flag| !self.experience.refuses_keyword(id, flag));
        // Flags that are stored afterwards count as sent.
        let given = wanted.flags.split_ascii_whitespace();
        let given: Vec<&str> = given.filter(|flag| !gone.contains(flag)).collect();
        let flags = Flags {
            archived: ready.flags.as_str().into(),
            sent: given.join(" ").into(),
        };
        let done = Done {
            uid,
            sha256: Some(ready.sha256),
            to_uid,
            flags: Some(flags),
        };
        self.journal.done(&self.jobs[id].route(), &done);
        if ready.repaired.any() {
            warn!(
                uid,
                "the message was repaired on its way: {}", ready.repaired
            );
        }
        let lost = wanted.dropped.iter().map(String::as_str).chain(gone);
        self.jobs[id].told_mut().lose_flags(uid, lost);
        if let Some(to_uid) = to_uid {
            self.to_store.extend(Late::of(id, uid, to_uid, &later));
        } else if !later.is_empty() {
            self.owe(id, uid, &later);
        }
    }

    /// The UIDs that APPENDUID names, as far as they can be believed: it is a hint, and some servers have it wrong.
    fn named_uids(
        &mut self,
        batch: &Batch,
        status: &StatusResponse,
        lane: &mut Lane<'_, AppendStep>,
    ) -> Result<Vec<u32>> {
        let named = append_uids(status).filter(|_| !self.experience.distrusted);
        let Some((uidvalidity, uids)) = named else {
            return Ok(Vec::new());
        };
        let (id, job) = (batch.id, &self.jobs[batch.id]);
        let known = job.route().to_uidvalidity;
        let seen = self.named.entry(id).or_default();
        let is_new = |uid: &u32| *uid >= job.uidnext_there() && !seen.contains(*uid);
        let fits = known == 0 || uidvalidity == known;
        if fits && uids.len() == batch.items.len() && uids.iter().all(is_new) {
            seen.insert_all(&uids.iter().copied().collect());
            self.note_gap(id, &uids);
            return Ok(uids);
        }
        let answer = status.said();
        warn!(
            mailbox = job.name(),
            answer, "APPENDUID cannot be right; it is not used on this server"
        );
        self.experience.distrusted = true;
        if !fits {
            // Was the mailbox recreated?
            let ask = manage::uidvalidity(job.place().name.wire(), lane.capabilities())?;
            lane.send(&ask, AppendStep::Check(id, None), Order::Loose)?;
        }
        Ok(Vec::new())
    }

    fn checked(&mut self, id: JobId, seen: Option<u32>) -> Result<()> {
        let known = self.jobs[id].route().to_uidvalidity;
        if seen.is_none_or(|seen| known == 0 || seen == known) {
            return Ok(());
        }
        self.experience.distrusted = false;
        let text = "UIDVALIDITY of the target's mailbox changed while messages were appended";
        Err(SessionError::new(Kind::Transient, text).into())
    }

    /// Records a message that is not on the target; by default that ends the account.
    pub(super) fn refuse(
        &mut self,
        id: JobId,
        uid: u32,
        size: Option<u64>,
        reason: String,
    ) -> Result<()> {
        let job = &mut self.jobs[id];
        warn!(uid, reason, "the message is not imported");
        let text = format!(
            "{}: uid {uid} is not imported: {reason}; with --ignore-errors the others go on",
            job.name()
        );
        job.refuse(Refused { uid, size, reason });
        if self.settings.ignore_errors {
            return Ok(());
        }
        Err(anyhow!(text))
    }
}

fn alone(id: JobId, item: Item) -> Batch {
    let items = vec![item];
    Batch { id, items }
}

/// True for a refusal over INTERNALDATE.
fn is_about_date(status: &StatusResponse) -> bool {
    let text = status.text.to_ascii_lowercase();
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    words.any(|word| matches!(word, "date" | "dates" | "datetime" | "internaldate"))
}

/// True for a refusal over the message's content: other flags would change nothing.
fn is_about_content(status: &StatusResponse) -> bool {
    const WORDS: [&str; 8] = [
        "message", "header", "body", "line", "large", "big", "size", "literal",
    ];
    let code = status.code.as_deref().unwrap_or_default();
    let text = status.text.to_ascii_lowercase();
    code.eq_ignore_ascii_case("TOOBIG") || WORDS.iter().any(|word| text.contains(word))
}
