//! The fake API server: what it shares with the real one, and what only it can do.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "fake/conformance.rs"]
mod conformance;
#[path = "fake/faults.rs"]
mod faults;
#[path = "fake/store.rs"]
mod store;
#[path = "fake/streams.rs"]
mod streams;

use assize_testkit::{conformance::definition, fake::FakeApiServer};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::ObjectMeta};
use serde_json::json;

/// A server that knows the conformance suite's kind.
fn server() -> FakeApiServer {
    FakeApiServer::builder().definitions(&definition().to_string()).build().unwrap()
}

fn map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([("value".to_owned(), value.to_owned())].into()),
        ..ConfigMap::default()
    }
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

fn put(server: &FakeApiServer, name: &str, value: &str) {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": value}});
    object["metadata"]["name"] = name.into();
    server.apply_object(object).unwrap();
}
