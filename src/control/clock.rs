//! The one clock. Everything else gets time as an argument.

use std::time::{Instant as Monotonic, SystemTime, UNIX_EPOCH};

use crate::domain::time::Instant;

/// Wall-clock time that never runs backwards: the wall clock is read once, then the monotonic clock runs, so that a
/// step of the wall clock neither makes nor loses time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Monotonic,
    started_ms: i64,
}

impl Clock {
    /// Reads the wall clock; `offset_ms` is added, for tests of skew.
    #[allow(clippy::disallowed_methods)]
    pub fn start(offset_ms: i64) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX).saturating_add(offset_ms);
        Self { started: Monotonic::now(), started_ms }
    }

    /// Now.
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Instant {
        Instant::from_ms(self.started_ms + self.elapsed_ms(Monotonic::now()))
    }

    /// Milliseconds of the monotonic clock since the start: for expiries that must not follow wall time.
    #[allow(clippy::disallowed_methods)]
    pub fn monotonic_ms(&self) -> i64 {
        self.elapsed_ms(Monotonic::now())
    }

    fn elapsed_ms(&self, now: Monotonic) -> i64 {
        i64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(i64::MAX)
    }
}
