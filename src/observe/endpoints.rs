//! The endpoints of core Services, by service: what `EndpointSlices` say together.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::service::Terminating;
use crate::domain::limits::TRIGGER_AGE_MS;
use crate::domain::readiness::{Endpoint, EndpointKey, ready_count};
use crate::domain::reason::Reason;
use crate::domain::time::Instant;

use super::facts::{CoreService, ObjectKey, Slice};

/// What the index knows of one core Service.
#[derive(Debug, Default)]
struct Entry {
    /// Slices by name. Almost always one.
    slices: Vec<(Arc<str>, Box<[Endpoint]>)>,
    service: Option<CoreFacts>,
    /// Whether the Service was ever there.
    seen: bool,
    /// When the last change arrived.
    changed_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct CoreFacts {
    uid: Box<str>,
    publish_not_ready: bool,
    external_name: bool,
}

/// Endpoints of all core Services.
#[derive(Debug, Default)]
pub struct EndpointIndex {
    entries: HashMap<ObjectKey, Entry>,
    /// Endpoints of address types that cannot be counted, by slice.
    ignored: HashMap<ObjectKey, u32>,
    /// Change-trigger times that were not believed although the state became worse.
    pub clamped_times: u64,
}

/// One change of the endpoints of one core Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointChange {
    /// The core Service.
    pub service: ObjectKey,
    /// The change-trigger time, if exactly one endpoint changed in this update and became worse.
    pub trigger: Option<Instant>,
    /// Whether anything became worse.
    pub worse: bool,
    /// The nodes of endpoints that became worse and are still named.
    pub lost_on: Vec<Box<str>>,
}

impl EndpointIndex {
    /// Takes in a slice. None if it changes nothing that counts.
    pub fn apply_slice(&mut self, slice: &Slice, now: Instant) -> Option<EndpointChange> {
        let service = ObjectKey::new(slice.metadata.namespace.as_str(), slice.service_name()?);
        let Some(endpoints) = slice.endpoints() else {
            let count = slice.endpoints.as_ref().map_or(0, Vec::len) as u32;
            self.ignored.insert(slice.metadata.key(), count);
            return None;
        };
        let entry = self.entries.entry(service.clone()).or_default();
        let known = entry.slices.iter_mut().find(|(name, _)| **name == *slice.metadata.name);
        let mut lost_on = Vec::new();
        let (changed, worse) = if let Some((_, before)) = known {
            let difference = compare(before, &endpoints);
            if difference.1 {
                lost_on = lost_nodes(before, &endpoints, slice);
            }
            *before = endpoints.into();
            difference
        } else {
            let added = endpoints.len();
            entry.slices.push((slice.metadata.name.as_str().into(), endpoints.into()));
            (added, false)
        };
        if changed > 0 {
            entry.changed_at = Some(now);
        }
        // The annotation names the oldest of all changes in the update: it dates this one only if it is alone.
        let trigger = slice.trigger_time().filter(|_| changed == 1 && worse);
        Some(EndpointChange { service, trigger, worse, lost_on })
    }

    /// Forgets a slice.
    pub fn delete_slice(&mut self, slice: &Slice) -> Option<EndpointChange> {
        self.ignored.remove(&slice.metadata.key());
        let service = ObjectKey::new(slice.metadata.namespace.as_str(), slice.service_name()?);
        let entry = self.entries.get_mut(&service)?;
        entry.slices.retain(|(name, _)| **name != *slice.metadata.name);
        self.drop_empty(&service);
        Some(EndpointChange { service, trigger: None, worse: true, lost_on: Vec::new() })
    }

    /// Takes in a core Service; returns its key. Another uid is another Service: what the slices of the former said
    /// is forgotten.
    pub fn apply_service(&mut self, service: &CoreService, now: Instant) -> ObjectKey {
        let key = service.metadata.key();
        let entry = self.entries.entry(key.clone()).or_default();
        let facts = CoreFacts {
            uid: service.metadata.uid.as_str().into(),
            publish_not_ready: service.spec.publish_not_ready_addresses,
            external_name: service.spec.kind == "ExternalName",
        };
        if entry.service.as_ref().is_some_and(|before| before.uid != facts.uid) {
            entry.slices.clear();
        }
        if entry.service.is_none() {
            entry.changed_at = Some(now);
        }
        entry.service = Some(facts);
        entry.seen = true;
        key
    }

