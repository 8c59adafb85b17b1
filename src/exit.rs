//! How the process ends: the codes that scripts see, and which of two wins. Knows nothing of what led there.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The end of a run. What comes later wins over what comes before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything was done, and all is well.
    #[default]
    Clean,
    /// Nothing failed, but accounts are parked: for a day's limit, or as a server asked to be left alone for a while.
    Parked,
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
    /// All of them, by their numbers.
    pub const ALL: [Self; 6] = [
        Self::Clean,
        Self::Findings,
        Self::Unusable,
        Self::Precheck,
        Self::Parked,
        Self::Stopped,
    ];

    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Unusable => 2,
            Self::Precheck => 3,
            Self::Parked => 75,
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

impl<'de> Deserialize<'de> for Exit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u8::deserialize(deserializer)?;
        let mut all = Self::ALL.into_iter();
        all.find(|exit| exit.code() == code)
            .ok_or_else(|| D::Error::custom(format!("no run ends with {code}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Exit::{Clean, Findings, Precheck, Stopped, Unusable};

    #[test]
    fn a_signal_wins_over_failures_and_failures_over_success() {
        for one in Exit::ALL {
            assert_eq!(one.merge(Clean), one);
            assert_eq!(one.merge(Stopped), Stopped);
            for other in Exit::ALL {
                assert_eq!(one.merge(other), other.merge(one));
            }
        }
        // A report that cannot be written does not hide that accounts failed.
        assert_eq!(Unusable.merge(Findings), Findings);
        assert_eq!(Findings.merge(Precheck), Precheck);
    }
}
