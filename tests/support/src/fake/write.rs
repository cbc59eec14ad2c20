//! Create, replace, merge patch, apply and delete.
use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    apply,
    fieldset::Shape,
    managed_fields::{self, Manager},
    resources::{self, ResourceType},
    respond::{ApiError, Cause},
    schema,
    store::{Key, State, time_text},
};

/// What a write carries besides its object.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    pub(crate) manager: String,
    pub(crate) subresource: Option<String>,
    pub(crate) force: bool,
    pub(crate) dry_run: bool,
    /// `fieldValidation=Strict`: unknown fields are refused and not pruned.
    pub(crate) strict: bool,
    pub(crate) now: Timestamp,
}

impl WriteOptions {
    fn writer(&self, resource: &ResourceType, operation: &'static str) -> Manager {
        Manager {
            name: self.manager.clone(),
            operation,
            subresource: self.subresource.clone().unwrap_or_default(),
            api_version: resource.api_version(),
            time: time_text(self.now),
            set: BTreeSet::new(),
        }
    }

    fn is_status(&self) -> bool {
        self.subresource.as_deref() == Some("status")
    }
}

/// How the managers of a written object come about.
enum Ownership {
    Update,
    Apply(Vec<Manager>),
}

/// The answer to a write: the object, and whether it was created.
type Written = (Arc<Value>, bool);

