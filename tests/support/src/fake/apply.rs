//! Server-side apply: merging, and the removal of what a manager no longer applies.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    fieldset::{Element, ListKind, Path, Shape, element_of, item_is, members},
    managed_fields::{self, Manager},
    resources::ResourceType,
    respond::ApiError,
};

/// The outcome of an apply, before the server's own rules run over it.
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) managers: Vec<Manager>,
}

/// Merges `config` into `live` on behalf of `writer`.
pub(crate) fn apply(
    resource: &ResourceType,
    live: &Value,
    config: &Value,
    mut writer: Manager,
    force: bool,
) -> Result<Applied, ApiError> {
    let shape = Shape::Root(resource.schema.as_ref());
    let mut managers = managed_fields::decode(live);
    let config = without_nulls(config);
    writer.set = members(&config, shape).into_keys().collect();
    let last = managers.iter().find(|manager| manager.is(&writer)).cloned();

    let mut object = live.clone();
    merge(&mut object, &config, shape);
    if let Some(last) = &last {
        let others: Vec<&Manager> = managers.iter().filter(|manager| !manager.is(&writer)).collect();
        for path in last.set.difference(&writer.set).collect::<Vec<_>>().into_iter().rev() {
            prune(&mut object, path, &writer.set, &others);
        }
    }

    let difference = managed_fields::compare(live, &object, shape);
    let conflicts = managed_fields::conflicts(&managers, &writer, &difference.changed);
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    for manager in managers.iter_mut().filter(|manager| !manager.is(&writer)) {
        manager.set.retain(|path| !difference.removed.contains(path) && !difference.changed.contains(path));
    }
    match last {
        Some(last) if last.set == writer.set && difference.changed.is_empty() && difference.removed.is_empty() => {}
        _ => {
            managers.retain(|manager| !manager.is(&writer));
            managers.push(writer);
        }
    }
    Ok(Applied { object, managers })
}

