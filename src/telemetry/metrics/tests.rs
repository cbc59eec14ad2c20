#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::collections::BTreeSet;

use super::*;
use crate::api::report::Phase;
use crate::api::service::State;
use crate::domain::accounting::{ClassSums, Verdict};
use crate::telemetry::snapshot::{
    AgreementSample, BurnSample, ComponentSample, LedgerSample, MaintenanceSample, ServiceSample, Sink,
};

mod exposition;

use exposition::Exposition;

/// Agreements by name and number of targets, shown in the order given.
struct Agreements(Vec<(String, usize)>);

impl Snapshot for Agreements {
    fn visit(&self, sink: &mut dyn Sink) {
        for (agreement, targets) in &self.0 {
            for target in 0..*targets {
                let target = format!("t{target}");
                let burn_rates = [1, 2, 3, 4, 5, 6, 7].map(|window_ms| {
                    let is_shown = sink.detail() == Detail::Full || window_ms < 5;
                    BurnSample { window_ms: if is_shown { window_ms } else { 0 }, rate: None }
                });
                let sample =
                    AgreementSample { namespace: "ns", agreement, target: &target, burn_rates, ..Default::default() };
                sink.agreement(&sample);
            }
            if sink.detail() == Detail::Full {
                let reports = [("2026-10", Phase::Provisional), ("2026-11", Phase::Open)].map(Some);
                sink.ledger(&LedgerSample { namespace: "ns", agreement, rolled_up_entries: 7, reports });
                let sample = |change, is_active| MaintenanceSample { namespace: "ns", agreement, change, is_active };
                if agreement == "b" {
                    sink.maintenance(&sample("office/patching", true));
                    sink.maintenance(&sample("office/sunday", false));
                }
            }
        }
    }
}

struct Shop;

impl Snapshot for Shop {
    fn visit(&self, sink: &mut dyn Sink) {
        sink.service(&ServiceSample { namespace: "shop", service: "web", state: State::Degraded });
        let component = |component, ready| ComponentSample {
            namespace: "shop",
            service: "web",
            component,
            ready,
            required: Some(3),
        };
        sink.component(&component("api", Some(2)));
        sink.component(&component("cache", None));
        sink.agreement(&AgreementSample {
            namespace: "shop",
            agreement: "gold",
            target: "availability",
            availability_ratio: Some(0.9995),
            lowest_ratio: Some(0.99),
            highest_ratio: Some(1.0),
            raw_ratio: Some(0.5),
            coverage_ratio: Some(f64::INFINITY),
            objective_ratio: Some(0.999),
            budget_left_ratio: Some(-0.25),
            budget_ms: Some(2_592_500),
            verdict: Some(Verdict::Breached),
            period: ClassSums { up: 3_600_000, ..ClassSums::default() },
            classes: ClassSums { down: 1500, out_of_hours: 7000, ..ClassSums::default() },
            burn_rates: [
                BurnSample { window_ms: 300_000, rate: Some(133.25) },
                BurnSample { window_ms: 5_040_000, rate: None },
                BurnSample::default(),
                BurnSample::default(),
                BurnSample::default(),
                BurnSample::default(),
                BurnSample::default(),
            ],
        });
    }
}

const WEB: [(&str, &str); 2] = [("namespace", "shop"), ("service", "web")];
const GOLD: [(&str, &str); 3] = [("namespace", "shop"), ("agreement", "gold"), ("target", "availability")];
const CLASSES: [&str; 6] = ["up", "degraded", "down", "unknown", "excluded", "out_of_hours"];

fn leading(options: &MetricsOptions<'_>, snapshot: impl Snapshot) -> Metrics {
    let metrics = Metrics::new(options);
    metrics.attach(Arc::new(snapshot));
    metrics.set_leader(true);
    metrics
}

fn full() -> MetricsOptions<'static> {
    MetricsOptions { detail: Detail::Full, ..MetricsOptions::default() }
}

#[test]
fn the_series_of_the_process_exist_from_the_start() {
    let sources = [Source::EndpointSlices, Source::Probe];
    let options = MetricsOptions { sources: &sources, version: "1.2.3", revision: "abc", ..Default::default() };
    let read = Exposition::of(&Metrics::new(&options));
    assert_eq!(read.value("assize_build_info", &[("version", "1.2.3"), ("revision", "abc")]), 1.0);
    for name in ["assize_leader", "assize_clock_offset_seconds", "assize_clock_steps_total"] {
        assert_eq!(read.value(name, &[]), 0.0);
    }
    for name in [
        "assize_observed_until_timestamp_seconds",
        "assize_clamped_times_total",
        "assize_ignored_endpoints",
        "assize_watch_restarts_total",
    ] {
        assert_eq!(read.value(name, &[("source", "endpointslices")]), 0.0);
        assert_eq!(read.count(name), sources.len());
    }
    assert_eq!(read.count("assize_observation_gap_seconds_total"), sources.len() * GapReason::ALL.len());
    assert_eq!(read.value("assize_writes_total", &[("kind", "Lease"), ("outcome", "Conflict")]), 0.0);
    assert_eq!(read.count("assize_writes_total"), Written::ALL.len() * WriteOutcome::ALL.len());
    assert_eq!(read.count("assize_reconcile_seconds_count"), Controller::ALL.len());
    assert_eq!(read.types["assize_reconcile_seconds"], "histogram");
    assert_eq!(read.types["assize_build"], "info");
}

