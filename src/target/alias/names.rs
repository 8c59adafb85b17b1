//! The names that the target lists, those that it may make of others, and those of ours beside them.

use std::collections::BTreeMap;

use tracing::warn;

use crate::mailbox::Name;
use crate::mapping;
use crate::session::list::{Listing, Mailbox};
use crate::target::mailbox::{Figures, Job};
use crate::target::place::Place;

/// What the target had before anything was created.
#[derive(Default)]
pub struct TargetNames {
    /// What it has listed, by the names as they go over the wire.
    pub(super) listed: BTreeMap<Vec<u8>, Mailbox>,
    /// Between the levels of a name.
    pub delimiter: Option<char>,
    /// Mailboxes of the archive that are not meant now, by their directories, with where they go.
    pub beside: Vec<(String, Place)>,
}

impl TargetNames {
    /// By what the target lists, and what else of the archive goes there.
    #[must_use]
    pub fn new(listing: &Listing, delimiter: Option<char>, beside: Vec<(String, Place)>) -> Self {
        let listed = listing.mailboxes.iter();
        let listed = listed.map(|there| (there.listed.name.wire().to_vec(), there.clone()));
        Self {
            listed: listed.collect(),
            delimiter,
            beside,
        }
    }

    /// True for a name that was listed.
    #[must_use]
    pub fn has(&self, name: &Name) -> bool {
        self.listed.contains_key(name.wire())
    }

    /// What the target said of a name that it lists.
    #[must_use]
    pub fn figures(&self, name: &Name) -> Option<Figures> {
        let status = self.listed.get(name.wire())?.status.as_ref()?;
        Some(Figures {
            uidvalidity: status.uidvalidity.unwrap_or(0),
            uidnext: status.uidnext.unwrap_or(0),
            messages: status.messages,
        })
    }

    /// True for a target that says how many messages its mailboxes hold.
    #[must_use]
    pub fn says_figures(&self) -> bool {
        let mut listed = self.listed.values();
        listed.any(|there| there.status.is_some())
    }

    /// Takes the name by which the target lists what was opened by another: folded, trimmed, or cut.
    pub fn believe(&self, job: &mut Job, names: &[&Name]) {
        let (asked, figures) = (job.place().name.text().to_owned(), job.figures_there());
        // What is new may be it, and what is not, where it holds the same.
        let may_be = |name: &Name| match self.figures(name) {
            Some(said) => said == figures && said.messages > Some(0),
            None => !self.has(name),
        };
        let Some(name) = as_listed(&asked, names, may_be) else {
            return;
        };
        let listed = name.text();
        let text = format!("the target calls it \"{listed}\" where \"{asked}\" was asked for");
        warn!(mailbox = job.name(), "{text}");
        job.tell(text);
        job.place_mut().believe(name);
    }

    /// The same for what was created and cannot be opened by the name that was asked for: the target may have put
    /// something before it or behind it. False where nothing new looks like it.
    pub fn believe_made(&self, job: &mut Job, names: &[&Name]) -> bool {
        let asked = job.place().name.text().to_owned();
        let plain = bare(&asked);
        let is_made = |name: &&&Name| {
            let listed = bare(name.text());
            !self.has(name) && (listed.ends_with(&plain) || listed.starts_with(&plain))
        };
        let mut made = names.iter().filter(is_made);
        let only = made.next().filter(|_| !plain.is_empty());
        let Some(name) = only.filter(|_| made.next().is_none()) else {
            return false;
        };
        let text = format!(
            "the target calls it \"{}\" where \"{asked}\" was asked for",
            name.text()
        );
        warn!(mailbox = job.name(), "{text}");
        job.tell(text);
        job.place_mut().believe(name);
        job.place_mut().exists = true;
        true
    }

    /// The names that were listed.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.listed.values().map(|there| &there.listed.name)
    }

    /// Listed names that the target may have made of this one.
    pub fn like<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Name> {
        self.names()
            .filter(move |there| *there != name && is_like(there.text(), name.text()))
    }
}

/// What the target has made of a name: folded, trimmed, or cut.
fn as_listed<'a>(
    asked: &str,
    names: &[&'a Name],
    may_be: impl Fn(&Name) -> bool,
) -> Option<&'a Name> {
    let find = |is_it: &dyn Fn(&Name) -> bool| names.iter().copied().find(|name| is_it(name));
    let plain = mapping::folded(asked);
    let bare = squeezed(&plain);
    find(&|name| mapping::folded(name.text()) == plain)
        .or_else(|| find(&|name| squeezed(&mapping::folded(name.text())) == bare))
        .or_else(|| {
            let cut = names.iter().copied().filter(|name| {
                let listed = mapping::folded(name.text());
                !listed.is_empty() && plain.starts_with(&listed) && may_be(name)
            });
            cut.max_by_key(|name| name.text().len())
        })
}

