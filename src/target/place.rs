//! Where a mailbox goes: the name as planned, and what became of it where the target refuses names.

use crate::mailbox::Name;
use crate::mapping;
use crate::mapping::{Mapped, Why};
use crate::session::refusal;

/// Names tried for a mailbox before it is given up.
const MAX_ATTEMPTS: u32 = 20;
/// Longest level of a name that file systems take, in bytes on the wire.
const LONGEST: usize = 255;
/// What levels are cut to, one after the other, where a target finds a name too long.
const CUTS: [usize; 5] = [240, 120, 60, 30, 16];
/// A name of more bytes on the wire may be refused for its length, whatever the target says.
const LONG: usize = 60;
/// Names tried for a mailbox that is another's on the target.
const MAX_APART: u32 = 3;

/// A name on the target.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The name.
    pub name: Name,
    /// Why it is called so; the strongest reason first.
    pub why: Vec<Why>,
    /// The target has it.
    pub exists: bool,
    /// As planned, before the target refused any.
    planned: String,
    /// What stands before the first level.
    prefix: String,
    /// Levels above it that the target does not have.
    parents: Vec<Name>,
    /// Those that must be made before it, as the target does not make them itself.
    first: Vec<Name>,
    /// The prefix that a refusal asked for.
    learnt: Option<String>,
    attempts: u32,
    /// The target finds the name too long.
    is_long: bool,
    tried: Vec<String>,
    /// Names tried as the mailbox was another's under the ones before.
    apart: u32,
    /// The name is not the one that was asked for.
    learnt_name: bool,
}

/// What is to be done after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub enum AfterRefusal {
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
        self.parents = mapped.parents.into_iter().map(Name::new).collect();
        mapped.name.text().clone_into(&mut self.planned);
        self.name = mapped.name;
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

    /// True where the target has it by the name that was planned.
    #[must_use]
    pub fn is_as_planned(&self) -> bool {
        self.name.text() == self.planned
    }

    /// True where the plan has both in one mailbox.
    #[must_use]
    pub fn is_meant_with(&self, other: &Self) -> bool {
        self.planned == other.planned
    }

    /// True for a name that only an answer of the target has told.
    #[must_use]
    pub fn is_learnt(&self) -> bool {
        self.learnt_name && self.exists
    }

    /// True for a mailbox that got a name of its own, as it was another's under the one before.
    #[must_use]
    pub fn was_told_apart(&self) -> bool {
        self.apart > 0
    }

    /// The target lists it by this name.
    pub fn believe(&mut self, name: &Name) {
        self.name = name.clone();
        self.learnt_name = true;
    }

    /// Another mailbox has the name already: the next free one, shorter each time, as the target may cut it.
    pub fn apart(&mut self, taken: &str, is_free: impl Fn(&str) -> bool) -> Option<String> {
        let length = taken.chars().count();
        let keep = length.saturating_sub(6 * self.apart as usize).max(1);
        let base: String = taken.chars().take(keep).collect();
        let mut names = (2..100).map(|number| format!("{base} ({number})"));
        let name = names.find(|name| is_free(name));
        let name = name.filter(|_| self.apart < MAX_APART)?;
        self.apart += 1;
        self.attempts += 1;
        self.believe(&Name::new(&name));
        self.exists = false;
        self.first.clear();
        Some(name)
    }

    /// The prefix that a refusal asked for, where the name with it was taken.
    #[must_use]
    pub fn learnt_prefix(&self) -> Option<&str> {
        let learnt = self.learnt.as_deref().filter(|_| self.exists);
        learnt.filter(|prefix| self.name.text().starts_with(prefix))
    }

    /// Levels above it that must be made first.
    #[must_use]
    pub fn first(&self) -> &[Name] {
        &self.first
    }

    /// The target refuses the name, with these words.
    pub fn refused(&mut self, words: &str, delimiter: Option<char>) -> AfterRefusal {
        if !self.parents.is_empty() {
            // Servers should make superior names themselves (RFC 3501 section 6.3.3); this one does not.
            self.first = std::mem::take(&mut self.parents);
            return AfterRefusal::ParentsFirst;
        }
        self.attempts += 1;
        let learnt = mapping::learnt_prefix(words)
            .filter(|prefix| !self.name.text().starts_with(prefix.as_str()));
        if learnt.is_some() {
            self.learnt.clone_from(&learnt);
        }
        if let Some(prefix) = &learnt {
            self.planned.insert_str(0, prefix);
            self.prefix.clone_from(prefix);
        }
        self.is_long |= refusal::is_about_length(words);
        let learnt = learnt.map(|prefix| format!("{prefix}{}", self.name.text()));
        let mut others = self.others(delimiter).into_iter();
        let other = learnt.or_else(|| others.find(|name| !self.tried.contains(name)));
        let Some(name) = other.filter(|_| self.attempts < MAX_ATTEMPTS) else {
            return AfterRefusal::GiveUp;
        };
        self.tried.push(name.clone());
        self.name = Name::new(name);
        self.first.clear();
        AfterRefusal::Renamed
    }

    /// All other names, the mildest first.
    fn others(&self, delimiter: Option<char>) -> Vec<String> {
        let (planned, prefix) = (self.planned.as_str(), self.prefix.as_str());
        let masked = mapping::masked(planned, delimiter, prefix);
        let mut levels = planned.split(|c| Some(c) == delimiter);
        let (reserved, masked) = masked.split_at(usize::from(levels.any(mapping::is_reserved)));
        // Where a mailbox that holds messages can hold no others, the levels become one, as later plans have it.
        let flat = delimiter
            .map(|delimiter| mapping::flattened(planned, delimiter, prefix))
            .filter(|name| name != planned);
        let stricter: Vec<String> = (1..=3)
            .filter_map(|strictness| mapping::sanitised(planned, delimiter, strictness))
            .collect();
        let cut = |name: &str| -> Vec<String> {
            let cut = |longest| mapping::shortened(name, delimiter, prefix, longest);
            CUTS.into_iter().filter_map(cut).collect()
        };
        let mut short = cut(planned);
        short.extend(stricter.iter().flat_map(|name| cut(name)));
        let mut full = reserved.to_vec();
        full.extend(flat.into_iter().chain(stricter));
        full.extend_from_slice(masked);
        let length = |name: &str| Name::new(name).wire().len();
        let mut levels = planned.split(|c| Some(c) == delimiter);
        if self.is_long || levels.any(|level| length(level) > LONGEST) {
            short.extend(full);
            return short;
        }
        if length(planned) > LONG {
            full.extend(short);
        }
        full
    }
}
