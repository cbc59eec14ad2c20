//! What can go wrong in a bench.
use std::io;

use crate::controlplane;

/// Why a bench could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane could not be started or used.
    #[error(transparent)]
    ControlPlane(#[from] controlplane::Error),
    /// A request of the generator failed.
    #[error("{what}: {source}")]
    Request {
        /// What was attempted.
        what: String,
        /// What the client says.
        source: Box<kube::Error>,
    },
    /// A file or process could not be handled.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// Something expected did not happen in time.
    #[error("{what}, not within {seconds} s: see the log of the operator in {log}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// Where the operator logs.
        log: String,
    },
}

impl Error {
    pub(super) fn request(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Request { what, source: Box::new(source) }
    }

    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
