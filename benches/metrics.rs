//! A scrape: encoding 10,000 agreements, the load that one leader must answer every 30 s; and the whole of it, with the
//! figures of a month, for a world of 1,000.
#![allow(missing_docs)]

use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, RwLock};

use assize::api::service::State;
use assize::control::clock::Clock;
use assize::control::streams::{ALWAYS, Stream};
use assize::control::view::View;
use assize::control::watch::Change;
use assize::control::world::{Leadership, World};
use assize::domain::accounting::{ClassSums, Verdict};
use assize::domain::time::Instant;
use assize::telemetry::metrics::{Detail, Metrics, MetricsOptions};
use assize::telemetry::snapshot::{AgreementSample, BurnSample, ComponentSample, ServiceSample, Sink, Snapshot};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;

const AGREEMENTS: usize = 10_000;

struct Load(Vec<String>);

impl Snapshot for Load {
    fn visit(&self, sink: &mut dyn Sink) {
        for (number, name) in self.0.iter().enumerate() {
            let namespace = "tenant-production";
            sink.service(&ServiceSample { namespace, service: name, state: State::Up });
            sink.component(&ComponentSample {
                namespace,
                service: name,
                component: "api",
                ready: Some(3),
                required: Some(2),
            });
            let ratio = 1.0 - number as f64 / 1e7;
            sink.agreement(&AgreementSample {
                namespace,
                agreement: name,
                target: "availability",
                availability_ratio: Some(ratio),
                lowest_ratio: Some(ratio - 1e-4),
                highest_ratio: Some(ratio),
                raw_ratio: Some(ratio),
                coverage_ratio: Some(1.0),
                objective_ratio: Some(0.9995),
                budget_left_ratio: Some(ratio / 3.0),
                budget_ms: Some(1_296_000),
                verdict: Some(Verdict::OnTrack),
                period: ClassSums { up: 1_234_567_891, down: 1_234, ..ClassSums::default() },
                classes: ClassSums { up: 21_234_567_891, down: 1_234, ..ClassSums::default() },
                burn_rates: [300_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000, 259_200_000]
                    .map(|window_ms| BurnSample { window_ms, rate: Some(ratio / 7.0) }),
            });
        }
    }
}

/// Counts bytes in place of a connection, so that only the encoding is measured.
struct Counted(u64);

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += black_box(text).len() as u64;
        Ok(())
    }
}

fn scrape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape 10,000 agreements");
    for (name, detail) in [("standard", Detail::Standard), ("full", Detail::Full)] {
        // Above the load, so that nothing is dropped and the whole load is measured.
        let options = MetricsOptions { detail, series_cap: 30 * AGREEMENTS, ..MetricsOptions::default() };
        let metrics = Metrics::new(&options);
        metrics.attach(Arc::new(Load((0..AGREEMENTS).map(|number| format!("agreement-{number:05}")).collect())));
        metrics.set_leader(true);
        let mut counted = Counted(0);
        // A writer of text cannot fail here; a failure would show as a throughput of nothing.
        let _written = metrics.encode(&mut counted);
        group.throughput(Throughput::Bytes(counted.0));
        group.sample_size(20);
        group.bench_function(name, |bencher| bencher.iter(|| metrics.encode(&mut Counted(0))));
        group.bench_function(format!("{name} to text"), |bencher| {
            bencher.iter(|| {
                let mut text = String::new();
                let _written = metrics.encode(&mut text);
                text
            });
        });
    }
    group.finish();
}

/// Agreements of the world, each about a Service of its own that was down a hundred times this month.
const WORLD: usize = 1_000;

fn object(object: &serde_json::Value) -> Change {
    Change::Applied(serde_json::value::to_raw_value(object).expect("JSON is JSON"))
}

/// A world that watched `WORLD` services for the month so far.
fn world(now: Instant) -> World {
    let mut world = World::default();
    let began = now.minus_ms(20 * 86_400_000);
    let metadata = |name: &str, version: usize| {
        json!({"namespace": "shop", "name": name, "uid": name, "resourceVersion": version.to_string(),
            "generation": 1, "creationTimestamp": began.format_utc()})
    };
    let name = |number: usize| format!("service-{number:04}");
    let slice = |number: usize, ready: bool, version: usize| {
        let mut metadata = metadata(&format!("{}-1", name(number)), version);
        metadata["labels"] = json!({"kubernetes.io/service-name": name(number)});
        object(&json!({"metadata": metadata, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]}))
    };
    for stream in ALWAYS {
        world.take(&stream, Change::Restarted, began);
        for number in 0..WORLD {
            let change = match stream {
                Stream::CoreServices => object(&json!({"metadata": metadata(&name(number), 1), "spec": {}})),
                Stream::Slices => slice(number, true, 1),
                Stream::Services => object(&json!({"metadata": metadata(&name(number), 1),
                    "spec": {"components": [{"name": "api", "endpointsOf": name(number)}]}})),
                Stream::Agreements => object(&json!({"metadata": metadata(&name(number), 1),
                    "spec": {"serviceRef": {"name": name(number)}, "targets": [{"name": "availability",
                        "kind": "Availability", "method": "Readiness", "objective": "99.9"}]}})),
                _ => continue,
            };
            world.take(&stream, change, began);
        }
        world.take(&stream, Change::Complete, began);
    }
    world.start(began);
    world.lead(Leadership { epoch: 1 }, None, std::collections::HashMap::new(), began);
    for step in 1..=200 {
        let at = began.plus_ms(step * 8_000_000);
        for number in 0..WORLD {
            world.take(&Stream::Slices, slice(number, step % 2 == 0, 1 + step as usize), at);
        }
    }
    world
}

fn scrape_a_world(criterion: &mut Criterion) {
    let clock = Clock::start(0);
    let world = Arc::new(RwLock::new(world(clock.now())));
    let mut group = criterion.benchmark_group("scrape a world of 1,000 agreements");
    for (name, detail) in [("standard", Detail::Standard), ("full", Detail::Full)] {
        let metrics = Metrics::new(&MetricsOptions { detail, ..MetricsOptions::default() });
        metrics.attach(Arc::new(View::new(world.clone(), clock.clone(), "bench")));
        metrics.set_leader(true);
        let mut text = String::new();
        let _written = metrics.encode(&mut text);
        let shown = text.lines().filter(|line| line.starts_with("assize_agreement_verdict{")).count();
        assert_eq!(shown, WORLD);
        assert!(text.contains("class=\"down\"} ") && !text.contains("assize_agreement_verdict{} NaN"));
        group.sample_size(10);
        group.bench_function(name, |bencher| bencher.iter(|| metrics.encode(&mut Counted(0))));
    }
    group.finish();
}

criterion_group!(benches, scrape, scrape_a_world);
criterion_main!(benches);
