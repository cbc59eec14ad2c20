//! The one clock: the time of the API server. Everything else gets time as an argument.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant as Monotonic, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::domain::cluster_time::{Answer, ClockStep, ClusterTime};
use crate::domain::time::Instant;

/// The time of the API server, kept between its answers by the monotonic clock, so that neither a wrong wall clock nor
/// a step of it makes or loses time. Clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Monotonic,
    state: Mutex<State>,
    set: watch::Sender<bool>,
    /// Added to what is recorded; for tests of what happens at a certain time.
    shift_ms: i64,
}

#[derive(Debug)]
struct State {
    time: ClusterTime,
    steps: Vec<ClockStep>,
}

impl Clock {
    /// Reads the wall clock once, for the time before the first answer; `offset_ms` is added, for tests of skew.
    pub fn start(offset_ms: i64) -> Self {
        Self::shifted(offset_ms, 0)
    }

    /// A clock whose recorded time is `shift_ms` after the API server's; for tests of what happens at a certain time.
    #[allow(clippy::disallowed_methods)]
    pub fn shifted(offset_ms: i64, shift_ms: i64) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX).saturating_add(offset_ms);
        let state = State { time: ClusterTime::new(wall_ms), steps: Vec::new() };
        let (started, set) = (Monotonic::now(), watch::Sender::new(false));
        Self(Arc::new(Shared { started, state: Mutex::new(state), set, shift_ms }))
    }

    /// Now, by the API server. Before its first answer the wall clock's time, which nothing may be recorded by.
    pub fn now(&self) -> Instant {
        // Asked within the lock: a time that is asked for later is not earlier.
        let mut state = self.state();
        let monotonic_ms = self.monotonic_ms();
        state.time.at(monotonic_ms).plus_ms(self.0.shift_ms)
    }

    /// Milliseconds of the monotonic clock since the start: for expiries that must not follow wall time.
    #[allow(clippy::disallowed_methods)]
    pub fn monotonic_ms(&self) -> i64 {
        i64::try_from(Monotonic::now().duration_since(self.0.started).as_millis()).unwrap_or(i64::MAX)
    }

    /// Takes in the time of an answer.
    pub fn hear(&self, answer: Answer) {
        let mut state = self.state();
        let step = state.time.hear(answer);
        state.steps.extend(step);
        drop(state);
        self.rely();
    }

    /// An answer came without a time: the wall clock is all there is.
    pub fn rely(&self) {
        self.0.set.send_if_modified(|set| !std::mem::replace(set, true));
    }

    /// Whether an answer has set it.
    pub fn is_set(&self) -> bool {
        *self.0.set.borrow()
    }

    /// Waits until an answer has set it.
    pub async fn until_set(&self) {
        // The sender lives as long as this clock.
        let _ = self.0.set.subscribe().wait_for(|set| *set).await;
    }

    /// Clock of the API server less the wall clock of this replica.
    pub fn offset_ms(&self) -> i64 {
        self.state().time.offset_ms()
    }

    /// The steps since the last call.
    pub fn take_steps(&self) -> Vec<ClockStep> {
        let steps = std::mem::take(&mut self.state().steps);
        steps.into_iter().map(|step| ClockStep { at: step.at.plus_ms(self.0.shift_ms), ..step }).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
