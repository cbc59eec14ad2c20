//! The lines of an event log: one JSON object each.

mod reader;

use serde_json::Value;

use crate::api::agreement::ExclusionCause;
use crate::api::service::State;
use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};
use crate::domain::capacity::Amount;
use crate::domain::duration::parse_duration_ms;
use crate::domain::inference::PodEvidence;
use crate::domain::limits::EVENT_LINE_BYTES;
use crate::domain::reason::Reason;
use crate::domain::time::Instant;

use reader::Reader;

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, from 1.
    pub line: usize,
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// So many of a component are ready, until its next line or a gap.
    Observe {
        /// The component.
        component: String,
        /// How many are ready.
        ready: u32,
        /// How many are wanted; absent: as before.
        desired: Option<u32>,
        /// `ServiceDeleted` or `WorkloadDeleted` where what delivers it is gone.
        reason: Option<Reason>,
    },
    /// A state given directly, such as of an external dependency.
    State {
        /// The component or dependency.
        component: String,
        /// Its state.
        state: State,
        /// Why.
        reason: Option<Reason>,
    },
    /// No observation in `[at, until)`.
    Gap {
        /// First instant after it.
        until: Instant,
        /// The component; absent: all.
        component: Option<String>,
        /// Why.
        reason: Option<Reason>,
    },
    /// What Pods say of a gap that ends here; also an observation.
    Pods {
        /// The component.
        component: String,
        /// How many are ready.
        ready: u32,
        /// The Pods, and whether their core Service was changed.
        evidence: PodEvidence,
    },
    /// A stored sample of the ready count, used inside gaps only.
    Backfill {
        /// The component.
        component: String,
        /// How many were ready.
        ready: u32,
        /// How many were wanted; absent: as known.
        desired: Option<u32>,
    },
    /// One try of the address of a target.
    Probe {
        /// The target.
        target: String,
        /// Whether it succeeded.
        ok: bool,
    },
    /// What was used of a limit.
    Capacity {
        /// Name of the capacity item.
        resource: String,
        /// How much was used.
        used: Amount,
        /// How much there was.
        limit: Amount,
    },
    /// A new version of the agreement.
    Agreement {
        /// Its spec.
        spec: Box<ServiceLevelAgreementSpec>,
    },
    /// A new version of the Service.
    Service {
        /// Its spec.
        spec: Box<ServiceSpec>,
    },
    /// A new version of a calendar.
    Calendar {
        /// Its name; absent: the calendar of the service hours, or the only one.
        name: Option<String>,
        /// Its spec.
        spec: Box<ServiceCalendarSpec>,
    },
    /// A change was approved.
    Change {
        /// Its name.
        name: String,
        /// First instant of its window.
        not_before: Instant,
        /// First instant after it.
        not_after: Instant,
        /// How much loss it announces.
        expected_outage_ms: i64,
        /// The Services it names; none: this one.
        services: Vec<String>,
        /// When stakeholders were told.
        notified_at: Option<Instant>,
    },
    /// A change was cancelled or edited.
    Cancel {
        /// Its name.
        name: String,
    },
    /// An exclusion was approved.
    Exclusion {
        /// First instant.
        from: Instant,
        /// First instant after it.
        to: Instant,
        /// Why.
        cause: ExclusionCause,
        /// Whether the customer approved it.
        by_customer: bool,
        /// Whether the provider approved it.
        by_provider: bool,
    },
}

/// Why a line was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct EventError {
    /// Its number, from 1.
    pub line: usize,
    /// The field, and what is wrong with it.
    pub message: String,
}

