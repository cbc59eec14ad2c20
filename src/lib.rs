//! Assize: service management after ISO/IEC 20000-1, measured and enforced by a Kubernetes operator.
//!
//! Dependencies point one way: [`api`] ← [`domain`] ← `observe`, [`report`], [`telemetry`], `control` ← [`cli`].
//!
//! - Invariant: `api` and `domain` do no I/O: no client, no async, no clock, no environment, no logging.
//! - Invariant: every millisecond has exactly one class, after any sequence of faults.
//! - Invariant: what was not observed is unknown, never up.

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod domain;
pub mod observe;
pub mod report;
pub mod telemetry;
