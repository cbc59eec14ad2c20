//! Burn rate: how fast an error budget is being spent, over several windows that end now.
//!
//! 1 spends the budget exactly at the period's end. A pair of windows fires together: the long one says that much is
//! lost, the short one that it still goes on.

use std::sync::Arc;

use super::accounting::{ClassSums, Figures, Yardstick};
use super::agreement::TargetTerms;
use super::decimal::{Decimal, Fraction, SCALE};
use super::period::PeriodKind;
use super::report::{Facts, class_sums, with_rolled_edge};
use super::time::{DAY_MS, HOUR_MS, Instant, Interval, MINUTE_MS};
use super::timeline::Timeline;

/// How loud an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks at it on the next working day.
    Ticket,
}

impl Severity {
    /// The label in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// A pair of windows, and the burn rate beyond which both together are an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// How loud.
    pub severity: Severity,
    /// The long window.
    pub long_ms: i64,
    /// The short window.
    pub short_ms: i64,
    /// The burn rate.
    pub factor: Decimal,
}

const fn alert(severity: Severity, long_ms: i64, short_ms: i64, factor_tenths: i64) -> Alert {
    Alert { severity, long_ms, short_ms, factor: Decimal::from_ten_thousandths(factor_tenths * 1000) }
}

/// The pairs for periods of 28 days and more: 2, 5, 10 and 10 % of the budget of 30 days.
const ALERTS: [Alert; 4] = [
    alert(Severity::Page, HOUR_MS, 5 * MINUTE_MS, 144),
    alert(Severity::Page, 6 * HOUR_MS, 30 * MINUTE_MS, 60),
    alert(Severity::Ticket, DAY_MS, 2 * HOUR_MS, 30),
    alert(Severity::Ticket, 3 * DAY_MS, 6 * HOUR_MS, 10),
];

/// Periods from this length on use the windows as they are.
const FULL_DAYS: i64 = 28;
/// What shorter periods are a share of.
const WHOLE_DAYS: i64 = 30;

/// The pairs of windows for a kind of period: shorter periods have windows that are shorter by as much, in whole
/// minutes.
pub fn alerts(kind: PeriodKind) -> [Alert; 4] {
    let days = match kind {
        PeriodKind::CalendarWeek => 7,
        PeriodKind::CalendarMonth | PeriodKind::CalendarQuarter | PeriodKind::CalendarYear => FULL_DAYS,
        PeriodKind::Rolling { days } => i64::from(days),
    };
    let scaled = |length_ms: i64| {
        if days >= FULL_DAYS {
            return length_ms;
        }
        let minutes = length_ms / MINUTE_MS * days / WHOLE_DAYS;
        minutes.max(1) * MINUTE_MS
    };
    ALERTS.map(|alert| Alert { long_ms: scaled(alert.long_ms), short_ms: scaled(alert.short_ms), ..alert })
}

/// Whether an alert can fire at all: a service that is down throughout burns `1 / (1 - objective)`, and no faster.
pub fn can_fire(alert: &Alert, objective: Decimal) -> bool {
    let allowed = Decimal::HUNDRED.ten_thousandths() - objective.ten_thousandths();
    alert.factor.ten_thousandths() * allowed < Decimal::HUNDRED.ten_thousandths() * SCALE
}

