//! Controllers: gather, plan, apply. Only `apply` writes.

pub mod agreement;
pub mod apply;
pub mod calendar;
pub mod clock;
pub mod corrections;
pub mod dates;
pub mod departed;
pub mod draft;
pub mod evidence;
pub mod fingerprint;
pub mod gaps;
pub mod lease;
pub mod lineage;
pub mod live;
pub mod nodes;
pub mod operator;
pub mod queue;
pub mod record;
pub mod report;
pub mod restore;
pub mod service;
pub mod streams;
pub mod subject;
pub mod unwritten;
pub mod versions;
pub mod view;
pub mod watch;
pub mod world;

/// A number from 0 to below `bound` that differs from call to call; 0 for 0. Spreads load, decides nothing.
pub(crate) fn jitter(bound: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    if bound == 0 { 0 } else { RandomState::new().hash_one(0_u8) % bound }
}

/// Violations as one message.
pub(crate) fn join(violations: &[crate::domain::violation::Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
