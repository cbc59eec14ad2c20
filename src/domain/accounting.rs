//! Accounting: every millisecond gets one class, and the figures and verdicts follow from the sums.
//!
//! Conservation is exact: `out_of_hours + excluded + unknown + down + degraded + up = elapsed`.

mod outlook;

use std::cmp::Ordering;

use crate::api::agreement::TreatAs;
use crate::api::service::State;

use super::decimal::{Decimal, Fraction, SCALE};
use super::time::Interval;
use super::timeline::{Segment, Source};

/// Milliseconds by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSums {
    /// Not in the service hours.
    pub out_of_hours: i64,
    /// Loss that the agreement takes out.
    pub excluded: i64,
    /// Without proof of observation.
    pub unknown: i64,
    /// Down.
    pub down: i64,
    /// Degraded.
    pub degraded: i64,
    /// Up.
    pub up: i64,
    /// Of the proved service time, what was inferred.
    pub inferred: i64,
    /// Of the proved service time, what was backfilled.
    pub backfilled: i64,
}

impl ClassSums {
    /// Time in the service hours.
    pub fn service(&self) -> i64 {
        self.excluded + self.unknown + self.down + self.degraded + self.up
    }

    /// All time.
    pub fn elapsed(&self) -> i64 {
        self.out_of_hours + self.service()
    }

    /// Adds the sums of another span.
    pub fn add(&mut self, other: &Self) {
        self.out_of_hours += other.out_of_hours;
        self.excluded += other.excluded;
        self.unknown += other.unknown;
        self.down += other.down;
        self.degraded += other.degraded;
        self.up += other.up;
        self.inferred += other.inferred;
        self.backfilled += other.backfilled;
    }

    fn class_of(&mut self, state: State) -> &mut i64 {
        match state {
            State::Up => &mut self.up,
            State::Degraded => &mut self.degraded,
            State::Down => &mut self.down,
            State::Unknown => &mut self.unknown,
        }
    }
}

/// Classes of time of consecutive segments, under service hours that are sorted and disjoint.
pub fn classify(segments: impl IntoIterator<Item = Segment>, hours: &[Interval]) -> ClassSums {
    classify_with(segments, hours, |piece| (piece.state, 0))
}

/// As [`classify`]; `book` says for each piece inside the hours, in order, as which state it counts and how much of it is
/// excluded.
///
/// One pass over both lists: the cost follows transitions, not time.
pub fn classify_with(
    segments: impl IntoIterator<Item = Segment>,
    hours: &[Interval],
    mut book: impl FnMut(&Segment) -> (State, i64),
) -> ClassSums {
    let mut sums = ClassSums::default();
    let mut next = 0;
    for segment in segments {
        while hours.get(next).is_some_and(|open| open.to <= segment.span.from) {
            next += 1;
        }
        let mut in_hours = 0;
        for open in &hours[next..] {
            let Some(span) = open.intersect(&segment.span) else { break };
            let (state, excluded) = book(&Segment { span, ..segment });
            sums.excluded += excluded;
            *sums.class_of(state) += span.length_ms() - excluded;
            in_hours += span.length_ms();
        }
        sums.out_of_hours += segment.span.length_ms() - in_hours;
        if segment.state != State::Unknown {
            match segment.source {
                Source::Live => {}
                Source::Inferred => sums.inferred += in_hours,
                Source::Backfilled => sums.backfilled += in_hours,
            }
        }
    }
    sums
}

/// What a target is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yardstick {
    /// The number to reach, percent; none: figures without a verdict.
    pub objective: Option<Decimal>,
    /// Share of Degraded time that counts as down.
    pub degraded_counts: Decimal,
    /// What unknown time counts as.
    pub treat_as: TreatAs,
    /// With less coverage the verdict is Indeterminate, percent.
    pub min_coverage: Decimal,
    /// Share of the budget spent from which the verdict is `AtRisk`, percent.
    pub warn_at: Decimal,
}

/// A verdict on a target, a part or a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Open: within budget.
    OnTrack,
    /// Closed: reached.
    Met,
    /// Open: the budget is nearly used, or unknown time could have used it.
    AtRisk,
    /// Too little is known.
    Indeterminate,
    /// Open: cannot be reached any more.
    Breached,
    /// Closed: not reached.
    Missed,
}

