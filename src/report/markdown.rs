//! A report as Markdown, for the customer and for an auditor.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::text::markdown;
use super::words::{certainty_sentence, phase_sentence, unknown_sentence, verdict_sentence};
use super::{Document, Parties};
use crate::api::report::{Gap, Maintenance, Omitted, Outage, TargetFigures};
use crate::domain::duration::format_exact;

const TEMPLATE: &str = include_str!("templates/report.md");

/// What the template sees.
#[derive(Serialize)]
struct Page<'a> {
    report: &'a Document,
    phase: &'static str,
    phase_sentence: &'static str,
    verdict_sentence: &'static str,
    parties: &'a Parties,
    parts: Vec<Part<'a>>,
    several_targets: bool,
    outages: Vec<OutageLine<'a>>,
    windows: Vec<WindowLine<'a>>,
    windows_omitted: Option<String>,
    gaps: Vec<GapLine<'a>>,
    outages_omitted: Option<String>,
    gaps_omitted: Option<String>,
}

#[derive(Serialize)]
struct Part<'a> {
    from: &'a str,
    to: &'a str,
    terms_digest: &'a str,
    targets: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    figures: &'a TargetFigures,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct OutageLine<'a> {
    outage: &'a Outage,
    length: String,
    counted: String,
    unnoticed: Option<String>,
}

#[derive(Serialize)]
struct WindowLine<'a> {
    window: &'a Maintenance,
    effective: String,
    retroactive: &'static str,
    excluded: String,
    overrun: String,
}

#[derive(Serialize)]
struct GapLine<'a> {
    gap: &'a Gap,
    unknown: String,
}

/// Renders one report. Every value is escaped as it is written, so that nothing in it can be markup.
pub fn render(document: &Document, parties: &Parties) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("length_of", |length_ms: i64| format_exact(length_ms));
    environment.set_formatter(|output, _, value| {
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => output.write_str("–")?,
            _ => output.write_str(&markdown(&value.to_string()))?,
        }
        Ok(())
    });
    environment.add_template("report.md", TEMPLATE)?;
    let parts: Vec<Part<'_>> = document
        .parts
        .iter()
        .map(|part| Part {
            from: &part.from,
            to: &part.to,
            terms_digest: &part.terms_digest,
            targets: part.targets.iter().map(|figures| Line { figures, notes: notes(figures) }).collect(),
        })
        .collect();
    let outages: Vec<OutageLine<'_>> = document
        .outages
        .iter()
        .map(|outage| OutageLine {
            outage,
            length: format_exact(outage.ms),
            counted: format_exact(outage.counted_ms),
            unnoticed: (outage.detection_lag_ms > 0).then(|| format_exact(outage.detection_lag_ms)),
        })
        .collect();
    let gaps: Vec<GapLine<'_>> =
        document.gaps.iter().map(|gap| GapLine { gap, unknown: format_exact(gap.unknown_ms) }).collect();
    let page = Page {
        report: document,
        phase: document.phase.as_str(),
        phase_sentence: phase_sentence(document.phase),
        verdict_sentence: verdict_sentence(document),
        parties,
        parts,
        several_targets: document.outages.iter().any(|outage| outage.target.is_some()),
        outages,
        windows: document.maintenance.iter().map(window_line).collect(),
        windows_omitted: document.maintenance_omitted.map(omitted),
        gaps,
        outages_omitted: document.outages_omitted.map(omitted),
        gaps_omitted: document.gaps_omitted.map(omitted),
    };
    environment.get_template("report.md")?.render(Serde(&page))
}

fn window_line(window: &Maintenance) -> WindowLine<'_> {
    WindowLine {
        window,
        effective: window.reason.as_ref().map_or_else(|| "yes".to_owned(), |reason| format!("no: {reason}")),
        retroactive: if window.retroactive { "yes" } else { "no" },
        excluded: format_exact(window.excluded_ms),
        overrun: format_exact(window.overrun_ms),
    }
}

fn omitted(rest: Omitted) -> String {
    format!("{} more, {} together, are not listed.", rest.count, format_exact(rest.ms))
}

/// What a reader must know besides the figures of a target.
fn notes(target: &TargetFigures) -> Vec<String> {
    let times = &target.ms;
    let mut notes: Vec<String> = certainty_sentence(target).into_iter().collect();
    notes.push(unknown_sentence(times).to_owned());
    if times.ignored_short > 0 {
        let (count, length) = (target.ignored_short_count, format_exact(times.ignored_short));
        let outages = if count == 1 { "outage" } else { "outages" };
        notes.push(format!("{count} {outages} shorter than agreed, {length} together, counted as up"));
    }
    if times.excluded > 0 {
        notes.push(format!("with nothing excluded the figure is {} %", target.raw.as_deref().unwrap_or("–")));
    }
    if let Some(figure) = &target.availability_without_retroactive {
        notes.push(format!("without what was agreed only afterwards the figure is {figure} %"));
    }
    if let Some(reliability) = &target.reliability {
        let mean = reliability.mean_ms.map_or_else(|| "–".to_owned(), format_exact);
        let longest = format_exact(reliability.longest_ms);
        let limits = match &reliability.exceeded[..] {
            [] => "no limit is exceeded".to_owned(),
            exceeded => format!("exceeded: {}", exceeded.join(", ")),
        };
        notes.push(format!("{} outages, the longest {longest}, mean {mean}; {limits}", reliability.outages));
    }
    if times.inferred > 0 {
        notes.push(format!("{} of its time is inferred from what was found after a gap", format_exact(times.inferred)));
    }
    if times.backfilled > 0 {
        notes.push(format!("{} of its time is filled in from stored samples", format_exact(times.backfilled)));
    }
    notes
}
