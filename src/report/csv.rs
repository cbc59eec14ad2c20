//! Reports as CSV after RFC 4180: one row a target and part.

use super::Document;
use super::text::csv_field;
use crate::api::report::{ReportPart, TargetFigures};

/// Heads of the columns: the names of the JSON form.
const HEADS: [&str; 46] = [
    "agreement",
    "service",
    "name",
    "period",
    "start",
    "end",
    "timeZone",
    "phase",
    "asOf",
    "provedUntil",
    "result",
    "part",
    "partFrom",
    "partTo",
    "termsDigest",
    "target",
    "kind",
    "method",
    "objective",
    "targetResult",
    "reason",
    "certain",
    "availability",
    "lowest",
    "highest",
    "raw",
    "availabilityWithoutRetroactive",
    "coverage",
    "elapsedMs",
    "outOfHoursMs",
    "serviceMs",
    "excludedMs",
    "unknownMs",
    "downMs",
    "degradedMs",
    "upMs",
    "baseMs",
    "lostMs",
    "budgetMs",
    "budgetLeftMs",
    "budgetLeftPercent",
    "outageCount",
    "ignoredShortMs",
    "longestOutageMs",
    "meanOutageMs",
    "digest",
];

/// The rows of some reports under one row of heads. A report without parts has one row without figures.
pub fn render(documents: &[Document]) -> String {
    let mut text = line(HEADS.iter().map(|head| (*head).to_owned()));
    for document in documents {
        let mut rows = 0;
        for (index, part) in document.parts.iter().enumerate() {
            for target in &part.targets {
                text.push_str(&row(document, Some((index + 1, part, target))));
                rows += 1;
            }
        }
        if rows == 0 {
            text.push_str(&row(document, None));
        }
    }
    text
}

fn row(document: &Document, figures: Option<(usize, &ReportPart, &TargetFigures)>) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut cells = vec![
        optional(&document.agreement),
        document.service.clone(),
        document.name.clone(),
        document.period.key.clone(),
        document.period.start.clone(),
        document.period.end.clone(),
        document.period.time_zone.clone(),
        document.phase.as_str().to_owned(),
        optional(&document.as_of),
        optional(&document.proved_until),
        optional(&document.result),
    ];
    if let Some((number, part, target)) = figures {
        cells.extend([number.to_string(), part.from.clone(), part.to.clone(), part.terms_digest.clone()]);
        cells.extend([target.name.clone(), format!("{:?}", target.kind), format!("{:?}", target.method)]);
        cells.extend([&target.objective, &target.result, &target.reason].map(optional));
        cells.push(target.certain.to_string());
        let without_retroactive = &target.availability_without_retroactive;
        let shares =
            [&target.availability, &target.lowest, &target.highest, &target.raw, without_retroactive, &target.coverage];
        cells.extend(shares.map(optional));
        let ms = &target.ms;
        cells.extend(
            [
                ms.elapsed,
                ms.out_of_hours,
                ms.service,
                ms.excluded,
                ms.unknown,
                ms.down,
                ms.degraded,
                ms.up,
                ms.base,
                ms.lost,
            ]
            .map(|length_ms| length_ms.to_string()),
        );
        cells.extend(
            [ms.budget, ms.budget_left].map(|length_ms| length_ms.map_or_else(String::new, |ms| ms.to_string())),
        );
        cells.push(optional(&target.budget_left_percent));
        cells.extend([target.outage_count.to_string(), ms.ignored_short.to_string()]);
        let reliability = target.reliability.as_ref();
        let lengths = [reliability.map(|outages| outages.longest_ms), reliability.and_then(|outages| outages.mean_ms)];
        cells.extend(lengths.map(|length_ms| length_ms.map_or_else(String::new, |ms| ms.to_string())));
    }
    cells.resize(HEADS.len() - 1, String::new());
    cells.push(optional(&document.digest));
    line(cells)
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| csv_field(&cell)).collect();
    format!("{}\r\n", cells.join(","))
}
