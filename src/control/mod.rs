//! Controllers: gather, plan, apply. Only `apply` writes.

pub mod clock;
pub mod queue;
pub mod record;
pub mod streams;
pub mod subject;
pub mod watch;

/// A number from 0 to below `bound` that differs from call to call; 0 for 0. Spreads load, decides nothing.
pub(crate) fn jitter(bound: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    if bound == 0 { 0 } else { RandomState::new().hash_one(0_u8) % bound }
}
