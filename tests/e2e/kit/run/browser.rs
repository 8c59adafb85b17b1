//! A page as a real Chromium shows it, on the screen and on paper.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::python;
use super::tempdir::TempDir;

/// What a reader finds on a page.
pub struct Seen {
    /// As `browser.py` says it.
    pub facts: Value,
    /// The text of the first page of paper.
    pub first_page: String,
}

/// Opens the page; `filter` is typed into its filter.
pub fn open(page: &Path, filter: &str) -> Seen {
    let dir = TempDir::new();
    let pdf = dir.join("page.pdf");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/kit/run/browser.py");
    let mut command = python::command();
    command.arg(script).arg(page).arg(filter).arg(&pdf);
    let output = command.output().expect("start python3");
    assert!(
        output.status.success(),
        "the browser (apt-get install chromium chromium-driver): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = Command::new("pdftotext")
        .args(["-l", "1"])
        .arg(&pdf)
        .arg("-")
        .output()
        .expect("pdftotext is missing: apt-get install poppler-utils");
    Seen {
        facts: serde_json::from_slice(&output.stdout).expect("facts"),
        first_page: String::from_utf8_lossy(&text.stdout).into_owned(),
    }
}
