//! Flags and environment of the operator, read once.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::domain::duration::parse_duration_ms;
use crate::telemetry::labels::Source;
use crate::telemetry::logs::LogFormat;
use crate::telemetry::metrics::{Detail, MetricsOptions};

/// Revision that this was built from.
pub const REVISION: &str = match option_env!("ASSIZE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// What the operator exports per object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricsDetail {
    /// What dashboards and alerts need.
    Standard,
    /// Every family.
    Full,
}

/// Form of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogForm> for LogFormat {
    fn from(form: LogForm) -> Self {
        match form {
            LogForm::Text => Self::Text,
            LogForm::Json => Self::Json,
        }
    }
}

/// Settings of the operator.
#[derive(Clone, Debug, Args)]
pub struct OperatorSettings {
    /// Namespace of the operator and its Lease
    #[arg(long, env = "ASSIZE_NAMESPACE", default_value = "assize-system")]
    pub namespace: String,

    /// Name of this replica; in a cluster the name of its Pod
    #[arg(long, env = "ASSIZE_IDENTITY", default_value_t = default_identity())]
    pub identity: String,

    /// Name of the Lease that elects the writing replica
    #[arg(long, default_value = "assize")]
    pub lease_name: String,

    /// For how long a renewal of the Lease holds, 3s to 5m
    #[arg(long, default_value = "15s", value_parser = lease_duration)]
    pub lease_duration: Duration,

    /// Address of /metrics, /livez, /readyz and /debug/assize
    #[arg(long, env = "ASSIZE_METRICS_ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_address: SocketAddr,

    /// Families of metrics per agreement
    #[arg(long, value_enum, default_value_t = MetricsDetail::Standard)]
    pub metrics: MetricsDetail,

    /// Objects that are written at the same time, 1 to 64
    #[arg(long, default_value = "16", value_parser = concurrency)]
    pub write_concurrency: usize,

    /// Form of the logs
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    pub log_format: LogForm,

    /// What is logged, such as info or assize=debug
    #[arg(long, env = "ASSIZE_LOG", default_value = "info")]
    pub log: String,

    /// OTLP endpoint for traces; needs a build with the feature otlp
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,

    /// Shifts the clock of this replica by so many milliseconds; for tests of skew
    #[arg(long, hide = true, default_value_t = 0, allow_negative_numbers = true)]
    pub test_clock_offset_ms: i64,
    /// Shifts all recorded time by so many milliseconds; for tests of what happens at a certain time
    #[arg(long, hide = true, default_value_t = 0, allow_negative_numbers = true)]
    pub test_time_shift_ms: i64,
    /// Asks about a silent watch after so many milliseconds; for tests that do not wait a minute
    #[arg(long, hide = true, default_value_t = 60_000)]
    pub test_silence_ms: i64,
}

impl OperatorSettings {
    /// The options of the metrics.
    pub fn metrics_options(&self) -> MetricsOptions<'static> {
        MetricsOptions {
            detail: match self.metrics {
                MetricsDetail::Standard => Detail::Standard,
                MetricsDetail::Full => Detail::Full,
            },
            sources: &[
                Source::EndpointSlices,
                Source::CoreServices,
                Source::Deployments,
                Source::StatefulSets,
                Source::DaemonSets,
            ],
            version: env!("CARGO_PKG_VERSION"),
            revision: REVISION,
            ..MetricsOptions::default()
        }
    }
}

/// The host name, which is the name of the Pod in a cluster; with the process id, so that two on one host differ.
fn default_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "assize".to_owned());
    format!("{}-{}", host.trim(), std::process::id())
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let length_ms = parse_duration_ms(text).map_err(|error| error.to_string())?;
    if !(3_000..=300_000).contains(&length_ms) {
        return Err("write a duration from 3s to 5m".to_owned());
    }
    Ok(Duration::from_millis(length_ms.unsigned_abs()))
}

fn concurrency(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=64).contains(count)).ok_or_else(|| "write a number from 1 to 64".to_owned())
}
