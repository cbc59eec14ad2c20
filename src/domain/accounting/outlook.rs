//! When time alone changes a verdict: an outage that goes on spends the budget, and coverage grows as time is observed.

use crate::api::service::State;

use super::{Figures, Judgement};

impl Figures {
    /// These figures after `ms` more of service time in one state. What is still to come becomes less by as much.
    fn after(&self, state: State, ms: i64) -> Self {
        let mut later = *self;
        *later.sums.class_of(state) += ms;
        later.to_come = (later.to_come - ms).max(0);
        later
    }

    /// After how many ms of service time in this state the verdict on the running part changes first; none if it does
    /// not within `limit_ms`.
    ///
    /// While one state lasts each bound of a verdict is crossed at most once, so that the first change is found by
    /// halving.
    pub fn verdict_changes_after(&self, state: State, limit_ms: i64) -> Option<i64> {
        let said = |judgement: Option<Judgement>| judgement.map(|judgement| (judgement.verdict, judgement.reason));
        let now = said(self.judge_open());
        let differs = |ms: i64| said(self.after(state, ms).judge_open()) != now;
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
    use super::super::{ClassSums, TreatAs, Verdict, Yardstick};
    use super::*;
    use crate::domain::decimal::Decimal;

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
        let first = on_track.verdict_changes_after(State::Down, MONTH_MS / 2).unwrap();
        assert_eq!(first, 1_944_000 - 1_000);
        let at_risk = on_track.after(State::Down, first);
        assert_eq!(at_risk.judge_open().unwrap().verdict, Verdict::AtRisk);
        let second = at_risk.verdict_changes_after(State::Down, MONTH_MS / 2).unwrap();
        assert_eq!(first + second, 2_592_001 - 1_000);
        assert_eq!(at_risk.after(State::Down, second).judge_open().unwrap().verdict, Verdict::Breached);
    }

    #[test]
    fn coverage_that_grows_ends_an_indeterminate_verdict() {
        let young = open(0, 1_000, 50_000);
        assert_eq!(young.judge_open().unwrap().verdict, Verdict::Indeterminate);
        assert_eq!(young.verdict_changes_after(State::Up, MONTH_MS / 2), Some(49_000));
        assert_eq!(open(0, 0, 50_000).verdict_changes_after(State::Up, MONTH_MS / 2), None);
    }
}
