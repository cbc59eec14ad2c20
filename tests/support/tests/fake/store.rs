//! The store, the clock, the log and the direct access.
use assize_testkit::{
    conformance::{Sandbox, definition},
    fake::{FakeApiServer, ManualClock, Verb},
};
use http::{Request, header};
use jiff::SignedDuration;
use kube::{
    api::{Patch, PatchParams},
    client::Body,
};
use serde_json::json;

use super::server;

#[tokio::test]
async fn times_come_from_the_injected_clock() {
    let clock = ManualClock::at("2026-03-04T05:06:07Z".parse().unwrap());
    let server = FakeApiServer::builder().clock(clock.clock()).build().unwrap();
    let date = async || {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        let response = server.client("test").send(request).await.unwrap();
        response.headers()[header::DATE].to_str().unwrap().to_owned()
    };
    assert_eq!(date().await, "Wed, 04 Mar 2026 05:06:07 GMT");
    clock.advance(SignedDuration::from_hours(-1));
    assert_eq!(date().await, "Wed, 04 Mar 2026 04:06:07 GMT");
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}});
    let stored = server.apply_object(object).unwrap();
    assert_eq!(stored["metadata"]["creationTimestamp"], "2026-03-04T04:06:07Z");
    assert_eq!(stored["metadata"]["managedFields"][0]["time"], "2026-03-04T04:06:07Z");
}

#[tokio::test]
async fn the_log_tells_who_wrote_what() {
    let server = server();
    let sandbox = Sandbox::new(server.client("operator/1.0")).await;
    server.clear_log();
    sandbox.create("one", json!({"size": 1})).await;
    sandbox.apply_status("operator", "one", json!({"status": {"phase": "Up"}})).await.unwrap();
    sandbox.apply_status("operator", "one", json!({"status": {"phase": "Up"}})).await.unwrap();
    sandbox.samples.get("one").await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    let status = &requests[1];
    assert_eq!((status.verb, status.subresource.as_deref(), status.code), (Verb::Apply, Some("status"), Some(200)));
    assert_eq!((status.group.as_str(), status.resource.as_str()), ("conformance.example.com", "samples"));
    assert_eq!((status.name.as_deref(), status.user_agent.as_str()), (Some("one"), "operator/1.0"));
    assert_eq!(requests[2].write_index, status.write_index.map(|index| index + 1));
    assert_eq!((requests[2].committed, requests[3].write_index), (false, None));
    let writes: Vec<(Verb, String, usize)> =
        server.write_counts().into_iter().map(|(key, count)| (key.5, key.4, count)).collect();
    assert_eq!(writes, [(Verb::Create, String::new(), 1), (Verb::Apply, "status".to_owned(), 1)]);
}

#[tokio::test]
async fn two_runs_are_equal_to_the_last_byte() {
    let run = async || {
        let server = server();
        let sandbox = Sandbox::new(server.client("operator")).await;
        sandbox.create("one", json!({"size": 1})).await;
        let patch = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
        sandbox.samples.patch("one", &PatchParams::default(), &patch).await.unwrap();
        server.dump()
    };
    assert_eq!(run().await, run().await);
}

#[test]
fn fixtures_are_stored_with_their_status() {
    let server = server();
    let pod = |phase: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": "shop"},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]}, "status": {"phase": phase},
        })
    };
    server.apply_object(pod("Running")).unwrap();
    let stored = server.apply_object(pod("Failed")).unwrap();
    assert_eq!(stored["status"]["phase"], "Failed");
    assert_eq!(stored["metadata"]["generation"], 1);
    let stored = server.update_status("pods", "shop", "one", json!({"phase": "Succeeded"})).unwrap();
    assert_eq!(stored["status"], json!({"phase": "Succeeded"}));
    assert_eq!(server.list("pods", Some("shop")).len(), 1);
    assert_eq!(server.list("pods", Some("default")).len(), 0);
    server.delete("pods", "shop", "one").unwrap();
    assert!(server.get("pods", "shop", "one").is_none());
    assert_eq!(server.delete("pods", "shop", "one").unwrap_err().code, 404);
}

#[test]
fn definitions_are_read_from_yaml_and_can_go_again() {
    let text = serde_saphyr::to_string(&definition()).unwrap();
    let other = text.replace("samples", "others").replace("Sample", "Other").replace("sample", "other");
    let server = FakeApiServer::builder().definitions(&format!("{text}\n---\n{other}")).build().unwrap();
    let object = |kind: &str| json!({"apiVersion": "conformance.example.com/v1", "kind": kind, "metadata": {"name": "x"}, "spec": {"size": 1}});
    server.apply_object(object("Sample")).unwrap();
    server.apply_object(object("Other")).unwrap();
    let stored = server.list("customresourcedefinitions", None);
    assert!(stored.iter().all(|crd| crd["status"]["conditions"][1]["type"] == "Established"));
    server.delete("customresourcedefinitions", "", "others.conformance.example.com").unwrap();
    assert_eq!(server.apply_object(object("Other")).unwrap_err().code, 400);
}
