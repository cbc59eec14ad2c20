//! The rules.
pub mod duration;
pub mod time;
