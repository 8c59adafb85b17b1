//! What a run leaves for those who read about it later.

mod page;
mod proof;