    /// Notes that a core Service is gone.
    pub fn delete_service(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.service = None;
            entry.slices.clear();
        }
    }

    /// Forgets all slices, before a complete list.
    pub fn reset_slices(&mut self) {
        self.ignored.clear();
        for entry in self.entries.values_mut() {
            entry.slices.clear();
        }
        self.entries.retain(|_, entry| entry.seen);
    }

    /// Marks all core Services as gone, before a complete list. That they were seen stays.
    pub fn reset_services(&mut self) {
        for entry in self.entries.values_mut() {
            entry.service = None;
        }
    }

    /// Notes that a core Service was there before this process, as its ledger shows.
    pub fn remember(&mut self, key: &ObjectKey) {
        self.entries.entry(key.clone()).or_default().seen = true;
    }

    /// What is known of a core Service: the ready count, or why there is none.
    pub fn ready(&self, key: &ObjectKey, terminating: Terminating) -> Ready {
        let Some(entry) = self.entries.get(key) else { return Ready::Unknown(Reason::NeverSeen) };
        let Some(service) = &entry.service else {
            return if entry.seen { Ready::Gone(Reason::ServiceDeleted) } else { Ready::Unknown(Reason::NeverSeen) };
        };
        if service.external_name {
            return Ready::Unknown(Reason::NotMeasurable);
        }
        let endpoints = entry.slices.iter().flat_map(|(_, endpoints)| endpoints.iter().copied());
        Ready::Count(ready_count(endpoints, service.publish_not_ready, terminating))
    }

    /// Whether an endpoint of a core Service is this object, and ready.
    pub fn is_ready_endpoint(&self, key: &ObjectKey, uid: u128) -> bool {
        let endpoints = self.entries.get(key).into_iter().flat_map(|entry| &entry.slices);
        endpoints
            .flat_map(|(_, endpoints)| endpoints.iter())
            .any(|endpoint| endpoint.key == EndpointKey::Target(uid) && endpoint.ready)
    }

    /// When the last change of a core Service arrived.
    pub fn changed_at(&self, key: &ObjectKey) -> Option<Instant> {
        self.entries.get(key).and_then(|entry| entry.changed_at)
    }

    /// Endpoints that cannot be counted.
    pub fn ignored_endpoints(&self) -> u32 {
        self.ignored.values().sum()
    }

    fn drop_empty(&mut self, key: &ObjectKey) {
        if self.entries.get(key).is_some_and(|entry| !entry.seen && entry.slices.is_empty()) {
            self.entries.remove(key);
        }
    }
}

/// The ready count of a core Service, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// So many.
    Count(u32),
    /// It cannot be counted, or not yet.
    Unknown(Reason),
    /// It is gone.
    Gone(Reason),
}

/// The instant of a transition that was received at `received`.
///
/// The change-trigger time is believed only for a state that became worse, after the component's last transition, not
/// after receipt and at most 60 s before it. Returns whether a given time was refused, too.
pub fn transition_instant(trigger: Option<Instant>, last: Option<Instant>, received: Instant) -> (Instant, bool) {
    let Some(trigger) = trigger else { return (received, false) };
    let plausible =
        trigger <= received && received.ms_since(trigger) <= TRIGGER_AGE_MS && last.is_none_or(|last| trigger > last);
    if plausible { (trigger, false) } else { (received, true) }
}

/// How many endpoints differ, and whether any became worse.
fn compare(before: &[Endpoint], after: &[Endpoint]) -> (usize, bool) {
    let (mut changed, mut worse) = (0, false);
    for old in before {
        match after.iter().find(|new| new.key == old.key) {
            None => {
                changed += 1;
                worse = true;
            }
            Some(new) if new != old => {
                changed += 1;
                worse |= is_worse(*old, *new);
            }
            Some(_) => {}
        }
    }
    changed += after.iter().filter(|new| !before.iter().any(|old| old.key == new.key)).count();
    (changed, worse)
}

fn is_worse(old: Endpoint, new: Endpoint) -> bool {
    old.ready && !new.ready || old.serving && !new.serving
}

