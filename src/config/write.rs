//! Writes a configuration: 0600, as a whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use zeroize::Zeroizing;

use crate::disk::advised;
use crate::secret::SecretJson;

/// Writes `json`; a file that is there already stays unless `replace`, false then.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, json: &SecretJson, replace: bool) -> Result<bool> {
    let bytes = serde_json::to_vec_pretty(json.expose()).context("write JSON")?;
    let mut bytes = Zeroizing::new(bytes);
    bytes.push(b'\n');
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> io::Result<bool> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        if replace {
            fs::rename(&temporary, path)?;
            return Ok(true);
        }
        // Unlike a rename, a link never replaces a file that came in between.
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        }
    };
    let outcome = write();
    // After a rename there is none; after a link and after a failure it is in the way.
    let _ = fs::remove_file(&temporary);
    outcome
        .map_err(advised)
        .with_context(|| format!("write {}", path.display()))
}
