//! The kinds that are served: built-in ones, and custom resources read from their definitions.
use serde_json::{Value, json};

use super::respond::ApiError;

/// One kind in one version.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, named where they are set")]
pub(crate) struct ResourceType {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    /// Whether `/status` is a subresource of its own.
    pub(crate) status: bool,
    /// Whether the server counts generations.
    pub(crate) generation: bool,
    /// Whether a replace must carry a resourceVersion; so for custom resources.
    pub(crate) strict_update: bool,
    /// The structural schema of a custom resource.
    pub(crate) schema: Option<Value>,
    /// Dotted paths a field selector may name.
    pub(crate) selectable: Vec<String>,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    /// Only POST is served, and nothing is kept.
    pub(crate) virtual_review: bool,
}

impl ResourceType {
    /// `plural.group`, or only the plural in the core group.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `group/version`, or only the version in the core group.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

struct BuiltIn(&'static str, &'static str, &'static str, &'static str, Flags);

#[derive(Clone, Copy)]
struct Flags {
    namespaced: bool,
    status: bool,
    generation: bool,
}

const PLAIN: Flags = Flags { namespaced: true, status: false, generation: false };
const COUNTED: Flags = Flags { generation: true, ..PLAIN };
const WITH_STATUS: Flags = Flags { status: true, ..PLAIN };
const WORKLOAD: Flags = Flags { generation: true, ..WITH_STATUS };
const CLUSTER: Flags = Flags { namespaced: false, ..WITH_STATUS };

const BUILT_IN: [BuiltIn; 17] = [
    BuiltIn("", "v1", "namespaces", "Namespace", CLUSTER),
    BuiltIn("", "v1", "nodes", "Node", CLUSTER),
    BuiltIn("", "v1", "services", "Service", WITH_STATUS),
    BuiltIn("", "v1", "pods", "Pod", WORKLOAD),
    BuiltIn("", "v1", "events", "Event", PLAIN),
    BuiltIn("", "v1", "serviceaccounts", "ServiceAccount", PLAIN),
    BuiltIn("", "v1", "configmaps", "ConfigMap", PLAIN),
    BuiltIn("", "v1", "secrets", "Secret", PLAIN),
    BuiltIn("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", COUNTED),
    BuiltIn("apps", "v1", "deployments", "Deployment", WORKLOAD),
    BuiltIn("apps", "v1", "statefulsets", "StatefulSet", WORKLOAD),
    BuiltIn("apps", "v1", "daemonsets", "DaemonSet", WORKLOAD),
    BuiltIn("apps", "v1", "replicasets", "ReplicaSet", WORKLOAD),
    BuiltIn("apps", "v1", "controllerrevisions", "ControllerRevision", PLAIN),
    BuiltIn("coordination.k8s.io", "v1", "leases", "Lease", PLAIN),
    BuiltIn("events.k8s.io", "v1", "events", "Event", PLAIN),
    BuiltIn(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        Flags { generation: true, ..CLUSTER },
    ),
];

/// The kinds that every server has.
pub(crate) fn built_in() -> Vec<ResourceType> {
    let mut types: Vec<ResourceType> = BUILT_IN.iter().map(from_built_in).collect();
    let mut review = from_built_in(&BuiltIn(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        Flags { namespaced: false, ..PLAIN },
    ));
    review.virtual_review = true;
    types.push(review);
    types
}

fn from_built_in(&BuiltIn(group, version, plural, kind, flags): &BuiltIn) -> ResourceType {
    let extra: &[&str] = match (group, plural) {
        ("", "pods") => &["spec.nodeName", "status.phase", "status.podIP", "spec.serviceAccountName"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "events") => &["reason", "type", "involvedObject.kind", "involvedObject.name", "involvedObject.uid"],
        ("events.k8s.io", "events") => &["reason", "type", "regarding.kind", "regarding.name", "regarding.uid"],
        ("apps", "replicasets") => &["status.replicas"],
        _ => &[],
    };
    let mut selectable = vec!["metadata.name".to_owned()];
    if flags.namespaced {
        selectable.push("metadata.namespace".to_owned());
    }
    selectable.extend(extra.iter().map(|path| (*path).to_owned()));
    ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        namespaced: flags.namespaced,
        status: flags.status,
        generation: flags.generation,
        strict_update: false,
        schema: None,
        selectable,
        short_names: Vec::new(),
        categories: Vec::new(),
        virtual_review: false,
    }
}

/// Reads the served versions out of a `CustomResourceDefinition`.
pub(crate) fn from_definition(definition: &Value) -> Result<Vec<ResourceType>, ApiError> {
    let spec = &definition["spec"];
    let text = |value: &Value, field: &str| {
        value[field].as_str().map(str::to_owned).ok_or_else(|| {
            ApiError::bad_request(format!("CustomResourceDefinition in version \"v1\" lacks the text field {field:?}"))
        })
    };
    let names = &spec["names"];
    let (group, plural, kind) = (text(spec, "group")?, text(names, "plural")?, text(names, "kind")?);
    let namespaced = text(spec, "scope")? == "Namespaced";
    let list = |field: &str| -> Vec<String> {
        names[field].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    let mut types = Vec::new();
    for version in versions.iter().filter(|version| version["served"] == true) {
        let mut selectable = vec!["metadata.name".to_owned()];
        if namespaced {
            selectable.push("metadata.namespace".to_owned());
        }
        for field in version["selectableFields"].as_array().into_iter().flatten() {
            selectable.extend(field["jsonPath"].as_str().map(|path| path.trim_start_matches('.').to_owned()));
        }
        types.push(ResourceType {
            group: group.clone(),
            version: text(version, "name")?,
            plural: plural.clone(),
            singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
            kind: kind.clone(),
            namespaced,
            status: version["subresources"].get("status").is_some(),
            generation: true,
            strict_update: true,
            schema: Some(version["schema"]["openAPIV3Schema"].clone()),
            selectable,
            short_names: list("shortNames"),
            categories: list("categories"),
            virtual_review: false,
        });
    }
    Ok(types)
}

/// The status of a definition that is served from the moment it is stored.
pub(crate) fn established_status(definition: &Value, now: &str) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let stored: Vec<&Value> = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| &version["name"])
        .collect();
    json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    })
}
