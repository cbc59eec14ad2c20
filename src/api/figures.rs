//! What a report holds for each target and about its period.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agreement::{Method, TargetKind};

/// Figures of one target in one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetFigures {
    /// Name of the target.
    pub name: String,
    /// What it agrees.
    pub kind: TargetKind,
    /// How it is measured.
    pub method: Method,
    /// Its objective, percent; none for a Service without agreement.
    pub objective: Option<String>,
    /// Verdict of the part; none for a Service without agreement.
    pub result: Option<String>,
    /// Why the verdict is Indeterminate.
    pub reason: Option<String>,
    /// Whether no missing fact could change the verdict.
    pub certain: bool,
    /// Share of the base in which the service was up, percent, truncated; none without service time.
    pub availability: Option<String>,
    /// If all unknown time was down.
    pub lowest: Option<String>,
    /// If all unknown time was up.
    pub highest: Option<String>,
    /// With nothing excluded.
    pub raw: Option<String>,
    /// With nothing excluded that was agreed only afterwards.
    pub availability_without_retroactive: Option<String>,
    /// Share of the service time that was observed, percent.
    pub coverage: Option<String>,
    /// Milliseconds by class, and what follows from them.
    pub ms: TargetTimes,
    /// Error budget left, percent.
    pub budget_left_percent: Option<String>,
    /// Number of outages that belong to this part.
    pub outage_count: u32,
    /// Number of Down intervals shorter than `minOutage`.
    pub ignored_short_count: u32,
    /// Of a Reliability target: its outages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<ReliabilityFigures>,
}

/// The outages of a Reliability target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReliabilityFigures {
    /// How many there were.
    pub outages: u32,
    /// The longest counted time of one, milliseconds.
    pub longest_ms: i64,
    /// The mean counted time of those that ended, milliseconds, rounded down; none without any.
    pub mean_ms: Option<i64>,
    /// The limits that are exceeded: `maxOutages`, `maxSingleOutage`, `maxMTRS`.
    pub exceeded: Vec<String>,
}

/// Milliseconds of one target in one part. `outOfHours` to `up` without `service` add up to `elapsed`, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetTimes {
    /// Time of the part so far.
    pub elapsed: i64,
    /// Not in the service hours.
    pub out_of_hours: i64,
    /// In the service hours.
    pub service: i64,
    /// Loss that the agreement takes out.
    pub excluded: i64,
    /// Without proof of observation.
    pub unknown: i64,
    /// Down.
    pub down: i64,
    /// Degraded.
    pub degraded: i64,
    /// Up.
    pub up: i64,
    /// What availability is a share of.
    pub base: i64,
    /// Down, and the counting share of Degraded; rounded up.
    pub lost: i64,
    /// Error budget, rounded down.
    pub budget: Option<i64>,
    /// Error budget left, rounded down; may be negative.
    pub budget_left: Option<i64>,
    /// Of the proved time, what was inferred after a gap.
    pub inferred: i64,
    /// Of the proved time, what was filled in from stored samples.
    pub backfilled: i64,
    /// Down intervals shorter than `minOutage`, counted as Up.
    pub ignored_short: i64,
}

/// A maximal Down run of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// The target whose ledger line shows it; none with one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// First instant.
    pub from: String,
    /// First instant after it; none while it lasts.
    pub to: Option<String>,
    /// Its length.
    pub ms: i64,
    /// Of which Down in service hours within the term.
    pub counted_ms: i64,
    /// Of which excluded.
    pub excluded_ms: i64,
    /// The component that caused it.
    pub component: Option<String>,
    /// Why it was down.
    pub reason: Option<String>,
    /// How long before it a node that was lost had fallen silent, by its Lease; 0 where nothing says so. In no figure.
    pub detection_lag_ms: i64,
}

/// What a bounded list leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Omitted {
    /// How many.
    pub count: u32,
    /// Their length together, milliseconds.
    pub ms: i64,
    /// The longest of them, milliseconds.
    #[serde(default)]
    pub longest_ms: i64,
}

/// A span without observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// First instant.
    pub from: String,
    /// First instant after it; none while it lasts.
    pub to: Option<String>,
    /// Why nothing was observed.
    pub reason: String,
    /// What proved part of it afterwards.
    pub closed_by: Option<String>,
    /// What stays unknown, milliseconds.
    pub unknown_ms: i64,
}

/// A span in which loss may be excluded: an approved change, an occurrence of a standing window, or an agreed exclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// Name of the change, `<calendar>/<window>` of a standing window, or the cause of an exclusion.
    pub name: String,
    /// First instant.
    pub from: String,
    /// First instant after it; of a cancelled change the cancellation.
    pub to: String,
    /// How long before its start a change was approved and told, milliseconds; none where no notice is asked.
    pub notice_ms: Option<i64>,
    /// Whether loss in it is excluded, within its allowance.
    pub effective: bool,
    /// Why it is not effective.
    pub reason: Option<String>,
    /// Loss of the headline target that it excludes, milliseconds.
    pub excluded_ms: i64,
    /// Loss of the headline target inside it that stays lost, since an allowance was used up, milliseconds.
    pub overrun_ms: i64,
    /// Whether it was agreed after its start.
    pub retroactive: bool,
}

/// A rule other than the agreement that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleChange {
    /// Kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// When the new version came into force.
    pub at: String,
    /// Digest of the version before.
    pub before: String,
    /// Digest of the new version.
    pub after: String,
}

/// The clock of the API server moved by more than a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockStep {
    /// When it was noticed.
    #[schemars(length(max = 40))]
    pub at: String,
    /// By how much, milliseconds; negative if the clock was set back.
    pub by_ms: i64,
}

/// What was summed up to keep a ledger small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolledUp {
    /// Hours that became sums.
    pub hours: u32,
    /// Days that became sums, those of weeks included.
    pub days: u32,
    /// Entries inside them.
    pub entries: u32,
    /// Whether the beginning of a rolling window lies in a sum, all of which is counted as inside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edge_rolled_up: bool,
}

/// Digests of all inputs of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportInputs {
    /// Digest of the agreement's last terms in the period.
    pub terms: Option<String>,
    /// Digest of the calendar.
    pub calendar: Option<String>,
    /// Digest of the Service.
    pub service: Option<String>,
    /// Number of events of a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Version of the time zone database.
    pub time_zone_database: String,
}
