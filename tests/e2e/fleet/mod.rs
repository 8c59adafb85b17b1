//! Many processes that share one move.

mod budget;
mod engines;
mod limits;
mod merged;
mod migrate;
mod parked;
mod rehearsal;
mod shards;
mod status;
