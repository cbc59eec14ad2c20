//! Why a component or service has its state: a closed set of words that never change once released.

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident ),+ $(,)?) => {
        /// Why a component or service has its state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $( $(#[$doc])* $name ),+ }

        impl Reason {
            /// The word in conditions, ledgers and reports.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$name => stringify!($name) ),+ }
            }

            /// Reads the word; none if this version does not know it.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $( stringify!($name) => Some(Self::$name), )+ _ => None }
            }
        }
    };
}

reasons! {
    /// Every critical member has enough ready.
    AllCriticalReady,
    /// Scaled to zero on purpose, and that is allowed.
    Idle,
    /// A member of a redundant group is down, the group still stands.
    RedundancyLost,
    /// Below the wanted capacity.
    Degraded,
    /// Nothing is ready.
    NoneReady,
    /// Fewer are ready than agreed.
    BelowMinimum,
    /// The workload is scaled to zero.
    ScaledToZero,
    /// The core Service was deleted.
    ServiceDeleted,
    /// The workload was deleted.
    WorkloadDeleted,
    /// A critical dependency is down.
    DependencyDown,
    /// The first complete list has not arrived.
    Waiting,
    /// The object was never seen.
    NeverSeen,
    /// The object cannot be measured this way.
    NotMeasurable,
    /// Nothing was observed.
    NotObserved,
    /// The stage of the service is not measured.
    StageNotMeasured,
    /// Tries of an address fail.
    ProbeFailed,
    /// Tries of an address succeed.
    ProbeSucceeded,
    /// No replica was observing.
    NoLeader,
    /// A source gave no proof.
    SourceLost,
    /// The operator may not read a source.
    PermissionMissing,
    /// The agreement, or the Service, that the ledger is about was deleted: its term ended.
    SubjectDeleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for reason in [Reason::AllCriticalReady, Reason::ServiceDeleted, Reason::PermissionMissing] {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("Bad"), None);
    }
}
