//! Burn rate: how fast an error budget is being spent, over several windows that end now.
//!
//! 1 spends the budget exactly at the period's end. A pair of windows fires together: the long one says that much is
//! lost, the short one that it still goes on.

use std::sync::Arc;

use super::accounting::{ClassSums, Figures, Yardstick};
use super::agreement::TargetTerms;
use super::decimal::{Decimal, Fraction, SCALE};
use super::period::PeriodKind;
use super::report::{Facts, class_sums};
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

/// Burn rate of a target over a window that ends at `now`.
pub fn burn_rate(
    facts: Facts<'_>,
    target: &TargetTerms,
    line: Option<Arc<Timeline>>,
    window_ms: i64,
    now: Instant,
    horizon: Instant,
) -> Option<Fraction> {
    let span = Interval::new(now.minus_ms(window_ms), now)?;
    burn(class_sums(facts, target, line, span, horizon), target.yardstick)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::agreement::TreatAs;
    use crate::domain::duration::format_exact;

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
