#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::daily::SAMPLE_MS;
use super::*;
use crate::domain::time::DAY_MS;

/// Monday, 3 November 2025, 00:00 UTC.
const MONDAY: &str = "2025-11-03T00:00:00Z";

fn amount(whole: i128) -> Amount {
    Amount(whole * AMOUNT_SCALE)
}

fn start() -> Instant {
    Instant::parse(MONDAY).unwrap()
}

fn whole_day(day: i64, used: Amount, limit: Amount) -> Vec<Sample> {
    (0..DAY_MS / SAMPLE_MS)
        .map(|slot| Sample { at: start().plus_ms(day * DAY_MS + slot * SAMPLE_MS), used, limit })
        .collect()
}

/// A whole day of samples for each value.
fn samples(values: &[i128], limit: i128) -> Vec<Sample> {
    let day = |(day, used): (usize, &i128)| whole_day(day as i64, amount(*used), amount(limit));
    values.iter().enumerate().flat_map(day).collect()
}

fn demand(min_headroom: &str, horizon_days: u16) -> Demand {
    Demand { min_headroom: Decimal::parse(min_headroom).unwrap(), horizon_days }
}

fn after_days(samples: &[Sample], demand: Demand, days: i64) -> Outlook {
    let span = Interval::new(start(), start().plus_ms(days * DAY_MS)).unwrap();
    judge(samples, demand, &TimeZone::UTC, span)
}

/// The values of case M-91.
fn m_91() -> Vec<i128> {
    (0..28).map(|i| 1000 + 10 * i + if i % 7 < 5 { 100 } else { 0 } + [0, 14, -7, 7][(i / 7) as usize]).collect()
}

#[test]
fn m_91_trend_level_and_days_to_exhaustion() {
    let outlook = after_days(&samples(&m_91(), 1800), demand("20", 30), 28);
    let trend = outlook.trend.unwrap();
    assert_eq!(trend.pairs, 42);
    assert_eq!(trend.slope(), Fraction::new(119 * 980 * AMOUNT_SCALE, 12 * 980 * AMOUNT_SCALE));
    assert_eq!(trend.level(0), Fraction::new(8835 * 1470 * AMOUNT_SCALE, 8 * 1470 * AMOUNT_SCALE));
    assert_eq!(outlook.exhaustion, Some(Reach::After(44)));
    assert_eq!(outlook.doubts, []);
    assert_eq!(outlook.headroom.unwrap().percent_tenths(), "29.0");
    assert_eq!(outlook.sufficiency, Sufficiency::ExhaustionForecast, "1440 is reached within 30 days");
}

#[test]
fn m_92_short_histories_and_no_growth() {
    let short = after_days(&samples(&m_91()[..20], 1800), demand("20", 30), 20);
    // 40 days are twice the 20 that it has.
    assert_eq!(short.exhaustion, Some(Reach::After(55)));
    assert_eq!(short.doubts, [Doubt::ShortHistory, Doubt::FarAhead]);
    assert_eq!(short.sufficiency, Sufficiency::LowConfidence);
    let none = after_days(&samples(&m_91()[..13], 1800), demand("20", 30), 13);
    assert_eq!((none.trend, none.exhaustion, none.doubts), (None, None, Vec::new()));
    assert_eq!(none.sufficiency, Sufficiency::TooLittleHistory);
    let constant = after_days(&samples(&[1000; 28], 1800), demand("20", 30), 28);
    assert_eq!((constant.exhaustion, constant.sufficiency), (Some(Reach::Beyond), Sufficiency::HeadroomKept));
}

#[test]
fn headroom_is_floored_and_may_be_negative() {
    for (used, limit, headroom) in
        [("1277", "1800", "29.0"), ("1.5", "1", "-50.0"), ("1.001", "1", "-0.1"), ("0", "3", "100.0")]
    {
        let sample = Sample { at: start(), used: Amount::parse(used).unwrap(), limit: Amount::parse(limit).unwrap() };
        assert_eq!(sample.headroom().unwrap().percent_tenths(), headroom, "{used} of {limit}");
    }
}

#[test]
fn a_day_has_the_95th_percentile_and_the_peak_of_its_samples() {
    let mut day = samples(&[10], 100);
    // 288 samples: rank 274, so that 14 spikes are above it and a 15th is not.
    day.iter_mut().take(14).for_each(|sample| sample.used = amount(99));
    let values = |day: &[Sample]| daily_values(day, &TimeZone::UTC, start().plus_ms(DAY_MS));
    assert_eq!((values(&day)[0].value, values(&day)[0].peak), (amount(10), amount(99)));
    day[14].used = amount(98);
    assert_eq!(values(&day)[0].value, amount(98));
    assert_eq!(daily_values(&day, &TimeZone::UTC, start().plus_ms(DAY_MS - 1)), [], "the day is not over");
}

#[test]
fn a_day_with_less_than_four_fifths_of_its_samples_is_missing() {
    let zone = crate::domain::zone::zone_named("Europe/Berlin").unwrap();
    // The day of 25 hours has 300 slots; 240 are enough.
    let begin = Instant::parse("2025-10-26T00:00:00+02:00").unwrap();
    let until = Instant::parse("2025-10-27T00:00:00+01:00").unwrap();
    for (count, found) in [(240, 1), (239, 0)] {
        let sample = |slot: i64| Sample { at: begin.plus_ms(slot * SAMPLE_MS), used: amount(1), limit: amount(2) };
        let once: Vec<Sample> = (0..count).map(sample).collect();
        assert_eq!(daily_values(&once, &zone, until).len(), found, "{count} samples");
        let mut twice: Vec<Sample> = once.iter().chain(&once).copied().collect();
        twice.sort_by_key(|sample| sample.at);
        assert_eq!(daily_values(&twice, &zone, until).len(), found, "a slot counts once");
    }
}