impl Verdict {
    /// The word in status and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnTrack => "OnTrack",
            Self::Met => "Met",
            Self::AtRisk => "AtRisk",
            Self::Indeterminate => "Indeterminate",
            Self::Breached => "Breached",
            Self::Missed => "Missed",
        }
    }

    /// The gauge: 0 `OnTrack` or `Met`, 1 `AtRisk`, 2 `Indeterminate`, 3 `Breached` or `Missed`.
    pub const fn severity(self) -> u8 {
        match self {
            Self::OnTrack | Self::Met => 0,
            Self::AtRisk => 1,
            Self::Indeterminate => 2,
            Self::Breached | Self::Missed => 3,
        }
    }
}

/// A verdict, why it is Indeterminate, and whether a missing fact could change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// `NoServiceTime` or `LowCoverage`, where it is Indeterminate.
    pub reason: Option<&'static str>,
    /// Whether no missing fact could change it.
    pub certain: bool,
}

/// The figures of one target over one span. Amounts that a share makes fractional are kept in ten-thousandths of a
/// millisecond, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    sums: ClassSums,
    yardstick: Yardstick,
    /// Service time of the part that is still to come; 0 once its period is over.
    to_come: i64,
}

impl Figures {
    /// Figures of a part whose time is over.
    pub fn closed(sums: ClassSums, yardstick: Yardstick) -> Self {
        Self { sums, yardstick, to_come: 0 }
    }

    /// Figures of a running part, of which `to_come_ms` of service time lie ahead.
    pub fn open(sums: ClassSums, yardstick: Yardstick, to_come_ms: i64) -> Self {
        Self { sums, yardstick, to_come: to_come_ms }
    }

    /// The classes of time.
    pub fn sums(&self) -> &ClassSums {
        &self.sums
    }

    fn share(&self) -> i128 {
        self.yardstick.degraded_counts.ten_thousandths()
    }

    fn scaled(ms: i64) -> i128 {
        i128::from(ms) * SCALE
    }

    /// What availability is a share of, in ms.
    pub fn base(&self) -> i64 {
        let measured = self.sums.service() - self.sums.excluded;
        match self.yardstick.treat_as {
            TreatAs::Exclude => measured - self.sums.unknown,
            TreatAs::Down => measured,
        }
    }

    /// Proved loss: down, and the counting share of degraded.
    fn proved_loss(&self) -> i128 {
        Self::scaled(self.sums.down) + self.share() * i128::from(self.sums.degraded)
    }

    fn loss(&self) -> i128 {
        match self.yardstick.treat_as {
            TreatAs::Exclude => self.proved_loss(),
            TreatAs::Down => self.proved_loss() + Self::scaled(self.sums.unknown),
        }
    }

    /// Lost time in ms, rounded up.
    pub fn lost_ms(&self) -> i64 {
        i64::try_from(self.loss().div_euclid(SCALE) + i128::from(self.loss().rem_euclid(SCALE) != 0))
            .unwrap_or(i64::MAX)
    }

    /// Share of the base in which the service was up; none without base.
    pub fn availability(&self) -> Option<Fraction> {
        Fraction::new(Self::scaled(self.base()) - self.loss(), Self::scaled(self.base()))
    }

    fn proved_good(&self) -> i128 {
        Self::scaled(self.sums.up) + (SCALE - self.share()) * i128::from(self.sums.degraded)
    }

    fn of_measured(&self, good: i128) -> Option<Fraction> {
        Fraction::new(good, Self::scaled(self.sums.service() - self.sums.excluded))
    }

    /// Availability if all unknown time was down.
    pub fn lowest(&self) -> Option<Fraction> {
        self.of_measured(self.proved_good())
    }

    /// Availability if all unknown time was up.
    pub fn highest(&self) -> Option<Fraction> {
        self.of_measured(self.proved_good() + Self::scaled(self.sums.unknown))
    }

    /// Availability with nothing excluded.
    pub fn raw(&self) -> Option<Fraction> {
        Fraction::new(Self::scaled(self.base()) - self.loss(), Self::scaled(self.base() + self.sums.excluded))
    }

    /// Share of the service time that was observed; none without service time.
    pub fn coverage(&self) -> Option<Fraction> {
        let service = self.sums.service();
        Fraction::new(Self::scaled(service - self.sums.unknown), Self::scaled(service))
    }

    /// Error budget in ten-thousandths of a ms, times 100: `(1 - objective) × (base + service time still to come)`.
    fn budget_scaled(&self, time_ms: i64) -> Option<i128> {
        let objective = self.yardstick.objective?;
        Some((100 * SCALE - objective.ten_thousandths()) * i128::from(time_ms))
    }

    fn budget_exact(&self) -> Option<i128> {
        self.budget_scaled(self.base() + self.to_come)
    }

    /// Error budget in ms, rounded down.
    pub fn budget_ms(&self) -> Option<i64> {
        self.budget_exact().map(|budget| floor_ms(budget, 100 * SCALE))
    }

