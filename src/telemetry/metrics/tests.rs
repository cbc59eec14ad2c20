#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::api::service::State;
use crate::domain::accounting::{ClassSums, Verdict};
use crate::telemetry::snapshot::{AgreementSample, ComponentSample, ServiceSample, Sink};

/// An exposition, read back as the format says: types by family, values by series.
#[derive(Debug, Default)]
struct Exposition {
    types: BTreeMap<String, String>,
    series: BTreeMap<(String, Vec<(String, String)>), f64>,
}

impl Exposition {
    fn of(metrics: &Metrics) -> Self {
        let mut text = String::new();
        metrics.encode(&mut text).unwrap();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        let (body, end) = text.split_at(text.len() - "# EOF\n".len());
        assert_eq!(end, "# EOF\n");
        let mut family = String::new();
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (_, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(
                    parsed.types.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "{name} comes twice"
                );
                family = name.to_owned();
            } else {
                let (name, labels, value) = Self::sample(line);
                let suffix = name
                    .strip_prefix(family.as_str())
                    .expect("a series belongs to the family before it");
                let allowed: &[&str] = match parsed.types[&family].as_str() {
                    "gauge" => &[""],
                    "counter" => &["_total"],
                    "info" => &["_info"],
                    "histogram" => &["_sum", "_count", "_bucket"],
                    other => unreachable!("{other}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                assert!(
                    parsed.series.insert((name, labels), value).is_none(),
                    "{line} comes twice"
                );
            }
        }
        parsed
    }

    fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
        let name_end = line.find(['{', ' ']).unwrap();
        let name = line[..name_end].to_owned();
        let mut rest = &line[name_end..];
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (key, after) = rest.trim_start_matches(',').split_once("=\"").unwrap();
                let mut value = String::new();
                let mut characters = after.char_indices();
                let end = loop {
                    match characters.next().unwrap() {
                        (index, '"') => break index,
                        (_, '\\') => value.push(match characters.next().unwrap().1 {
                            'n' => '\n',
                            escaped @ ('\\' | '"') => escaped,
                            other => unreachable!("\\{other}"),
                        }),
                        (_, other) => value.push(other),
                    }
                };
                labels.push((key.to_owned(), value));
                rest = &after[end + 1..];
            }
            rest = &rest[1..];
        }
        (name, labels, rest.trim().parse().unwrap())
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let key = (name.to_owned(), labels);
        *self
            .series
            .get(&key)
            .unwrap_or_else(|| unreachable!("no {key:?} in {:#?}", self.series))
    }

    fn count(&self, start: &str) -> usize {
        self.series.keys().filter(|(name, _)| name.starts_with(start)).count()
    }

    fn agreements(&self) -> BTreeSet<&str> {
        let labels = self.series.keys().flat_map(|(_, labels)| labels);
        labels
            .filter(|(key, _)| key == "agreement")
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// Agreements by name and number of targets, shown in the order given.
struct Agreements(Vec<(String, usize)>);

impl Snapshot for Agreements {
    fn visit(&self, sink: &mut dyn Sink) {
        for (agreement, targets) in &self.0 {
            for target in 0..*targets {
                let target = format!("t{target}");
                sink.agreement(&AgreementSample {
                    namespace: "ns",
                    agreement,
                    target: &target,
                    ..Default::default()
                });
            }
        }
    }
}

struct Shop;

impl Snapshot for Shop {
    fn visit(&self, sink: &mut dyn Sink) {
        sink.service(&ServiceSample {
            namespace: "shop",
            service: "web",
            state: State::Degraded,
        });
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
            period: ClassSums {
                up: 3_600_000,
                ..ClassSums::default()
            },
            classes: ClassSums {
                down: 1500,
                out_of_hours: 7000,
                ..ClassSums::default()
            },
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
    MetricsOptions {
        detail: Detail::Full,
        ..MetricsOptions::default()
    }
}

#[test]
fn the_series_of_the_process_exist_from_the_start() {
    let sources = [Source::EndpointSlices, Source::Probe];
    let options = MetricsOptions {
        sources: &sources,
        version: "1.2.3",
        revision: "abc",
        ..Default::default()
    };
    let read = Exposition::of(&Metrics::new(&options));
    assert_eq!(
        read.value("assize_build_info", &[("version", "1.2.3"), ("revision", "abc")]),
        1.0
    );
    for name in [
        "assize_leader",
        "assize_clock_offset_seconds",
        "assize_clock_steps_total",
    ] {
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
    assert_eq!(
        read.count("assize_observation_gap_seconds_total"),
        sources.len() * GapReason::ALL.len()
    );
    assert_eq!(
        read.value("assize_writes_total", &[("kind", "Lease"), ("outcome", "Conflict")]),
        0.0
    );
    assert_eq!(
        read.count("assize_writes_total"),
        Written::ALL.len() * WriteOutcome::ALL.len()
    );
    assert_eq!(read.count("assize_reconcile_seconds_count"), Controller::ALL.len());
    assert_eq!(read.types["assize_reconcile_seconds"], "histogram");
    assert_eq!(read.types["assize_build"], "info");
}

#[test]
fn methods_move_the_series_of_the_process() {
    let metrics = Metrics::new(&MetricsOptions::default());
    metrics.set_leader(true);
    metrics.set_observed_until(Source::Pods, Instant::from_ms(1_763_000_000_250));
    metrics.add_observation_gap(Source::Pods, GapReason::SourceLost, Duration::from_millis(1500));
    metrics.count_clamped_time(Source::Pods);
    metrics.set_ignored_endpoints(Source::EndpointSlices, 4);
    metrics.set_clock_offset(-250);
    metrics.count_clock_step();
    metrics.observe_reconcile(Controller::Agreement, Duration::from_millis(20));
    metrics.count_write(Written::Report, WriteOutcome::Applied);
    metrics.count_watch_restart(Source::Services);
    let read = Exposition::of(&metrics.clone());
    let pods = [("source", "pods")];
    assert_eq!(read.value("assize_leader", &[]), 1.0);
    assert_eq!(
        read.value("assize_observed_until_timestamp_seconds", &pods),
        1_763_000_000.25
    );
    let gap = [("source", "pods"), ("reason", "SourceLost")];
    assert_eq!(read.value("assize_observation_gap_seconds_total", &gap), 1.5);
    assert_eq!(read.value("assize_clamped_times_total", &pods), 1.0);
    assert_eq!(
        read.value("assize_ignored_endpoints", &[("source", "endpointslices")]),
        4.0
    );
    assert_eq!(read.value("assize_clock_offset_seconds", &[]), -0.25);
    assert_eq!(read.value("assize_clock_steps_total", &[]), 1.0);
    let bucket = |bound| [("le", bound), ("kind", "ServiceLevelAgreement")];
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("0.005")), 0.0);
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("0.025")), 1.0);
    assert_eq!(read.value("assize_reconcile_seconds_bucket", &bucket("+Inf")), 1.0);
    let write = [("kind", "ServiceReport"), ("outcome", "Applied")];
    assert_eq!(read.value("assize_writes_total", &write), 1.0);
    assert_eq!(
        read.value("assize_watch_restarts_total", &[("source", "services.assize.dev")]),
        1.0
    );
}

