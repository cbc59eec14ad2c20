//! Reliability targets: how often a service may fail, and for how long.
//!
//! They are judged from the outages of the service state, the same that an Availability target over it counts.

use crate::api::agreement::{Method, Target, TargetKind};
use crate::api::report::ReliabilityFigures;
use crate::api::values::DurationText;

use super::accounting::{Figures, Judgement, Verdict, Yardstick};
use super::agreement::TargetTerms;
use super::decimal::{Decimal, SCALE};
use super::duration::parse_duration_ms;
use super::violation::Violation;

/// The limits of a Reliability target, at least one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most outages in a period.
    pub max_outages: Option<u32>,
    /// Longest counted time of one outage.
    pub max_single_outage_ms: Option<i64>,
    /// Longest mean counted time of the outages that ended.
    pub max_mtrs_ms: Option<i64>,
}

/// The outages that belong to a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outages {
    /// How many.
    pub count: u32,
    /// The longest counted time of one.
    pub longest_ms: i64,
    /// How many of them ended.
    pub ended: u32,
    /// Counted time of those together.
    pub ended_ms: i64,
}

impl Outages {
    /// Adds one outage.
    pub fn add(&mut self, counted_ms: i64, ended: bool) {
        self.count += 1;
        self.longest_ms = self.longest_ms.max(counted_ms);
        if ended {
            self.ended += 1;
            self.ended_ms += counted_ms;
        }
    }

    /// Mean counted time of those that ended, rounded down.
    pub fn mean_ms(&self) -> Option<i64> {
        (self.ended > 0).then(|| self.ended_ms / i64::from(self.ended))
    }
}

impl Limits {
    fn too_many(&self, outages: &Outages) -> bool {
        self.max_outages.is_some_and(|most| outages.count > most)
    }

    fn too_long(&self, outages: &Outages) -> bool {
        self.max_single_outage_ms.is_some_and(|longest| outages.longest_ms > longest)
    }

    /// Exact: the sum is compared, not the rounded mean.
    fn restored_too_slowly(&self, outages: &Outages) -> bool {
        self.max_mtrs_ms.is_some_and(|mean| outages.ended_ms > mean.saturating_mul(i64::from(outages.ended)))
    }

    /// The limits that are exceeded, as the spec names them.
    pub fn exceeded(&self, outages: &Outages) -> Vec<&'static str> {
        let limits = [
            ("maxOutages", self.too_many(outages)),
            ("maxSingleOutage", self.too_long(outages)),
            ("maxMTRS", self.restored_too_slowly(outages)),
        ];
        limits.into_iter().filter(|(_, exceeded)| *exceeded).map(|(name, _)| name).collect()
    }

    /// The verdict on a part whose time is over. Unknown time above the coverage limit leaves it open: it may hide
    /// outages, join them or make them longer.
    pub fn judge_closed(&self, outages: &Outages, figures: &Figures) -> Judgement {
        let unknown = figures.sums().unknown > 0;
        let judgement = |verdict, certain| Judgement { verdict, reason: None, certain };
        if figures.sums().service() == 0 {
            indeterminate("NoServiceTime")
        } else if !figures.covers_enough() {
            indeterminate("LowCoverage")
        } else if self.exceeded(outages).is_empty() {
            judgement(Verdict::Met, !unknown)
        } else {
            // What is unknown can make an outage longer, not shorter.
            judgement(Verdict::Missed, !unknown || self.too_long(outages))
        }
    }

    /// The verdict on a running part: too many or too long an outage stays so, a mean may still fall.
    pub fn judge_open(&self, outages: &Outages, figures: &Figures, to_come_ms: i64, warn_at: Decimal) -> Judgement {
        let unknown = figures.sums().unknown > 0;
        let judgement = |verdict, certain| Judgement { verdict, reason: None, certain };
        if self.too_long(outages) || self.too_many(outages) {
            judgement(Verdict::Breached, !unknown || self.too_long(outages))
        } else if figures.sums().service() + to_come_ms == 0 {
            indeterminate("NoServiceTime")
        } else if !figures.covers_enough() {
            indeterminate("LowCoverage")
        } else if self.restored_too_slowly(outages) || self.is_near(outages, warn_at) {
            judgement(Verdict::AtRisk, false)
        } else {
            judgement(Verdict::OnTrack, !unknown)
        }
    }

    /// Whether a limit is used by at least `warn_at` percent.
    fn is_near(&self, outages: &Outages, warn_at: Decimal) -> bool {
        let near = |used: i64, limit: Option<i64>| {
            limit.is_some_and(|limit| {
                used > 0 && i128::from(used) * 100 * SCALE >= warn_at.ten_thousandths() * i128::from(limit)
            })
        };
        near(outages.count.into(), self.max_outages.map(i64::from))
            || near(outages.longest_ms, self.max_single_outage_ms)
            || near(outages.ended_ms, self.max_mtrs_ms.map(|mean| mean.saturating_mul(outages.ended.into())))
    }

    /// How long the running outage, which counts so much already, may go on until it is too long for good.
    pub fn breached_after(&self, running_ms: i64) -> Option<i64> {
        self.max_single_outage_ms.filter(|longest| running_ms <= *longest).map(|longest| longest - running_ms + 1)
    }

    /// What a report says.
    pub fn figures(&self, outages: &Outages) -> ReliabilityFigures {
        ReliabilityFigures {
            outages: outages.count,
            longest_ms: outages.longest_ms,
            mean_ms: outages.mean_ms(),
            exceeded: self.exceeded(outages).into_iter().map(str::to_owned).collect(),
        }
    }
}