/// Without blanks and control characters, which servers trim at the ends of levels, or leave out.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect()
}

/// True for names that a target may take for one: apart from case, composition, blanks and signs they are the same, or
/// one is the beginning of the other, or both begin with the same.
#[must_use]
pub fn is_like(one: &str, other: &str) -> bool {
    const ENOUGH: usize = 8;
    let shorter = bare(one).len().min(bare(other).len());
    likeness(one, other) >= ENOUGH.min(shorter)
}

/// How many of their first letters and digits are the same.
#[must_use]
pub fn likeness(one: &str, other: &str) -> usize {
    let (one, other) = (bare(one), bare(other));
    one.iter().zip(&other).take_while(|(a, b)| a == b).count()
}

/// Letters and digits, composed and in one case.
fn bare(name: &str) -> Vec<char> {
    let folded = mapping::folded(name);
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A name without ` (2)` at its end.
pub(super) fn without_number(name: &str) -> &str {
    let number = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once(" ("));
    let number = number.filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    number.map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Listed;
    use crate::session::response::MailboxStatus;

    #[test]
    fn names_are_alike_where_a_target_may_make_one_of_them() {
        let table = [
            ("Plan", "Plan ", true),
            ("Plan", "plan-", true),
            ("Plan", "Plans of old", true),
            ("Correspondence 2023", "Correspondence 2024", true),
            ("Cafe\u{301}", "Caf\u{e9}", true),
            ("Work", "Word", false),
            ("Spam", "Trash", false),
            ("---", "Plan", true),
        ];
        for (one, other, alike) in table {
            assert_eq!(is_like(one, other), alike, "{one:?} {other:?}");
            assert_eq!(is_like(other, one), alike, "{other:?} {one:?}");
        }
    }

    #[test]
    fn only_digits_in_brackets_at_the_end_are_a_number() {
        for (name, without) in [
            ("Plan (2)", "Plan"),
            ("Plan (15)", "Plan"),
            ("Plan (2) ", "Plan (2) "),
            ("Plan(2)", "Plan(2)"),
            ("Plan (old)", "Plan (old)"),
            ("Plan", "Plan"),
        ] {
            assert_eq!(without_number(name), without);
        }
    }

    #[test]
    fn what_a_target_made_of_a_name_is_the_same_folded_else_trimmed_else_cut() {
        let table = [
            // Asked for, listed, what may be it where it is cut; and what it is called.
            ("Plan", &["PLANS", "plan", " Plan"][..], true, Some("plan")),
            ("Plan ", &["PLANS", "plan"], false, Some("plan")),
            ("A/B\u{7} C", &["A", "A/BC"], true, Some("A/BC")),
            ("Planned", &["Pl", "Plan", "Other", ""], true, Some("Plan")),
            ("Planned", &["Pl", "Plan"], false, None),
            ("Planned", &["Planned work", ""], true, None),
        ];
        for (asked, listed, may_be, called) in table {
            let listed: Vec<Name> = listed.iter().map(|name| Name::new(*name)).collect();
            let listed: Vec<&Name> = listed.iter().collect();
            let found = as_listed(asked, &listed, |_| may_be);
            assert_eq!(found.map(Name::text), called, "{asked:?} {listed:?}");
        }
    }

    #[test]
    fn of_each_name_that_was_listed_is_known_what_the_target_said_of_it() {
        let mailbox = |name: &str, status: Option<MailboxStatus>| Mailbox {
            listed: Listed {
                name: Name::new(name),
                delimiter: Some('/'),
                attributes: Vec::new(),
            },
            subscribed: false,
            status,
        };
        let said = MailboxStatus {
            messages: Some(3),
            uidnext: Some(9),
            uidvalidity: Some(7),
            ..MailboxStatus::default()
        };
        let names = |mailboxes: Vec<Mailbox>| {
            let listing = Listing {
                mailboxes,
                ..Listing::default()
            };
            TargetNames::new(&listing, Some('/'), Vec::new())
        };
        let quiet = names(vec![mailbox("Plan", None)]);
        assert!(quiet.has(&Name::new("Plan")) && !quiet.says_figures());
        assert_eq!(quiet.figures(&Name::new("Plan")), None);
        let names = names(vec![
            mailbox("Plan", None),
            mailbox("plan-", Some(said)),
            mailbox("Trash", None),
        ]);
        assert!(names.says_figures() && !names.has(&Name::new("plan")));
        let figures = Figures {
            uidvalidity: 7,
            uidnext: 9,
            messages: Some(3),
        };
        assert_eq!(names.figures(&Name::new("plan-")), Some(figures));
        assert_eq!(names.figures(&Name::new("Other")), None);
        let plan = Name::new("Plan");
        let like: Vec<&str> = names.like(&plan).map(Name::text).collect();
        assert_eq!(like, ["plan-"]);
    }
}