#[test]
fn methods_move_the_series_of_the_process() {
    let metrics = Metrics::new(&MetricsOptions::default());
    metrics.set_leader(true);
    metrics.set_observed_until(Source::Pods, Instant::from_ms(1_763_000_000_250));
    metrics.set_observation_gap(Source::Pods, GapReason::SourceLost, 1500);
    metrics.set_clamped_times(Source::Pods, 1);
    metrics.set_ignored_endpoints(Source::EndpointSlices, 4);
    metrics.set_clock_offset(-250);
    metrics.count_clock_step();
    metrics.observe_reconcile(Controller::Agreement, Duration::from_millis(20));
    metrics.count_write(Written::Report, WriteOutcome::Applied);
    metrics.count_watch_restart(Source::Services);
    let read = Exposition::of(&metrics.clone());
    let pods = [("source", "pods")];
    assert_eq!(read.value("assize_leader", &[]), 1.0);
    assert_eq!(read.value("assize_observed_until_timestamp_seconds", &pods), 1_763_000_000.25);
    let gap = [("source", "pods"), ("reason", "SourceLost")];
    assert_eq!(read.value("assize_observation_gap_seconds_total", &gap), 1.5);
    assert_eq!(read.value("assize_clamped_times_total", &pods), 1.0);
    assert_eq!(read.value("assize_ignored_endpoints", &[("source", "endpointslices")]), 4.0);
    assert_eq!(read.value("assize_clock_offset_seconds", &[]), -0.25);
    assert_eq!(read.value("assize_clock_steps_total", &[]), 1.0);
    let bucket = |bound| [("le", bound), ("kind", "ServiceLevelAgreement")];
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("0.005")), 0.0);
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("0.025")), 1.0);
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("+Inf")), 1.0);
    let write = [("kind", "ServiceReport"), ("outcome", "Applied")];
    assert_eq!(read.value("assize_writes_total", &write), 1.0);
    assert_eq!(read.value("assize_watch_restarts_total", &[("source", "services.assize.dev")]), 1.0);
}

#[test]
fn objects_show_their_figures() {
    let read = Exposition::of(&leading(&full(), Shop));
    for (state, shown) in [("Up", 0.0), ("Degraded", 1.0), ("Down", 0.0), ("Unknown", 0.0)] {
        assert_eq!(read.value("assize_service_state", &[WEB[0], WEB[1], ("state", state)]), shown);
    }
    let component = |name| [WEB[0], WEB[1], ("component", name)];
    assert_eq!(read.value("assize_component_ready", &component("api")), 2.0);
    assert!(read.value("assize_component_ready", &component("cache")).is_nan());
    assert_eq!(read.value("assize_component_required", &component("cache")), 3.0);
    for (name, shown) in [
        ("availability_ratio", 0.9995),
        ("lowest_ratio", 0.99),
        ("highest_ratio", 1.0),
        ("raw_ratio", 0.5),
        ("objective_ratio", 0.999),
        ("budget_left_ratio", -0.25),
        ("budget_seconds", 2592.5),
        ("verdict", 3.0),
    ] {
        assert_eq!(read.value(&format!("assize_agreement_{name}"), &GOLD), shown, "{name}");
    }
    assert!(read.value("assize_agreement_coverage_ratio", &GOLD).is_nan());
    let of = |name: &str, class| read.value(name, &[GOLD[0], GOLD[1], GOLD[2], ("class", class)]);
    for class in CLASSES {
        let expected = match class {
            "down" => 1.5,
            "out_of_hours" => 7.0,
            _ => 0.0,
        };
        assert_eq!(of("assize_agreement_class_seconds_total", class), expected, "{class}");
        let expected = if class == "up" { 3600.0 } else { 0.0 };
        assert_eq!(of("assize_agreement_period_seconds", class), expected, "{class}");
    }
    assert_eq!(read.types["assize_agreement_class_seconds"], "counter");
    let burn = |window| read.value("assize_agreement_burn_rate", &[GOLD[0], GOLD[1], GOLD[2], ("window", window)]);
    assert_eq!(burn("5m"), 133.25);
    assert!(burn("1h24m").is_nan());
    assert_eq!(read.value("assize_metrics_dropped_series", &[]), 0.0);
}

