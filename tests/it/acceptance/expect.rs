//! The notation of the expected figures.
//!
//! `S 2682000000; D 2700000; A 99.8993; budget 2682000; left -18000 (-0.7 %); Missed`: entries end with `;`, parts of a
//! period with ` / `. Letters as on the page: H out of hours, X excluded, U unknown, D down, G degraded, S service, B base,
//! A availability, in ms or percent. What is not listed is held too: H, X, U, D and G are 0, coverage is 100.0000, and
//! bounds are A while nothing is unknown, raw is A while nothing is excluded, and no figure without retroactive
//! exclusions is given.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

/// Compares a report with a line of figures.
pub fn figures(case: &str, report: &Value, text: &str) {
    let fail = |message: String| panic!("{case}: {message}\n  want {text}\n  report {report:#}");
    let parts = report["parts"].as_array().unwrap();
    let wanted: Vec<&str> = text.split(" / ").collect();
    if wanted.len() != parts.len() {
        fail(format!("{} parts, want {}", parts.len(), wanted.len()));
    }
    for (line, part) in wanted.iter().zip(parts) {
        let mut check = Check { report, part, figures: &part["targets"][0], listed: HashMap::new(), wrong: Vec::new() };
        line.split("; ").for_each(|entry| check.entry(entry));
        check.unlisted();
        if !check.wrong.is_empty() {
            fail(check.wrong.join("; "));
        }
    }
}

struct Check<'a> {
    report: &'a Value,
    part: &'a Value,
    figures: &'a Value,
    listed: HashMap<&'a str, &'a str>,
    wrong: Vec<String>,
}

impl<'a> Check<'a> {
    fn entry(&mut self, entry: &'a str) {
        let (key, value) = entry.split_once(' ').unwrap_or(("result", entry));
        self.listed.insert(key, value);
        let (report, part, figures) = (self.report, self.part, self.figures);
        match (key, value) {
            ("left", value) => {
                let (left, percent) = value.split_once(" (").unwrap_or((value, ""));
                self.number("left", left);
                if let Some(percent) = percent.strip_suffix(" %)") {
                    self.text("percent left", &figures["budgetLeftPercent"], percent);
                }
            }
            ("bounds", value) => {
                let (low, high) = value.trim_matches(['[', ']']).split_once(", ").unwrap();
                self.text("lowest", &figures["lowest"], low);
                self.text("highest", &figures["highest"], high);
            }
            ("A", value) => self.text(key, &figures["availability"], value),
            // With nothing excluded that was agreed only afterwards.
            ("without", value) => self.text(key, &figures["availabilityWithoutRetroactive"], value),
            ("raw" | "coverage" | "result" | "certain" | "outageCount" | "ignoredShortCount", value) => {
                self.text(key, &figures[key], value);
            }
            // `Indeterminate (LowCoverage)`
            ("Indeterminate", value) => {
                self.text("result", &figures["result"], "Indeterminate");
                self.text("reason", &figures["reason"], value.trim_matches(['(', ')']));
            }
            ("period", value) => self.text("result of the period", &report["result"], value),
            ("start" | "end", value) => self.instant(key, &report["period"][key], value),
            ("from" | "to", value) => self.instant(key, &part[key], value),
            ("rulesChanged", value) => {
                self.text(key, &report["rulesChanged"].as_array().map_or(0, Vec::len).into(), value);
            }
            // The lengths of the listed outages of the report, in order.
            ("outages", value) => {
                let lengths: Vec<&Value> = report["outages"].as_array().unwrap().iter().map(|o| &o["ms"]).collect();
                self.text(key, &serde_json::to_string(&lengths).unwrap().into(), value);
            }
            // Reason of the first outage.
            ("reason", value) => self.text(key, &report["outages"][0]["reason"], value),
            (key, value) => self.number(key, value),
        }
    }

    /// What the line does not list follows from the rules.
    fn unlisted(&mut self) {
        let ms = &self.figures["ms"];
        let time = |name: &str| ms[name].as_i64().unwrap();
        let classes = ["outOfHours", "excluded", "unknown", "down", "degraded", "up"].map(time).iter().sum::<i64>();
        if classes != time("elapsed") || time("elapsed") - time("outOfHours") != time("service") {
            self.wrong.push("the classes do not add up".to_owned());
        }
        for key in ["H", "X", "U", "D", "G"] {
            if !self.listed.contains_key(key) {
                self.number(key, "0");
            }
        }
        let all_known = time("unknown") == 0 && time("base") > 0;
        let availability = self.figures["availability"].as_str().unwrap_or_default().to_owned();
        // Degraded time that counts in part is in the bounds as in the figure.
        if all_known && !self.listed.contains_key("bounds") {
            for key in ["lowest", "highest"] {
                self.text(key, &self.figures[key], &availability);
            }
        }
        if time("excluded") == 0 && time("base") > 0 && !self.listed.contains_key("raw") {
            self.text("raw", &self.figures["raw"], &availability);
        }
        if !self.listed.contains_key("without") {
            self.text("without", &self.figures["availabilityWithoutRetroactive"], "null");
        }
        if all_known && !self.listed.contains_key("coverage") {
            self.text("coverage", &self.figures["coverage"], "100.0000");
        }
    }

    fn number(&mut self, key: &str, value: &str) {
        let name = match key {
            "H" => "outOfHours",
            "X" => "excluded",
            "U" => "unknown",
            "D" => "down",
            "G" => "degraded",
            "S" => "service",
            "B" => "base",
            "left" => "budgetLeft",
            other => other,
        };
        let found = &self.figures["ms"][name];
        if found.as_i64().is_none() || found.as_i64() != value.parse().ok() {
            self.wrong.push(format!("{key} is {found}, want {value}"));
        }
    }

    fn text(&mut self, key: &str, found: &Value, value: &str) {
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        if found != value {
            self.wrong.push(format!("{key} is {found}, want {value}"));
        }
    }

    fn instant(&mut self, key: &str, found: &Value, value: &str) {
        let read = |text: &str| text.parse::<Timestamp>().unwrap();
        let found = found.as_str().unwrap();
        if read(found) != read(value) {
            self.wrong.push(format!("{key} is {found}, want {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::acceptance::Case;

    fn one_wrong(figures: &str) {
        Case::new("wrong").down("2025-11-10T10:00:00+01:00", "10:30").gives("2025-11", figures);
    }

    #[test]
    #[should_panic(expected = "D is 1800000, want 1800001")]
    fn a_wrong_number_is_found() {
        one_wrong("D 1800001");
    }

    #[test]
    #[should_panic(expected = "D is 1800000, want 0")]
    fn a_number_that_is_not_listed_is_found() {
        one_wrong("A 99.9305");
    }

    #[test]
    #[should_panic(expected = "lowest is 99.9305, want 99.0000")]
    fn a_wrong_bound_is_found() {
        one_wrong("D 1800000; bounds [99.0000, 99.9305]");
    }

    #[test]
    #[should_panic(expected = "1 parts, want 2")]
    fn a_missing_part_is_found() {
        one_wrong("D 1800000 / D 0");
    }
}
