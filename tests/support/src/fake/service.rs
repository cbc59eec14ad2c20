//! The fast door: a `tower` service, without sockets.
use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use tower_service::Service;

use super::{Inner, handler, respond::ReplyBody};

/// Answers requests in the caller's task: a caller that goes away takes its unprocessed request along.
#[derive(Clone)]
pub struct FakeService {
    inner: Arc<Inner>,
    user_agent: Option<HeaderValue>,
}

impl FakeService {
    pub(super) fn new(inner: Arc<Inner>, user_agent: &str) -> Self {
        Self { inner, user_agent: HeaderValue::from_str(user_agent).ok() }
    }
}

impl Service<Request<kube::client::Body>> for FakeService {
    type Response = Response<ReplyBody>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let (inner, user_agent) = (self.inner.clone(), self.user_agent.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Some(user_agent) = user_agent {
                parts.headers.entry(header::USER_AGENT).or_insert(user_agent);
            }
            let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
            handler::handle(inner, parts, body).await
        })
    }
}
