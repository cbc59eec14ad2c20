//! [`ServiceLevelAgreement`]: what two parties agreed about one Service.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::maintenance::{ExclusionCause, MaintenanceWindow, PlannedMaintenance};
pub use super::target::{Method, Probe, Readiness, Target, TargetKind};
use super::term::Term;
use super::values::{DurationText, LocalReference, PartName, Percent, SharedReference, TimeZoneName};

/// What two parties agreed about one Service: targets, service hours, period. One object is one agreement; its versions
/// are its specs over time, and each part of a period is judged by the version in force then.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "assize.dev",
    version = "v1alpha1",
    kind = "ServiceLevelAgreement",
    plural = "servicelevelagreements",
    namespaced,
    status = "ServiceLevelAgreementStatus",
    derive = "PartialEq",
    shortname = "sla",
    category = "itsm",
    doc = "What two parties agreed about one Service: targets, service hours, period. One object is one agreement; its versions are its specs over time, and each part of a period is judged by the version in force then. Short name: sla.",
    selectable = ".status.type",
    selectable = ".spec.serviceRef.name",
    validation = Rule::new("self.metadata.name.size() <= 48").message("metadata.name is a label value and a part of report names: use at most 48 characters"),
    validation = Rule::new("!self.metadata.name.startsWith('its-')").message("metadata.name: names that begin with its- belong to the reports of Services; choose another"),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.serviceRef.name", description = "The service it is about"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.headline.objective", description = "Objective of the headline target, percent"),
    printcolumn(name = "Actual", type_ = "string", json_path = ".status.headline.actual", description = "Measured availability in the period so far, percent, truncated"),
    printcolumn(name = "Budget-Left", type_ = "string", json_path = ".status.headline.budgetLeft", description = "Error budget left, percent; negative when overspent"),
    printcolumn(name = "Coverage", type_ = "string", json_path = ".status.coverage", description = "Share of the service time that was observed, percent"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "Worst verdict of the contractual targets"),
    printcolumn(name = "Period", type_ = "string", json_path = ".status.period.key", description = "Running reporting period"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Type", type_ = "string", json_path = ".status.type", description = "With a customer, an internal team or a supplier", priority = 1),
    printcolumn(name = "Customer", type_ = "string", json_path = ".spec.customer.name", description = "Who receives the service", priority = 1),
    printcolumn(name = "Lowest", type_ = "string", json_path = ".status.headline.lowest", description = "Availability if all unknown time was down", priority = 1),
    printcolumn(name = "Highest", type_ = "string", json_path = ".status.headline.highest", description = "Availability if all unknown time was up", priority = 1),
    printcolumn(name = "Last-Verdict", type_ = "string", json_path = ".status.lastReport.verdict", description = "Verdict of the last closed period", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.term.expires", description = "Last day in force", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether Assize can do what the object asks", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.type) || self.type != 'UnderpinningContract' || self.targets.all(t, has(t.method) && t.method != 'Readiness')", "type: an UnderpinningContract cannot be measured by Readiness, which is that of your own components; use method Probe in all targets"),
    validation = ("!has(self.errorBudget) || !has(self.errorBudget.target) || self.targets.exists(t, t.name == self.errorBudget.target)", "errorBudget.target: name one of the targets"),
    validation = ("!has(self.errorBudget) || !has(self.errorBudget.target) || !self.targets.exists(t, t.name == self.errorBudget.target && !has(t.objective))", "errorBudget.target: a target without objective has no error budget; name one with an objective")
)]
pub struct ServiceLevelAgreementSpec {
    /// With a customer (`ServiceLevel`), an internal team (`OperationalLevel`) or a supplier (`UnderpinningContract`).
    /// Default: `ServiceLevel`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgreementType>,

    /// The Service, in the same namespace. Immutable.
    #[x_kube(validation = ("self == oldSelf", "serviceRef cannot change: make a new agreement"))]
    pub service_ref: LocalReference,

    /// Who receives the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<AgreementParty>,

    /// Who delivers the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<AgreementParty>,

    /// From when until when it holds. Default: from the creation of the object on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,

    /// The span that one report covers. Default: calendar months in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporting_period: Option<ReportingPeriod>,

    /// The agreed time in which the service is measured. Default: round the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_hours: Option<ServiceHours>,

    /// Which announced maintenance is taken out of the figures. Default: that of approved changes, with 72h of notice,
    /// 4h a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_maintenance: Option<PlannedMaintenance>,

    /// Causes of loss that both parties may agree to take out of the figures afterwards. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exclusions: Vec<ExclusionCause>,

    /// What time without observation counts as, and how much of it a verdict bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<Unmeasured>,

    /// What was agreed, one line a target.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<Target>,

    /// The target whose error budget is shown, and when its use is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_budget: Option<ErrorBudget>,

    /// Agreements that this one rests on. Those of another namespace need `sharedWith` on their Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub underpinned_by: Vec<SharedReference>,

    /// Who does what for the agreement to hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub responsibilities: Vec<Responsibility>,
}

