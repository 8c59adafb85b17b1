//! Gives each mailbox its place, one after the other: names that are taken are not given twice.

mod uses;

use std::collections::{BTreeMap, HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;

use super::names::escaped;
use super::{Mapped, SourceMailbox, Target, Why};
use crate::mailbox::{Listed, Name};

/// Levels of a name. The first is `INBOX` for what is below INBOX, and empty for all that stands beside it.
pub(super) type Path = Vec<String>;

pub(super) struct Planner<'a> {
    sources: &'a [SourceMailbox],
    target: &'a Target,
    folder_map: &'a BTreeMap<String, String>,
    /// The prefix of each source's name that is not its own.
    strips: Vec<&'a str>,
    /// Of each source.
    paths: Vec<Path>,
    /// What the target has, by exact name.
    present: HashMap<&'a str, &'a Listed>,
    /// The same, folded: the first in alphabetical order.
    twins: HashMap<String, &'a Listed>,
    /// For which sources and parents of sources a mailbox of this folded name may be made; `None` is `folder_map`.
    claims: HashMap<String, Vec<(String, Option<Path>)>>,
    /// Where sources and their parents went.
    pub(super) places: HashMap<Path, String>,
    /// Names given away, other than by `folder_map`.
    names: HashSet<String>,
    /// All names given away, by their folded forms.
    folded: HashMap<String, String>,
    /// Names of parents that are not sources, the same way.
    mere_parents: HashMap<String, String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        sources: &'a [SourceMailbox],
        target: &'a Target,
        folder_map: &'a BTreeMap<String, String>,
    ) -> Self {
        let mut sorted: Vec<&Listed> = target.present.iter().collect();
        sorted.sort_by(|a, b| b.name.text().cmp(a.name.text()));
        let common = common_prefix(sources);
        let strips: Vec<&str> = sources
            .iter()
            .map(|source| own_prefix(source, common))
            .collect();
        let mut planner = Self {
            sources,
            target,
            folder_map,
            paths: sources
                .iter()
                .zip(&strips)
                .map(|(source, strip)| path(source, strip))
                .collect(),
            strips,
            present: sorted
                .iter()
                .map(|there| (there.name.text(), *there))
                .collect(),
            twins: sorted
                .iter()
                .map(|there| (folded(there.name.text()), *there))
                .collect(),
            claims: HashMap::new(),
            places: HashMap::new(),
            names: HashSet::from(["INBOX".to_owned()]),
            folded: HashMap::from([(folded("INBOX"), "INBOX".to_owned())]),
            mere_parents: HashMap::new(),
        };
        for (source, path) in sources.iter().zip(planner.paths.clone()) {
            if let Some(to) = folder_map.get(source.name()) {
                for made in planner.levels_above(to) {
                    planner.claim(made.to_owned(), None);
                }
                planner.claim(to.clone(), None);
                planner.folded.insert(folded(to), to.clone());
                continue;
            }
            let mut own = path.len();
            if let Some(before) = planner.before(source) {
                planner.claim(before.to_owned(), Some(path.clone()));
                // Its natural name is free: it is not used.
                own -= 1;
            }
            for depth in 2..=own {
                let name = planner.in_targets_form(&path[..depth]);
                planner.claim(name, Some(path[..depth].to_vec()));
            }
        }
        planner
    }

    /// All names, given those of special uses.
    pub(super) fn settle(&mut self, uses: Vec<(usize, String, Why)>) -> Vec<Mapped> {
        let mut plans: Vec<Option<Mapped>> = vec![None; self.sources.len()];
        // What is fixed comes first, so that nothing else takes its name.
        for (number, source) in self.sources.iter().enumerate() {
            let (name, why) = if let Some(to) = self.folder_map.get(source.name()) {
                (to.as_str(), Why::Configured)
            } else if is_inbox(source.name()) {
                ("INBOX", Why::Same)
            } else {
                continue;
            };
            let name = if is_inbox(name) { "INBOX" } else { name };
            plans[number] = Some(self.mapped(number, name.to_owned(), vec![why]));
        }
        for (number, source) in self.sources.iter().enumerate() {
            if let Some(before) = self.before(source).filter(|_| plans[number].is_none()) {
                let before = before.to_owned();
                self.take(number, &before);
                plans[number] = Some(self.mapped(number, before, vec![Why::Before]));
            }
        }
        for (number, name, why) in uses {
            self.take(number, &name);
            plans[number] = Some(self.mapped(number, name, vec![why]));
        }
        // Parents before children, which follow them. At one depth, those whose very name the target has come first.
        let mut depths: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in (0..self.sources.len()).filter(|number| plans[*number].is_none()) {
            let depth = self.paths[number].len();
            depths.entry(depth).or_default().push(number);
        }
        for numbers in depths.into_values() {
            let mut level = Vec::new();
            for number in numbers {
                let path = self.paths[number].clone();
                level.push((number, self.below_parent(&path)));
            }
            let mut seen = HashSet::new();
            level.sort_by_cached_key(|(_, name)| {
                let is_there = self.present(name).is_some() && !self.names.contains(name);
                !(is_there && seen.insert(name.clone()))
            });
            for (number, wanted) in level {
                let mut why = self.reasons(number, &wanted);
                let name = self.unique(number, &wanted);
                if name != wanted {
                    why.retain(|why| *why != Why::Same);
                    why.push(Why::Collision);
                }
                self.take(number, &name);
                plans[number] = Some(self.mapped(number, name, why));
            }
        }
        plans.into_iter().flatten().collect()
    }

    /// Where a source went before, unless `folder_map` sends it elsewhere now, or the target no longer has it.
    fn before<'s>(&self, source: &'s SourceMailbox) -> Option<&'s str> {
        let is_free = !is_inbox(source.name()) && !self.folder_map.contains_key(source.name());
        let before = source.before.as_deref().filter(|_| is_free)?;
        self.present(before).map(|_| before)
    }

    pub(super) fn claim(&mut self, name: String, by: Option<Path>) {
        self.claims
            .entry(folded(&name))
            .or_default()
            .push((name, by));
    }

    /// What the target has by exactly this name.
    pub(super) fn present(&self, name: &str) -> Option<&'a Listed> {
        self.present.get(name).copied()
    }

    /// Names like this one, apart from case, that may be given to others than this source and those below it.
    pub(super) fn claimed(&self, name: &str, number: usize) -> impl Iterator<Item = &str> {
        let own = &self.paths[number];
        let claims = self.claims.get(&folded(name)).into_iter().flatten();
        claims
            .filter(|(_, by)| by.as_ref().is_none_or(|path| !path.starts_with(own)))
            .map(|(name, _)| name.as_str())
    }

    pub(super) fn is_claimed(&self, name: &str, number: usize) -> bool {
        self.claimed(name, number).next().is_some()
    }

    /// The mailbox of the target that is this source's already, unless it was made for another.
    pub(super) fn own(&self, plan: &Mapped) -> Option<&'a Listed> {
        let mut claimed = self.claimed(plan.name.text(), plan.source);
        let is_anothers = claimed.any(|name| name == plan.name.text());
        self.present(plan.name.text()).filter(|_| !is_anothers)
    }

    /// A path as the target writes it, if there were nothing else.
    pub(super) fn in_targets_form(&self, path: &[String]) -> String {
        match path {
            [] => String::new(),
            [root] => root.clone(),
            [root, level] if root.is_empty() => {
                format!("{}{}", self.target.prefix, self.level(level))
            }
            [above @ .., level] => self.join(&self.in_targets_form(above), level),
        }
    }

    /// The same, below the place to which the parent went.
    pub(super) fn below_parent(&mut self, path: &[String]) -> String {
        let below = path.split_last().filter(|(_, above)| above.len() > 1);
        let Some((last, above)) = below else {
            return self.in_targets_form(path);
        };
        if let Some(parent) = self.places.get(above) {
            return self.join(parent, last);
        }
        // No source: it holds no messages, so one that differs only in case will do.
        let wanted = self.below_parent(above);
        let form = folded(&wanted);
        let parent = if self.present(&wanted).is_some() {
            wanted
        } else if let Some(given) = self.folded.get(&form) {
            given.clone()
        } else if let Some(twin) = self.twins.get(&form) {
            twin.name.text().to_owned()
        } else {
            self.mere_parents.entry(form).or_insert(wanted).clone()
        };
        self.places.insert(above.to_vec(), parent.clone());
        self.join(&parent, last)
    }

    pub(super) fn join(&self, parent: &str, level: &str) -> String {
        let level = self.level(level);
        let Some(delimiter) = self.target.delimiter else {
            return format!("{parent}%2F{level}");
        };
        let below = format!("{parent}{delimiter}");
        let childless = self.present(parent).is_some_and(|there| {
            there.has("\\NoInferiors")
                && !self
                    .target
                    .present
                    .iter()
                    .any(|there| there.name.text().starts_with(&below))
        });
        match childless {
            true if is_inbox(parent) => {
                format!(
                    "{}{parent}%{:02X}{level}",
                    self.target.prefix,
                    u32::from(delimiter)
                )
            }
            true => format!("{parent}%{:02X}{level}", u32::from(delimiter)),
            false => format!("{below}{level}"),
        }
    }

    /// A level without what cannot stand in a level there.
    pub(super) fn level(&self, level: &str) -> String {
        let delimiter = self.target.delimiter;
        let forbidden =
            |_: Option<char>, c: char, _: Option<char>| c.is_control() || Some(c) == delimiter;
        // Where there are no levels, `%2F` stands between them.
        escaped(level, '%', forbidden, |c| {
            c.is_control() || c == delimiter.unwrap_or('/')
        })
    }

    pub(super) fn reasons(&self, number: usize, name: &str) -> Vec<Why> {
        let (source, path) = (&self.sources[number], &self.paths[number]);
        if name == source.name() {
            return vec![Why::Same];
        }
        let mut why = Vec::new();
        let moved = name != self.in_targets_form(path);
        if moved {
            why.push(Why::Parent);
        }
        if path.iter().any(|level| self.level(level) != *level) {
            why.push(Why::Sanitised);
        }
        if !moved && path[0].is_empty() && self.strips[number] != self.target.prefix {
            why.push(Why::Prefix);
        }
        if path.len() > 2 && source.listed.delimiter != self.target.delimiter {
            why.push(Why::Delimiter);
        }
        if why.is_empty() {
            why.push(if path.len() > 1 && path[0] == "INBOX" {
                Why::Delimiter
            } else {
                Why::Same
            });
        }
        why
    }

    /// A name that no other source has, nor one that differs only in case or composition.
    pub(super) fn unique(&self, number: usize, wanted: &str) -> String {
        let there = |name: &str| self.present(name).is_some();
        let configured = |name: &str| self.folder_map.values().any(|to| to == name);
        let free = |name: &str| {
            // What `folder_map` sends to the name of another source is meant to be joined with it.
            let alone = there(name) || configured(name) || !self.folded.contains_key(&folded(name));
            alone && !self.names.contains(name)
        };
        if free(wanted) {
            let twin = self.twins.get(&folded(wanted)).filter(|_| !there(wanted));
            let twin = twin.filter(|twin| !self.names.contains(twin.name.text()));
            return twin.map_or_else(|| wanted.to_owned(), |twin| twin.name.text().to_owned());
        }
        let numbered = (2_u64..).map(|count| format!("{wanted} ({count})"));
        let mut others = numbered.filter(|name| free(name) && !self.is_claimed(name, number));
        // Sources are finite, so one is free.
        others.next().unwrap_or_else(|| wanted.to_owned())
    }

    pub(super) fn take(&mut self, number: usize, name: &str) {
        self.names.insert(name.to_owned());
        self.folded.insert(folded(name), name.to_owned());
        self.places
            .entry(self.paths[number].clone())
            .or_insert_with(|| name.to_owned());
    }

    pub(super) fn mapped(&self, source: usize, name: String, why: Vec<Why>) -> Mapped {
        let there = self.present(&name);
        let above = if there.is_some() {
            Vec::new()
        } else {
            self.levels_above(&name)
        };
        let absent = above
            .into_iter()
            .filter(|above| self.present(above).is_none());
        Mapped {
            source,
            parents: absent.map(str::to_owned).collect(),
            // One that cannot be selected becomes a mailbox by CREATE (RFC 3501 section 6.3.3).
            exists: there.is_some_and(is_selectable),
            name: there.map_or_else(|| Name::new(name), |there| there.name.clone()),
            why,
        }
    }

    /// The levels above a name of the target, outermost first, without those of the namespace.
    pub(super) fn levels_above<'n>(&self, name: &'n str) -> Vec<&'n str> {
        let Some(delimiter) = self.target.delimiter else {
            return Vec::new();
        };
        let ends = name.match_indices(delimiter).map(|(at, _)| &name[..at]);
        ends.filter(|above| {
            !above.is_empty()
                && !above.ends_with(delimiter)
                && !is_inbox(above)
                && !self
                    .target
                    .prefix
                    .starts_with(&format!("{above}{delimiter}"))
        })
        .collect()
    }
}

