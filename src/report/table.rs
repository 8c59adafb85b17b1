//! Columns for a terminal or a mail: first ones to the left, numbers to the right; folded where they are too wide.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::printable::printable;

/// Columns of a mail, and of a terminal that does not say how many it has.
const COLUMNS: usize = 80;
/// Between two columns.
const GAP: usize = 2;
/// Before the further lines of a folded row.
const INDENT: usize = 2;

/// Rows of text under a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The first one is the header.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }

    /// What the columns are called.
    #[must_use]
    pub fn header(&self) -> &[String] {
        self.rows.first().map_or(&[], Vec::as_slice)
    }

    /// The rows below the header.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        self.rows.get(1..).unwrap_or_default()
    }
}

/// As wide as `{table:120}` says, 80 columns otherwise.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = Layout::of(&self.rows, f.width().unwrap_or(COLUMNS));
        let mut last = None;
        for (number, row) in layout.rows.iter().enumerate() {
            // Of rows that begin alike, such as an account's mailboxes, only the first says so.
            let lead = layout.line(row, &layout.lines[0], 0);
            let is_new = last.as_ref() != Some(&lead) || layout.lines.len() == 1 || number < 2;
            if is_new {
                lead.iter().try_for_each(|line| writeln!(f, "{line}"))?;
            }
            for columns in &layout.lines[1..] {
                let lines = layout.line(row, columns, INDENT);
                lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
            }
            last = Some(lead);
        }
        Ok(())
    }
}

/// Which columns stand in which line of a row.
struct Layout {
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    /// True for columns of numbers.
    right: Vec<bool>,
    lines: Vec<Vec<usize>>,
}

impl Layout {
    fn of(rows: &[Vec<String>], limit: usize) -> Self {
        // Names come from servers: nothing in them reaches the terminal as a command.
        let printable = |row: &Vec<String>| row.iter().map(|cell| printable(cell)).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(printable).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        // A column is one of numbers when its first row of content begins with a digit.
        let is_number = |column: usize| {
            let first = rows.get(1).and_then(|row| row.get(column));
            column > 0 && first.is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
        };
        let right = (0..columns).map(is_number).collect();
        let lines = lines(&rows, &widths, limit);
        if lines.len() > 1 {
            let most = limit.saturating_sub(INDENT).max(1);
            for width in &mut widths {
                *width = most.min(*width);
            }
        }
        Self {
            rows,
            widths,
            right,
            lines,
        }
    }

    /// These columns of a row; more than one line where a cell is wider than all that there is.
    fn line(&self, row: &[String], columns: &[usize], indent: usize) -> Vec<String> {
        if let [alone] = columns
            && let Some(cell) = row.get(*alone)
            && cell.width() > self.widths[*alone]
        {
            let parts = fold(cell, self.widths[*alone]);
            return parts.map(|part| " ".repeat(indent) + &part).collect();
        }
        let mut line = " ".repeat(indent);
        for (place, &column) in columns.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let padding = " ".repeat(self.widths[column].saturating_sub(cell.width()));
            if place > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            if self.right[column] {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        let line = line.trim_end();
        if line.is_empty() {
            Vec::new()
        } else {
            vec![line.to_owned()]
        }
    }
}

/// All columns in one line, if that fits; else the first one and how it went, and below that the others.
fn lines(rows: &[Vec<String>], widths: &[usize], limit: usize) -> Vec<Vec<usize>> {
    let width = |columns: &[usize]| {
        let cells: usize = columns.iter().map(|&column| widths[column]).sum();
        cells + GAP * columns.len().saturating_sub(1)
    };
    let all: Vec<usize> = (0..widths.len()).collect();
    if width(&all) <= limit || all.len() < 2 {
        return vec![all];
    }
    let last = widths.len() - 1;
    let has_status = rows.first().and_then(|header| header.last()) == Some(&"status".to_owned());
    let lead = if has_status && width(&[0, last]) <= limit {
        vec![0, last]
    } else {
        vec![0]
    };
    let others = all.into_iter().filter(|column| !lead.contains(column));
    let mut below: Vec<Vec<usize>> = Vec::new();
    for column in others {
        match below.last_mut() {
            Some(line) if width(&[line.as_slice(), &[column]].concat()) + INDENT <= limit => {
                line.push(column);
            }
            _ => below.push(vec![column]),
        }
    }
    [vec![lead], below].concat()
}

/// A text in lines of this many columns, broken between words where possible.
fn fold(text: &str, columns: usize) -> impl Iterator<Item = String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or("", |line| line.as_str());
        if line.width() + 1 + word.width() <= columns || line.is_empty() {
            let blank = if line.is_empty() { "" } else { " " };
            let both = format!("{line}{blank}{word}");
            lines.pop();
            lines.push(both);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
        .into_iter()
        .flat_map(move |line| pieces(&line, columns))
}

/// A word that is longer than a line.
fn pieces(text: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut left = columns;
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            pieces.push(String::new());
            left = columns;
        }
        left = left.saturating_sub(width);
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_script() {
        let mut table = Table::new(&["mailbox", "new"]);
        table.row(&["日本語".into(), "5".into()]);
        table.row(&["a\u{1b}[2J".into(), "12345".into()]);
        let text = table.to_string();
        assert_eq!(
            text,
            "mailbox    new\n日本語       5\na\u{fffd}[2J    12345\n"
        );
    }

    #[test]
    fn what_is_too_wide_is_folded() {
        let mut table = Table::new(&["account", "mailbox", "because of", "new", "status"]);
        let mut row = |account: &str, mailbox: &str, why: &str, new: &str| {
            table.row(&[account, mailbox, why, new, "complete"].map(str::to_owned));
        };
        row("anna@example.com", "INBOX", "its name", "5");
        row(
            "anna@example.com",
            "Sent",
            "the folder_map of the configuration, which wins",
            "12",
        );
        row("ben@example.com", &"x".repeat(45), "-", "7");
        assert_eq!(
            format!("{table:40}"),
            format!(
                "account           status\n  mailbox\n  because of\n  new\n\
                 anna@example.com  complete\n  INBOX\n  its name\n    5\n  \
                 Sent\n  the folder_map of the configuration,\n  which wins\n   12\n\
                 ben@example.com   complete\n  {}\n  {}\n  -\n    7\n",
                "x".repeat(38),
                "x".repeat(7)
            )
        );
        assert!(format!("{table:160}").lines().count() == 4);
        let widest = table.to_string().lines().map(UnicodeWidthStr::width).max();
        assert!(widest.is_some_and(|widest| widest <= 80), "{table}");
    }
}
