//! The versions of agreement, Service and calendars that files and log give.

use std::sync::Arc;

use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};
use crate::domain::agreement::{Terms, spec_digest};
use crate::domain::calendar::Calendar;
use crate::domain::calendar_spec::{effective_digest, read_spec};
use crate::domain::digest::{self, Identity};
use crate::domain::report::{Calendars, amendment_beyond};
use crate::domain::service::ServiceRules;
use crate::domain::time::Instant;
use crate::domain::version::{Version, Versions};
use crate::domain::violation::Violation;

use super::event::{Event, EventKind};
use super::{Objects, Replay, ReplayError};

impl Replay {
    /// The calendar that a line is about.
    fn calendar_named(&self, name: Option<&str>) -> Result<Arc<str>, Violation> {
        let terms = &self.terms.newest().expect("a replay has terms").value;
        let known = terms.calendars();
        if let Some(name) = name {
            let found = known.into_iter().find(|known| ***known == *name).cloned();
            return found.ok_or_else(|| Violation::new("name", format!("the agreement names no calendar {name:?}")));
        }
        match (&terms.calendar, &known[..]) {
            (Some(hours), _) => Ok(hours.clone()),
            (None, [only]) => Ok(Arc::clone(only)),
            (None, []) => Err(Violation::new("type", "the agreement names no calendar; add serviceHours to it")),
            (None, _) => Err(Violation::new("name", "is missing: the agreement names several calendars")),
        }
    }

    pub(super) fn take_version(&mut self, objects: &Objects, event: &Event) -> Result<(), ReplayError> {
        let wrong = |violation: &Violation| ReplayError::Line { line: event.line, message: violation.to_string() };
        match &event.kind {
            EventKind::Agreement { spec } => {
                let terms = Terms::from_spec(spec).map_err(|all| wrong(&all[0]))?;
                if let Some(missing) = missing_calendar(&terms, &self.calendars) {
                    return Err(wrong(&missing));
                }
                let version = terms_version(objects, spec, terms, event.at);
                if let Some(refused) = amendment_beyond(&self.terms, self.created, &version) {
                    return Err(wrong(&refused));
                }
                self.terms.accept(version);
            }
            EventKind::Service { spec } => {
                let rules = ServiceRules::from_spec(spec).map_err(|all| wrong(&all[0]))?;
                self.service.accept(service_version(objects, spec, rules, event.at));
            }
            EventKind::Calendar { name, spec } => {
                let calendar = read_calendar(spec, &objects.calendars).map_err(|violation| wrong(&violation))?;
                let name = self.calendar_named(name.as_deref()).map_err(|violation| wrong(&violation))?;
                let version = calendar_version(&name, spec, calendar, &objects.calendars, event.at);
                self.calendars.entry(name).or_default().accept(version);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A calendar or a window of one that terms name and that is not there.
pub(super) fn missing_calendar(terms: &Terms, calendars: &Calendars) -> Option<Violation> {
    let absent = |field: String, name: &str| {
        Violation::new(field, format!("calendar {name:?} is not among the files; add it with -f"))
    };
    if let Some(name) = terms.calendar.as_ref().filter(|name| !calendars.contains_key(*name)) {
        return Some(absent("spec.serviceHours.calendar".to_owned(), name));
    }
    terms.maintenance.windows.iter().enumerate().find_map(|(index, window)| {
        let field = format!("spec.plannedMaintenance.windows[{index}]");
        let Some(calendar) = calendars.get(&window.calendar).and_then(Versions::newest) else {
            return Some(absent(format!("{field}.calendar"), &window.calendar));
        };
        let known = calendar.value.has_window(&window.name);
        let message = || format!("calendar {:?} has no window {:?}; correct the name", window.calendar, window.name);
        (!known).then(|| Violation::new(format!("{field}.name"), message()))
    })
}

pub(super) fn terms_version(
    objects: &Objects,
    spec: &ServiceLevelAgreementSpec,
    terms: Terms,
    since: Instant,
) -> Version<Terms> {
    let digest = spec_digest(&objects.namespace, &objects.name, spec).into();
    Version { since, digest, value: Arc::new(terms) }
}

pub(super) fn service_version(
    objects: &Objects,
    spec: &ServiceSpec,
    rules: ServiceRules,
    since: Instant,
) -> Version<ServiceRules> {
    let identity = Identity { kind: "Service", namespace: Some(&objects.namespace), name: &objects.service_name };
    Version { since, digest: digest::of_spec(identity, spec).into(), value: Arc::new(rules) }
}

/// A version of a calendar, with the digest that the operator gives it together with those it takes holidays from.
pub(super) fn calendar_version(
    name: &str,
    spec: &ServiceCalendarSpec,
    calendar: Calendar,
    others: &[(String, ServiceCalendarSpec)],
    since: Instant,
) -> Version<Calendar> {
    let own = |name: &str, spec| digest::of_spec(Identity { kind: "ServiceCalendar", namespace: None, name }, spec);
    let taken = spec.holidays_from.iter().filter_map(|from| others.iter().find(|(other, _)| other == from.as_str()));
    let taken: Vec<String> = taken.map(|(other, spec)| own(other, spec)).collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    Version { since, digest: effective_digest(&own(name, spec), &taken).into(), value: Arc::new(calendar) }
}

pub(super) fn read_calendar(
    spec: &ServiceCalendarSpec,
    others: &[(String, ServiceCalendarSpec)],
) -> Result<Calendar, Violation> {
    let first = |all: Vec<Violation>| all.into_iter().next().unwrap_or_else(|| Violation::new("spec", "is not valid"));
    let calendar = read_spec(spec).map_err(first)?;
    let mut holidays = Vec::new();
    for (index, name) in spec.holidays_from.iter().enumerate() {
        let other = others.iter().find(|(other, _)| other == name.as_str()).ok_or_else(|| {
            let message = format!("calendar {:?} is not among the files; add it with -f", name.0);
            Violation::new(format!("spec.holidaysFrom[{index}]"), message)
        })?;
        holidays.push(read_spec(&other.1).map_err(first)?);
    }
    Ok(calendar.with_holidays_of(&holidays.iter().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// Reports of a replay name the versions that those of the operator name.
    #[test]
    fn a_calendar_has_the_digest_of_what_it_takes_holidays_from_too() {
        let read = |spec| serde_json::from_value::<ServiceCalendarSpec>(spec).unwrap();
        let holidays = |date: &str| read(json!({"timeZone": "UTC", "holidays": [{"name": "x", "date": date}]}));
        let taking = read(json!({"timeZone": "UTC", "holidaysFrom": ["holidays"]}));
        let digest = |spec: &ServiceCalendarSpec, date: &str| {
            let others = [("holidays".to_owned(), holidays(date))];
            let calendar = read_calendar(spec, &others).unwrap();
            calendar_version("office", spec, calendar, &others, Instant::MIN).digest.to_string()
        };
        let own = |name, spec: &ServiceCalendarSpec| {
            digest::of_spec(Identity { kind: "ServiceCalendar", namespace: None, name }, spec)
        };
        let expected = effective_digest(&own("office", &taking), &[&own("holidays", &holidays("2026-01-01"))]);
        assert_eq!(digest(&taking, "2026-01-01"), expected);
        assert_ne!(digest(&taking, "2026-01-02"), expected, "their change changes it");
        let alone = read(json!({"timeZone": "UTC"}));
        assert_eq!(digest(&alone, "2026-01-01"), own("office", &alone));
    }
}
