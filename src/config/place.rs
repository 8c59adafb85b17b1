//! Where in a configuration something stands, for whoever has to mend it.

use std::fmt;

/// An object of the JSON, by its path.
#[derive(Debug, Clone)]
pub struct Place(String);

impl Place {
    /// The JSON as a whole.
    pub fn top() -> Self {
        Self(String::new())
    }

    /// What a key of this object holds.
    pub fn key(&self, key: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{key}", self.0))
    }

    /// An element of this list.
    pub fn element(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "(top level)"
        } else {
            &self.0
        })
    }
}
