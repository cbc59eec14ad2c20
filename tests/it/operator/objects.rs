//! The objects of the scenarios, and how they are read.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rig::Rig;

impl Rig {
    /// A core Service with endpoints, `ready` of `total` of them ready.
    pub async fn core_service(&self, name: &str, ready: usize, total: usize) {
        self.put(core_service(name)).await;
        self.endpoints(name, ready, total).await;
    }

    /// Sets how many endpoints of a core Service are ready, and tells between which instants that happened.
    pub async fn endpoints(&self, service: &str, ready: usize, total: usize) -> (Timestamp, Timestamp) {
        let before = super::rig::now();
        self.put(slice(service, ready, total)).await;
        (before, super::rig::now())
    }

    /// A Service with one component `api`, measured by the endpoints of the core Service `api`.
    pub async fn service(&self, name: &str) {
        self.service_with(name, json!({"components": [{"name": "api", "endpointsOf": "api"}]})).await;
    }

    pub async fn service_with(&self, name: &str, spec: Value) {
        self.put(it_service(name, &spec)).await;
    }

    /// An agreement about a Service, by calendar months in UTC, with these fields merged into its spec.
    pub async fn agreement(&self, name: &str, service: &str, fields: Value) {
        self.put(agreement(name, service, fields)).await;
    }

    /// A Deployment of `replicas`, `available` of them available.
    pub async fn deployment(&self, name: &str, replicas: u32, available: u32) {
        let labels = json!({"app": name});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "main"}]}}},
        });
        self.put(deployment).await;
        let status = json!({"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": available,
            "availableReplicas": available});
        self.patch_status("Deployment", name, status).await;
    }

    pub async fn pod(&self, name: &str, app: &str, ready: bool) {
        self.put(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app}},
            "spec": {"containers": [{"name": "main", "image": "main"}]},
        }))
        .await;
        self.pod_ready(name, ready).await;
    }

    pub async fn pod_ready(&self, name: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        self.patch_status("Pod", name, json!({"conditions": [{"type": "Ready", "status": status}]})).await;
    }

    /// Waits until a Service shows this state.
    pub async fn wait_state(&self, service: &str, state: &str) -> Value {
        let what = format!("state {state}");
        self.wait("ItService", service, &what, |object| object["status"]["availability"]["state"] == state).await
    }

    /// Waits until an agreement shows this state of its headline target.
    pub async fn wait_current(&self, agreement: &str, state: &str) -> Value {
        let what = format!("current state {state}");
        self.wait("Agreement", agreement, &what, |object| object["status"]["current"]["state"] == state).await
    }

    /// Waits until a condition has this status and reason.
    pub async fn wait_condition(&self, kind: &str, name: &str, condition: &str, status: &str, reason: &str) -> Value {
        let what = format!("{condition}={status} {reason}");
        self.wait(kind, name, &what, |object| has(object, condition, status, reason)).await
    }

    /// The open report of an agreement.
    pub async fn open_report(&self, agreement: &str) -> Value {
        let found =
            self.wait("Agreement", agreement, "an open report", |object| object["status"]["openReport"].is_string());
        let name = found.await["status"]["openReport"].as_str().unwrap().to_owned();
        self.wait("Report", &name, "a ledger", |report| report["status"]["ledger"].is_object()).await
    }
}

pub fn core_service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
}

/// The slice of a core Service.
pub fn slice(service: &str, ready: usize, total: usize) -> Value {
    let endpoint = |index: usize| {
        json!({"addresses": [format!("10.1.0.{}", index + 1)], "conditions": {"ready": index < ready},
            "targetRef": {"kind": "Pod", "name": format!("{service}-{index}"), "uid": format!("{service}-{index}")}})
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-1"), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "ports": [], "endpoints": (0..total).map(endpoint).collect::<Vec<_>>(),
    })
}

pub fn it_service(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "assize.dev/v1alpha1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

/// An agreement by calendar months in UTC with these fields merged into its spec.
pub fn agreement(name: &str, service: &str, fields: Value) -> Value {
    let mut spec = json!({
        "serviceRef": {"name": service},
        "targets": [{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.9"}],
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"apiVersion": "assize.dev/v1alpha1", "kind": "ServiceLevelAgreement", "metadata": {"name": name}, "spec": spec})
}

pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let all = object["status"]["conditions"].as_array();
    all.into_iter().flatten().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Whether a condition has this status and reason, for the present spec.
pub fn has(object: &Value, kind: &str, status: &str, reason: &str) -> bool {
    let condition = condition(object, kind);
    condition["status"] == status
        && condition["reason"] == reason
        && condition["observedGeneration"] == object["metadata"]["generation"]
}

/// An entry of a ledger: from when, the state, the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    pub at: Timestamp,
    pub state: String,
    pub reason: String,
}

/// The entries of a report's first line, read by the tests' own eyes.
pub fn ledger(report: &Value) -> Vec<LedgerEntry> {
    let entries = report["status"]["ledger"]["lines"][0]["entries"].as_array();
    let read = |entry: &Value| {
        let words: Vec<&str> = entry.as_str().unwrap().split(' ').collect();
        LedgerEntry { at: words[0].parse().unwrap(), state: words[1].to_owned(), reason: words[4].to_owned() }
    };
    entries.into_iter().flatten().map(read).collect()
}

/// How long a ledger says that a state lasted until an instant.
pub fn lasted_ms(entries: &[LedgerEntry], state: &str, until: Timestamp) -> i64 {
    let ends = entries.iter().skip(1).map(|entry| entry.at).chain([until]);
    let spans = entries.iter().zip(ends).filter(|(entry, _)| entry.state == state);
    spans.map(|(entry, end)| end.as_millisecond() - entry.at.as_millisecond()).sum()
}

/// The classes add up to what has elapsed, in every target of every part.
pub fn assert_conserved(report: &Value) {
    for part in report["status"]["parts"].as_array().into_iter().flatten() {
        for target in part["targets"].as_array().into_iter().flatten() {
            let ms = |name: &str| target["ms"][name].as_i64().unwrap_or(0);
            let sum = ["outOfHours", "excluded", "unknown", "down", "degraded", "up"].map(ms).iter().sum::<i64>();
            assert_eq!(sum, ms("elapsed"), "{target}");
        }
    }
}

/// The states of ledger entries, in order.
pub fn states(entries: &[LedgerEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.state.as_str()).collect()
}