#[test]
fn standard_leaves_the_families_of_full_out() {
    let read = Exposition::of(&leading(&MetricsOptions::default(), Shop));
    assert_eq!(read.count("assize_agreement_"), 12 + 2);
    let full = Exposition::of(&leading(&full(), Shop));
    assert_eq!(full.count("assize_agreement_"), 21 + 2);
    let more: BTreeSet<_> = full.types.keys().filter(|name| !read.types.contains_key(*name)).cloned().collect();
    let names = ["budget_seconds", "coverage_ratio", "period_seconds", "raw_ratio"];
    let mut names: BTreeSet<String> = names.map(|name| format!("assize_agreement_{name}")).into();
    let others = ["report_phase", "maintenance_active", "ledger_rolled_up_entries"];
    names.extend(others.map(|name| format!("assize_{name}")));
    assert_eq!(more, names);
}

#[test]
fn an_unknown_agreement_has_all_its_series() {
    let read = Exposition::of(&leading(&full(), Agreements(vec![("new".into(), 1)])));
    assert_eq!(read.count("assize_agreement_"), 28);
    let labels = [("namespace", "ns"), ("agreement", "new"), ("target", "t0")];
    assert!(read.value("assize_agreement_verdict", &labels).is_nan());
    assert_eq!(read.count("assize_agreement_class_seconds_total"), CLASSES.len());
}

#[test]
fn only_the_leader_shows_objects() {
    let metrics = leading(&full(), Shop);
    assert!(Exposition::of(&metrics).count("assize_service") > 0);
    metrics.set_leader(false);
    let read = Exposition::of(&metrics);
    assert_eq!(read.count("assize_service") + read.count("assize_agreement"), 0);
    assert_eq!(read.value("assize_leader", &[]), 0.0);
}

#[test]
fn removed_objects_leave_no_series() {
    let metrics = leading(&full(), Shop);
    assert!(!Exposition::of(&metrics).agreements().is_empty());
    metrics.attach(Arc::new(Agreements(Vec::new())));
    assert!(Exposition::of(&metrics).agreements().is_empty());
}

#[test]
fn beyond_the_cap_the_last_names_go_and_are_counted() {
    let agreements = || Agreements([("d", 1), ("b", 2), ("a", 1), ("c", 1)].map(|(n, t)| (n.to_owned(), t)).into());
    let at = |rows: usize| {
        let options = MetricsOptions { series_cap: rows * 16, ..Default::default() };
        let read = Exposition::of(&leading(&options, agreements()));
        let names: String = read.agreements().into_iter().collect();
        assert!(read.count("assize_agreement_") <= rows * 16);
        (names, read.value("assize_metrics_dropped_series", &[]) / 16.0)
    };
    assert_eq!(at(5), ("abcd".into(), 0.0));
    assert_eq!(at(4), ("abc".into(), 1.0));
    assert_eq!(at(3), ("ab".into(), 2.0));
    // An agreement is shown with all its targets or not at all.
    assert_eq!(at(2), ("a".into(), 4.0));
    assert_eq!(at(0), (String::new(), 5.0));
}

#[test]
fn what_is_kept_besides_targets_counts_for_the_cap() {
    let agreements = || Agreements([("b", 2), ("a", 1)].map(|(n, t)| (n.to_owned(), t)).into());
    let at = |series_cap: usize| {
        let read = Exposition::of(&leading(&MetricsOptions { series_cap, ..full() }, agreements()));
        let phases = read.count("assize_report_phase");
        let ledgers = read.count("assize_ledger_rolled_up_entries_total") + read.count("assize_maintenance_active");
        let shown = read.count("assize_agreement_") + phases + ledgers;
        (shown, phases, read.value("assize_metrics_dropped_series", &[]))
    };
    assert_eq!(at(3 * 28 + 2 * 7 + 2), (100, 12, 0.0));
    assert_eq!(at(3 * 28 + 2 * 7 + 1), (35, 6, 65.0));
    assert_eq!(at(34), (0, 0, 100.0));
    let read = Exposition::of(&leading(&full(), agreements()));
    let labels = |phase| [("namespace", "ns"), ("agreement", "a"), ("period", "2026-10"), ("phase", phase)];
    for (phase, shown) in [("Open", 0.0), ("Provisional", 1.0), ("Closed", 0.0)] {
        assert_eq!(read.value("assize_report_phase", &labels(phase)), shown, "{phase}");
    }
    assert_eq!(read.value("assize_ledger_rolled_up_entries_total", &[("namespace", "ns"), ("agreement", "b")]), 7.0);
    assert_eq!(read.types["assize_ledger_rolled_up_entries"], "counter");
    let active = |change| [("namespace", "ns"), ("agreement", "b"), ("change", change)];
    assert_eq!(read.value("assize_maintenance_active", &active("office/patching")), 1.0);
    assert_eq!(read.value("assize_maintenance_active", &active("office/sunday")), 0.0);
}

#[test]
fn labels_are_escaped() {
    let name = "quote \" backslash \\ line\nbreak } , = é";
    let read = Exposition::of(&leading(&MetricsOptions::default(), Agreements(vec![(name.into(), 1)])));
    assert_eq!(read.agreements(), BTreeSet::from([name]));
}
