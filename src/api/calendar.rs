//! [`ServiceCalendar`]: hours, holidays and named windows in one time zone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{DateText, DurationText, LocalTime, ObjectName, PartName, RecurrenceRule, TimeOfDay, TimeZoneName};

/// Hours, holidays and named windows in one time zone. Agreements use it for their service hours.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "assize.dev",
    version = "v1alpha1",
    kind = "ServiceCalendar",
    status = "ServiceCalendarStatus",
    derive = "PartialEq",
    shortname = "scal",
    category = "itsm",
    doc = "Hours, holidays and named windows in one time zone. Agreements use it for their service hours. Short name: scal.",
    printcolumn(
        name = "Time-Zone",
        type_ = "string",
        json_path = ".spec.timeZone",
        description = "Zone of all its local times"
    ),
    printcolumn(
        name = "Open",
        type_ = "boolean",
        json_path = ".status.openNow",
        description = "Whether it is open now"
    ),
    printcolumn(
        name = "Next-Change",
        type_ = "string",
        json_path = ".status.nextChange",
        description = "When it opens or closes next"
    ),
    printcolumn(
        name = "Active-Window",
        type_ = "string",
        json_path = ".status.windows[?(@.active==true)].name",
        description = "Window that is running"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Windows",
        type_ = "integer",
        json_path = ".status.windowCount",
        description = "Number of windows",
        priority = 1
    ),
    printcolumn(
        name = "Holidays",
        type_ = "integer",
        json_path = ".status.holidayCount",
        description = "Number of holidays",
        priority = 1
    ),
    printcolumn(
        name = "Used-By",
        type_ = "integer",
        json_path = ".status.usedBy.agreements",
        description = "Number of agreements that use it",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether Assize can do what the object asks",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 200").message("metadata.name is a part of the names of version records: use at most 200 characters")
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCalendarSpec {
    /// Zone of all local times here, an IANA name such as Europe/Berlin.
    pub time_zone: TimeZoneName,

    /// Opening hours, one row for some days; rows add up. Default: always open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 21))]
    pub weekly: Option<Vec<WeeklyHours>>,

    /// Local days without hours, or with the hours given here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 366))]
    pub holidays: Vec<Holiday>,

    /// Calendars whose holidays count too; one level, no chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub holidays_from: Vec<ObjectName>,

    /// Named windows: a local start and an exact duration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub windows: Vec<Window>,
}

/// Hours on some days of the week.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("self.from != self.to", "from and to are equal: for the whole day write from \"00:00\" to \"24:00\""))]
pub struct WeeklyHours {
    /// The days on which the hours start.
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// First local time in hours.
    pub from: TimeOfDay,
    /// First local time out of hours; before `from` it lies on the next day.
    pub to: TimeOfDay,
}

/// Day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A local day without hours, or with other ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holiday {
    /// What it is called.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The day; with `rrule` the first one.
    pub date: DateText,
    /// How it recurs, such as FREQ=YEARLY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrule: Option<RecurrenceRule>,
    /// Hours on this day. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<HolidayHours>,
}

/// Hours of a holiday.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("self.from != self.to", "from and to are equal: for the whole day write from \"00:00\" to \"24:00\""))]
pub struct HolidayHours {
    /// First local time in hours.
    pub from: TimeOfDay,
    /// First local time out of hours; before `from` it lies on the next day.
    pub to: TimeOfDay,
}

/// A named window: a local start and an exact duration.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("self.name != 'holidays'", "name: holidays is reserved for the calendar's holidays; choose another"))]
pub struct Window {
    /// Name of the window.
    pub name: PartName,
    /// Local start of the first occurrence. One that a clock change skips moves forward; a doubled one is the first.
    pub start: LocalTime,
    /// Elapsed time from the start, from 1m to 31d; 2h stays 2h when clocks change.
    pub duration: DurationText,
    /// How it recurs. Default: it happens once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrule: Option<RecurrenceRule>,
    /// Local starts that do not happen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub exdates: Vec<LocalTime>,
    /// Local starts that happen besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rdates: Vec<LocalTime>,
}

/// What the calendar says now. Derived; written when something opens or closes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCalendarStatus {
    /// Whether it is open now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_now: Option<bool>,
    /// When it opens or closes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change: Option<String>,
    /// The windows: running, and when next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub windows: Vec<WindowStatus>,
    /// How many windows it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_count: Option<i64>,
    /// How many holidays it lists, those of other calendars included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holiday_count: Option<i64>,
    /// Who uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<UsedBy>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One window, now and next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowStatus {
    /// Name of the window.
    pub name: String,
    /// Whether it is running.
    pub active: bool,
    /// Start of the running or next occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start: Option<String>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_end: Option<String>,
}

/// Who uses a calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsedBy {
    /// Number of agreements.
    pub agreements: u32,
}
