//! [`Service`]: a service as its owner and its customers see it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{HttpsUrl, ObjectName, PartName, ReadyThreshold, SharedReference};

/// A service as its owner and its customers see it: the components that decide whether it is up, and what it depends
/// on. One Service and nothing else gives AVAILABLE and the availability of the last 30 days.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "assize.dev",
    version = "v1alpha1",
    kind = "Service",
    namespaced,
    status = "ServiceStatus",
    derive = "PartialEq",
    shortname = "its",
    category = "itsm",
    doc = "A service as its owner and its customers see it: the components that decide whether it is up, and what it depends on. One Service and nothing else gives AVAILABLE and the availability of the last 30 days. Short name: its.",
    selectable = ".status.stage",
    selectable = ".status.criticality",
    validation = Rule::new("self.metadata.name.size() <= 48").message("metadata.name is a label value and a part of derived names: use at most 48 characters"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage", description = "Stage of life"),
    printcolumn(name = "Criticality", type_ = "string", json_path = ".status.criticality", description = "What its loss means"),
    printcolumn(name = "Available", type_ = "string", json_path = ".status.availability.state", description = "Up, Degraded, Down or Unknown, now"),
    printcolumn(name = "Avail-30d", type_ = "string", json_path = ".status.availability.ratio30d", description = "Measured availability of the last 30 days, percent, truncated"),
    printcolumn(name = "SLA", type_ = "string", json_path = ".status.agreements.worst", description = "Worst state of its agreements"),
    printcolumn(name = "Last-Change", type_ = "string", json_path = ".status.lastChange.name", description = "The change that went live last"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Coverage-30d", type_ = "string", json_path = ".status.availability.coverage30d", description = "Share of the last 30 days that was observed, percent", priority = 1),
    printcolumn(name = "Headroom", type_ = "string", json_path = ".status.headroom", description = "Lowest capacity headroom, percent", priority = 1),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner.group", description = "Group that owns it", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether Assize can do what the object asks", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(oldSelf.stage) || oldSelf.stage != 'Retired' || (has(self.stage) && self.stage == 'Retired')", "stage: a retired service stays Retired; make a new Service"),
    validation = ("!has(self.dependencies) || self.dependencies.all(d, !self.components.exists(c, c.name == d.name))", "dependencies: one has the name of a component, and groups tell members by name; rename one")
)]
pub struct ServiceSpec {
    /// Name in the catalogue and in reports. Default: metadata.name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// What the service is, for its customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,

    /// What the service is worth to its customers, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,

    /// Stage of life. Only `InTransition`, `Live` and `Retiring` are measured. Default: `Live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,

    /// What the loss of the service means. Default: `Medium`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,

    /// Who answers for the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,

    /// Who receives the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub customers: Vec<Customer>,

    /// The parts that deliver the service; the critical ones decide its state.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<Component>,

    /// Groups of components and dependencies of which only some are needed; each group counts as one critical member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub redundancy: Vec<Redundancy>,

    /// What the service needs of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub dependencies: Vec<Dependency>,

    /// Runbooks and documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub links: Vec<Link>,

    /// Namespaces whose objects may refer to this Service; `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    pub shared_with: Vec<String>,
}

/// Stage in the life of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    /// Asked for.
    Proposed,
    /// Designed, not built.
    Designed,
    /// Being built or handed over; measured.
    InTransition,
    /// In use; measured.
    #[default]
    Live,
    /// On its way out; measured.
    Retiring,
    /// Gone.
    Retired,
}

impl Stage {
    /// Whether time in this stage is measured.
    pub fn is_measured(self) -> bool {
        matches!(self, Self::InTransition | Self::Live | Self::Retiring)
    }
}

/// What the loss of a service means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Criticality {
    /// The organisation stops.
    Vital,
    /// Customers notice at once.
    High,
    /// Some notice, work goes on.
    #[default]
    Medium,
    /// Nobody waits for it.
    Low,
}

/// Who answers for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub name: Option<String>,
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub group: Option<String>,
    /// How to reach them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub contact: Option<String>,
}

/// Who receives a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Customer {
    /// Name of the customer.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
}

/// A workload or set of endpoints that is part of a service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.workloadRef) || has(self.endpointsOf) || has(self.selector)", "say what to measure: set endpointsOf, workloadRef or selector"),
    validation = ("has(self.workloadRef) || !has(self.minReady) || type(self.minReady) == int", "minReady: a percentage is of the wanted replicas, so it needs workloadRef; write a number or add workloadRef"),
    validation = ("has(self.workloadRef) || !has(self.degradedBelow) || type(self.degradedBelow) == int", "degradedBelow: a percentage is of the wanted replicas, so it needs workloadRef; write a number or add workloadRef"),
    validation = ("!has(self.selector) || (has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0) || (has(self.selector.matchExpressions) && self.selector.matchExpressions.size() > 0)", "selector: an empty selector matches every Pod; add matchLabels or matchExpressions")
)]
pub struct Component {
    /// Name inside the Service.
    pub name: PartName,

