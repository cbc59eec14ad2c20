//! Agreements as their watch shows them.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::api::report::SubjectKind;
use crate::control::fingerprint;
use crate::control::record::Record;
use crate::control::subject::{Subject, Writing, Written};
use crate::control::versions::Seen;
use crate::domain::agreement::{Schedule, Terms, spec_digest};
use crate::domain::report::amendment_beyond;
use crate::domain::time::Instant;
use crate::domain::version::Version;
use crate::observe::facts::ObjectKey;

use super::World;
use super::entries::{AgreementEntry, SeenAgreement, remember};
use super::versions::accepted_at;

impl World {
    pub(super) fn apply_agreement(&mut self, seen: SeenAgreement, raw: &RawValue, now: Instant) {
        let key = seen.metadata.key();
        let uid: Box<str> = seen.metadata.uid.as_str().into();
        if self.agreements.get(&key).is_some_and(|entry| entry.uid != uid) {
            self.forget_agreement(&key, now);
        }
        let version: Box<str> = seen.metadata.resource_version.as_str().into();
        let status = seen.status.unwrap_or_default();
        let (fingerprint, shown) = fingerprint::agreement(&status);
        let is_following = self.leadership.is_none();
        if let Some(entry) = self.agreements.get_mut(&key)
            && entry.generation == seen.metadata.generation
        {
            let ours = entry.writing.written.fingerprint == fingerprint;
            entry.writing.version = version;
            entry.seen_at = Some(now);
            if is_following {
                let written = Written { fingerprint, shown, conditions: remember(Some(&status.conditions)) };
                entry.writing.see(written, status.as_of.as_deref(), now);
            } else if !ours && !entry.writing.in_flight {
                entry.writing.written.fingerprint = fingerprint;
                self.queue.mark(Subject::Agreement(key));
            }
            return;
        }
        let created = seen.metadata.created().unwrap_or(now).min(now);
        let entry = self.agreements.entry(key.clone()).or_insert_with(|| AgreementEntry {
            uid: uid.clone(),
            generation: 0,
            seen_at: None,
            kind: seen.spec.kind.unwrap_or_default(),
            waiting: None,
            problems: Vec::new(),
            is_restored: false,
            record: None,
            entered: None,
            verdict: None,
            planned: false,
            window_edge: None,
            writing: Writing::default(),
        });
        entry.generation = seen.metadata.generation;
        entry.kind = seen.spec.kind.unwrap_or_default();
        entry.writing.version = version;
        let written = Written { fingerprint, shown, conditions: remember(Some(&status.conditions)) };
        entry.writing.see(written, status.as_of.as_deref(), now);
        let digest: Arc<str> = spec_digest(&key.namespace, &key.name, &seen.spec).into();
        entry.waiting = None;
        match Terms::from_spec(&seen.spec) {
            Err(problems) => entry.problems = problems,
            Ok(terms) => {
                entry.problems.clear();
                let accepted = accepted_at(raw, entry.seen_at.replace(now), now);
                let spec = serde_json::to_string(&seen.spec).unwrap_or_default();
                let first = seen.metadata.created().unwrap_or(created);
                let version = Seen { digest, value: Arc::new(terms), spec, accepted, created: first };
                if self.started.is_some() {
                    self.amend(&key, version, created, now);
                } else {
                    // Whether the running report has room for it, the records of its versions say.
                    entry.waiting = Some(version);
                }
            }
        }
        self.queue.mark(Subject::Agreement(key));
    }

    /// Takes over the terms of all agreements, once everything is listed.
    pub(super) fn take_listed_terms(&mut self, now: Instant) {
        let listed = self.agreements.iter_mut();
        let listed: Vec<_> = listed.filter_map(|(key, entry)| Some((key.clone(), entry.waiting.take()?))).collect();
        for (key, version) in listed {
            let created = version.created.min(now);
            self.amend(&key, version, created, now);
        }
    }

    /// Takes over the terms of an agreement: the first, or an amendment, which waits if the running report has no room
    /// for another part.
    fn amend(&mut self, key: &ObjectKey, version: Seen<Terms>, created: Instant, now: Instant) {
        let (known, was_restored) = self.versions.agreements.before(key, &version);
        let Some(entry) = self.agreements.get_mut(key) else { return };
        let refused = amendment_beyond(&known, created, &amendment(&version, version.accepted));
        let (versions, is_restored) = if let Some(refused) = refused {
            entry.problems = vec![refused];
            entry.waiting = Some(version);
            if entry.record.is_some() {
                return;
            }
            // Refused before this process was there: what was in force before still is.
            (known, was_restored)
        } else {
            self.versions.agreements.see(key, version);
            self.versions.agreements.of_object(key)
        };
        let Some(newest) = versions.newest().map(|newest| newest.value.clone()) else { return };
        let service = newest.service.clone();
        entry.is_restored = is_restored;
        if let Some(record) = &mut entry.record {
            record.terms = versions;
            record.match_lines();
        } else {
            let kind = SubjectKind::ServiceLevelAgreement;
            let uid = entry.uid.clone();
            entry.record = Some(Record::new(kind, key.clone(), &uid, created, service.clone(), versions));
        }
        let service_key = ObjectKey::new(key.namespace.clone(), service);
        self.enter_agreement(key, &service_key, &newest);
        if self.started.is_some() {
            self.restore_agreement(key);
            self.agreement_look(key, &service_key, created, now);
        }
        self.queue.mark(Subject::Service(service_key));
    }