/// `strip` is what the name begins with and the path does not.
fn path(source: &SourceMailbox, strip: &str) -> Path {
    let plain = source.name().get(strip.len()..).unwrap_or(source.name());
    let mut levels: Path = match source.listed.delimiter {
        Some(delimiter) => plain.split(delimiter).map(str::to_owned).collect(),
        None => vec![plain.to_owned()],
    };
    if is_inbox(&levels[0]) && strip.is_empty() {
        "INBOX".clone_into(&mut levels[0]);
    } else {
        levels.insert(0, String::new());
    }
    levels
}

/// The prefix of its namespace, as said by its server or else common to all, if its name is longer than that.
fn own_prefix<'a>(source: &'a SourceMailbox, common: Option<&'a str>) -> &'a str {
    let said = [source.prefix.as_str()]
        .into_iter()
        .filter(|said| !said.is_empty());
    let mut known = said.chain(common);
    let has = |prefix: &&str| {
        let head = source.name().get(..prefix.len());
        let is_below = head.is_some_and(|head| match prefix.get(..5) {
            Some(first) if is_inbox(first) => head.eq_ignore_ascii_case(prefix),
            _ => head == *prefix,
        });
        is_below && source.name().len() > prefix.len()
    };
    known.find(has).unwrap_or("")
}

/// `INBOX` and the delimiter, where all mailboxes but INBOX are below it.
fn common_prefix(sources: &[SourceMailbox]) -> Option<&str> {
    let mut others = sources
        .iter()
        .filter(|source| !is_inbox(source.name()))
        .peekable();
    let first = others.peek()?;
    let delimiter = first.listed.delimiter?;
    let prefix = first.name().get(..5 + delimiter.len_utf8())?;
    let is_below = |source: &SourceMailbox| {
        let rest = source.name().get(5..);
        rest.is_some_and(|rest| rest.starts_with(delimiter))
            && source.name().get(..5).is_some_and(is_inbox)
    };
    others.all(is_below).then_some(prefix)
}

pub(super) fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

pub(super) fn is_selectable(there: &Listed) -> bool {
    !there.has("\\NoSelect") && !there.has("\\NonExistent")
}

/// A name as servers compare it that ignore case and normal forms: one form for names that differ in nothing else.
#[must_use]
pub fn folded(name: &str) -> String {
    name.nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}
