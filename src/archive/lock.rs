//! An exclusive lock on an account's directory, released by drop.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::disk::{advised, file, lock};

/// Holds the lock while it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    ///
    /// # Errors
    /// Another run at work on the directory; those of the file system.
    pub fn take(dir: &Path, account: &str, command: &str) -> Result<Self> {
        let path = dir.join(".lock");
        let shown = path.display();
        let mut file = lock::open(&path).with_context(|| format!("open {shown}"))?;
        if !lock::try_alone(&file).map_err(|error| anyhow!("lock {shown}: {error}"))? {
            return Err(in_use(&mut file, dir, account));
        }
        let holder = serde_json::json!({
            "pid": std::process::id(),
            "host": rustix::system::uname().nodename().to_string_lossy(),
            "started": crate::clock::utc_now(),
            "command": command,
        });
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{holder}"))
            .map_err(advised)
            .with_context(|| format!("write {shown}"))?;
        Ok(Self { _file: file })
    }

    /// Shares the lock with others that only read; `None` if nobody has ever taken it. Writes nothing.
    ///
    /// # Errors
    /// A run at work on the directory; those of the file system.
    pub fn share(dir: &Path, account: &str) -> Result<Option<Self>> {
        let path = dir.join(".lock");
        let shown = path.display();
        let mut file = match file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("open {shown}")),
        };
        if !lock::try_shared(&file).map_err(|error| anyhow!("lock {shown}: {error}"))? {
            return Err(in_use(&mut file, dir, account));
        }
        Ok(Some(Self { _file: file }))
    }
}

/// The error for a lock that somebody else has.
fn in_use(file: &mut File, dir: &Path, account: &str) -> anyhow::Error {
    let mut holder = String::new();
    // The error says enough without these words.
    let _ = file.read_to_string(&mut holder);
    anyhow!(
        "the archive of {account} in {} is in use{}; wait for that run to end, or stop it",
        dir.display(),
        holder_text(&holder)
    )
}

fn holder_text(json: &str) -> String {
    let Ok(holder) = serde_json::from_str::<serde_json::Value>(json) else {
        return String::new();
    };
    let text = |key: &str| match &holder[key] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!(
        " by process {} ({}) on {} since {}",
        text("pid"),
        text("command"),
        text("host"),
        text("started")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_says_who_holds_the_first() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let first = Lock::take(dir.path(), "a@example.org", "export").expect("free");
        let error = Lock::take(dir.path(), "a@example.org", "export").expect_err("taken");
        let text = error.to_string();
        let pid = format!("process {}", std::process::id());
        assert!(
            text.contains("a@example.org") && text.contains(&pid),
            "{text}"
        );
        drop(first);
        Lock::take(dir.path(), "a@example.org", "export").expect("free again");
    }

    #[test]
    fn readers_share_it_and_keep_writers_out() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(Lock::share(dir.path(), "a").expect("free").is_none());
        drop(Lock::take(dir.path(), "a", "export").expect("free"));
        let readers = [0, 1].map(|_| Lock::share(dir.path(), "a").expect("shared"));
        Lock::take(dir.path(), "a", "export").expect_err("read just now");
        drop(readers);
        let _writer = Lock::take(dir.path(), "a", "export").expect("free");
        let error = Lock::share(dir.path(), "a").expect_err("taken");
        assert!(error.to_string().contains("in use by process"), "{error}");
    }

    #[test]
    fn a_symlink_is_not_followed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let outside = dir.path().join("outside");
        std::os::unix::fs::symlink(&outside, dir.path().join(".lock")).expect("symlink");
        Lock::take(dir.path(), "a", "export").expect_err("refused");
        assert!(!outside.exists());
    }
}