impl State {
    /// POST.
    pub(crate) fn create(
        &mut self,
        resource: &ResourceType,
        namespace: &str,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        check_type(resource, &object)?;
        if object["metadata"]["resourceVersion"]
            .as_str()
            .is_some_and(|version| !matches!(version, "" | "0"))
        {
            return Err(ApiError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        if text(&object, "name").is_empty() {
            let prefix = text(&object, "generateName").to_owned();
            if prefix.is_empty() {
                let cause = Cause {
                    message: "Required value: name or generateName is required".to_owned(),
                    ..Cause::required("metadata.name")
                };
                return Err(ApiError::invalid(&resource.group, &resource.kind, "", &[cause]));
            }
            object["metadata"]["name"] = format!("{prefix}{}", self.name_suffix()).into();
        }
        let name = text(&object, "name").to_owned();
        self.check_namespace(resource, namespace, &mut object, &name)?;
        let key = key_of(resource, namespace, &name);
        if self.objects.contains_key(&key) {
            return Err(ApiError::already_exists(resource, &name));
        }
        strip_managed_fields(&mut object);
        self.insert(resource, key, object, options, Ownership::Update)
    }

    fn check_namespace(
        &self,
        resource: &ResourceType,
        namespace: &str,
        object: &mut Value,
        name: &str,
    ) -> Result<(), ApiError> {
        if !resource.namespaced {
            return Ok(());
        }
        let given = text(object, "namespace");
        if !given.is_empty() && given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object["metadata"]["namespace"] = namespace.into();
        let Some(namespaces) = self.resource("", "v1", "namespaces") else {
            return Ok(());
        };
        match self.get(&key_of(&namespaces, "", namespace)) {
            None => Err(ApiError::not_found(&namespaces, namespace)),
            Some(found) if found["metadata"].get("deletionTimestamp").is_some() => Err(ApiError::forbidden(
                resource,
                name,
                format!("unable to create new content in namespace {namespace} because it is being terminated"),
            )),
            Some(_) => Ok(()),
        }
    }

    fn insert(
        &mut self,
        resource: &ResourceType,
        key: Key,
        mut object: Value,
        options: &WriteOptions,
        ownership: Ownership,
    ) -> Result<Written, ApiError> {
        let uid = self.next_uid();
        let metadata = &mut object["metadata"];
        metadata["uid"] = uid.into();
        metadata["creationTimestamp"] = time_text(options.now).into();
        if let Some(metadata) = metadata.as_object_mut() {
            for field in [
                "resourceVersion",
                "generation",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "selfLink",
            ] {
                metadata.remove(field);
            }
        }
        if resource.generation {
            object["metadata"]["generation"] = 1.into();
        }
        if resource.status
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        fill_built_in(resource, &mut object, options.now);
        self.check_schema(resource, &mut object, options)?;
        own(resource, &json!({"metadata": {}}), &mut object, options, ownership);
        if options.dry_run {
            return Ok((Arc::new(object), true));
        }
        let stored = self.commit(key, object, false);
        self.after_commit(resource);
        Ok((stored, true))
    }

    /// PUT.
    pub(crate) fn replace(
        &mut self,
        resource: &ResourceType,
        key: &Key,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        check_type(resource, &object)?;
        check_name(&object, key)?;
        let old = self.get(key).ok_or_else(|| ApiError::not_found(resource, &key.name))?;
        if resource.strict_update && text(&object, "resourceVersion").is_empty() {
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: "Invalid value: 0x0: must be specified for an update".to_owned(),
                field: "metadata.resourceVersion".to_owned(),
            };
            return Err(ApiError::invalid(&resource.group, &resource.kind, &key.name, &[cause]));
        }
        check_preconditions(resource, &old, &object["metadata"])?;
        strip_managed_fields(&mut object);
        self.finish(resource, key, &old, object, options, Ownership::Update)
    }

    /// PATCH with a merge patch.
    pub(crate) fn merge_patch(
        &mut self,
        resource: &ResourceType,
        key: &Key,
        patch: &Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let old = self.get(key).ok_or_else(|| ApiError::not_found(resource, &key.name))?;
        check_preconditions(resource, &old, &patch["metadata"])?;
        let mut object = (*old).clone();
        merge(&mut object, patch);
        check_name(&object, key)?;
        let written = self.finish(resource, key, &old, object, options, Ownership::Update);
        written.map_err(|error| {
            if error.code == 400 {
                ApiError::invalid_patch(&error)
            } else {
                error
            }
        })
    }

    /// PATCH by server-side apply.
    pub(crate) fn apply(
        &mut self,
        resource: &ResourceType,
        key: &Key,
        mut config: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        check_type(resource, &config)?;
        check_name(&config, key)?;
        if config["metadata"]
            .get("managedFields")
            .is_some_and(|fields| fields.as_array().is_none_or(|f| !f.is_empty()))
        {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        check_declared(resource, &config, key)?;
        let precondition = config["metadata"].clone();
        reset_fields(resource, &mut config, options);
        let writer = options.writer(resource, "Apply");
        if let Some(old) = self.get(key) {
            check_preconditions(resource, &old, &precondition)?;
            let applied = apply::apply(resource, &old, &config, writer, options.force)?;
            return self.finish(
                resource,
                key,
                &old,
                applied.object,
                options,
                Ownership::Apply(applied.managers),
            );
        }
        if options.subresource.is_some() {
            return Err(ApiError::not_found(resource, &key.name));
        }
        if precondition.get("uid").is_some() {
            let uid = precondition["uid"].as_str().unwrap_or_default();
            let cause =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(resource, &key.name, cause));
        }
        let empty = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind,
            "metadata": {"name": key.name},
        });
        let applied = apply::apply(resource, &empty, &config, writer, options.force)?;
        let mut object = applied.object;
        self.check_namespace(resource, &key.namespace, &mut object, &key.name)?;
        self.insert(
            resource,
            key.clone(),
            object,
            options,
            Ownership::Apply(applied.managers),
        )
    }

    /// The part that all changes of an existing object share.
    fn finish(
        &mut self,
        resource: &ResourceType,
        key: &Key,
        old: &Arc<Value>,
        new: Value,
        options: &WriteOptions,
        ownership: Ownership,
    ) -> Result<Written, ApiError> {
        let mut new = separate_status(resource, old, new, options);
        keep_system_fields(old, &mut new);
        self.check_schema(resource, &mut new, options)?;
        if resource.generation && spec_differs(resource, old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
            new["metadata"]["generation"] = (generation + 1).into();
        }
        own(resource, old, &mut new, options, ownership);
        let ends = new["metadata"].get("deletionTimestamp").is_some() && !has_finalizers(&new);
        let same = managed_fields::comparable(old) == managed_fields::comparable(&new);
        if same && !ends {
            return Ok((old.clone(), false));
        }
        if options.dry_run {
            return Ok((Arc::new(new), false));
        }
        let stored = self.commit(key.clone(), new, ends);
        self.after_commit(resource);
        Ok((stored, false))
    }

    fn check_schema(
        &self,
        resource: &ResourceType,
        object: &mut Value,
        options: &WriteOptions,
    ) -> Result<(), ApiError> {
        let name = text(object, "name").to_owned();
        if let Some(schema) = &resource.schema {
            let removed = schema::prune(object, schema);
            if options.strict && !removed.is_empty() {
                let texts: Vec<String> = removed.iter().map(|path| format!("unknown field {path:?}")).collect();
                return Err(ApiError::bad_request(format!(
                    "strict decoding error: {}",
                    texts.join(", ")
                )));
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

    fn after_commit(&mut self, resource: &ResourceType) {
        if resource.plural == "customresourcedefinitions" {
            self.reload_definitions();
        }
    }

    /// DELETE. With finalizers the object only gets its deletionTimestamp; then it is the answer.
    pub(crate) fn delete(
        &mut self,
        resource: &ResourceType,
        key: &Key,
        preconditions: &Value,
        options: &WriteOptions,
    ) -> Result<Value, ApiError> {
        let old = self.get(key).ok_or_else(|| ApiError::not_found(resource, &key.name))?;
        check_preconditions(resource, &old, preconditions)?;
        let waits = has_finalizers(&old) || resource.plural == "namespaces" && resource.group.is_empty();
        if waits {
            if old["metadata"].get("deletionTimestamp").is_some() {
                return Ok((*old).clone());
            }
            let mut new = (*old).clone();
            new["metadata"]["deletionTimestamp"] = time_text(options.now).into();
            new["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            if let Some(generation) = old["metadata"]["generation"].as_i64() {
                new["metadata"]["generation"] = (generation + 1).into();
            }
            if resource.plural == "namespaces" {
                new["status"]["phase"] = "Terminating".into();
            }
            if options.dry_run {
                return Ok(new);
            }
            return Ok((*self.commit(key.clone(), new, false)).clone());
        }
        if !options.dry_run {
            self.commit(key.clone(), (*old).clone(), true);
            self.after_commit(resource);
        }
        let mut details = json!({"name": key.name, "kind": resource.plural, "uid": old["metadata"]["uid"]});
        if !resource.group.is_empty() {
            details["group"] = resource.group.as_str().into();
        }
        Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
    }
}

/// The key of an object of a kind.
pub(crate) fn key_of(resource: &ResourceType, namespace: &str, name: &str) -> Key {
    Key {
        group: resource.group.clone(),
        resource: resource.plural.clone(),
        namespace: if resource.namespaced {
            namespace.to_owned()
        } else {
            String::new()
        },
        name: name.to_owned(),
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|finalizers| !finalizers.is_empty())
}

fn strip_managed_fields(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}

fn check_type(resource: &ResourceType, object: &Value) -> Result<(), ApiError> {
    let expected = (resource.api_version(), resource.kind.as_str());
    let given = (
        object["apiVersion"].as_str().unwrap_or_default(),
        object["kind"].as_str().unwrap_or_default(),
    );
    if given == (expected.0.as_str(), expected.1) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): apiVersion {:?}, kind {:?}, expected {:?}",
        resource.kind, given.0, given.1, expected.0
    )))
}