/// The types of this version with the fields that each takes besides `at` and `type`.
const TYPES: [(&str, &[&str]); 13] = [
    ("observe", &["component", "ready", "desired", "reason"]),
    ("state", &["component", "state", "reason"]),
    ("gap", &["until", "component", "reason"]),
    ("pods", &["component", "ready", "serviceChanged", "pods"]),
    ("backfill", &["component", "ready", "desired"]),
    ("probe", &["target", "ok"]),
    ("capacity", &["resource", "used", "limit"]),
    ("agreement", &["spec"]),
    ("service", &["spec"]),
    ("calendar", &["name", "spec"]),
    ("change", &["name", "notBefore", "notAfter", "expectedOutage", "services", "notifiedAt"]),
    ("cancel", &["name"]),
    ("exclusion", &["from", "to", "cause", "approvedBy"]),
];

/// Reads one line; none if it is blank.
pub fn parse_line(line: usize, text: &str) -> Result<Option<Event>, EventError> {
    let fail = |message: String| EventError { line, message };
    if text.trim().is_empty() {
        return Ok(None);
    }
    if text.len() > EVENT_LINE_BYTES {
        return Err(fail(format!("{} bytes; a line has at most {EVENT_LINE_BYTES}", text.len())));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| fail(format!("not a JSON object: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(fail("not a JSON object".to_owned()));
    };
    let reader = Reader { fields: &fields };
    let kind = reader.text("type").map_err(fail)?;
    let Some((_, known)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        return Err(fail(format!("type: {kind:?} is not one of {}", names.join(", "))));
    };
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str()) && *key != "at" && *key != "type") {
        return Err(fail(format!("unknown field {unknown}")));
    }
    let at = reader.instant("at").map_err(fail)?;
    let kind = read_kind(&kind, &reader).map_err(fail)?;
    Ok(Some(Event { line, at, kind }))
}

fn read_kind(kind: &str, reader: &Reader<'_>) -> Result<EventKind, String> {
    Ok(match kind {
        "observe" => EventKind::Observe {
            component: reader.text("component")?,
            ready: reader.count("ready")?.ok_or("ready: is missing")?,
            desired: reader.count("desired")?,
            reason: reader.reason()?,
        },
        "state" => EventKind::State {
            component: reader.text("component")?,
            state: match reader.text("state")?.as_str() {
                "Up" => State::Up,
                "Degraded" => State::Degraded,
                "Down" => State::Down,
                "Unknown" => State::Unknown,
                other => return Err(format!("state: {other:?} is not one of Up, Degraded, Down, Unknown")),
            },
            reason: reader.reason()?,
        },
        "gap" => EventKind::Gap {
            until: reader.instant("until")?,
            component: reader.optional_text("component")?,
            reason: reader.reason()?,
        },
        "pods" => EventKind::Pods {
            component: reader.text("component")?,
            ready: reader.count("ready")?.ok_or("ready: is missing")?,
            evidence: PodEvidence {
                pods: reader.pods()?,
                service_changed: reader.flag("serviceChanged")?.unwrap_or(false),
            },
        },
        "backfill" => EventKind::Backfill {
            component: reader.text("component")?,
            ready: reader.count("ready")?.ok_or("ready: is missing")?,
            desired: reader.count("desired")?,
        },
        "probe" => EventKind::Probe { target: reader.text("target")?, ok: reader.flag("ok")?.ok_or("ok: is missing")? },
        "capacity" => EventKind::Capacity {
            resource: reader.text("resource")?,
            used: reader.amount("used")?,
            limit: Some(reader.amount("limit")?)
                .filter(|limit| !limit.is_zero())
                .ok_or("limit: is 0, and of nothing no share is left; write a limit above 0, or leave the line out")?,
        },
        "agreement" => EventKind::Agreement { spec: reader.spec()? },
        "service" => EventKind::Service { spec: reader.spec()? },
        "change" => EventKind::Change {
            name: reader.text("name")?,
            not_before: reader.instant("notBefore")?,
            not_after: reader.instant("notAfter")?,
            expected_outage_ms: parse_duration_ms(&reader.text("expectedOutage")?)
                .map_err(|error| format!("expectedOutage: {error}"))?,
            services: reader.texts("services")?,
            notified_at: reader.optional_instant("notifiedAt")?,
        },
        "cancel" => EventKind::Cancel { name: reader.text("name")? },
        "exclusion" => read_exclusion(reader)?,
        _ => EventKind::Calendar { name: reader.optional_text("name")?, spec: reader.spec()? },
    })
}

