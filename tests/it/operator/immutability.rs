//! Evidence that nobody changes: the admission policies of the chart, on the real server, with people of several rights.

use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::objects::has;
use super::periods::{phase, scene, start, week_end};
use super::rig::{LIMIT, Rig, now};

const POLICIES: &str = include_str!("../../../charts/assize/files/policies.yaml");
const OPERATOR: &str = "system:serviceaccount:assize-system:assize";
const NAMESPACE_CONTROLLER: &str = "system:serviceaccount:kube-system:namespace-controller";

fn kind(group: &str, version: &str, name: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural)
}

fn reports(client: &Client, rig: &Rig) -> Api<DynamicObject> {
    let resource = kind("assize.dev", "v1alpha1", "ServiceReport", "servicereports");
    Api::namespaced_with(client.clone(), &rig.namespace, &resource)
}

fn versions(client: &Client, rig: &Rig) -> Api<DynamicObject> {
    let resource = kind("apps", "v1", "ControllerRevision", "controllerrevisions");
    Api::namespaced_with(client.clone(), &rig.namespace, &resource)
}

/// The objects of the manifest, for the operator of this rig and for its namespace alone.
fn policies(rig: &Rig) -> Vec<Value> {
    let text = POLICIES.replace(OPERATOR, &format!("op.{}", rig.namespace));
    assert_ne!(text, POLICIES, "the manifest names the operator");
    let documents = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    let own = |mut object: Value| {
        let name = |object: &Value| format!("{}-{}", object.as_str().unwrap(), rig.namespace);
        object["metadata"]["name"] = name(&object["metadata"]["name"]).into();
        if object["kind"] == "ValidatingAdmissionPolicyBinding" {
            object["spec"]["policyName"] = name(&object["spec"]["policyName"]).into();
            object["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] =
                json!({"kubernetes.io/metadata.name": rig.namespace});
        }
        object
    };
    documents.map(own).collect()
}

fn policy_api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let name = object["kind"].as_str().unwrap();
    let plural = match name {
        "ValidatingAdmissionPolicy" => "validatingadmissionpolicies",
        _ => "validatingadmissionpolicybindings",
    };
    Api::all_with(client.clone(), &kind("admissionregistration.k8s.io", "v1", name, plural))
}

/// A person (or a controller) with all that RBAC can give on records in this namespace, and these verbs of ours.
async fn person(rig: &Rig, user: &str, ours: &[&str]) -> Client {
    let verbs = [&["get", "list", "create", "update", "patch", "delete", "deletecollection"][..], ours].concat();
    let name = format!("records-{}", ours.join("-"));
    let resources = json!([
        {"apiGroups": ["assize.dev"], "resources": ["servicereports", "servicereports/status"], "verbs": verbs},
        {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": verbs},
    ]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": name}, "rules": resources});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": user.replace(':', ".")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]});
    let administrator = rig.client();
    for (object, plural) in [(role, "roles"), (binding, "rolebindings")] {
        let resource = kind("rbac.authorization.k8s.io", "v1", object["kind"].as_str().unwrap(), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(administrator.clone(), &rig.namespace, &resource);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        api.patch(&name, &PatchParams::apply("assize-tests").force(), &Patch::Apply(&object)).await.unwrap();
    }
    rig.client_for(user)
}