#[test]
fn gaps_and_looking_far_ahead_are_doubts() {
    let demand = demand("0", 365);
    let growing: Vec<i128> = (0..28).map(|day| 1000 + 10 * day).collect();
    let without = |missing: &[i64]| -> Vec<Sample> {
        samples(&growing, 1400)
            .into_iter()
            .filter(|sample| !missing.contains(&sample.at.ms_since(start()).div_euclid(DAY_MS)))
            .collect()
    };
    assert_eq!(after_days(&without(&[3, 8, 12, 17, 22]), demand, 28).doubts, [], "5 of 28 are less than a fifth");
    assert_eq!(after_days(&without(&[3, 8, 12, 17, 22, 25]), demand, 28).doubts, [Doubt::Gaps]);
    assert_eq!(after_days(&without(&[]), demand, 40).doubts, [Doubt::Gaps], "days without samples up to now count");
    for (limit, days, doubts) in [(1830, 56, vec![]), (1831, 57, vec![Doubt::FarAhead])] {
        let outlook = after_days(&samples(&growing, limit), demand, 28);
        assert_eq!((outlook.exhaustion, outlook.doubts), (Some(Reach::After(days)), doubts));
    }
}

#[test]
fn only_eight_weeks_are_kept() {
    let mut values = vec![5000; 10];
    values.extend([1000; 56]);
    let days = daily_values(&samples(&values, 9000), &TimeZone::UTC, start().plus_ms(66 * DAY_MS));
    assert_eq!(days.len(), 56);
    assert!(days.iter().all(|day| day.value == amount(1000)));
}

#[test]
fn what_is_not_known_now_is_not_good() {
    let day = samples(&[10; 28], 100);
    assert_eq!(after_days(&[], demand("20", 30), 1).sufficiency, Sufficiency::NoData);
    let stale = after_days(&day, demand("20", 30), 29);
    assert_eq!((stale.headroom, stale.sufficiency), (None, Sufficiency::NoData));
    assert!(stale.exhaustion.is_some(), "the trend is still one");
    let low = after_days(&samples(&[81], 100), demand("20", 30), 1);
    assert_eq!(low.sufficiency, Sufficiency::HeadroomLow);
    let equal = after_days(&samples(&[80; 28], 100), demand("20", 30), 28);
    assert_eq!(
        equal.sufficiency,
        Sufficiency::ExhaustionForecast,
        "the forecast stands at the limit, which is reached"
    );
}

#[test]
fn amounts_are_plain_decimals() {
    for (text, value) in
        [("0", 0), ("1.25", 1_250_000), ("0.000001", 1), ("999999999999999.999999", 999_999_999_999_999_999_999)]
    {
        assert_eq!(Amount::parse(text), Ok(Amount(value)));
    }
    for text in ["", "-1", "1e3", "1.", ".5", "1.0000001", "1000000000000000", "NaN", " 1", "500m"] {
        assert!(Amount::parse(text).is_err(), "{text:?}");
    }
}

fn values() -> impl Strategy<Value = Vec<i128>> {
    prop::collection::vec(0..1_000_000_000_i128, 14..56)
}

fn days(values: &[i128], scale: i128, shift: i128) -> Vec<Daily> {
    let day = |(number, value): (usize, &i128)| {
        let value = Amount(value * scale + shift);
        Daily { number: number as i64, value, peak: value }
    };
    values.iter().enumerate().map(day).collect()
}

proptest! {
    /// Slopes and levels are exact: nothing is lost in a division.
    #[test]
    fn the_trend_moves_and_scales_with_its_values(values in values(), scale in 1..1000_i128, shift in 0..1_000_000_i128) {
        let last = values.len() as i64 - 1;
        let plain = Trend::of(&days(&values, 1, 0), last).unwrap();
        let moved = Trend::of(&days(&values, scale, shift), last).unwrap();
        let parts = |fraction: Option<Fraction>| fraction.unwrap().floored(1_000_000 * 11_760);
        prop_assert_eq!(parts(moved.slope()), parts(plain.slope()) * scale);
        for weekday in 0..7 {
            prop_assert_eq!(parts(moved.level(weekday)), parts(plain.level(weekday)) * scale + shift * 11_760);
        }
    }

    /// A straight line with any week on it is found again, also with one wild day of each weekday in five.
    #[test]
    fn a_line_with_a_week_is_found_again(slope in -100..100_i128, week in prop::array::uniform7(0..1000_i128), wild in 0..35_usize) {
        let value = |x: i128| 1_000_000 + slope * x + week[(x % 7) as usize];
        let mut values: Vec<i128> = (0..35).map(value).collect();
        values[wild] = 900_000_000;
        let trend = Trend::of(&days(&values, 1, 0), 34).unwrap();
        prop_assert_eq!(trend.slope().unwrap().floored(1_000_000), slope);
        let reach = trend.reaches(Amount(value(41)), 1_000_000);
        prop_assert!(matches!(reach, Reach::After(days) if days <= 7), "{:?}", reach);
    }

    /// What should be left is used up no later than all.
    #[test]
    fn less_is_reached_no_later(values in values(), limit in 1..2_000_000_000_i128, share in 0..1_000_000_i128) {
        let trend = Trend::of(&days(&values, 1, 0), values.len() as i64 - 1).unwrap();
        let day = |reach: Reach| match reach { Reach::After(days) => days, Reach::Beyond => u16::MAX };
        prop_assert!(day(trend.reaches(Amount(limit), share)) <= day(trend.reaches(Amount(limit), 1_000_000)));
    }
}
