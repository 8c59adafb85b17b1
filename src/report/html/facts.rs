//! What the run was, how it went in one sentence, and the sums that must agree.

use std::collections::BTreeSet;

use indicatif::HumanBytes;
use maud::{Markup, html};

use super::{grouped, shown};
use crate::exit::Exit;
use crate::mode::{Mode, Phase};
use crate::plural::{form, verb};
use crate::report::{AccountReport, Compared, Counts, Report, Status};

/// How it went, for somebody who has never heard of IMAP.
pub fn sentence(report: &Report) -> String {
    if report.error.is_some() {
        return "Nothing was done: the run could not begin, or was ended at once.".to_owned();
    }
    let total = report.accounts.len();
    let is_complete = |account: &&AccountReport| account.status == Status::Complete;
    let complete = report.accounts.iter().filter(is_complete).count();
    let accounts = match total {
        1 => "the account".to_owned(),
        2 => "both accounts".to_owned(),
        _ => format!("all {} accounts", grouped(total as u64)),
    };
    if report.exit_code != Exit::Clean || complete != total {
        return format!(
            "Not everything is in order: {} of {} {} {} fine; see below for what needs attention.",
            grouped(complete as u64),
            grouped(total as u64),
            form(total, "account"),
            verb(complete, "is", "are"),
        );
    }
    let compared = compared(report);
    let there = there(report.mode, &report.totals);
    if report.dry_run {
        return format!("A rehearsal for {accounts} went well; nothing was changed.");
    }
    match report.mode {
        Mode::Export => format!(
            "The mail of {accounts} is in the archive: {} {}.",
            grouped(there),
            form(there, "message")
        ),
        Mode::Import => format!(
            "The mail of {accounts} is on the new server: {} {}.",
            grouped(there),
            form(there, "message")
        ),
        Mode::Migrate
            if report
                .accounts
                .iter()
                .all(|account| account.compared.is_some()) =>
        {
            format!(
                "The mail of {accounts} has moved: {} {} on the new server.",
                all_messages(compared.archive),
                verb(compared.archive, "is", "are")
            )
        }
        Mode::Migrate => match report.until {
            Some(Phase::Export) => format!(
                "The mail of {accounts} is in the archive; as was asked, nothing of it was brought to the new server yet."
            ),
            _ => format!(
                "The mail of {accounts} has moved as far as was asked; that it is all there was not proved."
            ),
        },
        Mode::Validate => format!(
            "The mail of {accounts} is on the new server: {} {} looked for and found.",
            all_messages(compared.archive),
            verb(compared.archive, "was", "were")
        ),
        Mode::Audit => format!("The archive of {accounts} was checked and is whole."),
        Mode::Test | Mode::Index | Mode::Report | Mode::Authorize => {
            format!("The test of {accounts} went well.")
        }
    }
}

fn all_messages(count: u64) -> String {
    match count {
        1 => "the one message".to_owned(),
        _ => format!("all {} messages", grouped(count)),
    }
}

/// When, where, by what.
pub fn run(report: &Report) -> Markup {
    let (own, target) = servers(report);
    let (from, to) = match report.mode {
        Mode::Import | Mode::Validate => (String::new(), own),
        _ => (own, target),
    };
    let rows = [
        ("From the server", from),
        ("To the server", to),
        ("Limits", report.limits.join("; ")),
        ("Begun", report.started.clone()),
        ("Ended", report.finished.clone()),
        ("Configuration", report.config.clone()),
        ("Archive", report.archive.clone()),
        ("Machine", report.machine.clone()),
        ("Configuration, digest", report.config_sha256.clone()),
        ("Program", format!("{} {}", report.tool, report.version)),
        (
            "Shard",
            report
                .shard
                .map(|part| part.to_string())
                .unwrap_or_default(),
        ),
    ];
    html! {
        dl.facts {
            @for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                div { dt { (name) } dd { (shown(value)) } }
            }
        }
    }
}

/// The servers of the accounts, and those that they moved to.
fn servers(report: &Report) -> (String, String) {
    let places = |identity: fn(&AccountReport) -> Option<&String>| {
        let identities = report.accounts.iter().filter_map(identity);
        let places = identities.filter_map(|text| text.rsplit_once('@').map(|(_, place)| place));
        let places: BTreeSet<&str> = places.collect();
        let named: Vec<&str> = places.iter().copied().take(SERVERS).collect();
        let more = places.len().saturating_sub(SERVERS);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        named.join(", ") + &more
    };
    (
        places(|account| account.identity.as_ref()),
        places(|account| account.target_identity.as_ref()),
    )
}

/// Servers that are named.
const SERVERS: usize = 5;

/// Sums of all accounts.
pub fn compared(report: &Report) -> Compared {
    let mut sum = Compared::default();
    for compared in report
        .accounts
        .iter()
        .filter_map(|account| account.compared)
    {
        sum += compared;
    }
    sum
}

/// Messages that are where the mode brings them, by what it counts.
pub fn there(mode: Mode, counts: &Counts) -> u64 {
    let with_news_of_flags = match mode {
        // There they are counted among the unchanged ones.
        Mode::Import => 0,
        _ => counts.flags_changed,
    };
    counts.new + counts.unchanged + with_news_of_flags
}

/// Bytes for people.
pub fn bytes(count: u64) -> String {
    HumanBytes(count).to_string()
}
