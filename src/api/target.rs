//! The targets of an agreement: what is measured, and what it must reach.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{DurationText, Objective, PartName, ProbeUrl, Share};

/// One line of an agreement: what is measured, and the number it must reach.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = ("self.kind != 'Availability' || has(self.objective)", "objective: an Availability target needs one, such as \"99.9\""),
    validation = ("self.kind != 'Availability' || has(self.method)", "method: say how availability is measured, such as Readiness"),
    validation = ("self.kind == 'Availability' || !has(self.objective)", "objective: a Reliability target has limits instead; remove it"),
    validation = ("self.kind == 'Availability' || (!has(self.method) && !has(self.readiness) && !has(self.probe))", "method, readiness, probe: only an Availability target has them; remove them"),
    validation = ("!has(self.method) || self.method != 'Probe' || has(self.probe)", "probe: method Probe needs it; write probe.url"),
    validation = ("!has(self.method) || self.method == 'Probe' || !has(self.probe)", "probe: only method Probe has it; remove it, or write method Probe"),
    validation = ("!has(self.method) || self.method == 'Readiness' || !has(self.readiness)", "readiness: only method Readiness has it; remove it"),
    validation = ("self.kind != 'Reliability' || has(self.maxOutages) || has(self.maxSingleOutage) || has(self.maxMTRS)", "a Reliability target needs maxOutages, maxSingleOutage or maxMTRS, at least one"),
    validation = ("self.kind == 'Reliability' || (!has(self.maxOutages) && !has(self.maxSingleOutage) && !has(self.maxMTRS))", "maxOutages, maxSingleOutage, maxMTRS: only a Reliability target has them; remove them")
)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name inside the agreement.
    pub name: PartName,
    /// What is agreed.
    pub kind: TargetKind,
    /// Whether it is part of the verdict. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contractual: Option<bool>,
    /// The number to reach, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// How it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Details of the method `Readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Readiness>,
    /// Details of the method `Probe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Of a Reliability target: the most outages in a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub max_outages: Option<u32>,
    /// Of a Reliability target: the longest that one outage may count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_single_outage: Option<DurationText>,
    /// Of a Reliability target: the longest mean time to restore service, over the outages that ended.
    #[serde(default, rename = "maxMTRS", skip_serializing_if = "Option::is_none")]
    pub max_mtrs: Option<DurationText>,
}

/// What a target agrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// Share of the agreed time in which the service was up.
    #[default]
    Availability,
    /// How often the service fails, and for how long.
    Reliability,
}

/// How availability is measured. The operator tries no addresses yet: to it all time of `Probe` is unknown, only
/// `assize replay` judges tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// Enough endpoints, replicas or Pods are ready.
    #[default]
    Readiness,
    /// Tries of an address succeed.
    Probe,
}

/// Details of the method `Readiness`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The components that are measured, each taken as critical. Default: the state of the Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub components: Vec<PartName>,
    /// Share of Degraded time that counts as down, from "0" to "1". Default: "0".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_counts: Option<Share>,
    /// A shorter Down interval counts as Up and is reported apart. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_outage: Option<DurationText>,
}

/// Details of the method `Probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The address that is tried: `https://` or `http://`, where status 200 to 399 is a success, or `tcp://host:port`,
    /// where a connection is.
    pub url: ProbeUrl,
    /// From the start of one try to that of the next, 1s to 1h. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<DurationText>,
    /// A try without an answer by then failed; at least 1ms, at most the interval. Default: 5s, or a shorter interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// So many failed tries in a row are Down, from the first of them. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub fail_after: Option<u32>,
    /// So many successes in a row are Up again, from the first of them. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub recover_after: Option<u32>,
}
