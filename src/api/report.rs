//! [`ServiceReport`]: what was measured in one period, with its ledger.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agreement::Headline;
pub use super::figures::{
    ClockStep, Gap, Maintenance, Omitted, Outage, ReliabilityFigures, ReportInputs, RolledUp, RuleChange,
    TargetFigures, TargetTimes,
};
use super::values::{LocalReference, ObjectName};

/// What was measured in one period of one agreement, or of one Service, with its ledger: appended while open, frozen
/// and digested once closed. The operator writes it; people read it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "assize.dev",
    version = "v1alpha1",
    kind = "ServiceReport",
    namespaced,
    status = "ServiceReportStatus",
    derive = "PartialEq",
    shortname = "srep",
    category = "itsm",
    validation = Rule::new("!has(self.spec.supersedes) || self.spec.supersedes.name != self.metadata.name").message("supersedes.name: a report cannot correct itself; name the one before"),
    validation = Rule::new("!has(self.spec.supersedes) || self.metadata.name.matches('-r([2-9]|[1-9][0-9]+)$')").message("metadata.name: a correction has the name of the report that it corrects with -r2, then -r3"),
    doc = "What was measured in one period of one agreement, or of one Service, with its ledger: appended while open, frozen and digested once closed. The operator writes it; people read it. Short name: srep.",
    selectable = ".status.phase",
    selectable = ".status.result",
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".spec.serviceRef.name",
        description = "The service that was measured"
    ),
    printcolumn(
        name = "Period",
        type_ = "string",
        json_path = ".spec.period.key",
        description = "The period it covers"
    ),
    printcolumn(
        name = "Target",
        type_ = "string",
        json_path = ".status.headline.objective",
        description = "Objective, percent"
    ),
    printcolumn(
        name = "Actual",
        type_ = "string",
        json_path = ".status.headline.actual",
        description = "Measured availability, percent, truncated"
    ),
    printcolumn(name = "Down", type_ = "string", json_path = ".status.headline.down", description = "Down time"),
    printcolumn(
        name = "Excluded",
        type_ = "string",
        json_path = ".status.headline.excluded",
        description = "Loss that the agreement takes out"
    ),
    printcolumn(
        name = "Coverage",
        type_ = "string",
        json_path = ".status.headline.coverage",
        description = "Share of the service time that was observed, percent"
    ),
    printcolumn(
        name = "Verdict",
        type_ = "string",
        json_path = ".status.result",
        description = "OnTrack, AtRisk, Breached while open; Met, Missed when closed; Indeterminate"
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Open, Provisional or Closed"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Lowest",
        type_ = "string",
        json_path = ".status.headline.lowest",
        description = "Availability if all unknown time was down",
        priority = 1
    ),
    printcolumn(
        name = "Highest",
        type_ = "string",
        json_path = ".status.headline.highest",
        description = "Availability if all unknown time was up",
        priority = 1
    ),
    printcolumn(
        name = "Budget-Left",
        type_ = "string",
        json_path = ".status.headline.budgetLeft",
        description = "Error budget left, percent",
        priority = 1
    ),
    printcolumn(
        name = "Digest",
        type_ = "string",
        json_path = ".status.shortDigest",
        description = "First digits of the digest of a closed report",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "the spec of a report cannot change; it says what the report is about"),
    validation = ("!has(self.supersedes) || has(self.reason)", "reason: say why the report is corrected"),
)]
pub struct ServiceReportSpec {
    /// What the report is about.
    pub subject: Subject,
    /// The service that was measured.
    pub service_ref: LocalReference,
    /// The period it covers.
    pub period: ReportPeriod,
    /// The report that this one corrects: the same subject and period, judged anew from the same ledger. The newest
    /// correction is the figure of the period; the report before stays as it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Superseded>,
    /// Why it was made, if not by the passing of time alone: of a correction what is corrected; `Restored` if it is the
    /// first one after its agreement was made anew with the spec that was in force last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// A report that another one corrects.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Its name.
    pub name: ObjectName,
    /// Its digest, as it was closed.
    #[x_kube(validation = ("self.matches('^sha256:[0-9a-f]{64}$')", "digest: write it in full: sha256: and 64 hexadecimal digits"))]
    pub digest: String,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// Name of the subject.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Uid of the subject; an agreement made anew has another one and another line of reports.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// Kind of the subject of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubjectKind {
    /// An agreement.
    ServiceLevelAgreement,
    /// A Service without an agreement that measures the same.
    Service,
}

