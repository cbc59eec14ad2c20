//! The metric families, as one cheap handle with typed methods.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::domain::time::Instant;

use super::labels::{ByController, ByGap, BySource, ByWrite, Controller, GapReason, Source, WriteOutcome, Written};
use super::limits::AGREEMENT_SERIES;
use super::objects::{Attached, Objects};
use super::process::Process;
use super::snapshot::Snapshot;

#[cfg(test)]
mod tests;

/// Prefix of every family.
const PREFIX: &str = "assize";

/// Content type of what [`Metrics::encode`] writes. Prometheus chooses its parser by it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which families per object are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What dashboards and alerts need.
    #[default]
    Standard,
    /// Every family.
    Full,
}

/// What the metrics are made for.
#[derive(Clone, Copy, Debug)]
pub struct MetricsOptions<'a> {
    /// Which families per object are exported.
    pub detail: Detail,

    /// The sources that this replica uses: their series exist from the start.
    pub sources: &'a [Source],

    /// Version of the operator.
    pub version: &'a str,

    /// Revision it was built from.
    pub revision: &'a str,

    /// Cap of all families per agreement together, in series.
    pub series_cap: usize,
}

impl Default for MetricsOptions<'_> {
    fn default() -> Self {
        Self {
            detail: Detail::Standard,
            sources: &[],
            version: env!("CARGO_PKG_VERSION"),
            revision: "unknown",
            series_cap: AGREEMENT_SERIES,
        }
    }
}

/// All metrics of the process; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    process: Process,
    process_registry: Registry,
    object_registry: Registry,
    attached: Attached,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").field("process", &self.0.process).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Makes every family.
    pub fn new(options: &MetricsOptions<'_>) -> Self {
        let process = Process::new(options.sources);
        let mut process_registry = Registry::with_prefix(PREFIX);
        process.register(&mut process_registry, options.version, options.revision);
        let attached = Attached::default();
        let objects = Objects::new(attached.clone(), options.detail, options.series_cap);
        let mut object_registry = Registry::with_prefix(PREFIX);
        object_registry.register_collector(Box::new(objects));
        Self(Arc::new(Inner { process, process_registry, object_registry, attached }))
    }

    /// Names what the families per object are computed from; a later snapshot takes the place of an earlier one.
    pub fn attach(&self, snapshot: Arc<dyn Snapshot>) {
        *self.0.attached.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    /// Writes the complete exposition. The families per object are written by the leader only: two replicas that
    /// export the same agreement would count it twice.
    ///
    /// A slow writer holds no lock but those it holds itself.
    pub fn encode(&self, writer: &mut dyn Write) -> fmt::Result {
        let mut writer = writer;
        let attached = self.0.attached.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(snapshot) = attached {
            snapshot.refresh(self);
        }
        // The families of the process hold locks while they are encoded, so that goes to memory, which never waits.
        let mut text = String::new();
        encode_registry(&mut text, &self.0.process_registry)?;
        writer.write_str(&text)?;
        if self.0.process.leader.get() == 1 {
            encode_registry(&mut writer, &self.0.object_registry)?;
        }
        encode_eof(&mut writer)
    }

    /// Whether this replica leads.
    pub fn set_leader(&self, leading: bool) {
        self.0.process.leader.set(i64::from(leading));
    }

    /// The instant up to which a source is proved.
    pub fn set_observed_until(&self, source: Source, until: Instant) {
        let gauge = self.0.process.observed_until_seconds.get_or_create_owned(&BySource { source });
        gauge.set(until.as_ms() as f64 / 1000.0);
    }

    /// Time without observation that no evidence can close any more: so much since the process began.
    pub fn set_observation_gap(&self, source: Source, reason: GapReason, length_ms: i64) {
        let counter = self.0.process.observation_gap_seconds.get_or_create_owned(&ByGap { source, reason });
        // Seconds that are not negative are ordered as their bits are.
        let seconds = Duration::from_millis(length_ms.max(0).unsigned_abs()).as_secs_f64();
        counter.inner().fetch_max(seconds.to_bits(), Ordering::Relaxed);
    }

    /// Times of facts were moved into the bounds of what is possible: so many since the process began.
    pub fn set_clamped_times(&self, source: Source, count: u64) {
        let counter = self.0.process.clamped_times.get_or_create_owned(&BySource { source });
        counter.inner().fetch_max(count, Ordering::Relaxed);
    }

    /// How many endpoints of a source cannot be counted now.
    pub fn set_ignored_endpoints(&self, source: Source, count: u32) {
        self.0.process.ignored_endpoints.get_or_create_owned(&BySource { source }).set(i64::from(count));
    }

    /// Clock of the API server less the clock of this replica.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        self.0.process.clock_offset_seconds.set(offset_ms as f64 / 1000.0);
    }

    /// The API server's clock stepped.
    pub fn count_clock_step(&self) {
        self.0.process.clock_steps.inc();
    }

    /// How long it took from the plan of an object to the end of its writes.
    pub fn observe_reconcile(&self, kind: Controller, length: Duration) {
        self.0.process.reconcile_seconds.get_or_create_owned(&ByController { kind }).observe(length.as_secs_f64());
    }

    /// A write ended.
    pub fn count_write(&self, kind: Written, outcome: WriteOutcome) {
        self.0.process.writes.get_or_create_owned(&ByWrite { kind, outcome }).inc();
    }

    /// A watch began anew.
    pub fn count_watch_restart(&self, source: Source) {
        self.0.process.watch_restarts.get_or_create_owned(&BySource { source }).inc();
    }
}
