//! Paths into objects, and the sets of them that managers own (`fieldsV1`).
//!
//! A [`Shape`] tells how a value merges: which lists are maps or sets, which values are atomic. Custom resources say so
//! in their schema. Built-in kinds have no schema here: metadata, `conditions`, containers, volumes and environment
//! variables are known by name, every other list is atomic.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field or a map key.
    Field(String),
    /// A list item by its keys, as canonical JSON.
    Key(String),
    /// A list item by its value, as JSON.
    Item(String),
}

/// A path from the root of an object.
pub(crate) type Path = Vec<Element>;

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListKind {
    Atomic,
    Set,
    Map(Vec<String>),
}

/// How a value merges.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// The whole object, with the schema of a custom resource or without.
    Root(Option<&'a Value>),
    Metadata,
    Schema(&'a Value),
    /// A field of a built-in kind, known by its name only.
    Named(&'a str),
}

static NOTHING: Value = Value::Null;

impl<'a> Shape<'a> {
    /// The shape of a field.
    pub(crate) fn field(self, name: &'a str) -> Shape<'a> {
        match self {
            Shape::Root(_) if name == "metadata" => Shape::Metadata,
            Shape::Root(Some(schema)) | Shape::Schema(schema) => Shape::Schema(child_schema(schema, name)),
            _ => Shape::Named(name),
        }
    }

    /// The shape of the items of a list.
    pub(crate) fn item(self) -> Shape<'a> {
        match self {
            Shape::Schema(schema) => Shape::Schema(schema.get("items").unwrap_or(&NOTHING)),
            _ => Shape::Named(""),
        }
    }

    /// How this value merges if it is a list.
    pub(crate) fn list_kind(self) -> ListKind {
        let map = |key: &str| ListKind::Map(vec![key.to_owned()]);
        match self {
            Shape::Schema(schema) => match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                    ListKind::Map(keys.filter_map(|key| key.as_str().map(str::to_owned)).collect())
                }
                Some("set") => ListKind::Set,
                _ => ListKind::Atomic,
            },
            Shape::Named("finalizers") => ListKind::Set,
            Shape::Named("ownerReferences") => map("uid"),
            Shape::Named("conditions") => map("type"),
            Shape::Named("containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env") => map("name"),
            _ => ListKind::Atomic,
        }
    }

    fn atomic_map(self) -> bool {
        matches!(self, Shape::Schema(schema) if schema["x-kubernetes-map-type"] == "atomic")
    }

    /// Whether the name is a key of a map and not a field of a structure: such keys are members of their own.
    fn is_map_key(self, name: &str) -> bool {
        matches!(self, Shape::Schema(schema) if schema["properties"].get(name).is_none())
    }
}

fn child_schema<'a>(schema: &'a Value, name: &str) -> &'a Value {
    schema["properties"].get(name).or_else(|| schema.get("additionalProperties")).unwrap_or(&NOTHING)
}

/// The element that stands for a list item; `None` if the list is atomic or the item lacks its keys.
pub(crate) fn element_of(kind: &ListKind, item: &Value) -> Option<Element> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(Element::Item(item.to_string())),
        ListKind::Map(keys) => {
            let mut found = BTreeMap::new();
            for key in keys {
                found.insert(key.as_str(), item.get(key)?);
            }
            Some(Element::Key(json!(found).to_string()))
        }
    }
}

/// Whether the item is the one that the element names.
pub(crate) fn item_is(element: &Element, item: &Value) -> bool {
    match element {
        Element::Field(_) => false,
        Element::Item(text) => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *item),
        Element::Key(text) => serde_json::from_str::<Map<String, Value>>(text)
            .is_ok_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value))),
    }
}

