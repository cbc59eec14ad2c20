//! Behaviours that the real API server and the fake one share.
//!
//! Each function takes a client and panics where the server behaves otherwise; the same functions run on both servers,
//! so that the fake one cannot drift. They need the rights of an administrator, work in a namespace of their own, and
//! claim nothing about time, uids or the wording of messages.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

pub mod applies;
pub mod reads;
pub mod watches;
pub mod writes;

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::Status,
};
use serde_json::{Value, json};

/// Names every check to a macro, which makes a test of each: `assize_testkit::for_each_check!(test_macro)`.
#[macro_export]
macro_rules! for_each_check {
    ($run:ident) => {
        $run! {
            writes::create_is_unique,
            writes::names_are_generated,
            writes::a_namespace_must_exist,
            writes::the_schema_is_enforced,
            writes::a_stale_replace_is_refused,
            writes::a_merge_patch_merges,
            writes::the_status_is_separate,
            writes::finalizers_delay_deletion,
            writes::deletion_has_preconditions,
            writes::a_dry_run_keeps_nothing,
            applies::conflicts_name_the_other_manager,
            applies::an_update_owns_what_it_wrote,
            applies::fields_go_with_their_last_manager,
            applies::lists_merge_by_their_type,
            applies::an_apply_without_change_writes_nothing,
            applies::a_stale_apply_is_refused,
            applies::an_applied_status_is_separate,
            reads::selectors_select,
            reads::pages_show_one_state,
            reads::metadata_comes_alone,
            reads::discovery_finds_the_kind,
            reads::reviews_are_answered,
            reads::events_are_recorded,
            watches::changes_come_in_order,
            watches::a_watch_without_version_starts_with_the_state,
            watches::a_selector_watch_sees_joining_and_leaving,
            watches::a_streaming_list_ends_with_a_bookmark,
            watches::a_version_that_is_too_old_is_gone,
            watches::a_watcher_lists_and_watches,
            watches::a_watcher_streams_lists,
        }
    };
}

/// How long the real server may take to serve a new definition.
const SERVED_ATTEMPTS: u32 = 100;

/// The definition of the kind `Sample`: a status subresource, a list map, a selectable field, a default.
pub fn definition() -> Value {
    let schema = json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "color": {"type": "string", "enum": ["red", "blue"]},
            "mode": {"type": "string", "default": "plain"},
            "note": {"type": "string", "pattern": "^[a-z]*$"},
            "settings": {"type": "object", "additionalProperties": {"type": "string"}},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "number": {"type": "integer"}, "text": {"type": "string"},
                }},
            },
            "steps": {"type": "array", "items": {"type": "string"}},
        }},
        "status": {"type": "object", "properties": {
            "phase": {"type": "string"},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "required": ["type"], "properties": {
                    "type": {"type": "string"}, "status": {"type": "string"},
                }},
            },
        }},
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "samples.conformance.example.com"},
        "spec": {
            "group": "conformance.example.com",
            "scope": "Namespaced",
            "names": {"kind": "Sample", "listKind": "SampleList", "plural": "samples", "singular": "sample"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.color"}],
            }],
        },
    })
}

/// The kind `Sample`.
pub fn sample_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("conformance.example.com", "v1", "Sample"), "samples")
}

/// A namespace of its own, in a cluster that serves `Sample`.
pub struct Sandbox {
    /// The client under test.
    pub client: Client,

    /// The namespace.
    pub namespace: String,

    /// The samples in it.
    pub samples: Api<DynamicObject>,
}

impl Sandbox {
    /// Installs the definition, waits until it is served, and creates a namespace.
    pub async fn new(client: Client) -> Self {
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let parameters = PatchParams::apply("conformance").force();
        definitions
            .patch("samples.conformance.example.com", &parameters, &Patch::Apply(definition()))
            .await
            .expect("failed to install the definition");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let metadata = ObjectMeta { generate_name: Some("conformance-".to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created =
            namespaces.create(&PostParams::default(), &namespace).await.expect("failed to create a namespace");
        let namespace = created.metadata.name.expect("a created object has a name");
        let samples: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &sample_resource());
        for _ in 0..SERVED_ATTEMPTS {
            if samples.list(&ListParams::default()).await.is_ok() {
                return Self { client, namespace, samples };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the definition is not served");
    }

    /// Creates a sample of this name and spec.
    pub async fn create(&self, name: &str, spec: Value) -> DynamicObject {
        let created = self.samples.create(&PostParams::default(), &sample(name, &spec)).await;
        created.expect("failed to create a sample")
    }

    /// Applies a sample of this name with these other fields.
    pub async fn apply(&self, manager: &str, name: &str, fields: Value, force: bool) -> kube::Result<DynamicObject> {
        let mut parameters = PatchParams::apply(manager);
        parameters.force = force;
        self.samples.patch(name, &parameters, &Patch::Apply(configuration(name, fields))).await
    }

    /// Applies the status of a sample.
    pub async fn apply_status(&self, manager: &str, name: &str, fields: Value) -> kube::Result<DynamicObject> {
        let parameters = PatchParams::apply(manager);
        self.samples.patch_status(name, &parameters, &Patch::Apply(configuration(name, fields))).await
    }
}

/// A sample of this name and spec.
pub fn sample(name: &str, spec: &Value) -> DynamicObject {
    DynamicObject::new(name, &sample_resource()).data(json!({"spec": spec}))
}

/// What is applied: the type, the name and these fields.
fn configuration(name: &str, fields: Value) -> Value {
    let mut object = fields;
    object["apiVersion"] = "conformance.example.com/v1".into();
    object["kind"] = "Sample".into();
    object["metadata"]["name"] = name.into();
    object
}

/// The server's refusal; anything else fails the check.
pub fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> Box<Status> {
    match result {
        Err(Error::Api(status)) => status,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn version_of(object: &DynamicObject) -> &str {
    object.metadata.resource_version.as_deref().expect("a stored object has a resourceVersion")
}
