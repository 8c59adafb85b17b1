//! Before the program is compiled: which commit it is made from, where that can be told. Never fails: without git, or
//! from plain files, the program is built all the same.

use std::path::Path;
use std::process::Command;

/// Packagers set it themselves.
const COMMIT: &str = "IMAPSYNC_BULK_MIGRATOR_COMMIT";

fn main() {
    println!("cargo:rerun-if-env-changed={COMMIT}");
    for source in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={source}");
    }
    if std::env::var_os(COMMIT).is_some() {
        return;
    }
    if let Some(commit) = commit() {
        println!("cargo:rustc-env={COMMIT}={commit}");
    }
}

/// The commit of this directory, unless it only lies somewhere inside another project's.
fn commit() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        commit
    } else {
        format!("{commit} with changes")
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
