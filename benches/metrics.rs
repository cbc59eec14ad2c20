//! Encoding a scrape of 10,000 agreements: the load that one leader must answer every 30 s.
#![allow(missing_docs)]

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use assize::api::service::State;
use assize::domain::accounting::{ClassSums, Verdict};
use assize::telemetry::metrics::{Detail, Metrics, MetricsOptions};
use assize::telemetry::snapshot::{AgreementSample, BurnSample, ComponentSample, ServiceSample, Sink, Snapshot};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

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

criterion_group!(benches, scrape);
criterion_main!(benches);
