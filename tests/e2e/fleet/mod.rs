//! Many processes that share one move.

mod engines;
mod limits;
mod merged;
mod migrate;
mod parked;
mod shards;
