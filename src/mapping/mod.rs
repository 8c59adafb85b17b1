//! Where each mailbox of an archive goes on a target server. Pure: two lists in, a plan out.
//!
//! The plan is made again on each connection, even when the target has what an earlier one created: it must then be the
//! same, or all mail is appended a second time. So nothing here goes by the order in which the target lists, and a
//! mailbox that an earlier run may have made for one source is not taken for another.

mod folder_map;
mod names;
mod planner;
mod special_use;

pub use folder_map::FolderMap;
#[cfg(test)]
pub use names::unescaped;
pub use names::{escaped, flattened, is_reserved, learnt_prefix, masked, sanitised, shortened};
pub use planner::folded;

use std::collections::BTreeMap;
use std::fmt;

use crate::mailbox::{Listed, Name};
use planner::Planner;

/// A mailbox of the archive.
#[derive(Debug, Clone)]
pub struct SourceMailbox {
    /// As its server listed it.
    pub listed: Listed,
    /// Prefix of the personal namespace on its server, in UTF-8; empty where none is known.
    pub prefix: String,
    /// The mailbox of the target that it went to before, in UTF-8; it goes there again.
    pub before: Option<String>,
}

impl SourceMailbox {
    /// Its name, in UTF-8.
    #[must_use]
    pub fn name(&self) -> &str {
        self.listed.name.text()
    }
}

/// What is known of the target.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Its mailboxes.
    pub present: Vec<Listed>,
    /// Prefix of its personal namespace, in UTF-8: `INBOX.` or empty.
    pub prefix: String,
    /// Its hierarchy delimiter.
    pub delimiter: Option<char>,
}

/// Why a mailbox has its name on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has the same name.
    Same,
    /// Both have the same special-use attribute.
    SpecialUse,
    /// Both are known to be used for the same.
    WellKnownName,
    /// It lies below a mailbox that has another name there.
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
    /// It went there before.
    Before,
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
            Self::Before => "imported there before",
        })
    }
}

/// Where one mailbox goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Number of the source.
    pub source: usize,
    /// Name on the target: as listed where it exists, else in modified UTF-7.
    pub name: Name,
    /// The target has it.
    pub exists: bool,
    /// Why it has that name; the strongest reason first.
    pub why: Vec<Why>,
    /// Levels above it that the target does not have, outermost first.
    pub parents: Vec<String>,
}

/// Plans for all sources; `folder_map` goes from exact names to exact names and wins over everything.
///
/// No two sources share a mailbox unless `folder_map` says so, and no two go to mailboxes of the same special use.
#[must_use]
pub fn plan(
    sources: &[SourceMailbox],
    target: &Target,
    folder_map: &BTreeMap<String, String>,
) -> Vec<Mapped> {
    // First without special uses: this tells where each mailbox would go, or went when an earlier run had none.
    let mut ordinary = Planner::new(sources, target, folder_map);
    let plans = ordinary.settle(Vec::new());
    let own = plans
        .iter()
        .map(|plan| ordinary.own(plan))
        .collect::<Vec<_>>();
    let mut planner = Planner::new(sources, target, folder_map);
    for (path, name) in ordinary.places {
        planner.claim(name, Some(path));
    }
    let uses = planner.special_uses(&own);
    planner.settle(uses)
}

#[cfg(test)]
mod tests;
