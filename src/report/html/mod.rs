//! The report as one page for a browser, to be handed on: it asks for nothing from anywhere, works without its script,
//! on paper and for a screen reader. Knows no other format; `maud` escapes all that comes from servers.

mod accounts;
mod balance;
mod exceptions;
mod facts;
mod message;
mod words;

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::document::{self, Block};
use super::{Report, Status};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let blocks = document::of(report);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    let title = format!("{} of {}", report.mode.as_str(), report.started);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#accounts" { "To the accounts" }
                header { (verdict(report, &blocks)) (facts::run(report)) }
                main {
                    (balance::of(report))
                    (exceptions::of(report))
                    (accounts::of(report))
                    (others(&blocks))
                    (words::proof(report))
                    (words::never_migrated())
                    (words::glossary())
                    (words::acceptance())
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

fn verdict(report: &Report, blocks: &[Block]) -> Markup {
    let clean = report.exit_code == crate::exit::Exit::Clean;
    let (class, sign) = if clean {
        ("good", "✔")
    } else {
        ("bad", "✘")
    };
    let sentences = blocks.iter().filter_map(|block| match block {
        Block::Verdict(text) => Some(text),
        _ => None,
    });
    html! {
        h1.verdict.(class) {
            span aria-hidden="true" { (sign) " " }
            (facts::sentence(report))
        }
        @for sentence in sentences { p.said { (shown(sentence)) } }
    }
}

/// What the sections before do not show: the tables of a test, of a dry run and of a panel.
fn others(blocks: &[Block]) -> Markup {
    let tables: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        })
        .collect();
    html! {
        @if !tables.is_empty() {
            section {
                details {
                    summary { h2 { "As it was printed" } }
                    @for table in tables {
                        div.wide { table {
                            thead { tr { @for cell in table.header() { th scope="col" { (shown(cell)) } } } }
                            tbody { @for row in table.rows().iter().take(PRINTED) {
                                tr { @for cell in row { td { (shown(cell)) } } }
                            } }
                        } }
                        (rest(table.rows().len(), PRINTED))
                    }
                }
            }
        }
    }
}

/// Rows of a printed table that a page takes.
const PRINTED: usize = 1000;

/// How many rows are left out, and where they are.
fn rest(total: usize, taken: usize) -> Markup {
    html! {
        @if total > taken {
            p { "… and " (grouped((total - taken) as u64)) " more: see the report in JSON (--report), or the accounts as CSV (--csv)." }
        }
    }
}

/// Text from elsewhere: its direction stays its own, and what changes direction or is not a character is shown as a
/// mark.
fn shown(text: &str) -> Markup {
    let visible: String = text.chars().flat_map(visible).collect();
    html! { bdi { (visible) } }
}

fn visible(c: char) -> Vec<char> {
    match c {
        '\u{200e}'
        | '\u{200f}'
        | '\u{061c}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => format!("⟨U+{:04X}⟩", u32::from(c)).chars().collect(),
        c if c.is_control() => vec!['\u{fffd}'],
        c => vec![c],
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A status is told by sign and word, not by colour alone.
fn status(status: Status) -> Markup {
    let (class, sign) = match status {
        Status::Complete => ("good", "✔"),
        Status::Findings => ("look", "!"),
        Status::Incomplete | Status::Failed => ("bad", "✘"),
        Status::Parked | Status::Stopped | Status::NotStarted => ("open", "…"),
    };
    html! { span.(class) { span aria-hidden="true" { (sign) } " " (status.as_str().to_lowercase()) } }
}

/// A bar that shows a share of a whole, for the eye only.
fn bar(part: u64, whole: u64) -> Markup {
    let percent = part.saturating_mul(100).checked_div(whole).unwrap_or(0);
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect width=(percent) height="8" {}
        }
    }
}
