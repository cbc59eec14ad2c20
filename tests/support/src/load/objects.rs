//! The objects of the load, as controllers of a real cluster would write them.
use serde_json::{Value, json};

/// Field manager and user of the generator.
pub const MANAGER: &str = "bench";
/// Group and version of the operator's kinds.
pub const GROUP_VERSION: &str = "assize.dev/v1alpha1";

/// How large the load is.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Services, each with one agreement and one `EndpointSlice`.
    pub services: usize,
    /// Namespaces they are spread over.
    pub namespaces: usize,
    /// Endpoints of each slice.
    pub endpoints: usize,
}

impl Shape {
    /// The namespace of a service.
    pub fn namespace(&self, service: usize) -> String {
        namespace(service % self.namespaces)
    }

    /// All namespaces.
    pub fn all_namespaces(&self) -> impl Iterator<Item = String> {
        (0..self.namespaces).map(namespace)
    }
}

fn namespace(number: usize) -> String {
    format!("tenant-{number:03}")
}

/// Name of a service, of its core Service and of its agreement.
pub fn name(service: usize) -> String {
    format!("checkout-{service:05}")
}

/// Name of the `EndpointSlice` of a service, as the slice controller forms it.
pub fn slice_name(service: usize) -> String {
    format!("{}-x7k2p", name(service))
}

/// A namespace.
pub fn namespace_object(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A core Service without selector, so that no controller writes its slices.
pub fn core_service(service: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name(service), "labels": labels(service)},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"}]},
    })
}

/// The `EndpointSlice` of a service.
pub fn slice(shape: &Shape, service: usize) -> Value {
    let mut labels = labels(service);
    labels["kubernetes.io/service-name"] = name(service).into();
    labels["endpointslice.kubernetes.io/managed-by"] = "bench.assize.dev".into();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": slice_name(service), "labels": labels},
        "addressType": "IPv4",
        "endpoints": endpoints(shape, service, true),
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
    })
}

/// The endpoints of a service, all ready or none.
pub fn endpoints(shape: &Shape, service: usize, ready: bool) -> Value {
    (0..shape.endpoints)
        .map(|endpoint| {
            let number = service * shape.endpoints + endpoint;
            json!({
                "addresses": [format!("10.{}.{}.{}", 128 + (number >> 16), (number >> 8) & 255, number & 255)],
                "conditions": {"ready": ready, "serving": ready, "terminating": false},
                "nodeName": format!("node-{:03}.region-1.example.com", number % 200),
                "targetRef": {
                    "kind": "Pod",
                    "namespace": shape.namespace(service),
                    "name": format!("{}-6d5f7c9b8-{endpoint:05x}", name(service)),
                    "uid": format!("5f0c2a3e-7b1d-4c6a-9e8f-{number:012x}"),
                },
                "zone": format!("region-1{}", ["a", "b", "c"][number % 3]),
            })
        })
        .collect()
}

fn labels(service: usize) -> Value {
    json!({"app.kubernetes.io/name": name(service), "app.kubernetes.io/part-of": "shop"})
}

/// A Service of the operator.
pub fn service(service: usize) -> Value {
    json!({
        "apiVersion": GROUP_VERSION,
        "kind": "Service",
        "metadata": {"name": name(service)},
        "spec": {
            "displayName": format!("Checkout {service}"),
            "description": "Takes orders and hands them to fulfilment.",
            "criticality": "High",
            "owner": {"name": "Jo Example", "group": "shop", "contact": "shop@example.com"},
            "customers": [{"name": "Web shop"}],
            "components": [{"name": "api", "critical": true, "endpointsOf": name(service), "minReady": 5}],
        },
    })
}

/// The agreement about a service.
pub fn agreement(service: usize) -> Value {
    json!({
        "apiVersion": GROUP_VERSION,
        "kind": "ServiceLevelAgreement",
        "metadata": {"name": name(service)},
        "spec": {
            "type": "ServiceLevel",
            "serviceRef": {"name": name(service)},
            "customer": {"name": "Web shop"},
            "provider": {"name": "Platform"},
            "targets": [{
                "name": "availability",
                "kind": "Availability",
                "contractual": true,
                "objective": "99.9",
                "method": "Readiness",
            }],
            "errorBudget": {"target": "availability", "warnAt": "75"},
            // The verdict does not wait for the moments before the operator started to become less than a hundredth.
            "unmeasured": {"minCoverage": "0"},
        },
    })
}

/// A status of an agreement like the ones that the operator writes; each `turn` differs from the one before.
pub fn agreement_status(service: usize, turn: u64) -> Value {
    let at = "2025-11-01T00:00:00Z";
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "observedGeneration": 1, "lastTransitionTime": at,
        })
    };
    json!({
        "type": "ServiceLevel",
        "state": "OnTrack",
        "current": {"state": "Up", "since": "2025-11-18T14:00:00.123Z", "reason": "AllCriticalReady"},
        "inForce": {"digest": format!("sha256:{:064x}", service), "since": at},
        "period": {"key": "2025-11", "start": at, "end": "2025-12-01T00:00:00Z"},
        "headline": {
            "name": "availability", "objective": "99.9", "actual": "99.9876", "lowest": "99.9411",
            "highest": "99.9876", "budgetLeft": "87.6",
        },
        "ms": {
            "elapsed": 2_000_000_000 + turn, "outOfHours": 0, "service": 2_000_000_000 + turn, "excluded": 0,
            "unknown": 0, "down": 321_408, "degraded": 0, "up": 1_999_678_592 + turn,
        },
        "asOf": "2025-11-24T03:33:20Z",
        "coverage": "100.0000",
        "targets": [{
            "name": "availability", "objective": "99.9", "actual": "99.9876", "lowest": "99.9411",
            "highest": "99.9876", "raw": "99.9876", "verdict": "OnTrack", "certain": true, "budgetMs": 2_592_000,
            "budgetLeftMs": 2_270_592, "budgetLeft": "87.6",
        }],
        "openReport": format!("{}-2025-11", name(service)),
        "conditions": [
            condition("Ready", "Active", "in use"),
            condition("Agreed", "SignaturesNotRequired", "in force since the API server accepted it"),
            condition("Measured", "AllTargetsMeasured", "every target is measured"),
            condition("TargetsMet", "OnTrack", "OnTrack: availability"),
            condition("BudgetAvailable", "BudgetLeft", "availability: error budget is left"),
            condition("TargetsSupported", "Supported", "it rests on no other agreement"),
            condition("ReviewCurrent", "NoReviewAgreed", "no review was agreed"),
        ],
    })
}
