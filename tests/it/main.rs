//! The one integration test binary.
#![allow(clippy::unwrap_used, clippy::panic)]

mod acceptance;
mod architecture;
mod cli;
mod cluster;
mod generated;
mod operator;
mod validation;
