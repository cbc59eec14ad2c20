#![allow(clippy::unwrap_used)]
use super::*;
use crate::domain::readiness::Threshold;

/// Seconds after the gap began.
fn at(second: i64) -> Instant {
    Instant::from_ms(second * 1000)
}

/// A gap of ten minutes of a component that needs 2 of 3.
fn gap(before: State) -> Gap {
    Gap {
        span: Interval { from: at(0), to: at(600) },
        reason: Reason::NoLeader,
        before: Member { state: before, reason: Reason::NoneReady },
        after: Some(Observation::Counted { ready: 3, desired: Some(3) }),
        desired: Some(3),
        thresholds: Thresholds {
            min_ready: Threshold::Count(2),
            degraded_below: Some(Threshold::Count(3)),
            idle_at_zero: false,
        },
    }
}

fn ready(since: i64) -> PodFacts {
    PodFacts { created: at(-90_000), ready: true, since: Some(at(since)), started: Some(at(-90_000)) }
}

fn evidence(pods: Vec<PodFacts>) -> PodEvidence {
    PodEvidence { pods, service_changed: false }
}

fn states(gap: &Gap, pods: Option<&PodEvidence>, samples: &[Sample]) -> Vec<(i64, State, Source)> {
    let pieces = gap.close(pods, samples);
    assert_eq!(pieces[0].at, gap.span.from, "the whole gap is covered");
    pieces.iter().map(|piece| (piece.at.as_ms() / 1000, gap.state(piece.observation), piece.source)).collect()
}

#[test]
fn pods_prove_at_least_so_many() {
    use State::{Degraded, Unknown, Up};
    let pods = evidence(vec![ready(-100), ready(390), ready(480)]);
    let found = states(&gap(Up), Some(&pods), &[]);
    let inferred = Source::Inferred;
    assert_eq!(found, [(0, Unknown, Source::Live), (391, Degraded, inferred), (481, Up, inferred)]);
    assert_eq!(states(&gap(Up), Some(&evidence(vec![ready(-1); 3])), &[]), [(0, Up, inferred)]);
    let late = states(&gap(Up), Some(&evidence(vec![ready(0); 3])), &[]);
    assert_eq!(late, [(0, Unknown, Source::Live), (1, Up, inferred)]);
}

#[test]
fn the_youngest_of_creation_start_and_readiness_counts() {
    let young = PodFacts { started: Some(at(100)), ..ready(-100) };
    let new = PodFacts { created: at(200), ..ready(-100) };
    let found = states(&gap(State::Up), Some(&evidence(vec![young, new])), &[]);
    assert_eq!(found, [(0, State::Unknown, Source::Live), (201, State::Degraded, Source::Inferred)]);
    let silent = PodFacts { since: None, ..ready(-100) };
    let unready = PodFacts { ready: false, ..ready(-100) };
    let found = states(&gap(State::Up), Some(&evidence(vec![silent, unready, ready(-100)])), &[]);
    assert_eq!(found, [(0, State::Unknown, Source::Live)], "one Pod is too few");
}

#[test]
fn a_write_of_the_service_voids_what_pods_say() {
    let pods = PodEvidence { pods: vec![ready(-100); 3], service_changed: true };
    assert_eq!(states(&gap(State::Up), Some(&pods), &[]), [(0, State::Unknown, Source::Live)]);
}

#[test]
fn an_outage_goes_on_if_no_pod_moved() {
    let down = Gap { after: Some(Observation::Counted { ready: 0, desired: Some(3) }), ..gap(State::Down) };
    let still = PodFacts { ready: false, ..ready(-700) };
    assert_eq!(states(&down, Some(&evidence(vec![still])), &[]), [(0, State::Down, Source::Inferred)]);
    let moved = PodFacts { ready: false, ..ready(300) };
    assert_eq!(states(&down, Some(&evidence(vec![still, moved])), &[]), [(0, State::Unknown, Source::Live)]);
    let new = PodFacts { ready: false, created: at(300), since: None, started: None };
    assert_eq!(states(&down, Some(&evidence(vec![new])), &[]), [(0, State::Unknown, Source::Live)]);
    assert_eq!(states(&down, None, &[]), [(0, State::Unknown, Source::Live)], "no list of Pods proves nothing");
}

#[test]
fn an_outage_does_not_end_in_up_without_proof() {
    let back = evidence(vec![ready(240); 3]);
    let found = states(&gap(State::Down), Some(&back), &[]);
    assert_eq!(found, [(0, State::Unknown, Source::Live), (241, State::Up, Source::Inferred)]);
    let all_along = evidence(vec![ready(-100); 3]);
    let found = states(&gap(State::Down), Some(&all_along), &[]);
    assert_eq!(found, [(0, State::Unknown, Source::Live)], "they were ready while it was down");
}

#[test]
fn samples_near_each_other_prove_the_lower_count() {
    use State::{Down, Unknown, Up};
    let sample = |second: i64, ready: u32| Sample { at: at(second), ready, desired: None };
    let samples = [(10, 3), (70, 3), (130, 1), (190, 3), (310, 3), (370, 3)].map(|(at, ready)| sample(at, ready));
    let (live, filled) = (Source::Live, Source::Backfilled);
    let expected = [
        (0, Unknown, live),
        (10, Up, filled),
        (70, Down, filled),
        (190, Unknown, live),
        (310, Up, filled),
        (370, Unknown, live),
    ];
    assert_eq!(states(&gap(Up), None, &samples), expected);
    // Pods come first.
    let pods = evidence(vec![ready(299); 3]);
    let found = states(&gap(Up), Some(&pods), &samples);
    assert_eq!(found[..4], expected[..4]);
    assert_eq!(found[4..], [(300, Up, Source::Inferred)]);
}
