//! An archive laid over a server: what is here, what is there, where each thing goes. It looks and changes nothing.
//!
//! Import, validation and the test before them share it, so that they see the same.

pub mod alias;
pub mod bodies;
mod contents;
pub mod deleted;
pub mod flags;
pub mod holding;
pub mod keyword;
pub mod mailbox;
pub mod matching;
pub mod message;
pub mod place;
pub mod plan;
pub mod rehearsal;
pub mod renamed;
pub mod repair;
pub mod trouble;
pub mod views;
