//! What is known of a move before anything was copied: where the source's mailboxes would go, and how much they hold.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::plan;
use crate::filter::Filter;
use crate::mailbox::Listed;
use crate::mapping::{self, FolderMap, SourceMailbox, Why};
use crate::report::Preflight;
use crate::session::list::{Listing, Mailbox};

/// Shared by the tests of both sides, and by the run that follows them.
#[derive(Debug, Default)]
pub struct Rehearsal {
    accounts: Mutex<HashMap<String, Rehearsed>>,
    bytes: AtomicU64,
    without_size: AtomicU64,
}

/// What is known of one account.
#[derive(Debug, Default, Clone)]
pub struct Rehearsed {
    /// What the source lists, where the archive has nothing of it yet.
    listing: Option<std::sync::Arc<Listing>>,
    /// What the test of the target said.
    pub preflight: Option<Preflight>,
    /// What speaks against the move.
    pub warnings: Vec<String>,
    /// Where each mailbox would go, and why.
    pub places: HashMap<String, (String, String)>,
}

/// Where one mailbox would go.
pub struct Placed {
    /// Its name at the source.
    pub name: String,
    /// Its name at the target.
    pub to: String,
    /// Why it has that name.
    pub why: Vec<Why>,
    /// The target has it.
    pub exists: bool,
    /// Messages that it has.
    pub messages: u64,
    /// Their bytes, where the source says it.
    pub bytes: Option<u64>,
}

impl Placed {
    /// Why it has that name, in words.
    #[must_use]
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self.why.iter().map(ToString::to_string).collect();
        reasons.join(", ")
    }
}

impl Rehearsal {
    /// The source lists this, part of which is wanted.
    pub fn lists(&self, account: &str, listing: Listing, wanted: impl Fn(&Listed) -> bool) {
        let mailboxes = listing.mailboxes.iter();
        let wanted = mailboxes.filter(|mailbox| wanted(&mailbox.listed));
        for mailbox in wanted {
            let status = mailbox.status.clone().unwrap_or_default();
            // What a view holds is in other mailboxes, too.
            match status.size {
                Some(bytes) => add(&self.bytes, bytes),
                None if mailbox.listed.has("\\All") => {}
                None => add(&self.without_size, status.messages.unwrap_or(0)),
            }
        }
        self.lock().entry(account.to_owned()).or_default().listing = Some(listing.into());
    }

    /// Over all accounts that are new to the archive: bytes, as far as their servers give them, and the number of
    /// messages whose sizes they do not give.
    #[must_use]
    pub fn sums(&self) -> (u64, u64) {
        (self.bytes.load(Relaxed), self.without_size.load(Relaxed))
    }

    /// The test of the target has found this.
    pub fn found(
        &self,
        account: &str,
        preflight: Preflight,
        warnings: &[String],
        placed: &[Placed],
    ) {
        let mut accounts = self.lock();
        let known = accounts.entry(account.to_owned()).or_default();
        known.preflight = Some(preflight);
        known.warnings = warnings.to_vec();
        let told = |one: &Placed| (one.name.clone(), (one.to.clone(), one.reasons()));
        known.places = placed.iter().map(told).collect();
    }

