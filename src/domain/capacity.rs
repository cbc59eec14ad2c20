//! Capacity: how much of a limit is left, and when the trend will have used it up.
//!
//! Amounts are exact to six decimals, what follows from them is integers over one common denominator: no floating
//! point, so that two readers of the same samples get the same day.

mod daily;
mod trend;

use jiff::tz::TimeZone;

use super::decimal::{Decimal, Fraction, SCALE};
use super::time::{HOUR_MS, Instant, Interval};

pub use daily::{Daily, daily_values, day_number};
pub use trend::{Reach, Trend};

/// Millionths in one.
const AMOUNT_SCALE: i128 = 1_000_000;

/// Days that a trend is drawn from: eight weeks.
pub const KEPT_DAYS: i64 = 56;

/// Fewer daily values than this give no trend: each weekday was seen twice at most.
const LEAST_DAYS: usize = 14;

/// Fewer daily values than this give a trend of low confidence.
const CONFIDENT_DAYS: usize = 21;

/// Age from which a sample says nothing of now: twelve were missed.
const STALE_MS: i64 = HOUR_MS;

/// So much of something: not negative, at most 15 digits before the point and 6 decimals, in a unit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why an amount was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a plain decimal with at most 15 digits before the point and 6 after it, such as \"1.25\"")]
pub struct AmountError(String);

impl Amount {
    /// Reads `^\d{1,15}(\.\d{1,6})?$`.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let form = || AmountError(text.to_owned());
        let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 15) || part.is_some_and(|part| !digits(part, 6)) {
            return Err(form());
        }
        let whole: i128 = whole.parse().map_err(|_| form())?;
        let part: i128 = format!("{:0<6}", part.unwrap_or_default()).parse().map_err(|_| form())?;
        Ok(Self(whole * AMOUNT_SCALE + part))
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// What was used of a limit at an instant. The limit is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// How much was used.
    pub used: Amount,
    /// How much there was.
    pub limit: Amount,
}

impl Sample {
    /// Share of the limit that is left; negative where more is used than there is.
    pub fn headroom(&self) -> Option<Fraction> {
        Fraction::new(self.limit.0 - self.used.0, self.limit.0)
    }
}

/// What is asked of one capacity item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Share of the limit that has to be left, percent.
    pub min_headroom: Decimal,
    /// For how many days ahead.
    pub horizon_days: u16,
}

impl Demand {
    /// A fifth is left, for 30 days ahead.
    pub const DEFAULT: Self = Self { min_headroom: Decimal::from_ten_thousandths(200_000), horizon_days: 30 };
}

/// Why a forecast is of low confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Fewer than 21 days have a value.
    ShortHistory,
    /// More than a fifth of the days have none.
    Gaps,
    /// It looks ahead by more than twice the days that have a value.
    FarAhead,
}

impl Doubt {
    /// The word of the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShortHistory => "ShortHistory",
            Self::Gaps => "Gaps",
            Self::FarAhead => "FarAhead",
        }
    }
}

/// Whether an item has capacity enough, by the reasons of the condition `CapacitySufficient`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sufficiency {
    /// Headroom is kept, now and as far as the horizon.
    HeadroomKept,
    /// Headroom is too low now.
    HeadroomLow,
    /// The trend uses up what should be left within the horizon.
    ExhaustionForecast,
    /// No sample of the last hour.
    NoData,
    /// Too few days for a trend.
    TooLittleHistory,
    /// The trend would use up what should be left, but is of low confidence.
    LowConfidence,
}

impl Sufficiency {
    /// Reason of the condition.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::HeadroomKept => "HeadroomKept",
            Self::HeadroomLow => "HeadroomLow",
            Self::ExhaustionForecast => "ExhaustionForecast",
            Self::NoData => "NoData",
            Self::TooLittleHistory => "TooLittleHistory",
            Self::LowConfidence => "LowConfidence",
        }
    }
}

