//! Standard error: past the lines of progress, without tearing them; if it is closed or full, that is ignored. And
//! standard output, where it is reported.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};

use crate::printable::printable_lines;
use crate::progress::screen;
use crate::redact::redacted;

/// Standard error.
#[derive(Clone, Copy)]
pub struct Terminal {
    /// Lines may have colours.
    pub colours: bool,
}

impl Terminal {
    /// Standard error as the environment has it.
    #[must_use]
    pub fn new() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colours: io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// Writes a line.
    #[allow(clippy::unused_self)]
    pub fn write(self, line: &str) {
        screen::past(line);
    }
}

/// Says something on standard error, without secrets and without anything that a terminal obeys.
pub fn tell(text: &str) {
    let text = printable_lines(&redacted(text));
    screen::past(&format!("{text}\n"));
}

/// Says what a run has to say, on standard output, without secrets.
///
/// # Errors
/// Those of writing there.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout();
    let written = out.write_all(redacted(text).as_bytes());
    match written.and_then(|()| out.flush()) {
        // A reader that takes the first lines only, as `head` does, is fine.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("print the report"),
    }
}
