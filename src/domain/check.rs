//! Checking objects before the cluster sees them: each one by itself, then the references between them.
//!
//! Pure: files become objects elsewhere. An object is checked in three steps, each only if the one before found
//! nothing it relies on: its schema and CEL rules, the rules that the operator's own reading of the spec applies, and
//! what is allowed but probably not meant.

mod chain;
mod references;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::api::{self, GROUP, ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec, VERSION};

use super::agreement::Terms;
use super::calendar_spec::read_spec;
use super::schema;
use super::service::ServiceRules;
use super::time::Instant;
use super::violation::Violation;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The cluster would refuse the object, or the operator could not do what it asks.
    Error,
    /// Allowed, but probably not meant.
    Warning,
}

impl Severity {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something that is wrong with an object of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Index of the object in the set.
    pub object: usize,
    /// How bad it is.
    pub severity: Severity,
    /// The field, and what to do about it.
    pub violation: Violation,
}

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Kind.
    pub kind: String,
    /// Namespace; none for kinds of the whole cluster.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// The spec of an object that can be read.
#[derive(Clone, Debug)]
enum Spec {
    Service(Box<ServiceSpec>),
    Agreement(Box<ServiceLevelAgreementSpec>),
    Calendar(Box<ServiceCalendarSpec>),
}

struct Object {
    identity: Identity,
    spec: Option<Spec>,
}

/// Whether a document is for this command: of our API group.
pub fn is_ours(document: &Value) -> bool {
    document["apiVersion"].as_str().is_some_and(|version| version.split('/').next() == Some(GROUP))
}

/// Kind, namespace and name of a document as written; `default_namespace` where it names none.
pub fn identity_of(document: &Value, default_namespace: &str) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&document["kind"]);
    let is_namespaced = SCHEMAS.get(&kind).is_none_or(|(scope, _)| scope == "Namespaced");
    let namespace = match document["metadata"]["namespace"].as_str() {
        Some(namespace) => namespace.to_owned(),
        None => default_namespace.to_owned(),
    };
    Identity { namespace: is_namespaced.then_some(namespace), name: text(&document["metadata"]["name"]), kind }
}

/// Checks a set of documents of our group. With `complete` a reference that leads out of the set is an error. Service
/// hours of agreements that rest on each other are compared from `now` on.
pub fn check(documents: &[Value], default_namespace: &str, complete: bool, now: Instant) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut objects = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let identity = identity_of(document, default_namespace);
        let mut own = Own { index, findings: &mut findings };
        let spec = own.check(document, &identity);
        objects.push(Object { identity, spec });
    }
    note_duplicates(&objects, &mut findings);
    references::check(&objects, complete, now, &mut findings);
    findings.sort_by_key(|finding| finding.object);
    findings
}

/// Scope and schema of each kind; made once, since making them is slow.
static SCHEMAS: LazyLock<BTreeMap<String, (String, JSONSchemaProps)>> = LazyLock::new(|| {
    let mut schemas = BTreeMap::new();
    for definition in api::all() {
        let schema = definition.spec.versions.into_iter().find_map(|version| version.schema?.open_api_v3_schema);
        if let Some(schema) = schema {
            schemas.insert(definition.spec.names.kind, (definition.spec.scope, schema));
        }
    }
    schemas
});

/// Checks one object by itself.
struct Own<'a> {
    index: usize,
    findings: &'a mut Vec<Finding>,
}

