//! The directory on disk (format 1): knows files and no IMAP.

pub mod account;
pub mod checkpoint;
pub mod failed;
pub mod incoming;
pub mod journal;
pub mod listing;
pub mod lock;
pub mod mailbox;
mod name_json;
pub mod path;
pub mod sidecar;
pub mod state;
pub mod sync;
pub mod uidset;
pub mod writer;
