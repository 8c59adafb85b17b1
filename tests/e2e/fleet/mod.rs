//! Many processes that share one move.

mod migrate;
mod shards;
