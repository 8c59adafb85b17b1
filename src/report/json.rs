//! The report for machines: written, and read again.

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
    /// Those of the file system; a file that is no report, or one of another format.
    pub fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<u32>,
            tool: Option<String>,
        }
        let size = std::fs::metadata(path)?.len();
        if size > MOST_BYTES {
            bail!("it has {size} bytes, which is too large for a report");
        }
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let head = serde_json::from_slice::<Head>(&bytes);
            match head.map(|head| (head.tool, head.format)) {
                Ok((Some(tool), Some(format)))
                    if tool == env!("CARGO_PKG_NAME") && format != FORMAT =>
                {
                    anyhow!("it has format {format}, and this version reads format {FORMAT} only")
                }
                _ => anyhow!("it is not a report of this program: {error}"),
            }
        })
    }

    /// The whole of it, whatever its texts hold, as JSON.
    pub(super) fn json(&self) -> Result<String> {
        let json = if self.mode_is_unknown {
            let mut value = serde_json::to_value(self).context("write JSON")?;
            value["mode"] = serde_json::Value::Null;
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string_pretty(self)
        };
        let json = json.context("write JSON")?;
        Ok(escaped_json(&json) + "\n")
    }
}
