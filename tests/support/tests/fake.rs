//! The fake API server: what it shares with the real one, and what only it can do.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "fake/conformance.rs"]
mod conformance;
#[path = "fake/faults.rs"]
mod faults;
#[path = "fake/store.rs"]
mod store;

use assize_testkit::{conformance::definition, fake::FakeApiServer};

/// A server that knows the conformance suite's kind.
fn server() -> FakeApiServer {
    FakeApiServer::builder()
        .definitions(&definition().to_string())
        .build()
        .unwrap()
}
