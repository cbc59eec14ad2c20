//! Transitions on a fixed schedule, and how long it takes until the status of the agreement shows each.
//!
//! The schedule does not wait for the operator: a transition counts from the instant it was due, so that what is late
//! because everything is slow is not left out.
use std::time::Duration;

use kube::Client;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::objects::{self, Shape};
use super::watch::{AgreementWatch, Agreements};
use super::{Error, quantile};

/// How long the last transition may take to be shown.
const SHOWN_WITHIN: Duration = Duration::from_mins(1);

/// Latencies of transitions in ms, from the PATCH that was due to the status that was seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transitions {
    /// How many were sent.
    pub sent: usize,
    /// How many were never shown.
    pub missed: usize,
    /// Transitions a second.
    pub per_second: f64,
    /// Half were faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// The largest delay of a PATCH against the schedule, part of the latencies.
    pub latest_send_ms: f64,
    /// Every latency, sorted.
    pub latencies_ms: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    service: usize,
    ready: bool,
    due: Instant,
}

impl Planned {
    fn state(self) -> &'static str {
        if self.ready { "Up" } else { "Down" }
    }

    /// When the watch showed it.
    fn shown(self, agreements: &Agreements) -> Option<Instant> {
        let seen = agreements.get(&objects::name(self.service))?;
        seen.states.iter().find(|(at, state)| *at >= self.due && state == self.state()).map(|(at, _)| *at)
    }
}

/// Takes services down and up again, one transition after the other, each at its instant.
pub async fn run(
    client: &Client,
    shape: &Shape,
    watch: &AgreementWatch,
    count: usize,
    per_second: f64,
) -> Result<Transitions, Error> {
    let begin = Instant::now() + Duration::from_millis(100);
    let services = (count / 2).clamp(1, shape.services);
    let planned: Vec<Planned> = (0..count)
        .map(|number| Planned {
            service: number % services,
            ready: (number / services) % 2 == 1,
            due: begin + Duration::from_secs_f64(number as f64 / per_second),
        })
        .collect();
    let patches: Vec<_> = planned.iter().map(|planned| tokio::spawn(patch(client.clone(), *shape, *planned))).collect();
    let mut latest_send_ms: f64 = 0.0;
    for task in patches {
        let late = task.await.map_err(|error| Error::system("patch a slice")(std::io::Error::other(error)))?;
        latest_send_ms = latest_send_ms.max(late?.as_secs_f64() * 1000.0);
    }
    let all_shown = |agreements: &Agreements| planned.iter().all(|planned| planned.shown(agreements).is_some());
    watch.wait_until(Instant::now() + SHOWN_WITHIN, all_shown).await;
    let shown: Vec<_> = watch.read(|agreements| planned.iter().map(|one| (one.due, one.shown(agreements))).collect());
    let mut latencies_ms: Vec<f64> =
        shown.iter().filter_map(|(due, at)| Some((((*at)? - *due).as_secs_f64()) * 1000.0)).collect();
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Transitions {
        sent: count,
        missed: count - latencies_ms.len(),
        per_second,
        p50_ms: quantile(&latencies_ms, 0.5),
        p99_ms: quantile(&latencies_ms, 0.99),
        max_ms: quantile(&latencies_ms, 1.0),
        latest_send_ms,
        latencies_ms,
    })
}

/// Patches all endpoints of a slice when it is due; returns how late it was sent.
async fn patch(client: Client, shape: Shape, planned: Planned) -> Result<Duration, Error> {
    tokio::time::sleep_until(planned.due).await;
    let late = planned.due.elapsed();
    let (namespace, name) = (shape.namespace(planned.service), objects::slice_name(planned.service));
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}");
    let body = json!({"endpoints": objects::endpoints(&shape, planned.service, planned.ready)});
    let request = http::Request::patch(&path)
        .header("content-type", "application/merge-patch+json")
        .body(body.to_string().into_bytes())
        .map_err(|error| Error::request(path.as_str())(kube::Error::HttpError(error)))?;
    client.request_text(request).await.map_err(Error::request("patch a slice"))?;
    Ok(late)
}
