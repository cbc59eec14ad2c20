//! The few fields that measurement reads of each object, decoded straight from the watch.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Deserialize;

use crate::api::service::WorkloadKind;
use crate::domain::inference::PodFacts;
use crate::domain::readiness::{AddressFamily, Endpoint, EndpointKey};
use crate::domain::time::Instant;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// A key of these texts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// The part of the metadata that measurement reads; managed fields and the rest are passed over while decoding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name of the object.
    pub name: String,
    /// Its namespace, where it has one.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// Version of the object.
    pub resource_version: String,
    /// Version of its spec.
    pub generation: i64,
    /// When it was created.
    pub creation_timestamp: Option<String>,
    /// When its deletion was asked for.
    pub deletion_timestamp: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace.as_str(), self.name.as_str())
    }

    /// Creation as an instant.
    pub fn created(&self) -> Option<Instant> {
        self.creation_timestamp.as_deref().and_then(|text| Instant::parse(text).ok())
    }
}

/// Just enough of any object to name it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Its metadata.
    pub metadata: Metadata,
}

/// An `EndpointSlice`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Slice {
    /// Its metadata.
    pub metadata: Metadata,
    /// IPv4, IPv6 or FQDN.
    pub address_type: String,
    /// Its endpoints; absent in an empty slice.
    pub endpoints: Option<Vec<SliceEndpoint>>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceEndpoint {
    addresses: Vec<String>,
    conditions: Option<EndpointConditions>,
    target_ref: Option<TargetReference>,
    node_name: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TargetReference {
    uid: String,
}

/// Annotation with the oldest of the changes that the slice controller put into one update.
pub const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Label with the name of the core Service of a slice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl Slice {
    /// The core Service it belongs to.
    pub fn service_name(&self) -> Option<&str> {
        self.metadata.labels.get(SERVICE_NAME).map(String::as_str)
    }

    /// When the slice controller says the change happened.
    pub fn trigger_time(&self) -> Option<Instant> {
        self.metadata.annotations.get(TRIGGER_TIME).and_then(|text| Instant::parse(text).ok())
    }

    /// Its endpoints with the defaults of the API: absent `ready` is true, absent `serving` is `ready`, absent
    /// `terminating` is false. None for address types that cannot be counted.
    pub fn endpoints(&self) -> Option<Vec<Endpoint>> {
        let family = match self.address_type.as_str() {
            "IPv4" => AddressFamily::V4,
            "IPv6" => AddressFamily::V6,
            _ => return None,
        };
        let list = self.endpoints.as_deref().unwrap_or_default();
        Some(list.iter().map(|endpoint| endpoint.read(family)).collect())
    }
}

impl SliceEndpoint {
    /// The node that it runs on.
    pub fn node(&self) -> Option<&str> {
        self.node_name.as_deref().filter(|name| !name.is_empty())
    }

    fn read(&self, family: AddressFamily) -> Endpoint {
        let conditions = self.conditions.unwrap_or_default();
        let ready = conditions.ready.unwrap_or(true);
        let uid = self.target_ref.as_ref().map(|target| target.uid.as_str()).filter(|uid| !uid.is_empty());
        Endpoint {
            key: match uid {
                Some(uid) => EndpointKey::Target(hash_128(uid)),
                None => EndpointKey::Address(family, hash_128(self.addresses.first().map_or("", String::as_str))),
            },
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
        }
    }
}

/// 128 bits of a text, so that 36 characters of a uid are 16 bytes. A uid is 128 bits itself and is taken as it is.
pub fn hash_128(text: &str) -> u128 {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() == 32
        && let Ok(value) = u128::from_str_radix(&digits, 16)
    {
        return value;
    }
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        text.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

/// A core Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CoreService {
    /// Its metadata.
    pub metadata: Metadata,
    /// What measurement reads of its spec.
    pub spec: CoreServiceSpec,
}

/// What measurement reads of a core Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CoreServiceSpec {
    /// `ClusterIP`, `ExternalName` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether endpoints are published before they are ready.
    pub publish_not_ready_addresses: bool,
}

/// A Deployment, `StatefulSet` or `DaemonSet`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Its metadata.
    pub metadata: Metadata,
    spec: WorkloadSpec,
    status: WorkloadStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadSpec {
    replicas: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkloadStatus {
    available_replicas: u32,
    number_available: u32,
    desired_number_scheduled: u32,
    conditions: Vec<WorkloadCondition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkloadCondition {
    #[serde(rename = "type")]
    kind: String,
    last_transition_time: Option<String>,
}

impl Workload {
    /// Available replicas and wanted ones.
    pub fn counts(&self, kind: WorkloadKind) -> (u32, u32) {
        match kind {
            WorkloadKind::DaemonSet => (self.status.number_available, self.status.desired_number_scheduled),
            _ => (self.status.available_replicas, self.spec.replicas.unwrap_or(1)),
        }
    }

    /// When its Available condition moved last.
    pub fn available_since(&self) -> Option<Instant> {
        let condition = self.status.conditions.iter().find(|condition| condition.kind == "Available")?;
        condition.last_transition_time.as_deref().and_then(|text| Instant::parse(text).ok())
    }
}

/// A Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its metadata.
    pub metadata: Metadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<Box<str>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    conditions: Vec<PodCondition>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    last_transition_time: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    running: Option<Running>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<String>,
}

impl Pod {
    /// Ready, and not on its way out.
    pub fn is_ready(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
            && self.status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
    }

    /// The node that it runs on.
    pub fn node(&self) -> Option<&str> {
        self.spec.node_name.as_deref().filter(|name| !name.is_empty())
    }

    /// What it says of its own past; none if it does not say when it was created.
    pub fn facts(&self) -> Option<PodFacts> {
        let read = |text: &String| Instant::parse(text).ok();
        let ready = self.status.conditions.iter().find(|condition| condition.kind == "Ready");
        let running = self.status.container_statuses.iter().filter_map(|status| status.state.running.as_ref());
        Some(PodFacts {
            created: self.metadata.created()?,
            ready: self.is_ready(),
            since: ready.and_then(|condition| condition.last_transition_time.as_ref()).and_then(read),
            started: running.filter_map(|running| running.started_at.as_ref().and_then(read)).max(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::service::Terminating;
    use crate::domain::readiness::ready_count;
    use serde_json::json;

    fn slice(value: serde_json::Value) -> Slice {
        serde_json::from_value(value).unwrap()
    }

    /// M-72 a) and i); the other rows are counted in `domain::readiness`.
    #[test]
    fn m_72_defaults_and_kinds_of_slices() {
        let absent =
            slice(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]}));
        assert_eq!(ready_count(absent.endpoints().unwrap(), false, Terminating::Serving), 1);
        let fqdn = slice(json!({"addressType": "FQDN", "endpoints": [{"addresses": ["db.example"]}]}));
        assert!(fqdn.endpoints().is_none());
        let null = slice(json!({"addressType": "IPv4", "endpoints": null}));
        assert!(null.endpoints().unwrap().is_empty());
    }

    #[test]
    fn a_uid_keeps_its_bits() {
        assert_eq!(hash_128("00000000-0000-0000-0000-00000000000a"), 10);
        assert_ne!(hash_128("a"), hash_128("b"));
    }
}
