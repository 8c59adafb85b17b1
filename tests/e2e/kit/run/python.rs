//! The Python that the kit's scripts and servers run in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What is called python3 may be a script that looks for the interpreter at each call, which takes longer than its work.
static INTERPRETER: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python3 is missing: apt-get install python3");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
});

/// The interpreter itself.
pub fn interpreter() -> &'static Path {
    &INTERPRETER
}
