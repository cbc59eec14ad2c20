//! The accounting: a month that flaps without end, and the verdicts of all agreements of a large cluster.
#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use assize::api::report::Phase;
use assize::api::service::State;
use assize::domain::agreement::Terms;
use assize::domain::maintenance::{Announced, ApprovedChange};
use assize::domain::period::{Period, PeriodKind, period_containing};
use assize::domain::reason::Reason;
use assize::domain::report::{Calendars, Facts, Moment, bound_ledger, judge};
use assize::domain::time::{Instant, Interval};
use assize::domain::timeline::{Bounds, Entry, Timeline};
use assize::domain::version::{Version, Versions};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use serde_json::json;

const TRANSITIONS: i64 = 100_000;
const AGREEMENTS: usize = 10_000;
const MONTH_MS: i64 = 30 * 86_400_000;

/// An agreement of 99.9 % in calendar months, with everything that it is judged from.
struct Agreement {
    terms: Versions<Terms>,
    timeline: Arc<Timeline>,
    period: Period,
    calendars: Calendars,
    service: Versions<assize::domain::service::ServiceRules>,
    announced: Announced,
}

impl Agreement {
    /// The month is November 2025, which has 30 days.
    fn new(transitions: i64) -> Self {
        let begin = Instant::parse("2025-11-01T00:00:00Z").unwrap_or(Instant::from_ms(0));
        let target =
            json!({"name": "availability", "kind": "Availability", "objective": "99.9", "method": "Readiness"});
        let spec = serde_json::from_value(json!({"serviceRef": {"name": "checkout"}, "targets": [target]}));
        let terms = spec.ok().and_then(|spec| Terms::from_spec(&spec).ok()).map(Arc::new);
        let terms = terms.expect("the spec above is valid");
        let period = period_containing(PeriodKind::CalendarMonth, &TimeZone::UTC, begin);
        let component: Arc<str> = "api".into();
        let entry = |number: i64| {
            let at = begin.plus_ms(number * (MONTH_MS / (transitions + 1)));
            match number % 2 {
                0 => Entry::live(at, State::Up, None, Reason::AllCriticalReady),
                _ => Entry::live(at, State::Down, Some(component.clone()), Reason::BelowMinimum),
            }
        };
        Self {
            terms: Versions::starting_with(Version { since: begin, digest: "sha256:0".into(), value: terms }),
            timeline: Arc::new(Timeline::from_entries((0..=transitions).map(entry).collect())),
            period,
            calendars: Calendars::new(),
            service: Versions::default(),
            announced: Announced::default(),
        }
    }

    /// With a change of two hours each day, of which half may be lost.
    fn with_changes(mut self) -> Self {
        for day in 0..30 {
            let from = self.period.start.plus_ms(day * 86_400_000);
            self.announced.approve(ApprovedChange {
                name: format!("change-{day}").into(),
                approved: from.minus_ms(4 * 86_400_000),
                noticed: from.minus_ms(4 * 86_400_000),
                span: Interval { from, to: from.plus_ms(7_200_000) },
                expected_outage_ms: 3_600_000,
                cancelled: None,
            });
        }
        self
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            terms: &self.terms,
            calendars: &self.calendars,
            service: &self.service,
            service_name: "checkout",
            created: self.period.start,
            announced: &self.announced,
        }
    }

    fn judge(&self, phase: Phase) -> assize::domain::report::Judged {
        let as_of = match phase {
            Phase::Open => self.period.start.plus_ms(MONTH_MS * 3 / 4),
            _ => self.period.end,
        };
        let moment = Moment { as_of, horizon: as_of, phase };
        judge(self.facts(), |_| Some(self.timeline.clone()), &self.period, moment)
    }
}

/// Goal: 20 ms.
fn month(criterion: &mut Criterion) {
    let agreement = Agreement::new(TRANSITIONS);
    let judged = agreement.judge(Phase::Closed);
    assert_eq!(judged.outages.len() as i64, TRANSITIONS / 2, "every outage is found");
    criterion.bench_function("a month with 100,000 transitions", |bencher| {
        bencher.iter(|| black_box(&agreement).judge(Phase::Closed));
    });
    let changed = agreement.with_changes();
    assert_eq!(changed.judge(Phase::Closed).windows.len(), 30, "every change is found");
    criterion.bench_function("a month with 100,000 transitions and a change each day", |bencher| {
        bencher.iter(|| black_box(&changed).judge(Phase::Closed));
    });
}

/// Goal: 100 ms.
fn verdicts(criterion: &mut Criterion) {
    let agreements: Vec<Agreement> = (0..AGREEMENTS).map(|number| Agreement::new(number as i64 % 7)).collect();
    criterion.bench_function("verdicts of 10,000 agreements", |bencher| {
        bencher.iter(|| {
            let verdicts = agreements.iter().map(|agreement| black_box(agreement).judge(Phase::Open).verdict);
            verdicts.flatten().count()
        });
    });
}

/// A month that flaps without end, within the bounds of its ledger: at once, as `assize replay` does it, and for what
/// the operator appends in a second of flapping at 10 Hz.
fn roll_up(criterion: &mut Criterion) {
    let agreement = Agreement::new(TRANSITIONS);
    let period = Interval { from: agreement.period.start, to: agreement.period.end };
    let name: Arc<str> = "availability".into();
    let bound = |line: &mut Arc<Timeline>| {
        let lines = [(&name, line)];
        bound_ledger(lines, agreement.facts(), period, Bounds::default())
    };
    let mut rolled = agreement.timeline.clone();
    assert!(bound(&mut rolled) && rolled.count_in(period) <= Bounds::default().entries, "it is within its bounds");
    criterion.bench_function("roll-up of a month with 100,000 transitions", |bencher| {
        bencher.iter_batched_ref(|| agreement.timeline.clone(), |line| bound(line), BatchSize::LargeInput);
    });
    // As full as it gets, so that every second of flapping rolls up.
    let mut full = Timeline::clone(&rolled);
    let mut at = full.last().map_or(period.from, |last| last.at);
    let mut flap = |line: &mut Timeline| {
        for state in [State::Up, State::Down].into_iter().cycle().take(10) {
            at = at.plus_ms(1);
            line.push(Entry::live(at, state, None, Reason::NoneReady));
        }
    };
    while full.count_in(period) <= Bounds::default().entries {
        flap(&mut full);
    }
    let full = Arc::new(full);
    criterion.bench_function("roll-up of a full ledger", |bencher| {
        bencher.iter_batched_ref(|| full.clone(), |line| bound(line), BatchSize::SmallInput);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = month, verdicts, roll_up
}
criterion_main!(benches);
