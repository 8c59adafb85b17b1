//! Which domains: all, those named, or those chosen on the terminal.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use inquire::list_option::ListOption;
use inquire::validator::Validation;
use inquire::{InquireError, MultiSelect};

use super::listing::Listings;
use crate::settings::index::Choice;

/// A line to choose.
struct DomainLine {
    number: usize,
    listings: Arc<Listings>,
}

impl fmt::Display for DomainLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.listings.domains[self.number];
        write!(f, "{name}  ({})", self.listings.count(self.number))
    }
}

/// The numbers of the chosen domains; `None` when the user leaves.
///
/// # Errors
/// Named domains that the panel does not have; a terminal that fails.
pub fn choose(choice: &Choice, listings: &Arc<Listings>) -> Result<Option<Vec<usize>>> {
    match choice {
        Choice::All => Ok(Some((0..listings.domains.len()).collect())),
        Choice::Named(named) => super::numbers_of(named, &listings.domains).map(Some),
        Choice::Ask => ask(listings),
    }
}

fn ask(listings: &Arc<Listings>) -> Result<Option<Vec<usize>>> {
    let lines = (0..listings.domains.len()).map(|number| DomainLine {
        number,
        listings: Arc::clone(listings),
    });
    let at_least_one = |chosen: &[ListOption<&DomainLine>]| {
        Ok(if chosen.is_empty() {
            Validation::Invalid("choose at least one with the space bar, or leave with Esc".into())
        } else {
            Validation::Valid
        })
    };
    // A domain's count is not part of its name, and matching parts are easier to foresee than likeness.
    let by_name = |typed: &str, line: &DomainLine, _: &str, _: usize| {
        let name = listings.domains[line.number].to_lowercase();
        name.contains(&typed.to_lowercase()).then_some(0)
    };
    let answer = MultiSelect::new("Which domains?", lines.collect())
        .with_help_message("type to filter, space chooses, → chooses all that are shown, ← none, Enter goes on, Esc leaves")
        .with_page_size(15)
        .with_keep_filter(false)
        .with_scorer(&by_name)
        .with_formatter(&|chosen| format!("{} chosen", chosen.len()))
        .with_validator(at_least_one)
        .prompt();
    match answer {
        Ok(lines) => Ok(Some(lines.iter().map(|line| line.number).collect())),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(None),
        Err(error) => Err(error)
            .context("choose on the terminal; with --domain or --all-domains nobody is asked"),
    }
}
