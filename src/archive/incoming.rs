//! A message body on its way into the archive: in memory while it is small, else in a file of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::path::hex;
use crate::disk::{advised, file};

/// Bodies up to this many bytes are held in memory and written in one go.
const IN_MEMORY: usize = 1024 * 1024;
/// How much of a body is kept for reading its header, in bytes.
const HEAD: usize = 64 * 1024;
/// Prefix of the files of larger bodies; left behind only by a killed run.
pub(super) const SPILL_PREFIX: &str = ".incoming-";

/// A body that is being received; dropped, it leaves nothing behind.
pub struct Incoming {
    dir: PathBuf,
    /// The body, or its first [`HEAD`] bytes when it is in a file.
    memory: Vec<u8>,
    spill: Option<(PathBuf, File)>,
    digest: Sha256,
    length: u64,
}

impl Incoming {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            memory: Vec::new(),
            spill: None,
            digest: Sha256::new(),
            length: 0,
        }
    }

    /// Bytes received so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The beginning of the body, at least 64 KiB of it if there are that many.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.memory
    }

    /// Starts over with a body of about `announced` bytes; the buffer is kept.
    pub fn begin(&mut self, announced: u64) {
        self.remove_spill();
        self.memory.clear();
        let fits = usize::try_from(announced).ok();
        self.memory
            .reserve(fits.filter(|size| *size <= IN_MEMORY).unwrap_or(HEAD));
        self.digest = Sha256::new();
        self.length = 0;
    }

    /// Digest of the bytes received, in lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    /// Puts the body under its name, replacing what is there.
    pub(super) fn place(&mut self, path: &Path) -> io::Result<()> {
        if let Some((from, _)) = self.spill.take() {
            return file::rename(&from, path);
        }
        let mut file = file::create_or_empty(path)?;
        file::write_or_remove(&mut file, path, &self.memory)
    }

    fn begin_spill(&mut self) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{SPILL_PREFIX}{}-{number}", std::process::id());
        let path = self.dir.join(name);
        let named = |error: io::Error| {
            let error = advised(error);
            io::Error::new(error.kind(), format!("write {}: {error}", path.display()))
        };
        let mut file = file::create_new(&path).map_err(named)?;
        let written = file.write_all(&self.memory).map_err(named);
        self.spill = Some((path, file));
        written?;
        self.memory.truncate(HEAD);
        self.memory.shrink_to_fit();
        Ok(())
    }

    fn remove_spill(&mut self) {
        if let Some((path, _)) = self.spill.take() {
            // What cannot be removed now is removed by the next run.
            let _ = file::remove(&path);
        }
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.spill.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            self.begin_spill()?;
        }
        let mut kept = bytes;
        if let Some((path, file)) = &mut self.spill {
            file.write_all(bytes).map_err(|error| {
                let error = advised(error);
                io::Error::new(error.kind(), format!("write {}: {error}", path.display()))
            })?;
            let room = HEAD.saturating_sub(self.memory.len());
            kept = &bytes[..room.min(bytes.len())];
        }
        self.memory.extend_from_slice(kept);
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.remove_spill();
    }
}
