//! Columns for a terminal or a mail: first ones to the left, numbers to the right.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::printable::printable;

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

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from servers: nothing in them reaches the terminal as a command.
        let printable = |row: &Vec<String>| row.iter().map(|cell| printable(cell)).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(printable).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        // A column is one of numbers when its first row of content begins with a digit.
        let is_number = |column: usize| {
            let first = rows.get(1).and_then(|row| row.get(column));
            column > 0 && first.is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
        };
        let right: Vec<bool> = (0..columns).map(is_number).collect();
        for row in &rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column].saturating_sub(cell.width()));
                if column > 0 {
                    line.push_str("  ");
                }
                if right[column] {
                    line.push_str(&padding);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&padding);
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
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
}
