//! The one integration test binary.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cli;
