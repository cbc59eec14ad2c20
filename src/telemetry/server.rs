//! The HTTP server of `/metrics`, `/livez`, `/readyz` and `/debug/assize`.
//!
//! Everything is bounded: connections, heads, ages, scrapes at once, memory of a scrape. Every task is joined.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::diagnostics::DiagnosticsSource;
use super::health::{Health, Report};
use super::limits;
use super::metrics::Metrics;

mod scrape;
#[cfg(test)]
mod tests;

use scrape::Scrapes;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or not of this machine.
    #[error("failed to listen on {address} for metrics and health: {source}; choose another address")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What the server shows.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// For `/metrics`.
    pub metrics: Metrics,

    /// For `/livez` and `/readyz`.
    pub health: Health,

    /// For `/debug/assize`.
    pub diagnostics: DiagnosticsSource,
}

/// A server that listens, but does not answer before it runs.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Listens; port 0 takes any free one.
    pub async fn bind(address: SocketAddr, endpoints: Endpoints) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address: bound, router: router(endpoints) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the future ends, then finishes what was begun, for
    /// [`CONNECTION_DRAIN`](limits::CONNECTION_DRAIN) at most.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, router, .. } = self;
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < limits::CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, router.clone(), stopped.clone()));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "failed to accept a connection");
                        sleep(limits::ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        drop(stop);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(limits::CONNECTION_DRAIN, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn serve(stream: TcpStream, router: Router, mut stopped: watch::Receiver<()>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::REQUEST_HEAD)
        .max_buf_size(limits::REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // What a client does wrong is of no interest here.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => {}
        () = sleep(limits::CONNECTION_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _cut = timeout(limits::CONNECTION_DRAIN, connection).await;
}

#[derive(Clone)]
struct Shared {
    endpoints: Endpoints,
    scrapes: Scrapes,
}

fn router(endpoints: Endpoints) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/debug/assize", get(diagnostics))
        .with_state(Shared { endpoints, scrapes: Scrapes::default() })
}

async fn metrics(State(shared): State<Shared>) -> Response {
    shared.scrapes.answer(shared.endpoints.metrics)
}

async fn livez(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    health(&shared.endpoints.health.liveness(), query.as_deref())
}

async fn readyz(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    health(&shared.endpoints.health.readiness(), query.as_deref())
}

fn health(report: &Report, query: Option<&str>) -> Response {
    let verbose =
        query.unwrap_or_default().split('&').any(|pair| pair.split_once('=').map_or(pair, |(key, _)| key) == "verbose");
    let status = if report.holds() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, report.text(verbose)).into_response()
}

async fn diagnostics(State(shared): State<Shared>) -> Response {
    let source = shared.endpoints.diagnostics;
    let page = tokio::task::spawn_blocking(move || format!("{:#}\n", source.page()));
    match timeout(limits::DIAGNOSTICS, page).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Ok(Err(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "the page failed, see the log\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the page took too long, try again\n").into_response(),
    }
}
