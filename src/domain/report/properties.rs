//! Rolling up changes no figure: random lines, service hours, amendments and short outages, before and after, and after
//! the ledger was written and read back.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::agreement::ExclusionCause;
use crate::api::service::State;
use crate::domain::accounting::ClassSums;
use crate::domain::calendar_spec::read_spec;
use crate::domain::maintenance::{AgreedExclusion, Announced, ApprovedChange};
use crate::domain::reason::Reason;
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::domain::timeline::{Bounds, Entry, Rolled, Source};

const ZONE: &str = "Europe/Berlin";

/// One change of state: how long after the last, to which, and how it is proved.
type Step = (i64, State, Source, u8);

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one choice of the scene")]
struct Scene {
    /// Steps of two lines.
    lines: [Vec<Step>; 2],
    office_hours: bool,
    /// `minOutage` of the two targets before the amendment, and after it.
    min_outage_minutes: [i64; 2],
    /// Days after the period's beginning; none later than 31.
    amended_day: i64,
    expires: bool,
    /// Standing windows, changes and exclusions, some agreed afterwards.
    maintenance: bool,
    degraded_counts: bool,
    /// What the ledger may hold.
    entries: usize,
    sums: usize,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let state = prop_oneof![
        4 => Just(State::Up), 4 => Just(State::Down), 1 => Just(State::Degraded), 1 => Just(State::Unknown)
    ];
    let source = prop_oneof![6 => Just(Source::Live), 1 => Just(Source::Inferred), 1 => Just(Source::Backfilled)];
    let length = prop_oneof![3 => 1..MINUTE_MS, 2 => 1..HOUR_MS, 1 => 1..2 * DAY_MS];
    let line = prop::collection::vec((length, state, source, 0..3_u8), 0..160);
    (
        [line.clone(), line],
        any::<bool>(),
        [0..3_i64, 0..40],
        prop_oneof![Just(40), 1..31_i64],
        [any::<bool>(), any::<bool>(), any::<bool>()],
        4..60_usize,
        0..6_usize,
    )
        .prop_map(|(lines, office_hours, min_outage_minutes, amended_day, flags, entries, sums)| Scene {
            lines,
            office_hours,
            min_outage_minutes,
            amended_day,
            expires: flags[0],
            maintenance: flags[1],
            degraded_counts: flags[2],
            entries,
            sums,
        })
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

struct Agreement {
    terms: Versions<Terms>,
    calendars: Calendars,
    service: Versions<crate::domain::service::ServiceRules>,
    announced: Announced,
    period: Period,
}

impl Agreement {
    fn of(scene: &Scene) -> Self {
        let begin = at("2025-11-01T00:00:00+01:00");
        let version = |since: Instant, min_outage: i64| {
            let target = |name: &str, components: Value| {
                json!({
                    "name": name, "kind": "Availability", "method": "Readiness", "objective": "99.9",
                    "readiness": {
                        "minOutage": format!("{min_outage}m"), "components": components,
                        "degradedCounts": if scene.degraded_counts { "0.5" } else { "0" },
                    },
                })
            };
            let mut spec = json!({
                "serviceRef": {"name": "checkout"},
                "reportingPeriod": {"kind": "CalendarMonth", "timeZone": ZONE},
                "targets": [target("a", json!(["a"])), target("b", json!(["b"]))],
            });
            if scene.office_hours {
                spec["serviceHours"] = json!({"calendar": "office"});
            }
            if scene.maintenance {
                spec["plannedMaintenance"] =
                    json!({"maxPerPeriod": "90m", "windows": [{"calendar": "office", "name": "nightly"}]});
                spec["exclusions"] = json!(["CustomerCaused"]);
            }
            if scene.expires {
                spec["term"] = json!({"effectiveFrom": "2025-11-03", "expires": "2025-11-27"});
            }
            let spec = serde_json::from_value(spec).unwrap();
            let value = Arc::new(Terms::from_spec(&spec).unwrap());
            Version { since, digest: format!("{since}").into(), value }
        };
        let first = version(begin.minus_ms(40 * DAY_MS), scene.min_outage_minutes[0]);
        let mut terms = Versions::starting_with(first);
        let period = Schedule::of(&terms).unwrap().period_at(begin);
        if scene.amended_day <= 31 {
            // Not at an edge of anything.
            let amended = begin.plus_ms(scene.amended_day * DAY_MS - 5_000_001);
            terms.accept(version(amended, scene.min_outage_minutes[1]));
        }
        let weekly = json!([{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "08:00", "to": "18:00"}]);
        let nightly =
            json!([{"name": "nightly", "start": "2025-10-01T17:30", "duration": "45m", "rrule": "FREQ=DAILY"}]);
        let office = json!({"timeZone": ZONE, "weekly": weekly, "windows": nightly});
        let office = serde_json::from_value(office).unwrap();
        let office = Version { since: begin, digest: "o".into(), value: Arc::new(read_spec(&office).unwrap()) };
        let calendars = Calendars::from([("office".into(), Versions::starting_with(office))]);
        let announced = if scene.maintenance { announced(begin) } else { Announced::default() };
        Self { terms, calendars, service: Versions::default(), announced, period }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            terms: &self.terms,
            calendars: &self.calendars,
            service: &self.service,
            service_name: "checkout",
            created: self.period.start.minus_ms(40 * DAY_MS),
            announced: &self.announced,
        }
    }

