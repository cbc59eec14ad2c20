//! Who owns which field, as `metadata.managedFields` keeps it.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fieldset::{self, Path, Shape};

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: &'static str,
    pub(crate) subresource: String,
    pub(crate) api_version: String,
    pub(crate) time: String,
    pub(crate) set: BTreeSet<Path>,
}

impl Manager {
    /// Whether both are the same manager: one name may apply and update, on several subresources.
    pub(crate) fn is(&self, other: &Manager) -> bool {
        self.name == other.name && self.operation == other.operation && self.subresource == other.subresource
    }

    /// The manager as conflict messages show it.
    pub(crate) fn display(&self) -> String {
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            name => format!(" with subresource {name:?}"),
        };
        let version = match self.operation {
            "Update" => format!(" using {} at {}", self.api_version, self.time),
            _ => String::new(),
        };
        format!("{:?}{subresource}{version}", self.name)
    }
}

/// Reads the managers of an object.
pub(crate) fn decode(object: &Value) -> Vec<Manager> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .map(|entry| Manager {
            name: text(entry, "manager"),
            operation: if entry["operation"] == "Apply" { "Apply" } else { "Update" },
            subresource: text(entry, "subresource"),
            api_version: text(entry, "apiVersion"),
            time: text(entry, "time"),
            set: fieldset::decode(&entry["fieldsV1"]),
        })
        .collect()
}

/// Writes the managers into an object; those who own nothing are left out.
pub(crate) fn store(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|manager| !manager.set.is_empty());
    managers.sort_by(|a, b| {
        (a.operation, &a.time, &a.name, &a.subresource).cmp(&(b.operation, &b.time, &b.name, &b.subresource))
    });
    let entries: Vec<Value> = managers
        .iter()
        .map(|manager| {
            let mut entry = json!({
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": manager.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fieldset::encode(&manager.set),
            });
            if !manager.subresource.is_empty() {
                entry["subresource"] = manager.subresource.as_str().into();
            }
            entry
        })
        .collect();
    object["metadata"]["managedFields"] = entries.into();
}

/// What differs between two states of an object.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) changed: BTreeSet<Path>,
    pub(crate) removed: BTreeSet<Path>,
}

/// Compares two states field by field.
pub(crate) fn compare(old: &Value, new: &Value, shape: Shape<'_>) -> Difference {
    let (old, new) = (fieldset::members(old, shape), fieldset::members(new, shape));
    let differs = |(path, value): &(&Path, &Value)| old.get(*path) != Some(*value);
    Difference {
        changed: new.iter().filter(differs).map(|(path, _)| path.clone()).collect(),
        removed: old.keys().filter(|path| !new.contains_key(*path)).cloned().collect(),
    }
}

/// The managers after a create, replace or merge patch by `writer` (whose set is ignored).
pub(crate) fn after_update(mut managers: Vec<Manager>, difference: &Difference, writer: Manager) -> Vec<Manager> {
    for manager in &mut managers {
        manager.set.retain(|path| !difference.removed.contains(path));
        if !manager.is(&writer) {
            manager.set.retain(|path| !difference.changed.contains(path));
        }
    }
    if difference.changed.is_empty() {
        return managers;
    }
    if let Some(own) = managers.iter_mut().find(|manager| manager.is(&writer)) {
        own.set.extend(difference.changed.iter().cloned());
        own.time = writer.time;
        own.api_version = writer.api_version;
    } else {
        managers.push(Manager { set: difference.changed.clone(), ..writer });
    }
    managers
}

/// The fields of `changed` that others own, by manager.
pub(crate) fn conflicts<'a>(
    managers: &'a [Manager],
    writer: &Manager,
    changed: &BTreeSet<Path>,
) -> Vec<(&'a Manager, Vec<Path>)> {
    let mut found = Vec::new();
    for manager in managers.iter().filter(|manager| !manager.is(writer)) {
        let fields: Vec<Path> = manager.set.intersection(changed).cloned().collect();
        if !fields.is_empty() {
            found.push((manager, fields));
        }
    }
    found
}

/// The message of a conflict, in the words of the real server.
pub(crate) fn conflict_message(conflicts: &[(&Manager, Vec<Path>)]) -> String {
    let mut by_manager: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (manager, paths) in conflicts {
        by_manager.entry(manager.display()).or_default().extend(paths.iter().map(|path| fieldset::display(path)));
    }
    let count: usize = by_manager.values().map(Vec::len).sum();
    let texts: Vec<String> = by_manager
        .iter()
        .map(|(manager, fields)| match fields.as_slice() {
            [one] if count == 1 => format!("conflict with {manager}: {one}"),
            many => format!("conflicts with {manager}:\n- {}", many.join("\n- ")),
        })
        .collect();
    let plural = if count == 1 { "" } else { "s" };
    format!("Apply failed with {count} conflict{plural}: {}", texts.join("\n"))
}

/// The object without what only the bookkeeping changes, to see whether a write changes anything.
pub(crate) fn comparable(object: &Value) -> Value {
    let mut copy = object.clone();
    if let Some(metadata) = copy["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
        for entry in metadata.get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
        }
    }
    copy
}