/// The period of a report, half-open: from `start` on, before `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportPeriod {
    /// Its key, such as 2026-11.
    #[schemars(length(max = 32))]
    pub key: String,
    /// Its first instant.
    #[schemars(length(max = 40))]
    pub start: String,
    /// The first instant after it.
    #[schemars(length(max = 40))]
    pub end: String,
    /// Zone whose midnights bound it.
    #[schemars(length(max = 64))]
    pub time_zone: String,
}

/// Phase of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The period runs.
    #[default]
    Open,
    /// The period is over, late facts may still come.
    Provisional,
    /// Frozen.
    Closed,
}

impl Phase {
    /// The word that kubectl shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Provisional => "Provisional",
            Self::Closed => "Closed",
        }
    }
}

/// What was measured.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReportStatus {
    /// Open, Provisional or Closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `OnTrack`, `AtRisk`, Breached or Indeterminate while open; Met, Missed or Indeterminate from the period's end on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The instant for which the figures were computed; of a closed report the end of its grace for late facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Up to when observation is proved; written while a source is lost, and from the period's end on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_until: Option<String>,
    /// The target of `errorBudget`, for columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// One part for each version of the agreement in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ReportPart>,
    /// The longest outages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub outages: Vec<Outage>,
    /// The outages that are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outages_omitted: Option<Omitted>,
    /// Changes, standing windows and exclusions that began, effective or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub maintenance: Vec<Maintenance>,
    /// Those that are not listed, with the loss inside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_omitted: Option<Omitted>,
    /// Spans without observation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub gaps: Vec<Gap>,
    /// The gaps that are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps_omitted: Option<Omitted>,
    /// Rules other than the agreement that changed within the period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub rules_changed: Vec<RuleChange>,
    /// How many earlier ones are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rules_changed_omitted: u32,
    /// What was summed up to keep the ledger small; figures never change by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_up: Option<RolledUp>,
    /// Digests of all inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<ReportInputs>,
    /// The states of the period, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// Digest of the report closed before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<String>,
    /// Digest of this report, set when closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its first digits, for columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_digest: Option<String>,
    /// Conditions, one of each type; outside the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A span of the period that one version of the agreement judges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportPart {
    /// First instant.
    pub from: String,
    /// First instant after it.
    pub to: String,
    /// Digest of the terms in force.
    pub terms_digest: String,
    /// Figures of each target.
    pub targets: Vec<TargetFigures>,
}

/// The states of a period: what figures are computed from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Rises with each write of the ledger.
    pub sequence: i64,
    /// Leadership under which it was written last.
    pub epoch: i64,
    /// One line a target, those of earlier parts included.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["target".into()]))]
    #[schemars(length(max = 32))]
    pub lines: Vec<LedgerLine>,
    /// The newest steps of the API server's clock, which all instants are taken from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub clock_steps: Vec<ClockStep>,
    /// How many earlier ones are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_steps_omitted: u32,
}

/// The states that one target saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerLine {
    /// Name of the target.
    pub target: String,
    /// `<instant> <state> <source> <component or -> <reason or ->`, each in force until the next; where an outage began
    /// as a node was lost, ` lag=<ms>` says how long before the node had fallen silent.
    #[schemars(length(max = 400), inner(length(max = 192)))]
    pub entries: Vec<String>,
    /// Spans in which the time of each state was put together to keep the ledger small:
    /// `<from> <to> <hour, day or weeks> outages=… outagesMs=… longestMs=… short=… shortMs=… gaps=… gapsMs=…
    /// longestGapMs=… entries=…`, zeros left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 516), inner(length(max = 256)))]
    pub rolled: Vec<String>,
}
