//! Where each mailbox of an archive goes on a target server. Pure: two lists in, a plan out.

mod special_use;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Write as _};

use unicode_normalization::UnicodeNormalization;

use special_use::Use;

/// A mailbox of the archive.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name, in UTF-8.
    pub name: String,
    /// Hierarchy delimiter; `None` for a flat name.
    pub delimiter: Option<char>,
    /// LIST attributes.
    pub attributes: Vec<String>,
}

/// A mailbox that the target has.
#[derive(Debug, Clone)]
pub struct Present {
    /// Name, in UTF-8.
    pub name: String,
    /// Name as on the wire.
    pub wire: Vec<u8>,
    /// LIST attributes.
    pub attributes: Vec<String>,
}

/// What is known of the target.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Its mailboxes.
    pub present: Vec<Present>,
    /// Prefix of its personal namespace, in UTF-8: `INBOX.` or empty.
    pub prefix: String,
    /// Its hierarchy delimiter.
    pub delimiter: Option<char>,
}

/// Why a mailbox is called so on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has the same name.
    Same,
    /// Both have the same special-use attribute.
    SpecialUse,
    /// Both are known to be used for the same.
    WellKnownName,
    /// It lies below a mailbox that is called otherwise there.
    Parent,
    /// The target's namespace has another prefix.
    Prefix,
    /// The target's delimiter is another one.
    Delimiter,
    /// Characters that cannot stand in a name there are percent-encoded.
    Sanitised,
    /// Another mailbox has the name already, or one that differs only in case.
    Collision,
    /// `folder_map` says so.
    Configured,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same name",
            Self::SpecialUse => "special-use",
            Self::WellKnownName => "well-known name",
            Self::Parent => "its parent",
            Self::Prefix => "prefix",
            Self::Delimiter => "delimiter",
            Self::Sanitised => "sanitised",
            Self::Collision => "name is taken",
            Self::Configured => "mapped by config (folder_map)",
        })
    }
}

/// Where one mailbox goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Number of the source.
    pub source: usize,
    /// Name on the target, in UTF-8.
    pub name: String,
    /// The same as on the wire: as listed where it exists, else in modified UTF-7.
    pub wire: Vec<u8>,
    /// The target has it.
    pub exists: bool,
    /// Why it is called so; the strongest reason first.
    pub why: Vec<Why>,
    /// Levels above it that the target does not have, outermost first.
    pub parents: Vec<String>,
}

/// Plans for all sources; `folder_map` goes from exact names to exact names and wins over everything.
///
/// No two sources share a mailbox unless `folder_map` says so, and no two go to mailboxes of the same special use.
#[must_use]
pub fn plan(
    sources: &[Source],
    target: &Target,
    folder_map: &BTreeMap<String, String>,
) -> Vec<Mapped> {
    let mut planner = Planner {
        sources,
        target,
        strip: common_prefix(sources),
        uses: HashMap::new(),
        names: HashSet::new(),
        folded: HashSet::new(),
    };
    planner.assign_uses(folder_map);
    // What is fixed comes first, so that nothing else takes its name.
    let mut plans: Vec<Option<Mapped>> = vec![None; sources.len()];
    for (number, source) in sources.iter().enumerate() {
        let fixed = if let Some(to) = folder_map.get(&source.name) {
            Some((to.clone(), vec![Why::Configured]))
        } else if is_inbox(&source.name) {
            Some(("INBOX".to_owned(), vec![Why::Same]))
        } else {
            planner.uses.get(&number).cloned()
        };
        if let Some((name, why)) = fixed {
            plans[number] = Some(planner.settle(number, name, why));
        }
    }
    for (number, plan) in plans.iter_mut().enumerate() {
        if plan.is_none() {
            let (name, why) = planner.natural(number);
            let (name, why) = planner.unique(name, why);
            *plan = Some(planner.settle(number, name, why));
        }
    }
    plans.into_iter().flatten().collect()
}

struct Planner<'a> {
    sources: &'a [Source],
    target: &'a Target,
    /// What every source but INBOX begins with.
    strip: String,
    /// Sources with a special use that the target has a mailbox for.
    uses: HashMap<usize, (String, Vec<Why>)>,
    /// Names given away.
    names: HashSet<String>,
    /// The same, folded.
    folded: HashSet<String>,
}

