//! One report as it is stored: what it says of itself.

use serde_json::Value;

use crate::api::report::{Phase, ServiceReportSpec, ServiceReportStatus, SubjectKind};
use crate::domain::digest::{self, Identity};
use crate::domain::period::PeriodKey;
use crate::domain::time::Instant;
use crate::domain::zone::zone_named;

use super::Problem;

/// A report, read.
pub struct Record<'a> {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The whole object as it is stored.
    pub value: &'a Value,
    /// Its spec.
    pub spec: ServiceReportSpec,
    /// Its status; empty if it has none.
    pub status: ServiceReportStatus,
    /// First instant of its period.
    pub start: Instant,
    /// First instant after it.
    pub end: Instant,
    /// Its key, if that is one.
    pub key: Option<PeriodKey>,
}

impl Record<'_> {
    /// Whether it is closed, or claims a part of being so.
    pub fn is_closed(&self) -> bool {
        self.status.phase == Some(Phase::Closed) || self.status.digest.is_some()
    }

    /// Whether it corrects another report.
    pub fn is_correction(&self) -> bool {
        self.spec.supersedes.is_some()
    }

    /// What sorts reports by their periods.
    pub fn order(&self) -> (Instant, &str) {
        (self.start, &self.name)
    }

    /// Whether both periods are of one kind and zone.
    pub fn is_cut_like(&self, other: &Self) -> bool {
        let kind = |record: &Self| record.key.map(|key| key.kind());
        kind(self) == kind(other) && self.spec.period.time_zone == other.spec.period.time_zone
    }

    /// Something wrong with it.
    pub fn problem(&self, field: &str, message: String) -> Problem {
        Problem { report: format!("{}/{}", self.namespace, self.name), field: field.to_owned(), message }
    }
}

/// Reads a report.
pub fn read(value: &Value) -> Result<Record<'_>, Problem> {
    let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    let namespace = Some(text("namespace")).filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned());
    let name = text("name");
    let wrong = |field: &str, message: String| Problem {
        report: format!("{namespace}/{name}"),
        field: field.to_owned(),
        message,
    };
    let spec: ServiceReportSpec = serde_json::from_value(value["spec"].clone())
        .map_err(|error| wrong("spec", format!("cannot be read: {error}")))?;
    let status: ServiceReportStatus = match &value["status"] {
        Value::Null => ServiceReportStatus::default(),
        status => serde_json::from_value(status.clone())
            .map_err(|error| wrong("status", format!("cannot be read: {error}")))?,
    };
    let instant = |text: &str, field: &str| {
        Instant::parse(text).map_err(|error| wrong(field, format!("{text:?} is no instant: {error}")))
    };
    let start = instant(&spec.period.start, "spec.period.start")?;
    let end = instant(&spec.period.end, "spec.period.end")?;
    let key = PeriodKey::parse(&spec.period.key).ok();
    Ok(Record { namespace, name, value, spec, status, start, end, key })
}

/// Whether two objects hold the same evidence.
pub fn says_the_same(one: &Value, other: &Value) -> bool {
    one["spec"] == other["spec"] && one["status"] == other["status"]
}

/// Checks what one closed report shows by itself.
pub fn check(record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    check_digest(record, add);
    check_names(record, add);
    check_period(record, add);
}

fn check_digest(record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    let phase = record.status.phase.map_or("nothing", Phase::as_str);
    let Some(written) = &record.status.digest else {
        add("status.digest", "is missing, although the report is closed".to_owned());
        return;
    };
    if record.status.phase != Some(Phase::Closed) {
        add("status.phase", format!("is {phase}, although the report has a digest; only a closed report has one"));
    }
    let identity = Identity { kind: "ServiceReport", namespace: Some(&record.namespace), name: &record.name };
    let computed = digest::of_report(identity, &record.value["spec"], &record.value["status"]);
    if computed != *written {
        add("status.digest", format!("the contents have {computed}: they were changed after the report was closed"));
    }
    let short = digest::short(written);
    if record.status.short_digest.as_ref() != Some(&short) {
        add("status.shortDigest", format!("is not {short}, the beginning of the digest"));
    }
}

/// A report is found by its name and labels: both follow from what it is about.
fn check_names(record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    let subject = &record.spec.subject;
    let key = record.spec.period.key.to_lowercase();
    let prefix = if subject.kind == SubjectKind::Service { "its-" } else { "" };
    let plain = format!("{prefix}{}-{key}", subject.name);
    let rest = record.name.strip_prefix(&plain);
    let uid = digest::of_value(&Value::String(subject.uid.clone()));
    let own = format!("-{}", &uid["sha256:".len().."sha256:".len() + 5]);
    // How the name of a correction goes on is checked against that of the report before it.
    let is_known = record.is_correction() || rest.is_some_and(|rest| rest.is_empty() || *rest == own);
    if !is_known {
        add("metadata.name", format!("does not fit its subject and period; it would be {plain}"));
    }
    let labels = &record.value["metadata"]["labels"];
    let mut wanted = vec![
        ("assize.dev/service", record.spec.service_ref.name.to_string()),
        ("assize.dev/period", record.spec.period.key.clone()),
    ];
    if subject.kind == SubjectKind::ServiceLevelAgreement {
        wanted.push(("assize.dev/agreement", subject.name.clone()));
    }
    for (label, value) in wanted {
        if labels[label].as_str() != Some(&*value) {
            add("metadata.labels", format!("{label} is not {value:?}; who selects by it does not find the report"));
        }
    }
}

fn check_period(record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    let period = &record.spec.period;
    let (Some(key), Ok(zone)) = (record.key, zone_named(&period.time_zone)) else {
        add("spec.period", format!("{} in {} is no period", period.key, period.time_zone));
        return;
    };
    let wanted = key.ledger().period_in(&zone);
    if wanted.end != record.end || record.end <= record.start {
        let (start, end) = (wanted.start.format_in(&zone), wanted.end.format_in(&zone));
        add("spec.period", format!("{} in {} is from {start} to {end}", period.key, period.time_zone));
    }
}

/// Checks that a period begins where its key says. The first one by another kind or zone begins where the last one by
/// the former ended.
pub fn check_start(before: Option<&Record<'_>>, record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    let period = &record.spec.period;
    let (Some(key), Ok(zone)) = (record.key, zone_named(&period.time_zone)) else { return };
    let wanted = key.ledger().period_in(&zone).start;
    let is_change = |before: &Record<'_>| before.end == record.start && !before.is_cut_like(record);
    if record.start != wanted && !before.is_some_and(is_change) {
        let (start, wanted) = (record.start.format_in(&zone), wanted.format_in(&zone));
        add("spec.period", format!("begins at {start}; {} in {} begins at {wanted}", period.key, period.time_zone));
    }
}
