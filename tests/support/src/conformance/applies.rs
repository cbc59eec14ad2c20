//! Server-side apply.
use kube::{
    Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Sandbox, refusal, version_of};

/// What is compared: a spec without the default.
fn spec_of(object: &DynamicObject) -> Value {
    let mut spec = object.data["spec"].clone();
    spec.as_object_mut().unwrap().remove("mode");
    spec
}

/// An apply creates, and a field of another manager is refused by that manager's name unless forced.
pub async fn conflicts_name_the_other_manager(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.apply("first", "one", json!({"spec": {"size": 1}}), false).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    sandbox.apply("second", "one", json!({"spec": {"size": 1}}), false).await.expect("the same value is shared");
    let status = refusal(sandbox.apply("third", "one", json!({"spec": {"size": 2}}), false).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert!(status.message.contains("\"first\"") && status.message.contains(".spec.size"), "{}", status.message);
    let causes = status.details.unwrap().causes;
    assert!(causes.iter().all(|cause| cause.reason == "FieldManagerConflict" && cause.field == ".spec.size"));
    let forced = sandbox.apply("third", "one", json!({"spec": {"size": 2}}), true).await.unwrap();
    assert_eq!(spec_of(&forced), json!({"size": 2}));
    let status = refusal(sandbox.apply("first", "one", json!({"spec": {"size": 1}}), false).await);
    assert!(status.message.contains("\"third\"") && !status.message.contains("\"second\""), "{}", status.message);
}

/// A create and a patch own what they wrote, and take it from whoever applied it before.
pub async fn an_update_owns_what_it_wrote(client: Client) {
    let sandbox = Sandbox::new(client).await;
    sandbox.create("one", json!({"size": 1, "color": "red"})).await;
    sandbox.apply("first", "one", json!({"spec": {"size": 1}}), false).await.expect("the same value is shared");
    let status = refusal(sandbox.apply("first", "one", json!({"spec": {"size": 2}}), false).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    sandbox.apply("first", "one", json!({"spec": {"size": 2}}), true).await.unwrap();
    sandbox.apply("first", "one", json!({"spec": {"size": 3}}), false).await.expect("it is the only owner now");
    let patch = Patch::Merge(json!({"spec": {"size": 4}}));
    sandbox.samples.patch("one", &PatchParams::default(), &patch).await.unwrap();
    let status = refusal(sandbox.apply("first", "one", json!({"spec": {"size": 3}}), false).await);
    assert_eq!(status.code, 409, "the patch has taken the field");
    let after = sandbox.apply("first", "one", json!({"spec": {}}), false).await.unwrap();
    assert_eq!(spec_of(&after), json!({"size": 4, "color": "red"}), "what others own stays");
}

/// A field goes when its last manager no longer applies it.
pub async fn fields_go_with_their_last_manager(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let both = json!({"spec": {"size": 1, "color": "red", "note": "a", "settings": {"x": "1", "y": "2"}}});
    sandbox.apply("first", "one", both, false).await.unwrap();
    sandbox.apply("second", "one", json!({"spec": {"size": 1, "color": "red"}}), false).await.unwrap();
    let less = json!({"spec": {"size": 1, "settings": {"y": "2"}}});
    let after = sandbox.apply("first", "one", less, false).await.unwrap();
    assert_eq!(spec_of(&after), json!({"size": 1, "color": "red", "settings": {"y": "2"}}));
    let after = sandbox.apply("second", "one", json!({"spec": {"size": 1}}), false).await.unwrap();
    assert_eq!(spec_of(&after), json!({"size": 1, "settings": {"y": "2"}}));
    let after = sandbox.apply("first", "one", json!({"spec": {"size": 1}}), false).await.unwrap();
    assert_eq!(spec_of(&after), json!({"size": 1}), "the empty map goes too");
}

/// A list map merges by its keys; any other list is replaced as a whole.
pub async fn lists_merge_by_their_type(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let first = json!({"spec": {"size": 1, "ports": [{"name": "a", "number": 1}], "steps": ["x", "y"]}});
    sandbox.apply("first", "one", first, false).await.unwrap();
    let second = json!({"spec": {"ports": [{"name": "b", "number": 2}, {"name": "a", "text": "t"}]}});
    let after = sandbox.apply("second", "one", second, false).await.unwrap();
    let port = |name: &str| -> Value {
        let ports = after.data["spec"]["ports"].as_array().unwrap();
        ports.iter().find(|port| port["name"] == name).unwrap().clone()
    };
    assert_eq!(after.data["spec"]["ports"].as_array().unwrap().len(), 2);
    assert_eq!(port("a"), json!({"name": "a", "number": 1, "text": "t"}));
    assert_eq!(port("b"), json!({"name": "b", "number": 2}));
    let conflict = sandbox.apply("second", "one", json!({"spec": {"steps": ["x"]}}), false).await;
    assert_eq!(refusal(conflict).code, 409, "an atomic list has one owner");
    let after = sandbox.apply("second", "one", json!({"spec": {}}), false).await.unwrap();
    assert_eq!(after.data["spec"]["ports"], json!([{"name": "a", "number": 1}]));
}

/// An apply without a change raises no version.
pub async fn an_apply_without_change_writes_nothing(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let fields = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 1}});
    let first = sandbox.apply("first", "one", fields.clone(), false).await.unwrap();
    let second = sandbox.apply("first", "one", fields, false).await.unwrap();
    assert_eq!(version_of(&first), version_of(&second));
    let status = json!({"status": {"phase": "Up"}});
    let third = sandbox.apply_status("first", "one", status.clone()).await.unwrap();
    let fourth = sandbox.apply_status("first", "one", status).await.unwrap();
    assert_ne!(version_of(&second), version_of(&third));
    assert_eq!(version_of(&third), version_of(&fourth));
}

