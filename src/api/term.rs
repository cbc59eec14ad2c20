//! The term of an agreement.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::values::{CalendarSpanText, DateOrInstant};

/// From when until when an agreement holds. Outside its term nothing elapses.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.effectiveFrom) || !has(self.expires) || self.effectiveFrom.size() < 10 || self.expires.size() < 10 || self.effectiveFrom.substring(0, 10) <= self.expires.substring(0, 10)", "expires lies before effectiveFrom; swap or correct them")
)]
pub struct Term {
    /// First day in force, or an instant. Default: creation of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<DateOrInstant>,
    /// Last day in force, or the instant at which it ends. Default: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateOrInstant>,
    /// How often the parties look at the agreement anew, as a calendar span such as P6M: counted from its beginning,
    /// and from each new version of it. Default: no review was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_every: Option<CalendarSpanText>,
}