/// The nodes of endpoints that became worse. The endpoints of a node that is lost stay in their slice for a while, so
/// no memory of who ran where is needed.
fn lost_nodes(before: &[Endpoint], after: &[Endpoint], slice: &Slice) -> Vec<Box<str>> {
    let mut nodes: Vec<Box<str>> = Vec::new();
    for (new, told) in after.iter().zip(slice.endpoints.iter().flatten()) {
        let is_lost = || before.iter().any(|old| old.key == new.key && is_worse(*old, *new));
        if let Some(node) = told.node().filter(|node| nodes.iter().all(|other| **other != **node) && is_lost()) {
            nodes.push(node.into());
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const NOW: Instant = Instant::from_ms(0);

    fn key() -> ObjectKey {
        ObjectKey::new("shop", "api")
    }

    fn core(uid: &str) -> CoreService {
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "api", "uid": uid}, "spec": {}}))
            .unwrap()
    }

    fn slice(ready: &[(&str, bool)], trigger: Option<&str>) -> Slice {
        let endpoints: Vec<_> = ready
            .iter()
            .map(|(uid, ready)| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"uid": uid}}))
            .collect();
        let annotations = trigger.map_or(json!({}), |at| json!({super::super::facts::TRIGGER_TIME: at}));
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "api-1", "labels": {"kubernetes.io/service-name": "api"}, "annotations": annotations},
            "addressType": "IPv4",
            "endpoints": endpoints,
        }))
        .unwrap()
    }

    fn count(index: &EndpointIndex) -> Ready {
        index.ready(&key(), Terminating::Serving)
    }

    #[test]
    fn m_75_a_service_deleted_and_created_anew() {
        let mut index = EndpointIndex::default();
        index.apply_slice(&slice(&[("a", true)], None), NOW);
        assert_eq!(count(&index), Ready::Unknown(Reason::NeverSeen));
        index.apply_service(&core("1"), NOW);
        assert_eq!(count(&index), Ready::Count(1));
        index.delete_service(&key());
        assert_eq!(count(&index), Ready::Gone(Reason::ServiceDeleted));
        index.apply_service(&core("2"), NOW);
        assert_eq!(count(&index), Ready::Count(0), "what the former's slices said is forgotten");
    }

    #[test]
    fn m_101_the_trigger_time_dates_a_change_only_if_it_is_alone() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let mut index = EndpointIndex::default();
        index.apply_slice(&slice(&[("a", true), ("b", true)], None), NOW);
        let one = index.apply_slice(&slice(&[("a", true), ("b", false)], Some("2025-11-18T14:00:00Z")), NOW).unwrap();
        assert_eq!((one.trigger, one.worse), (Some(at("2025-11-18T14:00:00Z")), true));
        let both = index.apply_slice(&slice(&[("a", false), ("b", true)], Some("2025-11-18T14:00:30Z")), NOW).unwrap();
        assert_eq!(both.trigger, None);
        let better = index.apply_slice(&slice(&[("a", true), ("b", true)], Some("2025-11-18T14:01:00Z")), NOW).unwrap();
        assert_eq!((better.trigger, better.worse), (None, false));
    }

    #[test]
    fn implausible_trigger_times_are_refused() {
        let ms = Instant::from_ms;
        assert_eq!(transition_instant(Some(ms(97_000)), None, ms(100_000)), (ms(97_000), false));
        assert_eq!(transition_instant(Some(ms(100_001)), None, ms(100_000)), (ms(100_000), true), "in the future");
        assert_eq!(transition_instant(Some(ms(0)), None, ms(100_000)), (ms(100_000), true), "too old");
        assert_eq!(transition_instant(Some(ms(97_000)), Some(ms(98_000)), ms(100_000)), (ms(100_000), true));
        assert_eq!(transition_instant(None, None, ms(100_000)), (ms(100_000), false));
    }

    #[test]
    fn the_nodes_of_lost_endpoints_are_told() {
        let told = |ready: [bool; 3]| -> Slice {
            let endpoint = |(index, ready): (usize, &bool)| {
                json!({"addresses": [format!("10.0.0.{index}")], "conditions": {"ready": ready},
                    "nodeName": (index < 2).then(|| format!("node-{index}"))})
            };
            serde_json::from_value(json!({
                "metadata": {"namespace": "shop", "name": "api-1", "labels": {"kubernetes.io/service-name": "api"}},
                "addressType": "IPv4",
                "endpoints": ready.iter().enumerate().map(endpoint).collect::<Vec<_>>(),
            }))
            .unwrap()
        };
        let mut index = EndpointIndex::default();
        assert!(index.apply_slice(&told([true, true, true]), NOW).unwrap().lost_on.is_empty());
        assert_eq!(*index.apply_slice(&told([true, false, false]), NOW).unwrap().lost_on, ["node-1".into()]);
        assert!(index.apply_slice(&told([true, true, true]), NOW).unwrap().lost_on.is_empty());
    }

    #[test]
    fn slices_of_other_address_types_are_counted_apart() {
        let mut index = EndpointIndex::default();
        let mut fqdn = slice(&[("a", true)], None);
        fqdn.address_type = "FQDN".into();
        assert!(index.apply_slice(&fqdn, NOW).is_none());
        assert_eq!(index.ignored_endpoints(), 1);
        index.delete_slice(&fqdn);
        assert_eq!(index.ignored_endpoints(), 0);
    }
}