    fn judge(&self, lines: &HashMap<Arc<str>, Arc<Timeline>>, as_of: Instant) -> Judged {
        let facts = self.facts();
        let phase = phase_at(&self.period, self.period.end, as_of);
        let moment = Moment { as_of, horizon: as_of, phase };
        judge(facts, |target| lines.get(&target.name).cloned(), &self.period, moment)
    }

    fn bound(&self, lines: &mut HashMap<Arc<str>, Arc<Timeline>>, bounds: Bounds) {
        let span = Interval { from: self.period.start, to: self.period.end };
        let mut sorted: Vec<_> = lines.iter_mut().collect();
        sorted.sort_by_key(|(name, _)| (*name).clone());
        bound_ledger(sorted, self.facts(), span, bounds);
    }
}

/// Changes that were approved in time and exclusions, each known before the time that it covers is rolled up.
fn announced(begin: Instant) -> Announced {
    let span = |hour: i64, hours: i64| Interval {
        from: begin.plus_ms(hour * HOUR_MS),
        to: begin.plus_ms((hour + hours) * HOUR_MS),
    };
    let mut announced = Announced::default();
    for (hour, minutes) in [(20, 10), (60, 30), (61, 5)] {
        announced.approve(ApprovedChange {
            name: format!("chg-{hour}").into(),
            approved: begin.minus_ms(10 * DAY_MS),
            noticed: begin.minus_ms(10 * DAY_MS),
            span: span(hour, 4),
            expected_outage_ms: minutes * MINUTE_MS,
            cancelled: None,
        });
    }
    for (hour, retroactive) in [(30, false), (90, true), (200, true)] {
        let span = span(hour, 3);
        let approved = if retroactive { span.to } else { begin.minus_ms(1) };
        announced.agree(AgreedExclusion {
            approved,
            span,
            cause: ExclusionCause::CustomerCaused,
            by_customer: true,
            by_provider: true,
            cuts_sum: false,
        });
    }
    announced
}

fn timeline(begin: Instant, steps: &[Step]) -> Timeline {
    let mut at = begin.minus_ms(DAY_MS);
    let mut entries = vec![Entry::live(at, State::Up, None, Reason::AllCriticalReady)];
    for (length, state, source, component) in steps {
        at = at.plus_ms(*length);
        let component = (*state != State::Up).then(|| Arc::from(format!("c{component}")));
        entries.push(Entry {
            at,
            state: *state,
            source: *source,
            component,
            reason: Some(Reason::NoneReady),
            detection_lag_ms: 0,
        });
    }
    Timeline::from_entries(entries)
}

/// Writes the ledger of a period and reads it back, as another leader does.
fn written_and_read(line: &Timeline, period: &Period) -> Timeline {
    let zone = TimeZone::get(ZONE).unwrap();
    let entries = line.entries_for(period.start, period.end).map(|entry| entry.format(&zone));
    let entries = entries.map(|text| Entry::parse(&text).unwrap()).collect();
    let mut read = Timeline::from_entries(entries);
    read.set_rolled(line.rolled().iter().map(|rolled| Rolled::parse(&rolled.format()).unwrap()).collect());
    read
}