/// Every owned member of a value: scalars and atomic values with their value, list items as null.
pub(crate) fn members(root: &Value, shape: Shape<'_>) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    collect(root, shape, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, shape: Shape<'_>, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(fields) if !shape.atomic_map() && (!fields.is_empty() || path.is_empty()) => {
            for (name, child) in fields {
                if is_identity(path, name) {
                    continue;
                }
                path.push(Element::Field(name.clone()));
                collect(child, shape.field(name), path, found);
                if shape.is_map_key(name) && !path.is_empty() {
                    found.entry(path.clone()).or_insert(Value::Null);
                }
                path.pop();
            }
        }
        Value::Array(items) if shape.list_kind() != ListKind::Atomic => {
            let kind = shape.list_kind();
            for item in items {
                if let Some(element) = element_of(&kind, item) {
                    path.push(element);
                    if item.is_object() {
                        collect(item, shape.item(), path, found);
                    }
                    found.entry(path.clone()).or_insert(Value::Null);
                    path.pop();
                }
            }
        }
        other => {
            found.insert(path.clone(), other.clone());
        }
    }
}

/// What says which object it is, or belongs to the server, has no manager.
fn is_identity(path: &Path, name: &str) -> bool {
    match path.as_slice() {
        [] => matches!(name, "apiVersion" | "kind"),
        [Element::Field(parent)] if parent == "metadata" => matches!(
            name,
            "name"
                | "namespace"
                | "uid"
                | "resourceVersion"
                | "generation"
                | "creationTimestamp"
                | "deletionTimestamp"
                | "deletionGracePeriodSeconds"
                | "selfLink"
                | "managedFields"
        ),
        _ => false,
    }
}

/// The set in the form of `fieldsV1`.
pub(crate) fn encode(set: &BTreeSet<Path>) -> Value {
    let mut root = Map::new();
    for path in set {
        let mut node = &mut root;
        for element in path {
            let key = match element {
                Element::Field(name) => format!("f:{name}"),
                Element::Key(text) => format!("k:{text}"),
                Element::Item(text) => format!("v:{text}"),
            };
            let child = node.entry(key).or_insert_with(|| json!({}));
            let Value::Object(fields) = child else {
                return Value::Null;
            };
            node = fields;
        }
        node.insert(".".to_owned(), json!({}));
    }
    let mut encoded = Value::Object(root);
    drop_leaf_dots(&mut encoded);
    encoded
}

fn drop_leaf_dots(node: &mut Value) {
    if let Value::Object(fields) = node {
        if fields.len() == 1 {
            fields.remove(".");
        }
        fields.values_mut().for_each(drop_leaf_dots);
    }
}

/// Reads `fieldsV1`.
pub(crate) fn decode(encoded: &Value) -> BTreeSet<Path> {
    let mut set = BTreeSet::new();
    decode_into(encoded, &mut Vec::new(), &mut set);
    set
}

fn decode_into(node: &Value, path: &mut Path, set: &mut BTreeSet<Path>) {
    let Value::Object(fields) = node else { return };
    if fields.is_empty() && !path.is_empty() {
        set.insert(path.clone());
    }
    for (key, child) in fields {
        let element = match key.split_once(':') {
            Some(("f", name)) => Element::Field(name.to_owned()),
            Some(("k", text)) => Element::Key(text.to_owned()),
            Some(("v", text)) => Element::Item(text.to_owned()),
            _ => {
                set.insert(path.clone());
                continue;
            }
        };
        path.push(element);
        decode_into(child, path, set);
        path.pop();
    }
}

/// The path as the real server's conflict messages show it.
pub(crate) fn display(path: &[Element]) -> String {
    let mut text = String::new();
    for element in path {
        match element {
            Element::Field(name) => text.extend([".", name]),
            Element::Key(keys) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let shown: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                text.extend(["[", &shown.join(","), "]"]);
            }
            Element::Item(value) => text.extend(["[=", value, "]"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_survives_encoding() {
        let object = json!({
            "metadata": {"name": "x", "labels": {"a": "b"}, "finalizers": ["one"]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "list": [1, 2]},
        });
        let set: BTreeSet<Path> = members(&object, Shape::Root(None)).into_keys().collect();
        let encoded = encode(&set);
        assert_eq!(
            encoded,
            json!({
                "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"one\"": {}}},
                "f:status": {
                    "f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:type": {}, "f:status": {}}},
                    "f:list": {},
                },
            })
        );
        assert_eq!(decode(&encoded), set);
    }
}
