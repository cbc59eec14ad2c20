//! The report as data: what `-o json` prints and every other rendering is made from.

use std::collections::HashMap;

use serde::Serialize;

use crate::api::ServiceReport;
use crate::api::agreement::Headline;
use crate::api::report::{
    ClockStep, Gap, Maintenance, Omitted, Outage, Phase, ReportInputs, ReportPart, RolledUp, RuleChange, SubjectKind,
    Superseded,
};
use crate::domain::digest;
use crate::domain::maintenance::Announced;
use crate::domain::period::{Period, PeriodKey};
use crate::domain::replay::Replay;
use crate::domain::report::{Contents, contents};
use crate::domain::time::{Instant, Interval};

use super::capacity::CapacityLine;

/// Name of the form; it changes when a field changes its meaning.
pub const FORMAT: &str = "assize.report/v1";

/// A report as data. Percentages are strings, lengths milliseconds, instants RFC 3339 in the agreement's zone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Name of the form.
    pub format: &'static str,
    /// `namespace/name` of the agreement; none for the report of a Service.
    pub agreement: Option<String>,
    /// `namespace/name` of the Service.
    pub service: String,
    /// Name of the report.
    pub name: String,
    /// What it covers.
    pub period: DocumentPeriod,
    /// Open, Provisional or Closed.
    pub phase: Phase,
    /// The instant of the figures; none when closed.
    pub as_of: Option<String>,
    /// Up to when observation is proved.
    pub proved_until: Option<String>,
    /// The verdict.
    pub result: Option<String>,
    /// One part for each version of the agreement in force.
    pub parts: Vec<ReportPart>,
    /// The longest outages.
    pub outages: Vec<Outage>,
    /// The others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outages_omitted: Option<Omitted>,
    /// Changes, standing windows and exclusions that began.
    pub maintenance: Vec<Maintenance>,
    /// The others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_omitted: Option<Omitted>,
    /// Spans without observation.
    pub gaps: Vec<Gap>,
    /// The others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps_omitted: Option<Omitted>,
    /// Other rules that changed.
    pub rules_changed: Vec<RuleChange>,
    /// How many earlier ones are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub rules_changed_omitted: u32,
    /// The newest steps of the API server's clock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clock_steps: Vec<ClockStep>,
    /// How many earlier ones are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub clock_steps_omitted: u32,
    /// What was summed up.
    pub rolled_up: RolledUp,
    /// What is left of each limit, and when it will be used up.
    pub capacity: Vec<CapacityLine>,
    /// Digests of all inputs.
    pub inputs: Option<ReportInputs>,
    /// The report that this one corrects.
    pub supersedes: Option<Superseded>,
    /// Name of the report that corrects this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Digest of the report closed before.
    pub previous_digest: Option<String>,
    /// Digest of this report.
    pub digest: Option<String>,
    /// The headline figures, for renderings.
    #[serde(skip)]
    pub headline: Option<Headline>,
}

/// What a report covers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentPeriod {
    /// Kind of the period, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Its key.
    pub key: String,
    /// First instant.
    pub start: String,
    /// First instant after it.
    pub end: String,
    /// Zone whose midnights bound it.
    pub time_zone: String,
}

impl Document {
    /// The newest report of a replayed log for one period and instant; a closed one with its place in the chain.
    pub fn from_replay(replay: &Replay, period: &Period, as_of: Instant) -> Self {
        let mut reports = replay.closed_by(as_of);
        let Some(newest) = reports.iter().rposition(|report| report.period.key == period.key) else {
            return Self::knowing(replay, period, as_of, &replay.known_by(period, as_of));
        };
        reports.truncate(newest + 1);
        let mut before: Option<Self> = None;
        let mut of_period: HashMap<PeriodKey, Superseded> = HashMap::new();
        for report in &reports {
            let mut document = Self::knowing(replay, &report.period, report.at, &report.announced);
            if report.revision > 1 {
                document.name = format!("{}-r{}", document.name, report.revision);
                document.supersedes = of_period.remove(&report.period.key);
            }
            document.previous_digest = before.and_then(|before| before.digest);
            let digest = document.own_digest();
            of_period
                .insert(report.period.key, Superseded { name: document.name.as_str().into(), digest: digest.clone() });
            document.digest = Some(digest);
            before = Some(document);
        }
        before.expect("the newest report of the period is one of them")
    }

