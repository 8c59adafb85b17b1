//! Many processes that share one move.

mod merged;
mod migrate;
mod shards;
