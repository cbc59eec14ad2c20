//! The faults of a server as tests see them.
use std::sync::Arc;

use super::{
    Inner,
    faults::{Action, EventAction, FaultHandle, FrozenView},
    matching::Match,
    respond::ApiError,
    server::FakeError,
};

/// The faults of a server. All stay in force until removed.
#[derive(Clone)]
pub struct Faults {
    pub(super) inner: Arc<Inner>,
}

impl Faults {
    /// Does something to matching requests.
    pub fn on_request(&self, matching: Match, action: Action) -> FaultHandle {
        self.inner.lock().faults.on_request(matching, action, &self.inner.signal)
    }

    /// Does something to matching watch events. They are numbered as they are stored, from now on, whoever watches.
    pub fn on_event(&self, matching: Match, action: EventAction) -> FaultHandle {
        self.inner.lock().faults.on_event(matching, action, &self.inner.signal)
    }

    /// Makes watches silent, by kind and user agent, until the handle releases them.
    pub fn stall_watches(&self, matching: Match) -> FaultHandle {
        self.inner.lock().faults.stall(matching, &self.inner.signal)
    }

    /// Ends all open watches.
    pub fn close_watches(&self) {
        self.inner.lock().watch_epoch += 1;
        self.inner.wake();
    }

    /// Breaks the connections of all open watches.
    pub fn break_watches(&self) {
        self.inner.lock().watch_breaks += 1;
        self.inner.wake();
    }

    /// Shows a past state in watches and in lists with a resourceVersion, as a server with a stale cache does. Writes
    /// and consistent reads see the present.
    pub fn freeze_cache_at(&self, resource_version: u64) -> Result<(), FakeError> {
        self.freeze(FrozenView { revision: resource_version, consistent_reads: false })
    }

    /// Shows a past state in all reads; writes see the present.
    pub fn freeze_reads_at(&self, resource_version: u64) -> Result<(), FakeError> {
        self.freeze(FrozenView { revision: resource_version, consistent_reads: true })
    }

    fn freeze(&self, view: FrozenView) -> Result<(), FakeError> {
        let mut state = self.inner.lock();
        if view.revision < state.compacted || view.revision > state.revision {
            return Err(ApiError::expired(format!(
                "cannot show resource version {}: the history reaches from {} to {}",
                view.revision, state.compacted, state.revision
            ))
            .into());
        }
        state.faults.frozen = Some(view);
        drop(state);
        self.inner.wake();
        Ok(())
    }

    /// Shows the present again.
    pub fn thaw(&self) {
        self.inner.lock().faults.frozen = None;
        self.inner.wake();
    }

    /// Ends every fault, and lets go what they hold.
    pub fn clear(&self) {
        self.inner.lock().faults.clear();
        self.inner.wake();
    }
}
