//! Walks the JSON of a configuration and collects what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Side;
use super::location::Location;
use crate::config::UseImapsync;
use crate::credential::source::PasswordSource;
use crate::spelling;

/// Collects problems and warnings while it reads.
pub struct ConfigReader<'a> {
    path: &'a Path,
    pub(super) side: Side,
    /// There is somebody to be asked for passwords that are missing.
    pub(super) can_ask: bool,
    /// The servers that accounts name for the target; `None` of those that name none.
    pub(super) targets: BTreeSet<Option<String>>,
    /// What is asked for at a server, for all accounts whose login it says; by its name.
    pub(super) asked: BTreeMap<Option<String>, PasswordSource>,
    problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl<'a> ConfigReader<'a> {
    pub fn new(path: &'a Path, side: Side, can_ask: bool) -> Self {
        Self {
            path,
            side,
            can_ask,
            targets: BTreeSet::new(),
            asked: BTreeMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn into_findings(self) -> (Vec<String>, Vec<String>) {
        (self.problems, self.warnings)
    }

    /// Only the servers matter to an archive.
    pub(super) fn is_target(&self) -> bool {
        self.side == Side::Target
    }

    pub(super) fn problem(&mut self, at: impl Display, text: impl AsRef<str>) {
        self.problems.push(format!("{at}: {}", text.as_ref()));
    }

    /// How many there are so far.
    pub(super) fn problems(&self) -> usize {
        self.problems.len()
    }

    /// Passwords are for their owner only.
    pub fn check_mode(&mut self, path: &Path, what: &str) {
        self.warnings.extend(super::readable_by_others(path, what));
    }

    /// A path in the configuration is relative to the configuration.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// What is nearly a missing key is a slip of the pen: without it the run would mean something else. Anything
    /// else may be somebody's own. True where there is an unknown one.
    pub fn unknown_keys(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        known: &[&str],
    ) -> bool {
        let unknown = |key: &&String| !known.contains(&key.as_str()) && !key.starts_with('_');
        let mut any = false;
        for key in object.keys().filter(unknown) {
            any = true;
            let meant = spelling::nearest(key, known.iter().copied());
            if let Some(meant) = meant.filter(|meant| !object.contains_key(*meant)) {
                let text = format!(
                    "unknown; is \"{meant}\" meant? (a key that begins with _ may hold a comment)"
                );
                self.problem(at.key(key), text);
                continue;
            }
            let text = format!(
                "{}: {}: unknown, ignored (known here: {})",
                self.path.display(),
                at.key(key),
                known.join(", ")
            );
            self.warnings.push(text);
        }
        any
    }

    pub(super) fn string(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        key: &str,
    ) -> Option<String> {
        match object.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => {
                self.problem(at.key(key), "must be a string");
                None
            }
        }
    }

    pub(super) fn boolean(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        key: &str,
    ) -> Option<bool> {
        match object.get(key)? {
            Value::Null => None,
            Value::Bool(value) => Some(*value),
            _ => {
                self.problem(at.key(key), "must be true or false");
                None
            }
        }
    }

    pub fn imapsync(&mut self, object: &Map<String, Value>) -> Option<UseImapsync> {
        let at = Location::top();
        let word = self.string(object, &at, "imapsync")?;
        let found = UseImapsync::ALL
            .into_iter()
            .find(|one| one.as_str() == word);
        if found.is_none() {
            let known = UseImapsync::ALL.map(UseImapsync::as_str).join(", ");
            self.problem(at.key("imapsync"), format!("must be one of {known}"));
        }
        found
    }

    pub fn folder_map(&mut self, json: &Value) -> BTreeMap<String, String> {
        let at = Location::top().key("folder_map");
        let map = match &json["folder_map"] {
            Value::Null => return BTreeMap::new(),
            Value::Object(map) => map.clone(),
            _ => {
                let text = "must be an object of names: {\"from\": \"to\"}";
                self.problem(at, text);
                return BTreeMap::new();
            }
        };
        let mut names = BTreeMap::new();
        for (from, to) in map {
            match to {
                Value::String(to) if !to.is_empty() => {
                    names.insert(from, to);
                }
                _ => self.problem(at.key(&from), "must be a mailbox name"),
            }
        }
        names
    }
}