/// A resourceVersion in what is applied is a precondition.
pub async fn a_stale_apply_is_refused(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1})).await;
    let old = version_of(&created).to_owned();
    let with_version =
        |version: &str, phase: &str| json!({"metadata": {"resourceVersion": version}, "status": {"phase": phase}});
    let after = sandbox.apply_status("first", "one", with_version(&old, "Up")).await.unwrap();
    let status = refusal(sandbox.apply_status("first", "one", with_version(&old, "Down")).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let current = version_of(&after).to_owned();
    let after = sandbox.apply_status("first", "one", with_version(&current, "Down")).await.unwrap();
    assert_eq!(after.data["status"]["phase"], "Down");
}

/// Managers of the status are apart from those of the rest, conditions merge by type, and a status creates nothing.
pub async fn an_applied_status_is_separate(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let missing = sandbox.apply_status("first", "missing", json!({"status": {"phase": "Up"}})).await;
    assert_eq!(refusal(missing).code, 404);
    sandbox.apply("first", "one", json!({"spec": {"size": 1}, "status": {"phase": "Forged"}}), false).await.unwrap();
    let condition = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
    sandbox.apply_status("first", "one", condition("Ready")).await.unwrap();
    let after = sandbox.apply_status("second", "one", condition("Synced")).await.unwrap();
    assert_eq!(after.data["status"].get("phase"), None);
    assert_eq!(after.data["status"]["conditions"].as_array().unwrap().len(), 2);
    let after = sandbox.apply("first", "one", json!({"spec": {"size": 2}}), false).await.unwrap();
    assert_eq!(after.data["status"]["conditions"].as_array().unwrap().len(), 2);
    let managers = after.metadata.managed_fields.unwrap();
    let entry = |name: &str, subresource: Option<&str>| {
        managers.iter().any(|entry| {
            entry.manager.as_deref() == Some(name)
                && entry.subresource.as_deref() == subresource
                && entry.operation.as_deref() == Some("Apply")
        })
    };
    assert!(entry("first", None) && entry("first", Some("status")) && entry("second", Some("status")));
    let after = sandbox.apply_status("first", "one", json!({})).await.unwrap();
    assert_eq!(after.data["status"]["conditions"], json!([{"type": "Synced", "status": "True"}]));
}
