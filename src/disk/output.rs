//! A file that the user named for a run to write: it gets its name when it is whole, 0600, or not at all. Anything but
//! a regular file (a device, a pipe) is written into and stays what it is; `-` is standard output.
//!
//! Others may write to the directory, too: temporary names cannot be guessed, and a symlink is followed only where this
//! user or root made it. Where the file system can, a file has no name at all before it is whole: a killed run leaves
//! none behind, and some hold passwords.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags};

use super::advised;
use super::file;

/// How many symlinks may lead to a file.
const MOST_LINKS: usize = 16;
/// Standard output, as a path.
const STDOUT: &str = "-";

/// The file in the making; dropped before it is finished, it leaves nothing behind.
pub struct Output(Destination);

enum Destination {
    /// Standard output.
    Stdout,
    /// Anything but a regular file.
    Into(File),
    /// A regular file, and the name that it is to get.
    Regular {
        path: PathBuf,
        /// The name that it has meanwhile, beside that one; none where it needs none.
        temporary: Option<Temporary>,
        file: File,
    },
}

/// Removes the file when dropped: half of one is worth nothing and takes room.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = fs::remove_file(&self.0);
    }
}

impl Output {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the file system; a directory; a symlink of somebody else; a pipe that nobody reads from.
    pub fn create(path: &Path) -> io::Result<Self> {
        if is_stdout(path) {
            return Ok(Self(Destination::Stdout));
        }
        let path = followed(path)?;
        if let Some(file) = special(&path)? {
            return Ok(Self(Destination::Into(file)));
        }
        let (temporary, file) = if let Some(file) = nameless(&path) {
            (None, file)
        } else {
            let name = temporary_beside(&path);
            let file = file::create_new(&name)?;
            (Some(Temporary(name)), file)
        };
        Ok(Self(Destination::Regular {
            path,
            temporary,
            file,
        }))
    }

    /// Tests whether it could be created, and leaves everything as it was.
    ///
    /// # Errors
    /// Those of [`Self::create`], but a pipe may find its reader later.
    pub fn probe(path: &Path) -> io::Result<()> {
        let is_pipe = fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo());
        if is_pipe {
            return Ok(());
        }
        Self::create(path).map(drop)
    }

    /// Gives the file its name, in the place of one that has it already. Durable on return.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(mut self) -> io::Result<()> {
        match &mut self.0 {
            Destination::Stdout | Destination::Into(_) => self.flush(),
            Destination::Regular {
                path,
                temporary,
                file,
            } => {
                file.sync_all().map_err(advised)?;
                replace(path, temporary, file).map_err(advised)?;
                // A directory that may be written but not read cannot be synced apart from its file.
                let directory = File::open(directory_of(path));
                directory.map_or(Ok(()), |directory| directory.sync_all().map_err(advised))
            }
        }
    }

    /// The same for what is rewritten every few seconds: readable by all, and without waiting for the disk.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish_for_all(mut self) -> io::Result<()> {
        let Destination::Regular {
            path,
            temporary,
            file,
        } = &mut self.0
        else {
            return self.flush();
        };
        file.set_permissions(Permissions::from_mode(0o644))
            .and_then(|()| replace(path, temporary, file))
            .map_err(advised)
    }

    /// Gives the file its name, unless one has it already: false then.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish_unless_there(self) -> io::Result<bool> {
        let Destination::Regular {
            path,
            temporary,
            file,
        } = &self.0
        else {
            return Ok(false);
        };
        file.sync_all().map_err(advised)?;
        // Unlike a rename, a link never replaces a file that came in between.
        let linked = match temporary {
            Some(Temporary(name)) => fs::hard_link(name, path),
            None => link(file, path),
        };
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true).map_err(advised),
        }
    }
}

/// Only a rename replaces what is there, and it needs a name.
fn replace(path: &Path, temporary: &mut Option<Temporary>, file: &File) -> io::Result<()> {
    if temporary.is_none() {
        let name = temporary_beside(path);
        link(file, &name)?;
        *temporary = Some(Temporary(name));
    }
    match temporary {
        Some(Temporary(name)) => fs::rename(name, path),
        None => Ok(()),
    }
}

/// True where the path is the standard output of this process.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    [STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|name| path == Path::new(name))
}