impl Planner<'_> {
    /// Pairs mailboxes of the same use, by attribute before by name.
    fn assign_uses(&mut self, folder_map: &BTreeMap<String, String>) {
        let by_attribute = |number: &usize| Use::of_attributes(&self.sources[*number].attributes);
        let by_name = |number: &usize| {
            let source = &self.sources[*number];
            let plain = source
                .name
                .strip_prefix(&self.strip)
                .unwrap_or(&source.name);
            Use::of_attributes(&source.attributes).or_else(|| Use::of_name(plain))
        };
        let free = |number: &usize| {
            let name = &self.sources[*number].name;
            !folder_map.contains_key(name) && !is_inbox(name)
        };
        let mut given: HashMap<Use, usize> = HashMap::new();
        for number in (0..self.sources.len()).filter(free) {
            if let Some(found) = by_attribute(&number) {
                given.entry(found).or_insert(number);
            }
        }
        for number in (0..self.sources.len()).filter(free) {
            // One of two with the same attribute keeps its own name.
            if by_attribute(&number).is_none()
                && let Some(found) = by_name(&number)
            {
                given.entry(found).or_insert(number);
            }
        }
        for (found, number) in given {
            let wanted = |there: &&Present| Use::of_attributes(&there.attributes) == Some(found);
            let named = |there: &&Present| {
                let plain = there.name.strip_prefix(&self.target.prefix);
                Use::of_attributes(&there.attributes).is_none()
                    && Use::of_name(plain.unwrap_or(&there.name)) == Some(found)
            };
            let has_attribute = by_attribute(&number).is_some();
            let (there, why) = match self.target.present.iter().find(wanted) {
                Some(there) if has_attribute => (there, Why::SpecialUse),
                Some(there) => (there, Why::WellKnownName),
                None => match self.target.present.iter().find(named) {
                    Some(there) => (there, Why::WellKnownName),
                    None => continue,
                },
            };
            self.uses.insert(number, (there.name.clone(), vec![why]));
        }
    }

    /// The source's own name in the target's form, below the place of its parent where that has another.
    fn natural(&self, number: usize) -> (String, Vec<Why>) {
        let source = &self.sources[number];
        let plain = source
            .name
            .strip_prefix(&self.strip)
            .unwrap_or(&source.name);
        let mut why = Vec::new();
        let mut levels: Vec<&str> = match source.delimiter {
            Some(delimiter) => plain.split(delimiter).collect(),
            None => vec![plain],
        };
        let mut root = None;
        for depth in (1..levels.len()).rev() {
            let above =
                levels[..depth].join(&source.delimiter.map(String::from).unwrap_or_default());
            let parent = self.sources.iter().position(|other| {
                other.name.strip_prefix(&self.strip).unwrap_or(&other.name) == above
            });
            if let Some((name, _)) = parent.and_then(|parent| self.uses.get(&parent)) {
                root = Some(name.clone());
                why.push(Why::Parent);
                levels.drain(..depth);
                break;
            }
        }
        let depth = levels.len();
        let delimiter = self.target.delimiter;
        let encoded: Vec<String> = levels
            .iter()
            .map(|level| encoded(level, |c| c.is_control() || Some(c) == delimiter))
            .collect();
        if levels
            .iter()
            .zip(&encoded)
            .any(|(level, encoded)| level != encoded)
        {
            why.push(Why::Sanitised);
        }
        let separator = delimiter.map_or_else(|| "%2F".to_owned(), String::from);
        let joined = encoded.join(&separator);
        let name = match root {
            Some(root) => format!("{root}{separator}{joined}"),
            None if is_inbox(levels[0]) && depth > 1 => {
                format!("INBOX{}", &joined[levels[0].len()..])
            }
            None => format!("{}{joined}", self.target.prefix),
        };
        if self.strip != self.target.prefix && why.is_empty() {
            why.push(Why::Prefix);
        }
        if depth > 1 && source.delimiter != delimiter {
            why.push(Why::Delimiter);
        }
        if name == source.name {
            why = vec![Why::Same];
        }
        (name, why)
    }

    /// A name that no other source has, nor one that differs only in case or composition.
    fn unique(&self, name: String, mut why: Vec<Why>) -> (String, Vec<Why>) {
        let on_target = |name: &str| self.target.present.iter().any(|there| there.name == name);
        let free = |name: &str| {
            !self.names.contains(name) && (on_target(name) || !self.folded.contains(&folded(name)))
        };
        if free(&name) {
            return (name, why);
        }
        why.push(Why::Collision);
        let mut number = 2_u32;
        loop {
            let other = format!("{name} ({number})");
            if free(&other) {
                return (other, why);
            }
            number += 1;
        }
    }

    fn settle(&mut self, source: usize, name: String, mut why: Vec<Why>) -> Mapped {
        let exact = self.target.present.iter().find(|there| there.name == name);
        let there = exact.or_else(|| {
            let twin = folded(&name);
            let mut twins = self
                .target
                .present
                .iter()
                .filter(|there| folded(&there.name) == twin);
            twins
                .next()
                .filter(|there| !self.names.contains(&there.name))
        });
        if there.is_some_and(|there| there.name != name) {
            why.push(Why::Collision);
        }
        let wire = there.map_or_else(|| encode_utf7(&name), |there| there.wire.clone());
        let name = there.map_or(name, |there| there.name.clone());
        self.names.insert(name.clone());
        self.folded.insert(folded(&name));
        let parents = match there {
            Some(_) => Vec::new(),
            None => self.parents(&name),
        };
        Mapped {
            source,
            exists: there.is_some(),
            name,
            wire,
            why,
            parents,
        }
    }

    fn parents(&self, name: &str) -> Vec<String> {
        let Some(delimiter) = self.target.delimiter else {
            return Vec::new();
        };
        let ends = name.match_indices(delimiter).map(|(at, _)| &name[..at]);
        ends.filter(|above| {
            !above.is_empty()
                && !is_inbox(above)
                && !self
                    .target
                    .prefix
                    .starts_with(&format!("{above}{delimiter}"))
                && !self
                    .target
                    .present
                    .iter()
                    .any(|there| there.name == **above)
        })
        .map(str::to_owned)
        .collect()
    }
}

