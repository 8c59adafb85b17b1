//! Exports, proves and imports all mailboxes of many IMAP accounts. The binary is a thin shell around this;
//! tests, fuzz targets and benchmarks reach the modules here.

pub mod accounts;
pub mod archive;
pub mod child;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod compare;
pub mod config;
pub mod credential;
pub mod disk;
pub mod filter;
pub mod finding;
pub mod http;
pub mod imapsync;
pub mod limits;
pub mod logging;
pub mod mailbox;
pub mod mapping;
pub mod message;
pub mod panel;
pub mod progress;
pub mod report;
pub mod secret;
pub mod session;
pub mod settings;
pub mod stop;