/// A name in the same directory that nobody can guess.
fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", file::random()))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A file without a name (`O_TMPFILE`) in the directory of `path`, 0600; none where the file system has no such files,
/// or /proc, by which it gets its name later, is not there.
fn nameless(path: &Path) -> Option<File> {
    let file = OpenOptions::new()
        .write(true)
        .mode(0o600)
        .custom_flags(i32::try_from(OFlags::TMPFILE.bits()).ok()?)
        .open(directory_of(path))
        .ok()?;
    in_proc(&file).exists().then_some(file)
}

/// Gives a file without a name its first one; an error where the name is taken.
fn link(file: &File, path: &Path) -> io::Result<()> {
    rustix::fs::linkat(CWD, in_proc(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

/// The kernel's name for an open file, open(2).
fn in_proc(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Where symlinks that may be followed lead.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let us = rustix::process::geteuid().as_raw();
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(there) = fs::symlink_metadata(&path) else {
            return Ok(path);
        };
        if !there.is_symlink() {
            return Ok(path);
        }
        if there.uid() != us && there.uid() != 0 {
            let text = format!(
                "it is a symlink that user {} made, and is not followed",
                there.uid()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let target = fs::read_link(&path)?;
        let next = path.with_file_name("").join(target);
        // A link of /proc that leads to a pipe or a deleted file names no path; the kernel follows it all the same.
        if fs::symlink_metadata(&next).is_err() && fs::metadata(&path).is_ok() {
            return Ok(path);
        }
        path = next;
    }
    Err(io::Error::other("too many symlinks"))
}

/// Something that is there but not a regular file, opened for writing.
fn special(path: &Path) -> io::Result<Option<File>> {
    let Ok(there) = fs::metadata(path) else {
        return Ok(None);
    };
    // One under a name of /proc cannot be replaced.
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    if there.is_file() && !is_link {
        return Ok(None);
    }
    // A pipe without a reader would block the run for ever.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(nonblocking)
        .open(path);
    let file = match opened {
        Err(error) if there.file_type().is_fifo() => {
            let text = format!("nobody reads from this pipe: {error}");
            return Err(io::Error::new(error.kind(), text));
        }
        opened => opened.map_err(advised)?,
    };
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(Some(file))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.0 {
            Destination::Stdout => io::stdout().write(bytes),
            Destination::Into(file) | Destination::Regular { file, .. } => file.write(bytes),
        };
        written.map_err(advised)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.0 {
            Destination::Stdout => io::stdout().flush(),
            Destination::Into(file) | Destination::Regular { file, .. } => file.flush(),
        };
        flushed.map_err(advised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_of_ours_leads_to_the_file_and_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (file, link) = (dir.path().join("sub/today.json"), dir.path().join("latest"));
        fs::create_dir(dir.path().join("sub")).expect("directory");
        symlink("sub/today.json", &link).expect("link");
        for text in ["one", "two"] {
            let mut output = Output::create(&link).expect("created");
            output.write_all(text.as_bytes()).expect("written");
            output.finish().expect("finished");
            assert_eq!(fs::read_to_string(&file).expect("there"), text);
        }
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        let there = fs::read_dir(dir.path().join("sub"))
            .expect("listed")
            .count();
        assert_eq!(there, 1, "temporary files");
    }

    #[test]
    fn a_file_in_the_making_has_no_name_that_a_killed_run_could_leave() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("secret.json");
        let entries = || fs::read_dir(dir.path()).expect("listed").count();
        let mut output = Output::create(&path).expect("created");
        output.write_all(b"one").expect("written");
        assert_eq!(entries(), 0);
        assert!(output.finish_unless_there().expect("finished"));
        let mut output = Output::create(&path).expect("created");
        output.write_all(b"two").expect("written");
        assert_eq!(entries(), 1);
        assert!(!output.finish_unless_there().expect("there"));
        assert_eq!(fs::read_to_string(&path).expect("there"), "one");
        let mut output = Output::create(&path).expect("created");
        output.write_all(b"three").expect("written");
        output.finish().expect("finished");
        assert_eq!(fs::read_to_string(&path).expect("there"), "three");
        assert_eq!(entries(), 1);
        let mode = fs::metadata(&path).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_pipe_without_a_reader_is_an_error_and_no_wait() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        assert!(Output::create(&pipe).is_err());
        Output::probe(&pipe).expect("a reader may come");
        assert!(fs::metadata(&pipe).expect("there").file_type().is_fifo());
    }
}