fn indeterminate(reason: &'static str) -> Judgement {
    Judgement { verdict: Verdict::Indeterminate, reason: Some(reason), certain: false }
}

/// Reads a Reliability target.
pub(super) fn read_target(
    target: &Target,
    field: &str,
    yardstick: Yardstick,
    found: &mut Vec<Violation>,
) -> TargetTerms {
    if target.objective.is_some() {
        let message = "a Reliability target has limits instead; remove it";
        found.push(Violation::new(format!("{field}.objective"), message));
    }
    let given = [
        ("method", target.method.is_some()),
        ("readiness", target.readiness.is_some()),
        ("probe", target.probe.is_some()),
    ];
    for (name, _) in given.into_iter().filter(|(_, given)| *given) {
        let message = "only an Availability target has it; remove it";
        found.push(Violation::new(format!("{field}.{name}"), message));
    }
    let mut read = |text: &Option<DurationText>, name: &str| {
        parse_duration_ms(text.as_ref()?.as_str())
            .map_err(|error| found.push(Violation::new(format!("{field}.{name}"), error.to_string())))
            .ok()
    };
    let limits = Limits {
        max_outages: target.max_outages,
        max_single_outage_ms: read(&target.max_single_outage, "maxSingleOutage"),
        max_mtrs_ms: read(&target.max_mtrs, "maxMTRS"),
    };
    if target.max_outages.is_none() && target.max_single_outage.is_none() && target.max_mtrs.is_none() {
        let message = "a Reliability target needs maxOutages, maxSingleOutage or maxMTRS, at least one";
        found.push(Violation::new(field, message));
    }
    TargetTerms {
        name: target.name.as_str().into(),
        kind: TargetKind::Reliability,
        method: Method::Readiness,
        contractual: target.contractual.unwrap_or(true),
        yardstick,
        components: None,
        probe: None,
        min_outage_ms: 0,
        limits: Some(limits),
    }
}

/// Refuses limits of a target of another kind.
pub(super) fn refuse_limits(target: &Target, field: &str, found: &mut Vec<Violation>) {
    let limits = [
        ("maxOutages", target.max_outages.is_some()),
        ("maxSingleOutage", target.max_single_outage.is_some()),
        ("maxMTRS", target.max_mtrs.is_some()),
    ];
    for (name, _) in limits.into_iter().filter(|(_, given)| *given) {
        found.push(Violation::new(format!("{field}.{name}"), "only a Reliability target has it; remove it"));
    }
}

