//! What can go wrong between asking for a control plane and holding one.
use std::{io, path::PathBuf};

use super::Component;

/// Why a control plane could not be started, changed or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `KUBEBUILDER_ASSETS` is set to something that is not a folder.
    #[error("KUBEBUILDER_ASSETS is {0:?}, which is no folder: correct it, or unset it to have the control plane built")]
    Assets(PathBuf),
    /// The build script failed; it has explained itself on standard error.
    #[error(
        "tests/controlplane/build failed ({0}): see its messages above, or name finished binaries in KUBEBUILDER_ASSETS"
    )]
    Build(String),
    /// A key or a certificate could not be made.
    #[error("certificate of {name:?}: {reason}")]
    Certificate {
        /// Whose certificate it was to be.
        name: String,
        /// What the certificate library says.
        reason: String,
    },
    /// A file or a process of the control plane could not be handled.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A component ended although it should run.
    #[error("{component} ended early; the end of its log {log:?}:\n{lines}")]
    Ended {
        /// The component that ended.
        component: Component,
        /// Its whole log; gone with the control plane unless `Options::keep` is set.
        log: PathBuf,
        /// The last lines of the log.
        lines: String,
    },
    /// A component runs but did not become ready in time.
    #[error("{component} was not ready within {seconds} s ({reason}); the end of its log {log:?}:\n{lines}")]
    NotReady {
        /// The component that is waited for.
        component: Component,
        /// How long it was waited for.
        seconds: u64,
        /// What the last attempt said.
        reason: String,
        /// Its whole log; gone with the control plane unless `Options::keep` is set.
        log: PathBuf,
        /// The last lines of the log.
        lines: String,
    },
    /// The component is not part of this control plane.
    #[error("{0} is not part of this control plane: ask for it in Options")]
    Absent(Component),
    /// The component is stopped, so that nothing can be done with it.
    #[error("{0} is stopped: start it first")]
    Stopped(Component),
    /// The API server refused a request of the harness.
    #[error("{what}: {source}")]
    Request {
        /// What was attempted.
        what: String,
        /// What the client says.
        source: Box<kube::Error>,
    },
}

impl Error {
    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    pub(super) fn request(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Request { what, source: Box::new(source) }
    }

    /// Whether another process took a port between its choice and its use, so that a second attempt helps.
    pub(super) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { lines, .. } if lines.contains("address already in use"))
    }
}
