//! The windows of a judged span, as a report tells them, and their edges.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::api::report::{Maintenance, Omitted};
use crate::domain::agreement::Terms;
use crate::domain::limits::LISTED_MAINTENANCE;
use crate::domain::maintenance::{Window, WindowTime};
use crate::domain::time::{Instant, Interval, normalise};
use crate::domain::timeline::Timeline;

use super::contents::keep_longest;
use super::outages::Counted;
use super::stages::{CapPeriods, Line, Survey};
use super::tally::tally;
use super::{Calendars, Facts};

/// A window with what it did to the headline target.
#[derive(Clone, Debug)]
pub struct JudgedWindow {
    /// The window.
    pub window: Window,
    /// What it excluded within the judged span, and did not.
    pub time: WindowTime,
}

/// The windows that began, effective or not, in order.
pub(super) fn judged(survey: &Survey<'_>, counted: &[Counted<'_>], as_of: Instant) -> Vec<JudgedWindow> {
    let list = survey.windows.list();
    let mut times = vec![WindowTime::default(); list.len()];
    for (index, stage) in survey.stages.iter().enumerate().filter(|(_, stage)| stage.part.is_some()) {
        let terms = &stage.version.value;
        let Some(name) = terms.targets.get(terms.headline).map(|target| &target.name) else { continue };
        let tally = counted.iter().find(|counted| counted.line.name == *name);
        let tally = tally.and_then(|counted| counted.tallies[index].as_ref());
        for (window, time) in tally.iter().flat_map(|tally| &tally.windows) {
            times[*window].excluded_ms += time.excluded_ms;
            times[*window].overrun_ms += time.overrun_ms;
        }
    }
    let windows = list.iter().zip(times).filter(|(window, _)| window.judged && window.span.from <= as_of);
    windows.map(|(window, time)| JudgedWindow { window: window.clone(), time }).collect()
}

/// The next instant after `now` at which a standing window of the terms begins or ends.
pub fn next_window_edge(terms: &Terms, calendars: &Calendars, now: Instant) -> Option<Instant> {
    let edges = terms.maintenance.standing().iter().filter_map(|standing| {
        let calendar = &calendars.get(&standing.calendar)?.newest()?.value;
        let moment = Interval { from: now, to: now.plus_ms(1) };
        let running = calendar.window_occurrences(&standing.name, moment).into_iter().map(|occurrence| occurrence.to);
        let next = calendar.next_occurrence_after(&standing.name, now).map(|occurrence| occurrence.from);
        running.chain(next).min()
    });
    edges.min()
}

/// What rolling up a line must know of the windows within a span.
#[derive(Clone, Debug, Default)]
pub(super) struct LineWindows {
    /// Where windows are effective, cut where one begins, ends or has no allowance left: each piece keeps its own time.
    pub pieces: Vec<Interval>,
    /// Edges of exclusions that were agreed afterwards: no sum reaches over them, so that one that covers a part of a
    /// sum is known to have come later.
    pub cuts: Vec<Instant>,
    /// Counted time of Down runs, by their beginning.
    pub counted: HashMap<Instant, i64>,
}

/// The windows within a span for one line; none if there are none.
pub(super) fn of_line(facts: Facts<'_>, name: &Arc<str>, line: &Arc<Timeline>, span: Interval) -> Option<LineWindows> {
    let horizon = line.last().map_or(span.to, |last| last.at.max(span.to));
    let lines = [Line { name: name.clone(), timeline: line.clone(), runs: line.down_runs(horizon) }];
    let survey = Survey::new(facts, span, CapPeriods::Calendar, &lines, span.to);
    let slices = || survey.stages.iter().filter(|stage| stage.part.is_some()).flat_map(|stage| &stage.slices);
    slices().next()?;
    let tallies = tally(&survey, &lines[0], span.to, horizon);
    let ran_out = tallies.iter().flatten().flat_map(|tally| tally.ran_out.iter().copied());
    let mut edges: Vec<Instant> = slices().flat_map(|slice| [slice.span.from, slice.span.to]).chain(ran_out).collect();
    edges.sort_unstable();
    edges.dedup();
    let covered = normalise(slices().map(|slice| slice.span).collect());
    let mut windows = LineWindows::default();
    for window in covered {
        let inside = edges.iter().copied().filter(|edge| window.from <= *edge && *edge <= window.to);
        let inside: Vec<Instant> = inside.collect();
        windows.pieces.extend(inside.windows(2).filter_map(|pair| Interval::new(pair[0], pair[1])));
    }
    let retroactive = slices().filter(|slice| survey.windows.list()[slice.window].retroactive);
    windows.cuts = retroactive.flat_map(|slice| [slice.span.from, slice.span.to]).collect();
    for time in tallies.iter().flatten().flat_map(|tally| &tally.runs) {
        *windows.counted.entry(lines[0].runs[time.run].span.from).or_default() += time.counted_ms;
    }
    Some(windows)
}

/// Writes the windows down: those with most loss if there are too many, in order of time.
pub(super) fn written(windows: &[JudgedWindow], zone: &TimeZone) -> (Vec<Maintenance>, Option<Omitted>) {
    let loss_ms = |judged: &JudgedWindow| judged.time.excluded_ms + judged.time.overrun_ms;
    let (kept, omitted) = keep_longest(windows.to_vec(), LISTED_MAINTENANCE, loss_ms);
    let written = kept
        .into_iter()
        .map(|JudgedWindow { window, time }| Maintenance {
            name: window.name.to_string(),
            from: window.span.from.format_in(zone),
            to: window.span.to.format_in(zone),
            notice_ms: window.notice_ms,
            effective: window.refusal.is_none(),
            reason: window.refusal.map(|refusal| refusal.as_str().to_owned()),
            excluded_ms: time.excluded_ms,
            overrun_ms: time.overrun_ms,
            retroactive: window.retroactive,
        })
        .collect();
    (written, omitted)
}
