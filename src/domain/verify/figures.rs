//! The sums of a closed report: each target's classes of time add up, and they are what its ledger says.

use crate::api::report::{LedgerLine, ReportPart, TargetFigures};
use crate::domain::accounting::{ClassSums, classify};
use crate::domain::decimal::Fraction;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Entry, Rolled, Timeline};

use super::Inputs;
use super::record::Record;

/// Checks the figures of a closed report.
pub fn check(record: &Record<'_>, inputs: &Inputs, add: &mut impl FnMut(&str, String)) {
    let lines = read_ledger(record, add);
    let proved = record.status.proved_until.as_deref().and_then(|text| Instant::parse(text).ok());
    let horizon = proved.unwrap_or(record.end);
    let mut ended: Option<Instant> = None;
    for (index, part) in record.status.parts.iter().enumerate() {
        let at = format!("status.parts[{index}]");
        let Some(span) = span_of(part) else {
            add(&at, format!("is no span: from {} to {}", part.from, part.to));
            continue;
        };
        if ended.is_some_and(|ended| span.from < ended) {
            add(&at, "begins before the part before it ends".to_owned());
        }
        ended = Some(span.to);
        for (number, target) in part.targets.iter().enumerate() {
            let at = format!("{at}.targets[{number}]");
            let mut wrong = |field: &str, message: String| add(&format!("{at}.{field}"), message);
            check_sums(target, span, &mut wrong);
            if let Some(calendar) = &part.missing_calendar {
                // Nothing is known of it, whatever was seen.
                if target.ms.unknown != target.ms.elapsed {
                    let (unknown, elapsed) = (target.ms.unknown, target.ms.elapsed);
                    let message = format!("is {unknown} of {elapsed}, although there was no calendar {calendar}");
                    wrong("ms.unknown", message);
                }
                continue;
            }
            // The ledger of a report covers its own period; a rolling window reaches back into others.
            if span.from >= record.start
                && span.to <= record.end
                && let Some(lines) = &lines
            {
                let hours = hours(record, target, span, inputs);
                check_ledger(target, lines, span, horizon, hours.as_deref(), &mut wrong);
            }
        }
    }
}

fn span_of(part: &ReportPart) -> Option<Interval> {
    Interval::new(Instant::parse(&part.from).ok()?, Instant::parse(&part.to).ok()?)
}

/// Conservation: every millisecond has one class.
fn check_sums(target: &TargetFigures, span: Interval, wrong: &mut impl FnMut(&str, String)) {
    let ms = &target.ms;
    let classes = [ms.out_of_hours, ms.excluded, ms.unknown, ms.down, ms.degraded, ms.up];
    // A forged number may be of any size.
    let sum: i128 = classes.iter().map(|ms| i128::from(*ms)).sum();
    if classes.iter().any(|ms| *ms < 0) {
        wrong("ms", "a class of time is negative".to_owned());
    }
    if sum != i128::from(ms.elapsed) {
        wrong("ms", format!("the classes of time add up to {sum}, elapsed is {}", ms.elapsed));
    }
    if ms.elapsed != span.length_ms() {
        wrong("ms.elapsed", format!("is {}, the part is {} long", ms.elapsed, span.length_ms()));
    }
    let service = i128::from(ms.elapsed) - i128::from(ms.out_of_hours);
    if i128::from(ms.service) != service {
        wrong("ms.service", format!("is {}, elapsed without out of hours is {service}", ms.service));
    }
    let measured = service - i128::from(ms.excluded);
    let base = i128::from(ms.base);
    if base != measured && base != measured - i128::from(ms.unknown) {
        wrong("ms.base", format!("is {base}, neither service − excluded nor that without unknown"));
    }
    let coverage = Fraction::new(service - i128::from(ms.unknown), service).map(Fraction::percent);
    if service > 0 && coverage != target.coverage {
        let found = target.coverage.as_deref().unwrap_or("-");
        wrong("coverage", format!("is {found}, (service − unknown) ÷ service is {}", coverage.unwrap_or_default()));
    }
}

