//! What metrics and the diagnostics page read of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use crate::api::service::{State, WorkloadKind};
use crate::domain::accounting::{ClassSums, classify};
use crate::domain::agreement::Terms;
use crate::domain::decimal::Fraction;
use crate::domain::readiness::Observation;
use crate::domain::report::{Facts, JudgedTarget, hours_within};
use crate::domain::time::{Instant, Interval};
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;
use crate::telemetry::diagnostics::{Diagnostics, DiagnosticsSource, StreamDiagnostics};
use crate::telemetry::labels::Source;
use crate::telemetry::snapshot::{AgreementSample, ComponentSample, ServiceSample, Sink, Snapshot};

use super::clock::Clock;
use super::record::Record;
use super::report::{Judging, ledger_period};
use super::streams::Stream;
use super::world::{AgreementEntry, World};

/// Reads the world for metrics and diagnostics.
#[derive(Debug)]
pub struct View {
    world: Arc<RwLock<World>>,
    clock: Clock,
    identity: String,
}

impl View {
    /// A view of a world.
    pub fn new(world: Arc<RwLock<World>>, clock: Clock, identity: &str) -> Self {
        Self { world, clock, identity: identity.to_owned() }
    }

    /// The diagnostics page.
    pub fn diagnostics(self: &Arc<Self>) -> DiagnosticsSource {
        let view = self.clone();
        DiagnosticsSource::new(move || view.page().to_value())
    }

    fn page(&self) -> Diagnostics {
        let world = self.world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.clock.now();
        let mut streams: Vec<StreamDiagnostics> = world
            .streams()
            .map(|(stream, state)| StreamDiagnostics {
                source: stream.name().to_owned(),
                last_event_age_ms: state.heard.map(|heard| now.ms_since(heard).unsigned_abs()),
                ..StreamDiagnostics::default()
            })
            .collect();
        streams.sort_by(|one, other| one.source.cmp(&other.source));
        let counts = [
            ("services", world.services().len()),
            ("agreements", world.agreements().len()),
            ("calendars", world.calendar_versions().len()),
            ("waiting", world.waiting()),
            ("undecodable", world.undecodable()),
        ];
        Diagnostics {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: crate::config::REVISION.to_owned(),
            identity: self.identity.clone(),
            leading: world.leadership().is_some(),
            streams,
            counts: counts.into_iter().map(|(name, count)| (name.to_owned(), count as u64)).collect::<BTreeMap<_, _>>(),
            ..Diagnostics::default()
        }
    }
}

impl Snapshot for View {
    fn visit(&self, sink: &mut dyn Sink) {
        let world = self.world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.clock.now();
        for (key, entry) in world.services() {
            let Some(tracker) = &entry.tracker else { continue };
            let state = if world.horizon(key, now) < now { State::Unknown } else { tracker.composite().state };
            sink.service(&ServiceSample { namespace: &key.namespace, service: &key.name, state });
            for (rules, tracked) in tracker.rules().components.iter().zip(tracker.members()) {
                let (ready, desired) = match tracked.observation {
                    Observation::Counted { ready, desired } => (Some(ready), desired),
                    _ => (None, None),
                };
                let basis = desired.or(ready).unwrap_or(0);
                sink.component(&ComponentSample {
                    namespace: &key.namespace,
                    service: &key.name,
                    component: &rules.name,
                    ready,
                    required: ready.map(|_| rules.thresholds.min_ready.of(basis)),
                });
            }
        }
        let Some(started) = world.started() else { return };
        for (key, entry) in world.agreements() {
            visit_agreement(&world, key, entry, started, now, sink);
        }
    }
}

fn visit_agreement(
    world: &World,
    key: &ObjectKey,
    entry: &AgreementEntry,
    started: Instant,
    now: Instant,
    sink: &mut dyn Sink,
) {
    let Some(record) = &entry.record else { return };
    let Some(version) = record.terms.at(now) else { return };
    let terms = &version.value;
    let no_versions = Versions::default();
    let service_key = ObjectKey::new(key.namespace.clone(), record.service.clone());
    let service = world.services().get(&service_key);
    let horizon = world.horizon(&service_key, now);
    let facts = Facts {
        terms: &record.terms,
        calendars: world.calendar_versions(),
        service: service.map_or(&no_versions, |service| &service.versions),
        service_name: &record.service,
        created: record.created,
    };
    let judging = Judging { record, facts, now, horizon };
    let judged = judging.judge(&ledger_period(terms, now)).0;
    let Some(part) = judged.parts.last() else { return };
    for target in &part.targets {
        let classes = class_totals(world, record, terms, target, started, horizon);
        sink.agreement(&sample(key, target, classes));
    }
}

/// All time by class that this process accounted: from its start to what is proved. Later evidence about the time in
/// between is not accrued twice.
fn class_totals(
    world: &World,
    record: &Record,
    terms: &Terms,
    target: &JudgedTarget,
    started: Instant,
    horizon: Instant,
) -> ClassSums {
    let Some(span) = Interval::new(started, horizon).and_then(|span| terms.in_term(span, record.created)) else {
        return ClassSums::default();
    };
    let hours = hours_within(world.calendar_versions(), terms.calendar.as_ref(), span);
    record.line(&target.terms).map_or_else(ClassSums::default, |line| classify(line.segments(span, horizon), &hours))
}

fn sample<'a>(key: &'a ObjectKey, target: &'a JudgedTarget, classes: ClassSums) -> AgreementSample<'a> {
    let figures = &target.figures;
    let ratio = |fraction: Option<Fraction>| fraction.map(Fraction::as_ratio);
    AgreementSample {
        namespace: &key.namespace,
        agreement: &key.name,
        target: &target.terms.name,
        availability_ratio: ratio(figures.availability()),
        lowest_ratio: ratio(figures.lowest()),
        highest_ratio: ratio(figures.highest()),
        raw_ratio: ratio(figures.raw()),
        coverage_ratio: ratio(figures.coverage()),
        objective_ratio: target
            .terms
            .yardstick
            .objective
            .and_then(|objective| Fraction::new(objective.ten_thousandths(), 1_000_000))
            .map(Fraction::as_ratio),
        budget_left_ratio: ratio(figures.budget_left()),
        budget_ms: figures.budget_ms(),
        verdict: target.judgement.map(|judgement| judgement.verdict),
        period: *figures.sums(),
        classes,
    }
}

/// The label of a stream in metrics; none for what measures nothing.
pub fn source(stream: &Stream) -> Option<Source> {
    Some(match stream {
        Stream::CoreServices => Source::CoreServices,
        Stream::Slices => Source::EndpointSlices,
        Stream::Workloads(WorkloadKind::Deployment) => Source::Deployments,
        Stream::Workloads(WorkloadKind::StatefulSet) => Source::StatefulSets,
        Stream::Workloads(WorkloadKind::DaemonSet) => Source::DaemonSets,
        Stream::Services => Source::Services,
        Stream::Agreements => Source::Agreements,
        Stream::Calendars => Source::Calendars,
        Stream::Reports => Source::Reports,
        Stream::Pods(_) => Source::Pods,
        Stream::Versions | Stream::Lease => return None,
    })
}
