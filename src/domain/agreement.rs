//! The terms of an agreement: its spec, validated once, with the defaults applied.

mod schedule;
mod targets;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::api::agreement::{AgreementType, Method, PeriodKind, ServiceLevelAgreementSpec, Target, TargetKind};
use crate::api::values::{DurationText, Percent, SharedReference};

use super::accounting::Yardstick;
use super::decimal::Decimal;
use super::digest::{self, Identity};
use super::duration::parse_duration_ms;
use super::limits::AGREEMENT_SPEC_BYTES;
use super::maintenance::MaintenanceTerms;
use super::period;
use super::probe::ProbeTerms;
use super::reliability::Limits;
use super::term::Term;
use super::time::{Instant, Interval};
use super::violation::Violation;
use super::zone::zone_named;
use targets::{read_headline, read_targets};

pub use schedule::Schedule;
pub use targets::read_objective;

/// Default of `reportingPeriod.lateDataGrace`.
const GRACE_MS: i64 = 24 * 3_600_000;

/// How an agreement cuts time into periods.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodRules {
    /// Kind of the period.
    pub kind: period::PeriodKind,
    /// Zone whose midnights bound it.
    pub zone: TimeZone,
}

impl PeriodRules {
    /// IANA name of the zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Whether periods are those in which `kubectl get its` counts.
    pub fn is_month_of_utc(&self) -> bool {
        self.kind == period::PeriodKind::CalendarMonth && self.zone == TimeZone::UTC
    }
}

/// One target, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTerms {
    /// Name inside the agreement.
    pub name: Arc<str>,
    /// What it agrees.
    pub kind: TargetKind,
    /// How it is measured.
    pub method: Method,
    /// Whether it is part of the verdict.
    pub contractual: bool,
    /// What it is judged by.
    pub yardstick: Yardstick,
    /// The components it measures; none: the state of the Service, or the address of `probe`.
    pub components: Option<Arc<[Arc<str>]>>,
    /// The address it measures, of the method Probe.
    pub probe: Option<Arc<ProbeTerms>>,
    /// Shorter Down runs are Up.
    pub min_outage_ms: i64,
    /// The limits of a Reliability target, which has no objective.
    pub limits: Option<Limits>,
}

impl TargetTerms {
    /// Whether it measures the state of the Service.
    pub fn follows_service(&self) -> bool {
        self.components.is_none() && self.probe.is_none()
    }
}

/// The terms of an agreement.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Name of the Service.
    pub service: Arc<str>,
    /// Its targets, in order.
    pub targets: Vec<TargetTerms>,
    /// The reporting period.
    pub period: PeriodRules,
    /// How long late facts are taken after a period's end.
    pub grace_ms: i64,
    /// Name of the calendar of the service hours.
    pub calendar: Option<Arc<str>>,
    /// Which loss is taken out of the figures.
    pub maintenance: MaintenanceTerms,
    /// Index of the target whose budget is shown.
    pub headline: usize,
    /// Share of the budget from which it counts as spent.
    pub spent_at: Decimal,
    /// Digest of what a part is judged by; another one begins another part.
    pub judged: Arc<str>,
    /// The agreements it rests on.
    pub underpinned_by: Vec<SharedReference>,
    /// From when until when it holds, and how often it is reviewed.
    pub term: Term,
}

