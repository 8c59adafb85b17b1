//! Where every message is, with nothing left over: the sums that must agree.

use maud::{Markup, html};

use super::facts::{compared, there};
use super::grouped;
use crate::mode::{Mode, Phase};
use crate::report::{AccountReport, Compared, Report, Status};

/// A whole, and the parts that must make it up.
struct Balance {
    caption: &'static str,
    whole: (&'static str, u64),
    parts: Vec<Portion>,
}

/// A number of messages, and of what kinds they are; one may be of several kinds.
struct Portion {
    what: &'static str,
    count: u64,
    kinds: Vec<(&'static str, u64)>,
}

impl Portion {
    fn new(what: &'static str, count: u64) -> Self {
        Self {
            what,
            count,
            kinds: Vec::new(),
        }
    }

    /// Messages that no kind explains.
    fn unnamed(&self) -> u64 {
        let named = self.kinds.iter().map(|(_, count)| count).sum();
        if self.kinds.is_empty() {
            0
        } else {
            self.count.saturating_sub(named)
        }
    }
}

/// The balance, where the mode counts messages.
pub fn of(report: &Report) -> Markup {
    let is_compared = |account: &AccountReport| account.compared.is_some();
    let balance = if report.accounts.iter().any(is_compared) {
        of_target(&compared(report))
    } else if matches!(report.mode, Mode::Export | Mode::Import) && !report.dry_run {
        of_transfer(report)
    } else {
        return html! {};
    };
    let parts: u64 = balance.parts.iter().map(|part| part.count).sum();
    let unnamed: u64 = balance.parts.iter().map(Portion::unnamed).sum();
    let unexplained = balance.whole.1.abs_diff(parts) + unnamed;
    html! {
        section #balance {
            h2 { (balance.caption) }
            table.sums {
                tbody {
                    tr.whole { th scope="row" { (balance.whole.0) } td { (grouped(balance.whole.1)) } }
                    @for part in balance.parts.iter().filter(|part| part.count > 0) { (lines(part)) }
                }
            }
            p.whole { "unexplained: " (grouped(unexplained)) }
            (beside(report))
        }
    }
}

fn lines(part: &Portion) -> Markup {
    let several = part.kinds.iter().map(|(_, count)| count).sum::<u64>() > part.count;
    html! {
        tr { th scope="row" { (part.what) } td { (grouped(part.count)) } }
        @for (kind, count) in part.kinds.iter().filter(|(_, count)| *count > 0) {
            tr.kind { th scope="row" { (kind) } td { (grouped(*count)) } }
        }
        @if several { tr.kind { th scope="row" { "(some are counted in more than one of these lines)" } td {} } }
    }
}

fn of_target(sum: &Compared) -> Balance {
    let differing = sum.read_back.saturating_sub(sum.identical);
    Balance {
        caption: "Where every message of the archive is",
        whole: ("Messages in the archive", sum.archive),
        parts: vec![
            Portion::new("on the new server, identical byte for byte", sum.identical),
            Portion {
                what: "on the new server, changed harmlessly by it",
                count: differing.saturating_sub(sum.content_differs),
                kinds: vec![
                    ("another final line end", sum.final_line_end),
                    ("other line ends", sum.line_ends),
                    ("header fields added", sum.header_added),
                    ("header lines broken in another way", sum.header_refolded),
                ],
            },
            Portion::new(
                "on the new server, found there by its header; its content was not compared",
                sum.matched.saturating_sub(sum.read_back),
            ),
            Portion::new("on the new server, with other content", sum.content_differs),
            Portion {
                what: "not migrated",
                count: sum.missing + sum.unknown,
                kinds: vec![
                    ("not on the new server", sum.missing),
                    (
                        "not to be looked for, as the new server does not let its mailbox be read",
                        sum.unknown,
                    ),
                ],
            },
            Portion::new(
                "brought to the new server, and deleted there since",
                sum.deleted,
            ),
        ],
    }
}

fn of_transfer(report: &Report) -> Balance {
    let counts = &report.totals;
    let (whole, brought) = if report.mode == Mode::Export {
        (
            "Messages on the old server",
            "brought to the archive in this run",
        )
    } else {
        (
            "Messages in the archive",
            "brought to the new server in this run",
        )
    };
    let there = there(report.mode, counts);
    Balance {
        caption: "Where every message is",
        whole: (whole, there + counts.failed),
        parts: vec![
            Portion::new(brought, counts.new),
            Portion::new("there already", there - counts.new),
            Portion::new("not brought over, each named below", counts.failed),
        ],
    }
}

/// What these sums cannot know.
fn beside(report: &Report) -> Markup {
    let of_export = |account: &AccountReport| -> u64 {
        let phases = account.phases.iter();
        let exports = phases.filter(|part| part.phase == Phase::Export);
        exports.map(|part| part.counts.failed).sum()
    };
    let not_handed_over: u64 = report.accounts.iter().map(of_export).sum();
    let is_open = |account: &&AccountReport| {
        let ended = matches!(
            account.status,
            Status::Complete | Status::Findings | Status::Incomplete
        );
        let is_looked_at = account.compared.is_some() || report.mode != Mode::Migrate;
        !ended || !is_looked_at
    };
    let open = report.accounts.iter().filter(is_open).count() as u64;
    html! {
        @if not_handed_over > 0 {
            p.bad { "✘ Messages that the old server did not hand over, so that they are not in the archive, each named below: " (grouped(not_handed_over)) }
        }
        @if open > 0 {
            p.bad { "✘ Accounts that were not gone through to the end, so that these sums lack mail of theirs: " (grouped(open)) }
        }
    }
}
