//! The rules that writes of every verb share.
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    resources::{self, ResourceType},
    respond::{ApiError, Cause},
    schema,
    store::{Key, time_text},
    write::WriteOptions,
};

pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

pub(super) fn strip_managed_fields(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}

pub(super) fn check_type(resource: &ResourceType, object: &Value) -> Result<(), ApiError> {
    let expected = (resource.api_version(), resource.kind.as_str());
    let given = (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default());
    if given == (expected.0.as_str(), expected.1) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): apiVersion {:?}, kind {:?}, expected {:?}",
        resource.kind, given.0, given.1, expected.0
    )))
}

pub(super) fn check_name(object: &Value, key: &Key) -> Result<(), ApiError> {
    let name = text(object, "name");
    if !name.is_empty() && name != key.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            key.name
        )));
    }
    let namespace = text(object, "namespace");
    if !namespace.is_empty() && namespace != key.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Prunes, fills in defaults and validates; a definition must also bear the name of its kind.
pub(super) fn check_schema(
    resource: &ResourceType,
    object: &mut Value,
    options: &WriteOptions,
) -> Result<(), ApiError> {
    let name = text(object, "name").to_owned();
    if let Some(schema) = &resource.schema {
        let removed = schema::prune(object, schema);
        if options.strict && !removed.is_empty() {
            let texts: Vec<String> = removed.iter().map(|path| format!("unknown field {path:?}")).collect();
            return Err(ApiError::bad_request(format!("strict decoding error: {}", texts.join(", "))));
        }
        schema::fill_defaults(object, schema);
        let causes = schema::validate(object, schema);
        if !causes.is_empty() {
            return Err(ApiError::invalid(&resource.group, &resource.kind, &name, &causes));
        }
    }
    if resource.plural == "customresourcedefinitions" {
        for kind in resources::from_definition(object)? {
            let expected = format!("{}.{}", kind.plural, kind.group);
            if name != expected {
                let cause = Cause::invalid("metadata.name", &name.clone().into(), format!("must be {expected:?}"));
                return Err(ApiError::invalid(&resource.group, &resource.kind, &name, &[cause]));
            }
        }
    }
    Ok(())
}

/// A resourceVersion or uid in what is sent must be the stored one.
pub(super) fn check_preconditions(resource: &ResourceType, old: &Value, given: &Value) -> Result<(), ApiError> {
    let name = text(old, "name");
    if let Some(version) = given["resourceVersion"].as_str().filter(|version| !version.is_empty())
        && version != text(old, "resourceVersion")
    {
        return Err(ApiError::stale(resource, name));
    }
    if let Some(uid) = given["uid"].as_str().filter(|uid| !uid.is_empty())
        && uid != text(old, "uid")
    {
        let stored = text(old, "uid");
        let cause = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}");
        return Err(ApiError::conflict(resource, name, cause));
    }
    Ok(())
}

/// An applied field that the schema does not know has no place among the managed fields: the real server fails.
pub(super) fn check_declared(resource: &ResourceType, config: &Value, key: &Key) -> Result<(), ApiError> {
    let Some(schema) = &resource.schema else { return Ok(()) };
    let removed = schema::prune(&mut config.clone(), schema);
    let Some(path) = removed.first() else { return Ok(()) };
    let object = format!("{}/{}; {}, Kind={}", key.namespace, key.name, resource.api_version(), resource.kind);
    let message = format!("failed to create typed patch object ({object}): .{path}: field not declared in schema");
    Err(ApiError::new(500, "", message))
}

/// What this subresource does not write is not owned either.
pub(super) fn reset_fields(resource: &ResourceType, config: &mut Value, options: &WriteOptions) {
    let Some(fields) = config.as_object_mut() else { return };
    if options.is_status() {
        fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "status"));
    } else if resource.status {
        fields.remove("status");
    }
}

pub(super) fn separate_status(resource: &ResourceType, old: &Value, mut new: Value, options: &WriteOptions) -> Value {
    if options.is_status() {
        let mut kept = old.clone();
        set_or_remove(&mut kept, "status", new.get("status").cloned());
        return kept;
    }
    if resource.status {
        set_or_remove(&mut new, "status", old.get("status").cloned());
    }
    new
}

pub(super) fn set_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(fields) = object.as_object_mut() {
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
    }
}

/// What only the server writes stays as it was.
pub(super) fn keep_system_fields(old: &Value, new: &mut Value) {
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    ] {
        let value = old["metadata"].get(field).cloned();
        set_or_remove(&mut new["metadata"], field, value);
    }
    new["apiVersion"] = old["apiVersion"].clone();
    new["kind"] = old["kind"].clone();
}

pub(super) fn spec_differs(resource: &ResourceType, old: &Value, new: &Value) -> bool {
    let relevant = |object: &Value| {
        let mut copy = object.clone();
        if let Some(fields) = copy.as_object_mut() {
            fields.remove("metadata");
            if resource.status {
                fields.remove("status");
            }
        }
        copy
    };
    relevant(old) != relevant(new)
}

/// What the server fills in for kinds of its own.
pub(super) fn fill_built_in(resource: &ResourceType, object: &mut Value, now: Timestamp) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        ("", "pods") => object["status"] = json!({"phase": "Pending"}),
        ("", "services") => object["status"] = json!({"loadBalancer": {}}),
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            object["status"] = resources::established_status(object, &time_text(now));
        }
        _ => {}
    }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
