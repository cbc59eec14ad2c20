//! What is reported: each figure beside its goal.
use std::fmt;

use serde::Serialize;

/// A figure and its goal; less is better.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What is measured.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// The figure.
    pub measured: f64,
    /// What it must not exceed; none for what only explains others.
    pub goal: Option<f64>,
}

impl Figure {
    /// A figure with a goal.
    pub fn new(name: impl Into<String>, unit: &'static str, measured: f64, goal: f64) -> Self {
        Self { name: name.into(), unit, measured, goal: Some(goal) }
    }

    /// A figure that explains others.
    pub fn plain(name: impl Into<String>, unit: &'static str, measured: f64) -> Self {
        Self { name: name.into(), unit, measured, goal: None }
    }

    /// The figure as a part of its goal; above 1 the goal is missed. A goal of nothing is kept by nothing alone.
    pub fn ratio(&self) -> Option<f64> {
        let goal = self.goal?;
        if goal == 0.0 {
            return Some(if self.measured == 0.0 { 0.0 } else { f64::INFINITY });
        }
        Some(self.measured / goal)
    }

    /// Whether the goal is met; what was not measured meets none.
    pub fn is_met(&self) -> Option<bool> {
        self.ratio().map(|ratio| ratio <= 1.0)
    }
}

/// Figures as a table for people.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Figure]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| Figure | Measured | Goal | Ratio | |")?;
        writeln!(f, "|---|---:|---:|---:|---|")?;
        for figure in self.0 {
            let measured = number(figure.measured);
            let goal = figure.goal.map_or("-".to_owned(), |goal| format!("<= {} {}", number(goal), figure.unit));
            let ratio = figure.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            let met = figure.is_met().map_or("", |met| if met { "met" } else { "missed" });
            writeln!(f, "| {} | {measured} {} | {goal} | {ratio} | {met} |", figure.name, figure.unit)?;
        }
        Ok(())
    }
}

fn number(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value.abs() >= 100.0 => format!("{value:.0}"),
        _ if value.abs() >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_the_goal_itself() {
        let met = |measured, goal| Figure::new("memory", "MiB", measured, goal).is_met();
        assert_eq!([met(40.0, 40.0), met(40.1, 40.0), met(f64::NAN, 40.0)], [Some(true), Some(false), Some(false)]);
        assert_eq!([met(0.0, 0.0), met(1.0, 0.0)], [Some(true), Some(false)]);
        assert_eq!(Figure::plain("memory", "MiB", 1.0).is_met(), None);
        let table = Table(&[Figure::new("memory", "MiB", 38.25, 40.0)]).to_string();
        assert!(table.ends_with("| memory | 38.2 MiB | <= 40 MiB | 0.96 | met |\n"), "{table}");
    }
}
