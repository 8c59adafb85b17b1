//! How an archive and a target compare, in numbers.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// In the archive, without those that are a view of messages in other mailboxes.
    pub archive: u64,
    /// On the target.
    pub target: u64,
    /// On both sides.
    pub matched: u64,
    /// In the archive and not on the target.
    pub missing: u64,
    /// In the archive, and on the target until somebody deleted them there.
    #[serde(default)]
    pub deleted: u64,
    /// In the archive; whether the target has them cannot be told.
    pub unknown: u64,
    /// Copies on the target beyond those of the archive.
    pub doubled: u64,
    /// On the target and not in the archive.
    pub extra: u64,
    /// Have lost flags that the target could keep.
    pub flags_differ: u64,
    /// Have flags on the target that they have not in the archive.
    pub flags_added: u64,
    /// Have another INTERNALDATE.
    pub dates_differ: u64,
    /// Have another RFC822.SIZE, and were not read back.
    pub sizes_differ: u64,
    /// Were read back from the target.
    pub read_back: u64,
    /// Of these, byte for byte the same.
    pub identical: u64,
    /// Of these, with other line ends at the end of the message.
    pub final_line_end: u64,
    /// Of these, with CR LF for LF or the reverse.
    pub line_ends: u64,
    /// Of these, with header fields that the target added.
    pub header_added: u64,
    /// Of these, with a header that is folded in another way.
    pub header_refolded: u64,
    /// Of these, with other content.
    pub content_differs: u64,
}

impl AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.archive += other.archive;
        self.target += other.target;
        self.matched += other.matched;
        self.missing += other.missing;
        self.deleted += other.deleted;
        self.unknown += other.unknown;
        self.doubled += other.doubled;
        self.extra += other.extra;
        self.flags_differ += other.flags_differ;
        self.flags_added += other.flags_added;
        self.dates_differ += other.dates_differ;
        self.sizes_differ += other.sizes_differ;
        self.read_back += other.read_back;
        self.identical += other.identical;
        self.final_line_end += other.final_line_end;
        self.line_ends += other.line_ends;
        self.header_added += other.header_added;
        self.header_refolded += other.header_refolded;
        self.content_differs += other.content_differs;
    }
}
