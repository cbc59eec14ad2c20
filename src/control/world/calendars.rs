//! Calendars as their watch shows them.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::control::fingerprint;
use crate::control::subject::{Subject, Writing};
use crate::control::versions::Seen;
use crate::domain::calendar_spec::read_spec;
use crate::domain::digest::{self, Identity};
use crate::domain::time::Instant;
use crate::domain::version_record::OwnCalendar;

use super::World;
use super::entries::{CalendarEntry, SeenCalendar, remember};
use super::versions::{accepted_at, calendar_key};

impl World {
    pub(super) fn apply_calendar(&mut self, seen: SeenCalendar, raw: &RawValue, now: Instant) {
        let name: Arc<str> = seen.metadata.name.as_str().into();
        let version: Box<str> = seen.metadata.resource_version.as_str().into();
        let status = seen.status.unwrap_or_default();
        let (fingerprint, shown) = fingerprint::calendar(&status);
        if let Some(entry) = self.calendars.get_mut(&name)
            && entry.generation == seen.metadata.generation
            && *entry.uid == *seen.metadata.uid
        {
            let ours = entry.writing.written.fingerprint == fingerprint;
            entry.writing.version = version;
            entry.seen_at = Some(now);
            if !ours && !entry.writing.in_flight {
                entry.writing.written.fingerprint = fingerprint;
                self.queue.mark(Subject::Calendar(name));
            }
            return;
        }
        let seen_at = self.calendars.get(&name).and_then(|entry| entry.seen_at);
        let mut writing = Writing { version, ..Writing::default() };
        writing.written.fingerprint = fingerprint;
        writing.written.shown = shown;
        writing.written.conditions = remember(Some(&status.conditions));
        let entry = CalendarEntry {
            uid: seen.metadata.uid.as_str().into(),
            generation: seen.metadata.generation,
            seen_at: Some(now),
            spec: Arc::new(seen.spec),
            problems: Vec::new(),
            missing: Vec::new(),
            writing,
        };
        self.calendars.insert(name.clone(), entry);
        let accepted = accepted_at(raw, seen_at, now);
        self.read_calendar(&name, accepted, seen.metadata.created().unwrap_or(accepted));
        for taker in self.takers_of(&name) {
            self.find_missing(&taker);
        }
    }

    /// The calendars that take holidays from one.
    pub(super) fn takers_of(&self, name: &Arc<str>) -> Vec<Arc<str>> {
        let takes = |other: &CalendarEntry| other.spec.holidays_from.iter().any(|from| *from.as_str() == **name);
        self.calendars.iter().filter(|(_, other)| takes(other)).map(|(taker, _)| taker.clone()).collect()
    }

    /// Reads a calendar. A spec that is not valid leaves the version before in force.
    fn read_calendar(&mut self, name: &Arc<str>, accepted: Instant, created: Instant) {
        let Some(entry) = self.calendars.get_mut(name) else { return };
        match read_spec(&entry.spec) {
            Err(problems) => entry.problems = problems,
            Ok(calendar) => {
                entry.problems.clear();
                let digest =
                    digest::of_spec(Identity { kind: "ServiceCalendar", namespace: None, name }, &*entry.spec).into();
                let value = Arc::new(OwnCalendar::new(calendar, &entry.spec));
                let spec = serde_json::to_string(&*entry.spec).unwrap_or_default();
                self.versions.calendars.see(&calendar_key(name), Seen { digest, value, spec, accepted, created });
            }
        }
        self.find_missing(name);
        self.settle_calendar_versions(name);
        self.mark_users(name);
    }

    /// Notes which of the calendars that one takes holidays from cannot be had.
    fn find_missing(&mut self, name: &Arc<str>) {
        let Some(entry) = self.calendars.get(name) else { return };
        let takes = entry.spec.holidays_from.iter().map(|from| Arc::<str>::from(from.as_str()));
        let had = |from: &Arc<str>| {
            self.calendars.contains_key(from) && self.versions.calendars.is_known(&calendar_key(from))
        };
        let missing: Vec<Box<str>> = takes.filter(|from| !had(from)).map(|from| (&*from).into()).collect();
        if let Some(entry) = self.calendars.get_mut(name) {
            entry.missing = missing;
        }
        self.queue.mark(Subject::Calendar(name.clone()));
    }

    /// The calendar is gone. Its recorded versions stay: past time is judged by what was in force then.
    pub(super) fn forget_calendar(&mut self, name: &Arc<str>) {
        self.calendars.remove(name);
        self.versions.calendars.forget(&calendar_key(name));
        self.settle_calendar_versions(name);
        for taker in self.takers_of(name) {
            self.find_missing(&taker);
        }
        self.queue.forget(&Subject::Calendar(name.clone()));
        self.mark_users(name);
    }

    pub(super) fn mark_users(&mut self, name: &Arc<str>) {
        self.mark_departed();
        for key in self.uses.calendars.get(name).cloned().unwrap_or_default() {
            self.mark_resting(&key);
            self.queue.mark(Subject::Agreement(key));
        }
    }

    /// How many agreements use a calendar.
    pub(super) fn users_of(&self, name: &Arc<str>) -> usize {
        self.uses.calendars.get(name).map_or(0, std::collections::HashSet::len)
    }
}
