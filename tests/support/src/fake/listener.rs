//! The slow door: plain HTTP on 127.0.0.1, for processes that are pointed at it by a kubeconfig.
use std::{io, net::SocketAddr, sync::Arc};

use http::Request;
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use super::{Inner, handler};

/// An open port. Dropping it closes the port and all its connections.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(super) async fn open(inner: Arc<Inner>, port: u16) -> io::Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = socket.local_addr()?;
        let accepting = tokio::spawn(accept(inner, socket));
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that points here.
    pub fn kubeconfig(&self) -> String {
        let url = self.url();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: fake\nclusters:\n- name: fake\n  cluster:\n    server: \
             {url}\nusers:\n- name: fake\n  user: {{}}\ncontexts:\n- name: fake\n  context:\n    cluster: fake\n    \
             user: fake\n    namespace: default\n"
        )
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The set of connections lives in this task, and ends with it.
        self.accepting.abort();
    }
}

async fn accept(inner: Arc<Inner>, socket: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The client gave up before it was accepted.
                Err(_) => continue,
            },
            Some(_) = connections.join_next() => continue,
        };
        let inner = inner.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let inner = inner.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    handler::handle(inner, parts, body).await
                }
            });
            // An error here is a broken connection, injected or the client's own: nobody is left to tell.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
