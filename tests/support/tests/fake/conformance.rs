//! Every check of the conformance suite, through both doors.
use assize_testkit::fake::FakeApiServer;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

macro_rules! checks {
    ($($module:ident :: $name:ident,)*) => {
        mod without_sockets {
            $(
                #[tokio::test]
                async fn $name() {
                    let server = super::FakeApiServer::builder().build().unwrap();
                    assize_testkit::conformance::$module::$name(server.client("conformance")).await;
                }
            )*
        }
        mod over_http {
            $(
                #[tokio::test]
                async fn $name() {
                    let server = super::FakeApiServer::builder().build().unwrap();
                    let listener = server.listen(0).await.unwrap();
                    assize_testkit::conformance::$module::$name(super::http_client(&listener.kubeconfig()).await).await;
                }
            )*
        }
    };
}

assize_testkit::for_each_check!(checks);

pub async fn http_client(kubeconfig: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
