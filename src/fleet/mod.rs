//! What lets many processes share one move: which accounts are whose, and one report on everything.

pub mod merge;
pub mod shard;