fn read_exclusion(reader: &Reader<'_>) -> Result<EventKind, String> {
    let cause = match reader.text("cause")?.as_str() {
        "CustomerCaused" => ExclusionCause::CustomerCaused,
        "ForceMajeure" => ExclusionCause::ForceMajeure,
        other => return Err(format!("cause: {other:?} is not one of CustomerCaused, ForceMajeure")),
    };
    let parties = reader.texts("approvedBy")?;
    if let Some(other) = parties.iter().find(|party| !["customer", "provider"].contains(&party.as_str())) {
        return Err(format!("approvedBy: {other:?} is not one of customer, provider"));
    }
    let by = |party: &str| parties.iter().any(|other| other == party);
    Ok(EventKind::Exclusion {
        from: reader.instant("from")?,
        to: reader.instant("to")?,
        cause,
        by_customer: by("customer"),
        by_provider: by("provider"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m_71_errors_name_line_and_field() {
        let line = r#"{"at": "2025-11-10T10:00:00", "type": "observe", "component": "api", "ready": 3}"#;
        assert_eq!(parse_line(7, line).unwrap_err().to_string(), "line 7: at: no offset");
        let line = r#"{"at": "2025-11-10T10:00:00Z", "type": "observe", "component": "api", "raedy": 3}"#;
        assert_eq!(parse_line(9, line).unwrap_err().to_string(), "line 9: unknown field raedy");
        let line = r#"{"at": "2025-11-10T10:00:00Z", "type": "observe", "component": "api", "ready": -3}"#;
        assert_eq!(parse_line(2, line).unwrap_err().to_string(), "line 2: ready: -3 is not a whole number from 0 on");
        for (fields, message) in [
            (r#""type": "change", "name": "c""#, "notBefore: is missing"),
            (
                r#""type": "change", "name": "c", "notBefore": "2025-11-10T10:00:00Z", "notAfter": "2025-11-10T11:00:00Z", "expectedOutage": "1""#,
                "expectedOutage: not a duration, write whole numbers with the units d h m s ms in this order, like 1h30m or 250ms",
            ),
            (r#""type": "probe", "target": "door""#, "ok: is missing"),
            (r#""type": "probe", "target": "door", "ok": 1"#, "ok: 1 is neither true nor false"),
            (r#""type": "capacity", "resource": "cpu", "used": 1"#, "used: is not a string"),
            (
                r#""type": "capacity", "resource": "cpu", "used": "-1", "limit": "2""#,
                "used: \"-1\" is not a plain decimal with at most 15 digits before the point and 6 after it, such as \"1.25\"",
            ),
            (
                r#""type": "capacity", "resource": "cpu", "used": "1", "limit": "0""#,
                "limit: is 0, and of nothing no share is left; write a limit above 0, or leave the line out",
            ),
            (r#""type": "cancel""#, "name: is missing"),
            (r#""type": "exclusion", "cause": "Other""#, "cause: \"Other\" is not one of CustomerCaused, ForceMajeure"),
            (
                r#""type": "exclusion", "cause": "ForceMajeure", "approvedBy": ["them"]"#,
                "approvedBy: \"them\" is not one of customer, provider",
            ),
            (r#""type": "exclusion", "cause": "ForceMajeure", "approvedBy": "customer""#, "approvedBy: is not a list"),
        ] {
            let line = format!(r#"{{"at": "2025-11-10T10:00:00Z", {fields}}}"#);
            assert_eq!(parse_line(3, &line).unwrap_err().to_string(), format!("line 3: {message}"));
        }
        assert!(parse_line(1, "[1]").unwrap_err().to_string().starts_with("line 1: not a JSON object"));
        assert!(parse_line(1, "  ").unwrap().is_none());
    }
}
