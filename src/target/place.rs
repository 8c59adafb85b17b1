//! Where a mailbox goes: the name as planned, and what became of it where the target refuses names.

use crate::mailbox::Name;
use crate::mapping;
use crate::mapping::{Mapped, Why};

/// Names tried for a mailbox before it is given up.
const MAX_ATTEMPTS: u32 = 7;

/// A name on the target.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// In UTF-8.
    pub to: String,
    /// As on the wire.
    pub wire: Vec<u8>,
    /// Why it is called so; the strongest reason first.
    pub why: Vec<Why>,
    /// The target has it.
    pub exists: bool,
    /// As planned, before the target refused any.
    planned: String,
    /// What stands before the first level.
    prefix: String,
    /// Levels above it that the target does not have.
    parents: Vec<Vec<u8>>,
    /// Those that must be made before it, as the target does not make them itself.
    first: Vec<Vec<u8>>,
    /// The prefix that a refusal asked for.
    learnt: Option<String>,
    attempts: u32,
    tried: Vec<String>,
}

/// What is to be done after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The same name again, after the levels above it.
    ParentsFirst,
    /// Another name.
    Renamed,
    /// There is no other.
    GiveUp,
}

impl Place {
    /// Goes where the plan says.
    pub fn plan(&mut self, mapped: Mapped, prefix: &str) {
        prefix.clone_into(&mut self.prefix);
        let parents = mapped.parents.iter();
        self.parents = parents
            .map(|parent| Name::new(parent).wire().to_vec())
            .collect();
        self.planned.clone_from(&mapped.name);
        self.to = mapped.name;
        self.wire = mapped.wire;
        self.exists = mapped.exists;
        self.why = mapped.why;
    }

    /// Why it is called so, for people.
    #[must_use]
    pub fn reasons(&self) -> String {
        let why: Vec<String> = self.why.iter().map(ToString::to_string).collect();
        why.join(", ")
    }

    /// True for a name that is not the planned one, as the target refused that.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.attempts > 0
    }

    /// The prefix that a refusal asked for, where the name with it was taken.
    #[must_use]
    pub fn learnt_prefix(&self) -> Option<&str> {
        let learnt = self.learnt.as_deref().filter(|_| self.exists);
        learnt.filter(|prefix| self.to.starts_with(prefix))
    }

    /// Levels above it that must be made first.
    #[must_use]
    pub fn first(&self) -> &[Vec<u8>] {
        &self.first
    }

    /// The target refuses the name, with these words.
    pub fn refused(&mut self, words: &str, delimiter: Option<char>) -> Next {
        if !self.parents.is_empty() {
            // Servers should make superior names themselves (RFC 3501 section 6.3.3); this one does not.
            self.first = std::mem::take(&mut self.parents);
            return Next::ParentsFirst;
        }
        self.attempts += 1;
        let learnt =
            mapping::learnt_prefix(words).filter(|prefix| !self.to.starts_with(prefix.as_str()));
        if learnt.is_some() {
            self.learnt.clone_from(&learnt);
        }
        let learnt = learnt.map(|prefix| format!("{prefix}{}", self.to));
        // Where a mailbox that holds messages can hold no others, the levels become one, as later plans have it.
        let flat = delimiter
            .map(|delimiter| mapping::flattened(&self.planned, delimiter, &self.prefix))
            .filter(|name| *name != self.planned);
        let stricter = (1..=3)
            .filter_map(|strictness| mapping::sanitised(&self.planned, delimiter, strictness));
        // Some names are refused for what they are, as `cur`, `new` and `tmp` where they are directories.
        let masked = mapping::masked(&self.planned, delimiter);
        let mut others = flat.into_iter().chain(stricter).chain([masked]);
        let other = learnt.or_else(|| others.find(|name| !self.tried.contains(name)));
        let Some(name) = other.filter(|_| self.attempts < MAX_ATTEMPTS) else {
            return Next::GiveUp;
        };
        self.tried.push(name.clone());
        self.wire = Name::new(&name).wire().to_vec();
        self.to = name;
        self.first.clear();
        Next::Renamed
    }
}
