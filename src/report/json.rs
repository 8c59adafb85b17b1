//! The report for machines: written, and read again.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::Report;
use crate::printable::escaped_json;

/// The format of the report for machines.
pub(super) const FORMAT: u32 = 1;

/// Larger reports are not read.
const MOST_BYTES: u64 = 4 << 30;

impl Report {
    /// Reads the report for machines of an earlier run.
    ///
    /// # Errors
    /// Those of the file system; a file that is not a report, or one of another format.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&Self::bytes(path)?)
    }

    /// Reads a file that may be a report.
    ///
    /// # Errors
    /// Those of the file system; one that is too large for a report.
    pub fn bytes(path: &Path) -> Result<Vec<u8>> {
        let size = std::fs::metadata(path)?.len();
        if size > MOST_BYTES {
            bail!("it has {size} bytes, which is too large for a report");
        }
        Ok(std::fs::read(path)?)
    }

    /// Understands it.
    ///
    /// # Errors
    /// Anything but a report, or one of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<u32>,
            tool: Option<String>,
        }
        let ours = env!("CARGO_PKG_NAME");
        let read = serde_json::from_slice::<Self>(bytes);
        let head = match &read {
            Ok(report) => Some((Some(report.tool.clone()), Some(report.format))),
            Err(_) => serde_json::from_slice::<Head>(bytes)
                .ok()
                .map(|head| (head.tool, head.format)),
        };
        if let Some((Some(tool), Some(format))) = head
            && tool == ours
            && format != FORMAT
        {
            bail!("it has format {format}, and this version reads format {FORMAT} only");
        }
        let report =
            read.map_err(|error| anyhow!("it is not a report of this program: {error}"))?;
        if report.tool != ours {
            bail!("it is not a report of this program");
        }
        Ok(report)
    }

    /// Writes all of it, whatever its texts hold, as JSON: piece by piece, as that of a large run is large.
    pub(super) fn to_json(&self, to: impl Write) -> Result<()> {
        let mut to = Harmless(to);
        if self.mode_is_unknown {
            let mut value = serde_json::to_value(self).context("write JSON")?;
            value["mode"] = serde_json::Value::Null;
            serde_json::to_writer_pretty(&mut to, &value)?;
        } else {
            serde_json::to_writer_pretty(&mut to, self)?;
        }
        Ok(to.write_all(b"\n")?)
    }
}

/// Escapes what a terminal would obey on its way.
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    /// Takes whole pieces of text, as JSON is written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.write_all(escaped_json(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::report::AccountReport;

    #[test]
    fn what_is_written_is_read_again_and_nothing_in_it_is_obeyed() {
        let hostile = "a\u{9b}\u{202e}\u{1f4e7}ä\"\n\u{1b}";
        let report = Report::for_tests(Mode::Export, vec![AccountReport::new(hostile)]);
        let mut bytes = Vec::new();
        report.to_json(&mut bytes).expect("written");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(
            text.contains("\\u009b\\u202e\u{1f4e7}ä\\\"\\n\\u001b"),
            "{text}"
        );
        assert!(text.ends_with("}\n"));
        let again: Report = serde_json::from_str(&text).expect("read");
        assert_eq!(again.accounts[0].account, hostile);
        let refused = |from: &str, to: &str| {
            let other = text.replace(from, to);
            let error = Report::parse(other.as_bytes()).expect_err(to);
            error.to_string()
        };
        let newer = refused("\"format\": 1", "\"format\": 2");
        assert!(newer.contains("reads format 1 only"), "{newer}");
        let foreign = refused(env!("CARGO_PKG_NAME"), "another");
        assert!(
            foreign.contains("not a report of this program"),
            "{foreign}"
        );
    }
}
