//! The versions of our objects, as their records and their watches show them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::agreement::Terms;
use crate::domain::service::ServiceRules;
use crate::domain::time::Instant;
use crate::domain::version::{Version, Versions};
use crate::domain::version_record::{
    OwnCalendar, Recorded, RecordedKind, VersionRecord, history, record_name, record_object, records_of,
};
use crate::observe::facts::ObjectKey;

use super::subject::{Action, Resource, Write};

/// A version that is recorded.
#[derive(Debug)]
struct Known<T> {
    ordinal: u32,
    version: Version<T>,
}

/// A spec that was seen and is not recorded yet.
#[derive(Debug)]
struct Pending {
    digest: Arc<str>,
    /// As JSON text: half of what the value would need.
    spec: Box<str>,
}

/// What is known of the versions of one object.
#[derive(Debug)]
struct Subject<T> {
    /// In order of time.
    recorded: Vec<Known<T>>,
    /// Those that this process saw itself, in order of time.
    seen: Vec<Version<T>>,
    pending: Vec<Pending>,
    /// When the API server took the newest one seen.
    accepted: Instant,
    /// Creation of the object.
    created: Instant,
}

impl<T> Default for Subject<T> {
    fn default() -> Self {
        Self {
            recorded: Vec::new(),
            seen: Vec::new(),
            pending: Vec::new(),
            accepted: Instant::MIN,
            created: Instant::MIN,
        }
    }
}

/// The versions of all objects of one kind.
#[derive(Debug)]
pub struct KindVersions<T> {
    subjects: HashMap<ObjectKey, Subject<T>>,
}

impl<T> Default for KindVersions<T> {
    fn default() -> Self {
        Self { subjects: HashMap::new() }
    }
}

/// A version seen in the watch of its object.
#[derive(Debug)]
pub struct Seen<T> {
    /// Digest of the spec.
    pub digest: Arc<str>,
    /// The spec, read.
    pub value: Arc<T>,
    /// The spec as JSON text.
    pub spec: String,
    /// When the API server took it, between the observation of the version before and its receipt.
    pub accepted: Instant,
    /// Creation of the object: a first version is in force from then on.
    pub created: Instant,
}

impl<T: Recorded> KindVersions<T> {
    /// Notes a version that the watch of the object shows.
    pub fn see(&mut self, key: &ObjectKey, seen: Seen<T>) {
        let subject = self.subjects.entry(key.clone()).or_default();
        subject.accepted = seen.accepted;
        subject.created = seen.created;
        let since = if subject.seen.is_empty() { seen.created } else { seen.accepted };
        if subject.seen.last().is_some_and(|last| last.digest == seen.digest) {
            return;
        }
        let since = subject.seen.last().map_or(since, |last| since.max(last.since.plus_ms(1)));
        subject.pending.push(Pending { digest: seen.digest.clone(), spec: seen.spec.into() });
        subject.seen.push(Version { since, digest: seen.digest, value: seen.value });
    }

