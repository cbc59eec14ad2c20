//! Random scenarios: `Replay` against an oracle that classifies each second on its own.
//!
//! The oracle knows no timelines, trackers or calendars: for one second it looks up the last line of each component, the
//! gaps, the version in force, and whether the local date and time of day are in hours. To count a week cheaply it takes
//! cells of 15 minutes (of 1 minute where hours begin at odd minutes) in which nothing can change: no line, gap, version,
//! term or end inside, and hours, offsets and dates only change at their edges. A cell with something inside is cut into
//! minutes, a minute into seconds, each classified by itself. Loss in a maintenance window is excluded second by second:
//! each window is asked in turn whether it is in force and has allowance left.

mod announced;
mod count;
mod purse;
mod scenario;

use assize::domain::report::Judged;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use count::{Counted, Oracle};
use scenario::Scenario;

/// In two halves, for two cores.
const CASES: u32 = 4000;

#[test]
fn every_second_of_a_calendar_period_has_the_class_that_the_oracle_gives_it() {
    run(|scenario| Scenario { rolling: None, ..scenario });
}

#[test]
fn every_second_of_any_period_has_the_class_that_the_oracle_gives_it() {
    run(|scenario| scenario);
}

fn run(change: impl Fn(Scenario) -> Scenario) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&scenario::scenarios(), |scenario| compare(&change(scenario))).unwrap();
}

/// What the random scenarios cover; a generator that misses something proves nothing about it.
#[test]
fn the_scenarios_cover_what_matters() {
    let mut runner = TestRunner::deterministic();
    let strategy = scenario::scenarios();
    let mut seen = Counted::default();
    let (mut several_parts, mut open, mut retroactive, mut partly) = (0, 0, 0, 0);
    for _ in 0..250 {
        let scenario = strategy.new_tree(&mut runner).unwrap().current();
        let parts = Oracle::new(&scenario).count();
        several_parts += usize::from(parts.len() > 1);
        open += usize::from(scenario.is_open());
        for part in &parts {
            seen.add(part);
            retroactive += usize::from(part.excluded != part.excluded_without_retroactive);
            partly += usize::from(part.excluded > 0 && part.down > 0);
        }
    }
    let Counted { out_of_hours, excluded, unknown, down, degraded, up, ignored_short, .. } = seen;
    for (name, seconds) in [
        ("out of hours", out_of_hours),
        ("excluded", excluded),
        ("unknown", unknown),
        ("down", down),
        ("degraded", degraded),
        ("up", up),
        ("ignored short", ignored_short),
    ] {
        assert!(seconds > 3600, "{name}: {seconds} s");
    }
    assert!(several_parts > 15 && open > 15, "{several_parts} with several parts, {open} open");
    assert!(retroactive > 3 && partly > 15, "{retroactive} with a retroactive exclusion, {partly} excluded in part");
}

#[test]
fn milliseconds_are_conserved() {
    let config = Config { cases: CASES / 2, failure_persistence: None, ..Config::default() };
    let strategy = (scenario::scenarios(), 0..1000_i64, 0..1000_i64);
    TestRunner::new(config)
        .run(&strategy, |(scenario, first, step)| {
            let (judged, ..) = scenario.judge(|index| (first + step * index as i64) % 1000);
            for part in &judged.parts {
                let to = part.span.to.as_ms().min(scenario.as_of_ms(first));
                for target in &part.targets {
                    let sums = target.figures.sums();
                    let classes =
                        sums.out_of_hours + sums.excluded + sums.unknown + sums.down + sums.degraded + sums.up;
                    prop_assert_eq!(classes, (to - part.span.from.as_ms()).max(0));
                    prop_assert!(
                        [sums.out_of_hours, sums.excluded, sums.unknown, sums.down, sums.degraded, sums.up]
                            .iter()
                            .all(|ms| *ms >= 0)
                    );
                }
            }
            hold_together(&judged)?;
            prop_assert!(judged.parts.windows(2).all(|pair| pair[0].span.to <= pair[1].span.from));
            Ok(())
        })
        .unwrap();
}

/// What is told twice is the same twice: the outages and the classes, the windows and what is excluded.
fn hold_together(judged: &Judged) -> Result<(), TestCaseError> {
    let sums = || judged.parts.iter().map(|part| part.targets[0].figures.sums());
    let counted: i64 = judged.outages.iter().map(|outage| outage.counted_ms).sum();
    prop_assert_eq!(counted, sums().map(|sums| sums.down).sum::<i64>());
    let excluded: i64 = judged.windows.iter().map(|window| window.time.excluded_ms).sum();
    prop_assert_eq!(excluded, sums().map(|sums| sums.excluded).sum::<i64>());
    for window in &judged.windows {
        prop_assert!(window.time.excluded_ms <= window.window.allowance_ms.min(window.window.span.length_ms()));
        prop_assert!(window.window.refusal.is_none() || (window.time.excluded_ms, window.time.overrun_ms) == (0, 0));
    }
    Ok(())
}

fn compare(scenario: &Scenario) -> Result<(), TestCaseError> {
    let (judged, window) = scenario.judge(|_| 0);
    let oracle = Oracle::new(scenario);
    prop_assert_eq!(window, oracle.window(), "window");
    let counted = oracle.count();
    prop_assert_eq!(figures(&judged), counted);
    hold_together(&judged)
}

/// The judged figures in the oracle's form: seconds where they are whole.
fn figures(judged: &Judged) -> Vec<Counted> {
    let seconds = |ms: i64| {
        assert_eq!(ms % 1000, 0, "whole seconds go in, whole seconds come out");
        ms / 1000
    };
    let target = |part: &assize::domain::report::JudgedPart| {
        let target = &part.targets[0];
        let (figures, sums) = (&target.figures, target.figures.sums());
        Counted {
            from: seconds(part.span.from.as_ms()),
            to: seconds(part.span.to.as_ms()),
            out_of_hours: seconds(sums.out_of_hours),
            excluded: seconds(sums.excluded),
            excluded_without_retroactive: seconds(
                target.without_retroactive.map_or(sums.excluded, |figures| figures.sums().excluded),
            ),
            unknown: seconds(sums.unknown),
            down: seconds(sums.down),
            degraded: seconds(sums.degraded),
            up: seconds(sums.up),
            ignored_short: seconds(target.ignored_short_ms),
            base: seconds(figures.base()),
            lost_ms: figures.lost_ms(),
            budget_ms: figures.budget_ms().unwrap(),
        }
    };
    judged.parts.iter().map(target).collect()
}