/// All that rolling up must not change.
#[derive(Debug, PartialEq)]
struct Figured {
    targets: Vec<(ClassSums, u32, i64, u32)>,
    windows: Vec<(i64, i64)>,
    verdict: Option<Verdict>,
    outages: usize,
    outages_ms: i64,
    longest_ms: i64,
}

fn figured(judged: &Judged) -> Figured {
    let counted = |outage: &CountedOutage| outage.counted_ms;
    let rolled = judged.rolled.outages;
    Figured {
        targets: judged
            .parts
            .iter()
            .flat_map(|part| &part.targets)
            .map(|target| {
                (*target.figures.sums(), target.outage_count, target.ignored_short_ms, target.ignored_short_count)
            })
            .collect(),
        windows: judged.windows.iter().map(|window| (window.time.excluded_ms, window.time.overrun_ms)).collect(),
        verdict: judged.verdict,
        outages: judged.outages.len() + rolled.count as usize,
        outages_ms: judged.outages.iter().map(counted).sum::<i64>() + rolled.ms,
        longest_ms: judged.outages.iter().map(counted).max().unwrap_or(0).max(rolled.longest_ms),
    }
}

proptest! {
    #[test]
    fn rolling_up_changes_no_figure(scene in scenes()) {
        let agreement = Agreement::of(&scene);
        let begin = agreement.period.start;
        let full: HashMap<Arc<str>, Arc<Timeline>> = ["a", "b"]
            .into_iter()
            .zip(&scene.lines)
            .map(|(name, steps)| (Arc::from(name), Arc::new(timeline(begin, steps))))
            .collect();
        let mut lines: HashMap<Arc<str>, Arc<Timeline>> = HashMap::new();
        let bounds = Bounds { entries: scene.entries, hours: scene.sums, days: scene.sums };
        // As the operator does it: what happens is appended, bounded, and now and then taken over by another leader.
        for days in [3, 10, 11, 25, 30, 45] {
            let now = begin.plus_ms(days * DAY_MS + 1234);
            for (name, line) in &full {
                let kept = Arc::make_mut(lines.entry(name.clone()).or_default());
                let known = kept.last().map(|last| last.at);
                let new = |entry: &&Entry| entry.at < now && known.is_none_or(|known| entry.at > known);
                for entry in line.entries().iter().filter(new) {
                    kept.push(entry.clone());
                }
            }
            agreement.bound(&mut lines, bounds);
            for (name, line) in &full {
                let known = line.until(now);
                prop_assert_eq!(lines[name].last(), known.last(), "the present state stays as it is");
            }
            let all = full.iter().map(|(name, line)| (name.clone(), Arc::new(line.until(now)))).collect();
            let expected = agreement.judge(&all, now);
            prop_assert_eq!(figured(&agreement.judge(&lines, now)), figured(&expected), "after {} days", days);
            if days == 11 || days == 45 {
                for line in lines.values_mut() {
                    *line = Arc::new(written_and_read(line, &agreement.period));
                }
                prop_assert_eq!(figured(&agreement.judge(&lines, now)), figured(&expected), "read back");
            }
        }
    }

    /// Without hours or parts every bound can be kept, however small.
    #[test]
    fn any_bound_is_kept_where_nothing_keeps_time_apart(steps in scenes(), entries in 36..80_usize) {
        let scene = Scene { office_hours: false, amended_day: 40, expires: false, maintenance: false, min_outage_minutes: [0, 0], ..steps };
        let agreement = Agreement::of(&scene);
        let begin = agreement.period.start;
        let mut lines: HashMap<Arc<str>, Arc<Timeline>> = ["a", "b"]
            .into_iter()
            .zip(&scene.lines)
            .map(|(name, steps)| (Arc::from(name), Arc::new(timeline(begin, steps))))
            .collect();
        let bounds = Bounds { entries, hours: 0, days: 2 };
        agreement.bound(&mut lines, bounds);
        let span = Interval { from: agreement.period.start, to: agreement.period.end };
        let held = Bounds::held(lines.values().map(|line| &**line), span);
        prop_assert!(held.is_within(bounds), "{:?}", held);
    }
}
