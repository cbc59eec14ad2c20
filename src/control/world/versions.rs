//! Versions of Services, agreements and calendars: taking in their records, and writing those that are missing.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::control::streams::Stream;
use crate::control::subject::{Batch, Subject};
use crate::domain::agreement::Terms;
use crate::domain::calendar::Calendar;
use crate::domain::calendar_spec::effective_digest;
use crate::domain::time::Instant;
use crate::domain::version::{Version, Versions};
use crate::domain::version_record::{OwnCalendar, RecordedKind, read_record};
use crate::observe::facts::{Metadata, ObjectKey};

use super::World;

/// A record as the watch shows it.
#[derive(Deserialize)]
pub(super) struct SeenVersionRecord {
    metadata: Metadata,
    #[serde(default)]
    data: Value,
}

impl World {
    pub(super) fn apply_version_record(&mut self, seen: &SeenVersionRecord) {
        let at = seen.metadata.key();
        let record = match read_record(&at.namespace, &at.name, &seen.data) {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(record = %at, %error, "failed to read a version, it is passed over");
                return;
            }
        };
        // Only the operator's own namespace holds versions of what lives in none.
        if record.kind == RecordedKind::Calendar && at.namespace != self.home {
            return;
        }
        if let Some((kind, key)) = self.versions.record(&at, &record) {
            self.settle_versions_of(kind, &key);
        }
    }

    pub(super) fn forget_version_record(&mut self, at: &ObjectKey) {
        // What was in force was in force: only what is read after a restart is less.
        self.versions.unrecord(at);
    }

    /// A version was written, or somebody else had written it.
    pub(super) fn version_recorded(&mut self, at: &ObjectKey, body: &Value) {
        if let Ok(record) = read_record(&at.namespace, &at.name, &body["data"]) {
            self.versions.remember(at, &record);
        }
    }

    fn settle_versions_of(&mut self, kind: RecordedKind, key: &ObjectKey) {
        match kind {
            RecordedKind::Service => self.settle_service_versions(key),
            RecordedKind::Agreement => self.settle_agreement_versions(key),
            RecordedKind::Calendar => self.settle_calendar_versions(&key.name),
        }
    }

    /// Gives an agreement the versions that were in force.
    pub(super) fn settle_agreement_versions(&mut self, key: &ObjectKey) {
        let Some(entry) = self.agreements.get_mut(key) else { return };
        let Some(record) = entry.record.as_mut() else { return };
        let (versions, is_restored) = self.versions.agreements.of_object(key);
        if versions.newest().is_none() {
            return;
        }
        entry.is_restored = is_restored;
        if are_same(&record.terms, &versions) {
            return;
        }
        record.terms = versions;
        record.match_lines();
        self.queue.mark(Subject::Agreement(key.clone()));
    }

    /// Gives a Service the versions that were in force.
    pub(super) fn settle_service_versions(&mut self, key: &ObjectKey) {
        let Some(entry) = self.services.get_mut(key) else { return };
        let versions = self.versions.services.of(key);
        let Some(first) = versions.all().first() else { return };
        if are_same(&entry.versions, &versions) {
            return;
        }
        // Its own report is judged by what it says of itself first: hours and objective it has none.
        let terms =
            Version { since: entry.created, digest: first.digest.clone(), value: Arc::new(Terms::implicit(&key.name)) };
        entry.record.terms = Versions::starting_with(terms);
        entry.versions = versions;
        self.queue.mark(Subject::Service(key.clone()));
        for agreement in self.uses.agreements.get(key).into_iter().flatten() {
            self.queue.mark(Subject::Agreement(agreement.clone()));
        }
    }

    /// Gives a calendar, and those that take holidays from it, the versions that were in force.
    pub(super) fn settle_calendar_versions(&mut self, name: &Arc<str>) {
        self.compose_calendar(name);
        for taker in self.takers_of(name) {
            self.compose_calendar(&taker);
        }
    }

    /// The versions of a calendar with the holidays that it took from others at the time.
    fn compose_calendar(&mut self, name: &Arc<str>) {
        let own = self.versions.calendars.of(&calendar_key(name));
        let Some(first) = own.all().first().map(|version| version.since) else {
            self.calendar_versions.remove(name);
            return;
        };
        let mut takes: Vec<Arc<str>> = own.all().iter().flat_map(|version| version.value.takes_from.clone()).collect();
        takes.sort();
        takes.dedup();
        takes.retain(|from| self.versions.calendars.is_known(&calendar_key(from)));
        let taken: Vec<(Arc<str>, Versions<OwnCalendar>)> =
            takes.into_iter().map(|from| (from.clone(), self.versions.calendars.of(&calendar_key(&from)))).collect();
        let versions = compose(&own, &taken, first);
        let known = self.calendar_versions.entry(name.clone()).or_default();
        if are_same(known, &versions) {
            return;
        }
        *known = versions;
        self.queue.mark(Subject::Calendar(name.clone()));
        self.mark_users(name);
    }

    /// All objects get the versions that were in force: objects and records are listed in any order.
    pub(super) fn settle_versions(&mut self) {
        for key in self.agreements.keys().cloned().collect::<Vec<_>>() {
            self.settle_agreement_versions(&key);
        }
        for key in self.services.keys().cloned().collect::<Vec<_>>() {
            self.settle_service_versions(&key);
        }
        for key in self.versions.calendars.keys().cloned().collect::<Vec<_>>() {
            self.compose_calendar(&key.name);
        }
    }

    /// The batch of a subject, with the versions of it that are not recorded yet: before what is judged by them.
    pub(super) fn with_versions(&self, subject: &Subject, mut batch: Batch) -> Batch {
        // Before the records are listed, nobody knows which are missing.
        if !self.streams.get(&Stream::Versions).is_some_and(|state| state.synced) {
            return batch;
        }
        let mut writes = Vec::new();
        match subject {
            Subject::Service(key) => {
                if let Some(entry) = self.services.get(key) {
                    self.versions.services.unrecorded(key, &key.namespace, &entry.versions, &mut writes);
                }
            }
            Subject::Agreement(key) => {
                if let Some(record) = self.agreements.get(key).and_then(|entry| entry.record.as_ref()) {
                    self.versions.agreements.unrecorded(key, &key.namespace, &record.terms, &mut writes);
                }
            }
            Subject::Calendar(name) => {
                let key = calendar_key(name);
                let versions = self.versions.calendars.known(&key);
                self.versions.calendars.unrecorded(&key, &self.home, &versions, &mut writes);
            }
            Subject::Departed(_) => {}
        }
        batch.writes.splice(0..0, writes);
        batch
    }
}

