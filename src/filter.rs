//! Which accounts and mailboxes are meant: glob patterns to include and to exclude.

use anyhow::{Context, Result, anyhow};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Patterns; without any to include, everything is included. `*` crosses hierarchy delimiters.
#[derive(Debug, Clone)]
pub struct Filter {
    include: Vec<String>,
    exclude: Vec<String>,
    included: GlobSet,
    excluded: GlobSet,
}

impl Filter {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// A pattern that is not a glob.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self {
            include: include.to_vec(),
            exclude: exclude.to_vec(),
            included: compile(include)?,
            excluded: compile(exclude)?,
        })
    }

    /// True for a name that is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        (self.include.is_empty() || self.included.is_match(name)) && !self.excluded.is_match(name)
    }

    /// True for something with several names, if one of them is included and none excluded.
    #[must_use]
    pub fn matches_any(&self, names: &[&str]) -> bool {
        let included = |name: &&str| self.include.is_empty() || self.included.is_match(name);
        names.iter().any(included) && !names.iter().any(|name| self.excluded.is_match(name))
    }

    /// The patterns to include.
    #[must_use]
    pub fn include(&self) -> &[String] {
        &self.include
    }

    /// The patterns to exclude.
    #[must_use]
    pub fn exclude(&self) -> &[String] {
        &self.exclude
    }
}

fn compile(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // INBOX is one name in any case (RFC 3501 section 5.1); all others are as they are.
        let inbox = pattern.eq_ignore_ascii_case("INBOX");
        let glob = GlobBuilder::new(if inbox { "INBOX" } else { pattern })
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| anyhow!("\"{pattern}\" is not a glob pattern: {}", error.kind()))?;
        set.add(glob);
    }
    set.build().context("compile the glob patterns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned =
            |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        Filter::new(&owned(include), &owned(exclude)).expect("globs")
    }

    #[test]
    fn globs_include_and_exclude() {
        let all = filter(&[], &[]);
        assert!(all.matches("INBOX") && all.matches("a/b"));
        let some = filter(&["inbox", "Archive*", "*@example.org"], &["Archive/20?1"]);
        assert!(
            some.matches("INBOX") && some.matches("Archive/2024") && some.matches("x@example.org")
        );
        assert!(
            !some.matches("Archive/2021") && !some.matches("archive") && !some.matches("inbox2")
        );
        assert!(Filter::new(&["[".to_owned()], &[]).is_err());
    }
}
