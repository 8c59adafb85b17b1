//! The import template: same accounts, a server still to be named.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::Config;

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
    let template = json!({
        "server": {"host": HOST, "port": 993, "ssl": true, "starttls": false},
        "accounts": config.accounts_as_written,
    });
    let mut bytes = serde_json::to_vec_pretty(&template).context("write JSON")?;
    bytes.push(b'\n');
    let temporary = config
        .path
        .with_file_name(format!(".{FILE}.{}.tmp", std::process::id()));
    let write = || -> io::Result<bool> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        // Unlike a rename, a link never replaces a file that came in between.
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        }
    };
    let written =
        write().with_context(|| format!("write the import template {}", path.display()))?;
    Ok(written.then_some(path))
}
