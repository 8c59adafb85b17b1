//! `--mode index`: writes the configuration from what a panel lists.

mod choose;
mod listing;
mod summary;

use std::sync::Arc;

use anyhow::{Result, bail};
use tracing::warn;

use listing::Listings;
use summary::{Indexed, Summary};

use crate::config::document::{self, Document};
use crate::panel::address::domain_to_ascii;
use crate::panel::directadmin::DirectAdmin;
use crate::panel::{Names, Panel};
use crate::settings::index::{IndexPlan, check_out};
use crate::stop::Stop;

/// How an index ended.
pub enum IndexOutcome {
    /// The configuration is written.
    Written(Summary),
    /// The user chose to leave; nothing is written.
    Left,
}

/// Asks the panel, lets the user choose, writes the configuration.
///
/// # Errors
/// A panel that cannot be asked; domains that it does not have; those of the file system. Nothing is written then.
pub fn run(plan: &IndexPlan, stop: &Stop) -> Result<IndexOutcome> {
    let panel = DirectAdmin::new(&plan.access, plan.timeout, stop)?;
    let domains = domains(&panel)?;
    let listings = Arc::new(Listings::new(domains.names, Box::new(panel)));
    let workers = listing::start(&listings);
    let Some(chosen) = choose::choose(&plan.choice, &listings)? else {
        return Ok(IndexOutcome::Left);
    };
    listings.only(&chosen);
    workers.finish();
    if stop.requested() {
        bail!("the run was stopped; nothing is written");
    }
    let mut indexed = Indexed::default();
    indexed.odd_domains(&domains.odd);
    for number in chosen {
        let listing = listings.get(number);
        if let Err(error) = &listing.names
            && !plan.ignore_errors
        {
            bail!("{error}; nothing is written (--ignore-errors leaves such domains out)");
        }
        indexed.add(listing, listings.user());
    }
    if indexed.accounts.is_empty() {
        bail!("there is no mailbox in the chosen domains; nothing is written");
    }
    let password = plan.password.as_ref().map_or("", |secret| secret.expose());
    let accounts = indexed.accounts.iter();
    let accounts = accounts
        .map(|account| document::account(&account.email, account.login.as_deref(), password));
    let config = Document::new(&plan.host, plan.port, plan.tls, accounts.collect());
    if !config.write(&plan.out, plan.overwrite)? {
        check_out(&plan.out, false)?;
    }
    Ok(IndexOutcome::Written(Summary::new(
        plan,
        &indexed,
        listings.user(),
    )))
}

/// The user's domains, sorted, each once.
fn domains(panel: &DirectAdmin) -> Result<Names> {
    let mut found = panel.domains()?;
    for odd in &found.odd {
        warn!(panel = %panel.name(), "the panel lists {odd:?}, which is not a domain name; it is left out");
    }
    found.names.sort_by_key(|name| name.to_lowercase());
    found.names.dedup_by_key(|name| name.to_lowercase());
    if found.names.is_empty() {
        let user = panel.user();
        bail!(
            "the panel's user {user} has no domains; as an administrator act for their owner with \
             --da-username 'admin|OWNER'"
        );
    }
    Ok(found)
}

/// The numbers of named domains among those of the panel.
fn numbers_of(named: &[String], domains: &[String]) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    let mut unknown = Vec::new();
    for name in named {
        let wanted = domain_to_ascii(name);
        let same = |domain: &String| wanted.is_some() && domain_to_ascii(domain) == wanted;
        match domains.iter().position(same) {
            Some(number) if numbers.contains(&number) => {}
            Some(number) => numbers.push(number),
            None => unknown.push(name.as_str()),
        }
    }
    if !unknown.is_empty() {
        bail!(
            "the panel has no domain {}; it has {}",
            unknown.join(", "),
            summary::some(domains)
        );
    }
    Ok(numbers)
}
