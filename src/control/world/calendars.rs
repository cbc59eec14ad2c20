//! Calendars as their watch shows them.

use std::sync::Arc;

use crate::control::fingerprint;
use crate::control::subject::{Subject, Writing};
use crate::domain::calendar::Calendar;
use crate::domain::calendar_spec::read_spec;
use crate::domain::digest::{self, Identity};
use crate::domain::time::Instant;
use crate::domain::version::Version;

use super::World;
use super::entries::{CalendarEntry, SeenCalendar, remember};

impl World {
    pub(super) fn apply_calendar(&mut self, seen: SeenCalendar, now: Instant) {
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
            if !ours && !entry.writing.in_flight {
                entry.writing.written.fingerprint = fingerprint;
                self.queue.mark(Subject::Calendar(name));
            }
            return;
        }
        let first = !self.calendars.contains_key(&name);
        let mut writing = Writing { version, ..Writing::default() };
        writing.written.fingerprint = fingerprint;
        writing.written.shown = shown;
        writing.written.conditions = remember(Some(&status.conditions));
        let entry = CalendarEntry {
            uid: seen.metadata.uid.as_str().into(),
            generation: seen.metadata.generation,
            spec: Arc::new(seen.spec),
            problems: Vec::new(),
            missing: Vec::new(),
            writing,
        };
        self.calendars.insert(name.clone(), entry);
        let since = if first { seen.metadata.created().unwrap_or(now).min(now) } else { now };
        self.read_calendar(&name, since);
        let takers: Vec<Arc<str>> = self
            .calendars
            .iter()
            .filter(|(_, other)| other.spec.holidays_from.iter().any(|from| *from.as_str() == *name))
            .map(|(taker, _)| taker.clone())
            .collect();
        for taker in takers {
            self.read_calendar(&taker, now);
        }
    }

    /// Reads a calendar with the holidays that it takes from others. A spec that is not valid leaves the version
    /// before in force.
    fn read_calendar(&mut self, name: &Arc<str>, since: Instant) {
        let Some(entry) = self.calendars.get(name) else { return };
        let spec = entry.spec.clone();
        let mut missing = Vec::new();
        let mut others: Vec<(Arc<str>, Calendar)> = Vec::new();
        for from in &spec.holidays_from {
            match self.calendars.get(from.as_str()).map(|other| read_spec(&other.spec)) {
                Some(Ok(calendar)) => others.push((from.as_str().into(), calendar)),
                _ => missing.push(from.as_str().into()),
            }
        }
        let own = digest::of_spec(Identity { kind: "ServiceCalendar", namespace: None, name }, &*spec);
        let problems = match read_spec(&spec) {
            Err(problems) => problems,
            Ok(calendar) => {
                let taken: Vec<&Calendar> = others.iter().map(|(_, calendar)| calendar).collect();
                let version = Version { since, digest: own.into(), value: Arc::new(calendar.with_holidays_of(&taken)) };
                let versions = self.calendar_versions.entry(name.clone()).or_default();
                let unchanged = versions.newest().is_some_and(|newest| newest.value == version.value);
                if !unchanged {
                    versions.accept(version);
                }
                Vec::new()
            }
        };
        if let Some(entry) = self.calendars.get_mut(name) {
            entry.problems = problems;
            entry.missing = missing;
        }
        self.queue.mark(Subject::Calendar(name.clone()));
        self.mark_users(name);
    }

    pub(super) fn forget_calendar(&mut self, name: &Arc<str>) {
        self.calendars.remove(name);
        self.calendar_versions.remove(name);
        self.queue.forget(&Subject::Calendar(name.clone()));
        self.mark_users(name);
    }

    fn mark_users(&mut self, name: &Arc<str>) {
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
