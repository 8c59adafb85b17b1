//! What the run was, how it went in one sentence, and the sums that must agree.

use std::collections::BTreeSet;

use indicatif::HumanBytes;
use maud::{Markup, html};

use super::{grouped, shown};
use crate::exit::Exit;
use crate::mode::Mode;
use crate::report::{AccountReport, Compared, Counts, Report, Status};

/// How it went, for somebody who has never heard of IMAP.
pub fn sentence(report: &Report) -> String {
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
            "Not everything is in order: {} of {} accounts {} fine; what needs attention stands below.",
            grouped(complete as u64),
            grouped(total as u64),
            if complete == 1 { "is" } else { "are" },
        );
    }
    let compared = compared(report);
    let counts = report.totals;
    if report.dry_run {
        return format!("A rehearsal for {accounts} went well; nothing was changed.");
    }
    match report.mode {
        Mode::Export => format!(
            "The mail of {accounts} is in the archive, all {} messages of it.",
            grouped(counts.new + counts.unchanged)
        ),
        Mode::Import => format!(
            "The mail of {accounts} is on the new server, all {} messages of it.",
            grouped(counts.new + counts.unchanged)
        ),
        Mode::Migrate
            if report
                .accounts
                .iter()
                .all(|account| account.compared.is_some()) =>
        {
            format!(
                "The mail of {accounts} has moved: all {} messages are on the new server.",
                grouped(compared.archive)
            )
        }
        Mode::Migrate => format!("The mail of {accounts} has moved as far as was asked."),
        Mode::Validate => format!(
            "The mail of {accounts} is on the new server: all {} messages were looked for, and all were found.",
            grouped(compared.archive)
        ),
        Mode::Audit => format!("The archive of {accounts} was checked and is whole."),
        Mode::Test | Mode::Index | Mode::Report | Mode::Authorize => {
            format!("The test of {accounts} went well.")
        }
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

/// Where every message is, with nothing left over.
pub fn balance(report: &Report) -> Markup {
    if report
        .accounts
        .iter()
        .any(|account| account.compared.is_some())
    {
        return table(
            report,
            "Where every message of the archive is",
            &of_target(&compared(report)),
        );
    }
    if report.mode == Mode::Export || report.mode == Mode::Import {
        return table(report, "Where every message is", &of_transfer(report));
    }
    html! {}
}

/// A line of the balance: what, and how many.
type Line = (&'static str, u64);

fn of_target(sum: &Compared) -> (Line, Vec<Line>) {
    let not_read = sum.matched.saturating_sub(sum.read_back);
    let parts = vec![
        ("on the target, identical byte for byte", sum.identical),
        (
            "on the target, with another final line end, otherwise the same",
            sum.final_line_end,
        ),
        (
            "on the target, with other line ends, otherwise the same",
            sum.line_ends,
        ),
        (
            "on the target, with header fields that the target added",
            sum.header_added,
        ),
        (
            "on the target, with a header folded in another way",
            sum.header_refolded,
        ),
        (
            "on the target, found by its header, not read back",
            not_read,
        ),
        ("on the target, with other content", sum.content_differs),
        ("not on the target", sum.missing),
    ];
    (("in the archive", sum.archive), parts)
}

fn of_transfer(report: &Report) -> (Line, Vec<Line>) {
    let Counts {
        new,
        unchanged,
        failed,
        ..
    } = report.totals;
    let is_export = report.mode == Mode::Export;
    let (whole, brought) = if is_export {
        ("on the source", "brought to the archive in this run")
    } else {
        ("in the archive", "brought to the target in this run")
    };
    let parts = vec![
        (brought, new),
        ("there already", unchanged),
        ("not brought over, each named below", failed),
    ];
    ((whole, new + unchanged + failed), parts)
}

/// Accounts of which nothing is known, so that they are in no sum.
fn uncounted(report: &Report) -> Markup {
    let is_unknown = |account: &&AccountReport| {
        account.status.is_trouble() && account.counts.mailboxes == 0 && account.compared.is_none()
    };
    let count = report.accounts.iter().filter(is_unknown).count() as u64;
    html! {
        @if count > 0 {
            p.bad { "✘ Accounts that could not be counted, so that they are not in these sums: " (grouped(count)) }
        }
    }
}

fn table(report: &Report, caption: &str, (whole, parts): &(Line, Vec<Line>)) -> Markup {
    let sum: u64 = parts.iter().map(|(_, count)| count).sum();
    html! {
        section #balance {
            h2 { (caption) }
            table.sums {
                tbody {
                    tr.whole { th scope="row" { "Messages " (whole.0) } td { (grouped(whole.1)) } }
                    @for (what, count) in parts.iter().filter(|(_, count)| *count > 0) {
                        tr { th scope="row" { (what) } td { (grouped(*count)) } }
                    }
                }
            }
            (uncounted(report))
            p.whole { "unexplained: " (grouped(whole.1.abs_diff(sum))) }
        }
    }
}

/// Bytes for people.
pub fn bytes(count: u64) -> String {
    HumanBytes(count).to_string()
}
