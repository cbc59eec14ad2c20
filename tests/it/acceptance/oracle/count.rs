//! The oracle: the class of one second, looked up without any memory, and the count of them.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::scenario::{CalendarVersion, Hours, Scenario, ServiceVersion, TermsVersion, What, zone_named};

/// The counts of one part, in seconds but for what a share makes finer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub from: i64,
    pub to: i64,
    pub out_of_hours: i64,
    pub unknown: i64,
    pub down: i64,
    pub degraded: i64,
    pub up: i64,
    pub ignored_short: i64,
    pub base: i64,
    pub lost_ms: i64,
    pub budget_ms: i64,
}

impl Counted {
    pub fn add(&mut self, other: &Self) {
        self.out_of_hours += other.out_of_hours;
        self.unknown += other.unknown;
        self.down += other.down;
        self.degraded += other.degraded;
        self.up += other.up;
        self.ignored_short += other.ignored_short;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Degraded,
    Down,
    Unknown,
}

pub struct Oracle<'a> {
    scenario: &'a Scenario,
    origin: i64,
    calendar_zone: TimeZone,
    /// Seconds at which something may change besides hours, in order.
    edges: Vec<i64>,
    /// Whole Down runs of known length.
    outages: Vec<(i64, i64)>,
}

impl<'a> Oracle<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let mut oracle = Self {
            scenario,
            origin: scenario.origin(),
            calendar_zone: zone_named(scenario.calendar_zone),
            edges: Vec::new(),
            outages: Vec::new(),
        };
        oracle.edges = oracle.find_edges();
        oracle.outages = oracle.find_outages();
        oracle
    }

    fn as_of(&self) -> i64 {
        self.origin + self.scenario.as_of
    }

    /// The judged span, in seconds.
    pub fn window(&self) -> (i64, i64) {
        let scenario = self.scenario;
        let zone = zone_named(scenario.zone);
        let midnight = |date: Date| date.to_zoned_datetime(zone.clone()).unwrap().timestamp().as_second();
        let inside = if scenario.is_open() { self.as_of() } else { self.origin };
        let today = zone.to_datetime(Timestamp::from_second(inside).unwrap()).date();
        if let Some(days) = scenario.rolling {
            let mut first = today;
            while first.day() != 1 || first <= today {
                first = first.tomorrow().unwrap();
            }
            let end = self.as_of().min(midnight(first));
            return (end - i64::from(days) * 86_400, end);
        }
        let mut monday = today;
        while monday.weekday() != Weekday::Monday {
            monday = monday.yesterday().unwrap();
        }
        let next = monday.saturating_add(jiff::Span::new().days(7));
        (midnight(monday), midnight(next))
    }

    /// The version of a list that is in force: the last that began; the first always has.
    fn in_force<T>(&self, list: &'a [T], at: impl Fn(&T) -> i64, second: i64) -> &'a T {
        list[1..].iter().rev().find(|version| self.origin + at(version) <= second).unwrap_or(&list[0])
    }

    fn component(&self, component: u8, rules: &ServiceVersion, second: i64) -> State {
        let now = second - self.origin;
        let gaps = || {
            self.scenario.happenings.iter().filter_map(|happening| match happening.what {
                What::Gap(length, of) if length > 0 && (of == component || of == 2) => {
                    Some((happening.at, happening.at + length))
                }
                _ => None,
            })
        };
        let seen = self.scenario.happenings.iter().enumerate().filter(|(_, happening)| {
            let of = match happening.what {
                What::Ready(of, _) | What::State(of, _) => of,
                What::Gap(..) => return false,
            };
            let hidden = gaps().any(|(from, until)| (from..until).contains(&happening.at));
            of == component && happening.at <= now && !hidden
        });
        let Some((_, last)) = seen.max_by_key(|(index, happening)| (happening.at, *index)) else {
            return State::Unknown;
        };
        if gaps().any(|(from, _)| last.at < from && from <= now) {
            return State::Unknown;
        }
        let index = component as usize;
        match last.what {
            What::Ready(_, ready) if ready < rules.min_ready[index] => State::Down,
            What::Ready(_, ready) if ready < rules.degraded_below[index] => State::Degraded,
            What::State(_, state) => [State::Up, State::Degraded, State::Down, State::Unknown][state as usize],
            _ => State::Up,
        }
    }

    fn state(&self, second: i64) -> State {
        let rules = self.in_force(&self.scenario.services, |version| version.at, second);
        let (first, other) = (self.component(0, rules, second), self.component(1, rules, second));
        let critical = |wanted: State| first == wanted || (rules.second_is_critical && other == wanted);
        if critical(State::Down) {
            State::Down
        } else if critical(State::Unknown) {
            State::Unknown
        } else if critical(State::Degraded) || other == State::Down {
            State::Degraded
        } else {
            State::Up
        }
    }

    fn is_in_hours(&self, second: i64) -> bool {
        let calendar = self.in_force(&self.scenario.calendars, |version| version.at, second);
        let local = self.calendar_zone.to_datetime(Timestamp::from_second(second).unwrap());
        let minute = u16::from(local.hour() as u8) * 60 + u16::from(local.minute() as u8);
        let today = self.starting_on(calendar, local.date());
        let yesterday = self.starting_on(calendar, local.date().yesterday().unwrap());
        today.iter().any(|hours| hours.from <= minute && (minute < hours.to || hours.to < hours.from))
            || yesterday.iter().any(|hours| hours.to < hours.from && minute < hours.to)
    }

    /// The hours that start on a local date.
    fn starting_on(&self, calendar: &CalendarVersion, date: Date) -> Vec<Hours> {
        let holiday = calendar
            .holidays
            .iter()
            .find(|(day, _)| self.scenario.date.saturating_add(jiff::Span::new().days(*day)) == date);
        if let Some((_, hours)) = holiday {
            return hours.iter().copied().collect();
        }
        if calendar.weekly.is_empty() {
            return vec![Hours { from: 0, to: 1440 }];
        }
        let bit = 1 << date.weekday().to_monday_zero_offset();
        calendar.weekly.iter().filter(|(days, _)| days & bit != 0).map(|(_, hours)| *hours).collect()
    }

    fn find_edges(&self) -> Vec<i64> {
        let scenario = self.scenario;
        let mut edges = vec![scenario.as_of];
        edges.extend(scenario.terms[1..].iter().map(|version| version.at));
        edges.extend(scenario.calendars[1..].iter().map(|version| version.at));
        edges.extend(scenario.services[1..].iter().map(|version| version.at));
        for happening in &scenario.happenings {
            edges.push(happening.at);
            if let What::Gap(length, _) = happening.what {
                edges.push(happening.at + length);
            }
        }
        for edge in &mut edges {
            *edge += self.origin;
        }
        edges.sort_unstable();
        edges
    }

    /// Down runs that ended before the instant of the figures, whole.
    fn find_outages(&self) -> Vec<(i64, i64)> {
        let mut outages = Vec::new();
        let mut began = None;
        for &edge in self.edges.iter().filter(|edge| **edge < self.as_of()) {
            match (self.state(edge) == State::Down, began) {
                (true, None) => began = Some(edge),
                (false, Some(from)) => {
                    outages.push((from, edge));
                    began = None;
                }
                _ => {}
            }
        }
        outages
    }

    /// The parts: spans of equal terms within the term of the agreement.
    pub fn count(&self) -> Vec<Counted> {
        let (from, to) = self.window();
        let mut spans: Vec<(i64, i64, &TermsVersion)> = Vec::new();
        let mut begin = from;
        let changes = self.scenario.terms[1..].iter().map(|version| self.origin + version.at);
        for end in changes.filter(|at| (from + 1..to).contains(at)).chain([to]) {
            let terms = self.in_force(&self.scenario.terms, |version| version.at, begin);
            match spans.last_mut() {
                Some((_, last, before)) if same_terms(before, terms) => *last = end,
                _ => spans.push((begin, end, terms)),
            }
            begin = end;
        }
        let (first, last) = self.scenario.term;
        let first = first.map_or(i64::MIN, |at| self.origin + at);
        let last = last.map_or(i64::MAX, |at| self.origin + at);
        let clipped = spans.into_iter().map(|(from, to, terms)| (from.max(first), to.min(last), terms));
        clipped.filter(|(from, to, _)| from < to).map(|(from, to, terms)| self.count_part(from, to, terms)).collect()
    }

    fn count_part(&self, from: i64, to: i64, terms: &TermsVersion) -> Counted {
        let mut counted = Counted { from, to, ..Counted::default() };
        let calendars = &self.scenario.calendars;
        let all_hours = calendars.iter().flat_map(|version| {
            version
                .weekly
                .iter()
                .map(|(_, hours)| *hours)
                .chain(version.holidays.iter().filter_map(|(_, hours)| *hours))
        });
        let quarters = all_hours.into_iter().all(|hours| hours.from % 15 == 0 && hours.to % 15 == 0);
        let mut to_come = 0;
        self.in_cells(from, to, if quarters { 900 } else { 60 }, &mut |second, length| {
            let in_hours = self.is_in_hours(second);
            if second >= self.as_of() {
                to_come += if in_hours { length } else { 0 };
                return;
            }
            if !in_hours {
                counted.out_of_hours += length;
                return;
            }
            let short = self
                .outages
                .iter()
                .any(|(from, to)| (*from..*to).contains(&second) && to - from < i64::from(terms.min_outage_s));
            match self.state(second) {
                State::Down if short => {
                    counted.up += length;
                    counted.ignored_short += length;
                }
                State::Down => counted.down += length,
                State::Up => counted.up += length,
                State::Degraded => counted.degraded += length,
                State::Unknown => counted.unknown += length,
            }
        });
        let lost_unknown = if terms.unknown_is_down { counted.unknown } else { 0 };
        counted.base = counted.up + counted.degraded + counted.down + lost_unknown;
        // 10,000ths of a second are 10ths of a millisecond.
        let lost = (counted.down + lost_unknown) * 10_000 + counted.degraded * i64::from(terms.degraded_counts);
        counted.lost_ms = (lost + 9) / 10;
        if !self.scenario.is_open() || self.scenario.rolling.is_some() {
            to_come = 0;
        }
        counted.budget_ms = (counted.base + to_come) * (1_000_000 - i64::from(terms.objective)) / 1000;
        counted
    }

    /// Visits `[from, to)` in cells in which nothing changes: large ones, cut where an edge lies inside.
    fn in_cells(&self, from: i64, to: i64, size: i64, visit: &mut impl FnMut(i64, i64)) {
        let mut second = from;
        while second < to {
            let end = (second.div_euclid(size) * size + size).min(to);
            let next = self.edges.partition_point(|edge| *edge <= second);
            let inside = self.edges.get(next).is_some_and(|edge| *edge < end);
            match size {
                900 if inside => self.in_cells(second, end, 60, visit),
                60 if inside => self.in_cells(second, end, 1, visit),
                _ => visit(second, end - second),
            }
            second = end;
        }
    }
}

fn same_terms(one: &TermsVersion, other: &TermsVersion) -> bool {
    TermsVersion { at: 0, ..*one } == TermsVersion { at: 0, ..*other }
}
