//! The bounds of a report: its ledger, and how many parts amendments may cut it into.

use std::sync::Arc;

use crate::domain::agreement::{Schedule, Terms};
use crate::domain::limits::{REPORT_PART_TARGETS, REPORT_PARTS};
use crate::domain::time::{Instant, Interval, clip_list};
use crate::domain::timeline::{Bounds, Line, LineRules, PartRules, Timeline, bound};
use crate::domain::version::{Version, Versions};
use crate::domain::violation::Violation;

use super::{Facts, hours_are_known, hours_within, parts, windows};

/// What the line of a target is rolled up under within a period: its parts in order, without holes. Time outside the
/// term is a part without hours.
pub fn roll_up_rules(facts: Facts<'_>, period: Interval, name: &Arc<str>, line: &Arc<Timeline>) -> LineRules {
    let mut rules: Vec<PartRules> = Vec::new();
    let mut at = period.from;
    let outside = |from: Instant, to: Instant| {
        let part = |span| PartRules { span, hours: Vec::new(), windows: Vec::new(), min_outage_ms: 0 };
        Interval::new(from, to).map(part)
    };
    let windows = windows::of_line(facts, name, line, period);
    let pieces = windows.as_ref().map_or(&[][..], |windows| &windows.pieces);
    for (span, version) in parts(facts.terms, facts.created, period) {
        rules.extend(outside(at, span.from));
        at = span.to;
        rules.push(match version.value.targets.iter().find(|other| other.name == *name) {
            Some(target) => PartRules {
                span,
                hours: hours_within(facts.calendars, version.value.calendar.as_ref(), span),
                windows: clip_list(pieces, span),
                min_outage_ms: target.min_outage_ms,
            },
            None => PartRules { span, hours: Vec::new(), windows: Vec::new(), min_outage_ms: 0 },
        });
    }
    rules.extend(outside(at, period.to));
    let cuts = windows.as_ref().map_or(&[][..], |windows| &windows.cuts);
    let parts = rules.into_iter().flat_map(|part| part.cut(cuts)).collect();
    LineRules { parts, counted: windows.map(|windows| windows.counted) }
}

/// Brings the ledger lines of one period, by the names of their targets, within bounds; returns whether anything was
/// rolled up. No figure of the period changes.
pub fn bound_ledger<'a>(
    lines: impl IntoIterator<Item = (&'a Arc<str>, &'a mut Arc<Timeline>)>,
    facts: Facts<'_>,
    period: Interval,
    bounds: Bounds,
) -> bool {
    let mut versions = facts.terms.within(period);
    if versions.any(|(_, version)| !hours_are_known(facts.calendars, &version.value)) {
        // What a sum holds is in hours or out of them for ever.
        return false;
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    if Bounds::held(lines.iter().map(|(_, line)| &***line), period).is_within(bounds) {
        return false;
    }
    let rules: Vec<LineRules> = lines.iter().map(|(name, line)| roll_up_rules(facts, period, name, line)).collect();
    let mut lines: Vec<Line<'_>> =
        lines.iter_mut().zip(&rules).map(|((_, line), rules)| Line { timeline: Arc::make_mut(line), rules }).collect();
    bound(&mut lines, period, bounds)
}

/// What stands against an amendment: more parts than a report can hold. It is refused until the period ends (of a
/// rolling one: until enough of the parts have left the window).
pub fn amendment_beyond(terms: &Versions<Terms>, created: Instant, new: &Version<Terms>) -> Option<Violation> {
    let last = terms.newest()?;
    if last.value.judged == new.value.judged {
        return None;
    }
    let schedule = Schedule::of(terms)?;
    let period = schedule.period_at(new.since);
    let window = period.window_at(new.since);
    let mut amended = terms.clone();
    amended.accept(new.clone());
    let parts = parts(&amended, created, Interval { to: window.to.max(new.since.plus_ms(1)), ..window });
    let targets: usize = parts.iter().map(|(_, version)| version.value.targets.len()).sum();
    let remedy = match period.key.rolling_days() {
        Some(_) => "until the oldest of them has left the window".to_owned(),
        None => format!("until the period ends at {}", period.end.format_in(&schedule.rules_at(new.since).zone)),
    };
    let refused = |what: String| Some(Violation::new("spec", format!("{what}; wait {remedy}, or undo the change")));
    if parts.len() > REPORT_PARTS {
        return refused(format!(
            "this amendment would be part {} of the report, which has at most {REPORT_PARTS}",
            parts.len()
        ));
    }
    if targets > REPORT_PART_TARGETS {
        let count = parts.len();
        return refused(format!(
            "with this amendment the {count} parts of the report have {targets} targets together, at most {REPORT_PART_TARGETS}"
        ));
    }
    None
}
