//! Ends of periods: from Open over Provisional to Closed, and the chain of digests.

use std::time::Duration;

use assize::domain::verify::{Inputs, verify};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use serde_json::{Value, json};

use assize_testkit::fake::{Action, Match};

use super::objects::{assert_conserved, has, ledger, slice};
use super::rig::{Operator, Rig, now};

on_both_servers! {
    a_period_ends_and_its_report_is_closed_and_chained,
    m_105_restored_it_goes_on_with_the_open_report,
    row_90_made_anew_with_another_spec_both_reports_are_closed,
    m_95_late_evidence_is_taken_until_the_report_is_closed,
    other_periods_begin_when_the_running_one_ends,
}

const GRACE: &str = "3s";

/// The Monday 00:00 UTC after an instant.
pub fn week_end(after: Timestamp) -> Timestamp {
    let zoned = after.in_tz("UTC").unwrap();
    let days = 7 - i64::from(zoned.weekday().to_monday_zero_offset());
    zoned.start_of_day().unwrap().checked_add(Span::new().days(days)).unwrap().timestamp()
}

/// The flag that makes a week end `lead` from now, and that end.
pub fn offset_to(end: Timestamp, lead: SignedDuration) -> String {
    let offset = end.duration_since(now()) - lead;
    format!("--test-time-shift-ms={}", offset.as_millis())
}

pub async fn scene(rig: &Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    agree(rig).await;
}

async fn agree(rig: &Rig) {
    agree_with_grace(rig, GRACE).await;
}

async fn agree_with_grace(rig: &Rig, grace: &str) {
    let fields = json!({
        "reportingPeriod": {"kind": "CalendarWeek", "timeZone": "UTC", "lateDataGrace": grace},
        "unmeasured": {"minCoverage": "0"},
    });
    rig.agreement("gold", "checkout", fields).await;
}

/// What `assize verify` says of the reports as they are stored.
async fn assert_verified(rig: &Rig, closed: usize) {
    let found = verify(&rig.list("Report").await, &Inputs::default());
    // The month of the Service may have ended, too.
    assert_eq!(found.lines.iter().find(|line| line.name == "gold").map(|line| line.reports), Some(closed));
    assert!(found.problems().next().is_none(), "{found:#?}");
}

pub fn phase(wanted: &'static str) -> impl Fn(&Value) -> bool {
    move |report| report["status"]["phase"] == wanted
}

fn name_of(report: &Value) -> String {
    report["metadata"]["name"].as_str().unwrap().to_owned()
}

pub fn start(rig: &Rig, name: &str, end: Timestamp, lead_seconds: i64) -> Operator {
    rig.start_with(name, &[&offset_to(end, SignedDuration::from_secs(lead_seconds))])
}

