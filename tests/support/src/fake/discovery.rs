//! `/version`, the health endpoints, and what kube's discovery asks for.
use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{resources::ResourceType, respond::ApiError, store::State};

/// A document or a plain text.
pub(crate) enum Document {
    Json(Value),
    Text(&'static str),
}

impl State {
    /// Answers a path that names no resource.
    pub(crate) fn document(&self, segments: &[String]) -> Result<Document, ApiError> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["readyz" | "livez" | "healthz", ..] => Ok(Document::Text("ok")),
            ["version"] => Ok(Document::Json(version())),
            ["api"] => Ok(Document::Json(json!({
                "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [],
            }))),
            ["apis"] => {
                let groups: Vec<Value> = self.groups().into_iter().map(|(name, kinds)| group(name, &kinds)).collect();
                Ok(Document::Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
            }
            ["apis", name] => {
                let groups = self.groups();
                let kinds = groups.get(name).ok_or_else(ApiError::no_such_resource)?;
                let mut document = group(name, kinds);
                document["kind"] = "APIGroup".into();
                document["apiVersion"] = "v1".into();
                Ok(Document::Json(document))
            }
            ["api", version] => self.resources("", version).map(Document::Json),
            ["apis", group, version] => self.resources(group, version).map(Document::Json),
            _ => Err(ApiError::no_such_resource()),
        }
    }

    fn groups(&self) -> BTreeMap<&str, Vec<&Arc<ResourceType>>> {
        let mut groups: BTreeMap<&str, Vec<&Arc<ResourceType>>> = BTreeMap::new();
        for kind in self.types.iter().filter(|kind| !kind.group.is_empty()) {
            groups.entry(&kind.group).or_default().push(kind);
        }
        groups
    }

    fn resources(&self, group: &str, version: &str) -> Result<Value, ApiError> {
        let mut entries = Vec::new();
        for kind in self.types.iter().filter(|kind| kind.group == group && kind.version == version) {
            let verbs: &[&str] = if kind.virtual_review {
                &["create"]
            } else {
                &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            };
            entries.push(json!({
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": verbs,
                "shortNames": kind.short_names,
                "categories": kind.categories,
            }));
            if kind.status {
                entries.push(json!({
                    "name": format!("{}/status", kind.plural),
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    "kind": kind.kind,
                    "verbs": ["get", "patch", "update"],
                }));
            }
        }
        if entries.is_empty() {
            return Err(ApiError::no_such_resource());
        }
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Ok(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries,
        }))
    }
}

fn group(name: &str, kinds: &[&Arc<ResourceType>]) -> Value {
    let mut versions: Vec<Value> = Vec::new();
    for kind in kinds {
        let version = json!({"groupVersion": kind.api_version(), "version": kind.version});
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.0", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}
