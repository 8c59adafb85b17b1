//! What lets many processes share one move: which accounts are whose.

pub mod shard;
