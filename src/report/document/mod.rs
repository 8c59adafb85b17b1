//! What is said about a run, in which order, and how much of it: decided once, for every printer. Knows no printer.

mod failures;
mod findings;
mod proof;
mod provisioned;
mod tables;
mod tested;
mod verdict;

use super::table::Table;
use super::{Report, Status};
use crate::finding::Severity;
use crate::mode::Mode;

/// Failures, warnings and findings of one kind that are named; the rest are counted.
const SHOWN: usize = 20;

/// One thing that is said. Its texts hold what servers said, verbatim: the printer makes it harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// What the next blocks are about.
    Heading(String),
    /// Sentences, one a line.
    Text(Vec<String>),
    /// Rows under a header.
    Table(Table),
    /// The first lines of a list, and how many more there are.
    Lines {
        /// The first ones.
        shown: Vec<String>,
        /// How many are left out.
        rest: usize,
    },
    /// Findings of one kind.
    Findings {
        /// How bad they are.
        severity: Severity,
        /// Their kind.
        code: &'static str,
        /// How many there are.
        count: usize,
        /// The first ones, each with its place.
        shown: Vec<String>,
        /// How many are left out.
        rest: usize,
    },
    /// What ended an account, or the run.
    Failed(String),
    /// How it went, in one sentence.
    Verdict(String),
}

impl Block {
    /// True for what is set apart from what comes before.
    #[must_use]
    pub fn begins_a_part(&self) -> bool {
        match self {
            Self::Heading(_) | Self::Verdict(_) | Self::Findings { .. } | Self::Failed(_) => true,
            Self::Text(_) | Self::Table(_) | Self::Lines { .. } => false,
        }
    }

    /// The first lines of a list, the others counted.
    fn lines(mut lines: Vec<String>) -> Self {
        let rest = cut(&mut lines);
        Self::Lines { shown: lines, rest }
    }
}

/// Leaves the first ones; returns how many went.
fn cut(lines: &mut Vec<String>) -> usize {
    let rest = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    rest
}

/// All that is said about a run.
#[must_use]
pub fn of(report: &Report) -> Vec<Block> {
    let shard = report.shard.as_ref();
    let part = shard.map(|part| Block::Text(vec![part.to_string(), String::new()]));
    let mut blocks: Vec<Block> = part.into_iter().collect();
    blocks.extend(failures::errors(report));
    blocks.extend(failures::messages(report));
    if !blocks.is_empty() {
        blocks.push(Block::Text(vec![String::new()]));
    }
    let mut main = main_part(report);
    let is_whole = report.dry_run && !tables::is_of_steps(report);
    let mut unlisted = Vec::new();
    if !is_whole && !report.ended_with_panel {
        unlisted = tables::unlisted(report);
    }
    // It goes below the table of the accounts.
    if report.mode != Mode::Audit {
        let is_table = |block: &Block| matches!(block, Block::Table(_));
        let table = main.iter().position(is_table);
        let below = match table.filter(|_| !tables::is_of_steps(report)) {
            Some(table) => table + 1,
            None => main.len(),
        };
        main.splice(below..below, unlisted.drain(..));
    }
    main.retain(|block| !matches!(block, Block::Table(table) if table.rows().is_empty()));
    blocks.append(&mut main);
    if let Some(provisioned) = report
        .provisioned
        .as_ref()
        .filter(|_| !report.ended_with_panel)
    {
        blocks.extend(provisioned::created(provisioned));
    }
    blocks.extend(audit(report, unlisted));
    if !report.limits.is_empty() {
        blocks.push(Block::Text(report.limits.clone()));
    }
    blocks.extend(failures::warnings(report));
    blocks.extend(verdict::sums(report));
    blocks.extend(whole_lists(report, &blocks));
    blocks.extend(verdict::of(report));
    blocks
}

/// Where to find lists in full that were cut.
fn whole_lists(report: &Report, blocks: &[Block]) -> Option<Block> {
    let is_cut = |block: &Block| match block {
        Block::Lines { rest, .. } | Block::Findings { rest, .. } => *rest > 0,
        _ => false,
    };
    if !blocks.iter().any(is_cut) {
        return None;
    }
    let file = report.file.as_deref().or(report.log.as_deref());
    let file = file.unwrap_or("the file that --report names");
    let text = format!("Lists that were cut are complete in {file}");
    Some(Block::Text(vec![String::new(), text]))
}

fn main_part(report: &Report) -> Vec<Block> {
    match (report.mode, report.dry_run) {
        _ if report.ended_with_panel => {
            let provisioned = report.provisioned.as_ref();
            provisioned.map_or_else(Vec::new, provisioned::all)
        }
        _ if tables::is_of_steps(report) => tested::of(report),
        (Mode::Import | Mode::Migrate, true) => vec![Block::Table(tables::mapping(report))],
        (_, true) => vec![Block::Table(tables::mailboxes(report))],
        (Mode::Import, false) => {
            let mut blocks = vec![Block::Table(tables::import(report))];
            blocks.extend(findings::of(&report.accounts));
            blocks
        }
        (Mode::Migrate, false) => {
            let mut blocks = vec![Block::Table(tables::migration(report))];
            blocks.extend(proof::in_words(report));
            blocks.extend(findings::of(&report.accounts));
            blocks
        }
        (Mode::Validate, _) => {
            let mut blocks = proof::of(report);
            blocks.extend(findings::of(&report.accounts));
            blocks
        }
        (Mode::Audit, _) => Vec::new(),
        (_, false) => vec![Block::Table(tables::accounts(report))],
    }
}

fn audit(report: &Report, unlisted: Vec<Block>) -> Vec<Block> {
    if report.mode == Mode::Migrate {
        return Vec::new();
    }
    let alone = report.mode == Mode::Audit;
    if report
        .accounts
        .iter()
        .all(|account| account.audit.is_none())
        && !alone
    {
        return match report.mode {
            Mode::Export => findings::of(&report.accounts),
            _ => Vec::new(),
        };
    }
    let mut blocks = Vec::new();
    if !alone {
        blocks.push(Block::Heading("Audit of the archive:".to_owned()));
    }
    blocks.push(Block::Table(tables::audit(report)));
    blocks.extend(unlisted);
    blocks.extend(findings::of(&report.accounts));
    blocks
}

/// Worked through to the end, whatever was found.
fn is_gone_through(status: Status) -> bool {
    matches!(status, Status::Complete | Status::Findings)
}