impl Terms {
    /// Validates a spec once; all errors are named, not just the first.
    pub fn from_spec(spec: &ServiceLevelAgreementSpec) -> Result<Self, Vec<Violation>> {
        let mut found = Vec::new();
        let bytes = digest::canonical(&serde_json::to_value(spec).unwrap_or_default()).len();
        if bytes > AGREEMENT_SPEC_BYTES {
            found.push(Violation::new("spec", format!("{bytes} bytes; shorten it to {AGREEMENT_SPEC_BYTES}")));
        }
        let is_outside = |target: &Target| target.method.is_some_and(|method| method != Method::Readiness);
        if spec.kind == Some(AgreementType::UnderpinningContract) && !spec.targets.iter().all(is_outside) {
            found.push(Violation::new(
                "spec.type",
                "an UnderpinningContract cannot be measured by Readiness, which is that of your own components; use \
                 method Probe in all targets",
            ));
        }
        let period = read_period(spec, &mut found);
        let grace_ms = spec
            .reporting_period
            .as_ref()
            .and_then(|period| period.late_data_grace.as_ref())
            .map_or(GRACE_MS, |grace| read_duration(grace, "spec.reportingPeriod.lateDataGrace", &mut found));
        let budget = spec.error_budget.clone().unwrap_or_default();
        let warn_at = read_percent(budget.warn_at.as_ref(), "75", "spec.errorBudget.warnAt", &mut found);
        let spent_at = read_percent(budget.spent_at.as_ref(), "100", "spec.errorBudget.spentAt", &mut found);
        let unmeasured = spec.unmeasured.clone().unwrap_or_default();
        let targets = read_targets(&spec.targets, &unmeasured, warn_at, &mut found);
        let maintenance = MaintenanceTerms::from_spec(spec, &mut found);
        let headline = read_headline(&budget, &targets, &mut found);
        let term = Term::read(spec.term.as_ref(), &mut found);
        check_underpinning(&spec.underpinned_by, &mut found);
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Self {
            service: spec.service_ref.name.as_str().into(),
            targets,
            period,
            grace_ms,
            calendar: spec.service_hours.as_ref().map(|hours| hours.calendar.as_str().into()),
            maintenance,
            headline,
            spent_at,
            judged: judged_digest(spec).into(),
            underpinned_by: spec.underpinned_by.clone(),
            term,
        })
    }

    /// The implicit agreement of a Service without one: always, no objective, calendar months in UTC.
    pub fn implicit(service: &str) -> Self {
        let target = TargetTerms {
            name: "availability".into(),
            kind: TargetKind::Availability,
            method: Method::Readiness,
            contractual: false,
            yardstick: Yardstick {
                objective: None,
                degraded_counts: Decimal::ZERO,
                treat_as: crate::api::agreement::TreatAs::Exclude,
                min_coverage: Decimal::from_ten_thousandths(990_000),
                warn_at: Decimal::from_ten_thousandths(750_000),
            },
            components: None,
            probe: None,
            min_outage_ms: 0,
            limits: None,
        };
        Self {
            service: service.into(),
            targets: vec![target],
            period: PeriodRules { kind: period::PeriodKind::CalendarMonth, zone: TimeZone::UTC },
            grace_ms: GRACE_MS,
            calendar: None,
            maintenance: MaintenanceTerms::nothing(),
            headline: 0,
            spent_at: Decimal::HUNDRED,
            judged: digest::of_value(&json!({"implicit": service})).into(),
            underpinned_by: Vec::new(),
            term: Term::default(),
        }
    }

    /// The part of a span in which the agreement holds; an absent beginning is the creation of the object.
    pub fn in_term(&self, span: Interval, created: Instant) -> Option<Interval> {
        let from = self.begins().unwrap_or(created);
        Interval::new(span.from.max(from), span.to.min(self.end()))
    }

    /// The first instant of the term, if it is written down.
    pub fn begins(&self) -> Option<Instant> {
        self.term.begins(&self.period.zone)
    }

    /// The first instant after the term.
    pub fn end(&self) -> Instant {
        self.term.end(&self.period.zone)
    }

    /// The same terms of an agreement that was deleted at `instant`.
    #[must_use]
    pub fn ending_at(&self, instant: Instant) -> Self {
        Self { term: self.term.ending_at(&self.period.zone, instant), ..self.clone() }
    }

    /// When the parties have to have looked at it anew, for the version in force since then.
    pub fn review_due(&self, created: Instant, version_since: Instant) -> Option<Instant> {
        self.term.review_due(&self.period.zone, created, version_since)
    }

    /// Whether it measures what `kubectl get its` shows, so that the Service needs no report of its own while periods
    /// are calendar months of UTC: a Readiness target over the state of the Service. One that takes short outages as Up
    /// does not: what is rolled up keeps only its sum of them, and the Service counts them.
    pub fn covers_service(&self) -> bool {
        let covers =
            |target: &TargetTerms| target.limits.is_none() && target.follows_service() && target.min_outage_ms == 0;
        self.targets.iter().any(covers)
    }

    /// The calendars it names, each once: of the service hours and of standing windows.
    pub fn calendars(&self) -> Vec<&Arc<str>> {
        let standing = self.maintenance.windows.iter().map(|window| &window.calendar);
        let mut names: Vec<&Arc<str>> = self.calendar.iter().chain(standing).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Digest of an agreement's spec with its identity.
pub fn spec_digest(namespace: &str, name: &str, spec: &ServiceLevelAgreementSpec) -> String {
    digest::of_spec(Identity { kind: "ServiceLevelAgreement", namespace: Some(namespace), name }, spec)
}

/// Digest of the fields that figures and verdicts depend on: a change of them begins a new part, other edits do not.
fn judged_digest(spec: &ServiceLevelAgreementSpec) -> String {
    let term = spec.term.clone().map(|term| crate::api::term::Term { review_every: None, ..term });
    digest::of_value(&json!({
        "targets": spec.targets,
        "reportingPeriod": spec.reporting_period,
        "serviceHours": spec.service_hours,
        "plannedMaintenance": spec.planned_maintenance,
        "exclusions": spec.exclusions,
        "unmeasured": spec.unmeasured,
        "serviceRef": spec.service_ref,
        "term": term,
    }))
}

fn read_period(spec: &ServiceLevelAgreementSpec, found: &mut Vec<Violation>) -> PeriodRules {
    let written = spec.reporting_period.clone().unwrap_or_default();
    let kind = match (written.kind.unwrap_or_default(), written.days) {
        (PeriodKind::Rolling, days) => {
            let days = days.and_then(|days| u16::try_from(days).ok()).filter(|days| (1..=366).contains(days));
            if days.is_none() {
                found.push(Violation::new("spec.reportingPeriod.days", "a Rolling period has 1 to 366 days; set days"));
            }
            period::PeriodKind::Rolling { days: days.unwrap_or(30) }
        }
        (kind, days) => {
            if days.is_some() {
                found.push(Violation::new("spec.reportingPeriod.days", "set it with kind Rolling, and only then"));
            }
            match kind {
                PeriodKind::CalendarWeek => period::PeriodKind::CalendarWeek,
                PeriodKind::CalendarQuarter => period::PeriodKind::CalendarQuarter,
                PeriodKind::CalendarYear => period::PeriodKind::CalendarYear,
                PeriodKind::CalendarMonth | PeriodKind::Rolling => period::PeriodKind::CalendarMonth,
            }
        }
    };
    let name = written.time_zone.as_ref().map_or("UTC", |zone| zone.as_str());
    let zone = zone_named(name).unwrap_or_else(|error| {
        found.push(Violation::new("spec.reportingPeriod.timeZone", error.to_string()));
        TimeZone::UTC
    });
    PeriodRules { kind, zone }
}

fn read_duration(text: &DurationText, field: &str, found: &mut Vec<Violation>) -> i64 {
    parse_duration_ms(text.as_str()).unwrap_or_else(|error| {
        found.push(Violation::new(field, error.to_string()));
        0
    })
}

fn read_percent(text: Option<&Percent>, default: &str, field: &str, found: &mut Vec<Violation>) -> Decimal {
    let text = text.map_or(default, |text| text.as_str());
    match Decimal::parse(text) {
        Ok(percent) if percent <= Decimal::HUNDRED => percent,
        Ok(percent) => {
            found.push(Violation::new(field, format!("{percent} is more than 100; a percentage is at most 100")));
            Decimal::HUNDRED
        }
        Err(error) => {
            found.push(Violation::new(field, error.to_string()));
            Decimal::HUNDRED
        }
    }
}

/// An agreement rests on another once; its weight in the chain would else count twice.
fn check_underpinning(references: &[SharedReference], found: &mut Vec<Violation>) {
    for (index, reference) in references.iter().enumerate() {
        if references[..index].contains(reference) {
            let field = format!("spec.underpinnedBy[{index}]");
            found.push(Violation::new(field, format!("{} occurs twice; remove one", reference.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spec(yaml: &str) -> ServiceLevelAgreementSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    /// M-40 at the shared validator; the API server and `replay` have their own rows.
    #[test]
    fn m_40_objectives_that_are_refused() {
        for text in ["100", "100.0", "0", "99.99999", "99,9", "1e2", "-1", "101", "NaN", ""] {
            assert!(read_objective(text).is_err(), "{text:?}");
        }
        assert!(read_objective("99.9999").is_ok());
    }

    #[test]
    fn all_errors_are_named_at_once() {
        let spec = spec(
            "{serviceRef: {name: checkout}, reportingPeriod: {kind: Rolling, timeZone: Mars/Base}, errorBudget: {target: x}, \
             targets: [{name: a, kind: Availability, method: Readiness, objective: '100', readiness: {degradedCounts: '2'}}]}",
        );
        let fields: Vec<_> = Terms::from_spec(&spec).unwrap_err().into_iter().map(|v| v.field).collect();
        assert_eq!(
            fields,
            [
                "spec.reportingPeriod.days",
                "spec.reportingPeriod.timeZone",
                "spec.targets[0].objective",
                "spec.targets[0].readiness.degradedCounts",
                "spec.errorBudget.target",
            ]
        );
    }

    #[test]
    fn texts_are_no_judged_terms() {
        let plain = "serviceRef: {name: checkout}, targets: [{name: a, kind: Availability, method: Readiness, objective: '99'}]";
        let first = Terms::from_spec(&spec(&format!("{{{plain}}}"))).unwrap();
        let renamed = Terms::from_spec(&spec(&format!("{{{plain}, customer: {{name: acme}}}}"))).unwrap();
        let amended = Terms::from_spec(&spec(&format!("{{{}}}", plain.replace("99", "98")))).unwrap();
        assert_eq!(first.judged, renamed.judged);
        assert_ne!(first.judged, amended.judged);
    }
}
