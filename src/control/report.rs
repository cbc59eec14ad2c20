//! The reports of a record: which there are at an instant, and what each says.

use serde_json::{Value, json};

use crate::api::report::{Ledger, LedgerLine, Phase, SubjectKind};
use crate::api::service::State;
use crate::api::{GROUP, ServiceReportStatus, VERSION};
use crate::domain::agreement::{PeriodRules, Schedule, TargetTerms};
use crate::domain::clock_steps::{ClockSteps, NotedSteps};
use crate::domain::conditions::Finding;
use crate::domain::digest::{self, Identity};
use crate::domain::limits::{
    LISTED_CLOCK_STEPS, LISTED_GAPS, LISTED_OUTAGES, REPORT_BYTES, REPORT_METADATA_BYTES, REPORT_PART_TARGETS,
};
use crate::domain::period::Period;
use crate::domain::report::{self as domain, Facts, Judged, Moment, contents, judge, phase_at, shorten};
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::Rolled;

use super::record::{KnownReport, Record};

/// The periods of a record that have a report to be written at `now`: the running one, and those before it that are
/// observed and not closed yet.
pub fn periods(record: &Record, known: &[KnownReport], now: Instant) -> Vec<Period> {
    let (Some(newest), Some(schedule)) = (record.terms.newest(), Schedule::of(&record.terms)) else {
        return Vec::new();
    };
    let end = newest.value.end();
    let mut period = schedule.period_at(now);
    let mut periods = Vec::new();
    if period.start < end {
        periods.push(period);
    }
    let begins = record.lines.iter().filter_map(|line| line.timeline.entries().first()).map(|entry| entry.at).min();
    for _ in 0..crate::domain::limits::WINDOW_REPORTS {
        let Some(before) = schedule.before(&period) else { break };
        period = before;
        if begins.is_none_or(|begins| begins >= period.end) || end <= period.start {
            break;
        }
        let closed =
            known.iter().any(|report| report.start == period.start && record.owns(report) && report.digest.is_some());
        if closed {
            break;
        }
        periods.push(period);
    }
    periods.reverse();
    periods
}

/// The rules by which a period is cut.
fn rules<'a>(record: &'a Record, period: &Period) -> &'a PeriodRules {
    Schedule::of(&record.terms).expect("a record has terms").rules_at(period.start)
}

/// Name of a report: `<agreement>-<key>`, of a Service's own `its-<service>-<key>`.
pub fn name(record: &Record, period: &Period, known: &[KnownReport]) -> String {
    let key = period.key.to_string().to_lowercase();
    let plain = match record.kind {
        SubjectKind::Service => format!("its-{}-{key}", record.key.name),
        SubjectKind::ServiceLevelAgreement => format!("{}-{key}", record.key.name),
    };
    let taken = known.iter().any(|report| *report.key.name == *plain && !record.owns(report));
    if taken {
        // Another object of that name had this period: its report is evidence and stays.
        let digest = digest::of_value(&Value::String(record.uid.to_string()));
        return format!("{plain}-{}", &digest["sha256:".len().."sha256:".len() + 5]);
    }
    plain
}

/// The object of a report without its status.
pub fn object(record: &Record, period: &Period, name: &str, known: &[KnownReport]) -> Value {
    let rules = rules(record, period);
    let zone = &rules.zone;
    let kind = match record.kind {
        SubjectKind::Service => "Service",
        SubjectKind::ServiceLevelAgreement => "ServiceLevelAgreement",
    };
    let mut labels = json!({
        "assize.dev/service": &*record.service,
        "assize.dev/period": period.key.to_string(),
    });
    if record.kind == SubjectKind::ServiceLevelAgreement {
        labels["assize.dev/agreement"] = (&*record.key.name).into();
    }
    let mut object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ServiceReport",
        "metadata": {"namespace": &*record.key.namespace, "name": name, "labels": labels},
        "spec": {
            "subject": {"kind": kind, "name": &*record.key.name, "uid": &*record.uid},
            "serviceRef": {"name": &*record.service},
            "period": {
                "key": period.key.to_string(),
                "start": period.start.format_in(zone),
                "end": period.end.format_in(zone),
                "timeZone": rules.zone_name(),
            },
        },
    });
    if let Some(reason) = record.reason_of_next(known) {
        object["spec"]["reason"] = reason.into();
    }
    object
}

/// The spec of a report: as it was made, or as it is made now.
fn spec(record: &Record, period: &Period, name: &str, known: &[KnownReport]) -> Value {
    let ours = known.iter().find(|report| *report.key.name == *name);
    let made = ours.and_then(|report| serde_json::from_str(report.spec.as_deref()?).ok());
    made.unwrap_or_else(|| object(record, period, name, known)["spec"].take())
}