    /// The objects of which anything is known, also those that are gone.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.subjects.keys()
    }

    /// The object is gone: its records stay.
    pub fn forget(&mut self, key: &ObjectKey) {
        if let Some(subject) = self.subjects.get_mut(key) {
            subject.seen.clear();
            subject.pending.clear();
            if subject.recorded.is_empty() {
                self.subjects.remove(key);
            }
        }
    }

    /// Takes in a record; returns whether it was new.
    fn record(&mut self, key: &ObjectKey, record: &VersionRecord) -> bool {
        let subject = self.subjects.entry(key.clone()).or_default();
        let known = |known: &Known<T>| known.ordinal == record.ordinal && *known.version.digest == *record.digest;
        if subject.recorded.iter().any(|one| known(one) && one.version.since == record.since) {
            return false;
        }
        subject.recorded.retain(|one| !known(one));
        // The same spec is kept once.
        let twin = subject.seen.iter().find(|version| *version.digest == *record.digest);
        let (digest, value) = match twin {
            Some(version) => (version.digest.clone(), Some(version.value.clone())),
            None => (record.digest.as_str().into(), T::read(&record.spec).map(Arc::new)),
        };
        let Some(value) = value else { return false };
        let version = Version { since: record.since, digest, value };
        subject.recorded.push(Known { ordinal: record.ordinal, version });
        subject.recorded.sort_by_key(|one| one.version.since);
        true
    }

    /// Forgets the record of this name, if it is one of the kind.
    fn unrecord(&mut self, key: &ObjectKey, name: &str) {
        if let Some(subject) = self.subjects.get_mut(key) {
            subject.recorded.retain(|one| record_name(T::KIND, &key.name, &one.version.digest, one.ordinal) != *name);
        }
    }

    /// Whether any version of an object is known.
    pub fn is_known(&self, key: &ObjectKey) -> bool {
        self.subjects.get(key).is_some_and(|subject| !subject.seen.is_empty() || !subject.recorded.is_empty())
    }

    /// The versions of an object of this name, also of one that was there before it.
    pub fn known(&self, key: &ObjectKey) -> Versions<T> {
        let Some(subject) = self.subjects.get(key) else { return Versions::default() };
        history(&subject.recorded(), &subject.seen, subject.accepted)
    }

    /// As [`Self::known`]; specs that need not be recorded any more are dropped.
    pub fn of(&mut self, key: &ObjectKey) -> Versions<T> {
        let versions = self.known(key);
        if let Some(subject) = self.subjects.get_mut(key) {
            subject.settle(&versions);
        }
        versions
    }

    /// The versions of an object before a spec of this digest is seen, and whether it was restored.
    pub fn before(&mut self, key: &ObjectKey, seen: &Seen<T>) -> (Versions<T>, bool) {
        let Some(subject) = self.subjects.get_mut(key) else { return (Versions::default(), false) };
        subject.created = seen.created;
        let recorded = subject.recorded();
        let (own, restored) = records_of(&recorded, seen.created, &seen.digest);
        (history(own, &subject.seen, subject.accepted), restored)
    }

    /// The versions of the object that is there now, and whether it was restored.
    pub fn of_object(&mut self, key: &ObjectKey) -> (Versions<T>, bool) {
        let Some(subject) = self.subjects.get_mut(key) else { return (Versions::default(), false) };
        let recorded = subject.recorded();
        let digest = subject.seen.last().map_or("", |newest| &*newest.digest);
        let (own, restored) = records_of(&recorded, subject.created, digest);
        let versions = history(own, &subject.seen, subject.accepted);
        subject.settle(&versions);
        (versions, restored)
    }

    /// The records that are to be written for an object, in the namespace `home`.
    pub fn unrecorded(&self, key: &ObjectKey, home: &str, versions: &Versions<T>, writes: &mut Vec<Write>) {
        let Some(subject) = self.subjects.get(key).filter(|subject| !subject.pending.is_empty()) else { return };
        for version in versions.all().iter().filter(|version| !subject.has(version)) {
            let pending = subject.pending.iter().find(|pending| pending.digest == version.digest);
            let Some(spec) = pending.and_then(|pending| serde_json::from_str::<Value>(&pending.spec).ok()) else {
                continue;
            };
            let before = subject.recorded.iter().filter(|one| one.version.digest == version.digest);
            let record = VersionRecord {
                kind: T::KIND,
                subject: key.name.to_string(),
                ordinal: before.map(|one| one.ordinal).max().unwrap_or(0) + 1,
                since: version.since,
                digest: version.digest.to_string(),
                spec,
            };
            let body = record_object(home, &record, subject.recorded.len() + writes.len() + 1);
            let name = record_name(T::KIND, &key.name, &record.digest, record.ordinal);
            writes.push(Write {
                resource: Resource::VersionRecord,
                key: ObjectKey::new(home, name),
                action: Action::Create { body },
            });
        }
    }
}

impl<T> Subject<T> {
    fn recorded(&self) -> Vec<Version<T>> {
        self.recorded.iter().map(|one| one.version.clone()).collect()
    }

    fn has(&self, version: &Version<T>) -> bool {
        self.recorded.iter().any(|one| one.version.digest == version.digest && one.version.since == version.since)
    }

    /// Specs that are recorded, or turned out never to have been in force, need not be kept.
    fn settle(&mut self, versions: &Versions<T>) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|pending| {
            versions.all().iter().any(|version| version.digest == pending.digest && !self.has(version))
        });
        self.pending = pending;
    }
}

/// The versions of our objects.
#[derive(Debug, Default)]
pub struct VersionIndex {
    /// Of Services.
    pub services: KindVersions<ServiceRules>,
    /// Of agreements.
    pub agreements: KindVersions<Terms>,
    /// Of calendars; their key has no namespace.
    pub calendars: KindVersions<OwnCalendar>,
    /// The subject of each record, by the key of the record.
    subjects: HashMap<ObjectKey, (RecordedKind, ObjectKey)>,
}

impl VersionIndex {
    /// Takes in a record; returns the subject whose versions it changed.
    pub fn record(&mut self, at: &ObjectKey, record: &VersionRecord) -> Option<(RecordedKind, ObjectKey)> {
        let namespace = if record.kind == RecordedKind::Calendar { "".into() } else { at.namespace.clone() };
        let key = ObjectKey::new(namespace, record.subject.as_str());
        self.subjects.insert(at.clone(), (record.kind, key.clone()));
        let is_new = match record.kind {
            RecordedKind::Service => self.services.record(&key, record),
            RecordedKind::Agreement => self.agreements.record(&key, record),
            RecordedKind::Calendar => self.calendars.record(&key, record),
        };
        is_new.then_some((record.kind, key))
    }

    /// Takes in a record that was just written, unless the watch shows one of its name.
    pub fn remember(&mut self, at: &ObjectKey, record: &VersionRecord) {
        if !self.subjects.contains_key(at) {
            self.record(at, record);
        }
    }

    /// Forgets a record.
    pub fn unrecord(&mut self, at: &ObjectKey) {
        let Some((kind, key)) = self.subjects.remove(at) else { return };
        match kind {
            RecordedKind::Service => self.services.unrecord(&key, &at.name),
            RecordedKind::Agreement => self.agreements.unrecord(&key, &at.name),
            RecordedKind::Calendar => self.calendars.unrecord(&key, &at.name),
        }
    }

    /// The keys of the records.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.subjects.keys()
    }
}