/// `INBOX` and the delimiter, where all mailboxes but INBOX are below it.
fn common_prefix(sources: &[Source]) -> String {
    let mut others = sources
        .iter()
        .filter(|source| !is_inbox(&source.name))
        .peekable();
    let Some(first) = others.peek() else {
        return String::new();
    };
    let prefix = match first.delimiter {
        Some(delimiter) => format!("INBOX{delimiter}"),
        None => return String::new(),
    };
    if others.all(|source| source.name.starts_with(&prefix)) {
        prefix
    } else {
        String::new()
    }
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

/// One form for names that differ only in case or in the composition of their characters.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// Percent-encodes what must not be in a level; `%` as well then, so that it can be undone.
fn encoded(level: &str, forbidden: impl Fn(char) -> bool) -> String {
    if !level.chars().any(&forbidden) {
        return level.to_owned();
    }
    let mut out = String::new();
    for character in level.chars() {
        if character == '%' || forbidden(character) {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// The next stricter form of a name that the target refused, by the number of refusals so far; `None` when there is no other.
///
/// Percent-encoded, so it can be undone.
#[must_use]
pub fn sanitised(name: &str, delimiter: Option<char>, attempt: u32) -> Option<String> {
    let separator = delimiter.unwrap_or('\0');
    let strict = |c: char| match attempt {
        1 => "\"\\*%/#~{}".contains(c) || c.is_control(),
        2 => c.is_ascii_punctuation() && !"-_".contains(c) || c.is_control(),
        _ => !(c.is_ascii_alphanumeric() || "-_ ".contains(c)),
    };
    let levels: Vec<String> = name
        .split(separator)
        .map(|level| {
            let blank = |c: char| c == ' ' || c == '.';
            let level = encoded(level, strict);
            let (start, end) = (level.starts_with(blank), level.ends_with(blank));
            let mut inner: Vec<String> = level.chars().map(String::from).collect();
            let count = inner.len();
            for at in [start.then_some(0), end.then(|| count - 1)]
                .into_iter()
                .flatten()
            {
                let byte = inner[at].as_bytes()[0];
                if inner[at].len() == 1 {
                    inner[at] = format!("%{byte:02X}");
                }
            }
            inner.concat()
        })
        .collect();
    let other = levels.join(&separator.to_string());
    (attempt <= 3 && other != name).then_some(other)
}

/// The prefix that a refusal asks for, as Dovecot's "should probably be prefixed with: INBOX."
#[must_use]
pub fn learnt_prefix(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("prefixed with")?;
    let word = rest
        .trim_start_matches([':', ' ', '"'])
        .split_whitespace()
        .next()?;
    let prefix = word.trim_end_matches([')', '"']);
    (!prefix.is_empty()).then(|| prefix.to_owned())
}

/// A name in modified UTF-7 (RFC 3501 section 5.1.3).
#[must_use]
pub fn encode_utf7(name: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    let digit = |bits: u32| DIGITS[(bits & 63) as usize];
    let mut out = Vec::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '&' => out.extend(b"&-"),
            ' '..='~' => out.push(character as u8),
            _ => {
                let mut shifted = String::from(character);
                while let Some(next) = characters.next_if(|c| !(' '..='~').contains(c)) {
                    shifted.push(next);
                }
                out.push(b'&');
                let (mut bits, mut held) = (0_u32, 0);
                for unit in shifted.encode_utf16() {
                    bits = bits << 16 | u32::from(unit);
                    held += 16;
                    while held >= 6 {
                        held -= 6;
                        out.push(digit(bits >> held));
                    }
                    bits &= (1 << held) - 1;
                }
                if held > 0 {
                    out.push(digit(bits << (6 - held)));
                }
                out.push(b'-');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
