//! Create, replace, merge patch, apply and delete.
use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    apply,
    checks::{
        check_declared, check_name, check_preconditions, check_schema, check_type, fill_built_in, has_finalizers,
        keep_system_fields, merge, reset_fields, separate_status, spec_differs, strip_managed_fields, text,
    },
    fieldset::Shape,
    managed_fields::{self, Manager},
    resources::ResourceType,
    respond::{ApiError, Cause},
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

    pub(super) fn is_status(&self) -> bool {
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
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !matches!(version, "" | "0")) {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
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
            for field in
                ["resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"]
            {
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
        check_schema(resource, &mut object, options)?;
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
        written.map_err(|error| if error.code == 400 { ApiError::invalid_patch(&error) } else { error })
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
        if config["metadata"].get("managedFields").is_some_and(|fields| fields.as_array().is_none_or(|f| !f.is_empty()))
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
            return self.finish(resource, key, &old, applied.object, options, Ownership::Apply(applied.managers));
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
        self.insert(resource, key.clone(), object, options, Ownership::Apply(applied.managers))
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
        check_schema(resource, &mut new, options)?;
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

    fn after_commit(&mut self, resource: &ResourceType) {
        if resource.plural == "customresourcedefinitions" {
            self.reload_definitions();
        }
    }

    /// The objects of a kind go with its definition.
    fn delete_instances(&mut self, definition: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text(&definition["spec"]["group"]), text(&definition["spec"]["names"]["plural"]));
        for (key, object) in self.view(&group, &plural, None) {
            self.commit(key, (*object).clone(), true);
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
            if resource.plural == "customresourcedefinitions" {
                self.delete_instances(&old);
            }
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
        namespace: if resource.namespaced { namespace.to_owned() } else { String::new() },
        name: name.to_owned(),
    }
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
