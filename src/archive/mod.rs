//! The archive on disk, format 1: knows files and no IMAP.
//!
//! ```text
//! exported/                      root: the administrator's
//!   user@example.com/            account: one directory an account, whose name `path` makes safe, reversibly
//!     .lock                      lock: held while a run works here
//!     export-state.json          state: the source, and what was durable at the last checkpoint
//!     failed.jsonl               failed: what did not come over
//!     import.journal.jsonl       journal: what imports have done on which target
//!     spent.json                 spent: what was taken today of the budget of its servers
//!     INBOX/                     mailbox: one directory a mailbox
//!       .mailbox.json              its exact name, delimiter, attributes, UIDVALIDITY
//!       u0000000042.eml            a message, byte for byte, named by its UID
//!       u0000000042.json           sidecar: what is known of it beside its bytes
//!       .vanished/                 pairs that the server no longer has
//!       .superseded-1700000000/    pairs of an earlier UIDVALIDITY, and what was damaged
//!     .vanished-mailboxes/       directories of mailboxes that the server no longer has
//! ```
//!
//! The sidecar commits the message: an `.eml` without one is unfinished. Nothing is durable before a checkpoint has
//! synced the file system; the state claims only what was synced before it was written. Nothing that the server still
//! has is overwritten by something older, and nothing is deleted: it moves aside.

pub mod account;
pub mod checkpoint;
pub mod excerpt;
pub mod failed;
pub mod incoming;
pub mod journal;
mod lenient;
pub mod listing;
pub mod lock;
pub mod mailbox;
pub mod meta;
mod name_json;
pub mod original;
pub mod path;
pub mod sidecar;
pub mod spent;
pub mod state;
pub mod sync;
pub mod writer;
