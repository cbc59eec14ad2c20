//! The rights of the chart: an operator with exactly these does all it has to, and may do nothing else with the Leases
//! of nodes.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams,
};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::nodes::{heard, on_node, outage, scene};
use super::rig::{LIMIT, Rig};

const GROUP: &str = "rbac.authorization.k8s.io";
const NODES: &str = "kube-node-lease";
/// The roles of the chart, and where each is bound: in the namespace of the operator unless it names one.
const ROLES: [&str; 3] = [
    include_str!("../../../charts/assize/files/clusterrole.yaml"),
    include_str!("../../../charts/assize/files/role.yaml"),
    include_str!("../../../charts/assize/files/nodeleases.yaml"),
];

async fn apply(client: &Client, namespace: Option<&str>, object: &Value) {
    let kind = object["kind"].as_str().unwrap();
    let plural = format!("{}s", kind.to_lowercase());
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", kind), &plural);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object["metadata"]["name"].as_str().unwrap();
    api.patch(name, &PatchParams::apply("assize-tests").force(), &Patch::Apply(object)).await.unwrap();
}

/// Gives a user the roles of the chart, for an operator in the namespace of this rig.
async fn grant(rig: &Rig, user: &str) {
    let administrator = rig.client();
    let name = format!("assize-{}", rig.namespace);
    for text in ROLES {
        let mut role: Value = serde_saphyr::from_str(text).unwrap();
        let is_cluster_wide = role["kind"] == "ClusterRole";
        let place = role["metadata"]["namespace"].as_str().unwrap_or(&rig.namespace).to_owned();
        let place = (!is_cluster_wide).then_some(place);
        // Rigs share one server; the Lease has the name that their operators give it.
        role["metadata"]["name"] = name.as_str().into();
        for rule in role["rules"].as_array_mut().unwrap() {
            if rule["resourceNames"] == json!(["assize"]) {
                rule["resourceNames"] = json!([rig.lease_name()]);
            }
        }
        apply(&administrator, place.as_deref(), &role).await;
        let binding = json!({
            "apiVersion": format!("{GROUP}/v1"), "metadata": {"name": name},
            "kind": if is_cluster_wide { "ClusterRoleBinding" } else { "RoleBinding" },
            "roleRef": {"apiGroup": GROUP, "kind": role["kind"], "name": name},
            "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
        });
        apply(&administrator, place.as_deref(), &binding).await;
    }
}

fn is_refused<T>(answer: kube::Result<T>) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
}

#[tokio::test]
async fn the_roles_of_the_chart_are_enough_and_no_more_of_nodes() {
    let rig = Rig::real().await;
    let node = format!("dead-{}", rig.namespace);
    let renewed = heard(&rig, &node, SignedDuration::from_secs(45)).await;
    scene(&rig, "checkout", &node, json!([])).await;
    let user = format!("limited.{}", rig.namespace);
    grant(&rig, &user).await;
    let client = rig.client_for(&user);
    let leases: Api<Lease> = Api::namespaced(client.clone(), NODES);
    // A role is in force some moments after it is stored.
    let granted = async {
        while leases.get(&node).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, granted).await.expect("the Lease of a node may be read");

    let operator = rig.start_as(client.clone(), "limited", &[]);
    rig.wait_current("checkout", "Up").await;
    on_node(&rig, "checkout", &node, false).await;
    let (from, lag_ms) = outage(&rig, "checkout", |lag_ms| lag_ms > 0).await;
    assert_eq!(lag_ms, from.as_millisecond() - renewed.as_millisecond());
    operator.stop().await;

    let lease = leases.get(&node).await.unwrap();
    let mut other = lease.clone();
    other.metadata = kube::core::ObjectMeta { name: Some(format!("other-{node}")), ..Default::default() };
    assert!(is_refused(leases.list(&ListParams::default()).await), "list");
    assert!(is_refused(leases.watch(&WatchParams::default(), "0").await.map(drop)), "watch");
    assert!(is_refused(leases.create(&PostParams::default(), &other).await), "create");
    assert!(is_refused(leases.replace(&node, &PostParams::default(), &lease).await), "update");
    let patch = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    assert!(is_refused(leases.patch(&node, &PatchParams::default(), &patch).await), "patch");
    assert!(is_refused(leases.delete(&node, &DeleteParams::default()).await), "delete");
    let elsewhere: Api<Lease> = Api::namespaced(client, "kube-system");
    assert!(is_refused(elsewhere.get("any").await), "those of other namespaces");
}