fn check_name(object: &Value, key: &Key) -> Result<(), ApiError> {
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

/// A resourceVersion or uid in what is sent must be the stored one.
fn check_preconditions(resource: &ResourceType, old: &Value, given: &Value) -> Result<(), ApiError> {
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
fn check_declared(resource: &ResourceType, config: &Value, key: &Key) -> Result<(), ApiError> {
    let Some(schema) = &resource.schema else { return Ok(()) };
    let removed = schema::prune(&mut config.clone(), schema);
    let Some(path) = removed.first() else { return Ok(()) };
    let object = format!(
        "{}/{}; {}, Kind={}",
        key.namespace,
        key.name,
        resource.api_version(),
        resource.kind
    );
    let message = format!("failed to create typed patch object ({object}): .{path}: field not declared in schema");
    Err(ApiError::new(500, "", message))
}

/// What this subresource does not write is not owned either.
fn reset_fields(resource: &ResourceType, config: &mut Value, options: &WriteOptions) {
    let Some(fields) = config.as_object_mut() else { return };
    if options.is_status() {
        fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "status"));
    } else if resource.status {
        fields.remove("status");
    }
}

fn separate_status(resource: &ResourceType, old: &Value, mut new: Value, options: &WriteOptions) -> Value {
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

fn set_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(fields) = object.as_object_mut() {
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
    }
}

/// What only the server writes stays as it was.
fn keep_system_fields(old: &Value, new: &mut Value) {
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

fn spec_differs(resource: &ResourceType, old: &Value, new: &Value) -> bool {
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

fn own(resource: &ResourceType, old: &Value, new: &mut Value, options: &WriteOptions, ownership: Ownership) {
    let managers = match ownership {
        Ownership::Apply(managers) => managers,
        Ownership::Update => {
            let difference = managed_fields::compare(old, new, Shape::Root(resource.schema.as_ref()));
            let writer = options.writer(resource, "Update");
            managed_fields::after_update(managed_fields::decode(old), &difference, writer)
        }
    };
    managed_fields::store(new, managers);
}

/// What the server fills in for kinds of its own.
fn fill_built_in(resource: &ResourceType, object: &mut Value, now: Timestamp) {
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
fn merge(target: &mut Value, patch: &Value) {
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
