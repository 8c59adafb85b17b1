//! The mailboxes of many domains, asked for in the background while the user chooses.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tracing::debug;

use crate::panel::{MailboxDetails, Names, Panel, PanelError};

/// Calls under way at a time; they only read.
const AT_A_TIME: usize = 8;

/// What is known of all domains.
pub struct Listings {
    panel: Box<dyn Panel + Send>,
    /// In the order in which they are shown.
    pub domains: Vec<String>,
    slots: Vec<OnceLock<DomainListing>>,
    only: OnceLock<HashSet<usize>>,
    next: AtomicUsize,
}

/// One domain.
pub struct DomainListing {
    /// Its name.
    pub domain: String,
    /// Its mailboxes.
    pub names: Result<Names, PanelError>,
    /// What else the panel says about them; not every panel can.
    pub details: Result<Vec<MailboxDetails>, PanelError>,
}

impl Listings {
    /// Nothing is asked yet.
    pub fn new(domains: Vec<String>, panel: Box<dyn Panel + Send>) -> Self {
        Self {
            panel,
            slots: domains.iter().map(|_| OnceLock::new()).collect(),
            domains,
            only: OnceLock::new(),
            next: AtomicUsize::new(0),
        }
    }

    /// The panel's user.
    pub fn user(&self) -> &str {
        self.panel.user()
    }

    /// From now on only these are asked for.
    pub fn only(&self, chosen: &[usize]) {
        let _ = self.only.set(chosen.iter().copied().collect());
    }

    /// A domain, asked for now unless it was already.
    pub fn get(&self, number: usize) -> &DomainListing {
        self.slots[number].get_or_init(|| {
            let domain = self.domains[number].clone();
            let names = self.panel.mailboxes(&domain);
            let empty = names.as_ref().map_or(true, |names| names.names.is_empty());
            let details = if empty {
                Ok(Vec::new())
            } else {
                self.panel.details(&domain)
            };
            if let Err(error) = &details {
                debug!(panel = %self.panel.name(), "{error}");
            }
            DomainListing {
                domain,
                names,
                details,
            }
        })
    }

    /// How many mailboxes a domain has, in words, as far as that is known by now.
    pub fn count(&self, number: usize) -> impl fmt::Display + use<> {
        match self.slots[number].get().map(|listing| &listing.names) {
            None => "…".to_owned(),
            Some(Ok(names)) => names.names.len().to_string(),
            Some(Err(_)) => "cannot be listed".to_owned(),
        }
    }

    fn work(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.domains.len() {
                return;
            }
            if self.only.get().is_none_or(|only| only.contains(&number)) {
                self.get(number);
            }
        }
    }
}

/// Threads that ask.
pub struct Workers(Vec<JoinHandle<()>>);

/// Begins to ask for all domains, in their order.
pub fn start(listings: &Arc<Listings>) -> Workers {
    let workers = (0..AT_A_TIME.min(listings.domains.len())).filter_map(|_| {
        let listings = Arc::clone(listings);
        let builder = std::thread::Builder::new().name("panel".to_owned());
        // With fewer threads, or none, it only takes longer.
        builder.spawn(move || listings.work()).ok()
    });
    Workers(workers.collect())
}

impl Workers {
    /// Waits until all is known.
    pub fn finish(self) {
        for worker in self.0 {
            // A panic leaves a slot empty; it is asked for again where it is needed.
            let _ = worker.join();
        }
    }
}
