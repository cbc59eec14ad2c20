//! Which period an instant lies in, over all versions of an agreement.
//!
//! A change of the kind or the zone of the period takes effect at the end of the period that runs when it is accepted:
//! periods follow each other without a hole and without overlapping, whatever is changed.

use crate::domain::period::{Period, PeriodKey, period_containing};
use crate::domain::time::Instant;
use crate::domain::version::Versions;

use super::{PeriodRules, Terms};

/// What a change leaves of a period is one of its own if it is longer than this; else it belongs to the next one. No
/// two zones are further apart, so that a month is not cut into two by a change of the zone.
const SHORTEST_REST_MS: i64 = 26 * 3_600_000;

/// The periods of an agreement: how time is cut, by all its versions.
#[derive(Clone, Debug)]
pub struct Schedule<'a> {
    terms: &'a Versions<Terms>,
    first: &'a PeriodRules,
    /// Other rules, from an end of a period on; in order of time.
    changes: Vec<(Instant, &'a PeriodRules)>,
}

impl<'a> Schedule<'a> {
    /// The schedule of the versions of an agreement; none without versions.
    pub fn of(terms: &'a Versions<Terms>) -> Option<Self> {
        let (first, later) = terms.all().split_first()?;
        let mut schedule = Self { terms, first: &first.value.period, changes: Vec::new() };
        for version in later {
            schedule.amend(version.since, &version.value.period);
        }
        Some(schedule)
    }

    /// Takes in rules that are accepted at an instant. Of several in one period the last one counts.
    fn amend(&mut self, accepted: Instant, rules: &'a PeriodRules) {
        if self.changes.last().map_or(self.first, |(_, last)| last) == rules {
            // Most amendments change no period, and a schedule is made for each judgement.
            return;
        }
        // At a boundary nothing of the period that begins has passed.
        let before = accepted.minus_ms(1);
        let waiting = self.changes.last().is_some_and(|(since, _)| *since > before);
        let since = match self.changes.last() {
            Some((since, _)) if waiting => *since,
            _ => self.period_at(before).end,
        };
        if waiting {
            self.changes.pop();
        }
        if self.changes.last().map_or(self.first, |(_, rules)| rules) != rules {
            self.changes.push((since, rules));
        }
    }

    /// The rules by which an instant's period is cut.
    pub fn rules_at(&self, at: Instant) -> &'a PeriodRules {
        self.stretch_at(at).1
    }

    /// The rules that are accepted and wait for the end of a period, and that end.
    pub fn next_change(&self, now: Instant) -> Option<(Instant, &'a PeriodRules)> {
        self.changes.iter().find(|(since, _)| *since > now).copied()
    }

    /// The calendar period whose ledger an instant belongs to; of a rolling agreement it is the month.
    pub fn period_at(&self, at: Instant) -> Period {
        let (since, rules) = self.stretch_at(at);
        let whole = |at: Instant| ledger(period_containing(rules.kind, &rules.zone, at).key, rules);
        if let Some(since) = since {
            let rest = whole(since);
            let key = if since > rest.start && rest.end.ms_since(since) <= SHORTEST_REST_MS {
                rest.key.next()
            } else {
                rest.key
            };
            let first = Period { start: since, ..ledger(key, rules) };
            if at < first.end {
                return first;
            }
        }
        whole(at)
    }

    /// The period before; none at the beginning of the calendar.
    pub fn before(&self, period: &Period) -> Option<Period> {
        let before = self.period_at(period.start.minus_ms(1));
        (before.start < period.start).then_some(before)
    }

    /// The period after; none at the end of the calendar.
    pub fn after(&self, period: &Period) -> Option<Period> {
        let after = self.period_at(period.end);
        (after.end > period.end).then_some(after)
    }

    /// The period of a key, if there is one of its kind.
    pub fn period_of(&self, key: PeriodKey) -> Option<Period> {
        let all = self.changes.iter().rev().map(|(_, rules)| *rules).chain([self.first]);
        let mut same = all.filter(|rules| rules.kind == key.kind());
        same.find_map(|rules| {
            let period = self.period_at(ledger(key, rules).end.minus_ms(1));
            (period.key == key).then_some(period)
        })
    }

    /// When the report of a period closes: after the grace that was agreed at its end.
    pub fn closing(&self, period: &Period) -> Instant {
        let version = self.terms.at(period.end.minus_ms(1));
        period.end.plus_ms(version.map_or(0, |version| version.value.grace_ms))
    }

    fn stretch_at(&self, at: Instant) -> (Option<Instant>, &'a PeriodRules) {
        let after = self.changes.partition_point(|(since, _)| *since <= at);
        match after.checked_sub(1) {
            Some(index) => (Some(self.changes[index].0), self.changes[index].1),
            None => (None, self.first),
        }
    }
}