/// The windows of some pairs, each once, shortest first.
pub fn windows(alerts: &[Alert]) -> Vec<i64> {
    let mut windows: Vec<i64> = alerts.iter().flat_map(|alert| [alert.long_ms, alert.short_ms]).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// Burn rate of a span: `(lost / base) / (1 - objective)`. None without objective or without base.
pub fn burn(sums: ClassSums, yardstick: Yardstick) -> Option<Fraction> {
    let objective = yardstick.objective?;
    let allowed = Decimal::HUNDRED.ten_thousandths() - objective.ten_thousandths();
    let lost = Figures::closed(sums, yardstick).availability()?.complement();
    lost.divided_by(Fraction::new(allowed, Decimal::HUNDRED.ten_thousandths())?)
}

/// Burn rate of a target over a window that ends at `now`. One that begins within a sum of the ledger has all of it
/// inside, as a rolling period.
pub fn burn_rate(
    facts: Facts<'_>,
    target: &TargetTerms,
    line: Option<Arc<Timeline>>,
    window_ms: i64,
    now: Instant,
    horizon: Instant,
) -> Option<Fraction> {
    let span = Interval::new(now.minus_ms(window_ms), now)?;
    let span = line.as_deref().map_or(span, |line| with_rolled_edge(span, line));
    burn(class_sums(facts, target, line, span, horizon), target.yardstick)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::agreement::TreatAs;
    use crate::api::service::State;
    use crate::domain::agreement::Terms;
    use crate::domain::duration::format_exact;
    use crate::domain::maintenance::NOTHING_ANNOUNCED;
    use crate::domain::reason::Reason;
    use crate::domain::report::Calendars;
    use crate::domain::timeline::{Entry, Rolled};
    use crate::domain::version::{Version, Versions};

    fn yardstick(objective: &str) -> Yardstick {
        Yardstick {
            objective: Some(Decimal::parse(objective).unwrap()),
            degraded_counts: Decimal::parse("0.5").unwrap(),
            treat_as: TreatAs::Exclude,
            min_coverage: Decimal::ZERO,
            warn_at: Decimal::HUNDRED,
        }
    }

    /// M-87: the arithmetic alone; the running operator has a row of its own. A burn rate of 11.1111 is printed as the
    /// percentage 1111.1111.
    #[test]
    fn m_87_burn_rates_are_exact() {
        let rate = |down: i64, window: i64| {
            let sums = ClassSums { down, up: window - down, ..ClassSums::default() };
            burn(sums, yardstick("99.9")).unwrap()
        };
        for (down, hour, minutes) in [(90_000, "2500.0000", "30000.0000"), (40_000, "1111.1111", "13333.3333")] {
            assert_eq!(rate(down, HOUR_MS).percent(), hour);
            assert_eq!(rate(down, 5 * MINUTE_MS).percent(), minutes);
        }
        let degraded = ClassSums { degraded: 1000, up: 1000, out_of_hours: 9, unknown: 7, ..ClassSums::default() };
        assert_eq!(burn(degraded, yardstick("50")).unwrap().percent(), "50.0000");
        assert_eq!(burn(ClassSums { unknown: 9, ..ClassSums::default() }, yardstick("99")), None);
        assert_eq!(burn(degraded, Yardstick { objective: None, ..yardstick("99") }), None);
    }

    /// Within a sum the order of states is lost: what a window would cut off is not left out by guess.
    #[test]
    fn a_window_that_begins_within_a_sum_has_all_of_it() {
        let at = |ms: i64| Instant::parse("2025-11-03T00:00:00Z").unwrap().plus_ms(ms);
        let terms = Versions::starting_with(Version {
            since: at(0),
            digest: "sha256:a".into(),
            value: Arc::new(Terms::implicit("checkout")),
        });
        let no_versions = Versions::default();
        let facts = Facts {
            terms: &terms,
            calendars: &Calendars::new(),
            service: &no_versions,
            service_name: "checkout",
            created: at(0),
            announced: &NOTHING_ANNOUNCED,
        };
        let target = TargetTerms { yardstick: yardstick("99"), ..terms.all()[0].value.targets[0].clone() };
        // Within an hour down for its first 20 minutes: in turns of a second, and put together by a ledger.
        let line = |turns: &[(i64, State)]| {
            let entries = turns.iter().map(|(ms, state)| Entry::live(at(*ms), *state, None, Reason::NoneReady));
            Timeline::from_entries(entries.collect())
        };
        let mut rolled = line(&[(0, State::Up), (HOUR_MS, State::Down), (HOUR_MS + 20 * MINUTE_MS, State::Up)]);
        let sum = Interval { from: at(HOUR_MS), to: at(2 * HOUR_MS) };
        rolled.set_rolled(vec![
            Rolled::parse(&format!("{} {} hour", sum.from.format_utc(), sum.to.format_utc())).unwrap(),
        ]);
        let rate = |minutes: i64| {
            let now = at(2 * HOUR_MS + 20 * MINUTE_MS);
            let rate = burn_rate(facts, &target, Some(Arc::new(rolled.clone())), minutes * MINUTE_MS, now, now);
            rate.unwrap().percent()
        };
        assert_eq!(rate(20), "0.0000", "it begins behind the sum");
        assert_eq!(rate(30), "2500.0000", "20 of 80 minutes, and not 0 of 30");
        assert_eq!(rate(80), "2500.0000", "it begins with the sum");
        assert_eq!(rate(100), "2000.0000", "it begins before the sum");
    }

    /// M-88: windows and factors; `assize report --rules` has a row of its own.
    #[test]
    fn m_88_short_periods_have_short_windows_and_factors_that_can_fire() {
        let shown = |kind| {
            alerts(kind).map(|alert| format!("{}/{}", format_exact(alert.long_ms), format_exact(alert.short_ms)))
        };
        assert_eq!(shown(PeriodKind::CalendarMonth), ["1h/5m", "6h/30m", "1d/2h", "3d/6h"]);
        assert_eq!(shown(PeriodKind::CalendarWeek), ["14m/1m", "1h24m/7m", "5h36m/28m", "16h48m/1h24m"]);
        assert_eq!(shown(PeriodKind::Rolling { days: 28 }), shown(PeriodKind::CalendarYear));
        assert_eq!(shown(PeriodKind::Rolling { days: 1 })[0], "2m/1m");
        assert_eq!(windows(&alerts(PeriodKind::CalendarMonth)).len(), 7);
        assert_eq!(windows(&alerts(PeriodKind::CalendarMonth)[..2]).len(), 4);
        let kept = |objective: &str| {
            let objective = Decimal::parse(objective).unwrap();
            let kept = ALERTS.iter().filter(|alert| can_fire(alert, objective)).map(|alert| alert.factor.to_string());
            kept.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept("99.9"), "14.4 6 3 1");
        assert_eq!(kept("90"), "6 3 1");
        assert_eq!(kept("0.0001"), "1");
    }
}
