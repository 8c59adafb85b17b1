//! A run of the program: where it works, what it wrote, and what the servers hold afterwards.

pub mod archive;
pub mod browser;
pub mod disk;
pub mod findings;
pub mod handmade;
pub mod imapsync;
pub mod output;
pub mod parallel;
pub mod program;
pub mod python;
pub mod reader;
pub mod report;
pub mod tempdir;
pub mod terminal;
