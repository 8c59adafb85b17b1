//! Makes, replaces and reads files and directories: modes independent of the umask, no symlink followed.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::OFlags;

use super::advised;

/// Creates a new file, 0600; one that is there already is an error.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(advised)
}

/// Creates a file or empties the one that is there, 0600.
pub fn create_or_empty(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(advised)
}

/// Opens a file that grows, for reading and for writing at its end, 0600; one that is not there is made.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(advised)
}

/// Writes a new file, 0600, as a whole or not at all; one that is there already is an error.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    write_or_remove(&mut file, path, bytes)
}

/// Writes all bytes; if that fails the file is removed: half of one is in the way, and takes room.
pub fn write_or_remove(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes).map_err(|error| {
        // Where it cannot be removed either, the error says why.
        let _ = fs::remove_file(path);
        advised(error)
    })
}

/// Tests whether files can be created in a directory, and leaves none there.
pub fn probe(dir: &Path) -> io::Result<()> {
    let path = dir.join(format!(".write-test-{}", random()));
    create_new(&path).and_then(|_| fs::remove_file(&path))
}

/// Moves a file or directory, in the place of one that has the name already.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).map_err(advised)
}

/// Removes a file, or a symlink and not what it leads to.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).map_err(advised)
}

/// Makes one file or directory durable.
pub fn sync(path: &Path) -> io::Result<()> {
    open_dir(path)?.sync_all().map_err(advised)
}

/// Opens a directory, which may be a symlink that the user made: to be synced, or asked where it is.
pub fn open_dir(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// True while the path still leads to this open file: what is written to a file without a name is lost.
pub fn has_name(file: &File, path: &Path) -> bool {
    let ours = file.metadata().map(|file| (file.dev(), file.ino()));
    let there = fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
}

/// Part of a name that nobody can foresee.
pub fn random() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Opens for reading, unless it is a symlink.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(no_follow())
        .open(path)
}

/// The same for one that must be a regular file; the error names it.
pub fn open_regular(path: &Path) -> Result<File> {
    let shown = path.display();
    let file = open(path).with_context(|| format!("open {shown}"))?;
    let there = file
        .metadata()
        .with_context(|| format!("look at {shown}"))?;
    if !there.is_file() {
        bail!("{shown} is not a file");
    }
    Ok(file)
}

/// What is in a directory; errors name it.
pub fn entries(dir: &Path) -> Result<impl Iterator<Item = Result<DirEntry>>> {
    let shown = format!("read {}", dir.display());
    let entries = fs::read_dir(dir).with_context(|| shown.clone())?;
    Ok(entries.map(move |entry| entry.with_context(|| shown.clone())))
}

/// `O_NOFOLLOW` as `OpenOptions` wants it.
pub(super) fn no_follow() -> i32 {
    i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

/// Largest file that is read into memory, in bytes: the state of an account with a million mailboxes.
const MAX_READ: u64 = 512 * 1024 * 1024;

/// All bytes of a file that is not a symlink; a file over [`MAX_READ`] is not one of ours.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_READ {
        let text = format!("it has {size} bytes, more than this program writes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = Vec::new();
    file.take(MAX_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Is there a directory? Anything else is refused: a symlink could lead out of the archive.
pub fn check_dir(path: &Path) -> Result<bool> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => Ok(true),
        Ok(_) => {
            bail!("{shown} is in the way: it is not a directory, and no symlink is followed here")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("look at {shown}")),
    }
}

/// Makes a directory, 0700, or takes the one that is there; anything else under that name is an error.
pub fn make_dir(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && check_dir(path)? => Ok(()),
        other => other
            .map_err(advised)
            .with_context(|| format!("create directory {}", path.display())),
    }
}

/// Makes the directories above one of ours, with the umask's modes: they are not ours.
pub fn make_parents(path: &Path) -> Result<()> {
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => fs::create_dir_all(parent)
            .map_err(advised)
            .with_context(|| format!("create {}", parent.display())),
        None => Ok(()),
    }
}

/// Makes a directory and those above it that are not there, 0700.
pub fn make_dirs(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(advised)
}

/// Replaces a file as a whole: temporary file, rename. Not durable before the file system is synced.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_beside(path);
    let result = create_or_empty(&temporary)
        .and_then(|mut file| write_or_remove(&mut file, &temporary, bytes))
        .and_then(|()| rename(&temporary, path));
    result.with_context(|| format!("write {}", path.display()))
}

/// The same, durable on return: the file is synced before the rename, the directory after it.
pub fn replace_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_beside(path);
    let write = || -> io::Result<()> {
        let mut file = create_or_empty(&temporary)?;
        write_or_remove(&mut file, &temporary, bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), sync)
    };
    write()
        .map_err(advised)
        .with_context(|| format!("write {}", path.display()))
}

fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{}.tmp", name.trim_start_matches('.')))
}

/// A stem in `dir` under which none of the endings is taken: `stem`, else `stem-2`, `stem-3`…
pub fn free_stem(dir: &Path, stem: &str, endings: &[&str]) -> Result<String> {
    for number in 1..100_000 {
        let candidate = match number {
            1 => stem.to_owned(),
            number => format!("{stem}-{number}"),
        };
        let mut taken = false;
        for ending in endings {
            let path = dir.join(format!("{candidate}{ending}"));
            match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("look at {}", path.display()));
                }
                Ok(_) => taken = true,
            }
        }
        if !taken {
            return Ok(candidate);
        }
    }
    bail!("no free name for {stem} in {}", dir.display())
}
