//! The end of a period for all agreements in the same instant, on a cluster whose operator runs ahead of time.
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use kube::Client;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Error;
use super::audit::{AuditLog, total};
use super::objects::GROUP_VERSION;
use super::operator::{Launch, Operator};

/// What happens in the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The month ends: its reports become Provisional, those of the next month are made.
    End,
    /// The grace for late facts is over: reports are closed.
    Close,
}

/// How long it took.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodEnd {
    /// Writes from the instant on, without the Lease.
    pub writes: u64,
    /// Seconds from the instant to the last of them.
    pub seconds: f64,
    /// Reports that are then in the phase that the instant brings.
    pub reports: usize,
    /// CPU of the operator for it.
    pub cpu_ms: u64,
}

/// Between two looks at the audit log.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Nothing is written for so long: all is written.
const SILENCE: Duration = Duration::from_secs(5);
/// Just before the instant, nothing is written any more of what the start brought.
const JUST_BEFORE: Duration = Duration::from_secs(2);
const GRACE_HOURS: i64 = 24;

impl Edge {
    fn phase(self) -> &'static str {
        match self {
            Self::End => "Provisional",
            Self::Close => "Closed",
        }
    }

    /// The instant in the operator's time: of the month that is running now.
    fn instant(self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        let month = now.in_tz("UTC")?.first_of_month()?.start_of_day()?.checked_add(1.month())?;
        let grace = if self == Self::Close { GRACE_HOURS } else { 0 };
        Ok(month.checked_add(grace.hours())?.timestamp())
    }
}

/// Starts an operator shortly before the instant, waits for it, and counts what is written until all is.
#[allow(clippy::disallowed_methods, reason = "the load generator has no other clock")]
pub async fn run(
    launch: &Launch,
    user: &str,
    client: &Client,
    audit: &mut AuditLog,
    services: usize,
    edge: Edge,
) -> Result<PeriodEnd, Error> {
    let calendar = |error: jiff::Error| Error::system("compute the month's end")(std::io::Error::other(error));
    // Long enough for the start and for what a start writes.
    let lead = Duration::from_secs(25 + services as u64 / 50);
    let now = Timestamp::now();
    let offset_ms =
        edge.instant(now).map_err(calendar)?.as_millisecond() - now.as_millisecond() - lead.as_millis() as i64;
    let due = Instant::now() + lead;
    let mut launch = launch.clone();
    launch.arguments.push(format!("--test-time-shift-ms={offset_ms}"));
    let mut operator = Operator::start(&launch)?;
    tokio::time::sleep_until(due - JUST_BEFORE).await;
    operator.check_running()?;
    audit.skip()?;
    tokio::time::sleep_until(due).await;
    let writes = |audit: &mut AuditLog| -> Result<u64, Error> {
        Ok(total(&audit.read()?, user, |request| request.is_write() && !request.is_lease()))
    };
    let early = writes(audit)?;
    if early > services as u64 / 100 {
        let what = format!("the operator to be quiet before the month's end, not to write {early} times");
        return Err(Error::Late { what, seconds: lead.as_secs(), log: launch.log.display().to_string() });
    }
    let cpu_before = operator.usage().cpu_ms;
    let (mut count, mut last) = (0, due);
    while count == 0 || last.elapsed() < SILENCE {
        sleep(LOOK_AGAIN).await;
        let more = writes(audit)?;
        if more > 0 {
            (count, last) = (count + more, Instant::now());
        }
        if count == 0 && due.elapsed() > 4 * SILENCE {
            break;
        }
    }
    operator.check_running()?;
    let cpu_ms = operator.usage().cpu_ms - cpu_before;
    operator.stop().await?;
    let reports = count_reports(client, edge.phase()).await?;
    Ok(PeriodEnd { writes: count, seconds: (last - due).as_secs_f64(), reports, cpu_ms })
}

async fn count_reports(client: &Client, phase: &str) -> Result<usize, Error> {
    let path = format!("/apis/{GROUP_VERSION}/servicereports?fieldSelector=status.phase%3D{phase}");
    let request = http::Request::get(&path)
        .body(Vec::new())
        .map_err(|error| Error::request(path.as_str())(kube::Error::HttpError(error)))?;
    let list: Value = client.request(request).await.map_err(Error::request(path.as_str()))?;
    Ok(list["items"].as_array().map_or(0, Vec::len))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_month_that_runs_ends_in_utc() {
        let instant = |edge: Edge| edge.instant("2025-11-24T23:30:00-05:00".parse().unwrap()).unwrap().to_string();
        assert_eq!(instant(Edge::End), "2025-12-01T00:00:00Z");
        assert_eq!(instant(Edge::Close), "2025-12-02T00:00:00Z");
    }
}