/// The message of a refusal; a success or another error fails the test.
fn refusal<T: std::fmt::Debug>(outcome: kube::Result<T>) -> String {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 403 => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

async fn merge(api: &Api<DynamicObject>, name: &str, status: bool, patch: Value) -> kube::Result<DynamicObject> {
    let (parameters, patch) = (PatchParams::default(), Patch::Merge(patch));
    if status { api.patch_status(name, &parameters, &patch).await } else { api.patch(name, &parameters, &patch).await }
}

/// Waits until the policies are in force: they are some moments after they are stored.
async fn install(rig: &Rig, tester: &Client) {
    let administrator = rig.client();
    for object in policies(rig) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let parameters = PatchParams::apply("assize-tests").force();
        policy_api(&administrator, &object).patch(&name, &parameters, &Patch::Apply(&object)).await.unwrap();
    }
    let probe = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1,
        "metadata": {"name": "probe", "labels": {"assize.dev/record": "version"}}, "data": {}});
    let probe: DynamicObject = serde_json::from_value(probe).unwrap();
    let report = json!({"apiVersion": "assize.dev/v1alpha1", "kind": "ServiceReport", "metadata": {"name": "probe"},
        "spec": {"subject": {"kind": "Service", "name": "probe", "uid": "probe"}, "serviceRef": {"name": "probe"},
            "period": {"key": "2026-01", "start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "timeZone": "UTC"}}});
    let report: DynamicObject = serde_json::from_value(report).unwrap();
    reports(&administrator, rig).create(&PostParams::default(), &report).await.unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let dry_patch = PatchParams { dry_run: true, ..PatchParams::default() };
    let in_force = async {
        let (versions, reports) = (versions(tester, rig), reports(tester, rig));
        let status = Patch::Merge(json!({"status": {"phase": "Open"}}));
        while versions.create(&dry, &probe).await.is_ok()
            || reports.patch_status("probe", &dry_patch, &status).await.is_ok()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, in_force).await.expect("the policies are not in force");
    reports(&administrator, rig).delete("probe", &DeleteParams::default()).await.unwrap();
}

async fn uninstall(rig: &Rig) {
    for object in policies(rig).into_iter().rev() {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        policy_api(&rig.client(), &object).delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

/// M-94, fault row 91: the operator works under the policies, and what it closed and kept stays as it is.
#[tokio::test]
async fn m_94_what_is_closed_stays_as_it_is() {
    let rig = Rig::real().await;
    let editor = person(&rig, "editor", &[]).await;
    let archivist = person(&rig, "archivist", &["purge", "restore"]).await;
    let cleaner = person(&rig, NAMESPACE_CONTROLLER, &[]).await;
    let writer = person(&rig, &format!("op.{}", rig.namespace), &[]).await;
    install(&rig, &editor).await;
    scene(&rig).await;
    let operator = start(&rig, "op", week_end(now()), 8);
    let open = rig.open_report("gold").await;
    let name = open["metadata"]["name"].as_str().unwrap().to_owned();
    let forged = json!({"status": {"result": "Breached"}});
    let message = refusal(merge(&reports(&editor, &rig), &name, true, forged.clone()).await);
    assert!(message.contains("only the operator writes what it measured"), "{message}");
    let closed = rig.wait("Report", &name, "Closed", phase("Closed")).await;
    assert!(has(&closed, "Closed", "True", "PeriodClosed"), "{closed}");
    rig.settle("op").await;
    operator.stop().await;
    reports_stay(&rig, &name, &closed, [&editor, &writer]).await;
    versions_stay(&rig, [&editor, &archivist]).await;

    // Another operator finds the report closed, and does nothing.
    let operator = start(&rig, "op", week_end(now()), 1);
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    operator.stop().await;
    let stays = rig.get("Report", &name).await.unwrap();
    assert_eq!((&stays["spec"], &stays["status"]["digest"]), (&closed["spec"], &closed["status"]["digest"]));

    // Whoever may purge may delete; so may what empties a namespace.
    let refused = refusal(reports(&editor, &rig).delete(&name, &DeleteParams::default()).await);
    assert!(refused.contains("ask for the verb purge"), "{refused}");
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    reports(&cleaner, &rig).delete(&name, &dry).await.unwrap();
    reports(&archivist, &rig).delete(&name, &DeleteParams::default()).await.unwrap();
    uninstall(&rig).await;
}

async fn reports_stay(rig: &Rig, name: &str, closed: &Value, [editor, writer]: [&Client; 2]) {
    for client in [editor, writer] {
        let api = reports(client, rig);
        for status in [
            json!({"result": "Missed"}),
            json!({"phase": "Open"}),
            json!({"digest": null}),
            json!({"ledger": {"sequence": 77}}),
            json!({"outagesOmitted": {"count": 1, "ms": 1}}),
            json!({"headline": {"actual": "50.0000"}}),
        ] {
            let message = refusal(merge(&api, name, true, json!({"status": status})).await);
            // Of several rules the API server names one.
            let known = ["a closed report does not change", "only the operator writes"];
            assert!(known.iter().any(|known| message.contains(known)), "{message}");
        }
        let owner = json!([{"apiVersion": "v1", "kind": "Namespace", "name": "gone", "uid": "gone"}]);
        let message = refusal(merge(&api, name, false, json!({"metadata": {"ownerReferences": owner}})).await);
        assert!(message.contains("a closed report has no owner"), "{message}");
        let spec = merge(&api, name, false, json!({"spec": {"period": {"key": "2026-11"}}})).await;
        assert!(spec.is_err(), "{spec:?}");
    }
    // What stands outside the digest may still be said, by the operator.
    let mut conditions = closed["status"]["conditions"].as_array().unwrap().clone();
    conditions.push(json!({"type": "Superseded", "status": "True", "reason": "Superseded", "message": "x",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}));
    let said = json!({"status": {"conditions": conditions}});
    let message = refusal(merge(&reports(editor, rig), name, true, said.clone()).await);
    assert!(message.contains("only the operator"), "{message}");
    merge(&reports(writer, rig), name, true, said).await.unwrap();
    let _ = reports(editor, rig).delete_collection(&DeleteParams::default(), &ListParams::default()).await;
    let kept = rig.get("Report", name).await.expect("a collection is deleted around what is closed");
    assert_eq!(kept["status"]["digest"], closed["status"]["digest"]);
}

async fn versions_stay(rig: &Rig, [editor, archivist]: [&Client; 2]) {
    let records = rig.list("ControllerRevision").await;
    let record = records.iter().find(|record| record["metadata"]["name"].as_str().unwrap().starts_with("sla-gold-"));
    let record = record.expect("the operator keeps versions under the policies");
    let name = record["metadata"]["name"].as_str().unwrap();
    let mut forged = record.clone();
    forged["metadata"] = json!({"name": "sla-gold-0123456789", "labels": {"assize.dev/record": "version"}});
    let forged: DynamicObject = serde_json::from_value(forged).unwrap();
    let api = versions(editor, rig);
    for message in [
        refusal(api.create(&PostParams::default(), &forged).await),
        refusal(merge(&api, name, false, json!({"metadata": {"labels": {"assize.dev/record": null}}})).await),
        refusal(merge(&api, name, false, json!({"revision": 9})).await),
    ] {
        assert!(message.contains("only the operator keeps versions"), "{message}");
    }
    let message = refusal(api.delete(name, &DeleteParams::default()).await);
    assert!(message.contains("ask for the verb purge on controllerrevisions"), "{message}");
    // Those of other controllers are nobody's business here.
    let other = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1,
        "metadata": {"name": "other"}, "data": {}});
    let other: DynamicObject = serde_json::from_value(other).unwrap();
    api.create(&PostParams::default(), &other).await.unwrap();
    api.delete("other", &DeleteParams::default()).await.unwrap();
    // Taken away and brought back.
    let api = versions(archivist, rig);
    api.delete(name, &DeleteParams::default()).await.unwrap();
    let mut back = record.clone();
    back["metadata"] = json!({"name": name, "labels": record["metadata"]["labels"]});
    let back: DynamicObject = serde_json::from_value(back).unwrap();
    api.create(&PostParams::default(), &back).await.unwrap();
}

/// The API server finds nothing wrong with the expressions.
#[tokio::test]
async fn the_policies_name_fields_that_exist() {
    let rig = Rig::real().await;
    for object in policies(&rig).iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicy") {
        let name = object["metadata"]["name"].as_str().unwrap();
        let parameters = PatchParams::apply("assize-tests").force().validation_strict();
        policy_api(&rig.client(), object).patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
        policy_api(&rig.client(), object).delete(name, &DeleteParams::default()).await.unwrap();
    }
}
