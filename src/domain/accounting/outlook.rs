//! When time alone changes a verdict or what is said of a budget: an outage that goes on spends the budget, and coverage grows as time is observed.

use crate::api::service::State;

use crate::domain::decimal::Decimal;

use super::{Figures, Verdict};

/// What of the figures of a running part is shown in words.
#[derive(PartialEq, Eq)]
struct Words {
    verdict: Option<(Verdict, Option<&'static str>)>,
    is_low: bool,
    is_spent: bool,
    is_measured: bool,
}

impl Figures {
    /// These figures after `ms` more of service time in one state. What is still to come becomes less by as much.
    fn after(&self, state: State, ms: i64) -> Self {
        let mut later = *self;
        *later.sums.class_of(state) += ms;
        later.to_come = (later.to_come - ms).max(0);
        later
    }

    fn words(&self, spent_at: Decimal) -> Words {
        Words {
            verdict: self.judge_open().map(|judgement| (judgement.verdict, judgement.reason)),
            is_low: self.is_spent(self.yardstick.warn_at),
            is_spent: self.is_spent(spent_at),
            is_measured: self.base() > 0,
        }
    }

    /// After how many ms of service time in this state the verdict on the running part, or whether its budget is low or
    /// `spent_at` percent of it spent, changes first; none if that does not within `limit_ms`.
    ///
    /// While one state lasts each bound is crossed at most once, so that the first change is found by halving.
    pub fn words_change_after(&self, state: State, spent_at: Decimal, limit_ms: i64) -> Option<i64> {
        let now = self.words(spent_at);
        let differs = |ms: i64| self.after(state, ms).words(spent_at) != now;
        let (mut same, mut other) = (0, limit_ms);
        if limit_ms <= 0 || !differs(other) {
            return None;
        }
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if differs(middle) { other = middle } else { same = middle }
        }
        Some(other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{ClassSums, TreatAs, Yardstick};
    use super::*;

    const MONTH_MS: i64 = 2_592_000_000;

    fn open(down: i64, unknown: i64, up: i64) -> Figures {
        let yardstick = Yardstick {
            objective: Some(Decimal::parse("99.9").unwrap()),
            degraded_counts: Decimal::ZERO,
            treat_as: TreatAs::Exclude,
            min_coverage: Decimal::parse("99").unwrap(),
            warn_at: Decimal::parse("75").unwrap(),
        };
        let sums = ClassSums { unknown, down, up, ..ClassSums::default() };
        Figures::open(sums, yardstick, MONTH_MS - sums.elapsed())
    }

    /// The bounds of M-48: 75 % of 2592000 ms, then all of them.
    #[test]
    fn an_outage_that_goes_on_becomes_at_risk_and_then_breached() {
        let on_track = open(1_000, 0, 864_000_000);
        let spent_at = Decimal::parse("90").unwrap();
        let first = on_track.words_change_after(State::Down, spent_at, MONTH_MS / 2).unwrap();
        assert_eq!(first, 1_944_000 - 1_000);
        let at_risk = on_track.after(State::Down, first);
        assert_eq!(at_risk.judge_open().unwrap().verdict, Verdict::AtRisk);
        let second = at_risk.words_change_after(State::Down, spent_at, MONTH_MS / 2).unwrap();
        assert_eq!(first + second, 2_332_800 - 1_000, "90 % of the budget are spent");
        let spent = at_risk.after(State::Down, second);
        assert_eq!(spent.judge_open().unwrap().verdict, Verdict::AtRisk);
        let third = spent.words_change_after(State::Down, spent_at, MONTH_MS / 2).unwrap();
        assert_eq!(first + second + third, 2_592_001 - 1_000);
        assert_eq!(spent.after(State::Down, third).judge_open().unwrap().verdict, Verdict::Breached);
    }

    #[test]
    fn coverage_that_grows_ends_an_indeterminate_verdict() {
        let young = open(0, 1_000, 50_000);
        assert_eq!(young.judge_open().unwrap().verdict, Verdict::Indeterminate);
        assert_eq!(young.words_change_after(State::Up, Decimal::HUNDRED, MONTH_MS / 2), Some(49_000));
        assert_eq!(open(0, 0, 50_000).words_change_after(State::Up, Decimal::HUNDRED, MONTH_MS / 2), None);
    }
}
