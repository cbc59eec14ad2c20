//! Logs to standard error, and with the feature `otlp` traces to an OpenTelemetry collector.

use std::io::IsTerminal;

use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; colours only on a terminal.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why a text is no log format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log format `{0}` is not known, write text or json")]
pub struct UnknownFormat(String);

impl std::str::FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

/// What to log and where traces go.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// How a line looks.
    pub format: LogFormat,

    /// Directives of the filter, such as `info,assize=debug`.
    pub filter: &'a str,

    /// Where the collector listens (OTLP over gRPC), such as `http://collector.observability:4317`; none: no traces.
    pub otlp_endpoint: Option<&'a str>,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("failed to read log filter `{filter}`: {source}; write it like info,assize=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },

    /// Logs can be set up once a process.
    #[error("failed to set up logs: {0}")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),

    /// An endpoint was given to a build without traces.
    #[error("failed to set up traces: this build has none, build it with the feature otlp or leave the endpoint out")]
    NoTraces,

    /// The exporter works on the runtime.
    #[error("failed to set up traces: no tokio runtime, set logs up inside of it")]
    NoRuntime,

    /// The exporter refused the endpoint.
    #[error("failed to set up traces to `{endpoint}`: {reason}")]
    Traces {
        /// What was given.
        endpoint: String,
        /// What the exporter says.
        reason: String,
    },
}

/// Keeps traces flowing; sends the last ones when it is dropped, which may block for some seconds.
#[derive(Debug, Default)]
#[must_use = "traces end when the guard is dropped"]
pub struct LogGuard {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

impl LogGuard {
    /// Sends the last traces and ends; the same as dropping the guard.
    ///
    /// Blocks at most [`TRACE_FLUSH`](super::limits::TRACE_FLUSH). Call it where blocking is allowed and while the
    /// runtime still works, for instance by `spawn_blocking`.
    pub fn shutdown(self) {
        drop(self);
    }
}

#[cfg(feature = "otlp")]
impl Drop for LogGuard {
    fn drop(&mut self) {
        let Some(provider) = self.provider.take() else { return };
        if let Err(error) = provider.shutdown_with_timeout(super::limits::TRACE_FLUSH) {
            tracing::warn!(%error, "failed to send the last traces");
        }
    }
}

/// Sets logs up for the whole process.
pub fn install(settings: &LogSettings<'_>) -> Result<LogGuard, LogError> {
    let filter = parse_filter(settings.filter)?;
    let (traces, guard) = traces(settings.otlp_endpoint)?;
    let lines = lines(settings.format, std::io::stderr, std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(traces).with(lines).with(filter).try_init()?;
    Ok(guard)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .with_regex(false)
        .parse(filter)
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn lines<W, S>(format: LogFormat, writer: W, terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s> + Send + Sync,
{
    let layer = tracing_subscriber::fmt::layer();
    match format {
        LogFormat::Json => layer.json().with_ansi(false).with_writer(writer).boxed(),
        // On a terminal the default stays, which also follows NO_COLOR.
        LogFormat::Text if terminal => layer.with_writer(writer).boxed(),
        LogFormat::Text => layer.with_ansi(false).with_writer(writer).boxed(),
    }
}

#[cfg(not(feature = "otlp"))]
fn traces(endpoint: Option<&str>) -> Result<(Option<BoxedLayer>, LogGuard), LogError> {
    match endpoint {
        None => Ok((None, LogGuard::default())),
        Some(_) => Err(LogError::NoTraces),
    }
}

#[cfg(feature = "otlp")]
fn traces(endpoint: Option<&str>) -> Result<(Option<BoxedLayer>, LogGuard), LogError> {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::WithExportConfig;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    let Some(endpoint) = endpoint else {
        return Ok((None, LogGuard::default()));
    };
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(LogError::NoRuntime);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(super::limits::TRACE_FLUSH)
        .build()
        .map_err(|error| LogError::Traces { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("assize").build())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("assize"))
        .with_filter(tracing_subscriber::filter::filter_fn(|span| !is_exporter(span.target())));
    Ok((Some(layer.boxed()), LogGuard { provider: Some(provider) }))
}

/// Whether a span is of what sends the spans: each sending would be the cause of the next one.
#[cfg(feature = "otlp")]
fn is_exporter(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry"].contains(&name)
        || name.starts_with("opentelemetry_")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the process knows of the filters in force is global, so one test logs at a time.
    static TURN: Mutex<()> = Mutex::new(());

    fn logged(format: LogFormat, filter: &str) -> String {
        let _turn = TURN.lock();
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::registry()
            .with(lines(format, move || writer.clone(), false))
            .with(parse_filter(filter).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(kind = "Service", "written");
            tracing::debug!("hidden");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_has_no_escapes_away_from_a_terminal() {
        let text = logged(LogFormat::Text, "info");
        assert!(text.contains("written") && text.contains("kind=\"Service\""), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("hidden"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(LogFormat::Json, "info");
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["fields"]["message"], "written");
        assert_eq!(line["fields"]["kind"], "Service");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn the_filter_selects_by_module() {
        assert_eq!(logged(LogFormat::Text, "off,elsewhere=trace"), "");
        assert!(logged(LogFormat::Text, "info,assize=debug").contains("hidden"));
    }

    #[test]
    fn a_bad_filter_is_refused_with_a_remedy() {
        let settings = LogSettings { format: LogFormat::Text, filter: "assize=loud", otlp_endpoint: None };
        let message = install(&settings).unwrap_err().to_string();
        assert!(message.contains("assize=loud") && message.contains("info,assize=debug"), "{message}");
    }

    #[cfg(not(feature = "otlp"))]
    #[test]
    fn an_endpoint_needs_the_feature() {
        let settings = LogSettings { format: LogFormat::Json, filter: "info", otlp_endpoint: Some("http://c:4317") };
        assert!(matches!(install(&settings), Err(LogError::NoTraces)));
    }

    #[cfg(feature = "otlp")]
    #[tokio::test(flavor = "multi_thread")]
    async fn the_guard_sends_the_last_traces() {
        use tokio::io::AsyncReadExt;

        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let (layer, guard) = traces(Some(&endpoint)).unwrap();
        {
            let _turn = TURN.lock();
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::info_span!("reconcile").in_scope(|| {});
            });
        }
        let ended = tokio::task::spawn_blocking(|| guard.shutdown());
        let (mut connection, _) = collector.accept().await.unwrap();
        let mut preface = [0; 14];
        connection.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0");
        // It answers nothing more, and the guard ends all the same.
        drop((connection, collector));
        ended.await.unwrap();
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn the_exporter_is_not_traced() {
        assert!(is_exporter("h2::codec") && is_exporter("tonic") && is_exporter("opentelemetry_sdk::trace"));
        assert!(!is_exporter("assize::control") && !is_exporter("hyperspace"));
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn traces_need_the_runtime() {
        assert!(matches!(traces(Some("http://127.0.0.1:1")), Err(LogError::NoRuntime)));
    }

    #[test]
    fn formats_are_read() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert!("xml".parse::<LogFormat>().unwrap_err().to_string().contains("text or json"));
    }
}
