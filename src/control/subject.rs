//! What is planned and written as one: a Service, an agreement or a calendar, with the reports that belong to it.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use crate::domain::conditions::{Remembered, Transition};
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;
use crate::telemetry::labels::Controller;

/// What is planned as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A Service, with its own report where no agreement measures the same.
    Service(ObjectKey),
    /// An agreement with its reports.
    Agreement(ObjectKey),
    /// A calendar.
    Calendar(Arc<str>),
    /// The reports that a deleted Service or agreement of this uid left open.
    Departed(Arc<str>),
}

impl Subject {
    /// Its kind in metrics.
    pub const fn controller(&self) -> Controller {
        match self {
            Self::Service(_) => Controller::Service,
            Self::Agreement(_) => Controller::Agreement,
            Self::Calendar(_) => Controller::Calendar,
            Self::Departed(_) => Controller::Report,
        }
    }
}

/// A resource that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A Service.
    Service,
    /// An agreement.
    Agreement,
    /// A calendar.
    Calendar,
    /// A report.
    Report,
    /// A version of a Service, an agreement or a calendar.
    VersionRecord,
}

impl Resource {
    /// Its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Agreement => "ServiceLevelAgreement",
            Self::Calendar => "ServiceCalendar",
            Self::Report => "ServiceReport",
            Self::VersionRecord => "ControllerRevision",
        }
    }

    /// Its plural.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Agreement => "servicelevelagreements",
            Self::Calendar => "servicecalendars",
            Self::Report => "servicereports",
            Self::VersionRecord => "controllerrevisions",
        }
    }

    /// Its group and version.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::VersionRecord => "apps/v1",
            _ => "assize.dev/v1alpha1",
        }
    }
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The resource.
    pub resource: Resource,
    /// Namespace and name.
    pub key: ObjectKey,
    /// What is done.
    pub action: Action,
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Creates the object with this spec and these labels.
    Create {
        /// The whole object without status.
        body: Value,
    },
    /// Writes the status.
    Status {
        /// The resourceVersion that it was computed from; none: that of the write before in the batch.
        version: Option<Box<str>>,
        /// The status.
        status: Value,
        /// What to remember once it is written.
        written: Written,
    },
    /// Adds conditions to a closed report, whose other fields stay as they are.
    Conditions {
        /// The resourceVersion that they were computed from.
        version: Box<str>,
        /// The conditions that are added.
        conditions: Vec<Condition>,
        /// All conditions, to be remembered once they are written.
        remembered: Vec<Remembered>,
    },
}

/// What is remembered of a written status.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Fingerprint of what only a transition changes.
    pub fingerprint: u64,
    /// Fingerprint of the shown figures that move with time.
    pub shown: u64,
    /// Its conditions.
    pub conditions: Vec<Remembered>,
}

/// The writes of one subject, in order, and what to tell about them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The subject.
    pub subject: Subject,
    /// The writes; one that fails ends the batch.
    pub writes: Vec<Write>,
    /// What Events tell, once the writes are done.
    pub transitions: Vec<Transition>,
    /// Uid of the subject, for Events.
    pub uid: Box<str>,
}

impl Batch {
    /// A batch that writes nothing yet.
    pub fn new(subject: Subject, uid: Box<str>) -> Self {
        Self { subject, writes: Vec::new(), transitions: Vec::new(), uid }
    }
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The batch, with the writes that were done.
    pub batch: Batch,
    /// The new resourceVersion of each write that was done.
    pub versions: Vec<Box<str>>,
    /// Why it ended early.
    pub failure: Option<WriteFailure>,
}

/// Why a write failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteFailure {
    /// It was computed from an older version of the object, or the object exists already.
    Conflict,
    /// The object is gone.
    Gone,
    /// The operator may not write it.
    Forbidden(String),
    /// This replica leads no more.
    NotLeader,
    /// The API server does not answer, or refuses.
    Failed(String),
}

/// What is known of the status of one object, and of writing it.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// The resourceVersion seen last.
    pub version: Box<str>,
    /// What the status says now.
    pub written: Written,
    /// When it was written last.
    pub at: Option<Instant>,
    /// Whether a write is under way.
    pub in_flight: bool,
    /// Failures in a row.
    pub failures: u32,
}

/// Pause between two writes of one object: flapping is written at most once a second.
pub const WRITE_PAUSE_MS: i64 = 1000;
/// Shown figures that move with time are rewritten at most so often.
pub const REFRESH_MS: i64 = 3_600_000;

impl Writing {
    /// Takes over what a leader wrote: its figures are refreshed when their hour is over, not at once.
    pub fn see(&mut self, written: Written, as_of: Option<&str>, now: Instant) {
        self.written = written;
        let as_of = as_of.and_then(|at| Instant::parse(at).ok());
        self.at = self.at.max(as_of.map(|at| at.min(now)));
    }

    /// When the object may be written next.
    pub fn earliest(&self) -> Option<Instant> {
        let pause =
            if self.failures == 0 { WRITE_PAUSE_MS } else { (WRITE_PAUSE_MS << self.failures.min(5)).min(30_000) };
        self.at.map(|at| at.plus_ms(pause))
    }
}
