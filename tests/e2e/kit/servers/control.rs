//! How a stand-in behaves: a file that it reads at every request.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file, and what is in it.
pub struct Control {
    path: PathBuf,
    value: Value,
}

impl Control {
    /// Writes `control.json` in this directory.
    pub fn new(dir: &Path, value: Value) -> Self {
        let control = Self {
            path: dir.join("control.json"),
            value,
        };
        control.write();
        control
    }

    /// Changes one thing, from the next request on.
    pub fn set(&mut self, key: &str, value: Value) {
        self.value[key] = value;
        self.write();
    }

    fn write(&self) {
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, self.value.to_string()).expect("write");
        fs::rename(&fresh, &self.path).expect("rename");
    }
}
