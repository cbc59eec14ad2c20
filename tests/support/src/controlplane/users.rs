//! Kubeconfigs and clients for any user, by client certificates of the control plane's own authority.
use k8s_openapi::ByteString;
use kube::{Client, Config, config::AuthInfo};
use serde_json::{Value, json};

use super::{
    Error,
    certificates::{Authority, Identity},
};

/// Makes access to one API server.
pub(super) struct Users {
    url: String,
    authority: Authority,
}

impl Users {
    pub(super) fn new(url: String, authority: Authority) -> Self {
        Self { url, authority }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The authority's certificate, PEM.
    pub(super) fn authority_certificate(&self) -> &str {
        &self.authority.certificate
    }

    /// A kubeconfig that carries its certificates, so that it works from any folder.
    pub(super) fn kubeconfig(&self, user: &str, groups: &[&str]) -> Result<String, Error> {
        let identity = self.authority.client(user, groups)?;
        let value = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "assize", "cluster": {
                "server": self.url,
                "certificate-authority-data": base64(&self.authority.certificate),
            }}],
            "users": [{"name": user, "user": credentials(&identity)}],
            "contexts": [{"name": "assize", "context": {"cluster": "assize", "user": user}}],
            "current-context": "assize",
        });
        serde_saphyr::to_string(&value).map_err(|error| failed(user, &error))
    }

    pub(super) fn config(&self, user: &str, groups: &[&str]) -> Result<Config, Error> {
        let identity = self.authority.client(user, groups)?;
        let address = self.url.parse::<http::Uri>().map_err(|error| failed(user, &error))?;
        let mut config = Config::new(address);
        config.root_cert = Some(vec![self.authority.certificate_der.clone()]);
        config.auth_info =
            serde_json::from_value::<AuthInfo>(credentials(&identity)).map_err(|error| failed(user, &error))?;
        Ok(config)
    }

    pub(super) fn client(&self, user: &str, groups: &[&str]) -> Result<Client, Error> {
        Client::try_from(self.config(user, groups)?).map_err(Error::request(format!("client for {user}")))
    }
}

fn credentials(identity: &Identity) -> Value {
    json!({
        "client-certificate-data": base64(&identity.certificate),
        "client-key-data": base64(&identity.key),
    })
}

/// Base64 by the type that Kubernetes objects use for it.
fn base64(text: &str) -> Value {
    serde_json::to_value(ByteString(text.as_bytes().to_vec())).unwrap_or_default()
}

fn failed(user: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Certificate { name: user.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::config::{KubeConfigOptions, Kubeconfig};

    use super::*;

    #[tokio::test]
    async fn the_kubeconfig_is_one_that_kube_reads() {
        let users = Users::new("https://127.0.0.1:6443".to_owned(), Authority::new("test").unwrap());
        let text = users.kubeconfig("system:node: \"odd\" #name", &["one", "two", "three"]).unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        assert_eq!(config.cluster_url.to_string(), "https://127.0.0.1:6443/");
        Client::try_from(config).unwrap();
    }
}