pub(super) fn calendar_key(name: &Arc<str>) -> ObjectKey {
    ObjectKey::new("", name.clone())
}

/// Whether two histories say the same.
fn are_same<T>(one: &Versions<T>, other: &Versions<T>) -> bool {
    let told = |versions: &Versions<T>| -> Vec<(Instant, Arc<str>)> {
        versions.all().iter().map(|version| (version.since, version.digest.clone())).collect()
    };
    told(one) == told(other)
}

/// Puts calendars together: anew at each instant at which one of them changed.
fn compose(
    own: &Versions<OwnCalendar>,
    taken: &[(Arc<str>, Versions<OwnCalendar>)],
    first: Instant,
) -> Versions<Calendar> {
    let others = taken.iter().flat_map(|(_, versions)| versions.all());
    let mut changes: Vec<Instant> = own.all().iter().map(|version| version.since).collect();
    changes.extend(others.map(|version| version.since).filter(|since| *since > first));
    changes.sort_unstable();
    changes.dedup();
    let mut versions = Versions::default();
    for since in changes {
        let Some(version) = own.at(since) else { continue };
        let takes = version.value.takes_from.iter().filter_map(|from| {
            let (_, versions) = taken.iter().find(|(name, _)| name == from)?;
            versions.all().iter().rev().find(|other| other.since <= since)
        });
        let takes: Vec<&Version<OwnCalendar>> = takes.collect();
        let calendars: Vec<&Calendar> = takes.iter().map(|other| &other.value.calendar).collect();
        let digests: Vec<&str> = takes.iter().map(|other| &*other.digest).collect();
        versions.accept(Version {
            since,
            digest: effective_digest(&version.digest, &digests).into(),
            value: Arc::new(version.value.calendar.clone().with_holidays_of(&calendars)),
        });
    }
    versions
}

