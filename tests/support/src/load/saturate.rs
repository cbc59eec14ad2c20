//! The API server's own rate of status patches: what every goal about writes is a fraction of.
use std::time::Duration;

use kube::Client;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::objects::{self, GROUP_VERSION, MANAGER};
use super::{Error, machine, populate, quantile};
use crate::controlplane::{Component, ControlPlane};

/// Namespace of the throw-away agreements.
const NAMESPACE: &str = "saturation";
/// What is not counted, while connections open and caches warm.
const WARM_UP: Duration = Duration::from_secs(3);

/// What the API server sustains.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saturation {
    /// Patches a second.
    pub patches_per_second: f64,
    /// Requests under way at any time, each on its own connection.
    pub connections: usize,
    /// For how long it was measured.
    pub seconds: f64,
    /// Latency of the patches in ms: half, 99 of 100.
    pub p50_ms: f64,
    /// Latency that 99 of 100 patches kept.
    pub p99_ms: f64,
    /// Bytes of one status.
    pub status_bytes: usize,
    /// Cores that the generator itself used.
    pub generator_cores: f64,
    /// Cores that the API server used.
    pub api_server_cores: f64,
    /// Cores that etcd used.
    pub etcd_cores: f64,
}

/// Patches statuses of throw-away agreements by server-side apply, as fast as the API server takes them.
pub async fn measure(
    plane: &ControlPlane,
    client: &Client,
    connections: usize,
    length: Duration,
) -> Result<Saturation, Error> {
    populate::create(client, "/api/v1/namespaces", &objects::namespace_object(NAMESPACE)).await?;
    let collection = format!("/apis/{GROUP_VERSION}/namespaces/{NAMESPACE}/servicelevelagreements");
    populate::create_all(client, connections, |number| (collection.clone(), objects::agreement(number))).await?;
    let begin = Instant::now() + WARM_UP;
    let end = begin + length;
    let workers: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(patch_until(client.clone(), collection.clone(), number, begin, end)))
        .collect();
    tokio::time::sleep_until(begin).await;
    let before = cpu(plane);
    tokio::time::sleep_until(end).await;
    let after = cpu(plane);
    let mut latencies = Vec::new();
    for worker in workers {
        let outcome = worker.await.map_err(|error| Error::system("patch")(std::io::Error::other(error)))?;
        latencies.extend(outcome?);
    }
    latencies.sort_by(f64::total_cmp);
    let delete = http::Request::delete(&collection)
        .body(Vec::new())
        .map_err(|error| Error::request(collection.as_str())(kube::Error::HttpError(error)))?;
    client.request_text(delete).await.map_err(Error::request("delete the throw-away agreements"))?;
    let seconds = length.as_secs_f64();
    let cores = |index: usize| (after[index] - before[index]) as f64 / 1000.0 / seconds;
    Ok(Saturation {
        patches_per_second: latencies.len() as f64 / seconds,
        connections,
        seconds,
        p50_ms: quantile(&latencies, 0.5),
        p99_ms: quantile(&latencies, 0.99),
        status_bytes: objects::agreement_status(0, 0).to_string().len(),
        generator_cores: cores(0),
        api_server_cores: cores(1),
        etcd_cores: cores(2),
    })
}

fn cpu(plane: &ControlPlane) -> [u64; 3] {
    let of = |component| plane.process_id(component).and_then(machine::usage).unwrap_or_default().cpu_ms;
    [machine::own_usage().cpu_ms, of(Component::ApiServer), of(Component::Etcd)]
}

/// Latencies in ms of the patches that ended between `begin` and `end`.
async fn patch_until(
    client: Client,
    collection: String,
    number: usize,
    begin: Instant,
    end: Instant,
) -> Result<Vec<f64>, Error> {
    let path = format!("{collection}/{}/status?fieldManager={MANAGER}&force=true", objects::name(number));
    let mut latencies = Vec::new();
    let mut turn = 0;
    loop {
        turn += 1;
        let body = json!({
            "apiVersion": GROUP_VERSION,
            "kind": "ServiceLevelAgreement",
            "metadata": {"name": objects::name(number), "namespace": NAMESPACE},
            "status": objects::agreement_status(number, turn),
        });
        let request = http::Request::patch(&path)
            .header("content-type", "application/apply-patch+yaml")
            .body(body.to_string().into_bytes())
            .map_err(|error| Error::request(path.as_str())(kube::Error::HttpError(error)))?;
        let sent = Instant::now();
        client.request_text(request).await.map_err(Error::request("patch a status"))?;
        let done = Instant::now();
        if done >= end {
            return Ok(latencies);
        }
        if done >= begin {
            latencies.push((done - sent).as_secs_f64() * 1000.0);
        }
    }
}
