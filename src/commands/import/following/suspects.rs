//! What connections died of while flags were read or changed: remembered from one to the next, so that each costs only
//! itself.

use crate::session::blame::{Blame, Owner, Verdict};
use crate::session::error::{Ending, Kind, SessionError};
use crate::target::mailbox::JobId;

/// Messages and mailboxes of an account that may end connections before its flags are left as they are.
const MAX_BAD: usize = 8;

/// Who is to blame for connections that ended.
#[derive(Default)]
pub struct FlagSuspects {
    blame: Blame<Owner<JobId>>,
    /// Messages and mailboxes that are passed over.
    over: usize,
    /// Somebody was identified since the last question.
    news: bool,
}

impl FlagSuspects {
    /// True when somebody was identified since the last call.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// The connection ended while this was first in line: a change of these messages, by their UIDs in the archive, or
    /// the mailbox as a whole.
    pub(super) fn count(&mut self, id: JobId, uids: &[u32], error: &SessionError) {
        let is_nobodys = matches!(error.ending, Some(Ending::SentAhead | Ending::SessionOver));
        if is_nobodys || !matches!(error.kind, Kind::Transient | Kind::Desync) {
            return;
        }
        let words = error.to_string();
        match uids {
            [] => self.count_one(Owner::Mailbox(id), words),
            [uid] => self.count_one(Owner::Message(id, *uid), words),
            many => {
                for uid in many {
                    let owner = Owner::Message(id, *uid);
                    if self.blame.ends(&owner) == 0 {
                        self.news = true;
                        self.blame.count(owner, words.clone());
                    }
                }
            }
        }
    }

    fn count_one(&mut self, owner: Owner<JobId>, words: String) {
        self.news = true;
        if self.blame.count(owner, words) == Verdict::Over {
            self.over += 1;
        }
    }

    /// Its flags were changed.
    pub(super) fn clear(&mut self, id: JobId, uid: u32) {
        self.blame.clear(&Owner::Message(id, uid));
    }

    /// It goes in a command of its own.
    pub(super) fn is_suspect(&self, id: JobId, uid: u32) -> bool {
        self.blame.ends(&Owner::Message(id, uid)) > 0
    }

    /// And with nothing else in flight.
    pub(super) fn goes_alone(&self, id: JobId, uid: u32) -> bool {
        self.blame.verdict(&Owner::Message(id, uid)) == Verdict::Alone
    }

    /// Why the flags of a message are left as they are.
    pub(super) fn message_over(&self, id: JobId, uid: u32) -> Option<String> {
        self.over(&Owner::Message(id, uid))
    }

    /// Why those of a mailbox are.
    pub(super) fn mailbox_over(&self, id: JobId) -> Option<String> {
        if self.over >= MAX_BAD {
            return Some(format!("{MAX_BAD} changes of flags ended the connection"));
        }
        self.over(&Owner::Mailbox(id))
    }

    fn over(&self, owner: &Owner<JobId>) -> Option<String> {
        let is_over = self.blame.verdict(owner) == Verdict::Over;
        let words = is_over.then(|| self.blame.words(owner))?;
        words.map(str::to_owned)
    }
}
