//! Writes a configuration: 0600, as a whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use zeroize::Zeroizing;

use crate::disk::output::Output;
use crate::secret::SecretJson;

/// Writes `json`; a file that is there already stays unless `replace`, false then.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, json: &SecretJson, replace: bool) -> Result<bool> {
    let bytes = serde_json::to_vec_pretty(json.expose()).context("write JSON")?;
    let mut bytes = Zeroizing::new(bytes);
    bytes.push(b'\n');
    let write = || {
        let mut file = Output::create(path)?;
        file.write_all(&bytes)?;
        if replace {
            return file.finish().map(|()| true);
        }
        file.finish_unless_there()
    };
    write().with_context(|| format!("write {}", path.display()))
}
