//! Lines at the bottom of the terminal that change in place, and how other lines get past them.
//!
//! Standard error is one for the whole process, and so is what is drawn there. The cursor stays at the first of the
//! lines: in whatever way a terminal folds them when it is resized, everything from there on is what is to be erased.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What is drawn at the moment.
static SHOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From the cursor to the end of the terminal.
const ERASE: &str = "\r\u{1b}[J";

/// True where lines can change in place.
#[must_use]
pub fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    io::stderr().is_terminal() && !is_dumb
}

/// Columns and rows of the terminal behind a stream; 80 and 24 where it does not say.
#[must_use]
pub fn size(of: impl rustix::fd::AsFd) -> (usize, usize) {
    match rustix::termios::tcgetwinsize(of) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Draws these lines where the last ones were.
pub fn draw(lines: Vec<String>) {
    let mut shown = shown();
    if *shown != lines {
        write(&format!("{ERASE}{}", block(&lines)));
        *shown = lines;
    }
}

/// Erases the lines, for good.
pub fn erase() {
    draw(Vec::new());
}

/// Writes something past the lines.
pub fn past(text: &str) {
    let shown = shown();
    if shown.is_empty() {
        write(text);
    } else {
        write(&format!("{ERASE}{text}{}", block(&shown)));
    }
}

fn shown() -> MutexGuard<'static, Vec<String>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(text: &str) {
    // If nobody reads it, the log file and the report still say it.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The lines, with the cursor back at the first one.
fn block(lines: &[String]) -> String {
    let up = match lines.len() {
        0 => return String::new(),
        1 => String::new(),
        more => format!("\u{1b}[{}A", more - 1),
    };
    format!("{}\r{up}", lines.join("\n"))
}

/// As much of a line as fits into `columns`.
#[must_use]
pub fn cut(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut short: String = line.chars().take_while(fits).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_letters() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn the_cursor_stays_at_the_first_line() {
        let lines = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(block(&lines), "a\nb\nc\r\u{1b}[2A");
        assert_eq!(block(&lines[..1]), "a\r");
    }
}
