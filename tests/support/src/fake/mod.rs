//! An in-process API server for fault sweeps.
//!
//! It answers a [`kube::Client`] without sockets ([`FakeApiServer::client`]) or any other client through plain HTTP on
//! 127.0.0.1 ([`FakeApiServer::listen`]); one handler is behind both. Time, uids and generated names are counted, so
//! that a run can be repeated exactly. The functions of [`crate::conformance`] run against it and against the real
//! server, so that it cannot drift.
//!
//! ```ignore
//! let clock = ManualClock::default();
//! let server = FakeApiServer::builder().clock(clock.clock()).definitions(include_str!("crds.yaml")).build()?;
//! server.apply_object(service)?;
//!
//! // Stop the controller after its k-th write, start it again, and compare.
//! let point = Match::writes().user_agent("assize").nth(k);
//! let fault = server.faults().on_request(point, Action::HangReply);
//! let task = tokio::spawn(run(server.client("assize")));
//! fault.reached().await;
//! task.abort();
//! fault.remove();
//! ```
//!
//! What it does: list, watch (bookmarks, streaming lists, 410), create, replace, merge patch, server-side apply, delete,
//! finalizers, `/status`, dry run, pruning, defaults and validation by structural schema, discovery, access reviews.
//!
//! What it leaves out, so that no test relies on it:
//! - CEL rules (`x-kubernetes-validations`) and admission webhooks or policies are not run;
//! - there are no controllers: no garbage collection by owner, and a deleted namespace stays `Terminating`;
//! - there is no JSON patch or strategic merge patch, no `/scale`, no protobuf, no tables, no conversion of versions;
//! - built-in kinds have no schema: they are neither pruned, defaulted nor validated, and lists in them are atomic for
//!   server-side apply but for those that `fieldset.rs` names;
//! - `v1` and `events.k8s.io/v1` events are kept apart, and Pods are deleted without a grace period;
//! - a watch that lags behind the history ends with 410, where the real server would buffer for a while.
mod apply;
mod checks;
mod clock;
mod control;
mod discovery;
mod faults;
mod fieldset;
mod handler;
mod list;
mod listener;
mod log;
mod managed_fields;
mod matching;
mod request;
mod resources;
mod respond;
mod schema;
mod selectors;
mod server;
mod service;
mod store;
mod watch;
mod write;

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use self::store::State;
pub use self::{
    clock::{Clock, ManualClock},
    control::Faults,
    faults::{Action, EventAction, FaultHandle},
    listener::Listener,
    log::{CountKey, Entry, Verb},
    matching::Match,
    respond::ReplyBody,
    server::{Builder, Change, FakeApiServer, FakeError},
    service::FakeService,
    store::EventKind,
};

/// What every door and every stream shares.
struct Inner {
    state: Mutex<State>,
    /// Ticks whenever a stream may have something to do.
    signal: tokio::sync::watch::Sender<u64>,
    clock: Clock,
}

impl Inner {
    /// The state; a test that panicked meanwhile does not matter to the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn wake(&self) {
        self.signal.send_modify(|tick| *tick += 1);
    }
}
