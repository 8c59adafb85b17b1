//! Text from elsewhere on a terminal: nothing in it is obeyed as a command, and none of it runs backwards.

use std::fmt::Write;

/// The text without control characters (C0, C1, DEL), line ends, and marks that turn the direction of writing.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// The same of several lines.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let keep = |c| if c == '\n' { c } else { shown(c) };
    text.chars().map(keep).collect()
}

/// The text as JSON has it, with what a terminal would obey escaped.
#[must_use]
pub fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_command(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn shown(c: char) -> char {
    if is_command(c) { '\u{fffd}' } else { c }
}

fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_turned_text_do_not_pass() {
        let text = "a\u{1b}[2J\u{9b}b\u{7f}\u{202e}c\nд\u{2069}";
        assert_eq!(
            printable(text),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}д\u{fffd}"
        );
        assert_eq!(printable_lines("a\nb\r"), "a\nb\u{fffd}");
        assert_eq!(escaped_json("\"\u{9b}\u{202e}\"\n"), "\"\\u009b\\u202e\"\n");
    }
}