    /// Error budget left in ms, the floor of the exact difference; negative when overspent.
    pub fn budget_left_ms(&self) -> Option<i64> {
        // Loss is in ten-thousandths of a ms; the budget in hundred times as fine.
        self.budget_exact().map(|budget| floor_ms(budget - 100 * self.loss(), 100 * SCALE))
    }

    /// Error budget left as a share of all of it; none without budget.
    pub fn budget_left(&self) -> Option<Fraction> {
        let budget = self.budget_exact()?;
        Fraction::new(budget - 100 * self.loss(), budget)
    }

    /// Whether at least `percent` of the error budget is lost; false without budget and loss.
    pub fn is_spent(&self, percent: Decimal) -> bool {
        let loss = self.loss();
        self.budget_exact()
            .is_some_and(|budget| loss > 0 && 100 * loss * 100 * SCALE >= percent.ten_thousandths() * budget)
    }

    /// Whether enough of the service time was observed for a verdict.
    pub fn covers_enough(&self) -> bool {
        self.coverage().is_none_or(|coverage| coverage.compare_percent(self.yardstick.min_coverage) != Ordering::Less)
    }

    /// The verdict on a part whose time is over; none without objective.
    pub fn judge_closed(&self) -> Option<Judgement> {
        let objective = self.yardstick.objective?;
        let reaches =
            |figure: Option<Fraction>| figure.is_some_and(|figure| figure.compare_percent(objective) != Ordering::Less);
        let (verdict, reason) = if self.base() == 0 {
            (Verdict::Indeterminate, Some("NoServiceTime"))
        } else if !reaches(self.highest())
            || (self.yardstick.treat_as == TreatAs::Down && !reaches(self.availability()))
        {
            (Verdict::Missed, None)
        } else if !self.covers_enough() {
            (Verdict::Indeterminate, Some("LowCoverage"))
        } else if reaches(self.availability()) {
            (Verdict::Met, None)
        } else {
            (Verdict::Missed, None)
        };
        let certain = match verdict {
            Verdict::Met => reaches(self.lowest()),
            Verdict::Missed => !reaches(self.highest()),
            _ => false,
        };
        Some(Judgement { verdict, reason, certain })
    }

    /// The verdict on a running part; none without objective.
    pub fn judge_open(&self) -> Option<Judgement> {
        let ceiling = self.budget_scaled(self.sums.service() - self.sums.excluded + self.to_come)?;
        let budget_now = self.budget_exact()?;
        let proved_loss = 100 * self.proved_loss();
        let possible_loss = proved_loss + 100 * Self::scaled(self.sums.unknown);
        let judgement = |verdict, reason, certain| Some(Judgement { verdict, reason, certain });
        if proved_loss > ceiling {
            judgement(Verdict::Breached, None, true)
        } else if self.sums.service() + self.to_come == 0 {
            judgement(Verdict::Indeterminate, Some("NoServiceTime"), false)
        } else if !self.covers_enough() {
            judgement(Verdict::Indeterminate, Some("LowCoverage"), false)
        } else if self.is_spent(self.yardstick.warn_at) || possible_loss > budget_now {
            judgement(Verdict::AtRisk, None, false)
        } else {
            judgement(Verdict::OnTrack, None, self.sums.unknown == 0)
        }
    }
}

