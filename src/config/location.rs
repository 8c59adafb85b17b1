//! Where in a configuration something stands, for whoever has to correct it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// An object of the JSON, by its path; or a line of a list of accounts.
#[derive(Debug, Clone)]
pub enum Location {
    /// By its path.
    Json(String),
    /// A line, or a cell of it.
    Line {
        /// The list.
        list: Arc<AccountsFile>,
        /// Number of the line, from 1.
        line: u64,
        /// The cell, by our name of its column.
        key: Option<String>,
    },
}

/// A list of accounts.
#[derive(Debug, Default)]
pub struct AccountsFile {
    /// Its file.
    pub file: String,
    /// By our names of the columns: their numbers, from 1, and what the list calls them.
    pub columns: BTreeMap<&'static str, (usize, String)>,
}

impl Location {
    /// The JSON as a whole.
    pub fn top() -> Self {
        Self::Json(String::new())
    }

    /// What a key of this object holds.
    pub fn key(&self, key: &str) -> Self {
        match self {
            Self::Json(path) => {
                let dot = if path.is_empty() { "" } else { "." };
                Self::Json(format!("{path}{dot}{key}"))
            }
            Self::Line { list, line, .. } => Self::Line {
                list: Arc::clone(list),
                line: *line,
                key: Some(key.to_owned()),
            },
        }
    }

    /// An element of this list.
    pub fn element(&self, index: usize) -> Self {
        match self {
            Self::Json(path) => Self::Json(format!("{path}[{index}]")),
            Self::Line { .. } => self.clone(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(path) if path.is_empty() => f.write_str("(top level)"),
            Self::Json(path) => f.write_str(path),
            Self::Line { list, line, key } => {
                write!(f, "{} line {line}", list.file)?;
                let Some(key) = key else { return Ok(()) };
                match list.columns.get(key.as_str()) {
                    Some((number, name)) => write!(f, ", column {number} ({name})"),
                    None => write!(f, ", {key}"),
                }
            }
        }
    }
}
