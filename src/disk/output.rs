//! A file that the user named for a run to write: it gets its name when it is whole, 0600, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::advised;

/// The file in the making; dropped before it is finished, it leaves nothing behind.
pub struct Output {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Output {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(advised)?;
        Ok(Self {
            path: path.to_path_buf(),
            temporary,
            file,
        })
    }

    /// Gives the file its name, in the place of one that has it already.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(self) -> io::Result<()> {
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .map_err(advised)
    }

    /// Gives the file its name, unless one has it already: false then.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish_unless_there(self) -> io::Result<bool> {
        self.file.sync_all().map_err(advised)?;
        // Unlike a rename, a link never replaces a file that came in between.
        match fs::hard_link(&self.temporary, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true).map_err(advised),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(advised)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(advised)
    }
}

/// Half a file is worth nothing and takes room.
impl Drop for Output {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = fs::remove_file(&self.temporary);
    }
}
