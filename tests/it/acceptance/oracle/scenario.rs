//! Random scenarios: what is agreed, and what happened.

use assize::domain::replay::{Objects, Replay, parse_line};
use assize::domain::report::Judged;
use assize::domain::time::Instant;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, civil::Date};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::announced::{self, Announced, Rules, Standing};

/// Zones with offsets and changes of all sorts; all of them whole quarters of an hour.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/St_Johns",
    "UTC",
];

/// Local dates near which clocks change somewhere, years end, or nothing happens.
const DATES: [(i16, i8, i8); 10] = [
    (2025, 10, 26),
    (2025, 3, 30),
    (2026, 3, 8),
    (2025, 11, 2),
    (2026, 4, 5),
    (2025, 10, 5),
    (2026, 4, 24),
    (2025, 10, 31),
    (2026, 12, 31),
    (2025, 6, 18),
];

/// Hours of a day in minutes; `from > to` runs over midnight.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    pub from: u16,
    pub to: u16,
}

#[derive(Clone, Debug)]
pub struct CalendarVersion {
    /// Seconds after the origin.
    pub at: i64,
    /// One row: a bit a weekday from Monday, and hours; none: always open.
    pub weekly: Vec<(u8, Hours)>,
    /// Days after the origin's date, with other hours or none.
    pub holidays: Vec<(i8, Option<Hours>)>,
    /// The window that terms may name.
    pub standing: Option<Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TermsVersion {
    pub at: i64,
    /// Ten-thousandths of a percent.
    pub objective: u32,
    /// Ten-thousandths.
    pub degraded_counts: u16,
    pub min_outage_s: u16,
    pub unknown_is_down: bool,
    pub rules: Rules,
}

#[derive(Clone, Copy, Debug)]
pub struct ServiceVersion {
    pub at: i64,
    pub min_ready: [u8; 2],
    pub degraded_below: [u8; 2],
    pub second_is_critical: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Ready(u8, u8),
    /// Component, and Up, Degraded, Down, Unknown.
    State(u8, u8),
    /// Length in seconds; component, 2 for both.
    Gap(i64, u8),
}

#[derive(Clone, Copy, Debug)]
pub struct Happening {
    pub at: i64,
    pub what: What,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub zone: &'static str,
    pub calendar_zone: &'static str,
    pub date: Date,
    /// Days of a rolling window; none: calendar weeks.
    pub rolling: Option<u8>,
    /// The first holds from the beginning of time.
    pub terms: Vec<TermsVersion>,
    pub calendars: Vec<CalendarVersion>,
    pub services: Vec<ServiceVersion>,
    pub happenings: Vec<Happening>,
    /// Bounds of the term: seconds after the origin.
    pub term: (Option<i64>, Option<i64>),
    /// Seconds after the origin; far later: Closed.
    pub as_of: i64,
    pub announced: Announced,
}

const STATES: [&str; 4] = ["Up", "Degraded", "Down", "Unknown"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_S: i64 = 86_400;

impl Scenario {
    /// Midnight of the date: what all instants are relative to.
    pub fn origin(&self) -> i64 {
        let zone = zone_named(self.zone);
        self.date.to_zoned_datetime(zone).unwrap().timestamp().as_second()
    }

    pub fn is_open(&self) -> bool {
        self.as_of < 20 * DAY_S
    }

    pub fn as_of_ms(&self, offset_ms: i64) -> i64 {
        (self.origin() + self.as_of) * 1000 + offset_ms
    }

    fn instant(&self, at: i64, ms: i64) -> String {
        Timestamp::from_millisecond((self.origin() + at) * 1000 + ms).unwrap().to_string()
    }

    /// The figures by the rules of the operator, and the judged window in seconds. `jitter_ms` is added to each line.
    pub fn judge(&self, jitter_ms: impl Fn(usize) -> i64) -> (Judged, (i64, i64)) {
        let objects = Objects {
            namespace: "shop".to_owned(),
            name: "gold".to_owned(),
            agreement: serde_json::from_value(self.agreement(&self.terms[0])).unwrap(),
            created: None,
            service_name: "shop".to_owned(),
            service: serde_json::from_value(service(&self.services[0])).unwrap(),
            calendars: vec![("hours".to_owned(), serde_json::from_value(self.calendar(&self.calendars[0])).unwrap())],
        };
        let events = self.lines(&jitter_ms).into_iter().enumerate();
        let events = events.filter_map(|(index, line)| parse_line(index + 1, &line.to_string()).unwrap()).collect();
        let replay = Replay::run(&objects, events).unwrap();
        let as_of = Instant::from_ms(self.as_of_ms(jitter_ms(0)));
        let origin = Instant::from_ms(self.origin() * 1000);
        let inside = if self.is_open() { as_of } else { origin };
        let period = replay.period(None, inside).unwrap();
        let (judged, _) = replay.judge(&replay.ledger(&period, as_of), &period, as_of);
        let window = (judged.window.from.as_ms() / 1000, judged.window.to.as_ms() / 1000);
        (judged, window)
    }

    fn lines(&self, jitter_ms: impl Fn(usize) -> i64) -> Vec<Value> {
        let version = |at, kind, spec| json!({"at": self.instant(at, 0), "type": kind, "spec": spec});
        let mut lines: Vec<Value> = Vec::new();
        lines.extend(self.terms[1..].iter().map(|terms| version(terms.at, "agreement", self.agreement(terms))));
        lines.extend(self.calendars[1..].iter().map(|hours| version(hours.at, "calendar", self.calendar(hours))));
        lines.extend(self.services[1..].iter().map(|rules| version(rules.at, "service", service(rules))));
        lines.extend(self.announced.lines(|at| self.instant(at, 0)));
        for (index, happening) in self.happenings.iter().enumerate() {
            let at = self.instant(happening.at, jitter_ms(index));
            lines.push(match happening.what {
                What::Ready(component, ready) => {
                    json!({"at": at, "type": "observe", "component": name(component), "ready": ready, "desired": 3})
                }
                What::State(component, state) => {
                    json!({"at": at, "type": "state", "component": name(component), "state": STATES[state as usize]})
                }
                What::Gap(length, component) => {
                    let until = self.instant(happening.at + length, jitter_ms(index + 1));
                    let until = if length == 0 { at.clone() } else { until };
                    match component {
                        2 => json!({"at": at, "type": "gap", "until": until}),
                        one => json!({"at": at, "type": "gap", "until": until, "component": name(one)}),
                    }
                }
            });
        }
        lines
    }

    fn agreement(&self, terms: &TermsVersion) -> Value {
        let bound = |at: Option<i64>| at.map(|at| self.instant(at, 0));
        let (from, expires) = (bound(self.term.0), bound(self.term.1));
        let period = match self.rolling {
            Some(days) => json!({"kind": "Rolling", "days": days, "timeZone": self.zone}),
            None => json!({"kind": "CalendarWeek", "timeZone": self.zone}),
        };
        let (maintenance, causes) = terms.rules.spec();
        json!({
            "serviceRef": {"name": "shop"}, "reportingPeriod": period, "serviceHours": {"calendar": "hours"},
            "plannedMaintenance": maintenance, "exclusions": causes,
            "term": {"effectiveFrom": from, "expires": expires},
            "unmeasured": {"treatAs": if terms.unknown_is_down { "Down" } else { "Exclude" }},
            "targets": [{
                "name": "availability", "kind": "Availability", "method": "Readiness",
                "objective": decimal(terms.objective), "readiness": {
                    "degradedCounts": decimal(terms.degraded_counts.into()), "minOutage": format!("{}s", terms.min_outage_s),
                },
            }],
        })
    }

    fn calendar(&self, version: &CalendarVersion) -> Value {
        let row = |(days, hours): &(u8, Hours)| {
            let days: Vec<_> = (0..7).filter(|day| days & (1 << day) != 0).map(|day| DAYS[day]).collect();
            json!({"days": days, "from": time(hours.from), "to": time(hours.to)})
        };
        let weekly: Vec<_> = version.weekly.iter().map(row).collect();
        let holiday = |(day, hours): &(i8, Option<Hours>)| {
            let date = self.date.saturating_add(jiff::Span::new().days(*day));
            let hours = hours.map(|hours| json!({"from": time(hours.from), "to": time(hours.to)}));
            json!({"name": "holiday", "date": date.to_string(), "hours": hours})
        };
        let holidays: Vec<_> = version.holidays.iter().map(holiday).collect();
        let weekly = if weekly.is_empty() { Value::Null } else { weekly.into() };
        let windows = [announced::window(version.standing, self.date)];
        json!({"timeZone": self.calendar_zone, "weekly": weekly, "holidays": holidays, "windows": windows})
    }
}

fn service(version: &ServiceVersion) -> Value {
    let component = |index: usize| {
        json!({
            "name": name(index as u8), "endpointsOf": "x", "critical": index == 0 || version.second_is_critical,
            "minReady": version.min_ready[index], "degradedBelow": version.degraded_below[index],
        })
    };
    json!({"components": [component(0), component(1)]})
}

fn name(component: u8) -> &'static str {
    ["api", "db"][component as usize]
}

fn decimal(ten_thousandths: u32) -> String {
    format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
}

fn time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A zone of the bundled database, as the operator has it; that of the machine may be older.
pub fn zone_named(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

/// An instant around the window: any second, or a round one, so that things meet.
pub fn moment() -> impl Strategy<Value = i64> {
    let within = -DAY_S..8 * DAY_S;
    (within, prop_oneof![Just(1_i64), Just(900), Just(3600), Just(21_600)]).prop_map(|(at, step)| at / step * step)
}

/// Hours of a row: mostly quarters of an hour, so that the cells of the count can be large.
fn hours() -> impl Strategy<Value = Hours> {
    let step = prop_oneof![15 => Just(15_u16), 1 => Just(1)];
    (0..1440_u16, 1..=1440_u16, step)
        .prop_map(|(from, to, step)| Hours { from: from / step * step, to: to.div_ceil(step) * step })
        .prop_filter("from and to differ", |hours| hours.from != hours.to && !(hours.to == 1440 && hours.from == 0))
}

fn calendar() -> impl Strategy<Value = CalendarVersion> {
    let holidays = prop::collection::btree_map(-3..10_i8, prop::option::weighted(0.3, hours()), 0..4);
    let standing = prop::option::weighted(0.7, announced::standing());
    (moment(), prop::collection::vec((1..128_u8, hours()), 0..3), holidays, standing).prop_map(
        |(at, weekly, holidays, standing)| CalendarVersion {
            at,
            weekly,
            holidays: holidays.into_iter().collect(),
            standing,
        },
    )
}

fn terms() -> impl Strategy<Value = TermsVersion> {
    let min_outage = prop_oneof![2 => Just(0_u16), 1 => 1..7200_u16, 1 => Just(900)];
    let share = prop_oneof![1 => Just(0_u16), 3 => 0..=10_000_u16];
    (moment(), 1..1_000_000_u32, share, min_outage, any::<bool>(), announced::rules()).prop_map(
        |(at, objective, degraded_counts, min_outage_s, unknown_is_down, rules)| TermsVersion {
            at,
            objective,
            degraded_counts,
            min_outage_s,
            unknown_is_down,
            rules,
        },
    )
}

fn service_version() -> impl Strategy<Value = ServiceVersion> {
    (moment(), [1..4_u8, 1..4_u8], [1..4_u8, 1..4_u8], any::<bool>()).prop_map(
        |(at, min_ready, degraded_below, second_is_critical)| ServiceVersion {
            at,
            min_ready,
            degraded_below,
            second_is_critical,
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let length = prop_oneof![Just(0_i64), 1..600_i64, (1..40_i64).prop_map(|quarters| quarters * 900)];
    let what = prop_oneof![
        10 => (0..2_u8, prop_oneof![Just(0_u8), Just(3), 0..4_u8]).prop_map(|(component, ready)| What::Ready(component, ready)),
        1 => (0..2_u8, 0..4_u8).prop_map(|(component, state)| What::State(component, state)),
        2 => (length, 0..3_u8).prop_map(|(length, component)| What::Gap(length, component)),
    ];
    (moment(), what).prop_map(|(at, what)| Happening { at, what })
}

/// A short outage, as `minOutage` is about them; some last exactly as long.
fn dip() -> impl Strategy<Value = Vec<Happening>> {
    let length = prop_oneof![2 => 1..9000_i64, 1 => Just(900)];
    (moment(), 0..2_u8, length).prop_map(|(at, component, length)| {
        let ready = |at, ready| Happening { at, what: What::Ready(component, ready) };
        vec![ready(at, 0), ready(at + length, 3)]
    })
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let some = prop_oneof![4 => happening().prop_map(|one| vec![one]), 1 => dip()];
    prop::collection::vec(some, 0..20).prop_map(|list| list.concat())
}

/// Versions in order of time, each instant once.
fn in_order<T: Clone + std::fmt::Debug>(
    version: impl Strategy<Value = T>,
    most: usize,
    at: impl Fn(&T) -> i64 + Clone + 'static,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(version, 1..=most).prop_map(move |mut list| {
        list[1..].sort_by_key(&at);
        let first = list.remove(0);
        list.dedup_by_key(|version| at(version));
        list.insert(0, first);
        list
    })
}

pub fn scenarios() -> impl Strategy<Value = Scenario> {
    let zone = || prop::sample::select(&ZONES[..]);
    let place = (zone(), zone(), prop::sample::select(&DATES[..]), prop::option::weighted(0.3, 1..6_u8));
    let versions = (
        in_order(terms(), 3, |version| version.at),
        in_order(calendar(), 2, |version| version.at),
        in_order(service_version(), 2, |version| version.at),
    );
    let term = prop::option::weighted(0.3, moment()).prop_flat_map(|from| {
        let expires = prop::option::weighted(0.3, moment());
        (Just(from), expires)
    });
    let as_of = prop_oneof![2 => Just(400 * DAY_S), 1 => 1..6 * DAY_S];
    // From the beginning, most components are seen; later lines change that.
    let seen = [prop::bool::weighted(0.9), prop::bool::weighted(0.9)];
    // Loss near the beginnings of what is announced.
    let loss = (any::<prop::sample::Index>(), -7200..14_400_i64, 1..43_200_i64, 0..2_u8, 0..3_u8);
    let losses = prop::collection::vec(loss, 0..6);
    let announced = (announced::announced(), losses).prop_map(|(announced, losses)| {
        let begins = announced.begins();
        let mut happenings = Vec::new();
        for (index, offset, length, component, ready) in losses.into_iter().filter(|_| !begins.is_empty()) {
            let at = index.get(&begins) + offset;
            happenings.push(Happening { at, what: What::Ready(component, ready) });
            happenings.push(Happening { at: at + length, what: What::Ready(component, 3) });
        }
        (announced, happenings)
    });
    (place, versions, term, as_of, seen, happenings(), announced).prop_map(
        |(
            (zone, calendar_zone, (year, month, day), rolling),
            (terms, calendars, services),
            term,
            as_of,
            seen,
            mut list,
            (announced, losses),
        )| {
            list.extend(losses);
            for (component, _) in seen.iter().enumerate().filter(|(_, seen)| **seen) {
                list.push(Happening { at: -40 * DAY_S, what: What::Ready(component as u8, 3) });
            }
            Scenario {
                zone,
                calendar_zone,
                date: Date::new(year, month, day).unwrap(),
                rolling,
                terms,
                calendars,
                services,
                happenings: list,
                term,
                as_of,
                announced,
            }
        },
    )
}
