//! A list of digests that `sha256sum -c` reads.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::disk::output::Output;

/// The list in the making; it gets its name when it is whole.
pub struct Manifest {
    path: PathBuf,
    /// The archive's root as it was typed, so that `sha256sum -c` finds the files from the same directory.
    root: PathBuf,
    file: Mutex<BufWriter<Output>>,
    /// Why it will not be complete.
    failure: Mutex<Option<std::io::Error>>,
}

impl Manifest {
    /// Begins a list, 0600.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, root: &Path) -> Result<Self> {
        let file = Output::create(path)
            .with_context(|| format!("write the manifest {}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            root: root.to_path_buf(),
            file: Mutex::new(BufWriter::new(file)),
            failure: Mutex::default(),
        })
    }

    /// Adds digests with their paths below the root. Errors are reported at the end.
    pub fn add(&self, digests: &[(String, String)]) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (digest, path) in digests {
            let path = self.root.join(path);
            let line = line(digest, &path.to_string_lossy());
            if failure.is_none() {
                *failure = file.write_all(line.as_bytes()).err();
            }
        }
    }

    /// Gives the list its name.
    ///
    /// # Errors
    /// Those of the file system, also of adding to it.
    pub fn finish(self) -> Result<()> {
        let file = self
            .file
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let failure = self.failure.into_inner();
        failure
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(Ok(()), Err)
            .and_then(|()| {
                file.into_inner()
                    .map_err(std::io::IntoInnerError::into_error)
            })
            .and_then(Output::finish)
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
