//! The oracle: the class of one second, looked up without any memory, and the count of them.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::purse::{self, Purse, Window};
use super::scenario::{CalendarVersion, Hours, Scenario, ServiceVersion, TermsVersion, What, zone_named};

/// The counts of one part, in seconds but for what a share makes finer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub from: i64,
    pub to: i64,
    pub out_of_hours: i64,
    pub excluded: i64,
    /// With nothing excluded that was agreed only afterwards.
    pub excluded_without_retroactive: i64,
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
        self.excluded += other.excluded;
        self.excluded_without_retroactive += other.excluded_without_retroactive;
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
    /// The state from each edge on.
    states: Vec<State>,
    /// Whole Down runs of known length.
    outages: Vec<(i64, i64)>,
    windows: Vec<Window>,
    /// Beginnings of the periods that have a cap of their own, in order.
    cap_periods: Vec<i64>,
    /// Hours that start on a date, by the version of the calendar: each is looked up once.
    days: RefCell<HashMap<(usize, Date), Vec<Hours>>>,
}

impl<'a> Oracle<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let mut oracle = Self {
            scenario,
            origin: scenario.origin(),
            calendar_zone: zone_named(scenario.calendar_zone),
            edges: Vec::new(),
            states: Vec::new(),
            outages: Vec::new(),
            windows: Vec::new(),
            cap_periods: Vec::new(),
            days: RefCell::default(),
        };
        let closing = oracle.period_end() + 86_400;
        oracle.windows = purse::windows(scenario, oracle.as_of().min(closing - 1));
        oracle.cap_periods = oracle.find_cap_periods();
        oracle.edges = oracle.find_edges();
        oracle.states = oracle.edges.iter().map(|edge| oracle.look_up(*edge)).collect();
        oracle.outages = oracle.find_outages();
        oracle
    }

    fn as_of(&self) -> i64 {
        self.origin + self.scenario.as_of
    }

    fn midnight(&self, date: Date) -> i64 {
        date.to_zoned_datetime(zone_named(self.scenario.zone)).unwrap().timestamp().as_second()
    }

    /// The first local date of the period, of a rolling one the month, that a date lies in.
    fn first_of_period(&self, mut date: Date) -> Date {
        let is_first = |date: Date| match self.scenario.rolling {
            Some(_) => date.day() == 1,
            None => date.weekday() == Weekday::Monday,
        };
        while !is_first(date) {
            date = date.yesterday().unwrap();
        }
        date
    }

    fn first_of_next_period(&self, date: Date) -> Date {
        let mut next = date.tomorrow().unwrap();
        while self.first_of_period(next) != next {
            next = next.tomorrow().unwrap();
        }
        next
    }

    /// The local date whose period is asked for.
    fn today(&self) -> Date {
        let inside = if self.scenario.is_open() { self.as_of() } else { self.origin };
        zone_named(self.scenario.zone).to_datetime(Timestamp::from_second(inside).unwrap()).date()
    }

    fn period_end(&self) -> i64 {
        self.midnight(self.first_of_next_period(self.today()))
    }

    /// The judged span, in seconds.
    pub fn window(&self) -> (i64, i64) {
        if let Some(days) = self.scenario.rolling {
            let end = self.as_of().min(self.period_end());
            return (end - i64::from(days) * 86_400, end);
        }
        (self.midnight(self.first_of_period(self.today())), self.period_end())
    }

    fn find_cap_periods(&self) -> Vec<i64> {
        let mut date = self.first_of_period(self.scenario.date.saturating_sub(jiff::Span::new().days(70)));
        let mut periods = Vec::new();
        while periods.last().is_none_or(|begin| *begin < self.origin + 20 * 86_400) {
            periods.push(self.midnight(date));
            date = self.first_of_next_period(date);
        }
        periods
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

    /// Nothing changes between two edges.
    fn state(&self, second: i64) -> State {
        match self.edges.partition_point(|edge| *edge <= second) {
            0 => self.look_up(second),
            after => self.states[after - 1],
        }
    }

    fn look_up(&self, second: i64) -> State {
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

    fn calendar_at(&self, second: i64) -> usize {
        let calendars = &self.scenario.calendars;
        (1..calendars.len()).rev().find(|index| self.origin + calendars[*index].at <= second).unwrap_or(0)
    }

    fn is_in_hours(&self, second: i64) -> bool {
        let calendar = self.calendar_at(second);
        let local = self.calendar_zone.to_datetime(Timestamp::from_second(second).unwrap());
        let minute = u16::from(local.hour() as u8) * 60 + u16::from(local.minute() as u8);
        let any = |date: Date, holds: &dyn Fn(&Hours) -> bool| {
            let mut days = self.days.borrow_mut();
            let starting = || self.starting_on(&self.scenario.calendars[calendar], date);
            days.entry((calendar, date)).or_insert_with(starting).iter().any(holds)
        };
        any(local.date(), &|hours| hours.from <= minute && (minute < hours.to || hours.to < hours.from))
            || any(local.date().yesterday().unwrap(), &|hours| hours.to < hours.from && minute < hours.to)
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
        edges.extend(self.windows.iter().flat_map(|window| [window.from, window.to]));
        edges.extend(&self.cap_periods);
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
        let mut purses = [Purse::new(&self.windows, true), Purse::new(&self.windows, false)];
        self.use_allowances_before(from, (first, last), &mut purses);
        let clipped = spans.into_iter().map(|(from, to, terms)| (from.max(first), to.min(last), terms));
        let parts = clipped.filter(|(from, to, _)| from < to);
        parts.map(|(from, to, terms)| self.count_part(from, to, terms, &mut purses)).collect()
    }

    /// What loss used of the allowances before the judged span: in each window, second by second.
    fn use_allowances_before(&self, judged: i64, term: (i64, i64), purses: &mut [Purse<'_>; 2]) {
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for window in &self.windows {
            let (from, to) = (window.from.max(term.0), window.to.min(judged).min(term.1));
            match spans.last_mut() {
                _ if from >= to => {}
                Some((_, last)) if from <= *last => *last = to.max(*last),
                _ => spans.push((from, to)),
            }
        }
        for (from, to) in spans {
            self.in_cells(from, to, 60, &mut |second, length| {
                let terms = self.in_force(&self.scenario.terms, |version| version.at, second);
                if second < self.as_of() && self.is_in_hours(second) && self.is_loss(second, terms) {
                    self.exclude(second, length, terms, purses);
                }
            });
        }
    }

    fn is_short(&self, second: i64, terms: &TermsVersion) -> bool {
        let mut outages = self.outages.iter();
        outages.any(|(from, to)| (*from..*to).contains(&second) && to - from < i64::from(terms.min_outage_s))
    }

    fn is_loss(&self, second: i64, terms: &TermsVersion) -> bool {
        match self.state(second) {
            State::Down => !self.is_short(second, terms),
            State::Degraded => terms.degraded_counts > 0,
            State::Up | State::Unknown => false,
        }
    }

    /// How many seconds of loss are excluded, with and without what was agreed afterwards.
    fn exclude(&self, from: i64, length: i64, terms: &TermsVersion, purses: &mut [Purse<'_>; 2]) -> [i64; 2] {
        if !self.windows.iter().any(|window| window.from < from + length && from < window.to) {
            return [0, 0];
        }
        let calendar = self.calendar_at(from);
        let period = self.cap_periods[self.cap_periods.partition_point(|begin| *begin <= from) - 1];
        let mut excluded = [0, 0];
        for (purse, sum) in purses.iter_mut().zip(&mut excluded) {
            *sum =
                (from..from + length).filter(|second| purse.excludes(*second, terms, calendar, period)).count() as i64;
        }
        excluded
    }

    fn count_part(&self, from: i64, to: i64, terms: &TermsVersion, purses: &mut [Purse<'_>; 2]) -> Counted {
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
            let state = self.state(second);
            let [excluded, without_retroactive] =
                if self.is_loss(second, terms) { self.exclude(second, length, terms, purses) } else { [0, 0] };
            counted.excluded += excluded;
            counted.excluded_without_retroactive += without_retroactive;
            match state {
                State::Down if self.is_short(second, terms) => {
                    counted.up += length;
                    counted.ignored_short += length;
                }
                State::Down => counted.down += length - excluded,
                State::Degraded => counted.degraded += length - excluded,
                State::Up => counted.up += length,
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
