//! A list of digests that `sha256sum -c` reads.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

/// The list in the making; it gets its name when it is whole.
pub struct Manifest {
    path: PathBuf,
    temporary: PathBuf,
    /// The archive's root as it was typed, so that `sha256sum -c` finds the files from the same directory.
    root: PathBuf,
    file: Mutex<BufWriter<File>>,
}

impl Manifest {
    /// Begins a list, 0600.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, root: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .with_context(|| format!("write the manifest {}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            temporary,
            root: root.to_path_buf(),
            file: Mutex::new(BufWriter::new(file)),
        })
    }

    /// Adds digests with their paths below the root.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn add(&self, digests: &[(String, String)]) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (digest, path) in digests {
            let path = self.root.join(path);
            file.write_all(line(digest, &path.to_string_lossy()).as_bytes())
                .with_context(|| format!("write the manifest {}", self.path.display()))?;
        }
        Ok(())
    }

    /// Gives the list its name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(self) -> Result<()> {
        let file = self
            .file
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.temporary, &self.path))
            .with_context(|| format!("write the manifest {}", self.path.display()))
    }
}

/// A line as sha256sum writes it: a backslash in front when the name had to be escaped (coreutils manual, "cksum output modes").
fn line(digest: &str, path: &str) -> String {
    let escaped = path
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r");
    let mark = if escaped == path { "" } else { "\\" };
    format!("{mark}{digest}  {escaped}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        assert_eq!(super::line("ab", "x/a b"), "ab  x/a b\n");
        assert_eq!(super::line("ab", "a\\b\nc"), "\\ab  a\\\\b\\nc\n");
    }
}