fn floor_ms(scaled: i128, scale: i128) -> i64 {
    i64::try_from(scaled.div_euclid(scale)).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::time::Instant;

    const MONTH_MS: i64 = 2_592_000_000;

    fn yardstick(objective: &str) -> Yardstick {
        Yardstick {
            objective: Some(Decimal::parse(objective).unwrap()),
            degraded_counts: Decimal::ZERO,
            treat_as: TreatAs::Exclude,
            min_coverage: Decimal::parse("99").unwrap(),
            warn_at: Decimal::parse("75").unwrap(),
        }
    }

    fn month(down: i64, unknown: i64) -> ClassSums {
        ClassSums { down, unknown, up: MONTH_MS - down - unknown, ..ClassSums::default() }
    }

    #[test]
    fn m_41_the_budget_is_exact_to_the_millisecond() {
        for (down, availability, left, percent, verdict) in [
            (1_298_592, "99.9499", -2592, "-0.2", Verdict::Missed),
            (1_296_001, "99.9499", -1, "-0.1", Verdict::Missed),
            (1_296_000, "99.9500", 0, "0.0", Verdict::Met),
        ] {
            let figures = Figures::closed(month(down, 0), yardstick("99.95"));
            assert_eq!(figures.availability().unwrap().percent(), availability);
            assert_eq!(figures.budget_left_ms(), Some(left));
            assert_eq!(figures.budget_left().unwrap().percent_tenths(), percent);
            assert_eq!(figures.judge_closed().unwrap().verdict, verdict);
        }
    }

    #[test]
    fn m_43_a_share_of_degraded_time_is_lost_exactly() {
        let sums = ClassSums { degraded: 1000, up: MONTH_MS - 1000, ..ClassSums::default() };
        let figures = Figures::closed(
            sums,
            Yardstick { degraded_counts: Decimal::parse("0.3333").unwrap(), ..yardstick("99.9") },
        );
        assert_eq!(figures.lost_ms(), 334);
        assert_eq!(figures.budget_ms(), Some(2_592_000));
        assert_eq!(figures.budget_left_ms(), Some(2_591_666));
        assert_eq!(figures.budget_left().unwrap().percent_tenths(), "99.9");
    }

    #[test]
    fn m_44_to_m_47_unknown_time_and_bounds() {
        let hours = |hours: i64| hours * 3_600_000;
        let judge = |down: i64, unknown: i64| {
            let figures = Figures::closed(month(down, unknown), yardstick("99.9"));
            let judgement = figures.judge_closed().unwrap();
            let percent = |fraction: Option<Fraction>| fraction.unwrap().percent();
            (percent(figures.lowest()), percent(figures.highest()), judgement.verdict, judgement.certain)
        };
        let text = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        let expect = |(low, high): (String, String), verdict, certain| (low, high, verdict, certain);
        assert_eq!(judge(1_800_000, hours(8)), expect(text("98.8194", "99.9305"), Verdict::Indeterminate, false));
        assert_eq!(judge(3_000_000, hours(8)), expect(text("98.7731", "99.8842"), Verdict::Missed, true));
        assert_eq!(judge(0, 25_920_000).2, Verdict::Met);
        assert!(!judge(0, 25_920_000).3);
        assert_eq!(judge(0, 25_921_000).2, Verdict::Indeterminate);
        assert_eq!(judge(1_800_000, 600_000), expect(text("99.9074", "99.9305"), Verdict::Met, true));
        let down = Yardstick { treat_as: TreatAs::Down, ..yardstick("99.9") };
        let figures = Figures::closed(month(1_800_000, 900_000), down);
        assert_eq!(figures.lost_ms(), 2_700_000);
        assert_eq!(figures.availability().unwrap().percent(), "99.8958");
        let judgement = figures.judge_closed().unwrap();
        assert_eq!((judgement.verdict, judgement.certain), (Verdict::Missed, false));
    }

    #[test]
    fn m_48_and_m_49_open_verdicts() {
        let open = |down: i64| {
            let elapsed = 864_000_000;
            let sums = ClassSums { down, up: elapsed - down, ..ClassSums::default() };
            Figures::open(sums, yardstick("99.9"), MONTH_MS - elapsed)
        };
        let figures = open(33 * 60_000);
        assert_eq!(figures.availability().unwrap().percent(), "99.7708");
        assert_eq!((figures.budget_ms(), figures.budget_left_ms()), (Some(2_592_000), Some(612_000)));
        assert_eq!(figures.budget_left().unwrap().percent_tenths(), "23.6");
        assert_eq!(figures.judge_open().unwrap().verdict, Verdict::AtRisk);
        assert_eq!(open(2_592_000).judge_open().unwrap().verdict, Verdict::AtRisk);
        assert_eq!(open(2_592_001).judge_open().unwrap().verdict, Verdict::Breached);
        let calm = open(20 * 60_000);
        assert_eq!(calm.availability().unwrap().percent(), "99.8611");
        assert_eq!(calm.budget_left().unwrap().percent_tenths(), "53.7");
        assert_eq!(calm.judge_open().unwrap().verdict, Verdict::OnTrack);
    }

    #[test]
    fn hours_cut_segments_and_nothing_is_lost() {
        let span = |from: i64, to: i64| Interval::new(Instant::from_ms(from), Instant::from_ms(to)).unwrap();
        let segment = |from, to, state| Segment { span: span(from, to), state, source: Source::Live };
        let segments = [segment(0, 10, State::Up), segment(10, 30, State::Down), segment(30, 40, State::Unknown)];
        let sums = classify(segments, &[span(5, 12), span(14, 16), span(28, 100)]);
        assert_eq!(sums.up, 5);
        assert_eq!(sums.down, 2 + 2 + 2);
        assert_eq!(sums.unknown, 10);
        assert_eq!(sums.elapsed(), 40);
    }
}
