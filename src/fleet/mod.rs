//! What lets many processes share one move: which accounts are whose, and one report of all.

pub mod merge;
pub mod shard;
