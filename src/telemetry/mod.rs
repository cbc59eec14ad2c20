//! What the operator tells about itself and what it measures: logs, traces, metric families, health, diagnostics.
//!
//! Nothing here reads a clock or the environment: time, endpoints and filters are arguments.

pub mod diagnostics;
pub mod health;
pub mod labels;
pub mod limits;
pub mod logs;
pub mod metrics;
mod objects;
mod process;
mod rows;
pub mod server;
pub mod snapshot;
