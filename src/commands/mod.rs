//! One file or folder per mode: reads two sides, makes a plan, carries it out, returns a report.

pub mod export;
pub mod import;
