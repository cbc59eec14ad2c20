//! Capacity in a report: what is left of each limit, and when the trend will have used it up.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::capacity::{Doubt, Outlook, Reach, Trend};
use crate::domain::decimal::Fraction;
use crate::domain::replay::Replay;
use crate::domain::time::Interval;

/// One capacity item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityLine {
    /// Name of the item.
    pub name: String,
    /// Share of the limit that is left by the newest sample, percent; none if that is older than an hour.
    pub headroom: Option<String>,
    /// The lowest of the period, percent.
    pub headroom_lowest: Option<String>,
    /// Greatest daily peak of the last 7 days, percent of the limit.
    pub peak7d: Option<String>,
    /// Growth of the trend in a day, in the unit of the samples; none with fewer than 14 days.
    pub growth_per_day: Option<String>,
    /// Whole days until the trend reaches the limit, `>365` if it does not within that.
    pub days_to_exhaustion: Option<String>,
    /// Why the forecast is of low confidence; empty if it is not.
    pub low_confidence: Vec<&'static str>,
    /// Whether it is enough, by the reasons of the condition `CapacitySufficient`.
    pub verdict: &'static str,
}

impl CapacityLine {
    /// The items of a replayed log, judged at the end of a span of the period; days are those of `zone`.
    pub(super) fn all(replay: &Replay, zone: &TimeZone, span: Option<Interval>) -> Vec<Self> {
        let Some(span) = span else { return Vec::new() };
        replay.capacity(zone, span).into_iter().map(|(name, outlook)| Self::of(name, &outlook)).collect()
    }

    fn of(name: &str, outlook: &Outlook) -> Self {
        let percent = |share: Option<Fraction>| share.map(Fraction::percent_tenths);
        Self {
            name: name.to_owned(),
            headroom: percent(outlook.headroom),
            headroom_lowest: percent(outlook.lowest),
            peak7d: percent(outlook.peak_7d),
            growth_per_day: outlook.trend.as_ref().and_then(Trend::slope).map(Fraction::number),
            days_to_exhaustion: outlook.exhaustion.map(|reach| match reach {
                Reach::After(days) => days.to_string(),
                Reach::Beyond => ">365".to_owned(),
            }),
            low_confidence: outlook.doubts.iter().copied().map(Doubt::as_str).collect(),
            verdict: outlook.sufficiency.reason(),
        }
    }
}
