//! Taking in what the watches show.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::control::gaps::Next;
use crate::control::streams::Stream;
use crate::control::subject::Subject;
use crate::control::watch::Change;
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};
use crate::observe::endpoints::{EndpointChange, transition_instant};
use crate::observe::facts::{CoreService, Named, ObjectKey, Pod, Slice, Workload};

use super::World;
use super::entries::{SeenAgreement, SeenReport, SeenService};

impl World {
    /// Takes in one message of a stream, received at `now`.
    pub fn take(&mut self, stream: &Stream, change: Change, now: Instant) {
        let state = self.streams.entry(stream.clone()).or_default();
        match change {
            Change::Restarted => {
                state.listing = true;
                state.is_partial = true;
                state.list_began = Some(now);
                state.lose(now);
                self.listed.insert(stream.clone(), std::collections::HashSet::new());
                self.begin_list(stream);
            }
            Change::Complete => self.complete(stream, now),
            Change::Resumed => self.heard(stream, now),
            Change::Progress(version) => {
                self.show(stream, &version);
                self.heard(stream, now);
                self.see_again(stream, self.patience.stalled_ms, now);
            }
            Change::Failed(failure) => {
                state.lose(now);
                state.listing = false;
                let first = state.failure.as_ref() != Some(&failure);
                state.failure = Some(failure);
                if first {
                    // What was never listed is now known to be refused.
                    self.look_again(stream, None, now);
                    self.mark_shown_by(stream);
                }
            }
            Change::Applied(raw) => {
                self.heard(stream, now);
                self.note_listed(stream, &raw);
                self.applied(stream, &raw, now);
                self.see_again(stream, self.patience.ask_ms / 4, now);
            }
            Change::Deleted(raw) => {
                self.heard(stream, now);
                self.deleted(stream, &raw, now);
                self.see_again(stream, self.patience.ask_ms / 4, now);
            }
        }
    }

    /// The stream shows something: what hid behind its failure is shown again.
    fn heard(&mut self, stream: &Stream, now: Instant) {
        let state = self.streams.entry(stream.clone()).or_default();
        state.heard = Some(now);
        if state.failure.take().is_some() {
            self.mark_shown_by(stream);
        }
    }

    /// Before a complete list: indexes of counts begin anew; they are not asked until the list is complete.
    fn begin_list(&mut self, stream: &Stream) {
        match stream {
            Stream::Slices => self.endpoints.reset_slices(),
            Stream::CoreServices => self.endpoints.reset_services(),
            Stream::Workloads(kind) => self.workloads.reset(*kind),
            Stream::Pods(selection) => self.pods.reset(selection),
            _ => {}
        }
    }

    fn complete(&mut self, stream: &Stream, now: Instant) {
        let state = self.streams.entry(stream.clone()).or_default();
        let gap_from = state.blind_since.take().filter(|_| state.synced);
        state.synced = true;
        state.listing = false;
        state.is_partial = false;
        // A complete list proves what was to its beginning.
        let began = state.list_began.take();
        state.prove(began);
        self.heard(stream, now);
        if let Stream::Pods(selection) = stream {
            self.pods.complete(selection);
        }
        self.seeks_departed |= stream.is_declared();
        let listed = self.listed.remove(stream).unwrap_or_default();
        match stream {
            Stream::Services => {
                for key in missing(self.services.keys(), &listed) {
                    self.forget_service(&key, now);
                }
            }
            Stream::Agreements => {
                for key in missing(self.agreements.keys(), &listed) {
                    self.forget_agreement(&key, now);
                }
            }
            Stream::Calendars => {
                let gone: Vec<_> = self
                    .calendars
                    .keys()
                    .filter(|name| !listed.iter().any(|key| key.name == **name))
                    .cloned()
                    .collect();
                for name in gone {
                    self.forget_calendar(&name);
                }
            }
            Stream::Reports => {
                self.reports.retain(|_, list| {
                    list.retain(|report| listed.contains(&report.key));
                    !list.is_empty()
                });
                self.mark_all();
            }
            Stream::Versions => {
                for key in missing(self.versions.keys(), &listed) {
                    self.forget_version_record(&key);
                }
            }
            _ => self.look_again(stream, gap_from, now),
        }
    }

    /// Looks at all components that a measured stream serves, after a complete list. What happened in a gap before it
    /// was not seen.
    fn look_again(&mut self, stream: &Stream, gap_from: Option<Instant>, now: Instant) {
        if self.started.is_none() {
            return;
        }
        let mut after = HashMap::new();
        for (service, component) in self.served_by(stream) {
            if let Some(from) = gap_from {
                self.blind_component(&service, component, from);
            }
            self.refresh(&service, component, now);
            let tracker = self.services.get(&service).and_then(|entry| entry.tracker.as_ref());
            if let Some(tracked) = tracker.and_then(|tracker| tracker.members().get(component)) {
                after.insert((service, component), tracked.observation);
            }
        }
        if let Some(span) = gap_from.and_then(|from| Interval::new(from, now)).filter(|_| !after.is_empty()) {
            self.open_gap(span, Reason::SourceLost, after, Next::Pods);
        }
    }