/// What a report is judged from.
#[derive(Clone, Copy)]
pub struct Judging<'a> {
    /// The record.
    pub record: &'a Record,
    /// The facts of its subject.
    pub facts: Facts<'a>,
    /// Now, in cluster time.
    pub now: Instant,
    /// Up to when states hold.
    pub horizon: Instant,
    /// Steps of the API server's clock.
    pub clock_steps: &'a ClockSteps,
}

impl Judging<'_> {
    /// Judges a period at this instant. A period that is over is judged as of its closing, so that every replica
    /// writes the same bytes.
    pub fn judge(&self, period: &Period) -> (Judged, Moment) {
        let closing = self.facts.schedule().closing(period);
        let phase = phase_at(period, closing, self.now);
        let as_of = if phase == Phase::Closed { closing } else { self.now };
        let moment = Moment { as_of, horizon: self.horizon.min(as_of), phase };
        (judge(self.facts, |target| self.record.line(target), period, moment), moment)
    }
}

/// The next instant at which time alone changes a verdict. While a source is lost the time ahead is unknown.
pub fn next_change(judging: &Judging<'_>, judged: &Judged) -> Option<Instant> {
    let state = |target: &TargetTerms| {
        let line = judging.record.line(target).filter(|_| judging.horizon >= judging.now);
        line.and_then(|line| line.last().map(|last| last.state)).unwrap_or(State::Unknown)
    };
    domain::next_change(judging.facts, judged, state, judging.now)
}

/// The status of a report, with its findings. `just_closed`: digest of the one that the same batch closes before it.
pub fn status(
    judging: Judging<'_>,
    period: &Period,
    known: &[KnownReport],
    name: &str,
    epoch: i64,
    just_closed: Option<&str>,
) -> (ServiceReportStatus, Vec<Finding>, Judged) {
    let (judged, moment) = judging.judge(period);
    let record = judging.record;
    let ours = known.iter().find(|report| *report.key.name == *name && record.owns(report));
    let sequence = ours.map_or(0, |report| report.sequence);
    // Closing appends nothing: sequence and epoch stay as they were, so that any replica writes the same bytes.
    let epoch = if moment.phase == Phase::Closed { ours.map_or(0, |report| report.epoch) } else { epoch };
    let mut status = unsigned(judging, period, &judged, moment, ours, (sequence, epoch));
    if may_be_large(record, period) {
        fit(&mut status, &object(record, period, name, known));
    }
    if moment.phase == Phase::Closed {
        let before = || record.closed_last(known).and_then(|report| report.digest.as_deref());
        status.previous_digest = just_closed.or_else(before).map(Into::into);
        let identity = Identity { kind: "ServiceReport", namespace: Some(&record.key.namespace), name };
        let digest = digest::of_report(identity, &spec(record, period, name, known), &status);
        status.short_digest = Some(digest::short(&digest));
        status.digest = Some(digest);
    }
    let findings = findings(&status, moment.phase, &judged);
    (status, findings, judged)
}

/// The status of a report without conditions and digests.
fn unsigned(
    judging: Judging<'_>,
    period: &Period,
    judged: &Judged,
    moment: Moment,
    ours: Option<&KnownReport>,
    (sequence, epoch): (i64, i64),
) -> ServiceReportStatus {
    let record = judging.record;
    let zone = &rules(record, period).zone;
    let line = judged.headline().and_then(|target| record.line(&target.terms));
    let written = contents(judging.facts, judged, line.as_deref(), moment, zone);
    let proved = moment.horizon.min(period.end);
    let lost = judging.horizon < judging.now;
    let steps = clock_steps(judging, period, judged, ours);
    ServiceReportStatus {
        phase: Some(moment.phase),
        result: written.result,
        as_of: Some(moment.as_of.format_in(zone)),
        proved_until: (lost || moment.phase != Phase::Open).then(|| proved.format_in(zone)),
        headline: written.headline,
        parts: written.parts,
        outages: written.outages,
        outages_omitted: written.outages_omitted,
        maintenance: written.maintenance,
        maintenance_omitted: written.maintenance_omitted,
        gaps: written.gaps,
        gaps_omitted: written.gaps_omitted,
        rules_changed: written.rules_changed,
        rules_changed_omitted: written.rules_changed_omitted,
        rolled_up: Some(written.rolled_up),
        inputs: Some(written.inputs),
        ledger: Some(Ledger {
            sequence,
            epoch,
            lines: ledger_lines(record, period),
            clock_steps: steps.write(zone),
            clock_steps_omitted: steps.omitted,
        }),
        ..ServiceReportStatus::default()
    }
}

