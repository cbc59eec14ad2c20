//! The rules: pure functions over values. No client, no async, no clock, no environment, no logging; time is an
//! argument.

pub mod accounting;
pub mod decimal;
pub mod digest;
pub mod duration;
pub mod limits;
pub mod readiness;
pub mod reason;
pub mod service;
pub mod time;
pub mod timeline;
