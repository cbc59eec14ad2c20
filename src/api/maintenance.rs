//! Which loss an agreement takes out of its figures: announced maintenance, and causes agreed afterwards.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{DurationText, ObjectName, PartName};

/// Which announced maintenance is taken out of the figures. Only loss inside it is: idle time stays up, blind time
/// unknown.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedMaintenance {
    /// Whether loss inside announced maintenance is taken out of the figures. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<bool>,
    /// How long before its start a change must be approved and told; later, none of its window counts. Default: 72h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notice: Option<DurationText>,
    /// How much loss maintenance takes out of the figures in one period at most. Default: 4h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_period: Option<DurationText>,
    /// Standing windows: named windows of calendars, besides approved changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["calendar".into(), "name".into()]))]
    pub windows: Vec<MaintenanceWindow>,
}

/// A named window of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MaintenanceWindow {
    /// Name of a calendar.
    pub calendar: ObjectName,
    /// Name of one of its windows.
    pub name: PartName,
}

/// A cause of loss that both parties may agree to take out of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExclusionCause {
    /// The customer caused it.
    CustomerCaused,
    /// Nobody could have prevented it.
    ForceMajeure,
}