/// One set of outages: what the first Availability target over the state of the Service is too short to count, a
/// Reliability target does not count either.
pub(super) fn share_outages(targets: &mut [TargetTerms]) {
    let first = targets.iter().find(|target| target.limits.is_none() && target.follows_service());
    let min_outage_ms = first.map_or(0, |target| target.min_outage_ms);
    for target in targets.iter_mut().filter(|target| target.limits.is_some()) {
        target.min_outage_ms = min_outage_ms;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::agreement::TreatAs;
    use crate::domain::accounting::ClassSums;

    const MINUTE_MS: i64 = 60_000;

    fn figures(unknown: i64) -> Figures {
        let yardstick = Yardstick {
            objective: None,
            degraded_counts: Decimal::ZERO,
            treat_as: TreatAs::Exclude,
            min_coverage: Decimal::parse("99").unwrap(),
            warn_at: Decimal::parse("75").unwrap(),
        };
        Figures::closed(ClassSums { unknown, up: 1000 - unknown, ..ClassSums::default() }, yardstick)
    }

    fn outages(minutes: &[i64]) -> Outages {
        let mut outages = Outages::default();
        for minutes in minutes {
            outages.add(minutes * MINUTE_MS, true);
        }
        outages
    }

    const LIMITS: Limits =
        Limits { max_outages: Some(3), max_single_outage_ms: Some(30 * MINUTE_MS), max_mtrs_ms: Some(20 * MINUTE_MS) };

    #[test]
    fn m_86_each_limit_is_judged_by_itself() {
        let three = outages(&[10, 25, 31]);
        assert_eq!((three.longest_ms, three.mean_ms()), (1_860_000, Some(1_320_000)));
        assert_eq!(LIMITS.exceeded(&three), ["maxSingleOutage", "maxMTRS"]);
        assert_eq!(LIMITS.judge_closed(&three, &figures(0)).verdict, Verdict::Missed);
        let equal = outages(&[10, 20, 30]);
        assert_eq!(LIMITS.judge_closed(&equal, &figures(0)).verdict, Verdict::Met, "equality is enough");
        assert_eq!(LIMITS.exceeded(&outages(&[1, 1, 1, 1])), ["maxOutages"]);
    }

    #[test]
    fn a_mean_is_compared_exactly() {
        let limits = Limits { max_mtrs_ms: Some(10), ..Limits::default() };
        let mut outages = Outages::default();
        outages.add(10, true);
        outages.add(11, true);
        assert_eq!(outages.mean_ms(), Some(10), "printed rounded down");
        assert_eq!(limits.exceeded(&outages), ["maxMTRS"]);
    }

    #[test]
    fn unknown_time_above_the_limit_leaves_it_open() {
        for outages in [outages(&[]), outages(&[31])] {
            let judgement = LIMITS.judge_closed(&outages, &figures(11));
            assert_eq!((judgement.verdict, judgement.reason), (Verdict::Indeterminate, Some("LowCoverage")));
        }
        let known_enough = LIMITS.judge_closed(&outages(&[1]), &figures(10));
        assert_eq!((known_enough.verdict, known_enough.certain), (Verdict::Met, false));
        assert!(LIMITS.judge_closed(&outages(&[31]), &figures(10)).certain, "no unknown time makes it shorter");
    }

    #[test]
    fn while_open_a_mean_may_still_fall() {
        let warn_at = Decimal::parse("75").unwrap();
        let judge = |minutes: &[i64]| LIMITS.judge_open(&outages(minutes), &figures(0), 0, warn_at).verdict;
        assert_eq!(judge(&[]), Verdict::OnTrack);
        assert_eq!(judge(&[14]), Verdict::OnTrack);
        assert_eq!(judge(&[15]), Verdict::AtRisk, "75 % of the mean");
        assert_eq!(judge(&[21]), Verdict::AtRisk);
        assert_eq!(judge(&[1, 1, 1]), Verdict::AtRisk);
        assert_eq!(judge(&[31]), Verdict::Breached);
        assert_eq!(judge(&[1, 1, 1, 1]), Verdict::Breached);
    }
}