/// Kind of an agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AgreementType {
    /// With a customer.
    #[default]
    ServiceLevel,
    /// With an internal team.
    OperationalLevel,
    /// With an external supplier.
    UnderpinningContract,
}

/// One side of an agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgreementParty {
    /// Name of the party.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
}

/// The span that one report covers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.days) == (has(self.kind) && self.kind == 'Rolling')", "days: set it with kind Rolling, and only then")
)]
pub struct ReportingPeriod {
    /// Default: `CalendarMonth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PeriodKind>,
    /// Length of a Rolling period in days of 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 366))]
    pub days: Option<u32>,
    /// Zone whose midnights bound the period. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZoneName>,
    /// How long after its end a period still takes late facts, before its report is closed. Default: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_data_grace: Option<DurationText>,
}

/// Kind of a reporting period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PeriodKind {
    /// Monday to Monday.
    CalendarWeek,
    /// The 1st to the 1st.
    #[default]
    CalendarMonth,
    /// From 1 January, April, July or October.
    CalendarQuarter,
    /// From 1 January.
    CalendarYear,
    /// The last `days` days, judged at each month's end.
    Rolling,
}

/// The agreed time in which a service is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceHours {
    /// Name of a `ServiceCalendar`.
    pub calendar: super::values::ObjectName,
}

/// What time without observation counts as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unmeasured {
    /// `Exclude` leaves it out of the figure, `Down` counts it as lost. It never counts as up. Default: `Exclude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treat_as: Option<TreatAs>,
    /// With less of the service time observed the verdict is Indeterminate. Percent. Default: "99".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<Percent>,
}

/// What unknown time counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TreatAs {
    /// Left out of the figure.
    #[default]
    Exclude,
    /// Lost.
    Down,
}

/// The target whose error budget is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudget {
    /// Name of the target. Default: the first contractual one with an objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PartName>,
    /// Share of the budget spent from which the state is `AtRisk`, percent. Default: "75".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<Percent>,
    /// Share of the budget spent from which `BudgetAvailable` is False, percent. Default: "100".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_at: Option<Percent>,
}

/// What one side does for the agreement to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Responsibility {
    /// Which side.
    pub party: Party,
    /// What it does.
    #[schemars(length(min = 1, max = 1024))]
    pub text: String,
}

/// A side of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Party {
    /// Who receives the service.
    Customer,
    /// Who delivers it.
    Provider,
}

/// What Assize measured for an agreement. Derived: it may be deleted and is rebuilt.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevelAgreementStatus {
    /// The type in force.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgreementType>,
    /// Worst verdict of the contractual targets: `OnTrack`, `AtRisk`, Indeterminate or Breached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The measured state of the headline target now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<CurrentState>,
    /// The version by which things are judged now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// The running reporting period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodStatus>,
    /// The target of `errorBudget`, for columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// Time of the period so far by class, in milliseconds; the parts add up to `elapsed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<ClassTimes>,
    /// The instant for which the figures were computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Up to when observation is proved; written only while a source is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_until: Option<String>,
    /// Share of the service time that was observed, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<String>,
    /// Figures of each target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,
    /// The lowest promise that it rests on, with its number: `payment-gw-uc 99.5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weakest_link: Option<String>,
    /// Name of the report of the running period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_report: Option<String>,
    /// The last period that was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report: Option<LastReport>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The measured state now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CurrentState {
    /// Up, Degraded, Down or Unknown.
    pub state: super::service::State,
    /// Since when.
    pub since: String,
    /// The component that decides it; none while Up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A version of an agreement that is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// Digest of the spec.
    pub digest: String,
    /// Since when it is in force.
    pub since: String,
}

/// A reporting period, half-open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeriodStatus {
    /// Its key, such as 2026-11.
    pub key: String,
    /// Its first instant.
    pub start: String,
    /// The first instant after it.
    pub end: String,
}

/// The figures of one target that kubectl shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Headline {
    /// Name of the target.
    pub name: String,
    /// Its objective, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
    /// Measured so far, percent, truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// If all unknown time was down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<String>,
    /// If all unknown time was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<String>,
    /// Error budget left, percent; negative when overspent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<String>,
    /// Down time, in whole seconds; in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Excluded time, in whole seconds; in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// Share of the service time that was observed; in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<String>,
}

/// Milliseconds by class. `outOfHours` to `up` without `service` add up to `elapsed`, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassTimes {
    /// Time of the period inside the term so far.
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
}

/// Figures of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Name of the target.
    pub name: String,
    /// Its objective, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
    /// Measured so far, percent, truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// If all unknown time was down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<String>,
    /// If all unknown time was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<String>,
    /// With nothing excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// `OnTrack`, `AtRisk`, Indeterminate or Breached.
    pub verdict: String,
    /// Whether no missing fact could change the verdict.
    pub certain: bool,
    /// Error budget of the whole period, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<i64>,
    /// Of which left, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_left_ms: Option<i64>,
    /// Of which left, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<String>,
    /// Why there is no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a Reliability target: its outages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<super::figures::ReliabilityFigures>,
}

/// The last period that was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastReport {
    /// Name of its report.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
}
