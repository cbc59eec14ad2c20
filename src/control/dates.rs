//! A client whose answers set the clock: each carries the API server's time.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, Request, Response, header};
use jiff::fmt::rfc2822::DateTimeParser;
use kube::Client;
use kube::client::Body;
use tower_service::Service;

use crate::domain::cluster_time::Answer;
use crate::domain::time::Instant;

use super::clock::Clock;

/// The same client, but each answer sets the clock.
pub fn listen(client: Client, clock: &Clock) -> Client {
    let namespace = client.default_namespace().to_owned();
    let valid_until = *client.valid_until();
    Client::new(Listening { client, clock: clock.clone() }, namespace).with_valid_until(valid_until)
}

/// Passes requests on and looks at the head of each answer.
struct Listening {
    client: Client,
    clock: Clock,
}

impl Service<Request<Body>> for Listening {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, clock) = (self.client.clone(), self.clock.clone());
        Box::pin(async move {
            let sent_ms = clock.monotonic_ms();
            let answer = client.send(request).await?;
            match date_of(answer.headers()) {
                Some(date) => clock.hear(Answer { sent_ms, received_ms: clock.monotonic_ms(), date }),
                None => clock.rely(),
            }
            Ok(answer)
        })
    }
}

fn date_of(headers: &HeaderMap) -> Option<Instant> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Instant::from_ms(date.as_millisecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, "Tue, 24 Nov 2026 23:00:01 GMT".parse().unwrap());
        assert_eq!(date_of(&headers), Some(Instant::parse("2026-11-24T23:00:01Z").unwrap()));
        headers.insert(header::DATE, "yesterday".parse().unwrap());
        assert_eq!(date_of(&headers), None);
    }
}