    /// Whether the state of the Service follows this component. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,

    /// The workload: its wanted replicas are the basis of percentages, and the measure where `endpointsOf` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_ref: Option<WorkloadReference>,

    /// A core Service (`kubectl get svc`) whose `EndpointSlices` are the measure: what traffic really reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_of: Option<ObjectName>,

    /// Pods by label; Pods with Ready=True are counted. Used where neither of the two above is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,

    /// Fewer ready than this: Down. A number, or a percentage of the wanted replicas rounded up. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ready: Option<ReadyThreshold>,

    /// Fewer ready than this, but at least `minReady`: Degraded. Default: never Degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_below: Option<ReadyThreshold>,

    /// Whether a workload scaled to 0 is Up (reason `Idle`) and not Down. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_at_zero: Option<bool>,

    /// Whether endpoints that terminate but still serve count while no other is ready, as kube-proxy does (`Serving`),
    /// or never (`Ignore`). Default: `Serving`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminating: Option<Terminating>,
}

/// A workload of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReference {
    /// Default: `apps/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<WorkloadApiVersion>,
    /// Kind of the workload.
    pub kind: WorkloadKind,
    /// Name of the workload.
    pub name: ObjectName,
}

/// The API of the workloads that are read directly; others are measured through `endpointsOf` or `selector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadApiVersion {
    /// The built-in workloads.
    #[serde(rename = "apps/v1")]
    AppsV1,
}

/// Kinds of workloads that are read directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// A `DaemonSet`.
    DaemonSet,
}

/// What endpoints count for that terminate but still serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Terminating {
    /// They count while no endpoint is ready.
    #[default]
    Serving,
    /// They never count.
    Ignore,
}

/// A group of members of which only some are needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redundancy {
    /// Name of the group.
    pub name: PartName,
    /// Names of components or dependencies.
    #[schemars(length(min = 1, max = 32))]
    pub members: Vec<PartName>,
    /// How many of them are needed.
    #[schemars(range(min = 1, max = 32))]
    pub need: u32,
}

/// Something that the service needs of others.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = ("has(self.service) != has(self.external)", "set exactly one of service and external")
)]
pub struct Dependency {
    /// Name inside the Service.
    pub name: PartName,
    /// A Service of Assize. One of another namespace needs `sharedWith` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<SharedReference>,
    /// A party outside the cluster, in words; shown, and Unknown while nothing measures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub external: Option<String>,
    /// Whether the state of the Service follows it. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// The agreement on it. One of another namespace needs `sharedWith` on its Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<SharedReference>,
}

/// A document about the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// What it is.
    #[schemars(length(min = 1, max = 128))]
    pub title: String,
    /// Where it is.
    pub url: HttpsUrl,
}

/// State of a component or a service, independent of calendars and contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Enough is ready.
    Up,
    /// Below the wanted capacity, but above the agreed minimum.
    Degraded,
    /// Below the agreed minimum.
    Down,
    /// Not proved.
    #[default]
    Unknown,
}

impl State {
    /// The word that kubectl shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Degraded => "Degraded",
            Self::Down => "Down",
            Self::Unknown => "Unknown",
        }
    }
}

/// What Assize observed of a Service. Derived: it may be deleted and is rebuilt.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// The stage in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The criticality in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// The instant for which the figures were computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// State now, and the last 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<AvailabilityStatus>,
    /// State of each component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentStatus>,
    /// State of each dependency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub dependencies: Vec<DependencyStatus>,
    /// The agreements about this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreements: Option<AgreementsStatus>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Availability of a service, now and over the last 30 days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityStatus {
    /// State now.
    pub state: State,
    /// Since when it has that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Share of the observed time of the last 30 days in which it was up, percent, truncated.
    #[serde(default, rename = "ratio30d", skip_serializing_if = "Option::is_none")]
    pub ratio_30d: Option<String>,
    /// Share of the last 30 days that was observed, percent.
    #[serde(default, rename = "coverage30d", skip_serializing_if = "Option::is_none")]
    pub coverage_30d: Option<String>,
    /// Availability if all unknown time was down.
    #[serde(default, rename = "lowest30d", skip_serializing_if = "Option::is_none")]
    pub lowest_30d: Option<String>,
    /// Availability if all unknown time was up.
    #[serde(default, rename = "highest30d", skip_serializing_if = "Option::is_none")]
    pub highest_30d: Option<String>,
    /// Where the measured history begins, if within the last 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_since: Option<String>,
}

/// State of one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Name of the component.
    pub name: String,
    /// State now.
    pub state: State,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
    /// How many are wanted, where a workload says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u32>,
    /// Since when it has that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// State of one dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DependencyStatus {
    /// Name of the dependency.
    pub name: String,
    /// State now.
    pub state: State,
}

/// The agreements about a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgreementsStatus {
    /// How many there are.
    pub count: u32,
    /// The worst state among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
}
