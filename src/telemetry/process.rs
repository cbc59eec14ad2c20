//! The families about the process itself. Every series of a closed set exists from the start.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{ByController, ByGap, BySource, ByWrite, Controller, GapReason, Source, WriteOutcome, Written};

/// Upper bounds: from one quick write to several that wait for a slow API server.
const RECONCILE_SECONDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];

fn reconcile_histogram() -> Histogram {
    Histogram::new(RECONCILE_SECONDS)
}

type SecondsGauge = Gauge<f64, AtomicU64>;
type SecondsCounter = Counter<f64, AtomicU64>;

/// Handles of the families about the process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) leader: Gauge,
    pub(super) observed_until_seconds: Family<BySource, SecondsGauge>,
    pub(super) observation_gap_seconds: Family<ByGap, SecondsCounter>,
    pub(super) clamped_times: Family<BySource, Counter>,
    pub(super) ignored_endpoints: Family<BySource, Gauge>,
    pub(super) clock_offset_seconds: SecondsGauge,
    pub(super) clock_steps: Counter,
    pub(super) reconcile_seconds: Family<ByController, Histogram>,
    pub(super) writes: Family<ByWrite, Counter>,
    pub(super) watch_restarts: Family<BySource, Counter>,
}

impl Process {
    pub(super) fn new(sources: &[Source]) -> Self {
        let process = Self {
            leader: Gauge::default(),
            observed_until_seconds: Family::default(),
            observation_gap_seconds: Family::default(),
            clamped_times: Family::default(),
            ignored_endpoints: Family::default(),
            clock_offset_seconds: SecondsGauge::default(),
            clock_steps: Counter::default(),
            reconcile_seconds: Family::new_with_constructor(reconcile_histogram),
            writes: Family::default(),
            watch_restarts: Family::default(),
        };
        process.create(sources);
        process
    }

    /// Makes every series at once: a counter that appears with its first event hides that event from `increase`.
    fn create(&self, sources: &[Source]) {
        for &source in sources {
            let labels = BySource { source };
            self.observed_until_seconds.get_or_create_owned(&labels);
            self.clamped_times.get_or_create_owned(&labels);
            self.ignored_endpoints.get_or_create_owned(&labels);
            self.watch_restarts.get_or_create_owned(&labels);
            for &reason in GapReason::ALL {
                self.observation_gap_seconds.get_or_create_owned(&ByGap { source, reason });
            }
        }
        for &kind in Controller::ALL {
            self.reconcile_seconds.get_or_create_owned(&ByController { kind });
        }
        for &kind in Written::ALL {
            for &outcome in WriteOutcome::ALL {
                self.writes.get_or_create_owned(&ByWrite { kind, outcome });
            }
        }
    }

    pub(super) fn register(&self, registry: &mut Registry, version: &str, revision: &str) {
        let build = Info::new(vec![("version", version.to_owned()), ("revision", revision.to_owned())]);
        registry.register("build", "Version and revision of the operator", build);
        registry.register("leader", "Whether this replica leads", self.leader.clone());
        registry.register(
            "observed_until_timestamp_seconds",
            "Instant up to which observation is proved, 0 before the first proof",
            self.observed_until_seconds.clone(),
        );
        registry.register(
            "observation_gap_seconds",
            "Time without observation that was not closed by evidence",
            self.observation_gap_seconds.clone(),
        );
        registry.register(
            "clamped_times",
            "Times of facts that were moved into the bounds of what is possible",
            self.clamped_times.clone(),
        );
        registry.register("ignored_endpoints", "Endpoints that cannot be counted", self.ignored_endpoints.clone());
        registry.register(
            "clock_offset_seconds",
            "Clock of the API server less the clock of this replica",
            self.clock_offset_seconds.clone(),
        );
        registry.register(
            "clock_steps",
            "Steps of the API server's clock by more than a second",
            self.clock_steps.clone(),
        );
        registry.register(
            "reconcile_seconds",
            "Time from the plan of an object to the end of its writes",
            self.reconcile_seconds.clone(),
        );
        registry.register("writes", "Writes to the API server", self.writes.clone());
        registry.register("watch_restarts", "Watches that began anew", self.watch_restarts.clone());
    }
}