    /// Notes that a component was not observed from `from` on.
    fn blind_component(&mut self, service: &ObjectKey, component: usize, from: Instant) {
        let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) else { return };
        if tracker.observe(component, Observation::Unknown(Reason::SourceLost), from) {
            self.spread(service, from);
        }
    }

    fn note_listed(&mut self, stream: &Stream, raw: &RawValue) {
        if let Some(listed) = self.listed.get_mut(stream)
            && stream.is_declared()
            && let Ok(named) = serde_json::from_str::<Named>(raw.get())
        {
            listed.insert(named.metadata.key());
        }
    }

    /// Decodes an object; one that cannot be decoded is noted, so that it stops nothing and is not overlooked.
    fn decode<T: DeserializeOwned>(&mut self, stream: &Stream, raw: &RawValue) -> Option<T> {
        match serde_json::from_str::<T>(raw.get()) {
            Ok(object) => {
                if !self.undecodable.is_empty()
                    && let Ok(named) = serde_json::from_str::<Named>(raw.get())
                {
                    self.undecodable.remove(&(stream.name(), named.metadata.key()));
                }
                Some(object)
            }
            Err(error) => {
                let key = serde_json::from_str::<Named>(raw.get()).map(|named| named.metadata.key());
                if let Ok(key) = key {
                    tracing::warn!(stream = stream.name(), object = %key, %error, "failed to decode an object, it is passed over");
                    self.undecodable.insert((stream.name(), key), error.to_string());
                }
                None
            }
        }
    }

    fn applied(&mut self, stream: &Stream, raw: &RawValue, now: Instant) {
        match stream {
            Stream::Slices => {
                let Some(slice) = self.decode::<Slice>(stream, raw) else { return };
                self.show(stream, &slice.metadata.resource_version);
                if let Some(change) = self.endpoints.apply_slice(&slice, now) {
                    self.endpoints_changed(stream, &change, now);
                }
            }
            Stream::CoreServices => {
                let Some(service) = self.decode::<CoreService>(stream, raw) else { return };
                self.show(stream, &service.metadata.resource_version);
                let key = self.endpoints.apply_service(&service, now);
                self.endpoints_changed(
                    stream,
                    &EndpointChange { service: key, trigger: None, worse: false, lost_on: Vec::new() },
                    now,
                );
            }
            Stream::Workloads(kind) => {
                let Some(workload) = self.decode::<Workload>(stream, raw) else { return };
                self.show(stream, &workload.metadata.resource_version);
                if let Some(change) = self.workloads.apply(*kind, &workload, now) {
                    let users = self.uses.workloads.get(&(*kind, workload.metadata.key())).cloned();
                    self.components_changed(stream, users, change.trigger, false, &[], now);
                }
            }
            Stream::Pods(selection) => {
                let Some(pod) = self.decode::<Pod>(stream, raw) else { return };
                self.show(stream, &pod.metadata.resource_version);
                if self.pods.apply(selection, &pod) {
                    let users = self.uses.pods.get(selection).cloned();
                    let lost_on = pod.node().filter(|_| !pod.is_ready()).map(Box::from);
                    self.components_changed(stream, users, None, false, lost_on.as_slice(), now);
                }
            }
            Stream::Services => {
                if let Some(seen) = self.decode::<SeenService>(stream, raw) {
                    self.apply_service(seen, raw, now);
                }
            }
            Stream::Agreements => {
                if let Some(seen) = self.decode::<SeenAgreement>(stream, raw) {
                    self.apply_agreement(seen, raw, now);
                }
            }
            Stream::Calendars => {
                if let Some(seen) = self.decode(stream, raw) {
                    self.apply_calendar(seen, raw, now);
                }
            }
            Stream::Reports => {
                if let Some(seen) = self.decode::<SeenReport>(stream, raw) {
                    self.apply_report(seen);
                }
            }
            Stream::Versions => {
                if let Some(seen) = self.decode(stream, raw) {
                    self.apply_version_record(&seen);
                }
            }
            Stream::Lease => {}
        }
    }

    fn deleted(&mut self, stream: &Stream, raw: &RawValue, now: Instant) {
        match stream {
            Stream::Slices => {
                let Some(slice) = self.decode::<Slice>(stream, raw) else { return };
                self.show(stream, &slice.metadata.resource_version);
                if let Some(change) = self.endpoints.delete_slice(&slice) {
                    self.endpoints_changed(stream, &change, now);
                }
            }
            Stream::Pods(selection) => {
                let Some(pod) = self.decode::<Pod>(stream, raw) else { return };
                if self.pods.delete(selection, &pod) {
                    let users = self.uses.pods.get(selection).cloned();
                    self.components_changed(stream, users, None, true, &[], now);
                }
            }
            Stream::Reports => {
                if let Some(seen) = self.decode::<SeenReport>(stream, raw) {
                    self.forget_report(&seen);
                }
            }
            _ => {
                let Some(named) = self.decode::<Named>(stream, raw) else { return };
                let key = named.metadata.key();
                self.show(stream, &named.metadata.resource_version);
                match stream {
                    Stream::CoreServices => {
                        self.endpoints.delete_service(&key);
                        let change = EndpointChange { service: key, trigger: None, worse: true, lost_on: Vec::new() };
                        self.endpoints_changed(stream, &change, now);
                    }
                    Stream::Workloads(kind) => {
                        self.workloads.delete(*kind, &key);
                        let users = self.uses.workloads.get(&(*kind, key)).cloned();
                        self.components_changed(stream, users, None, true, &[], now);
                    }
                    Stream::Services => self.forget_service(&key, now),
                    Stream::Agreements => self.forget_agreement(&key, now),
                    Stream::Calendars => self.forget_calendar(&key.name),
                    Stream::Versions => self.forget_version_record(&key),
                    _ => {}
                }
            }
        }
    }

    /// A message of a stream carries a resourceVersion, which proves what was until then.
    fn show(&mut self, stream: &Stream, version: &str) {
        if let (Ok(version), Some(state)) = (version.parse(), self.streams.get_mut(stream)) {
            state.show(version, &self.pulse);
        }
    }

    pub(super) fn see_again(&mut self, stream: &Stream, within_ms: i64, now: Instant) {
        if self.streams.get_mut(stream).is_some_and(|state| state.see_again(within_ms, now)) {
            self.mark_shown_by(stream);
        }
    }

    fn endpoints_changed(&mut self, stream: &Stream, change: &EndpointChange, now: Instant) {
        let users = self.uses.endpoints.get(&change.service).cloned();
        self.components_changed(stream, users, change.trigger, change.worse, &change.lost_on, now);
    }

    /// Looks at the components that a change touches. After a gap in a resumed watch only a dated change is proved
    /// from its date on; any other leaves the gap unknown.
    fn components_changed(
        &mut self,
        stream: &Stream,
        users: Option<Vec<(ObjectKey, usize)>>,
        trigger: Option<Instant>,
        worse: bool,
        lost_on: &[Box<str>],
        now: Instant,
    ) {
        let state = self.streams.entry(stream.clone()).or_default();
        if state.listing || self.started.is_none() {
            return;
        }
        // The event itself proves that nothing was missed up to the newest renewal before it.
        let blind_since = state.blind_since.map(|since| since.max(state.proved_until.unwrap_or(since)));
        let mut undated = None;
        for (service, component) in users.unwrap_or_default() {
            let last = self.last_transition(&service, component);
            let (at, refused) = transition_instant(trigger, last, now);
            if (refused || trigger.is_none()) && worse {
                self.endpoints.clamped_times += u64::from(refused);
            }
            let dated = trigger.is_some() && !refused && blind_since.is_none_or(|since| at > since);
            if let Some(since) = blind_since.filter(|_| !dated) {
                self.blind_component(&service, component, since);
                undated = Some(since);
            }
            let was_down = self.is_down(&service, component);
            let at = if dated { at } else { now };
            self.refresh(&service, component, at);
            if !was_down && self.is_down(&service, component) {
                self.note_lost(&service, at, lost_on);
            }
        }
        if let Some(since) = undated {
            self.give_up_silence(stream, since, now);
        }
    }

    fn last_transition(&self, service: &ObjectKey, component: usize) -> Option<Instant> {
        let tracker = self.services.get(service)?.tracker.as_ref()?;
        tracker.members().get(component)?.since
    }

    /// Everything is planned anew.
    pub(super) fn mark_all(&mut self) {
        let services = self.services.keys().cloned().map(Subject::Service);
        let agreements = self.agreements.keys().cloned().map(Subject::Agreement);
        let calendars = self.calendars.keys().cloned().map(Subject::Calendar);
        let departed = self.departed.keys().cloned().map(Subject::Departed);
        services.chain(agreements).chain(calendars).chain(departed).for_each(|subject| self.queue.mark(subject));
    }
}

fn missing<'a>(
    known: impl Iterator<Item = &'a ObjectKey>,
    listed: &std::collections::HashSet<ObjectKey>,
) -> Vec<ObjectKey> {
    known.filter(|key| !listed.contains(*key)).cloned().collect()
}
