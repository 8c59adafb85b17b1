//! `--only-failed`: the accounts that an earlier run left open, by its report or by a list of their names. Knows the
//! configuration and no command.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::config::Config;
use crate::report::{Report, Status};

/// Unknown names that are shown.
const SHOWN: usize = 20;

/// Leaves only the accounts that are to be done again.
///
/// # Errors
/// A file that is neither; nothing that is left to do; names that the configuration does not have.
pub fn keep(config: &mut Config, path: &Path) -> Result<()> {
    let shown = path.display();
    let bytes = Report::bytes(path).with_context(|| format!("--only-failed: read {shown}"))?;
    let is_report = bytes.trim_ascii_start().starts_with(b"{");
    let names = if is_report {
        of_report(&bytes).with_context(|| format!("--only-failed: read {shown}"))?
    } else {
        let text = String::from_utf8(bytes);
        listed(&text.with_context(|| {
            format!("--only-failed: {shown} is neither a report nor a list of names")
        })?)
    };
    if names.is_empty() {
        bail!(
            "--only-failed: {shown} names no account that is not complete, so nothing is left to do"
        );
    }
    let accounts = &mut config.accounts;
    accounts.retain(|account| names.contains(&account.name));
    let known: HashSet<&str> = accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    let unknown = names
        .iter()
        .map(String::as_str)
        .filter(|name| !known.contains(name));
    let mut unknown: Vec<&str> = unknown.collect();
    unknown.sort_unstable();
    if accounts.is_empty() || !is_report && !unknown.is_empty() {
        let count = unknown.len();
        unknown.truncate(SHOWN);
        bail!(
            "--only-failed: {} has no account with {count} of the {} names in {shown}:\n  {}",
            config.path.display(),
            names.len(),
            unknown.join("\n  ")
        );
    }
    Ok(())
}

fn of_report(bytes: &[u8]) -> Result<HashSet<String>> {
    let before = Report::parse(bytes)?;
    let accounts = before.accounts.into_iter();
    let open = accounts.filter(|account| account.status != Status::Complete);
    Ok(open.map(|account| account.account).collect())
}

/// A name a line, as `--list` prints them.
fn listed(text: &str) -> HashSet<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_name_a_line_whatever_ends_the_lines() {
        let names = listed("\r\nanna@example.com\r\n\n  bert@example.com\nanna@example.com");
        assert_eq!(names.len(), 2);
        assert!(names.contains("bert@example.com"));
    }
}
