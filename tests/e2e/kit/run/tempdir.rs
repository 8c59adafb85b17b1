//! Directories of one test: made with a short path (unix sockets allow 108 bytes), gone afterwards.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A directory that is removed with its guard.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
    keep_on_panic: bool,
}

impl TempDir {
    /// A new, empty directory that servers running as other users may enter but not list.
    pub fn new() -> Self {
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = PathBuf::from(format!("/tmp/kit{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o711).create(&path) {
                Ok(()) => {
                    return Self {
                        path,
                        keep_on_panic: false,
                    };
                }
                // What a killed run with the same process id left behind.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot create {}: {error}", path.display()),
            }
        }
    }

    /// Leaves the directory behind, and says where, when the test fails.
    pub fn kept_on_panic(mut self) -> Self {
        self.keep_on_panic = true;
        self
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if self.keep_on_panic && std::thread::panicking() {
            eprintln!("kept for inspection: {}", self.path.display());
            return;
        }
        // A server that is just dying may still create a file: the directory is then not empty at first.
        for _ in 0..20 {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}

/// Below `path` everything, one line each: mode, size, name. For failure messages.
pub fn tree(path: &Path) -> String {
    let mut lines = Vec::new();
    list(path, path, &mut lines);
    lines.sort();
    let total = lines.len();
    if total > 100 {
        lines.truncate(100);
        lines.push(format!("… and {} more", total - 100));
    }
    lines.join("\n")
}

fn list(root: &Path, path: &Path, lines: &mut Vec<String>) {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        let (mode, size) = (metadata.mode() & 0o7777, metadata.len());
        if metadata.is_dir() {
            lines.push(format!("{shown}/  {mode:04o}"));
            list(root, &path, lines);
        } else {
            lines.push(format!("{shown}  {mode:04o} {size}"));
        }
    }
}
