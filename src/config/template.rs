//! The import template: same accounts, a server still to be named.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Config, write};
use crate::secret::SecretJson;

/// Name of the template, beside the configuration it is made from.
pub const FILE: &str = "import.pass.config.json";
/// The host to be replaced.
pub const HOST: &str = "CHANGE_ME.example.com";

/// Writes the template, 0600, unless there is such a file already. Returns its path when written.
///
/// # Errors
/// Those of the file system.
pub fn write(config: &Config) -> Result<Option<PathBuf>> {
    let path = config.path.with_file_name(FILE);
    if fs::symlink_metadata(&path).is_ok() {
        return Ok(None);
    }
    let mut template = json!({
        "server": {"host": HOST, "port": 993, "ssl": true, "starttls": false},
    });
    template["accounts"] = config.accounts_as_written.expose().clone();
    let template = SecretJson::new(template);
    let written = write::write(&path, &template, false).context("the import template")?;
    Ok(written.then_some(path))
}
