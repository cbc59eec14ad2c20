//! The rules: pure functions over values. No client, no async, no clock, no environment, no logging; time is an
//! argument.

pub mod accounting;
pub mod adopt;
pub mod agreement;
pub mod budget;
pub mod burn;
pub mod calendar;
pub mod calendar_spec;
pub mod chain;
pub mod check;
pub mod conditions;
pub mod decimal;
pub mod digest;
pub mod duration;
pub mod inference;
pub mod limits;
pub mod maintenance;
pub mod period;
pub mod probability;
pub mod readiness;
pub mod reason;
pub mod recurrence;
pub mod reliability;
pub mod replay;
pub mod report;
pub mod schema;
pub mod service;
pub mod term;
pub mod time;
pub mod timeline;
pub mod tracker;
pub mod verify;
pub mod version;
pub mod version_record;
pub mod violation;
pub mod zone;