#[test]
fn objects_show_their_figures() {
    let read = Exposition::of(&leading(&full(), Shop));
    for (state, shown) in [("Up", 0.0), ("Degraded", 1.0), ("Down", 0.0), ("Unknown", 0.0)] {
        assert_eq!(
            read.value("assize_service_state", &[WEB[0], WEB[1], ("state", state)]),
            shown
        );
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
    assert_eq!(read.value("assize_metrics_dropped_series", &[]), 0.0);
}

#[test]
fn standard_leaves_the_families_of_full_out() {
    let read = Exposition::of(&leading(&MetricsOptions::default(), Shop));
    assert_eq!(read.count("assize_agreement_"), 12);
    let full = Exposition::of(&leading(&full(), Shop));
    assert_eq!(full.count("assize_agreement_"), 21);
    let more: BTreeSet<_> = full
        .types
        .keys()
        .filter(|name| !read.types.contains_key(*name))
        .cloned()
        .collect();
    let names = ["budget_seconds", "coverage_ratio", "period_seconds", "raw_ratio"];
    assert_eq!(more, names.map(|name| format!("assize_agreement_{name}")).into());
}

#[test]
fn an_unknown_agreement_has_all_its_series() {
    let read = Exposition::of(&leading(&full(), Agreements(vec![("new".into(), 1)])));
    assert_eq!(read.count("assize_agreement_"), 21);
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
    let agreements = || {
        Agreements(
            [("d", 1), ("b", 2), ("a", 1), ("c", 1)]
                .map(|(n, t)| (n.to_owned(), t))
                .into(),
        )
    };
    let at = |rows: usize| {
        let options = MetricsOptions {
            series_cap: rows * 12,
            ..Default::default()
        };
        let read = Exposition::of(&leading(&options, agreements()));
        let names: String = read.agreements().into_iter().collect();
        assert!(read.count("assize_agreement_") <= rows * 12);
        (names, read.value("assize_metrics_dropped_series", &[]) / 12.0)
    };
    assert_eq!(at(5), ("abcd".into(), 0.0));
    assert_eq!(at(4), ("abc".into(), 1.0));
    assert_eq!(at(3), ("ab".into(), 2.0));
    // An agreement is shown with all its targets or not at all.
    assert_eq!(at(2), ("a".into(), 4.0));
    assert_eq!(at(0), (String::new(), 5.0));
}

#[test]
fn labels_are_escaped() {
    let name = "quote \" backslash \\ line\nbreak } , = é";
    let read = Exposition::of(&leading(&MetricsOptions::default(), Agreements(vec![(name.into(), 1)])));
    assert_eq!(read.agreements(), BTreeSet::from([name]));
}
