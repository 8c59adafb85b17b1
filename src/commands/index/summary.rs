//! What was found and what was written, for people.

use std::collections::HashSet;
use std::fmt;

use super::listing::DomainListing;
use crate::config::TlsMode;
use crate::exit::Exit;
use crate::plural::counted;
use crate::printable::printable;
use crate::report::table::Table;
use crate::settings::index::IndexPlan;

/// Names that are listed; the rest are counted.
const SHOWN: usize = 20;

/// An account for the configuration.
pub struct IndexedAccount {
    /// Its address.
    pub email: String,
    /// Its user name, where it is another.
    pub login: Option<String>,
}

/// What the chosen domains hold.
#[derive(Default)]
pub struct Indexed {
    /// Every mailbox once.
    pub accounts: Vec<IndexedAccount>,
    domains: Vec<(String, String)>,
    seen: HashSet<String>,
    duplicates: Vec<String>,
    suspended: Vec<String>,
    system: Vec<String>,
    odd: Vec<String>,
    failed: Vec<String>,
    without_details: Option<String>,
}

impl Indexed {
    /// What the panel lists as domains but are none.
    pub fn odd_domains(&mut self, odd: &[String]) {
        self.odd.extend(odd.iter().map(|name| format!("{name:?}")));
    }

    /// Takes a domain in; `user` is the panel's.
    pub fn add(&mut self, listing: &DomainListing, user: &str) {
        let domain = &listing.domain;
        let names = match &listing.names {
            Ok(names) => names,
            Err(error) => {
                self.failed.push(error.to_string());
                self.domains
                    .push((domain.clone(), "cannot be listed".to_owned()));
                return;
            }
        };
        self.domains
            .push((domain.clone(), names.names.len().to_string()));
        let odd = names.odd.iter();
        self.odd
            .extend(odd.map(|name| format!("{name:?} of {domain}")));
        if let Err(error) = &listing.details {
            self.without_details
                .get_or_insert_with(|| error.to_string());
        }
        for local in &names.names {
            let email = format!("{local}@{domain}");
            if !self.seen.insert(email.to_lowercase()) {
                self.duplicates.push(email);
                continue;
            }
            let details = listing.details.as_ref().ok().and_then(|rows| {
                rows.iter()
                    .find(|row| row.local.eq_ignore_ascii_case(local))
            });
            if details.is_some_and(|row| row.suspended) {
                self.suspended.push(email.clone());
            }
            if local.eq_ignore_ascii_case(user) {
                self.system.push(email.clone());
            }
            let login = details.and_then(|row| row.login.clone());
            self.accounts.push(IndexedAccount { email, login });
        }
    }
}

/// The end of an index.
pub struct Summary {
    /// How the process ends.
    pub exit: Exit,
    /// The accounts that are written.
    pub accounts: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    text: String,
}

impl Summary {
    /// Puts it in words.
    pub fn new(plan: &IndexPlan, indexed: &Indexed, user: &str) -> Self {
        let mut table = Table::new(&["domain", "mailboxes"]);
        for (domain, count) in &indexed.domains {
            table.row(&[domain.clone(), count.clone()]);
        }
        let mut notes = Vec::new();
        let mut note = |names: &[String], text: &str| {
            if !names.is_empty() {
                notes.push(format!("{} {text}: {}", names.len(), some(names)));
            }
        };
        note(
            &indexed.failed,
            "domains LEFT OUT, as they cannot be listed",
        );
        note(
            &indexed.odd,
            "LEFT OUT, as they are not names of mailboxes or domains",
        );
        note(&indexed.duplicates, "listed more than once, written once");
        note(
            &indexed.suspended,
            "suspended on the panel, so their logins will be refused until that is lifted",
        );
        note(
            &indexed.system,
            "with the name of the panel's user: if it is the account's own system mailbox, its \"login\" may have to be \
             the user name alone",
        );
        if indexed.system.is_empty() {
            notes.push(format!(
                "the system mailbox of the panel's user {user} is not listed; if it gets mail, add it by hand"
            ));
        }
        if let Some(error) = &indexed.without_details {
            notes.push(format!(
                "which mailboxes are suspended is not known, the panel did not say: {error}"
            ));
        }
        let total = indexed.accounts.len();
        if plan.password.is_none() {
            notes.push(format!(
                "{total} passwords are blank (\"\"): fill them in, as no other mode takes an account without one"
            ));
        }
        let mut text = format!("{table}\nNotes:\n");
        for note in &notes {
            text.push_str("  ");
            text.push_str(&printable(note));
            text.push('\n');
        }
        let last = format!(
            "\nwrote {}: {} of {}, server {}:{} ({})\n",
            plan.out.display(),
            counted(total, "account"),
            counted(indexed.domains.len(), "domain"),
            plan.host,
            plan.port,
            match plan.tls {
                TlsMode::Implicit => "TLS",
                TlsMode::StartTls => "STARTTLS",
                TlsMode::None => "NOT encrypted",
            },
        );
        text.push_str(&last);
        Self {
            exit: if indexed.failed.is_empty() && indexed.odd.is_empty() {
                Exit::Clean
            } else {
                Exit::Findings
            },
            accounts: indexed
                .accounts
                .iter()
                .map(|account| account.email.clone())
                .collect(),
            notes,
            text,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first of many names.
pub fn some(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let rest = names.len() - first.len();
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!("{}{more}", first.join(", "))
}