    /// What is known of an account.
    #[must_use]
    pub fn of(&self, account: &str) -> Rehearsed {
        self.lock().get(account).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Rehearsed>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some servers give sums that overflow.
fn add(sum: &AtomicU64, more: u64) {
    let _ = sum.fetch_update(Relaxed, Relaxed, |sum| Some(sum.saturating_add(more)));
}

impl Rehearsed {
    /// True where the source was listed, as the archive has nothing of it.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listing.is_some()
    }

    /// Where the mailboxes that the source lists would go, by what the target lists; `None` where nothing was listed.
    #[must_use]
    pub fn place(&self, there: &Listing, folders: &Filter, map: &FolderMap) -> Option<Vec<Placed>> {
        let here = self.listing.as_ref()?;
        let prefix = here.namespace.as_ref();
        let prefix = prefix.map_or("", |(prefix, _)| prefix.text());
        let mailboxes: Vec<&Mailbox> = here.mailboxes.iter().collect();
        let sources: Vec<SourceMailbox> = mailboxes
            .iter()
            .map(|mailbox| SourceMailbox {
                listed: mailbox.listed.clone(),
                prefix: prefix.to_owned(),
                before: None,
            })
            .collect();
        let (target, _) = plan::target(there, None);
        let mapped = mapping::plan(&sources, &target, map.names()).into_iter();
        let wanted = mapped.filter(|mapped| folders.matches(sources[mapped.source].name()));
        Some(
            wanted
                .map(|mapped| {
                    let mailbox = mailboxes[mapped.source];
                    let status = mailbox.status.clone().unwrap_or_default();
                    // What a view holds is in other mailboxes, too.
                    let is_view = mailbox.listed.has("\\All");
                    let own = |count: Option<u64>| if is_view { Some(0) } else { count };
                    let messages = own(status.messages).unwrap_or(0);
                    Placed {
                        name: sources[mapped.source].name().to_owned(),
                        to: mapped.name.text().to_owned(),
                        why: mapped.why,
                        exists: mapped.exists,
                        messages,
                        bytes: own(status.size).or((status.messages == Some(0)).then_some(0)),
                    }
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Name;
    use crate::session::response::MailboxStatus;

    fn mailbox(name: &str, attribute: &str, size: Option<u64>) -> Mailbox {
        Mailbox {
            listed: Listed {
                name: Name::new(name),
                delimiter: Some('/'),
                attributes: vec![attribute.to_owned()],
            },
            subscribed: false,
            status: Some(MailboxStatus {
                messages: Some(5),
                size,
                ..MailboxStatus::default()
            }),
        }
    }

    #[test]
    fn what_is_wanted_is_added_up_and_a_view_holds_nothing_of_its_own() {
        let listing = || Listing {
            mailboxes: vec![
                mailbox("INBOX", "\\HasNoChildren", Some(70)),
                mailbox("Work", "\\HasNoChildren", None),
                mailbox("All", "\\All", None),
                mailbox("Not wanted", "\\HasNoChildren", Some(900)),
            ],
            ..Listing::default()
        };
        let rehearsal = Rehearsal::default();
        assert!(!rehearsal.of("anna").is_listed());
        let is_wanted = |listed: &Listed| listed.name.text() != "Not wanted";
        rehearsal.lists("anna", listing(), is_wanted);
        assert_eq!(rehearsal.sums(), (70, 5));
        rehearsal.lists("bob", listing(), is_wanted);
        assert_eq!(rehearsal.sums(), (140, 10));
        let anna = rehearsal.of("anna");
        assert!(anna.is_listed());
        let folders = Filter::new(&[], &["Not wanted".to_owned()]).expect("a filter");
        let there = Listing {
            mailboxes: vec![mailbox("INBOX", "\\HasNoChildren", None)],
            ..Listing::default()
        };
        let placed = anna.place(&there, &folders, &FolderMap::default());
        let placed = placed.expect("listed");
        for one in &placed {
            let why: Vec<String> = one.why.iter().map(ToString::to_string).collect();
            assert!(!why.is_empty());
            assert_eq!(one.reasons(), why.join(", "), "{}", one.name);
        }
        let placed: Vec<_> = placed
            .into_iter()
            .map(|one| (one.name, one.exists, one.messages, one.bytes))
            .collect();
        let of = |name: &str, exists, messages, bytes| (name.to_owned(), exists, messages, bytes);
        assert_eq!(
            placed,
            [
                of("INBOX", true, 5, Some(70)),
                of("Work", false, 5, None),
                of("All", false, 0, Some(0)),
            ]
        );
        let nothing = rehearsal
            .of("carl")
            .place(&there, &folders, &FolderMap::default());
        assert!(nothing.is_none());
    }
}
