//! Many processes that share one move.

mod shards;