/// The calendar period of a key, of a rolling key the month at whose end it is judged.
fn ledger(key: PeriodKey, rules: &PeriodRules) -> Period {
    let calendar = key.ledger().period_in(&rules.zone);
    Period { key, start: calendar.start, end: calendar.end }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::domain::version::Version;

    fn terms(period: &str) -> Terms {
        let spec = format!(
            "{{serviceRef: {{name: shop}}, reportingPeriod: {period}, \
             targets: [{{name: a, kind: Availability, method: Readiness, objective: '99'}}]}}"
        );
        Terms::from_spec(&serde_saphyr::from_str(&spec).unwrap()).unwrap()
    }

    fn versions(list: &[(&str, &str)]) -> Versions<Terms> {
        let mut versions = Versions::default();
        for (index, (since, period)) in list.iter().enumerate() {
            let digest = index.to_string().into();
            versions.accept(Version { since: at(since), digest, value: Arc::new(terms(period)) });
        }
        versions
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    /// Key, start and end of the periods that follow each other from an instant on.
    fn periods(versions: &Versions<Terms>, from: &str, count: usize) -> Vec<(String, String, String)> {
        let schedule = Schedule::of(versions).unwrap();
        let mut period = schedule.period_at(at(from));
        let mut list = Vec::new();
        for _ in 0..count {
            list.push((period.key.to_string(), period.start.format_utc(), period.end.format_utc()));
            assert_eq!(schedule.period_of(period.key), Some(period));
            let after = schedule.after(&period).unwrap();
            assert_eq!(after.start, period.end);
            assert_eq!(schedule.before(&after), Some(period));
            period = after;
        }
        list
    }

    fn expected(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        let midnight = |text: &str| if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        list.iter().map(|(key, start, end)| ((*key).to_owned(), midnight(start), midnight(end))).collect()
    }

    #[test]
    fn another_kind_begins_at_the_end_of_the_running_period() {
        let versions = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth}"),
            ("2025-11-12T09:00:00Z", "{kind: CalendarQuarter}"),
        ]);
        let found = periods(&versions, "2025-10-05T00:00:00Z", 4);
        let wanted = [
            ("2025-10", "2025-10-01", "2025-11-01"),
            ("2025-11", "2025-11-01", "2025-12-01"),
            ("2025-Q4", "2025-12-01", "2026-01-01"),
            ("2026-Q1", "2026-01-01", "2026-04-01"),
        ];
        assert_eq!(found, expected(&wanted));
    }

    #[test]
    fn another_zone_moves_the_next_boundary_and_cuts_nothing() {
        let west = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth}"),
            ("2025-11-12T09:00:00Z", "{kind: CalendarMonth, timeZone: America/New_York}"),
        ]);
        let wanted = [
            ("2025-11", "2025-11-01", "2025-12-01"),
            ("2025-12", "2025-12-01", "2026-01-01T05:00:00Z"),
            ("2026-01", "2026-01-01T05:00:00Z", "2026-02-01T05:00:00Z"),
        ];
        assert_eq!(periods(&west, "2025-11-20T00:00:00Z", 3), expected(&wanted));
        let east = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: Rolling, days: 30}"),
            ("2025-11-12T09:00:00Z", "{kind: Rolling, days: 30, timeZone: Asia/Tokyo}"),
        ]);
        let wanted =
            [("2025-11-30d", "2025-11-01", "2025-12-01"), ("2025-12-30d", "2025-12-01", "2025-12-31T15:00:00Z")];
        assert_eq!(periods(&east, "2025-11-20T00:00:00Z", 2), expected(&wanted));
    }

    #[test]
    fn the_last_change_of_a_period_counts() {
        let undone = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth}"),
            ("2025-11-12T09:00:00Z", "{kind: CalendarYear}"),
            ("2025-11-13T09:00:00Z", "{kind: CalendarMonth, lateDataGrace: 1h}"),
        ]);
        let schedule = Schedule::of(&undone).unwrap();
        assert_eq!(schedule.next_change(at("2025-11-14T00:00:00Z")), None);
        assert_eq!(schedule.period_at(at("2025-12-14T00:00:00Z")).key.to_string(), "2025-12");
        let other = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth}"),
            ("2025-11-12T09:00:00Z", "{kind: CalendarYear}"),
            ("2025-11-13T09:00:00Z", "{kind: CalendarWeek}"),
        ]);
        // 1 December 2025 is a Monday.
        let wanted = [("2025-11", "2025-11-01", "2025-12-01"), ("2025-W49", "2025-12-01", "2025-12-08")];
        assert_eq!(periods(&other, "2025-11-20T00:00:00Z", 2), expected(&wanted));
    }

    #[test]
    fn a_short_rest_belongs_to_the_next_period() {
        // Week 48 of 2026 ends with Sunday, 29 November: one day of November is left.
        let versions = versions(&[
            ("2026-01-01T00:00:00Z", "{kind: CalendarWeek}"),
            ("2026-11-25T09:00:00Z", "{kind: CalendarMonth}"),
        ]);
        let wanted = [("2026-W48", "2026-11-23", "2026-11-30"), ("2026-12", "2026-11-30", "2027-01-01")];
        assert_eq!(periods(&versions, "2026-11-26T00:00:00Z", 2), expected(&wanted));
    }

    #[test]
    fn rules_that_are_accepted_at_a_boundary_hold_from_there() {
        let versions = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth}"),
            ("2025-12-01T00:00:00Z", "{kind: CalendarYear}"),
        ]);
        let wanted = [("2025-11", "2025-11-01", "2025-12-01"), ("2025", "2025-12-01", "2026-01-01")];
        assert_eq!(periods(&versions, "2025-11-26T00:00:00Z", 2), expected(&wanted));
    }

    #[test]
    fn a_period_closes_after_the_grace_of_its_end() {
        let versions = versions(&[
            ("2025-01-01T00:00:00Z", "{kind: CalendarMonth, lateDataGrace: 1h}"),
            ("2025-11-12T09:00:00Z", "{kind: CalendarMonth, lateDataGrace: 2h}"),
        ]);
        let schedule = Schedule::of(&versions).unwrap();
        let closing = |text: &str| schedule.closing(&schedule.period_at(at(text))).format_utc();
        assert_eq!(closing("2025-10-05T00:00:00Z"), "2025-11-01T01:00:00Z");
        assert_eq!(closing("2025-11-05T00:00:00Z"), "2025-12-01T02:00:00Z");
    }
}
