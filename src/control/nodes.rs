//! When nodes were heard last: their Leases, which they renew every ten seconds. Reads only.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use serde::Deserialize;

use crate::domain::limits::READ_NODE_LEASES;
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;

/// Namespace of the Leases of nodes.
const NAMESPACE: &str = "kube-node-lease";
/// Leases that are read at the same time.
const AT_ONCE: usize = 8;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// An outage that began as nodes were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The Service that lost a component.
    pub service: ObjectKey,
    /// When.
    pub at: Instant,
    /// The nodes that the lost endpoints or Pods ran on.
    pub nodes: Vec<Box<str>>,
}

/// When the nodes of an outage were heard last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The Service that lost a component.
    pub service: ObjectKey,
    /// When.
    pub at: Instant,
    /// The last renewals of the Leases that could be read.
    pub renewals: Vec<Instant>,
}

#[derive(Deserialize)]
struct NodeLease {
    #[serde(default)]
    spec: NodeLeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeLeaseSpec {
    #[serde(default)]
    renew_time: Option<String>,
}

/// Reads the Leases of the nodes of outages. What cannot be read says nothing.
pub async fn find(client: Client, lost: Vec<Lost>) -> Vec<Heard> {
    let names: BTreeSet<&str> = lost.iter().flat_map(|lost| &lost.nodes).map(AsRef::as_ref).collect();
    let reading: Vec<_> = names.into_iter().take(READ_NODE_LEASES).map(|name| renewal(&client, name.into())).collect();
    let renewals: HashMap<Box<str>, Option<Instant>> =
        futures::stream::iter(reading).buffer_unordered(AT_ONCE).collect().await;
    let heard = |lost: Lost| {
        let renewals = lost.nodes.iter().filter_map(|node| *renewals.get(node)?).collect();
        Heard { service: lost.service, at: lost.at, renewals }
    };
    lost.into_iter().map(heard).collect()
}

async fn renewal(client: &Client, node: Box<str>) -> (Box<str>, Option<Instant>) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    let read = async {
        let request = kube::core::Request::new(path).get(&node, &kube::api::GetParams::default()).ok()?;
        match client.request::<NodeLease>(request).await {
            Ok(lease) => Instant::parse(&lease.spec.renew_time?).ok(),
            Err(error) => {
                tracing::debug!(%node, %error, "failed to read when a node was heard last");
                None
            }
        }
    };
    let renewed = tokio::time::timeout(PATIENCE, read).await.ok().flatten();
    (node, renewed)
}
