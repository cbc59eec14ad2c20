//! A robust trend with a season of a week: medians, so that an odd day moves nothing, and only days of the same weekday
//! are compared.

use super::{Amount, Daily, LEAST_DAYS};
use crate::domain::decimal::{Decimal, Fraction};

/// Days in a season.
const WEEK: i64 = 7;

/// Denominator of every slope and level: pairs lie 7 to 49 days apart, in weeks, so that each slope is a multiple of
/// 1/(7 · 420), and each of two medians may halve.
const DENOMINATOR: i128 = 2 * 2 * 7 * 420;

/// Days that a forecast looks ahead, at most.
const LONGEST_REACH_DAYS: u16 = 365;

/// When a forecast reaches an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// So many days after the last day, from 1 on.
    After(u16),
    /// Not within 365 days.
    Beyond,
}

/// A trend of daily values: `y(x) = slope · x + level of the weekday of x`, where x counts days from the first value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    slope: i128,
    /// By x modulo 7; none where no such weekday has a value.
    levels: [Option<i128>; WEEK as usize],
    /// The day that is looked ahead from.
    last: i64,
    #[cfg(test)]
    pub(super) pairs: usize,
}

impl Trend {
    /// The trend of at least 14 daily values of at most 56 days, in order, seen from the day `last`.
    pub fn of(days: &[Daily], last: i64) -> Option<Self> {
        let first = days.first().filter(|_| days.len() >= LEAST_DAYS)?.number;
        let points: Vec<(i64, i128)> = days.iter().map(|day| (day.number - first, day.value.0 * DENOMINATOR)).collect();
        let later = |at: usize| points[at + 1..].iter().map(move |later| (at, later));
        let mut slopes: Vec<i128> = (0..points.len())
            .flat_map(later)
            .filter(|(at, (x, _))| (x - points[*at].0) % WEEK == 0)
            .map(|(at, (x, y))| (y - points[at].1) / i128::from(x - points[at].0))
            .collect();
        #[cfg(test)]
        let pairs = slopes.len();
        let slope = median(&mut slopes)?;
        let level = |weekday: i64| {
            let same = points.iter().filter(|(x, _)| x % WEEK == weekday);
            median(&mut same.map(|(x, y)| y - slope * i128::from(*x)).collect::<Vec<_>>())
        };
        Some(Self {
            slope,
            levels: [0, 1, 2, 3, 4, 5, 6].map(level),
            last: last - first,
            #[cfg(test)]
            pairs,
        })
    }

    /// Growth a day.
    pub fn slope(&self) -> Option<Fraction> {
        Fraction::new(self.slope, DENOMINATOR * super::AMOUNT_SCALE)
    }

    /// Level of a weekday, counted from that of the first value.
    #[cfg(test)]
    pub(super) fn level(&self, weekday: usize) -> Option<Fraction> {
        Fraction::new((*self.levels.get(weekday)?)?, DENOMINATOR * super::AMOUNT_SCALE)
    }

    /// When the forecast reaches a share of a limit, in ten-thousandths of a percent. A weekday that never had a value
    /// has no forecast.
    pub(super) fn reaches(&self, limit: Amount, share: i128) -> Reach {
        let reached = |ahead: &u16| {
            let x = self.last + i64::from(*ahead);
            let level = self.levels[x.rem_euclid(WEEK) as usize];
            level.is_some_and(|level| {
                (self.slope * i128::from(x) + level) * Decimal::HUNDRED.ten_thousandths()
                    >= limit.0 * DENOMINATOR * share
            })
        };
        (1..=LONGEST_REACH_DAYS).find(reached).map_or(Reach::Beyond, Reach::After)
    }
}

/// The middle value; of an even number the mean of both.
fn median(values: &mut [i128]) -> Option<i128> {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => values.get(middle).copied(),
        _ => Some(i128::midpoint(values[middle - 1], values[middle])),
    }
}
