//! The diagnostics page: what a person asks first when figures look wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Makes the page at each request, on a thread that may block.
#[derive(Clone)]
pub struct DiagnosticsSource(Arc<dyn Fn() -> serde_json::Value + Send + Sync>);

impl DiagnosticsSource {
    /// A page from a closure; [`Diagnostics`] is the usual content.
    pub fn new(page: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(page))
    }

    pub(super) fn page(&self) -> serde_json::Value {
        (self.0)()
    }
}

impl fmt::Debug for DiagnosticsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DiagnosticsSource")
    }
}

/// Content of the diagnostics page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostics {
    /// Version of the operator.
    pub version: String,

    /// Revision it was built from.
    pub revision: String,

    /// Version of the API server, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,

    /// This replica.
    pub identity: String,

    /// Whether this replica leads.
    pub leading: bool,

    /// Who leads, as far as this replica knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,

    /// Streams, in order of their names.
    pub streams: Vec<StreamDiagnostics>,

    /// How many of what.
    pub counts: BTreeMap<String, u64>,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamDiagnostics {
    /// Its source, as in the label of the metrics.
    pub source: String,

    /// Time since its last event or bookmark; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event_age_ms: Option<u64>,

    /// The resourceVersion it has shown last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,

    /// Objects it holds.
    pub objects: u64,
}

impl Diagnostics {
    /// The page as JSON.
    pub fn to_value(&self) -> serde_json::Value {
        // Serialising plain strings and numbers cannot fail; if it did, an empty page would say so.
        serde_json::to_value(self).unwrap_or_default()
    }
}