/// Whether a report could exceed its bound, by what each part of it takes at most; most reports are far below.
pub fn may_be_large(record: &Record, period: &Period) -> bool {
    let held = record.held(Interval { from: period.start, to: period.end });
    let listed = (held.entries / 2).min(LISTED_OUTAGES) * 320 + (held.entries / 2).min(LISTED_GAPS) * 180;
    let targets: usize = record.terms.all().iter().map(|version| version.value.targets.len()).sum();
    let ledger = held.entries * 140 + (held.hours + held.days) * 200;
    let steps = LISTED_CLOCK_STEPS * 80;
    ledger + listed + steps + targets.min(REPORT_PART_TARGETS) * 1000 + 2 * REPORT_METADATA_BYTES > REPORT_BYTES
}

/// Bytes of a report as it would be stored, with all of its lists.
pub fn stored_bytes(judging: Judging<'_>, period: &Period, known: &[KnownReport]) -> usize {
    let (judged, moment) = judging.judge(period);
    let name = name(judging.record, period, known);
    let ours = known.iter().find(|report| *report.key.name == *name && judging.record.owns(report));
    let status = unsigned(judging, period, &judged, moment, ours, (i64::MAX, i64::MAX));
    bytes(&status, &object(judging.record, period, &name, known))
}

fn bytes(status: &ServiceReportStatus, object: &Value) -> usize {
    let length = |json: Result<Vec<u8>, serde_json::Error>| json.map_or(0, |json| json.len());
    length(serde_json::to_vec(status)) + length(serde_json::to_vec(object)) + REPORT_METADATA_BYTES
}

/// Shortens the lists of a report that is too large although its ledger cannot be rolled up any further.
fn fit(status: &mut ServiceReportStatus, object: &Value) {
    for limit in [LISTED_OUTAGES / 2, LISTED_OUTAGES / 5, 0] {
        if bytes(status, object) <= REPORT_BYTES {
            return;
        }
        shorten(status, limit);
    }
}

/// The steps of the clock that a report notes: those within its period, as far as that is judged. What was written
/// since the period is over stays, so that any replica closes it with the same bytes.
fn clock_steps(judging: Judging<'_>, period: &Period, judged: &Judged, ours: Option<&KnownReport>) -> NotedSteps {
    let noted = ours.map(|report| report.clock_steps.clone()).unwrap_or_default();
    if ours.is_some_and(|report| report.phase == Some(Phase::Provisional)) {
        return noted;
    }
    let spans = || judged.parts.iter().map(|part| part.span);
    let is_of = |at| period.start <= at && at < period.end && spans().any(|span| span.contains(at));
    judging.clock_steps.added_to(&noted, is_of)
}

fn ledger_lines(record: &Record, period: &Period) -> Vec<LedgerLine> {
    let zone = &rules(record, period).zone;
    let span = Interval { from: period.start, to: period.end };
    record
        .lines
        .iter()
        .filter(|line| record.terms_of(&line.target, span).is_some())
        .map(|line| LedgerLine {
            target: line.target.to_string(),
            entries: line.timeline.entries_for(period.start, period.end).map(|entry| entry.format(zone)).collect(),
            rolled: line
                .timeline
                .rolled()
                .iter()
                .filter(|rolled| rolled.span.intersect(&span).is_some())
                .map(Rolled::format)
                .collect(),
        })
        .collect()
}

fn findings(status: &ServiceReportStatus, phase: Phase, judged: &Judged) -> Vec<Finding> {
    let low = judged
        .parts
        .iter()
        .flat_map(|part| &part.targets)
        .any(|target| target.judgement.is_some_and(|judgement| judgement.reason == Some("LowCoverage")));
    let ready = match phase {
        Phase::Closed => Finding::yes("Ready", "Finished", "closed; its figures never change"),
        _ => Finding::yes("Ready", "Active", "written with each transition"),
    };
    let complete = match phase {
        Phase::Open => Finding::unknown("Complete", "PeriodOpen", "the period is not over"),
        _ if low => Finding::no("Complete", "LowCoverage", "too little of the service time was observed"),
        _ => Finding::yes("Complete", "CoverageKept", "enough of the service time was observed"),
    };
    let closed = match phase {
        Phase::Open => Finding::no("Closed", "PeriodOpen", "the period is not over"),
        Phase::Provisional => Finding::no("Closed", "WaitingForLateData", "late facts may still come"),
        Phase::Closed => {
            Finding::yes("Closed", "PeriodClosed", format!("digest {}", status.short_digest.as_deref().unwrap_or("-")))
        }
    };
    vec![ready, complete, closed]
}
