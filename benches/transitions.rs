//! The work per transition, from the message of the watch to the write that is planned, among 1,000 agreements and among
//! 10,000: it must not grow with them.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/it/world/kit.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod kit;

use std::time::Duration;

use assize::control::streams::Stream;
use assize::domain::time::Instant;
use criterion::{Criterion, criterion_group, criterion_main};
use kit::Cluster;
use serde_json::json;

/// Goal: at most so much more work at 10,000 agreements than at 1,000.
const GOAL: f64 = 1.15;
/// Transitions of one round; each service flips once in a round.
const TRANSITIONS: usize = 500;
/// Rounds of each size, in turn, of which the fastest counts: what else runs on the machine only adds.
const ROUNDS: usize = 8;

struct Load {
    cluster: Cluster,
    services: usize,
    round: usize,
    now: Instant,
}

impl Load {
    fn new(services: usize) -> Self {
        let now = Instant::parse("2025-11-01T00:00:00Z").unwrap();
        let mut cluster = Cluster::new(now);
        for number in 0..services {
            let (core, name) = (format!("api-{number}"), format!("service-{number}"));
            cluster.put(&Stream::CoreServices, &core, json!({"metadata": {}, "spec": {"type": "ClusterIP"}}));
            cluster.endpoints(&core, 3);
            let spec = json!({"components": [{"name": "api", "endpointsOf": core}]});
            cluster.put(&Stream::Services, &name, json!({"metadata": {}, "spec": spec}));
            let target =
                json!({"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.9"});
            let spec = json!({"serviceRef": {"name": name}, "targets": [target]});
            cluster.put(&Stream::Agreements, &format!("agreement-{number}"), json!({"metadata": {}, "spec": spec}));
        }
        cluster.start(None);
        let mut load = Self { cluster, services, round: 0, now };
        // What is written some seconds after the start, such as the first figures, is not part of a transition.
        for _ in 0..4 {
            load.rest();
        }
        load
    }

    fn rest(&mut self) {
        self.now = self.now.plus_ms(5_000);
        self.cluster.at(self.now);
        self.cluster.settle();
    }

    /// Flips services spread over all of them, a second after the other; returns how many writes that took.
    fn flip(&mut self) -> usize {
        let ready = if self.round.is_multiple_of(2) { 0 } else { 3 };
        self.round += 1;
        let before = self.cluster.writes;
        for number in 0..TRANSITIONS {
            self.now = self.now.plus_ms(1_000);
            self.cluster.at(self.now);
            self.cluster.endpoints(&format!("api-{}", number * (self.services / TRANSITIONS)), ready);
            self.cluster.settle();
        }
        // A transition is judged once it has lasted a millisecond.
        self.now = self.now.plus_ms(1);
        self.cluster.at(self.now);
        self.cluster.settle();
        self.cluster.writes - before
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn timed(load: &mut Load) -> Duration {
    let began = std::time::Instant::now();
    let writes = load.flip();
    assert!(writes >= 3 * TRANSITIONS, "each is written to a Service, an agreement and a report: {writes}");
    began.elapsed()
}

fn transitions(criterion: &mut Criterion) {
    let mut loads = [1_000, 10_000].map(Load::new);
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (load, fastest) in loads.iter_mut().zip(&mut fastest) {
            *fastest = timed(load).min(*fastest);
        }
    }
    let each = fastest.map(|all| all.as_secs_f64() * 1e6 / TRANSITIONS as f64);
    let ratio = each[1] / each[0];
    let met = if ratio <= GOAL { "met" } else { "missed" };
    println!(
        "work per transition: {:.0} µs among 1,000 agreements, {:.0} µs among 10,000: ratio {ratio:.2}, goal <= {GOAL}: {met}",
        each[0], each[1]
    );
    for load in &mut loads {
        let services = load.services;
        criterion.bench_function(&format!("{TRANSITIONS} transitions among {services} agreements"), |bencher| {
            bencher.iter(|| load.flip());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(10));
    targets = transitions
}
criterion_main!(benches);
