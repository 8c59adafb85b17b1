//! What a run has written and how it ended, and what a test says about that.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::tempdir::tree;

/// A run that is over.
#[derive(Debug)]
pub struct Output {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    pub(super) words: Vec<String>,
    pub(super) dir: PathBuf,
}

impl Output {
    /// The exit code must be this one.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        let code = self.status.code();
        assert!(
            code == Some(expected),
            "exit code {expected} is expected\n{}",
            self.describe()
        );
        self
    }

    /// It must have died of this signal.
    #[track_caller]
    pub fn killed_by(&self, signal: i32) -> &Self {
        assert!(
            self.status.signal() == Some(signal),
            "death by signal {signal} is expected\n{}",
            self.describe()
        );
        self
    }

    /// Standard output must hold this text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text),
            "{text:?} is missing on stdout\n{}",
            self.describe()
        );
        self
    }

    /// Standard error must hold this text.
    #[track_caller]
    pub fn warns(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is missing on stderr\n{}",
            self.describe()
        );
        self
    }

    /// Neither stream nor any file below the working directory, configs apart, may hold this text.
    #[track_caller]
    pub fn hides(&self, secret: &str) -> &Self {
        let streams = [&self.stdout, &self.stderr];
        let mut places: Vec<PathBuf> = Vec::new();
        if streams.iter().any(|text| text.contains(secret)) {
            places.push("the streams".into());
        }
        find_texts(&self.dir, &[secret.as_bytes()], &mut places);
        assert!(
            places.is_empty(),
            "the secret is in {places:?}\n{}",
            self.describe()
        );
        self
    }

    /// Command, directory, its tree, status and both streams.
    pub fn describe(&self) -> String {
        format!(
            "command: {:?}\nin: {}\n{}\nstatus: {}\n--- stdout\n{}--- stderr\n{}---",
            self.words,
            self.dir.display(),
            tree(&self.dir),
            self.status,
            self.stdout,
            self.stderr
        )
    }
}

/// Files below a directory, configurations apart, that hold one of these texts.
pub(super) fn find_texts(dir: &Path, texts: &[&[u8]], places: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type();
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            find_texts(&path, texts, places);
        } else if kind.is_ok_and(|kind| kind.is_file())
            && !name.to_string_lossy().ends_with(".pass.config.json")
        {
            let bytes = fs::read(&path).unwrap_or_default();
            let holds = |text: &&[u8]| memchr::memmem::find(&bytes, text).is_some();
            if texts.iter().any(holds) {
                places.push(path);
            }
        }
    }
}