    /// Digest of what is printed, but for the digest itself.
    fn own_digest(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a report serialises to JSON");
        if let Some(fields) = value.as_object_mut() {
            fields.remove("digest");
        }
        digest::of_value(&value)
    }

    fn knowing(replay: &Replay, period: &Period, as_of: Instant, announced: &Announced) -> Self {
        let lines = replay.ledger(period, as_of);
        let (judged, moment) = replay.judge_knowing(&lines, period, as_of, announced);
        let rules = replay.schedule().rules_at(period.end.minus_ms(1));
        let zone = &rules.zone;
        let line = judged.headline().and_then(|target| lines.get(&target.terms.name).cloned());
        let written: Contents = contents(replay.facts(), &judged, line.as_deref(), moment, zone);
        let (namespace, name) = &replay.agreement;
        let closed = moment.phase == Phase::Closed;
        let proved = as_of.min(judged.window.to);
        Self {
            format: FORMAT,
            agreement: Some(format!("{namespace}/{name}")),
            service: format!("{namespace}/{}", replay.service_name),
            name: format!("{name}-{}", period.key.to_string().to_lowercase()),
            period: DocumentPeriod {
                kind: Some(period.key.kind().as_str()),
                key: period.key.to_string(),
                start: judged.window.from.format_in(zone),
                end: judged.window.to.format_in(zone),
                time_zone: rules.zone_name().to_owned(),
            },
            phase: moment.phase,
            as_of: (!closed).then(|| as_of.format_in(zone)),
            proved_until: Some(proved.format_in(zone)),
            result: written.result,
            parts: written.parts,
            outages: written.outages,
            outages_omitted: written.outages_omitted,
            maintenance: written.maintenance,
            maintenance_omitted: written.maintenance_omitted,
            gaps: written.gaps,
            gaps_omitted: written.gaps_omitted,
            rules_changed: written.rules_changed,
            rules_changed_omitted: written.rules_changed_omitted,
            // A log has no clock beside it.
            clock_steps: Vec::new(),
            clock_steps_omitted: 0,
            rolled_up: written.rolled_up,
            capacity: CapacityLine::all(replay, zone, Interval::new(judged.window.from, proved)),
            inputs: Some(ReportInputs { events: Some(replay.events as u64), ..written.inputs }),
            supersedes: None,
            superseded_by: None,
            previous_digest: None,
            digest: None,
            headline: written.headline,
        }
    }

    /// The report of a resource.
    pub fn from_resource(report: &ServiceReport) -> Self {
        let namespace = report.metadata.namespace.as_deref().unwrap_or("default");
        let status = report.status.clone().unwrap_or_default();
        let ledger = status.ledger.unwrap_or_default();
        let subject = &report.spec.subject;
        Self {
            format: FORMAT,
            agreement: (subject.kind == SubjectKind::ServiceLevelAgreement)
                .then(|| format!("{namespace}/{}", subject.name)),
            service: format!("{namespace}/{}", report.spec.service_ref.name),
            name: report.metadata.name.clone().unwrap_or_default(),
            period: DocumentPeriod {
                kind: None,
                key: report.spec.period.key.clone(),
                start: report.spec.period.start.clone(),
                end: report.spec.period.end.clone(),
                time_zone: report.spec.period.time_zone.clone(),
            },
            phase: status.phase.unwrap_or_default(),
            as_of: status.as_of.filter(|_| status.phase != Some(Phase::Closed)),
            proved_until: status.proved_until,
            result: status.result,
            parts: status.parts,
            outages: status.outages,
            outages_omitted: status.outages_omitted,
            maintenance: status.maintenance,
            maintenance_omitted: status.maintenance_omitted,
            gaps: status.gaps,
            gaps_omitted: status.gaps_omitted,
            rules_changed: status.rules_changed,
            rules_changed_omitted: status.rules_changed_omitted,
            clock_steps: ledger.clock_steps,
            clock_steps_omitted: ledger.clock_steps_omitted,
            rolled_up: status.rolled_up.unwrap_or_default(),
            // The operator measures no capacity yet.
            capacity: Vec::new(),
            inputs: status.inputs,
            supersedes: report.spec.supersedes.clone(),
            superseded_by: None,
            previous_digest: status.previous_digest,
            digest: status.digest,
            headline: status.headline,
        }
    }

    /// Whether the verdict is a miss.
    pub fn is_missed(&self) -> bool {
        matches!(self.result.as_deref(), Some("Missed" | "Breached"))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
