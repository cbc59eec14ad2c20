#![allow(clippy::unwrap_used)]
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

#[test]
fn instants_are_read_with_their_offset() {
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-11-01T00:00:00+01:00", 1_761_951_600_000),
        ("2025-10-31t23:00:00z", 1_761_951_600_000),
        ("2025-11-01T04:30:00.1239999999999+05:30", 1_761_951_600_123),
        ("2025-10-31T23:00:00.5-00:00", 1_761_951_600_500),
        ("1969-12-31T23:59:59.9999Z", -1),
    ] {
        assert_eq!(Instant::parse(text).map(Instant::as_ms), Ok(ms), "{text}");
    }
}

#[test]
fn m_71_an_instant_without_offset_is_refused() {
    for text in ["2025-11-10T10:00:00", "2025-11-10T10:00:00.123"] {
        assert_eq!(Instant::parse(text).unwrap_err().to_string(), "no offset");
    }
    for text in [
        "",
        "2025-11-10",
        "2025-11-10T10:00Z",
        "2025-11-10 10:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-11-10T24:00:00Z",
        "2025-11-10T10:00:60Z",
        "2025-11-10T10:00:00.Z",
        "2025-11-10T10:00:00+1:00",
        "2025-11-10T10:00:00+24:00",
        "2025-11-10T10:00:00+01:60",
        "2025-11-10T10:00:00Z[UTC]",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "+2025-11-10T10:00:00Z",
        "2025-11-10T10:00:00Zé",
        "é025-11-10T10:00:00Z",
    ] {
        assert_eq!(Instant::parse(text), Err(TimeError::NotRfc3339), "{text}");
    }
}

#[test]
fn instants_are_printed_in_the_three_forms() {
    let instant = Instant::parse("2026-10-12T08:05:04Z").unwrap();
    assert_eq!(instant.format_utc(), "2026-10-12T08:05:04Z");
    assert_eq!(instant.plus_ms(7).format_utc(), "2026-10-12T08:05:04.007Z");
    let berlin = zone("Europe/Berlin");
    assert_eq!(instant.format_in(&berlin), "2026-10-12T10:05:04+02:00");
    assert_eq!(instant.plus_ms(120).format_in(&berlin), "2026-10-12T10:05:04.120+02:00");
    assert_eq!(instant.format_ms_in(&berlin), "2026-10-12T10:05:04.000+02:00");
    assert_eq!(instant.format_in(&zone("America/New_York")), "2026-10-12T04:05:04-04:00");
    assert_eq!(instant.format_in(&zone("Asia/Kolkata")), "2026-10-12T13:35:04+05:30");
    assert_eq!(instant.format_in(&TimeZone::UTC), "2026-10-12T08:05:04+00:00");
}

#[test]
fn instants_stay_within_their_bounds() {
    for (instant, text) in [
        (Instant::from_ms(i64::MIN), "0001-01-02T00:00:00Z"),
        (Instant::MIN.minus_ms(i64::MAX), "0001-01-02T00:00:00Z"),
        (Instant::from_ms(i64::MAX), "9999-12-30T22:00:00Z"),
        (Instant::MAX.plus_ms(i64::MAX), "9999-12-30T22:00:00Z"),
    ] {
        assert_eq!(instant.format_utc(), text);
        assert_eq!(instant.timestamp().as_millisecond(), instant.as_ms());
    }
}

fn list(pairs: &[(i64, i64)]) -> Vec<Interval> {
    let at = Instant::from_ms;
    pairs.iter().map(|(from, to)| Interval { from: at(*from), to: at(*to) }).collect()
}

#[test]
fn intervals_are_half_open_and_never_empty() {
    let at = Instant::from_ms;
    assert_eq!(Interval::new(at(5), at(5)), None);
    assert_eq!(Interval::new(at(6), at(5)), None);
    let interval = Interval::new(at(5), at(8)).unwrap();
    assert_eq!(interval.length_ms(), 3);
    assert!(interval.contains(at(5)) && !interval.contains(at(8)));
    assert_eq!(interval.intersect(&list(&[(8, 9)])[0]), None);
}

#[test]
fn lists_are_joined_cut_and_subtracted() {
    assert_eq!(normalise(list(&[(5, 7), (1, 3), (3, 4), (9, 9), (6, 8), (6, 7)])), list(&[(1, 4), (5, 8)]));
    let left = list(&[(0, 10), (20, 30), (40, 50)]);
    let right = list(&[(5, 22), (25, 26), (45, 60)]);
    assert_eq!(intersect_lists(&left, &right), list(&[(5, 10), (20, 22), (25, 26), (45, 50)]));
    assert_eq!(subtract_lists(&left, &right), list(&[(0, 5), (22, 25), (26, 30), (40, 45)]));
    assert_eq!(clip_list(&left, list(&[(5, 40)])[0]), list(&[(5, 10), (20, 30)]));
    assert_eq!(total_ms(&left), 30);
}

fn any_list() -> impl Strategy<Value = Vec<Interval>> {
    proptest::collection::vec((0_i64..60, 0_i64..10), 0..8)
        .prop_map(|rows| rows.into_iter().flat_map(|(from, length)| list(&[(from, from + length)])).collect())
}

proptest! {
    #[test]
    fn lists_agree_with_membership(left in any_list(), right in any_list(), from in 0_i64..70, length in 1_i64..30) {
        let inside = |list: &[Interval], ms: i64| list.iter().any(|interval| interval.contains(Instant::from_ms(ms)));
        let (a, b) = (normalise(left.clone()), normalise(right));
        let (common, rest) = (intersect_lists(&a, &b), subtract_lists(&a, &b));
        let span = list(&[(from, from + length)]);
        let cut = clip_list(&a, span[0]);
        for result in [&a, &common, &rest, &cut] {
            prop_assert!(result.iter().all(|interval| interval.length_ms() > 0));
            prop_assert!(result.windows(2).all(|pair| pair[0].to <= pair[1].from));
        }
        for ms in 0..80 {
            prop_assert_eq!(inside(&a, ms), inside(&left, ms));
            prop_assert_eq!(inside(&common, ms), inside(&a, ms) && inside(&b, ms));
            prop_assert_eq!(inside(&rest, ms), inside(&a, ms) && !inside(&b, ms));
            prop_assert_eq!(inside(&cut, ms), inside(&a, ms) && inside(&span, ms));
        }
    }

    #[test]
    fn printed_instants_read_back(ms in Instant::MIN.0..=Instant::MAX.0, noise in ".{0,30}") {
        let instant = Instant::from_ms(ms);
        prop_assert_eq!(Instant::parse(&instant.format_utc()), Ok(instant));
        let _ = Instant::parse(&noise);
        // Local mean time has seconds in its offset, which RFC 3339 cannot write.
        if ms > 0 {
            prop_assert_eq!(Instant::parse(&instant.format_ms_in(&zone("Australia/Lord_Howe"))), Ok(instant));
        }
    }
}
