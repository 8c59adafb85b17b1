//! How the process ends: the codes that scripts see, and which of two wins. Knows nothing of what led there.

use serde::{Serialize, Serializer};

/// The end of a run. What comes later wins over what comes before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything was done, and all is well.
    #[default]
    Clean,
    /// Wrong usage or configuration, or an environment that does not allow the run or take its results.
    Unusable,
    /// An account failed or is not complete, or something was found.
    Findings,
    /// A check before the run failed.
    Precheck,
    /// A signal ended it.
    Stopped,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Unusable => 2,
            Self::Precheck => 3,
            Self::Stopped => 130,
        }
    }

    /// The end of both: what an administrator has to know first.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Exit::{Clean, Findings, Precheck, Stopped, Unusable};

    const ALL: [Exit; 5] = [Clean, Findings, Unusable, Precheck, Stopped];

    #[test]
    fn a_signal_wins_over_failures_and_failures_over_success() {
        for one in ALL {
            assert_eq!(one.merge(Clean), one);
            assert_eq!(one.merge(Stopped), Stopped);
            for other in ALL {
                assert_eq!(one.merge(other), other.merge(one));
            }
        }
        // A report that cannot be written does not hide that accounts failed.
        assert_eq!(Unusable.merge(Findings), Findings);
        assert_eq!(Findings.merge(Precheck), Precheck);
    }

    /// First numbers of lines, between a heading and the next empty line behind them.
    fn listed(text: &str, heading: &str, cell: fn(&str) -> &str) -> Vec<u8> {
        let (_, behind) = text.split_once(heading).expect("the heading");
        let numbers = behind.lines().map(|line| cell(line).parse().ok());
        let numbers = numbers.skip_while(Option::is_none);
        numbers.map_while(|number| number).collect()
    }

    #[test]
    fn help_and_readme_list_the_codes() {
        let codes: Vec<u8> = ALL.into_iter().map(Exit::code).collect();
        let help = listed(crate::cli::AFTER_HELP, "Exit codes:", |line| {
            line.split_whitespace().next().unwrap_or_default()
        });
        assert_eq!(help, codes, "--help");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let readme = std::fs::read_to_string(path).expect("README.md");
        let table = listed(&readme, "### Exit codes", |line| {
            line.split('|').nth(1).unwrap_or_default().trim()
        });
        assert_eq!(table, codes, "README.md");
    }
}