/// What the samples of one item say at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Share of the limit left by the newest sample; none if that is older than an hour.
    pub headroom: Option<Fraction>,
    /// Least share left of any sample of the span asked about.
    pub lowest: Option<Fraction>,
    /// Greatest daily peak of the last 7 days as a share of the newest limit.
    pub peak_7d: Option<Fraction>,
    /// The trend; none with fewer than 14 daily values.
    pub trend: Option<Trend>,
    /// When the trend reaches the newest limit.
    pub exhaustion: Option<Reach>,
    /// Why that is of low confidence.
    pub doubts: Vec<Doubt>,
    /// The verdict.
    pub sufficiency: Sufficiency,
}

/// Judges the samples of one item, in order of time, at the end of a span. Samples at or after that instant say
/// nothing; those before the span only make the trend.
pub fn judge(samples: &[Sample], demand: Demand, zone: &TimeZone, span: Interval) -> Outlook {
    let known = &samples[..samples.partition_point(|sample| sample.at < span.to)];
    let newest = known.last().copied();
    let fresh = newest.filter(|sample| span.to.ms_since(sample.at) <= STALE_MS);
    let days = daily_values(known, zone, span.to);
    let last = day_number(span.to.date_in(zone)) - 1;
    let trend = Trend::of(&days, last);
    let reach = |share: i128| Some(trend.as_ref()?.reaches(newest?.limit, share));
    let exhaustion = reach(Decimal::HUNDRED.ten_thousandths());
    let threatened = reach(Decimal::HUNDRED.ten_thousandths() - demand.min_headroom.ten_thousandths());
    Outlook {
        headroom: fresh.as_ref().and_then(Sample::headroom),
        lowest: lowest(&known[known.partition_point(|sample| sample.at < span.from)..]),
        peak_7d: newest.and_then(|newest| peak_7d(&days, last, newest.limit)),
        doubts: exhaustion.map(|reach| doubts(&days, last, reach)).unwrap_or_default(),
        exhaustion,
        sufficiency: sufficiency(fresh.as_ref(), demand, threatened, |reach| !doubts(&days, last, reach).is_empty()),
        trend,
    }
}

fn sufficiency(
    fresh: Option<&Sample>,
    demand: Demand,
    threatened: Option<Reach>,
    is_doubtful: impl Fn(Reach) -> bool,
) -> Sufficiency {
    let Some(headroom) = fresh.and_then(Sample::headroom) else { return Sufficiency::NoData };
    if headroom.compare_percent(demand.min_headroom).is_lt() {
        return Sufficiency::HeadroomLow;
    }
    match threatened {
        None => Sufficiency::TooLittleHistory,
        Some(Reach::After(days)) if days <= demand.horizon_days && is_doubtful(Reach::After(days)) => {
            Sufficiency::LowConfidence
        }
        Some(Reach::After(days)) if days <= demand.horizon_days => Sufficiency::ExhaustionForecast,
        Some(_) => Sufficiency::HeadroomKept,
    }
}

/// Why a forecast from these days, which looks ahead from `last`, is of low confidence.
fn doubts(days: &[Daily], last: i64, reach: Reach) -> Vec<Doubt> {
    let Some(first) = days.first() else { return Vec::new() };
    let span = last - first.number + 1;
    let known = days.len() as i64;
    let is_far = matches!(reach, Reach::After(ahead) if i64::from(ahead) > 2 * known);
    [
        (Doubt::ShortHistory, days.len() < CONFIDENT_DAYS),
        (Doubt::Gaps, (span - known) * 5 > span),
        (Doubt::FarAhead, is_far),
    ]
    .into_iter()
    .filter_map(|(doubt, holds)| holds.then_some(doubt))
    .collect()
}

/// The least headroom. It is printed with one decimal, so equality of that is enough.
fn lowest(samples: &[Sample]) -> Option<Fraction> {
    samples.iter().filter_map(Sample::headroom).min_by_key(|headroom| headroom.floored(10 * SCALE))
}

fn peak_7d(days: &[Daily], last: i64, limit: Amount) -> Option<Fraction> {
    let peak = days.iter().filter(|day| day.number > last - 7).map(|day| day.peak).max()?;
    Fraction::new(peak.0, limit.0)
}

#[cfg(test)]
mod tests;
