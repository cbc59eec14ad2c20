//! Create, replace, merge patch, delete, and the separation of the status.
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;

use super::{Sandbox, refusal, sample, sample_resource, version_of};

/// A create fills in what is the server's, and is refused the second time.
pub async fn create_is_unique(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1})).await;
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.data["spec"]["mode"], "plain", "defaults are filled in");
    let again = sandbox.samples.create(&PostParams::default(), &sample("one", &json!({"size": 1}))).await;
    let status = refusal(again);
    assert_eq!((status.code, status.reason.as_str()), (409, "AlreadyExists"));
    let missing = refusal(sandbox.samples.get("missing").await);
    assert_eq!((missing.code, missing.reason.as_str()), (404, "NotFound"));
}

/// A generated name keeps its prefix and is unique.
pub async fn names_are_generated(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let mut object = sample("", &json!({"size": 1}));
    object.metadata.name = None;
    object.metadata.generate_name = Some("made-".to_owned());
    let one = sandbox.samples.create(&PostParams::default(), &object).await.unwrap();
    let two = sandbox.samples.create(&PostParams::default(), &object).await.unwrap();
    let (one, two) = (one.metadata.name.unwrap(), two.metadata.name.unwrap());
    assert!(one.starts_with("made-") && two.starts_with("made-") && one != two);
}

/// Nothing is created in a namespace that does not exist.
pub async fn a_namespace_must_exist(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let elsewhere: Api<DynamicObject> =
        Api::namespaced_with(sandbox.client.clone(), "conformance-nowhere", &sample_resource());
    let status = refusal(elsewhere.create(&PostParams::default(), &sample("one", &json!({"size": 1}))).await);
    assert_eq!((status.code, status.reason.as_str()), (404, "NotFound"));
}

/// Unknown fields are pruned, or refused under strict validation; wrong values are refused with their path.
pub async fn the_schema_is_enforced(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1, "unknown": true})).await;
    assert!(created.data["spec"].get("unknown").is_none());
    let strict =
        PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"spec": {"unknown": 1}}));
    assert_eq!(refusal(sandbox.samples.patch("one", &strict, &patch).await).code, 422);
    let wrong = [
        (json!({}), "spec.size"),
        (json!({"size": "1"}), "spec.size"),
        (json!({"size": 10}), "spec.size"),
        (json!({"size": 1, "color": "green"}), "spec.color"),
        (json!({"size": 1, "note": "Upper"}), "spec.note"),
        (json!({"size": 1, "ports": [{"name": "a"}, {"name": "a"}]}), "spec.ports[1]"),
    ];
    for (spec, field) in wrong {
        let status = refusal(sandbox.samples.create(&PostParams::default(), &sample("two", &spec)).await);
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"), "{field}");
        let causes = status.details.unwrap().causes;
        assert!(causes.iter().any(|cause| cause.field == field), "{field} is not among {causes:?}");
    }
}

