//! Every bound of the operator, each with its reason.

/// Entries of a report's ledger in all lines: an ordinary month has a few hundred transitions, and 400 entries of at
/// most 120 bytes keep the report below 50 kB.
pub const LEDGER_ENTRIES: usize = 400;

/// Sums of hours in a report's ledger in all lines; beyond, the oldest day with such sums becomes one.
pub const LEDGER_HOUR_SUMS: usize = 150;

/// Sums of days in a report's ledger in all lines: a year. Beyond, the oldest week becomes one.
pub const LEDGER_DAY_SUMS: usize = 366;

/// Bytes of a report as it is stored, above which its ledger is rolled up further: 2 kB below what a report never
/// exceeds, for what grows between two looks.
pub const REPORT_BYTES: usize = 48_000;

/// Bytes that are reserved in a report for its conditions and digests, and for what the API server adds to it: uid,
/// versions and `managedFields`.
pub const REPORT_METADATA_BYTES: usize = 4_000;

/// Outages a report lists; the others are counted and summed.
pub const LISTED_OUTAGES: usize = 50;

/// Gaps a report lists; the others are counted and summed.
pub const LISTED_GAPS: usize = 50;

/// Changes, standing windows and exclusions that a report lists; the others are counted and their loss summed.
pub const LISTED_MAINTENANCE: usize = 50;

/// Changes of other rules that a report lists.
pub const LISTED_RULE_CHANGES: usize = 12;

/// Steps of the API server's clock that a report lists; the earlier ones are counted.
pub const LISTED_CLOCK_STEPS: usize = 12;

/// Steps of the API server's clock that are kept until reports are written: of API servers whose clocks differ, each
/// answer may show one. A report that is not written for longer counts no more than these.
pub const KEPT_CLOCK_STEPS: usize = 1_000;

/// Parts of a report: amendments within one period.
pub const REPORT_PARTS: usize = 12;

/// Targets of all parts of a report together: each has its own figures, of about 900 bytes.
pub const REPORT_PART_TARGETS: usize = 32;

/// Bytes of an agreement's canonical spec; etcd rows stay small, and a spec is kept in every version record.
pub const AGREEMENT_SPEC_BYTES: usize = 8 * 1024;

/// Characters of a condition's message and of an Event's note: the API server refuses more.
pub const MESSAGE_CHARACTERS: usize = 1024;

/// Names in a dependency cycle that a message shows.
pub const CYCLE_NAMES: usize = 5;

/// How long an increase of the wanted replicas may take before it counts in full, where the workload names no
/// `progressDeadlineSeconds`: the default of a Deployment.
pub const SCALE_UP_GRACE_MS: i64 = 10 * 60 * 1000;

/// Age from which the change-trigger time of an `EndpointSlice` is not believed: a slice controller that far behind
/// tells nothing about this update.
pub const TRIGGER_AGE_MS: i64 = 60 * 1000;

/// Bytes of one line of an event log.
pub const EVENT_LINE_BYTES: usize = 64 * 1024;

/// Distance of two stored samples up to which the lower count holds between them: a sample a minute, as scraped by
/// default.
pub const BACKFILL_STEP_MS: i64 = 60 * 1000;

/// Age from which a node's Lease says that the node had fallen silent: it is renewed every ten seconds.
pub const NODE_SILENT_MS: i64 = 20 * 1000;

/// Outages at the same time whose nodes are asked about; those of further ones say nothing of them.
pub const ASKED_OUTAGES: usize = 1_000;

/// Nodes of one outage that are asked about.
pub const ASKED_NODES: usize = 16;

/// Leases of nodes that are read at one time.
pub const READ_NODE_LEASES: usize = 256;

/// Pods of one component that a line of an event log or a request holds as evidence.
pub const EVIDENCE_PODS: usize = 500;

/// Changes of one stream that are replayed after a gap; a gap with more of them is closed by Pods.
pub const REPLAYED_CHANGES: usize = 50_000;

/// Calendar periods that a rolling window of 366 days touches.
pub const WINDOW_REPORTS: usize = 13;

/// Shortens a text for a condition or Event, on a character boundary.
pub fn shorten(text: &str) -> String {
    if text.chars().count() <= MESSAGE_CHARACTERS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MESSAGE_CHARACTERS - 1).collect();
    short.push('…');
    short
}
