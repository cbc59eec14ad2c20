//! The one integration test binary.
#![allow(clippy::unwrap_used, clippy::panic)]
// Tests write values in place, and their futures run once.
#![allow(clippy::needless_pass_by_value, clippy::large_futures)]

mod acceptance;
mod architecture;
mod cli;
mod cluster;
mod generated;
mod operator;
mod validation;
mod world;
