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

/// A command line for a script that needs the standard library only: to look for more takes as long as all else at the
/// interpreter's start.
pub fn words<'a>(script: &[&'a str]) -> Vec<&'a str> {
    let interpreter = interpreter().to_str().expect("a path in UTF-8");
    [&[interpreter, "-I", "-S"], script].concat()
}

/// The same, to be given its script.
pub fn command() -> Command {
    let words = words(&[]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