    /// Looks at an amendment that waits: it comes into force with the period after the one that had no room for it.
    pub(super) fn retry_amendment(&mut self, key: &ObjectKey, now: Instant) {
        let Some(entry) = self.agreements.get_mut(key) else { return };
        let (Some(waiting), Some(record)) = (&entry.waiting, &entry.record) else { return };
        let created = record.created;
        let running = Schedule::of(&record.terms).map_or(now, |schedule| schedule.period_at(now).start);
        let since = if waiting.accepted < running { running } else { now };
        if amendment_beyond(&record.terms, created, &amendment(waiting, since)).is_none()
            && let Some(waiting) = entry.waiting.take()
        {
            entry.problems.clear();
            self.amend(key, Seen { accepted: since, ..waiting }, created, now);
        }
    }

    /// Enters an agreement where the objects that its terms name will look for it, and plans those anew.
    fn enter_agreement(&mut self, key: &ObjectKey, service: &ObjectKey, terms: &Arc<Terms>) {
        let list = self.uses.agreements.entry(service.clone()).or_default();
        if !list.contains(key) {
            list.push(key.clone());
        }
        let before = self.agreements.get_mut(key).and_then(|entry| entry.entered.replace(terms.clone()));
        if let Some(before) = before {
            self.withdraw_agreement(key, &before);
        }
        for calendar in terms.calendars() {
            self.uses.calendars.entry(calendar.clone()).or_default().insert(key.clone());
            self.queue.mark(Subject::Calendar(calendar.clone()));
        }
        self.index_underpinning(key, terms);
        self.mark_resting(key);
    }

    /// Takes an agreement out of where its former terms entered it, and plans anew what shows how many use it.
    fn withdraw_agreement(&mut self, key: &ObjectKey, terms: &Terms) {
        for calendar in terms.calendars() {
            if let Some(users) = self.uses.calendars.get_mut(calendar) {
                users.remove(key);
                if users.is_empty() {
                    self.uses.calendars.remove(calendar);
                }
            }
            self.queue.mark(Subject::Calendar(calendar.clone()));
        }
        self.unindex_underpinning(key, terms);
    }

    /// Notes the present state in the lines of an agreement: in force since the service has it, at the earliest since
    /// the agreement exists.
    pub(super) fn agreement_look(&mut self, key: &ObjectKey, service: &ObjectKey, created: Instant, now: Instant) {
        let Some(entry) = self.services.get(service) else { return };
        let Some(tracker) = &entry.tracker else { return };
        let since = entry.record.lines.first().and_then(|line| line.timeline.last()).map_or(now, |last| last.at);
        let Some(record) = self.agreements.get_mut(key).and_then(|entry| entry.record.as_mut()) else { return };
        let begun = record.lines.iter().any(|line| !line.timeline.entries().is_empty());
        let at = if begun { now } else { since.max(created).min(now) };
        if record.note(tracker, at) {
            self.unwritten.note(&Subject::Agreement(key.clone()), at);
        }
    }

    pub(super) fn forget_agreement(&mut self, key: &ObjectKey, now: Instant) {
        let Some(entry) = self.agreements.remove(key) else { return };
        self.versions.agreements.forget(key);
        self.queue.forget(&Subject::Agreement(key.clone()));
        self.unwritten.clear(&Subject::Agreement(key.clone()));
        if let Some(terms) = &entry.entered {
            self.withdraw_agreement(key, terms);
        }
        if let Some(record) = entry.record {
            self.mark_resting(key);
            let service = ObjectKey::new(key.namespace.clone(), record.service.clone());
            self.depart(record, self.horizon(&service, now), now);
            if let Some(list) = self.uses.agreements.get_mut(&service) {
                list.retain(|other| other != key);
                if list.is_empty() {
                    self.uses.agreements.remove(&service);
                }
            }
            self.queue.mark(Subject::Service(service));
        }
    }
}

/// A version as it would be in force from an instant on.
fn amendment(seen: &Seen<Terms>, since: Instant) -> Version<Terms> {
    Version { since, digest: seen.digest.clone(), value: seen.value.clone() }
}
