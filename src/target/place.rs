//! Where a mailbox goes: the planned name, and what became of it where the target refuses names.

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
const LONG: usize = 16;
/// Names tried for a mailbox that is another's on the target.
const MAX_APART: u32 = 3;

/// A name on the target.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The name.
    pub name: Name,
    /// Why it has that name; the strongest reason first.
    pub why: Vec<Why>,
    /// The target has it.
    pub exists: bool,
    /// As planned, before the target refused any.
    planned: String,
    /// What stands before the first level.
    prefix: String,
    /// Levels above it that the target does not have.
    parents: Vec<Name>,
    /// Those that must be created first, as the target does not create them itself.
    first: Vec<Name>,
    /// The prefix that a refusal asked for.
    learnt: Option<String>,
    attempts: u32,
    /// The target finds the name too long.
    is_long: bool,
    tried: Vec<String>,
    /// Names tried as the ones before turned out to be another's.
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

    /// Why it has that name, for people.
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

    /// True for a name known only from an answer of the target.
    #[must_use]
    pub fn is_learnt(&self) -> bool {
        self.learnt_name && self.exists
    }

    /// True for a mailbox that got a name of its own, as the one before turned out to be another's.
    #[must_use]
    pub fn was_told_apart(&self) -> bool {
        self.apart > 0
    }

    /// The target lists it by this name.
    pub fn believe(&mut self, name: &Name) {
        self.name = name.clone();
        self.learnt_name = true;
    }

    /// Another mailbox has the name already: others, shorter each time, as the target may cut them. None, where enough
    /// were tried.
    pub fn names_apart(&self, taken: &str) -> impl Iterator<Item = String> + use<> {
        let length = taken.chars().count();
        let keep = length.saturating_sub(6 * self.apart as usize).max(1);
        let base: String = taken.chars().take(keep).collect();
        let end = if self.apart < MAX_APART { 100 } else { 2 };
        (2..end).map(move |number| format!("{base} ({number})"))
    }

    /// Goes to one of them.
    pub fn go_apart(&mut self, name: &Name, exists: bool) {
        self.apart += 1;
        self.attempts += 1;
        self.believe(name);
        self.exists = exists;
        self.why = vec![Why::Collision];
        self.first.clear();
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
            // Servers should create superior names themselves (RFC 3501 section 6.3.3); this one does not.
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
        // The limit may be that of all levels together.
        short.extend(flat.iter().flat_map(|name| cut(name)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, parents: &[&str], prefix: &str) -> Place {
        let mut place = Place::default();
        let mapped = Mapped {
            source: 0,
            name: Name::new(name),
            exists: false,
            why: vec![Why::Prefix, Why::Delimiter],
            parents: parents.iter().map(|name| (*name).to_owned()).collect(),
        };
        place.plan(mapped, prefix);
        place
    }

    /// All names that are tried, however often the target refuses.
    fn tried(place: &mut Place, words: &str) -> Vec<String> {
        let mut names = Vec::new();
        while place.refused(words, Some('/')) == AfterRefusal::Renamed {
            names.push(place.name.text().to_owned());
        }
        names
    }

    #[test]
    fn the_levels_above_are_made_first_and_only_then_is_there_another_name() {
        let mut place = planned("Work/a*b", &["Work"], "");
        assert!(place.is_as_planned() && !place.was_refused() && place.first().is_empty());
        assert_eq!(place.reasons(), "prefix, delimiter");
        assert_eq!(place.refused("no", Some('/')), AfterRefusal::ParentsFirst);
        assert_eq!(place.first(), [Name::new("Work")]);
        assert!(!place.was_refused() && place.is_as_planned());
        assert_eq!(place.refused("no", Some('/')), AfterRefusal::Renamed);
        assert!(place.was_refused() && place.first().is_empty() && !place.is_as_planned());
        assert!(place.is_meant_with(&planned("Work/a*b", &[], "")));
        assert!(!place.is_meant_with(&planned("Work/a%2Ab", &[], "")));
    }

    #[test]
    fn each_name_is_tried_once_and_the_last_refusal_is_the_end() {
        let names = tried(&mut planned("Work/a*b", &[], ""), "no");
        let forms = ["Work%2Fa*b", "Work/a%2Ab", "Work/a=2Ab"];
        assert_eq!(names[..3], forms);
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| name != "Work/a*b"), "{names:?}");
        // However many forms there are, there is an end.
        let name = format!("tmp/{}", "a*".repeat(150));
        assert_eq!(tried(&mut planned(&name, &[], ""), "no").len(), 19);
    }

    #[test]
    fn a_name_that_the_target_reserves_is_masked_before_it_is_flattened() {
        let names = tried(&mut planned("Work/tmp", &[], ""), "no");
        assert_eq!(names[..2], ["Work/%74mp", "Work%2Ftmp"]);
        let names = tried(&mut planned("Work/sub", &[], ""), "no");
        assert_eq!(names[0], "Work%2Fsub");
        // What has one level only has no flat form.
        assert_eq!(tried(&mut planned("tmp", &[], ""), "no")[0], "%74mp");
        assert_eq!(tried(&mut planned("a*", &[], ""), "no")[0], "a%2A");
    }

    #[test]
    fn a_name_is_shortened_first_where_its_length_is_the_reason() {
        let levels = |name: &str| name.split('/').map(str::len).max().unwrap_or(0);
        let long = "x".repeat(LONGEST);
        let first = |name: &str, words| tried(&mut planned(name, &[], ""), words).remove(0);
        // The words say so, or no file system takes it.
        assert_eq!(
            levels(&first(&format!("Work/{}", "x".repeat(100)), "too long")),
            60
        );
        assert_eq!(levels(&first(&format!("Work/{long}x"), "no")), 240);
        assert_eq!(
            first(&format!("Work/{long}"), "no"),
            format!("Work%2F{long}")
        );
        // Once said, it is known.
        let mut place = planned(&format!("Work/{}", "x".repeat(100)), &[], "");
        place.refused("too long", Some('/'));
        place.refused("no", Some('/'));
        assert_eq!(levels(place.name.text()), 30);
        // A name of moderate length may be too long in silence, a short one may not.
        let short = |length: usize| {
            let names = tried(&mut planned(&"x".repeat(length), &[], ""), "no");
            names.iter().any(|name| name.contains('~'))
        };
        assert!(short(LONG + 1) && !short(LONG));
    }

    #[test]
    fn a_prefix_that_a_refusal_asks_for_stands_before_everything_from_then_on() {
        let words = "Invalid mailbox name: should probably be prefixed with: INBOX.";
        let mut place = planned("a*b", &[], "");
        assert_eq!(place.refused(words, Some('.')), AfterRefusal::Renamed);
        assert_eq!(place.name.text(), "INBOX.a*b");
        assert_eq!(place.learnt_prefix(), None, "not taken yet");
        place.exists = true;
        assert_eq!(place.learnt_prefix(), Some("INBOX."));
        // Once is enough.
        assert_eq!(place.refused(words, Some('.')), AfterRefusal::Renamed);
        assert_eq!(place.name.text(), "INBOX.a%2Ab");
        assert_eq!(planned("x", &[], "").learnt_prefix(), None);
    }

    #[test]
    fn a_mailbox_is_told_apart_by_a_free_name_a_few_times() {
        let mut place = planned("Work", &[], "");
        place.exists = true;
        assert!(!place.was_told_apart() && !place.is_learnt());
        let taken = "A name that is long enough to be cut";
        let apart = |place: &mut Place, exists| {
            let name = place.names_apart(taken).next();
            if let Some(name) = &name {
                place.go_apart(&Name::new(name), exists);
            }
            name
        };
        let mut names = place.names_apart(taken);
        assert_eq!(names.nth(1), Some(format!("{taken} (3)")));
        assert_eq!(apart(&mut place, false), Some(format!("{taken} (2)")));
        assert!(place.was_told_apart() && place.was_refused() && !place.exists);
        assert_eq!(place.reasons(), "name is taken");
        assert!(!place.is_learnt(), "the target does not have it yet");
        place.exists = true;
        assert!(place.is_learnt());
        // The target may cut it: a shorter one each time.
        assert_eq!(
            apart(&mut place, false).as_deref(),
            Some("A name that is long enough to  (2)")
        );
        assert_eq!(
            apart(&mut place, true).as_deref(),
            Some("A name that is long enou (2)")
        );
        assert_eq!(place.name.text(), "A name that is long enou (2)");
        assert!(place.exists);
        assert_eq!(apart(&mut place, false), None);
    }

    #[test]
    fn what_the_target_lists_is_believed() {
        let mut place = planned("Work", &[], "");
        place.believe(&Name::new("Work_"));
        assert!(!place.is_as_planned() && !place.was_refused() && !place.is_learnt());
        place.exists = true;
        assert!(place.is_learnt());
    }
}