/// The lines of the ledger by target; none if one cannot be read.
fn read_ledger(record: &Record<'_>, add: &mut impl FnMut(&str, String)) -> Option<Vec<(String, Timeline)>> {
    let ledger = record.status.ledger.as_ref()?;
    let mut lines = Vec::new();
    for (index, line) in ledger.lines.iter().enumerate() {
        match read_line(line) {
            Ok(timeline) => lines.push((line.target.clone(), timeline)),
            Err(message) => {
                add(&format!("status.ledger.lines[{index}]"), message);
                return None;
            }
        }
    }
    Some(lines)
}

fn read_line(line: &LedgerLine) -> Result<Timeline, String> {
    let entries = line.entries.iter().map(|text| Entry::parse(text)).collect::<Result<Vec<_>, _>>();
    let entries = entries.map_err(|error| error.to_string())?;
    if let Some(pair) = entries.windows(2).find(|pair| pair[1].at <= pair[0].at) {
        return Err(format!("the entry at {} does not come after the one before it", pair[1].at.format_utc()));
    }
    let rolled = line.rolled.iter().map(|text| Rolled::parse(text)).collect::<Result<Vec<_>, _>>();
    let mut timeline = Timeline::from_entries(entries);
    timeline.set_rolled(rolled.map_err(|error| error.to_string())?);
    Ok(timeline)
}

/// The service hours of a part, where they are known: round the clock, or of a calendar at hand that did not change.
fn hours(record: &Record<'_>, target: &TargetFigures, span: Interval, inputs: &Inputs) -> Option<Vec<Interval>> {
    if target.ms.out_of_hours == 0 {
        return Some(vec![span]);
    }
    let changed = record.status.rules_changed.iter().any(|change| change.kind == "ServiceCalendar");
    let digest = record.status.inputs.as_ref()?.calendar.as_ref()?;
    let calendar = inputs.calendars.get(digest).filter(|_| !changed)?;
    Some(calendar.hours_within(span))
}

/// The states of the ledger against the classes of the figures. Which Down was excluded, and without the calendar
/// which was out of hours, is not known here: then the ledger is a bound.
fn check_ledger(
    target: &TargetFigures,
    lines: &[(String, Timeline)],
    span: Interval,
    horizon: Instant,
    hours: Option<&[Interval]>,
    wrong: &mut impl FnMut(&str, String),
) {
    let nothing = Timeline::default();
    let line = lines.iter().find(|(name, _)| *name == target.name).map_or(&nothing, |(_, line)| line);
    let whole = [span];
    let seen: ClassSums = classify(line.segments(span, horizon), hours.unwrap_or(&whole));
    let ms = &target.ms;
    // Down runs too short to count are Up; those of a span that was rolled up are Up in the ledger already.
    let rolled_short: i64 =
        line.rolled().iter().filter(|rolled| span.contains(rolled.span().from)).map(|rolled| rolled.short_ms).sum();
    let short = ms.ignored_short.saturating_sub(rolled_short);
    let loss = ms.down.saturating_add(ms.degraded).saturating_add(ms.excluded);
    let rows = [
        ("unknown", ms.unknown, seen.unknown),
        ("down, degraded and excluded", loss, seen.down.saturating_sub(short) + seen.degraded),
        ("up", ms.up, seen.up.saturating_add(short)),
    ];
    for (name, figure, ledger) in rows {
        if hours.is_some() && figure != ledger {
            wrong("ms", format!("{name}: {figure}, the ledger says {ledger}"));
        } else if figure > ledger {
            wrong("ms", format!("{name}: {figure}, more than the {ledger} of the ledger"));
        }
    }
    let exact = hours.is_some() && ms.excluded == 0;
    if exact && ms.degraded != seen.degraded {
        wrong("ms", format!("degraded: {}, the ledger says {}", ms.degraded, seen.degraded));
    }
}