async fn a_period_ends_and_its_report_is_closed_and_chained(rig: Rig) {
    scene(&rig).await;
    let end = week_end(now());
    let operator = start(&rig, "op", end, 8);
    rig.wait_current("gold", "Up").await;
    let first = name_of(&rig.open_report("gold").await);
    let open = rig.wait("Report", &first, "Open", phase("Open")).await;
    assert!(has(&open, "Closed", "False", "PeriodOpen"), "{open}");
    let provisional = rig.wait("Report", &first, "Provisional", phase("Provisional")).await;
    assert!(has(&provisional, "Closed", "False", "WaitingForLateData"), "{provisional}");
    assert_eq!(provisional["spec"]["period"]["end"].as_str().unwrap().parse::<Timestamp>().unwrap(), end);
    assert_eq!(provisional["status"]["result"], "Met");
    let what = "the next open report";
    let next = |object: &Value| object["status"]["openReport"].as_str().is_some_and(|name| name != first);
    rig.wait("Agreement", "gold", what, next).await;
    let second = rig.open_report("gold").await;
    assert_eq!(second["status"]["phase"], "Open");
    assert_eq!(second["spec"]["period"]["start"].as_str().unwrap().parse::<Timestamp>().unwrap(), end);
    let closed = rig.wait("Report", &first, "Closed", phase("Closed")).await;
    assert!(closed["status"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(has(&closed, "Ready", "True", "Finished"), "{closed}");
    assert!(has(&closed, "Closed", "True", "PeriodClosed"), "{closed}");
    assert_eq!(closed["status"]["previousDigest"], Value::Null);
    assert_conserved(&closed);
    let elapsed = closed["status"]["parts"][0]["targets"][0]["ms"]["elapsed"].as_i64().unwrap();
    let created: Timestamp = closed["status"]["parts"][0]["from"].as_str().unwrap().parse().unwrap();
    assert_eq!(elapsed, end.as_millisecond() - created.as_millisecond());
    let what = "the last report";
    let last = |object: &Value| object["status"]["lastReport"]["name"] == first.as_str();
    let agreement = rig.wait("Agreement", "gold", what, last).await;
    assert_eq!(agreement["status"]["lastReport"]["verdict"], "Met");
    rig.settle("op").await;
    operator.stop().await;

    // A week later, another operator closes the next report onto the first.
    let end = end.in_tz("UTC").unwrap().checked_add(7.days()).unwrap().timestamp();
    let operator = start(&rig, "later", end, 6);
    let second = name_of(&second);
    let chained = rig.wait("Report", &second, "Closed", phase("Closed")).await;
    assert_eq!(chained["status"]["previousDigest"], closed["status"]["digest"]);
    assert_eq!(rig.get("Report", &first).await.unwrap()["status"], closed["status"], "a closed report stays");
    rig.settle("later").await;
    assert_verified(&rig, 2).await;
    operator.stop().await;
}

/// Another kind and another zone take effect at the end of the running period; another grace holds for it already. A
/// leader that finds the change in the records alone goes on in the same way.
async fn other_periods_begin_when_the_running_one_ends(rig: Rig) {
    scene(&rig).await;
    let end = week_end(now());
    let operator = start(&rig, "op", end, 14);
    rig.wait_current("gold", "Up").await;
    let first = name_of(&rig.open_report("gold").await);
    let months = json!({
        "reportingPeriod": {"kind": "CalendarMonth", "timeZone": "Asia/Kolkata", "lateDataGrace": "2s"},
        "unmeasured": {"minCoverage": "0"},
    });
    rig.agreement("gold", "checkout", months).await;
    let said = |object: &Value| {
        let agreed = object["status"]["conditions"].as_array().into_iter().flatten();
        agreed.filter(|condition| condition["type"] == "Agreed").any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            message.contains("periods become CalendarMonth in Asia/Kolkata when the running one ends")
        })
    };
    let amended = rig.wait("Agreement", "gold", "what will change", said).await;
    assert_eq!(amended["status"]["openReport"], first.as_str(), "{amended:#}");
    let end_of = |object: &Value| object["status"]["period"]["end"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(end_of(&amended), end);
    rig.settle("op").await;
    operator.kill().await;

    let operator = start(&rig, "next", end, 4);
    let closed = rig.wait("Report", &first, "Closed", phase("Closed")).await;
    assert_eq!(closed["spec"]["period"]["timeZone"], "UTC");
    assert_eq!(closed["status"]["parts"].as_array().map(Vec::len), Some(2), "{closed:#}");
    assert_conserved(&closed);
    let second = rig.open_report("gold").await;
    let period = &second["spec"]["period"];
    assert_eq!(period["timeZone"], "Asia/Kolkata");
    let written: jiff::civil::Date = period["key"].as_str().map(|key| format!("{key}-01")).unwrap().parse().unwrap();
    assert_eq!(name_of(&second), format!("gold-{}", written.strftime("%Y-%m")));
    assert_eq!(period["start"].as_str().unwrap().parse::<Timestamp>().unwrap(), end);
    let silent = |object: &Value| !said(object);
    rig.wait("Agreement", "gold", "nothing more to announce", silent).await;
    rig.settle("next").await;
    operator.stop().await;

    let end = period["end"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let operator = start(&rig, "later", end, 5);
    rig.wait("Report", &name_of(&second), "Closed", phase("Closed")).await;
    rig.settle("later").await;
    assert_verified(&rig, 2).await;
    operator.stop().await;
}

/// M-105 b), fault row 89: deleted and made anew with the same spec, another uid. What was observed meanwhile is kept,
/// and the first report that is made afterwards says why.
async fn m_105_restored_it_goes_on_with_the_open_report(rig: Rig) {
    scene(&rig).await;
    let end = week_end(now());
    let operator = start(&rig, "op", end, 22);
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("op").await;
    let first = rig.open_report("gold").await;
    let name = name_of(&first);
    rig.delete("Agreement", "gold").await;
    // The outage ends while there is no agreement.
    rig.endpoints("api", 3, 3).await;
    rig.wait_state("checkout", "Up").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    agree(&rig).await;
    let restored = rig.wait_current("gold", "Up").await;
    assert_ne!(restored["metadata"]["uid"], first["spec"]["subject"]["uid"]);
    assert_eq!(restored["status"]["openReport"], name.as_str(), "{restored:#}");
    let closed = rig.wait("Report", &name, "Closed", phase("Closed")).await;
    assert_eq!(closed["metadata"]["uid"], first["metadata"]["uid"], "the same report");
    assert_eq!(closed["status"]["parts"][0]["from"], first["status"]["parts"][0]["from"], "as old as it was");
    let states: Vec<String> = ledger(&closed).into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, ["Up", "Down", "Up"], "{:#?}", ledger(&closed));
    assert_conserved(&closed);
    let next = |object: &Value| object["status"]["openReport"].as_str().is_some_and(|open| open != name);
    rig.wait("Agreement", "gold", "the next open report", next).await;
    let second = rig.open_report("gold").await;
    assert_eq!(
        (&second["spec"]["reason"], &second["spec"]["subject"]["uid"]),
        (&json!("Restored"), &restored["metadata"]["uid"])
    );
    rig.settle("op").await;
    operator.stop().await;

    // Another operator finds out by the reports and versions alone.
    let end = end.in_tz("UTC").unwrap().checked_add(7.days()).unwrap().timestamp();
    let operator = start(&rig, "later", end, 6);
    let second = rig.wait("Report", &name_of(&second), "Closed", phase("Closed")).await;
    assert_eq!(second["status"]["previousDigest"], closed["status"]["digest"]);
    rig.settle("later").await;
    assert_verified(&rig, 2).await;
    operator.stop().await;
}

/// Fault row 90: the report of the deleted agreement says when it ended, and is closed by the operator that is there then.
async fn row_90_made_anew_with_another_spec_both_reports_are_closed(rig: Rig) {
    scene(&rig).await;
    let flag = offset_to(week_end(now()), SignedDuration::from_secs(22));
    let operator = rig.start_with("op", &[&flag]);
    rig.wait_current("gold", "Up").await;
    let first = name_of(&rig.open_report("gold").await);
    rig.delete("Agreement", "gold").await;
    let ended = |report: &Value| ledger(report).last().is_some_and(|entry| entry.reason == "SubjectDeleted");
    let left = rig.wait("Report", &first, "the end of its ledger", ended).await;
    agree_with_grace(&rig, "4s").await;
    let other = |object: &Value| object["status"]["openReport"].as_str().is_some_and(|open| open != first);
    rig.wait("Agreement", "gold", "a report of its own", other).await;
    let second = name_of(&rig.open_report("gold").await);
    operator.stop().await;

    let operator = rig.start_with("next", &[&flag]);
    let closed = rig.wait("Report", &first, "Closed", phase("Closed")).await;
    assert_eq!(ledger(&closed), ledger(&left));
    let to: Timestamp = closed["status"]["parts"][0]["to"].as_str().unwrap().parse().unwrap();
    assert_eq!(to, ledger(&left).last().unwrap().at);
    assert_conserved(&closed);
    let other = rig.wait("Report", &second, "Closed", phase("Closed")).await;
    assert_eq!((&closed["status"]["previousDigest"], &other["status"]["previousDigest"]), (&Value::Null, &Value::Null));
    rig.settle("next").await;
    assert_eq!(rig.get("Report", &first).await.unwrap(), closed, "closed once");
    assert_verified(&rig, 2).await;
    operator.stop().await;
}

/// M-95, with a slice that comes late instead of samples: what it says of the period that is over is taken while the
/// report is Provisional, and refused once it is Closed.
async fn m_95_late_evidence_is_taken_until_the_report_is_closed(rig: Rig) {
    // The time of a slice counts where one endpoint changed.
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    agree_with_grace(&rig, "8s").await;
    let end = week_end(now());
    let operator = start(&rig, "op", end, 8);
    rig.wait_current("gold", "Up").await;
    let name = name_of(&rig.open_report("gold").await);
    rig.wait("Report", &name, "Provisional", phase("Provisional")).await;
    let late = async |ready: usize, at: Timestamp| {
        let mut slice = slice("api", ready, 1);
        slice["metadata"]["annotations"] = json!({"endpoints.kubernetes.io/last-change-trigger-time": at.to_string()});
        rig.put(slice).await;
    };
    let began = end - SignedDuration::from_secs(2);
    late(0, began).await;
    let down = |report: &Value| ledger(report).last().is_some_and(|entry| entry.state == "Down" && entry.at == began);
    let provisional = rig.wait("Report", &name, "the late outage", down).await;
    assert_eq!(provisional["status"]["phase"], "Provisional");
    let closed = rig.wait("Report", &name, "Closed", phase("Closed")).await;
    assert_eq!(closed["status"]["parts"][0]["targets"][0]["ms"]["down"], 2000, "{closed:#}");
    // That it was over before the period ended, nobody hears any more.
    late(1, end - SignedDuration::from_secs(1)).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    assert_eq!(rig.get("Report", &name).await.unwrap(), closed);
    assert_conserved(&closed);
    operator.stop().await;
}

/// Fault row 2: killed before or after the write that closes, the next operator leaves one closed report, and closes
/// nothing twice.
#[tokio::test]
async fn closing_is_done_once_whenever_the_operator_is_killed() {
    for action in [Action::Hang, Action::HangReply] {
        let committed = matches!(action, Action::HangReply);
        let rig = Rig::fake().await;
        scene(&rig).await;
        let end = week_end(now());
        let flag = offset_to(end, SignedDuration::from_secs(5));
        let operator = rig.start_with("op", &[&flag]);
        let first = name_of(&rig.open_report("gold").await);
        let provisional = rig.wait("Report", &first, "Provisional", phase("Provisional")).await;
        let writes = Match::writes().resource("servicereports.assize.dev").name(&first).user_agent("op");
        let fault = rig.faults().on_request(writes.nth(1), action);
        tokio::time::timeout(super::rig::LIMIT, fault.reached()).await.expect("the report is not closed");
        operator.kill().await;
        fault.remove();
        let left = rig.get("Report", &first).await.unwrap();
        assert_eq!(left["status"]["digest"].is_string(), committed);
        let operator = rig.start_with("next", &[&flag]);
        let closed = rig.wait("Report", &first, "Closed", phase("Closed")).await;
        rig.settle("next").await;
        if committed {
            assert_eq!(closed, left, "a closed report is not written again");
        }
        let ended: Vec<_> = ledger(&provisional).into_iter().filter(|entry| entry.at < end).collect();
        for field in ["sequence", "epoch"] {
            let of = |report: &Value| report["status"]["ledger"][field].clone();
            assert_eq!(of(&closed), of(&provisional), "closing leaves {field} as it was, whoever closes");
        }
        let kept: Vec<_> = ledger(&closed).into_iter().filter(|entry| entry.at < end).collect();
        assert_eq!(kept[..ended.len()], ended[..], "what was proved stays");
        assert_eq!(rig.get("Report", &first).await.unwrap(), closed);
        operator.stop().await;
    }
}
