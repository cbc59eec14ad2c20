//! One real control plane for all tests of this binary, with the custom resource definitions installed.
//!
//! Its processes end with the test process, however that ends.

use std::time::Duration;

use assize_testkit::controlplane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Name under which the tests apply objects.
const MANAGER: &str = "assize-tests";
const ESTABLISHED_WITHIN: Duration = Duration::from_mins(1);

static SHARED: OnceCell<TestCluster> = OnceCell::const_new();

/// The control plane that all tests share. The first caller starts it.
pub async fn shared() -> &'static TestCluster {
    SHARED.get_or_init(TestCluster::start).await
}

/// A control plane with the definitions installed.
pub struct TestCluster {
    plane: ControlPlane,
}

impl TestCluster {
    async fn start() -> Self {
        let cluster = Self { plane: ControlPlane::start(Options::default()).await.unwrap() };
        cluster.install_definitions().await;
        cluster
    }

    /// The control plane, for kubeconfigs, other users and faults.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// A client of an administrator for the runtime of the calling test; one of another runtime would outlive it.
    pub fn client(&self) -> Client {
        self.plane.client()
    }

    /// Makes a namespace, if it is not there yet.
    pub async fn namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let namespaces = Api::<Namespace>::all(self.client());
        namespaces.patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(&object)).await.unwrap();
    }

    async fn install_definitions(&self) {
        let client = self.client();
        let definitions = Api::<CustomResourceDefinition>::all(client.clone());
        for definition in assize::api::all() {
            let name = definition.name_any();
            let applied =
                definitions.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&definition)).await;
            applied.unwrap_or_else(|error| panic!("{name}: {error}"));
            let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
            timeout(ESTABLISHED_WITHIN, established).await.unwrap().unwrap();
            wait_until_served(&client, &definition).await;
        }
    }
}

/// Established comes some moments before the kind is served.
async fn wait_until_served(client: &Client, definition: &CustomResourceDefinition) {
    let resource = resource_of(definition);
    let objects = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let served = async {
        while objects.list(&ListParams::default().limit(1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(ESTABLISHED_WITHIN, served).await.unwrap();
}

/// How objects of a definition are addressed.
pub fn resource_of(definition: &CustomResourceDefinition) -> ApiResource {
    let version = definition.spec.versions[0].name.clone();
    let names = &definition.spec.names;
    let group = definition.spec.group.clone();
    ApiResource {
        api_version: format!("{group}/{version}"),
        group,
        version,
        kind: names.kind.clone(),
        plural: names.plural.clone(),
    }
}

/// No rule exceeds the cost budget of the API server, no selectable field or column is wrong.
#[tokio::test]
async fn the_api_server_finds_nothing_wrong_with_the_definitions() {
    let cluster = shared().await;
    assert!(cluster.plane().kubeconfig().exists());
    let definitions = Api::<CustomResourceDefinition>::all(cluster.client());
    for definition in definitions.list(&ListParams::default()).await.unwrap() {
        let conditions = definition.status.clone().and_then(|status| status.conditions).unwrap_or_default();
        let wrong = conditions.iter().filter(|condition| match condition.type_.as_str() {
            "NonStructuralSchema" | "Terminating" | "KubernetesAPIApprovalPolicyConformant" => {
                condition.status == "True"
            }
            _ => condition.status != "True",
        });
        assert_eq!(wrong.count(), 0, "{}: {conditions:?}", definition.name_any());
    }
}