/// What tells when a spec was written.
#[derive(Deserialize)]
struct Managed {
    metadata: ManagedMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedMetadata {
    #[serde(default)]
    managed_fields: Vec<ManagedFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields {
    time: Option<String>,
    #[serde(default)]
    fields_v1: OwnedFields,
}

#[derive(Default, Deserialize)]
struct OwnedFields {
    #[serde(rename = "f:spec")]
    spec: Option<IgnoredAny>,
}

/// When the API server took the newest spec of an object: what it says of the newest writer of the spec, not before the
/// version before was seen (`seen_at`), and not after this one is.
pub(super) fn accepted_at(raw: &RawValue, seen_at: Option<Instant>, now: Instant) -> Instant {
    let managed = serde_json::from_str::<Managed>(raw.get()).map(|managed| managed.metadata.managed_fields);
    let writers = managed.unwrap_or_default().into_iter().filter(|writer| writer.fields_v1.spec.is_some());
    let newest = writers.filter_map(|writer| Instant::parse(&writer.time?).ok()).max();
    newest.unwrap_or(now).max(seen_at.unwrap_or(Instant::MIN)).min(now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::calendar_spec::read_spec;
    use serde_json::json;

    fn at(second: i64) -> Instant {
        Instant::from_ms(second * 1000)
    }

    #[test]
    fn in_force_from_the_accepting_write() {
        let raw = |fields: Value| {
            serde_json::value::to_raw_value(&json!({"metadata": {"name": "x", "managedFields": fields}})).unwrap()
        };
        let spec = json!({"f:spec": {"f:targets": {}}});
        let fields = raw(json!([
            {"manager": "helm", "time": at(100).format_utc(), "fieldsV1": spec},
            {"manager": "edit", "time": at(200).format_utc(), "fieldsV1": spec},
            {"manager": "note", "time": at(300).format_utc(), "fieldsV1": {"f:metadata": {}}},
            {"manager": "assize", "time": at(400).format_utc(), "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]));
        assert_eq!(accepted_at(&fields, Some(at(150)), at(500)), at(200));
        assert_eq!(accepted_at(&fields, Some(at(250)), at(500)), at(250), "the version before was seen until then");
        assert_eq!(accepted_at(&fields, None, at(180)), at(180), "not after its receipt");
        assert_eq!(accepted_at(&raw(json!(null)), None, at(500)), at(500));
        assert_eq!(accepted_at(&raw(json!([])), None, at(500)), at(500));
    }

    /// A calendar that takes holidays from another changes with it, from then on.
    #[test]
    fn taken_holidays_change_with_their_calendar() {
        let version = |since: i64, spec: Value| {
            let spec = serde_json::from_value(spec).unwrap();
            let value = Arc::new(OwnCalendar::new(read_spec(&spec).unwrap(), &spec));
            Version { since: at(since), digest: format!("sha256:{since}").into(), value }
        };
        let own = Versions::starting_with(version(100, json!({"timeZone": "UTC", "holidaysFrom": ["holidays"]})));
        let holidays = |date: &str| json!({"timeZone": "UTC", "holidays": [{"name": "x", "date": date}]});
        let mut taken = Versions::starting_with(version(90, holidays("2026-01-01")));
        taken.accept(version(200, holidays("2026-01-02")));
        let composed = compose(&own, &[("holidays".into(), taken)], at(100));
        let sinces: Vec<i64> = composed.all().iter().map(|version| version.since.as_ms() / 1000).collect();
        assert_eq!(sinces, [100, 200]);
        let dates = |index: usize| composed.all()[index].value.last_dated_holiday().unwrap().to_string();
        assert_eq!((dates(0), dates(1)), ("2026-01-01".to_owned(), "2026-01-02".to_owned()));
        assert_ne!(composed.all()[0].digest, composed.all()[1].digest);
        let alone = compose(&own, &[], at(100));
        assert_eq!(&*alone.all()[0].digest, "sha256:100");
    }
}
