//! Assize: service management after ISO/IEC 20000-1, measured and enforced by a Kubernetes operator.
pub mod api;
pub mod domain;