fn conflict(conflicts: &[(&Manager, Vec<Path>)]) -> ApiError {
    let mut error = ApiError::new(409, "Conflict", managed_fields::conflict_message(conflicts));
    let causes: Vec<Value> = conflicts
        .iter()
        .flat_map(|(manager, paths)| paths.iter().map(move |path| (manager, path)))
        .map(|(manager, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", manager.display()),
                "field": super::fieldset::display(path),
            })
        })
        .collect();
    error.details = Some(json!({"causes": causes}));
    error
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, child)| !child.is_null())
            .map(|(name, child)| (name.clone(), without_nulls(child)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn merge(live: &mut Value, config: &Value, shape: Shape<'_>) {
    match (&mut *live, config) {
        (Value::Object(old), Value::Object(new)) if !is_atomic_map(shape) => {
            for (name, child) in new {
                merge(old.entry(name.clone()).or_insert(Value::Null), child, shape.field(name));
            }
        }
        (Value::Array(old), Value::Array(new)) if shape.list_kind() != ListKind::Atomic => {
            let kind = shape.list_kind();
            for item in new {
                let element = element_of(&kind, item);
                let same = old.iter_mut().find(|found| element.is_some() && element_of(&kind, found) == element);
                match same {
                    Some(found) => merge(found, item, shape.item()),
                    None => old.push(item.clone()),
                }
            }
        }
        (live, config) => *live = config.clone(),
    }
}

fn is_atomic_map(shape: Shape<'_>) -> bool {
    matches!(shape, Shape::Schema(schema) if schema["x-kubernetes-map-type"] == "atomic")
}

/// Removes a path that its manager gave up, unless somebody else owns it or something in it. A parent that is left
/// empty and has no owner goes as well.
fn prune(object: &mut Value, path: &[Element], kept: &BTreeSet<Path>, others: &[&Manager]) {
    let owned = |prefix: &[Element]| {
        owns_within(kept, prefix) || others.iter().any(|manager| owns_within(&manager.set, prefix))
    };
    if owned(path) || is_key_of_item(object, path) {
        return;
    }
    remove(object, path);
    for length in (1..path.len()).rev() {
        let parent = &path[..length];
        if owned(parent) || !find(object, parent).is_some_and(is_empty) {
            return;
        }
        remove(object, parent);
    }
}

fn owns_within(set: &BTreeSet<Path>, prefix: &[Element]) -> bool {
    set.range(prefix.to_vec()..).next().is_some_and(|path| path.starts_with(prefix))
}

/// A key field goes with its item only.
fn is_key_of_item(object: &Value, path: &[Element]) -> bool {
    let [.., Element::Key(keys), Element::Field(name)] = path else {
        return false;
    };
    let named = serde_json::from_str::<Value>(keys).is_ok_and(|keys| keys.get(name).is_some());
    named && find(object, &path[..path.len() - 1]).is_some()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn find<'a>(value: &'a Value, path: &[Element]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, element| match element {
        Element::Field(name) => value.get(name),
        other => value.as_array()?.iter().find(|item| item_is(other, item)),
    })
}

fn remove(value: &mut Value, path: &[Element]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match (first, value) {
        (Element::Field(name), Value::Object(fields)) => {
            if rest.is_empty() {
                fields.remove(name);
            } else if let Some(child) = fields.get_mut(name) {
                remove(child, rest);
            }
        }
        (element, Value::Array(items)) => {
            if rest.is_empty() {
                items.retain(|item| !item_is(element, item));
            } else if let Some(item) = items.iter_mut().find(|item| item_is(element, item)) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn writer(name: &str) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: "Apply",
            subresource: String::new(),
            api_version: "v1".to_owned(),
            time: String::new(),
            set: BTreeSet::new(),
        }
    }

    fn resource() -> ResourceType {
        super::super::resources::built_in().into_iter().find(|kind| kind.plural == "configmaps").unwrap()
    }

    fn applied(live: &Value, config: &Value, name: &str, force: bool) -> Result<Value, ApiError> {
        let applied = apply(&resource(), live, config, writer(name), force)?;
        let mut object = applied.object;
        managed_fields::store(&mut object, applied.managers);
        Ok(object)
    }

    #[test]
    fn a_field_that_is_no_longer_applied_goes_unless_another_owns_it() {
        let live = json!({"metadata": {}});
        let one = applied(&live, &json!({"data": {"a": "1", "b": "2"}}), "one", false).unwrap();
        let two = applied(&one, &json!({"data": {"b": "2"}}), "two", false).unwrap();
        let less = applied(&two, &json!({"metadata": {"labels": {"x": "y"}}}), "one", false).unwrap();
        assert_eq!(less["data"], json!({"b": "2"}));
        let none = applied(&less, &json!({}), "two", false).unwrap();
        assert_eq!(none.get("data"), None, "an empty parent without an owner goes");
    }

    #[test]
    fn a_conflict_names_the_other_manager_and_force_takes_the_field() {
        let one = applied(&json!({"metadata": {}}), &json!({"data": {"a": "1"}}), "one", false).unwrap();
        let error = applied(&one, &json!({"data": {"a": "2"}}), "two", false).unwrap_err();
        assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"one\": .data.a");
        let forced = applied(&one, &json!({"data": {"a": "2"}}), "two", true).unwrap();
        assert_eq!(forced["data"]["a"], "2");
        assert_eq!(managed_fields::decode(&forced).len(), 1, "the loser owns nothing any more");
    }

    #[test]
    fn conditions_merge_by_type() {
        let condition = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
        let one = applied(&json!({"metadata": {}}), &condition("Ready"), "one", false).unwrap();
        let two = applied(&one, &condition("Synced"), "two", false).unwrap();
        assert_eq!(two["status"]["conditions"].as_array().unwrap().len(), 2);
        let gone = applied(&two, &json!({}), "one", false).unwrap();
        assert_eq!(gone["status"]["conditions"], json!([{"type": "Synced", "status": "True"}]));
    }
}
