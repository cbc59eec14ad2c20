//! The flags that say which cluster and which namespaces, as kubectl has them, and the client they lead to.

use std::path::PathBuf;

use clap::Args;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicObject;
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::output::Progress;

/// Objects that one request asks for; large enough that most namespaces need one.
const PAGE_OBJECTS: u32 = 500;

/// Which cluster, and which namespaces of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterFlags {
    /// Namespace; default: that of the context
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    pub(super) namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config, then the Pod's own account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
}

/// Why the cluster did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClusterError {
    #[error("failed to read {}: {source}", path.display())]
    Kubeconfig { path: PathBuf, source: Box<kube::config::KubeconfigError> },
    #[error("context {context:?}: {source}")]
    Context { context: String, source: Box<kube::config::KubeconfigError> },
    #[error("no cluster is configured; give --kubeconfig, set KUBECONFIG, or use -f: {0}")]
    NoCluster(String),
    #[error("failed to prepare the connection to the cluster: {0}")]
    Client(Box<kube::Error>),
    #[error("failed to read {kind} {place}: {reason}")]
    Read { kind: &'static str, place: String, reason: String },
}

/// A client with the namespaces that the flags mean.
pub(super) struct Cluster {
    client: Client,
    /// None: all.
    pub(super) namespace: Option<String>,
}

impl ClusterFlags {
    pub(super) async fn connect(&self) -> Result<Cluster, ClusterError> {
        let config = self.config().await?;
        let namespace = match &self.namespace {
            _ if self.all_namespaces => None,
            Some(namespace) => Some(namespace.clone()),
            None => Some(config.default_namespace.clone()),
        };
        let client = Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))?;
        Ok(Cluster { client, namespace })
    }

    async fn config(&self) -> Result<Config, ClusterError> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match (&self.kubeconfig, &self.context) {
            (Some(path), _) => {
                let failed = |source| ClusterError::Kubeconfig { path: path.clone(), source: Box::new(source) };
                let read = Kubeconfig::read_from(path).map_err(failed)?;
                Config::from_custom_kubeconfig(read, &options).await.map_err(failed)
            }
            (None, Some(context)) => Config::from_kubeconfig(&options)
                .await
                .map_err(|source| ClusterError::Context { context: context.clone(), source: Box::new(source) }),
            (None, None) => Config::infer().await.map_err(|error| ClusterError::NoCluster(error.to_string())),
        }
    }
}

impl Cluster {
    /// All objects of a kind in the namespaces of the flags, page by page.
    pub(super) async fn list<K>(&self, kind: &'static str, selector: Option<&str>) -> Result<Vec<K>, ClusterError>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        self.pages(&api, kind, selector).await
    }

    /// All objects of a kind that lives in no namespace.
    pub(super) async fn list_everywhere<K>(&self, kind: &'static str) -> Result<Vec<K>, ClusterError>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        self.pages(&Api::all(self.client.clone()), kind, None).await
    }

    /// All objects of a kind in the namespaces of the flags, as they are stored: no field is passed over.
    pub(super) async fn list_as_stored<K>(&self, kind: &'static str) -> Result<Vec<Value>, ClusterError>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        let resource = kube::core::ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let objects = self.pages(&api, kind, None).await?;
        Ok(objects.into_iter().filter_map(|object| serde_json::to_value(object).ok()).collect())
    }

    async fn pages<K>(&self, api: &Api<K>, kind: &'static str, selector: Option<&str>) -> Result<Vec<K>, ClusterError>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let mut progress = Progress::new();
        let mut parameters = ListParams { limit: Some(PAGE_OBJECTS), ..ListParams::default() };
        parameters.label_selector = selector.map(str::to_owned);
        let mut all = Vec::new();
        loop {
            progress.show(&format!("reading {kind}: {} so far", all.len()));
            let page = api.list(&parameters).await.map_err(|error| self.read_error(kind, &error))?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    fn read_error(&self, kind: &'static str, error: &kube::Error) -> ClusterError {
        let place = match &self.namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in all namespaces".to_owned(),
        };
        let reason = match error {
            kube::Error::Api(status) if status.is_not_found() => {
                "the cluster does not know the kind; install it with assize crds | kubectl apply --server-side -f -"
                    .to_owned()
            }
            kube::Error::Api(status) => status.message.clone(),
            other => causes_of(other),
        };
        ClusterError::Read { kind, place, reason }
    }
}

/// An error with its causes: the outermost alone says only that a request failed.
fn causes_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = inner.source();
    }
    text
}

/// Runs a command that talks to the cluster.
pub(super) fn block_on<T>(
    work: impl Future<Output = Result<T, ClusterError>>,
) -> Result<T, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}
