//! The one door to the disk: every file that the program writes is made here. Knows nothing of what is in them.

mod advice;
pub(crate) mod file;
pub(crate) mod lock;
pub mod output;
pub mod space;

pub use advice::{advised, is_about_us};
