//! What proves a login, and where it comes from. Knows files and HTTP; no IMAP, no session, no command.

pub mod source;
