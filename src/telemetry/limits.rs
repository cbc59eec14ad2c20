//! Every bound of telemetry, each with its reason.

use std::time::Duration;

/// Series of all families per agreement together: 10,000 agreements with one target need 160,000.
pub const AGREEMENT_SERIES: usize = 200_000;

/// Bytes of output collected before they are handed to the connection: few wake-ups, little memory.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that wait for a slow scraper; then encoding waits too.
pub const WAITING_CHUNKS: usize = 4;

/// Scrapes at the same time: a pair of Prometheus servers and a person with curl, doubled.
pub const SCRAPES: usize = 4;

/// Row buffers kept between scrapes: a pair of Prometheus servers.
pub const KEPT_BUFFERS: usize = 2;

/// Connections at the same time: kubelet, scrapers, people.
pub const CONNECTIONS: usize = 64;

/// Bytes of a request's head; hyper asks for at least 8 kB.
pub const REQUEST_HEAD_BYTES: usize = 16 * 1024;

/// How long a client may take to send a request's head, and how long a connection may idle.
pub const REQUEST_HEAD: Duration = Duration::from_secs(10);

/// How long the diagnostics page may take.
pub const DIAGNOSTICS: Duration = Duration::from_secs(10);

/// Age from which a connection takes no more requests: a slow reader cannot hold one for ever.
pub const CONNECTION_AGE: Duration = Duration::from_mins(2);

/// How long a connection may take to finish its answer after it was told to end; below the grace of a Pod.
pub const CONNECTION_DRAIN: Duration = Duration::from_secs(5);

/// Pause after the system refused to accept a connection (too many open files), so that the loop does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the last traces may take to be sent; below the grace of a Pod.
pub const TRACE_FLUSH: Duration = Duration::from_secs(5);
