//! The rules.
pub mod calendar;
pub mod duration;
pub mod period;
pub mod recurrence;
pub mod time;
pub mod zone;