impl Own<'_> {
    fn add(&mut self, severity: Severity, violation: Violation) {
        self.findings.push(Finding { object: self.index, severity, violation });
    }

    fn error(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Error, Violation::new(field, message));
    }

    fn warn(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Warning, Violation::new(field, message));
    }

    fn check(&mut self, document: &Value, identity: &Identity) -> Option<Spec> {
        let version = document["apiVersion"].as_str().unwrap_or_default();
        if version != format!("{GROUP}/{VERSION}") {
            self.error("apiVersion", format!("{version:?} is not served; write {GROUP}/{VERSION}"));
        }
        let Some((scope, schema)) = SCHEMAS.get(&identity.kind) else {
            let kinds: Vec<&str> = SCHEMAS.keys().map(String::as_str).collect();
            let near = schema::nearest(&identity.kind, kinds.iter().copied());
            let near = near.map(|kind| format!("did you mean {kind}? ")).unwrap_or_default();
            let message =
                format!("{:?} is not a kind of {GROUP}; {near}write one of {}", identity.kind, kinds.join(", "));
            self.error("kind", message);
            return None;
        };
        if identity.kind == "ServiceReport" {
            self.error("kind", "only the operator writes a ServiceReport; remove it, and read it with assize report");
            return None;
        }
        self.metadata(document, identity, scope);
        if document.get("status").is_some() {
            self.warn("status", "the operator writes the status, yours is ignored; remove it");
        }
        let found = schema::violations(schema, document);
        let spec = read_typed(&identity.kind, document);
        let by_operator = match &spec {
            Ok(spec) => read_rules(spec),
            // The schema has said why; if it has not, the reader does.
            Err(violation) if found.is_empty() => vec![violation.clone()],
            Err(_) => Vec::new(),
        };
        let told: Vec<String> = found.iter().map(|violation| violation.field.clone()).collect();
        for violation in found {
            self.add(Severity::Error, violation);
        }
        for violation in by_operator.into_iter().filter(|violation| !covers(&told, &violation.field)) {
            self.add(Severity::Error, violation);
        }
        let spec = spec.ok()?;
        self.habits(&spec);
        Some(spec)
    }

    fn metadata(&mut self, document: &Value, identity: &Identity, scope: &str) {
        if identity.name.is_empty() {
            self.error("metadata.name", "is missing; add it");
        } else if let Some(message) = name_violation(&identity.name) {
            self.error("metadata.name", message);
        }
        if let Some(namespace) = document["metadata"]["namespace"].as_str() {
            if scope == "Cluster" {
                let message = format!("a {} belongs to the whole cluster; remove the namespace", identity.kind);
                self.warn("metadata.namespace", message);
            } else if namespace.contains('.') || name_violation(namespace).is_some() || namespace.len() > 63 {
                self.error("metadata.namespace", "write at most 63 lower case letters, digits and -");
            }
        }
    }

    /// What is allowed, but probably not meant.
    fn habits(&mut self, spec: &Spec) {
        match spec {
            Spec::Service(service) => {
                let stage = service.stage.unwrap_or_default();
                let nobody = service.owner.as_ref().is_none_or(|owner| owner.name.is_none() && owner.group.is_none());
                if stage == api::service::Stage::Live && nobody {
                    self.warn("spec.owner", "a Live service has no owner; add the group that answers for it");
                }
            }
            Spec::Agreement(agreement) => {
                if agreement.customer.is_none() {
                    self.warn("spec.customer", "reports name no customer; add customer.name");
                }
                for (index, target) in agreement.targets.iter().enumerate() {
                    if target.method == Some(api::agreement::Method::Probe) {
                        let message = "the operator tries no addresses yet, so all time of this target is unknown; only \
                                       assize replay judges tries";
                        self.warn(format!("spec.targets[{index}].method"), message);
                    }
                }
                if agreement.targets.iter().all(|target| target.contractual == Some(false)) {
                    self.warn("spec.targets", "no target is contractual, so reports have no verdict");
                }
            }
            Spec::Calendar(_) => {}
        }
    }
}

/// Whether a violation of this field, of one above it or of one below it is already told.
fn covers(told: &[String], field: &str) -> bool {
    let is_below = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    told.iter().any(|other| is_below(other, field) || is_below(field, other))
}

/// What is wrong with a name of an object, by the rule of the API server for subdomains.
pub fn name_violation(name: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label =
        |label: &str| label.bytes().next().is_some_and(allowed) && label.bytes().next_back().is_some_and(allowed);
    let right = name.len() <= 253
        && name.bytes().all(|byte| allowed(byte) || byte == b'-' || byte == b'.')
        && name.split('.').all(is_label);
    (!right).then_some("write the name of an object: lower case letters, digits, - and .")
}

fn read_typed(kind: &str, document: &Value) -> Result<Spec, Violation> {
    let spec = document.get("spec").cloned().unwrap_or_default();
    let wrong = |error: serde_json::Error| Violation::new("spec", error.to_string());
    Ok(match kind {
        "Service" => Spec::Service(serde_json::from_value(spec).map_err(wrong)?),
        "ServiceLevelAgreement" => Spec::Agreement(serde_json::from_value(spec).map_err(wrong)?),
        _ => Spec::Calendar(serde_json::from_value(spec).map_err(wrong)?),
    })
}

fn read_rules(spec: &Spec) -> Vec<Violation> {
    match spec {
        Spec::Service(spec) => ServiceRules::from_spec(spec).err().unwrap_or_default(),
        Spec::Agreement(spec) => Terms::from_spec(spec).err().unwrap_or_default(),
        Spec::Calendar(spec) => read_spec(spec).err().unwrap_or_default(),
    }
}

fn note_duplicates(objects: &[Object], findings: &mut Vec<Finding>) {
    let mut seen = BTreeMap::new();
    for (index, object) in objects.iter().enumerate().filter(|(_, object)| !object.identity.name.is_empty()) {
        if seen.insert(&object.identity, index).is_some() {
            let message = "this object occurs twice among the files; the later would replace the earlier, remove one";
            findings.push(Finding {
                object: index,
                severity: Severity::Error,
                violation: Violation::new("metadata.name", message),
            });
        }
    }
}

#[cfg(test)]
mod tests;