/// A replace must carry the stored resourceVersion; without a change it raises nothing.
pub async fn a_stale_replace_is_refused(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let first = sandbox.create("one", json!({"size": 1})).await;
    let mut changed = first.clone();
    changed.data["spec"]["size"] = 2.into();
    let second = sandbox.samples.replace("one", &PostParams::default(), &changed).await.unwrap();
    assert_eq!(second.metadata.generation, Some(2));
    let status = refusal(sandbox.samples.replace("one", &PostParams::default(), &changed).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let same = sandbox.samples.replace("one", &PostParams::default(), &second).await.unwrap();
    assert_eq!(version_of(&same), version_of(&second), "no change, no new version");
    changed.metadata.resource_version = None;
    let status = refusal(sandbox.samples.replace("one", &PostParams::default(), &changed).await);
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    changed.metadata.name = Some("missing".to_owned());
    changed.metadata.resource_version = Some(version_of(&second).to_owned());
    let status = refusal(sandbox.samples.replace("missing", &PostParams::default(), &changed).await);
    assert!(matches!(status.code, 404 | 409), "an object is not created by a replace");
}

/// A merge patch changes what it names; null removes; a resourceVersion in it is a precondition.
pub async fn a_merge_patch_merges(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let first = sandbox.create("one", json!({"size": 1, "color": "red", "steps": ["a", "b"]})).await;
    let patch = Patch::Merge(json!({"spec": {"size": 3, "color": null, "steps": ["c"]}}));
    let second = sandbox.samples.patch("one", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(second.data["spec"], json!({"size": 3, "mode": "plain", "steps": ["c"]}));
    let stale = Patch::Merge(json!({"metadata": {"resourceVersion": version_of(&first)}, "spec": {"size": 4}}));
    let status = refusal(sandbox.samples.patch("one", &PatchParams::default(), &stale).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
}

/// Writes of the status leave the rest alone, and the other way round; only the spec counts for the generation.
pub async fn the_status_is_separate(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let mut object = sample("one", &json!({"size": 1}));
    object.data["status"] = json!({"phase": "Forged"});
    let created = sandbox.samples.create(&PostParams::default(), &object).await.unwrap();
    assert!(created.data.get("status").is_none(), "a create does not set the status");

    let mut changed = created.clone();
    changed.data["spec"]["size"] = 2.into();
    changed.data["status"] = json!({"phase": "Up"});
    changed.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    let shown = sandbox.samples.replace_status("one", &PostParams::default(), &changed).await.unwrap();
    assert_eq!(shown.data["status"]["phase"], "Up");
    assert_eq!(shown.data["spec"]["size"], 1);
    assert_eq!(shown.metadata.labels, None);
    assert_eq!(shown.metadata.generation, Some(1));
    let status = refusal(sandbox.samples.replace_status("one", &PostParams::default(), &changed).await);
    assert_eq!(status.code, 409, "a stale status is refused");

    let patch = Patch::Merge(json!({"spec": {"size": 3}, "status": {"phase": "Down"}}));
    let patched = sandbox.samples.patch("one", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!((&patched.data["spec"]["size"], &patched.data["status"]["phase"]), (&json!(3), &json!("Up")));
    assert_eq!(patched.metadata.generation, Some(2));
    let labels = Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}}));
    let labelled = sandbox.samples.patch("one", &PatchParams::default(), &labels).await.unwrap();
    assert_eq!(labelled.metadata.generation, Some(2));
    let patch = Patch::Merge(json!({"spec": {"size": 5}, "status": {"phase": "Down"}}));
    let patched = sandbox.samples.patch_status("one", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!((&patched.data["spec"]["size"], &patched.data["status"]["phase"]), (&json!(3), &json!("Down")));
}

/// An object with finalizers is only marked; it goes with its last finalizer.
pub async fn finalizers_delay_deletion(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let mut object = sample("one", &json!({"size": 1}));
    object.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    sandbox.samples.create(&PostParams::default(), &object).await.unwrap();
    let marked = sandbox.samples.delete("one", &DeleteParams::default()).await.unwrap();
    assert!(marked.left().unwrap().metadata.deletion_timestamp.is_some());
    assert!(sandbox.samples.get("one").await.unwrap().metadata.deletion_timestamp.is_some());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    sandbox.samples.patch("one", &PatchParams::default(), &patch).await.unwrap();
    assert!(sandbox.samples.get_opt("one").await.unwrap().is_none());
}

/// A delete can name the uid and the version it means.
pub async fn deletion_has_preconditions(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1})).await;
    let wrong = Preconditions { uid: Some("00000000-0000-0000-0000-000000000000".to_owned()), resource_version: None };
    let status = refusal(sandbox.samples.delete("one", &DeleteParams::default().preconditions(wrong)).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let right = Preconditions { uid: created.metadata.uid, resource_version: created.metadata.resource_version };
    sandbox.samples.delete("one", &DeleteParams::default().preconditions(right)).await.unwrap();
    assert_eq!(refusal(sandbox.samples.delete("one", &DeleteParams::default()).await).code, 404);
}

/// A dry run answers like the write and keeps nothing.
pub async fn a_dry_run_keeps_nothing(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let shown = sandbox.samples.create(&parameters, &sample("one", &json!({"size": 1}))).await.unwrap();
    assert_eq!(shown.data["spec"]["mode"], "plain");
    assert!(sandbox.samples.get_opt("one").await.unwrap().is_none());
}
