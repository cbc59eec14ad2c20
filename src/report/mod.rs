//! A report as data, then its renderings.

pub mod document;

pub use document::Document;
