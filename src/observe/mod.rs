//! Measurement sources: what watches show, kept in compact indexes.
//!
//! The indexes are plain structs with sync methods; a watch loop feeds them. Objects are read into a few fields and
//! forgotten, so that memory follows endpoints and not YAML.

pub mod endpoints;
pub mod facts;
pub mod pods;
pub mod workloads;
