//! The one door to the disk: every file that the program writes is created here. Knows nothing of their content.

mod advice;
pub(crate) mod file;
pub(crate) mod lock;
pub mod output;
pub mod space;

pub use advice::{advised, is_about_us};
