//! What metrics and the diagnostics page read of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

use crate::api::report::Phase;
use crate::api::service::{State, WorkloadKind};
use crate::domain::accounting::ClassSums;
use crate::domain::agreement::{Schedule, Terms};
use crate::domain::burn::{alerts, burn_rate, windows};
use crate::domain::decimal::Fraction;
use crate::domain::readiness::Observation;
use crate::domain::report::{JudgedTarget, class_sums};
use crate::domain::time::{Instant, Interval};
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;
use crate::telemetry::diagnostics::{Diagnostics, DiagnosticsSource, StreamDiagnostics};
use crate::telemetry::labels::Source;
use crate::telemetry::metrics::{Detail, Metrics};
use crate::telemetry::snapshot::{
    AgreementSample, BURN_WINDOWS, BurnSample, ComponentSample, LedgerSample, MaintenanceSample, ServiceSample, Sink,
    Snapshot,
};

use super::clock::Clock;
use super::live::Live;
use super::record::Record;
use super::report::Judging;
use super::streams::Stream;
use super::world::{AgreementEntry, World};

/// Reads the world for metrics and diagnostics.
#[derive(Debug)]
pub struct View {
    world: Arc<RwLock<World>>,
    clock: Clock,
    identity: String,
    live: Mutex<Live>,
}

impl View {
    /// A view of a world.
    pub fn new(world: Arc<RwLock<World>>, clock: Clock, identity: &str) -> Self {
        Self { world, clock, identity: identity.to_owned(), live: Mutex::default() }
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
    fn refresh(&self, metrics: &Metrics) {
        let world = self.world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut proved: BTreeMap<Source, Option<Instant>> = BTreeMap::new();
        for (stream, state) in world.streams() {
            let Some(source) = source(stream) else { continue };
            // Of several streams of one source the least counts, as for the Lease.
            let least = proved.entry(source).or_insert(state.proved_until);
            *least = (*least).min(state.proved_until);
        }
        for (source, until) in proved {
            metrics.set_observed_until(source, until.unwrap_or(Instant::from_ms(0)));
        }
        let (ignored, clamped) = world.endpoint_anomalies();
        metrics.set_ignored_endpoints(Source::EndpointSlices, ignored);
        metrics.set_clamped_times(Source::EndpointSlices, clamped);
        for ((source, reason), ms) in world.unclosed() {
            metrics.set_observation_gap(*source, *reason, *ms);
        }
    }

    fn visit(&self, sink: &mut dyn Sink) {
        let world = self.world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut live = self.live.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
        let (Some(started), Some(leadership)) = (world.started(), world.leadership()) else { return };
        live.begin(leadership.epoch);
        let scrape = Scrape { world: &world, started, now };
        for (key, entry) in world.agreements() {
            scrape.agreement(key, entry, &mut live, sink);
        }
        live.end();
    }
}

/// One scrape.
struct Scrape<'a> {
    world: &'a World,
    started: Instant,
    now: Instant,
}

impl Scrape<'_> {
    fn agreement(&self, key: &ObjectKey, entry: &AgreementEntry, live: &mut Live, sink: &mut dyn Sink) {
        let Some(record) = &entry.record else { return };
        let Some(version) = record.terms.at(self.now) else { return };
        let terms = &version.value;
        let no_versions = Versions::default();
        let service_key = ObjectKey::new(key.namespace.clone(), record.service.clone());
        let service = self.world.services().get(&service_key);
        let horizon = self.world.horizon(&service_key, self.now);
        let versions = service.map_or(&no_versions, |service| &service.versions);
        let facts = record.facts(self.world.calendar_versions(), versions);
        let judging = Judging { record, facts, now: self.now, horizon, clock_steps: self.world.clock_steps() };
        let schedule = facts.schedule();
        let period = schedule.period_at(self.now);
        let judged = judging.judge(&period).0;
        let Some(part) = judged.parts.last() else { return };
        let is_full = sink.detail() == Detail::Full;
        let alerts = alerts(period.key.kind());
        let windows = windows(if is_full { &alerts } else { &alerts[..2] });
        for target in &part.targets {
            let line = record.line(&target.terms);
            let classes = live.accrue((key, &entry.uid), &target.terms.name, self.started, self.now, |span| {
                class_sums(facts, &target.terms, line.clone(), span, horizon)
            });
            let mut burn_rates = [BurnSample::default(); BURN_WINDOWS];
            for (sample, &window_ms) in burn_rates.iter_mut().zip(&windows) {
                let rate = burn_rate(facts, &target.terms, line.clone(), window_ms, self.now, horizon);
                *sample = BurnSample { window_ms, rate: rate.map(Fraction::as_ratio) };
            }
            sink.agreement(&AgreementSample { burn_rates, ..sample(key, target, classes) });
        }
        if is_full {
            self.ledger(key, entry, record, live, sink);
            self.maintenance(key, terms, sink);
        }
    }

    fn maintenance(&self, key: &ObjectKey, terms: &Terms, sink: &mut dyn Sink) {
        let moment = Interval { from: self.now, to: self.now.plus_ms(1) };
        for standing in terms.maintenance.standing() {
            let calendar = self.world.calendar_versions().get(&standing.calendar).and_then(|all| all.at(self.now));
            let is_active =
                calendar.is_some_and(|version| !version.value.window_occurrences(&standing.name, moment).is_empty());
            sink.maintenance(&MaintenanceSample {
                namespace: &key.namespace,
                agreement: &key.name,
                change: &format!("{}/{}", standing.calendar, standing.name),
                is_active,
            });
        }
    }

    fn ledger(&self, key: &ObjectKey, entry: &AgreementEntry, record: &Record, live: &mut Live, sink: &mut dyn Sink) {
        let rolled = record.lines.iter().flat_map(|line| line.timeline.rolled());
        let kept: u64 = rolled.map(|rolled| u64::from(rolled.entries)).sum();
        let Some(schedule) = Schedule::of(&record.terms) else { return };
        let mut reports: Vec<(Instant, Phase)> = Vec::new();
        for report in self.world.agreement_reports(key).iter().filter(|report| *report.subject_uid == *entry.uid) {
            let Some(phase) = report.phase else { continue };
            // A report that corrects another is of the same period.
            match reports.last_mut() {
                Some(last) if last.0 == report.start => last.1 = phase,
                _ => reports.push((report.start, phase)),
            }
        }
        let last_two = &reports[reports.len().saturating_sub(2)..];
        let keys: Vec<(String, Phase)> =
            last_two.iter().map(|(start, phase)| (schedule.period_at(*start).key.to_string(), *phase)).collect();
        let report = |place: usize| keys.get(place).map(|(key, phase)| (key.as_str(), *phase));
        sink.ledger(&LedgerSample {
            namespace: &key.namespace,
            agreement: &key.name,
            rolled_up_entries: live.rolled_up(key, &entry.uid, kept),
            reports: [report(0), report(1)],
        });
    }
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
        ..AgreementSample::default()
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
