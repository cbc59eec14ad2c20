//! The server's time.
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tells the server's time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that only moves when told to.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// A clock that stands at a time.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(now)) }
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time, forwards or back.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves the time; a negative length moves it back. At the ends of what a timestamp can hold it stops.
    pub fn advance(&self, length: SignedDuration) {
        let now = self.now();
        let end = if length.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        self.set(now.checked_add(length).unwrap_or(end));
    }

    /// This clock for a builder.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// 2026-01-01T00:00:00Z: a fixed time makes runs repeatable.
impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Timestamp::constant(1_767_225_600, 0))
    }
}
