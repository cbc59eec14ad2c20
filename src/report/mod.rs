//! A report as data, then its renderings.

pub mod capacity;
pub mod corrections;
pub mod csv;
pub mod document;
pub mod markdown;
pub mod rules;
pub mod text;
pub mod words;

pub use document::Document;
pub use words::Parties;
