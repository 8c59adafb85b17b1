//! What a validation has proved, in words that can be passed on.

use super::Block;
use crate::plural::{counted, verb};
use crate::report::{Compared, Report, table::Table};

/// A line per account, then what was read back.
pub fn of(report: &Report) -> Vec<Block> {
    let mut table = Table::new(&[
        "account",
        "in archive",
        "on target",
        "matched",
        "missing",
        "extra",
        "flags lost",
        "dates differ",
        "read back",
        "identical",
        "status",
    ]);
    let mut sum = Compared::default();
    let mut row = |name: &str, compared: &Compared, status: &str| {
        table.row(&[
            name.to_owned(),
            compared.archive.to_string(),
            compared.target.to_string(),
            compared.matched.to_string(),
            compared.missing.to_string(),
            (compared.extra + compared.doubled).to_string(),
            compared.flags_differ.to_string(),
            compared.dates_differ.to_string(),
            compared.read_back.to_string(),
            compared.identical.to_string(),
            status.to_owned(),
        ]);
    };
    for account in &report.accounts {
        if let Some(before) = &account.compared_before {
            let name = format!("{} (before)", account.account);
            row(&name, before, "");
        }
        let compared = account.compared.unwrap_or_default();
        row(
            &super::tables::named(report, account),
            &compared,
            account.status.as_str(),
        );
        sum += compared;
    }
    if report.accounts.len() > 1 {
        row("total", &sum, "");
    }
    vec![Block::Table(table), Block::Text(sentences(&sum))]
}

/// What was compared, in sentences alone.
pub fn in_words(report: &Report) -> Vec<Block> {
    let compared: Vec<Compared> = report
        .accounts
        .iter()
        .filter_map(|account| account.compared)
        .collect();
    if compared.is_empty() {
        return Vec::new();
    }
    let mut sum = Compared::default();
    for compared in compared {
        sum += compared;
    }
    vec![Block::Text(sentences(&sum))]
}

fn sentences(sum: &Compared) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "Of {} in the archive, {} {} found on the target by Message-ID, Date, From, To, Cc and Subject.",
            counted(sum.archive, "message"),
            sum.matched,
            verb(sum.matched, "was", "were")
        ),
    ];
    if sum.read_back == 0 {
        return lines;
    }
    lines.push(format!(
        "{} of them were read back and compared with the archive by SHA-256: {} are identical byte for byte, {} have other content.",
        sum.read_back, sum.identical, sum.content_differs
    ));
    let habits = [
        (sum.final_line_end, "another final line end"),
        (sum.line_ends, "other line ends"),
        (sum.header_added, "header fields that the target added"),
        (sum.header_refolded, "a header folded in another way"),
    ];
    let seen = habits.iter().filter(|(count, _)| *count > 0);
    lines.extend(seen.map(|(count, what)| format!("  {count} with {what}, otherwise the same")));
    lines
}
