//! A scrape: encoded on a thread that may block, sent in chunks, so that its memory does not grow with its length.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinHandle};

use super::super::limits::{CHUNK_BYTES, SCRAPES, WAITING_CHUNKS};
use super::super::metrics::{CONTENT_TYPE, Metrics};

/// Bounds the scrapes at the same time; clones share the bound.
#[derive(Clone, Debug)]
pub(super) struct Scrapes(Arc<Semaphore>);

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SCRAPES)))
    }
}

impl Scrapes {
    /// Begins a scrape, or refuses it if too many run.
    pub(super) fn answer(&self, metrics: Metrics) -> Response {
        let Ok(permit) = self.0.clone().try_acquire_owned() else {
            return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at once\n").into_response();
        };
        let (sender, receiver) = mpsc::channel(WAITING_CHUNKS);
        let encoding = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut chunks = Chunks { sender, chunk: String::new() };
            // An error means that nobody reads any more.
            let _unread = metrics.encode(&mut chunks).and_then(|()| chunks.send());
        });
        let body = Body::from_stream(stream::unfold((receiver, Some(encoding)), next_chunk));
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
    }
}

type Reading = (mpsc::Receiver<Bytes>, Option<JoinHandle<()>>);

/// The next chunk; after the last one the thread is joined, so that its death breaks the body instead of ending it.
async fn next_chunk((mut receiver, encoding): Reading) -> Option<(Result<Bytes, JoinError>, Reading)> {
    if let Some(chunk) = receiver.recv().await {
        return Some((Ok(chunk), (receiver, encoding)));
    }
    let error = encoding?.await.err()?;
    Some((Err(error), (receiver, None)))
}

/// Collects text into chunks and waits for the reader.
struct Chunks {
    sender: mpsc::Sender<Bytes>,
    chunk: String,
}

impl Chunks {
    fn send(&mut self) -> fmt::Result {
        // In HTTP an empty chunk would end the body.
        if self.chunk.is_empty() {
            return Ok(());
        }
        let next = String::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 16);
        let chunk = std::mem::replace(&mut self.chunk, next);
        self.sender.blocking_send(Bytes::from(chunk)).map_err(|_| fmt::Error)
    }
}

impl fmt::Write for Chunks {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.chunk.push_str(text);
        if self.chunk.len() < CHUNK_BYTES { Ok(()) } else { self.send() }
    }
}
