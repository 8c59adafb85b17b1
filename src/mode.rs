//! What the program is asked to do.

use serde::{Deserialize, Serialize};

/// The modes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Server to archive.
    Export,
    /// Archive to server.
    Import,
    /// Connectivity and environment.
    Test,
    /// Archive against target server.
    Validate,
    /// Archive by itself and against its source.
    Audit,
    /// Hosting panel to configuration.
    Index,
    /// Server to archive to server.
    Migrate,
    /// Reports of runs to one.
    Report,
    /// Users agree; their refresh tokens are kept.
    Authorize,
}

impl Mode {
    /// All of them, as `--help` lists them.
    pub const ALL: [Self; 9] = [
        Self::Export,
        Self::Import,
        Self::Test,
        Self::Validate,
        Self::Audit,
        Self::Index,
        Self::Migrate,
        Self::Report,
        Self::Authorize,
    ];

    /// What it has done to an account that has ended.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Export => "exported",
            Self::Import => "imported",
            Self::Test => "tested",
            Self::Validate => "validated",
            Self::Audit => "audited",
            Self::Migrate => "migrated",
            Self::Index | Self::Report | Self::Authorize => "done",
        }
    }

    /// The word on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Import => "import",
            Self::Test => "test",
            Self::Validate => "validate",
            Self::Audit => "audit",
            Self::Index => "index",
            Self::Migrate => "migrate",
            Self::Report => "report",
            Self::Authorize => "authorize",
        }
    }
}

/// What a migration does with an account, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Source to archive.
    Export,
    /// The archive by itself and against the source.
    Audit,
    /// Archive to target.
    Import,
    /// Archive against target.
    Validate,
}

impl Phase {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Audit => "audit",
            Self::Import => "import",
            Self::Validate => "validate",
        }
    }
}

/// Which accounts of a report are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportList {
    /// Those that are not complete.
    Failed,
    /// Those that wait for their servers.
    Parked,
    /// Those that no report mentions.
    Missing,
}
