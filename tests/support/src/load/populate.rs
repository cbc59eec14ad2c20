//! Creating the load, many objects at a time.
use std::fs;
use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use kube::Client;
use serde_json::Value;

use super::Error;
use super::objects::{self, GROUP_VERSION, MANAGER, Shape};

/// Objects that are created at the same time.
const WIDTH: usize = 16;
/// How long a definition may take to be served.
const SERVED_TRIES: u32 = 600;

/// Creates an object in a collection.
pub async fn create(client: &Client, collection: &str, object: &Value) -> Result<(), Error> {
    let what = || format!("create an object in {collection}");
    let request = http::Request::post(format!("{collection}?fieldManager={MANAGER}"))
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .map_err(|error| Error::request(what())(kube::Error::HttpError(error)))?;
    client.request_text(request).await.map(drop).map_err(Error::request(what()))
}

/// Creates one object for each number.
pub async fn create_all(client: &Client, count: usize, object: impl Fn(usize) -> (String, Value)) -> Result<(), Error> {
    futures::stream::iter((0..count).map(object))
        .map(|(collection, object)| async move { create(client, &collection, &object).await })
        .buffer_unordered(WIDTH)
        .try_collect()
        .await
}

/// Installs the definitions of a folder and waits until all are served.
pub async fn install_definitions(client: &Client, folder: &Path) -> Result<(), Error> {
    let system = |source| Error::system(format!("read {}", folder.display()))(source);
    for entry in fs::read_dir(folder).map_err(system)? {
        let text = entry.and_then(|entry| fs::read_to_string(entry.path())).map_err(system)?;
        let definition: Value =
            serde_saphyr::from_str(&text).map_err(|error| system(std::io::Error::other(error.to_string())))?;
        create(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await?;
        let plural = definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default();
        wait_until_served(client, plural).await?;
    }
    Ok(())
}

async fn wait_until_served(client: &Client, plural: &str) -> Result<(), Error> {
    let path = format!("/apis/{GROUP_VERSION}/{plural}?limit=1");
    for _ in 0..SERVED_TRIES {
        let request = http::Request::get(&path)
            .body(Vec::new())
            .map_err(|error| Error::request(path.as_str())(kube::Error::HttpError(error)))?;
        if client.request_text(request).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(Error::Late { what: format!("{plural} to be served"), seconds: 60, log: "none".to_owned() })
}

/// Creates namespaces, core Services and `EndpointSlices`: the cluster as it is before anybody measures it.
pub async fn create_cluster(client: &Client, shape: &Shape) -> Result<(), Error> {
    let namespaces: Vec<String> = shape.all_namespaces().chain(["assize-system".to_owned()]).collect();
    create_all(client, namespaces.len(), |number| {
        ("/api/v1/namespaces".to_owned(), objects::namespace_object(&namespaces[number]))
    })
    .await?;
    create_all(client, shape.services, |service| {
        let namespace = shape.namespace(service);
        (format!("/api/v1/namespaces/{namespace}/services"), objects::core_service(service))
    })
    .await?;
    create_all(client, shape.services, |service| {
        let namespace = shape.namespace(service);
        let collection = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        (collection, objects::slice(shape, service))
    })
    .await
}

/// Creates the Services and agreements.
pub async fn create_agreements(client: &Client, shape: &Shape) -> Result<(), Error> {
    for (plural, object) in
        [("services", objects::service as fn(usize) -> Value), ("servicelevelagreements", objects::agreement)]
    {
        create_all(client, shape.services, |service| {
            let namespace = shape.namespace(service);
            (format!("/apis/{GROUP_VERSION}/namespaces/{namespace}/{plural}"), object(service))
        })
        .await?;
    }
    Ok(())
}
