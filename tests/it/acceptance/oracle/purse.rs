//! The oracle's windows and allowances: one second after the other, each window asked in turn.

use std::collections::HashMap;

use jiff::civil::DateTime;

use super::announced::{Change, Exclusion, cause_of, name_of};
use super::scenario::{Scenario, TermsVersion, zone_named};

/// Why a window may exclude, and what that depends on.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Seconds of notice; none: it never is effective.
    Change(Option<i64>),
    /// Index of the calendar's version.
    Occurrence(usize),
    /// Cause, and whether both agreed.
    Exclusion(u8, bool),
}

#[derive(Clone, Debug)]
pub struct Window {
    pub from: i64,
    pub to: i64,
    name: String,
    allowance: i64,
    retroactive: bool,
    kind: Kind,
}

impl Window {
    fn is_capped(&self) -> bool {
        !matches!(self.kind, Kind::Exclusion(..))
    }

    fn excludes_under(&self, terms: &TermsVersion, calendar: usize) -> bool {
        let rules = &terms.rules;
        match self.kind {
            Kind::Change(notice) => rules.exclude && notice.is_some_and(|notice| notice >= rules.min_notice_s),
            Kind::Occurrence(version) => rules.exclude && rules.standing && version == calendar,
            Kind::Exclusion(cause, agreed) => agreed && rules.causes & cause != 0,
        }
    }
}

/// All windows of a scenario that were known at a second, in the order in which they are asked.
pub fn windows(scenario: &Scenario, known_by: i64) -> Vec<Window> {
    let origin = scenario.origin();
    let mut windows = Vec::new();
    windows.extend(changes(scenario, known_by - origin));
    for (version, calendar) in scenario.calendars.iter().enumerate() {
        windows.extend(occurrences(scenario, calendar.standing, version));
    }
    let known = |at: i64| at <= known_by - origin;
    let exclusions = &scenario.announced.exclusions;
    for (index, exclusion) in exclusions.iter().enumerate().filter(|(_, exclusion)| known(exclusion.at)) {
        // Of the same span and cause the last approved counts; at one instant the later line.
        let same = |other: &Exclusion| {
            (other.from, other.length, other.cause) == (exclusion.from, exclusion.length, exclusion.cause)
        };
        let is_later = |(place, other): (usize, &Exclusion)| {
            same(other) && known(other.at) && (other.at, place) > (exclusion.at, index)
        };
        if !exclusions.iter().enumerate().any(is_later) {
            windows.push(Window {
                from: exclusion.from,
                to: exclusion.from + exclusion.length,
                name: cause_of(exclusion.cause).to_owned(),
                allowance: exclusion.length,
                retroactive: exclusion.at > exclusion.from,
                kind: Kind::Exclusion(exclusion.cause, exclusion.by == 3),
            });
        }
    }
    for window in &mut windows {
        if !matches!(window.kind, Kind::Occurrence(_)) {
            window.from += origin;
            window.to += origin;
        }
    }
    windows.sort_by(|one, other| (one.from, &one.name).cmp(&(other.from, &other.name)));
    windows
}

/// Changes as approved, in order of approval; one ends with its cancellation or with the next approval of its name.
fn changes(scenario: &Scenario, known_by: i64) -> Vec<Window> {
    let announced = &scenario.announced;
    let mut changes: Vec<Change> = announced.changes.clone();
    changes.sort_by_key(|change| change.at);
    let mut windows = Vec::new();
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| change.at <= known_by) {
        let later = changes[index + 1..].iter().filter(|other| other.name == change.name);
        let edited = later.map(|other| other.at).min();
        if edited == Some(change.at) {
            continue;
        }
        let cancels = announced.cancels.iter().filter(|cancel| {
            cancel.name == change.name && cancel.at >= change.at && edited.is_none_or(|edited| cancel.at < edited)
        });
        let ended = cancels.map(|cancel| cancel.at).chain(edited).filter(|at| *at <= known_by).min();
        let never = change.expected == 0 || ended.is_some_and(|ended| ended <= change.from);
        let noticed = change.told.map_or(change.at, |told| told.max(change.at));
        let to = change.from + change.length;
        windows.push(Window {
            from: change.from,
            to: ended.map_or(to, |ended| ended.min(to)).max(change.from),
            name: name_of(change.name).to_owned(),
            allowance: change.expected,
            retroactive: false,
            kind: Kind::Change((!never).then_some(change.from - noticed)),
        });
    }
    windows
}

/// The occurrences of a calendar's window, day by day.
fn occurrences(scenario: &Scenario, standing: Option<super::announced::Standing>, version: usize) -> Vec<Window> {
    let Some(standing) = standing else { return Vec::new() };
    let zone = zone_named(scenario.calendar_zone);
    let days = (i64::from(standing.day)..30).filter(|day| {
        let since = day - i64::from(standing.day);
        if standing.every == 0 { since == 0 } else { since % i64::from(standing.every) == 0 }
    });
    let added = standing.added.map(i64::from);
    let mut days: Vec<i64> = days.chain(added).filter(|day| standing.excepted.map(i64::from) != Some(*day)).collect();
    days.sort_unstable();
    days.dedup();
    let occurrence = |day: i64| {
        let date = scenario.date.saturating_add(jiff::Span::new().days(day));
        let time = jiff::civil::Time::new((standing.minute / 60) as i8, (standing.minute % 60) as i8, 0, 0).unwrap();
        // What jiff calls compatible: a start in a gap moves forward, one that occurs twice is the first.
        let from = DateTime::from_parts(date, time).to_zoned_datetime(zone.clone()).unwrap().timestamp().as_second();
        let length = i64::from(standing.length_min) * 60;
        Window {
            from,
            to: from + length,
            name: "hours/standing".to_owned(),
            allowance: length,
            retroactive: false,
            kind: Kind::Occurrence(version),
        }
    };
    days.into_iter().map(occurrence).collect()
}

/// What is left of the allowances.
#[derive(Clone, Debug)]
pub struct Purse<'a> {
    windows: &'a [Window],
    left: Vec<i64>,
    /// Used of the cap, by the beginning of its period.
    used: HashMap<i64, i64>,
    with_retroactive: bool,
}

impl<'a> Purse<'a> {
    pub fn new(windows: &'a [Window], with_retroactive: bool) -> Self {
        let left = windows.iter().map(|window| window.allowance).collect();
        Self { windows, left, used: HashMap::new(), with_retroactive }
    }

    /// Whether a second of loss is excluded, by the first window that can.
    pub fn excludes(&mut self, second: i64, terms: &TermsVersion, calendar: usize, period: i64) -> bool {
        let used = self.used.entry(period).or_default();
        for (index, window) in self.windows.iter().enumerate() {
            let usable = (window.from..window.to).contains(&second)
                && window.excludes_under(terms, calendar)
                && self.left[index] > 0
                && (!window.is_capped() || *used < terms.rules.cap_s)
                && (self.with_retroactive || !window.retroactive);
            if usable {
                self.left[index] -= 1;
                *used += i64::from(window.is_capped());
                return true;
            }
        }
        false
    }
}
