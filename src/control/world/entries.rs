//! What the world keeps of each object: validated rules and records, not YAML.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::agreement::AgreementType;
use crate::api::report::{ReportPeriod, Subject as ReportSubject, Superseded};
use crate::api::service::{Criticality, Stage};
use crate::api::values::LocalReference;
use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};
use crate::control::record::Record;
use crate::control::subject::Writing;
use crate::control::versions::Seen;
use crate::domain::accounting::Verdict;
use crate::domain::agreement::Terms;
use crate::domain::service::ServiceRules;
use crate::domain::time::Instant;
use crate::domain::tracker::ServiceTracker;
use crate::domain::version::Versions;
use crate::domain::violation::Violation;
use crate::observe::facts::Metadata;

/// What is kept of a Service.
#[derive(Debug)]
pub struct ServiceEntry {
    /// Its uid.
    pub uid: Box<str>,
    /// Version of its spec.
    pub generation: i64,
    /// When its watch showed it last.
    pub seen_at: Option<Instant>,
    /// When it was created.
    pub created: Instant,
    /// Its stage.
    pub stage: Stage,
    /// Its criticality.
    pub criticality: Criticality,
    /// Namespaces that may refer to it.
    pub shared_with: Vec<Box<str>>,
    /// What is wrong with the newest spec; the last valid one stays in use.
    pub problems: Vec<Violation>,
    /// Versions of the rules; empty if none was ever valid.
    pub versions: Versions<ServiceRules>,
    /// Its members; none if no spec was ever valid.
    pub tracker: Option<ServiceTracker>,
    /// Its own record.
    pub record: Record,
    /// The dependency cycle it is part of, if any.
    pub cycle: Vec<Arc<str>>,
    /// Its status.
    pub writing: Writing,
}

impl ServiceEntry {
    /// Whether objects of a namespace other than its own may refer to it.
    pub fn is_shared_with(&self, namespace: &str) -> bool {
        self.shared_with.iter().any(|name| **name == *"*" || **name == *namespace)
    }
}

/// What is kept of an agreement.
#[derive(Debug)]
pub struct AgreementEntry {
    /// Its uid.
    pub uid: Box<str>,
    /// Version of its spec.
    pub generation: i64,
    /// When its watch showed it last.
    pub seen_at: Option<Instant>,
    /// Its type.
    pub kind: AgreementType,
    /// An amendment that is refused until the running report has room for another part.
    pub waiting: Option<Seen<Terms>>,
    /// What is wrong with the newest spec; the last valid one stays in use.
    pub problems: Vec<Violation>,
    /// Whether it was made anew with the spec that was in force last.
    pub is_restored: bool,
    /// Its record; none if no spec was ever valid.
    pub record: Option<Record>,
    /// The terms by which what it names looks for it.
    pub entered: Option<Arc<Terms>>,
    /// Its verdict as planned last.
    pub verdict: Option<Verdict>,
    /// Whether it was planned at all, so that its verdict is known as far as it can be.
    pub planned: bool,
    /// When the next standing window begins or ends, as planned last.
    pub window_edge: Option<Instant>,
    /// Its status.
    pub writing: Writing,
}

/// What is kept of a calendar.
#[derive(Debug)]
pub struct CalendarEntry {
    /// Its uid.
    pub uid: Box<str>,
    /// Version of its spec.
    pub generation: i64,
    /// When its watch showed it last.
    pub seen_at: Option<Instant>,
    /// Its spec, to be read again when a calendar it takes holidays from changes.
    pub spec: Arc<ServiceCalendarSpec>,
    /// What is wrong with the newest spec; the last valid one stays in use.
    pub problems: Vec<Violation>,
    /// Calendars it takes holidays from that do not exist.
    pub missing: Vec<Box<str>>,
    /// Its status.
    pub writing: Writing,
}

/// A Service as the watch shows it.
#[derive(Deserialize)]
pub struct SeenService {
    pub metadata: Metadata,
    pub spec: ServiceSpec,
    #[serde(default)]
    pub status: Option<crate::api::ServiceStatus>,
}

/// An agreement as the watch shows it.
#[derive(Deserialize)]
pub struct SeenAgreement {
    pub metadata: Metadata,
    pub spec: ServiceLevelAgreementSpec,
    #[serde(default)]
    pub status: Option<crate::api::ServiceLevelAgreementStatus>,
}

/// A calendar as the watch shows it.
#[derive(Deserialize)]
pub struct SeenCalendar {
    pub metadata: Metadata,
    pub spec: ServiceCalendarSpec,
    #[serde(default)]
    pub status: Option<crate::api::ServiceCalendarStatus>,
}

/// A report as the watch shows it.
#[derive(Deserialize)]
pub struct SeenReport {
    pub metadata: Metadata,
    /// Read later: its digest covers the text.
    pub spec: Box<RawValue>,
    #[serde(default)]
    pub status: Option<crate::api::ServiceReportStatus>,
}

/// The spec of a report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenReportSpec {
    pub subject: ReportSubject,
    #[allow(dead_code)]
    pub service_ref: LocalReference,
    pub period: ReportPeriod,
    #[serde(default)]
    pub supersedes: Option<Superseded>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// What is remembered of conditions that a watch shows.
pub fn remember(conditions: Option<&[Condition]>) -> Vec<crate::domain::conditions::Remembered> {
    conditions.map(crate::domain::conditions::Remembered::from_conditions).unwrap_or_default()
}
