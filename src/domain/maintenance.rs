//! Maintenance and exclusions: which loss an agreement takes out of its figures.
//!
//! A window is an approved change, an occurrence of a standing window of a calendar, or an exclusion that both parties
//! agreed. Only loss is excluded, in order of time, and only loss uses allowances: idle time in a window stays Up, blind
//! time Unknown. A millisecond is excluded once, charged to the window with the earliest start, then name, that has
//! allowance left.

mod allowance;
mod announced;
mod terms;
mod windows;

pub use allowance::{Allowances, Sweep, WindowTime};
pub use announced::{AgreedExclusion, Announced, ApprovedChange, NOTHING_ANNOUNCED, UnknownChange};
pub use terms::{MaintenanceTerms, StandingWindow};
pub use windows::{Refusal, Slice, Window, Windows};
